/* First step of cleaning: one line structure, one encoding, one normal form. Private to clean/. */
#ifndef CORPUSFS_CLEAN_NORMALISE_H
#define CORPUSFS_CLEAN_NORMALISE_H

#include "clean/clean.h"

/* Appends the normalised form of `text` to `out`: all that clean.h promises but for what concerns pages. */
void normalise_text(struct span text, const struct clean_options *options, struct buf *out);

#endif
