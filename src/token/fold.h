/* Folding of names and titles, so that what a person types is compared without regard to case, width, accents' spelling and white space. */
#ifndef CORPUSFS_TOKEN_FOLD_H
#define CORPUSFS_TOKEN_FOLD_H

#include "base/buf.h"

/* Appends NFKC with case folding (UAX 15, 31), white space trimmed and collapsed to one blank. Invalid bytes are kept as they are. 0, -ENOMEM or -EFBIG. */
int fold_text(struct span text, struct buf *out);

#endif
