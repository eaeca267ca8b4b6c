/* The calling side of the helper process: see helper.h. The process itself is in server.c. */
#include "extract/helper.h"

#include "base/cleanup.h"
#include "base/utf8.h"
#include "extract/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct {
	int control; /* -1: not started */
	pid_t pid;
	const struct format *const *formats;
	struct helper_limits limits;
	struct server_hello hello;
} helper = {.control = -1};

int helper_start(const struct format *const *formats, const struct helper_limits *limits, struct err *err)
{
	if (helper.control >= 0)
		return 0;
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return err_fail(err, -errno, "cannot start the extraction helper: socketpair: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		server_main(ends[1], formats, limits);
	}
	int problem = errno;
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return err_fail(err, -problem, "cannot start the extraction helper: fork: %s", strerror(problem));
	}
	ssize_t got;
	while ((got = recv(ends[0], &helper.hello, sizeof(helper.hello), 0)) < 0 && errno == EINTR)
		;
	helper.control = ends[0];
	helper.pid = pid;
	helper.formats = formats;
	helper.limits = *limits;
	if (got == (ssize_t)sizeof(helper.hello))
		return 0;
	helper_stop();
	return err_fail(err, -ECHILD, "the extraction helper ended while it started");
}

void helper_stop(void)
{
	if (helper.control < 0)
		return;
	(void)close(helper.control); /* which is what the helper waits for */
	while (waitpid(helper.pid, NULL, 0) < 0 && errno == EINTR)
		;
	helper.control = -1;
	memset(&helper.hello, 0, sizeof(helper.hello));
}

const char *helper_describe(void)
{
	return helper.control < 0 ? "no helper process: formats that need isolation are off" : helper.hello.protections;
}

const char *helper_program_version(size_t format)
{
	return format < HELPER_FORMATS ? helper.hello.versions[format] : "";
}

/* A file in memory that cannot be executed. Old kernels do not know the flag, hardened ones insist on it. */
static int memory_file(const char *name)
{
	const unsigned no_exec = 0x0008U; /* MFD_NOEXEC_SEAL, Linux 6.3 */
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | no_exec);
	return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

