/* The helper process: see helper.h for its place and server.h for its messages. One thread, one loop: requests in, children out. */
#include "extract/server.h"

#include "base/cleanup.h"
#include "extract/decode.h"
#include "extract/programs.h"
#include "extract/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* Children at once. More requests wait in the socket, which is back pressure enough. */
enum { JOBS = 64 };
/* Words of a program's command line, its own name included. */
enum { ARGUMENTS = 32 };
/* How often deadlines are looked at. */
enum { TICK_MS = 100 };
/* Beyond the text itself: the result's fields, and what a program writes before it is cut off. */
#define OUTPUT_BYTES (LIMIT_CLEAN_BYTES + ((size_t)1 << 20))
/* Where a child finds its descriptors; everything else is closed. */
enum { CHILD_INPUT = 3, CHILD_OUTPUT = 4 };

struct job {
	pid_t pid; /* also its process group */
	int output, reply;
	enum server_end end;
	int64_t started_ms, progress_ms; /* monotonic clock */
	int64_t cpu_ns;
	off_t size;
};

struct server {
	int control, signals, null;
	const struct format *const *formats;
	size_t format_count;
	struct helper_limits limits;
	struct sandbox *sandbox;
	char (*paths)[PATH_MAX]; /* of programs, by format; "" when there is none */
	struct job jobs[JOBS];
	size_t job_count;
};

static int64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- in the child -------------------------------------------------------------------------------------------------- */

/* Moves a descriptor out of the range that dup2 is about to fill. */
static int move_up(int fd)
{
	return fcntl(fd, F_DUPFD, 16);
}

/* Gives the child its own group, descriptors and default signals. */
static void become_child(const struct server *s, int input, int output, pid_t parent)
{
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(SERVER_EXIT_LACKING);
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	int in = move_up(input), out = move_up(output), null = move_up(s->null);
	if (in < 0 || out < 0 || null < 0)
		_exit(SERVER_EXIT_LACKING);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	(void)dup2(in, CHILD_INPUT);
	(void)dup2(out, CHILD_OUTPUT);
}

static unsigned cpu_seconds(const struct server *s)
{
	return s->limits.total_ms / 1000 + 1;
}

static void write_result(const struct extract_result *about, struct span text)
{
	const struct span parts[] = {{(const char *)about, sizeof(*about)}, text};
	for (size_t i = 0; i < 2; i++) {
		struct span left = parts[i];
		while (left.size > 0) {
			ssize_t n = write(CHILD_OUTPUT, left.data, left.size);
			if (n <= 0)
				_exit(SERVER_EXIT_MEMORY);
			left.data += n, left.size -= (size_t)n;
		}
	}
}

/* One document, then gone: nothing is freed. */
static noreturn void parse(const struct server *s, const struct format *f, struct span name)
{
	(void)sandbox_enter(s->sandbox, SANDBOX_PARSER, CHILD_OUTPUT + 1, cpu_seconds(s), OUTPUT_BYTES);
	struct stat st;
	struct span bytes = {"", 0};
	if (fstat(CHILD_INPUT, &st) == 0 && st.st_size > 0) {
		void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, CHILD_INPUT, 0);
		if (map == MAP_FAILED)
			_exit(SERVER_EXIT_MEMORY);
		bytes = (struct span){map, (size_t)st.st_size};
	}
	struct extract_result about = {.syntax = f->extractor.syntax};
	struct buf text;
	buf_init(&text, LIMIT_CLEAN_BYTES);
	int r = f->extract(bytes, name, &text, &about);
	if (r == 0)
		r = buf_error(&text);
	if (r == -EFBIG)
		_exit(SERVER_EXIT_TOO_LARGE);
	if (r < 0)
		_exit(SERVER_EXIT_MEMORY);
	write_result(&about, buf_span(&text));
	_exit(0);
}

/* execve takes pointers to non-const for historical reasons and writes nothing. */
union arguments {
	const char *const *in;
	char *const *out;
};

/* Puts the number of a page where the arguments want it. */
static void fill_arguments(const char *const *from, unsigned page, char number[16], const char *to[ARGUMENTS + 1])
{
	size_t i = 0;
	(void)snprintf(number, 16, "%u", page);
	for (; i < ARGUMENTS && from[i]; i++)
		to[i] = page > 0 && strcmp(from[i], HELPER_PAGE) == 0 ? number : from[i];
	to[i] = NULL;
}

static noreturn void execute(const struct server *s, const char *path, const char *const *wanted, unsigned page)
{
	char number[16];
	const char *arguments[ARGUMENTS + 1];
	fill_arguments(wanted, page, number, arguments);
	/* No locale, time zone or home of the user's: the same bytes give the same text everywhere. Threads are
	 * forbidden, and tesseract ends rather than do without, unless it is told. */
	static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=/", "OMP_THREAD_LIMIT=1", NULL};
	(void)dup2(CHILD_INPUT, 0);
	(void)dup2(CHILD_OUTPUT, 1);
	if (chdir("/") != 0)
		_exit(SERVER_EXIT_LACKING);
	(void)sandbox_enter(s->sandbox, SANDBOX_PROGRAM, 3, cpu_seconds(s), OUTPUT_BYTES);
	(void)execve(path, (union arguments){arguments}.out, (union arguments){environment}.out);
	_exit(SERVER_EXIT_LACKING);
}

