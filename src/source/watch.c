/* Change notification by inotify. It only shortens the time until a change is seen: every open checks the source itself, and a rescan finds
 * what events missed, so losing one is never wrong. inotify(7) is not recursive: each folder has a watch, and a table from watch
 * descriptor to path turns events back into paths. */
#include "source/source_impl.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define WATCH_EVENTS                                                                                                                       \
	(IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |    \
	 IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

struct watch {
	struct source *source;
	void (*changed)(void *context, const char *path);
	void *context;
	int inotify, stop; /* stop: eventfd that ends the thread */
	pthread_t thread;
	char **paths; /* by watch descriptor; only the thread touches it */
	size_t path_count;
	atomic_bool complete;
	bool stopped; /* the thread was joined */
};

static int remember(struct watch *w, int descriptor, const char *path)
{
	size_t index = (size_t)descriptor;
	if (index >= w->path_count) {
		size_t count = index + index / 2 + 64;
		char **paths = reallocarray(w->paths, count, sizeof(*paths));
		if (!paths)
			return -ENOMEM;
		memset(paths + w->path_count, 0, (count - w->path_count) * sizeof(*paths));
		w->paths = paths;
		w->path_count = count;
	}
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(w->paths[index]);
	w->paths[index] = copy;
	return 0;
}

static void watch_folder(struct watch *w, const char *path);

static int collect_subfolder(void *context, const char *name, unsigned char type, uint64_t ino)
{
	struct buf *names = context; /* NUL-terminated, one after the other */
	(void)ino;
	if (type == DT_DIR)
		buf_add(names, name, strlen(name) + 1);
	return buf_error(names);
}

/* Adds a watch to a folder, not below it. False when it cannot be watched. */
static bool add_watch(struct watch *w, const char *path)
{
	int CLEANUP_FD fd = source_open_below(w->source, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES || fd == -ELOOP; /* gone or not ours to see: nothing is missed */
	char link[64];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	/* Through the descriptor, so that no symlink put there meanwhile is followed out of the source. */
	int descriptor = inotify_add_watch(w->inotify, link, WATCH_EVENTS & ~(uint32_t)IN_DONT_FOLLOW);
	return descriptor >= 0 && remember(w, descriptor, path) == 0;
}

static void watch_folder(struct watch *w, const char *path)
{
	struct pollfd stop = {.fd = w->stop, .events = POLLIN};
	if (poll(&stop, 1, 0) == 1 || strlen(path) > LIMIT_PATH_BYTES)
		return;
	if (!add_watch(w, path)) {
		atomic_store(&w->complete, false);
		return;
	}
	struct buf names, child;
	buf_init(&names, SIZE_MAX / 4);
	buf_init(&child, SIZE_MAX / 4);
	(void)source_list(w->source, path, collect_subfolder, &names);
	for (size_t at = 0; at < names.size; at += strlen(names.data + at) + 1) {
		buf_reset(&child);
		buf_addf(&child, "%s%s%s", path, *path ? "/" : "", names.data + at);
		if (buf_error(&child) == 0)
			watch_folder(w, child.data);
	}
	buf_release(&child);
	buf_release(&names);
}

/* A folder was moved away: its watches would report under names that are gone. */
static void forget_below(struct watch *w, const char *path)
{
	size_t n = strlen(path);
	for (size_t i = 0; i < w->path_count; i++) {
		const char *p = w->paths[i];
		if (!p || strncmp(p, path, n) != 0 || (p[n] != '\0' && p[n] != '/'))
			continue;
		(void)inotify_rm_watch(w->inotify, (int)i);
		free(w->paths[i]);
		w->paths[i] = NULL;
	}
}

static void handle_event(struct watch *w, const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW) {
		w->changed(w->context, "");
		return;
	}
	if (e->wd < 0 || (size_t)e->wd >= w->path_count || !w->paths[e->wd])
		return;
	if (e->mask & IN_IGNORED) {
		free(w->paths[e->wd]);
		w->paths[e->wd] = NULL;
		return;
	}
	struct buf path;
	buf_init(&path, SIZE_MAX / 4);
	buf_add_string(&path, w->paths[e->wd]);
	if (e->len)
		buf_addf(&path, "%s%s", path.size ? "/" : "", e->name);
	if (buf_error(&path) == 0 && path.data && *path.data) {
		if ((e->mask & IN_ISDIR) && (e->mask & (IN_MOVED_FROM | IN_MOVED_TO)))
			forget_below(w, path.data);
		if ((e->mask & IN_ISDIR) && (e->mask & (IN_CREATE | IN_MOVED_TO)))
			watch_folder(w, path.data);
		/* A folder's own attributes are in no view but the listing; its parent's watch names it anyway. */
		if (!(e->mask & (IN_DELETE_SELF | IN_MOVE_SELF)))
			w->changed(w->context, path.data);
	} else if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) {
		w->changed(w->context, ""); /* the root itself */
	}
	buf_release(&path);
}

static void *watch_main(void *argument)
{
	struct watch *w = argument;
	watch_folder(w, "");
	/* What changed while the tree was being watched folder by folder has no event: look at everything once. */
	w->changed(w->context, "");
	_Alignas(struct inotify_event) char events[64 * 1024];
	for (;;) {
		struct pollfd fds[2] = {{.fd = w->inotify, .events = POLLIN}, {.fd = w->stop, .events = POLLIN}};
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		if (!(fds[0].revents & POLLIN))
			continue;
		ssize_t n = read(w->inotify, events, sizeof(events));
		for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
			const struct inotify_event *e = (const struct inotify_event *)(const void *)(events + at);
			handle_event(w, e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
	return NULL;
}

static void watch_free(struct watch *w)
{
	for (size_t i = 0; i < w->path_count; i++)
		free(w->paths[i]);
	free(w->paths);
	if (w->inotify >= 0)
		(void)close(w->inotify);
	if (w->stop >= 0)
		(void)close(w->stop);
	free(w);
}

int source_watch_start(struct source *s, void (*changed)(void *context, const char *path), void *context, struct err *err)
{
	struct watch *w = calloc(1, sizeof(*w));
	if (!w)
		return err_fail(err, -ENOMEM, "out of memory");
	*w = (struct watch){.source = s, .changed = changed, .context = context, .inotify = -1, .stop = -1};
	atomic_init(&w->complete, true);
	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	w->stop = w->inotify < 0 ? -1 : eventfd(0, EFD_CLOEXEC);
	int error = w->stop < 0 ? errno : pthread_create(&w->thread, NULL, watch_main, w);
	if (error) {
		watch_free(w);
		return err_fail(err, -error, "%s: cannot be watched (%s); changes are found by looking again now and then", s->path, strerror(error));
	}
	atomic_store(&s->watch, w);
	return 0;
}

void source_watch_stop(struct source *s)
{
	struct watch *w = atomic_load(&s->watch);
	uint64_t one = 1;
	if (!w || w->stopped)
		return;
	(void)!write(w->stop, &one, sizeof(one));
	(void)pthread_join(w->thread, NULL);
	w->stopped = true;
}

void source_watch_free(struct source *s)
{
	struct watch *w = atomic_load(&s->watch);
	if (w)
		watch_free(w);
}

bool source_watch_complete(struct source *s)
{
	struct watch *w = atomic_load(&s->watch);
	return w && atomic_load(&w->complete);
}
