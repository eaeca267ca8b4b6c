/* The mount: shows a struct corpus as a filesystem through libfuse's low-level interface. A thin client of corpusfs.h; docs/mount-views.md
 * lists every name that it shows. One mount a process, because signals are the process's. */
#ifndef CORPUSFS_MOUNT_MOUNT_H
#define CORPUSFS_MOUNT_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

struct corpus;

/* Strings are borrowed until mount_run returns. */
struct mount_options {
	const char *mountpoint;	    /* absolute; or "/dev/fd/N", a descriptor of /dev/fuse that somebody mounted already */
	const char *source;	    /* shown as the device in the table of mounts */
	const char *kernel_options; /* more options for the kernel, comma-separated, or NULL */
	bool allow_other;	    /* other users may look; each sees in search/, similar/ and status/ what he may read in the source */
	bool passthrough;	    /* the kernel reads raw/ by itself where it can; an open file there then mixes versions as the source's would */
	void (*ready)(void *context); /* called once when the mount answers, on a thread of its own; or NULL */
	void *ready_context;
	void (*log)(void *context, int priority, const char *line); /* syslog priorities; or NULL */
	void *log_context;
};

/* Mounts and serves until it is unmounted, or until SIGINT, SIGTERM or SIGHUP; then nothing is left mounted and every waiting request has been
 * answered. Returns 0, or -errno with one line in `error` when it could not be mounted. Raises RLIMIT_NOFILE to its hard limit. The checks
 * of the mountpoint against the source are the caller's. */
int mount_run(struct corpus *corpus, const struct mount_options *options, char *error, size_t error_size);

#endif
