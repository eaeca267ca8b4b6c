/* corpusfs unmount: takes the mount away and waits until its process has put the store down, so that the next command finds it free. */
#include "cli/cmd.h"

#include "base/limits.h"
#include "cli/aside.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/unmount.h"
#include "cli/where.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASK_MS = 2000, END_MS = 30000 };

/* The process that has the mount, 0 when it does not say. */
static long read_pid(const char *mountpoint)
{
	char path[PATH_MAX + 32];
	struct report_progress status = {0};
	struct buf text;
	(void)snprintf(path, sizeof(path), "%s/status/status.json", mountpoint);
	buf_init(&text, LIMIT_JSON_BYTES);
	if (out_read_file(path, &text) < 0 || report_read_progress(buf_span(&text), &status) < 0)
		status.pid = 0;
	buf_release(&text);
	return status.pid;
}

/* People who may not call umount(2) have fusermount3. */
static int run_fusermount(const char *mountpoint, bool lazy)
{
	pid_t child = fork();
	if (child == 0) {
		(void)execlp("fusermount3", "fusermount3", lazy ? "-uzq" : "-uq", "--", mountpoint, (char *)NULL);
		_exit(127);
	}
	int status = 0;
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

int unmount_path(const char *mountpoint)
{
	if (umount2(mountpoint, UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno == EBUSY && umount2(mountpoint, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
		return -EBUSY;
	if (errno != EPERM)
		return -errno;
	if (run_fusermount(mountpoint, false) == 0)
		return 0;
	return run_fusermount(mountpoint, true) == 0 ? -EBUSY : -EPERM;
}

/* A number from another pid namespace could be anybody's here, so the name has to be ours too. -1 when there is nothing to wait for. */
static int open_process(long pid)
{
	char path[64], name[32] = "";
	(void)snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	FILE *comm = pid > 0 ? fopen(path, "re") : NULL;
	if (!comm)
		return -1;
	bool ours = fgets(name, sizeof(name), comm) && strcmp(name, "corpusfs\n") == 0;
	(void)fclose(comm);
	return ours ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
}

static void wait_for_end(int process)
{
	struct pollfd end = {.fd = process, .events = POLLIN};
	if (process >= 0 && poll(&end, 1, END_MS) == 0)
		out_error("the mount is gone, but its process is still at work");
}

enum exit_code cmd_unmount(const struct config *config)
{
	const char *name = config->arguments[0];
	char path[PATH_MAX];
	struct mount_entry entry;
	int r = where_absolute(name, path);
	if (r < 0) {
		out_error("%s: %s; name a mountpoint", name, strerror(-r));
		return EXIT_ERROR;
	}
	if (where_mount_of(path, &entry) < 0 || !where_is_ours(&entry) || strcmp(path, entry.mountpoint) != 0) {
		out_error("%s: is no mount of corpusfs; `findmnt -t fuse.corpusfs` lists them", name);
		return EXIT_ERROR;
	}
	int process = open_process(aside_ask(read_pid, path, ASK_MS));
	r = unmount_path(path);
	if (r == 0)
		wait_for_end(process);
	else if (r == -EBUSY)
		out_error("%s: is still in use; it is out of the tree and ends when the last open file is closed", name);
	else
		out_error("%s: %s", name, strerror(-r));
	if (process >= 0)
		(void)close(process);
	return r == 0 || r == -EBUSY ? EXIT_FINE : EXIT_ERROR;
}
