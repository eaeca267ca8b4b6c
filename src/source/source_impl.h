/* What the files of this folder share. */
#ifndef CORPUSFS_SOURCE_IMPL_H
#define CORPUSFS_SOURCE_IMPL_H

#include "source/source.h"

#include <pthread.h>
#include <stdatomic.h>

struct watch;

struct source {
	char *path;
	int root; /* O_PATH descriptor of the folder */
	_Atomic(char *) excluded_path; /* set at most once; NULL: none */
	_Atomic dev_t excluded_device;
	_Atomic(struct watch *) watch; /* set at most once, freed by source_close(): other threads ask it whether it is complete */
	bool set_uid, set_gid;
	uid_t uid;
	gid_t gid;
};

/* Opens `path` below the root without following any symlink. Returns a descriptor or -errno. */
int source_open_below(struct source *s, const char *path, int flags);
/* Frees what watched, after source_watch_stop(). */
void source_watch_free(struct source *s);
/* True for the excluded path itself. */
bool source_is_excluded(const struct source *s, const char *path);

#endif
