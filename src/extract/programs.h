/* Where outside programs lie. */
#ifndef CORPUSFS_EXTRACT_PROGRAMS_H
#define CORPUSFS_EXTRACT_PROGRAMS_H

#include <limits.h>
#include <stdbool.h>

/* Looks a name up in PATH; an absolute path is itself. False, with "" in `path`, when there is no such program. */
bool programs_find(const char *name, char path[PATH_MAX]);

#endif
