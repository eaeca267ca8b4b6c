/* corpusfs health: whether a mount answers, for what supervises it. */
#include "cli/cmd.h"

#include "cli/aside.h"
#include "cli/output.h"
#include "cli/where.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HEALTH_MS = 5000 };

/* What needs no work and goes to the process each time: an open is never answered from the kernel's cache. */
static long open_readme(const char *mountpoint)
{
	char path[PATH_MAX + 32];
	(void)snprintf(path, sizeof(path), "%s/README.txt", mountpoint);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : close(fd);
}

/* Resolving the name looks at the mount, too. */
static long examine(const char *name)
{
	char path[PATH_MAX];
	struct mount_entry entry;
	int r = where_absolute(name, path);
	if (r < 0)
		return r;
	if (where_mount_of(path, &entry) < 0 || !where_is_ours(&entry) || strcmp(path, entry.mountpoint) != 0)
		return -EINVAL;
	return open_readme(path);
}

enum exit_code cmd_health(const struct config *config)
{
	const char *name = config->arguments[0];
	long r = aside_ask(examine, name, HEALTH_MS);
	if (r == 0)
		return EXIT_FINE;
	if (r == -EINVAL)
		out_error("%s: is no mount of corpusfs", name);
	else if (r == -ETIMEDOUT)
		out_error("%s: no answer within %d seconds", name, HEALTH_MS / 1000);
	else
		where_explain(name, (int)-r);
	return EXIT_NOTHING;
}
