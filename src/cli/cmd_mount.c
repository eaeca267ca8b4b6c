/* corpusfs mount: checks both folders, goes to the background, opens the corpus and serves the mount until it is taken away. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/log.h"
#include "cli/output.h"
#include "cli/where.h"
#include "corpusfs.h"
#include "mount/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct mounting {
	const struct config *config;
	char source[PATH_MAX], mountpoint[PATH_MAX]; /* absolute */
	char store[PATH_MAX], log[PATH_MAX];	     /* absolute or "" */
	int ready;				     /* where the parent waits for one byte, or -1 in the foreground */
};

/* --- before anything is started ------------------------------------------------------------------------------------ */

/* What a killed process left behind would make every later look at the folder fail. */
static int remove_dead_mount(const char *mountpoint)
{
	struct mount_entry entry;
	if (where_mount_of(mountpoint, &entry) < 0 || !where_is_ours(&entry) || strcmp(entry.mountpoint, mountpoint) != 0)
		return -ENOTCONN;
	return cmd_unmount_dead(mountpoint);
}

static int check_source(struct mounting *m, const char *name)
{
	struct stat st;
	if (!realpath(name, m->source) || stat(m->source, &st) < 0) {
		out_error("%s: %s; name the folder with the documents", name, strerror(errno));
		return -errno;
	}
	if (!S_ISDIR(st.st_mode)) {
		out_error("%s: is not a folder; name the folder with the documents", name);
		return -ENOTDIR;
	}
	return 0;
}

static int check_mountpoint(struct mounting *m, const char *name)
{
	struct stat st;
	int r = where_absolute(name, m->mountpoint);
	if (r == 0 && stat(m->mountpoint, &st) < 0)
		r = errno == ENOTCONN ? remove_dead_mount(m->mountpoint) : -errno;
	if (r == 0 && stat(m->mountpoint, &st) < 0)
		r = -errno;
	if (r < 0) {
		out_error("%s: %s; %s", name, strerror(-r), r == -ENOENT ? "create the mountpoint first" : "name an empty folder as mountpoint");
		return r;
	}
	if (!S_ISDIR(st.st_mode)) {
		out_error("%s: is not a folder; name an empty folder as mountpoint", name);
		return -ENOTDIR;
	}
	struct mount_entry entry;
	if (where_mount_of(m->mountpoint, &entry) == 0 && where_is_ours(&entry) && strcmp(entry.mountpoint, m->mountpoint) == 0) {
		out_error("%s: is a mount of corpusfs already; `corpusfs unmount` ends it", name);
		return -EBUSY;
	}
	return 0;
}

/* A mount inside its own source would be walked by the indexer and wait for itself; one above it would hide the source. */
static int check_apart(const struct mounting *m)
{
	size_t source = strlen(m->source), mountpoint = strlen(m->mountpoint);
	size_t shorter = source < mountpoint ? source : mountpoint;
	const char *longer = source < mountpoint ? m->mountpoint : m->source;
	if (strncmp(m->source, m->mountpoint, shorter) != 0 || (longer[shorter] && longer[shorter] != '/' && shorter != 1))
		return 0;
	out_error("%s: %s its source folder %s; choose a mountpoint outside it", m->mountpoint,
		  source == mountpoint ? "is" : source < mountpoint ? "lies inside" : "contains", m->source);
	return -EINVAL;
}

/* The process will stand in the root folder, so a relative name would mean another file there. */
static int make_absolute(const char *name, char out[PATH_MAX])
{
	char here[PATH_MAX] = "";
	if (!name) {
		out[0] = '\0';
		return 0;
	}
	if (name[0] != '/' && !getcwd(here, sizeof(here))) {
		out_error("%s: %s", name, strerror(errno));
		return -errno;
	}
	if (snprintf(out, PATH_MAX, "%s%s%s", here, *here ? "/" : "", name) < PATH_MAX)
		return 0;
	out_error("%s: the name is too long", name);
	return -ENAMETOOLONG;
}

/* --- the serving process ------------------------------------------------------------------------------------------- */

/* The mount answers: the parent may go, and with it the terminal. */
static void mount_is_ready(void *context)
{
	struct mounting *m = context;
	if (m->ready < 0)
		return;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		(void)close(null);
	}
	(void)!write(m->ready, "", 1);
	(void)close(m->ready);
	m->ready = -1;
}