/* --- jobs ---------------------------------------------------------------------------------------------------------- */

static void answer(int reply, enum server_end end, int status)
{
	struct server_reply r = {.end = (int32_t)end, .status = status};
	(void)!write(reply, &r, sizeof(r)); /* the thread that asked may be gone */
	(void)close(reply);
}

static void start_job(struct server *s, const struct server_request *request, const int fds[SERVER_FDS])
{
	const struct format *f = s->formats[request->format];
	pid_t self = getpid(), pid = -1;
	enum server_end end = SERVER_LACKING;
	if (f->load)
		f->load();
	if (f->program && !s->paths[request->format][0])
		end = SERVER_NO_PROGRAM;
	else
		pid = fork();
	if (pid == 0) {
		become_child(s, fds[0], fds[1], self);
		if (f->program)
			execute(s, s->paths[request->format], f->program->arguments, request->page);
		parse(s, f, (struct span){request->name, request->name_size});
	}
	(void)close(fds[0]);
	if (pid < 0) {
		(void)close(fds[1]);
		answer(fds[2], end, 0);
		return;
	}
	(void)setpgid(pid, pid); /* whichever of the two comes first */
	int64_t now = now_ms();
	s->jobs[s->job_count++] = (struct job){
		.pid = pid, .output = fds[1], .reply = fds[2], .end = SERVER_ENDED, .started_ms = now, .progress_ms = now};
}

static void end_job(struct server *s, size_t i, int status)
{
	struct job *job = &s->jobs[i];
	(void)kill(-job->pid, SIGKILL); /* whatever it left behind in its group */
	(void)close(job->output);
	answer(job->reply, job->end, status);
	*job = s->jobs[--s->job_count];
}

static void reap(struct server *s)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < s->job_count; i++)
			if (s->jobs[i].pid == pid) {
				end_job(s, i, status);
				break;
			}
}

/* Progress is more output or more processor time: a process that waits for something that never comes has neither. */
static void note_progress(struct job *job, int64_t now)
{
	struct stat st;
	if (fstat(job->output, &st) == 0 && st.st_size != job->size) {
		job->size = st.st_size;
		job->progress_ms = now;
	}
	clockid_t clock;
	struct timespec t;
	if (clock_getcpuclockid(job->pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
		return;
	int64_t cpu = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	if (cpu != job->cpu_ns)
		job->progress_ms = now;
	job->cpu_ns = cpu;
}

static void check_deadlines(struct server *s)
{
	int64_t now = now_ms();
	for (size_t i = 0; i < s->job_count; i++) {
		struct job *job = &s->jobs[i];
		if (job->end != SERVER_ENDED)
			continue; /* killed, not yet reaped */
		note_progress(job, now);
		if (now - job->started_ms > s->limits.total_ms)
			job->end = SERVER_LATE;
		else if (now - job->progress_ms > s->limits.progress_ms)
			job->end = SERVER_STUCK;
		if (job->end != SERVER_ENDED)
			(void)kill(-job->pid, SIGKILL);
	}
}

/* --- requests ------------------------------------------------------------------------------------------------------ */

static noreturn void leave(struct server *s)
{
	for (size_t i = 0; i < s->job_count; i++)
		(void)kill(-s->jobs[i].pid, SIGKILL);
	_exit(0);
}

static void take_request(struct server *s)
{
	struct server_request request;
	struct iovec part = {&request, sizeof(request)};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * SERVER_FDS)];
	} space;
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof(space.bytes)};
	ssize_t got = recvmsg(s->control, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (got == 0)
		leave(s);
	if (got < 0)
		return;
	int fds[SERVER_FDS], count = 0;
	const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)count);
	}
	/* Fewer descriptors than sent: this process had no room for them. Closing what came tells the caller. */
	if (count == SERVER_FDS && got == (ssize_t)sizeof(request) && request.format < s->format_count) {
		start_job(s, &request, fds);
		return;
	}
	for (int i = 0; i < count; i++)
		(void)close(fds[i]);
}

static noreturn void serve(struct server *s)
{
	for (;;) {
		struct pollfd wait[2] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->job_count < JOBS ? s->control : -1, .events = POLLIN}};
		if (poll(wait, 2, s->job_count > 0 ? TICK_MS : -1) < 0 && errno != EINTR)
			leave(s);
		if (wait[0].revents) {
			struct signalfd_siginfo info;
			(void)!read(s->signals, &info, sizeof(info));
		}
		reap(s);
		if (wait[1].revents)
			take_request(s);
		check_deadlines(s);
	}
}