static int write_all(int fd, struct span s)
{
	while (s.size > 0) {
		ssize_t n = write(fd, s.data, s.size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		s.data += n, s.size -= (size_t)n;
	}
	return 0;
}

/* What the lack of a descriptor, of memory for a file or of a process means to the caller. */
static int lacking(int problem)
{
	return problem == ENOMEM ? -ENOMEM : -EAGAIN;
}

static int make_input(struct span bytes, int *ret_fd)
{
	int CLEANUP_FD fd = memory_file("corpusfs-document");
	if (fd < 0)
		return lacking(errno);
	int r = write_all(fd, bytes);
	if (r < 0)
		return lacking(-r);
	/* The child can change neither what it reads nor, by that, what a neighbour reads. */
	if (lseek(fd, 0, SEEK_SET) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
		return -EAGAIN;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int send_request(size_t format, struct span name, const int fds[SERVER_FDS])
{
	struct server_request request = {.format = (uint32_t)format};
	/* The end of a name tells the kind; its beginning does not matter to a parser. */
	size_t size = name.size < sizeof(request.name) ? name.size : sizeof(request.name);
	memcpy(request.name, name.data + (name.size - size), size);
	request.name_size = (uint32_t)size;
	struct iovec part = {&request, sizeof(request)};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * SERVER_FDS)];
	} space = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof(space.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * SERVER_FDS);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * SERVER_FDS);
	ssize_t sent;
	while ((sent = sendmsg(helper.control, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	return sent == (ssize_t)sizeof(request) ? 0 : -EAGAIN;
}

/* Sends one document and waits for its end. No deadline here: the helper kills what is late, and its own death ends the wait too. */
static int run_child(size_t format, struct span name, int input, int output, struct server_reply *ret)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return lacking(errno);
	int CLEANUP_FD reader = ends[0];
	int fds[SERVER_FDS] = {input, output, ends[1]};
	int r = send_request(format, name, fds);
	(void)close(ends[1]);
	if (r < 0)
		return r;
	struct pollfd wait = {.fd = reader, .events = POLLIN};
	int ready;
	while ((ready = poll(&wait, 1, -1)) < 0 && errno == EINTR)
		;
	ssize_t got = ready == 1 ? read(reader, ret, sizeof(*ret)) : -1;
	return got == (ssize_t)sizeof(*ret) ? 0 : -EAGAIN;
}

static void fail_by_signal(struct extract_result *about, int number)
{
	switch (number) {
	case SIGSYS:
		(void)format_fail(about, "sandbox", "the extractor tried what it is not allowed to do and was stopped; the document is probably hostile");
		break;
	case SIGXFSZ:
		format_fail_errno(about, -EFBIG);
		break;
	case SIGXCPU:
		(void)format_fail(about, "timeout", "the extraction took too long and was stopped");
		break;
	case SIGKILL:
		(void)format_fail(about, "killed", "the extractor was killed, probably because memory ran out");
		break;
	default:
		(void)format_fail(about, "crashed", "the extractor crashed on this document");
		break;
	}
}

/* Everything that ends without a result of the document's own. True when *about is final. */
static bool fail_by_reply(const struct server_reply *reply, struct extract_result *about)
{
	if (reply->end == SERVER_NO_PROGRAM)
		(void)format_fail(about, "no-program", "the program that reads this format is not installed");
	else if (reply->end == SERVER_STUCK)
		(void)format_fail(about, "stuck", "the extraction made no progress and was stopped");
	else if (reply->end == SERVER_LATE)
		(void)format_fail(about, "timeout", "the extraction took too long and was stopped");
	else if (WIFSIGNALED(reply->status))
		fail_by_signal(about, WTERMSIG(reply->status));
	else
		return false;
	return true;
}

static int map_output(int fd, struct span *ret)
{
	struct stat st;
	/* Nobody can shorten the file under the map, whoever may still hold it. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0 || fstat(fd, &st) != 0)
		return -EAGAIN;
	*ret = (struct span){"", 0};
	if (st.st_size <= 0)
		return 0;
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	*ret = (struct span){map, (size_t)st.st_size};
	return 0;
}

static void terminate(char *string, size_t size)
{
	string[size - 1] = '\0';
	if (!utf8_is_valid(span_of(string)))
		string[0] = '\0';
}

/* A child's result: struct extract_result, then the text. The child may have been taken over by its document, so every field is checked. */
static void take_parsed(struct span output, struct buf *text, struct extract_result *about)
{
	struct extract_result said;
	if (output.size < sizeof(said)) {
		(void)format_fail(about, "crashed", "the extractor ended without a result");
		return;
	}
	memcpy(&said, output.data, sizeof(said));
	said.text = NULL;
	said.text_size = 0;
	terminate(said.title, sizeof(said.title));
	terminate(said.encoding, sizeof(said.encoding));
	terminate(said.code, sizeof(said.code));
	terminate(said.message, sizeof(said.message));
	if ((unsigned)said.state > EXTRACT_FAILED || (unsigned)said.syntax > TEXT_CATALOGUE) {
		(void)format_fail(about, "crashed", "the extractor ended without a proper result");
		return;
	}
	*about = said;
	if (said.state == EXTRACT_OK)
		buf_add(text, output.data + sizeof(said), output.size - sizeof(said));
}

static int take_output(const struct format *f, struct span bytes, int status, int fd, struct buf *text, struct extract_result *about)
{
	struct span output;
	int r = map_output(fd, &output);
	if (r < 0)
		return r;
	/* A program that was not tried when the helper started may be one that cannot be started. */
	if (status == SERVER_EXIT_LACKING && f->program && !f->program->version_arguments)
		(void)format_fail(about, "no-program", "the program that is configured for this kind cannot be started in the sandbox");
	else if (status == SERVER_EXIT_LACKING)
		r = -EAGAIN;
	else if (f->program)
		r = f->finish(bytes, status, output, text, about);
	else if (status == SERVER_EXIT_MEMORY)
		(void)format_fail(about, "memory", "the document needs more memory than an extractor is given");
	else if (status == SERVER_EXIT_TOO_LARGE)
		format_fail_errno(about, -EFBIG);
	else
		take_parsed(output, text, about);
	if (output.size > 0) {
		union {
			const char *data;
			void *map;
		} mapped = {.data = output.data};
		(void)munmap(mapped.map, output.size);
	}
	return r;
}

int helper_run(const struct format *f, struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	if (helper.control < 0)
		return format_fail(about, "no-helper", "this format is read in an isolated process only, and none is running");
	size_t format = 0;
	while (helper.formats[format] && helper.formats[format] != f)
		format++;
	int CLEANUP_FD input = -1;
	int CLEANUP_FD output = memory_file("corpusfs-text");
	if (output < 0)
		return lacking(errno);
	int r = make_input(bytes, &input);
	struct server_reply reply = {0};
	if (r == 0)
		r = run_child(format, name, input, output, &reply);
	if (r < 0)
		return r;
	if (reply.end == SERVER_LACKING)
		return -EAGAIN;
	if (fail_by_reply(&reply, about))
		return 0;
	return take_output(f, bytes, WEXITSTATUS(reply.status), output, text, about);
}
