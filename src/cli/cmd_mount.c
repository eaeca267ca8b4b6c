/* corpusfs mount: checks both folders, goes to the background, opens the corpus and serves the mount until it is taken away. */
#include "cli/cmd.h"

#include "cli/log.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/unmount.h"
#include "cli/where.h"
#include "corpusfs.h"
#include "mount/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct mounting {
	const struct config *config;
	char source[PATH_MAX], mountpoint[PATH_MAX]; /* absolute */
	char store[PATH_MAX], log[PATH_MAX], key_file[PATH_MAX], extractors[PATH_MAX]; /* absolute or "" */
	int ready;				     /* where the parent waits for one byte, or -1 in the foreground */
};

/* --- before anything is started ------------------------------------------------------------------------------------ */

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

/* A mount of ours on this very folder: -EBUSY while it answers. What a killed process left behind is taken away, because it would make every
 * look at the folder fail. Attributes of a dead mount may still be cached, so only opening it tells. */
static int check_earlier_mount(const char *mountpoint)
{
	struct mount_entry entry;
	if (where_mount_of(mountpoint, &entry) < 0 || !where_is_ours(&entry) || strcmp(entry.mountpoint, mountpoint) != 0)
		return 0;
	int fd = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)close(fd);
		return -EBUSY;
	}
	if (errno != ENOTCONN && errno != ECONNABORTED)
		return -errno;
	int r = unmount_path(mountpoint);
	return r == -EBUSY ? 0 : r; /* in use, but out of the way */
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

/* Somebody with more rights mounted already and gave us the open device. */
static bool is_descriptor(const char *mountpoint)
{
	return strncmp(mountpoint, "/dev/fd/", 8) == 0;
}

static int check_mountpoint(struct mounting *m, const char *name)
{
	struct stat st;
	if (is_descriptor(name))
		return make_absolute(name, m->mountpoint);
	int r = where_absolute(name, m->mountpoint);
	if (r == 0)
		r = check_earlier_mount(m->mountpoint);
	if (r == -EBUSY) {
		out_error("%s: is a mount of corpusfs already; `corpusfs unmount` ends it", name);
		return r;
	}
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
	/* A parent that was killed meanwhile has nobody to tell; the mount stands all the same. */
	(void)!write(m->ready, "", 1);
	(void)close(m->ready);
	m->ready = -1;
}

static int serve_corpus(struct mounting *m, struct corpus *corpus, struct log *log)
{
	char error[1024] = "";
	struct mount_options options = {
		.mountpoint = m->mountpoint,
		.source = m->source,
		.kernel_options = m->config->kernel_options,
		/* Whom the other program lets in is not known, so nobody is taken for ourselves. */
		.allow_other = m->config->allow_other || is_descriptor(m->mountpoint),
		.passthrough = m->config->passthrough,
		.ready = mount_is_ready,
		.ready_context = m,
		.log = log_line,
		.log_context = log,
	};
	int r = mount_run(corpus, &options, error, sizeof(error));
	if (r < 0)
		out_error("%s", error);
	return r;
}

static enum exit_code serve_logged(struct mounting *m, struct log *log)
{
	char error[1024] = "";
	struct corpus *corpus = NULL;
	struct corpus_options options = config_corpus_options(m->config, m->source);
	options.store = *m->store ? m->store : NULL;
	options.embed_key_file = *m->key_file ? m->key_file : NULL;
	options.access = CORPUS_DAEMON;
	options.log = log_line;
	options.log_context = log;
	if (open_helper(m->config, *m->extractors ? m->extractors : NULL) < 0)
		return EXIT_ERROR;
	int r = corpus_open(&options, &corpus, error, sizeof(error));
	if (r == -EBUSY) {
		open_explain_busy(m->config, m->source);
		return EXIT_ERROR;
	}
	if (r < 0) {
		out_error("%s", error);
		return EXIT_ERROR;
	}
	r = serve_corpus(m, corpus, log);
	corpus_close(corpus);
	return r < 0 ? EXIT_ERROR : EXIT_FINE;
}

static enum exit_code serve(struct mounting *m)
{
	struct log log;
	int r = log_open(&log, m->log, m->ready < 0);
	if (r < 0) {
		out_error("%s: %s; name another file with --log", m->log, strerror(-r));
		return EXIT_ERROR;
	}
	enum exit_code code = serve_logged(m, &log);
	log_close(&log);
	return code;
}

/* --- to the background --------------------------------------------------------------------------------------------- */

/* One byte comes when the mount answers. A child that ends without has printed why, unless it was killed. */
static enum exit_code wait_until_ready(int ready, pid_t child)
{
	char byte;
	int status = 0;
	if (read(ready, &byte, 1) == 1)
		return EXIT_FINE;
	if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
		out_error("the mount's process was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	return EXIT_ERROR;
}

/* Before helper, store and threads exist: none of them outlives a fork. */
static enum exit_code serve_in_background(struct mounting *m)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		out_error("%s", strerror(errno));
		return EXIT_ERROR;
	}
	pid_t child = fork();
	if (child < 0)
		out_error("%s", strerror(errno));
	if (child == 0) {
		(void)close(ends[0]);
		m->ready = ends[1];
		(void)setsid();
		(void)!chdir("/");
		return serve(m);
	}
	(void)close(ends[1]);
	enum exit_code code = child < 0 ? EXIT_ERROR : wait_until_ready(ends[0], child);
	(void)close(ends[0]);
	return code;
}

enum exit_code cmd_mount(const struct config *config)
{
	struct mounting m = {.config = config, .ready = -1};
	if (check_source(&m, config->arguments[0]) < 0 || check_mountpoint(&m, config->arguments[1]) < 0 || check_apart(&m) < 0 ||
	    make_absolute(config->store, m.store) < 0 || make_absolute(config->log, m.log) < 0 || make_absolute(config->key_file, m.key_file) < 0 ||
	    make_absolute(config->extractors, m.extractors) < 0)
		return EXIT_ERROR;
	(void)signal(SIGPIPE, SIG_IGN);
	return config->foreground ? serve(&m) : serve_in_background(&m);
}
