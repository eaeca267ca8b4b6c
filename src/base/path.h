/* Paths relative to the source folder. */
#ifndef CORPUSFS_BASE_PATH_H
#define CORPUSFS_BASE_PATH_H

#include "base/span.h"

/* What follows the last slash; NUL-terminated when the path is. Borrowed. */
static inline struct span path_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return span_of(slash ? slash + 1 : path);
}

#endif
