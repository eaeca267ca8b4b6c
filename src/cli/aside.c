#include "cli/aside.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

long aside_ask(long (*question)(const char *path), const char *path, int timeout_ms)
{
	int ends[2];
	if (pipe(ends) < 0)
		return -errno;
	pid_t child = fork();
	if (child == 0) {
		/* Whoever reads our output to its end must not wait for a child that is left behind. */
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
			(void)close(fd);
		long answer = question(path);
		_exit(write(ends[1], &answer, sizeof(answer)) < 0);
	}
	long answer = child < 0 ? -errno : -ETIMEDOUT;
	struct pollfd readable = {.fd = ends[0], .events = POLLIN};
	(void)close(ends[1]);
	if (child > 0 && poll(&readable, 1, timeout_ms) == 1 && read(ends[0], &answer, sizeof(answer)) != sizeof(answer))
		answer = -EIO; /* it died */
	(void)close(ends[0]);
	if (child > 0) {
		(void)kill(child, SIGKILL);
		(void)waitpid(child, NULL, WNOHANG);
	}
	return answer;
}
