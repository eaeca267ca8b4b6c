/* The life of a mount: mounts, serves, and leaves nothing behind. */
#include "mount/mount_impl.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 16, NUDGE_MS = 50, SAID_BYTES = 400 };

void mount_log(const struct mount *m, int priority, const char *format, ...)
{
	struct err line;
	char text[ERR_TEXT_SIZE];
	va_list arguments;
	if (!m->options->log)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)err_fail(&line, 0, "%s", text); /* which makes it one line */
	m->options->log(m->options->log_context, priority, line.text);
}

/* --- signals ----------------------------------------------------------------------------------------------------------
 * A signal may arrive on any thread, also one of the library's, so its handler does no more than write to this descriptor; the control
 * thread reads it. The one place here that belongs to the process. */

static volatile sig_atomic_t signal_fd = -1;

static void on_signal(int number)
{
	int saved = errno;
	uint64_t one = 1;
	(void)number;
	(void)!write(signal_fd, &one, sizeof(one));
	errno = saved;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNAL_COUNT = sizeof(signals) / sizeof(*signals) };

struct control {
	struct mount *m;
	pthread_t thread, loop; /* loop: the thread that serves */
	int event;		/* eventfd: a signal came, or the loop ended */
	atomic_bool served;	/* the loop has ended */
	struct sigaction before[SIGNAL_COUNT];
};

static void catch_signals(struct control *k)
{
	/* Without SA_RESTART, so that the serving thread wakes up. */
	struct sigaction action = {.sa_handler = on_signal};
	(void)sigemptyset(&action.sa_mask);
	signal_fd = k->event;
	for (int i = 0; i < SIGNAL_COUNT; i++)
		(void)sigaction(signals[i], &action, &k->before[i]);
}

static void release_signals(struct control *k)
{
	for (int i = 0; i < SIGNAL_COUNT; i++)
		(void)sigaction(signals[i], &k->before[i], NULL);
	signal_fd = -1;
}

/* --- the control thread ----------------------------------------------------------------------------------------------- */

static bool is_descriptor(const char *mountpoint)
{
	return strncmp(mountpoint, "/dev/fd/", 8) == 0;
}

/* Asks the mount for its own root, as anybody would, and tells when it has answered. */
static void announce(struct mount *m)
{
	const struct mount_options *o = m->options;
	struct stat st;
	if (!is_descriptor(o->mountpoint)) {
		if (stat(o->mountpoint, &st) < 0)
			return;
		int r = corpus_set_mountpoint(m->corpus, o->mountpoint, st.st_dev);
		if (r < 0)
			mount_log(m, LOG_WARNING, "%s: other commands will not find this mount: %s", o->mountpoint, strerror(-r));
	}
	if (o->ready)
		o->ready(o->ready_context);
}

