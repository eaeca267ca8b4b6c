/* The check of a data file before it is opened. */
#ifndef CORPUSFS_STORE_CHECK_H
#define CORPUSFS_STORE_CHECK_H

#include <stdbool.h>

/* 0: LMDB can be trusted with the file. -ENOENT: there is none, or an empty one. -EIO with the reason in *ret_why (a constant): it
 * is damaged or foreign. Other errors as open(2). `careful`: look at every page; else only when the file is small or cut off, since
 * a walk over a large store takes as long as reading its trees. Nobody may be writing to the file meanwhile. */
int check_file(const char *path, bool careful, const char **ret_why);

#endif
