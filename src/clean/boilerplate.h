/* Second step of cleaning, for paged text: what the page layout added goes. Private to clean/. */
#ifndef CORPUSFS_CLEAN_BOILERPLATE_H
#define CORPUSFS_CLEAN_BOILERPLATE_H

#include "base/buf.h"

/* Appends normalised paged text to `out` without running headers, footers and page numbers, with the words joined that line
 * breaks split. Returns 0 or -ENOMEM; a failed `out` is seen by buf_error(). */
int boilerplate_remove(struct span text, struct buf *out);

#endif