static void *control_main(void *argument)
{
	struct control *k = argument;
	uint64_t count;
	announce(k->m);
	while (read(k->event, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	fuse_session_exit(k->m->session);
	/* libfuse looks at that only when its main thread wakes up. The signal may come a moment before that thread sleeps, so again. */
	while (!atomic_load(&k->served)) {
		struct timespec pause = {.tv_nsec = NUDGE_MS * 1000000L};
		(void)pthread_kill(k->loop, SIGTERM);
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

/* --- mounting ---------------------------------------------------------------------------------------------------------- */

/* libfuse and fusermount3 say on stderr why they could not mount; it is caught, so that there is one line and it is ours. */
struct said {
	int saved, memory;
	char text[SAID_BYTES];
};

static void said_begin(struct said *s)
{
	s->text[0] = '\0';
	s->memory = memfd_create("said", MFD_CLOEXEC);
	s->saved = s->memory < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (s->saved >= 0)
		(void)dup2(s->memory, STDERR_FILENO);
}

/* Keeps the last line. */
static void said_end(struct said *s)
{
	if (s->saved >= 0) {
		(void)dup2(s->saved, STDERR_FILENO);
		(void)close(s->saved);
		ssize_t n = pread(s->memory, s->text, sizeof(s->text) - 1, 0);
		n = n < 0 ? 0 : n;
		while (n > 0 && s->text[n - 1] == '\n')
			n--;
		s->text[n] = '\0';
		char *line = strrchr(s->text, '\n');
		if (line)
			memmove(s->text, line + 1, strlen(line + 1) + 1);
	}
	if (s->memory >= 0)
		(void)close(s->memory);
}

/* A comma would end the option, a backslash begins an escape. */
static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == ',' || *text == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
}

static int make_session(struct mount *m, struct err *err)
{
	const struct mount_options *o = m->options;
	struct buf options;
	buf_init(&options, 64 << 10);
	buf_add_string(&options, "-oro,default_permissions,subtype=corpusfs,fsname=");
	add_escaped(&options, o->source ? o->source : "corpusfs");
	buf_add_string(&options, o->allow_other ? ",allow_other" : "");
	if (o->kernel_options && *o->kernel_options)
		buf_addf(&options, ",%s", o->kernel_options);
	if (buf_error(&options)) {
		buf_release(&options);
		return err_fail(err, -ENOMEM, "out of memory");
	}
	char name[] = "corpusfs";
	char *words[] = {name, options.data, NULL};
	struct fuse_args arguments = FUSE_ARGS_INIT(2, words);
	struct said said;
	said_begin(&said);
	m->session = fuse_session_new(&arguments, &mount_ops, sizeof(mount_ops), m);
	said_end(&said);
	fuse_opt_free_args(&arguments);
	buf_release(&options);
	return m->session ? 0 : err_fail(err, -EINVAL, "%s: %s", o->mountpoint, *said.text ? said.text : "the mount's options were not understood");
}

static bool have_fusermount(void)
{
	const char *path = getenv("PATH");
	char name[4096];
	for (const char *at = path ? path : "/usr/bin:/bin"; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		(void)snprintf(name, sizeof(name), "%.*s/fusermount3", (int)strcspn(at, ":"), at);
		if (access(name, X_OK) == 0)
			return true;
	}
	return false;
}

static int attach(struct mount *m, struct err *err)
{
	const char *mountpoint = m->options->mountpoint;
	struct said said;
	if (!is_descriptor(mountpoint) && access("/dev/fuse", F_OK) < 0)
		return err_fail(err, -ENODEV, "/dev/fuse: %s; load the kernel's module fuse, or give the container --device /dev/fuse", strerror(errno));
	if (!is_descriptor(mountpoint) && geteuid() != 0 && !have_fusermount())
		return err_fail(err, -ENOENT, "fusermount3 is not installed; without it only root can mount (Debian: apt install fuse3)");
	said_begin(&said);
	int r = fuse_session_mount(m->session, mountpoint);
	said_end(&said);
	if (r < 0)
		return err_fail(err, -EPERM, "%s: cannot be mounted: %s", mountpoint, *said.text ? said.text : strerror(errno));
	return 0;
}

/* --- serving ------------------------------------------------------------------------------------------------------------ */

static int start_control(struct control *k, struct err *err)
{
	k->event = eventfd(0, EFD_CLOEXEC);
	if (k->event < 0)
		return err_fail(err, -errno, "eventfd: %s", strerror(errno));
	k->loop = pthread_self();
	catch_signals(k);
	int error = pthread_create(&k->thread, NULL, control_main, k);
	if (!error)
		return 0;
	release_signals(k);
	(void)close(k->event);
	return err_fail(err, -error, "a thread cannot be started: %s", strerror(error));
}

static void stop_control(struct control *k)
{
	uint64_t one = 1;
	atomic_store(&k->served, true);
	(void)!write(k->event, &one, sizeof(one));
	(void)pthread_join(k->thread, NULL);
	release_signals(k);
	(void)close(k->event);
}

static int loop(struct mount *m, struct err *err)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	if (!config)
		return err_fail(err, -ENOMEM, "out of memory");
	fuse_loop_cfg_set_max_threads(config, MAX_THREADS);
	int r = fuse_session_loop_mt(m->session, config);
	fuse_loop_cfg_destroy(config);
	r = r == -1 ? -EAGAIN : r; /* libfuse's word for a thread that could not be started */
	return r < 0 ? err_fail(err, r, "%s: serving ended: %s", m->options->mountpoint, strerror(-r)) : 0;
}

/* Nobody serves requests, for want of threads, but readers wait for answers, and our own threads may wait for such readers or for an answer. Only
 * the end of the connection frees them. */
static void end_connection(struct mount *m)
{
	const char *mountpoint = m->options->mountpoint;
	struct statx root;
	char path[64];
	if (is_descriptor(mountpoint) || umount2(mountpoint, MNT_FORCE | UMOUNT_NOFOLLOW) == 0 || errno != EPERM)
		return;
	/* From what the kernel knows, without asking us. */
	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW, 0, &root) < 0)
		return;
	(void)snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort", root.stx_dev_minor);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, "1", 1);
	(void)close(fd);
}

static int serve(struct mount *m, struct err *err)
{
	struct control control = {.m = m};
	int r = start_control(&control, err);
	if (r < 0)
		return r;
	int error = reporter_start(m);
	if (error == 0)
		error = changes_start(m);
	r = error < 0 ? err_fail(err, error, "a thread cannot be started: %s", strerror(-error)) : loop(m, err);
	if (r < 0)
		end_connection(m);
	/* Waiting requests first: a notification may be waiting in the kernel for one of them. */
	requests_end(m);
	changes_stop(m);
	stop_control(&control);
	reporter_stop(m);
	return r;
}

/* Every open file of raw/ takes a descriptor. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int run(struct mount *m, struct err *err)
{
	int r = corpus_report(m->corpus, CORPUS_README, NULL, &m->readme);
	if (r < 0 || nodes_init(&m->nodes) < 0)
		return err_fail(err, r < 0 ? r : -ENOMEM, "out of memory");
	raise_descriptor_limit();
	r = make_session(m, err);
	if (r == 0)
		r = attach(m, err);
	if (r == 0)
		r = serve(m, err);
	return r;
}

int mount_run(struct corpus *corpus, const struct mount_options *options, char *error, size_t error_size)
{
	struct err err = {{0}};
	struct mount *m = calloc(1, sizeof(*m));
	if (!m) {
		(void)snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	m->corpus = corpus;
	m->options = options;
	(void)clock_gettime(CLOCK_REALTIME, &m->started);
	(void)pthread_mutex_init(&m->contents_lock, NULL);
	(void)pthread_mutex_init(&m->requests_lock, NULL);
	(void)pthread_cond_init(&m->requests_ended, NULL);
	doc_cache_init(&m->docs);
	rankings_init(&m->rankings);
	int r = run(m, &err);
	if (r < 0)
		(void)snprintf(error, error_size, "%s", err.text);
	if (m->session)
		fuse_session_unmount(m->session);
	folders_release(m);
	contents_release(m);
	doc_cache_release(m);
	if (m->session)
		fuse_session_destroy(m->session);
	nodes_release(m);
	rankings_release(&m->rankings);
	corpus_blob_unref(m->readme);
	(void)pthread_cond_destroy(&m->requests_ended);
	(void)pthread_mutex_destroy(&m->requests_lock);
	(void)pthread_mutex_destroy(&m->contents_lock);
	free(m);
	return r;
}
