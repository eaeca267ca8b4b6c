/* The source: a folder of documents, read and never written. Everything is reached under a descriptor of the root taken once, with
 * openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), so that no symlink or ".." leads out of it: the kernel resolves links on our mount
 * by asking for their targets, so no path that reaches us has to go through one. Thread-safe but for open and close.
 * Paths are relative to the root, without a leading slash; "" is the root itself. */
#ifndef CORPUSFS_SOURCE_SOURCE_H
#define CORPUSFS_SOURCE_SOURCE_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct source;

int source_open(const char *directory, struct source **ret, struct err *err);
void source_close(struct source *s);
const char *source_path(const struct source *s); /* absolute, symlinks resolved */

/* From now on every stat says that all belongs to this user and group; NULL: to whom it belongs. Before the first look. */
void source_set_owner(struct source *s, const uid_t *uid, const gid_t *gid);
/* Says the same in the fstat of a descriptor that came from here, and narrows the mode of a file that has an access control list. */
void source_apply_rights(const struct source *s, int fd, struct stat *st);

/* lstat of one path, with the rights that hold on the mount. 0 or -errno. */
int source_stat(struct source *s, const char *path, struct stat *ret);
/* Opens a regular file for reading, never blocking on a FIFO or device (-EINVAL for anything but a regular file or folder). */
int source_open_file(struct source *s, const char *path, int *ret_fd);
int source_read_link(struct source *s, const char *path, char *target, size_t size);

/* One folder's entries in the order of the file system, "." and ".." left out. `type` as d_type (DT_UNKNOWN is resolved). `each` returns
 * non-zero to end, which is then returned. */
int source_list(struct source *s, const char *path, int (*each)(void *context, const char *name, unsigned char type, uint64_t ino),
		void *context);
/* Leaves out this path and everything on this device: our own mount inside the source, where a look would wait for ourselves. */
void source_exclude(struct source *s, const char *path, dev_t device);

/* What a walk calls. `file` gets a regular file and its lstat; non-zero ends the walk and is returned. `enter` (or NULL: always) says whether to go
 * into a folder. `failed` (or NULL) gets a folder that could not be read; the walk goes on. */
struct source_visitor {
	int (*file)(void *context, const char *path, const struct stat *st);
	bool (*enter)(void *context, const char *path);
	void (*failed)(void *context, const char *path, int error);
	void *context;
};
/* Walks all regular files at or below `path` in byte order of their paths, so that two walks of one tree agree. Symlinks are not followed. */
int source_walk(struct source *s, const char *path, const struct source_visitor *visitor);

/* The first `size` bytes of a regular file and its stat. Returns bytes read or -errno. */
ssize_t source_read_head(struct source *s, const char *path, char *data, size_t size, struct stat *ret_st);

/* Reads a whole file of at most `limit` bytes through a stable stamp: stat, read, stat. *ret_st is the stat the bytes belong to. Returns 0
 * with malloc'ed bytes, -EFBIG over the limit, -EBUSY when it kept changing (three tries), or the error of open or read. */
int source_read_stable(struct source *s, const char *path, size_t limit, char **ret_data, size_t *ret_size, struct stat *ret_st);

/* Change notification by inotify, best effort: `changed` gets a path (file or folder), or "" when events were lost and everything must be
 * looked at again. Called on the watcher's own thread. */
int source_watch_start(struct source *s, void (*changed)(void *context, const char *path), void *context, struct err *err);
void source_watch_stop(struct source *s); /* for good */
/* False while some folder is not watched (limit of watches, file system without events): then only a rescan sees every change. */
bool source_watch_complete(struct source *s);

#endif
