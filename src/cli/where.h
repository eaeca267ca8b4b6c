/* What a person means by WHERE: a source folder, a mountpoint, or a folder below either. */
#ifndef CORPUSFS_CLI_WHERE_H
#define CORPUSFS_CLI_WHERE_H

#include "cli/config.h"

#include <limits.h>

struct where {
	/* The mount to ask, or "": the source is asked itself. */
	char mountpoint[PATH_MAX];
	/* The source folder; "" when a mount is asked that was named by its mountpoint. */
	char source[PATH_MAX];
	/* The folder below it that was meant, "" for all of it. */
	char inside[PATH_MAX];
};

/* Finds out. Returns 0, or -errno with one line printed. */
int where_find(const char *name, const struct config *config, struct where *ret);

/* The same for verbs whose argument is a source itself, not a folder below one: `inside` stays "". */
int where_find_source(const char *name, const struct config *config, struct where *ret);

/* One line of the kernel's table of mounts. */
struct mount_entry {
	char mountpoint[PATH_MAX];
	char type[64];
	char source[PATH_MAX];
};
/* The mount that `path` (absolute, symlinks resolved) is on or below: 0, or -ENOENT. Asks only the kernel's table, so that a dead or hung
 * mount does not stop it. */
int where_mount_of(const char *path, struct mount_entry *ret);
/* One line on stderr about a file of a mount that could not be read; says what to do where the mount's process is gone. */
void where_explain(const char *name, int error);

/* True for mounts of this program. */
bool where_is_ours(const struct mount_entry *entry);
/* An absolute path with symlinks resolved in all but the last component, which may be a dead mount. 0 or -errno. */
int where_absolute(const char *path, char ret[PATH_MAX]);

#endif