/* --- start --------------------------------------------------------------------------------------------------------- */

/* Runs a program with its version arguments under the sandbox, so that what is later used has been seen to work. */
static bool ask_version(const struct server *s, size_t format, char version[HELPER_VERSION_SIZE])
{
	const struct format_program *program = s->formats[format]->program;
	int CLEANUP_FD output = memfd_create("corpusfs-version", MFD_CLOEXEC);
	pid_t self = getpid(), pid = output < 0 ? -1 : fork();
	if (pid == 0) {
		become_child(s, s->null, output, self);
		(void)dup2(CHILD_OUTPUT, 2); /* where pdftotext prints it */
		execute(s, s->paths[format], program->version_arguments, 0);
	}
	int status = 0;
	for (int64_t start = now_ms(); pid > 0 && waitpid(pid, &status, WNOHANG) == 0;) {
		if (now_ms() - start > 5000)
			(void)kill(pid, SIGKILL);
		(void)usleep(500);
	}
	char text[256] = "";
	ssize_t got = pid > 0 ? pread(output, text, sizeof(text) - 1, 0) : 0;
	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	char *number = text + strcspn(text, "0123456789");
	number[strspn(number, "0123456789.")] = '\0';
	(void)snprintf(version, HELPER_VERSION_SIZE, "%.40s %.20s", program->name, *number ? number : "none");
	return *number;
}

static bool is_file(const char *name)
{
	struct stat st;
	return name[0] == '/' && stat(name, &st) == 0 && S_ISREG(st.st_mode);
}

static void find_programs(struct server *s, struct server_hello *hello)
{
	static char folders[HELPER_FORMATS][PATH_MAX];
	const char *list[HELPER_FILES];
	size_t count = 0, folder_count = 0;
	for (size_t i = 0; i < s->format_count; i++) {
		const struct format_program *program = s->formats[i]->program;
		if (!program || !programs_find(program->name, s->paths[i]))
			continue;
		char *folder = folders[folder_count++];
		(void)snprintf(folder, PATH_MAX, "%.*s", (int)(strrchr(s->paths[i], '/') - s->paths[i]), s->paths[i]);
		list[count++] = folder;
		/* A file that an argument names, such as a script. */
		for (size_t k = 1; program->arguments[k] && count < HELPER_FILES - HELPER_FORMATS; k++)
			if (is_file(program->arguments[k]))
				list[count++] = program->arguments[k];
	}
	s->sandbox = sandbox_new(list, count);
	if (!s->sandbox)
		_exit(1);
	for (size_t i = 0; i < s->format_count; i++) {
		if (!s->formats[i]->program || !s->formats[i]->program->version_arguments)
			continue;
		(void)snprintf(hello->versions[i], HELPER_VERSION_SIZE, "%.40s none", s->formats[i]->program->name);
		if (s->paths[i][0] && !ask_version(s, i, hello->versions[i]))
			s->paths[i][0] = '\0';
	}
}

/* Lets go of the terminal and of every descriptor of the parent's; the signals that end the parent are the parent's business. */
static void detach(struct server *s)
{
	(void)setsid();
	s->null = open("/dev/null", O_RDWR);
	int control = fcntl(s->control, F_DUPFD, 16), null = fcntl(s->null, F_DUPFD, 16);
	if (control < 0 || null < 0)
		_exit(1);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	s->control = dup2(control, 3);
	s->null = dup2(null, 4);
	sandbox_close_from(5);
	(void)fcntl(s->control, F_SETFD, FD_CLOEXEC);
	(void)fcntl(s->null, F_SETFD, FD_CLOEXEC);
	static const int defaults[] = {SIGTERM, SIGQUIT, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2};
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		(void)signal(defaults[i], SIG_DFL);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	sigset_t child;
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &child, NULL);
	s->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

noreturn void server_main(int control, const struct format *const *formats, const struct helper_limits *limits)
{
	static struct server s; /* the process's whole state, and too large for comfort on a stack */
	s = (struct server){.control = control, .formats = formats, .limits = *limits};
	while (formats[s.format_count] && s.format_count < HELPER_FORMATS)
		s.format_count++;
	(void)prctl(PR_SET_NAME, "corpusfs-helper");
	(void)setlocale(LC_ALL, "C"); /* numbers in documents have points, whatever the user's have */
	detach(&s);
	s.paths = calloc(HELPER_FORMATS, sizeof(*s.paths));
	if (!s.paths || s.signals < 0)
		_exit(1);
	struct server_hello hello = {0};
	find_programs(&s, &hello);
	sandbox_describe(s.sandbox, sandbox_probe(s.sandbox, SANDBOX_PARSER), hello.protections, sizeof(hello.protections));
	if (send(s.control, &hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello))
		_exit(1);
	decode_preload(); /* after the greeting, for which the program waits */
	serve(&s);
}
