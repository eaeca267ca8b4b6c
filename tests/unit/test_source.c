/* The source tree: nothing leads out of it, two walks agree, a changing file is not read torn, changes are noticed. */
#include "tap.h"

#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/corpusfs-source-XXXXXX";

static void put(const char *path, const char *text)
{
	char full[512];
	(void)snprintf(full, sizeof(full), "%s/%s", folder, path);
	FILE *f = fopen(full, "w");
	if (!f || fputs(text, f) < 0)
		abort();
	(void)fclose(f);
}

static void make(const char *path)
{
	char full[512];
	(void)snprintf(full, sizeof(full), "%s/%s", folder, path);
	if (mkdir(full, 0755) != 0)
		abort();
}

static void link_to(const char *target, const char *path)
{
	char full[512];
	(void)snprintf(full, sizeof(full), "%s/%s", folder, path);
	if (symlink(target, full) != 0)
		abort();
}

static int note_path(void *context, const char *path, const struct stat *st)
{
	(void)st;
	strcat(strcat(context, path), " ");
	return 0;
}

static bool not_private(void *context, const char *path)
{
	(void)context;
	return strcmp(path, "private") != 0;
}

static void tree(struct source *s)
{
	struct stat st;
	CHECK(source_stat(s, "", &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(source_stat(s, "a.txt", &st) == 0 && st.st_size == 5);
	CHECK(source_stat(s, "out", &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(source_stat(s, "out/passwd", &st) < 0);
	CHECK(source_stat(s, "a/up/passwd", &st) < 0);
	CHECK(source_stat(s, "..", &st) == -ENOENT);
	CHECK(source_stat(s, "a/..", &st) == -ENOENT);
	CHECK(source_stat(s, "a/../../x", &st) < 0);
	CHECK(source_stat(s, "../etc/passwd", &st) < 0);
	CHECK(source_stat(s, "nothing", &st) == -ENOENT);
	int fd = -1;
	CHECK(source_open_file(s, "a", &fd) == -EISDIR);
	CHECK(source_open_file(s, "out", &fd) < 0);
	CHECK(source_open_file(s, "fifo", &fd) == -EINVAL);
	CHECK(source_open_file(s, "a/b.txt", &fd) == 0);
	if (fd >= 0)
		(void)close(fd);
	char target[100];
	CHECK(source_read_link(s, "out", target, sizeof(target)) == 0 && strcmp(target, "/etc") == 0);
	CHECK(source_read_link(s, "a.txt", target, sizeof(target)) == -EINVAL);
	char seen[500] = "";
	struct source_visitor visitor = {.file = note_path, .enter = not_private, .context = seen};
	make("private");
	put("private/x", "x");
	CHECK(source_walk(s, "", &visitor) == 0);
	CHECK_NAMED(strcmp(seen, "a-b a.txt a/b.txt a/c/d.txt z ") == 0, "walk in byte order of paths: %s", seen);
	source_exclude(s, "a/c", 0);
	seen[0] = '\0';
	CHECK(source_walk(s, "", &visitor) == 0 && strcmp(seen, "a-b a.txt a/b.txt z ") == 0);
	CHECK(source_stat(s, "a/c", &st) == -ENOENT);
}

static void reading(struct source *s)
{
	char *data;
	size_t size;
	struct stat st;
	CHECK(source_read_stable(s, "a.txt", 100, &data, &size, &st) == 0 && size == 5 && memcmp(data, "hello", 5) == 0);
	free(data);
	CHECK(source_read_stable(s, "a.txt", 4, &data, &size, &st) == -EFBIG);
	char head[3];
	CHECK(source_read_head(s, "a.txt", head, 3, &st) == 3 && memcmp(head, "hel", 3) == 0);
	CHECK(source_read_head(s, "a", head, 3, &st) == -EISDIR);
}

struct noticed {
	pthread_mutex_t lock;
	char paths[4096];
};

static void notice(void *context, const char *path)
{
	struct noticed *n = context;
	(void)pthread_mutex_lock(&n->lock);
	if (strlen(n->paths) + strlen(path) + 3 < sizeof(n->paths))
		strcat(strcat(strcat(n->paths, "<"), path), ">");
	(void)pthread_mutex_unlock(&n->lock);
}

/* Events come when they come: waits up to ten seconds for one. */
static int noticed_path(struct noticed *n, const char *path)
{
	int found = 0;
	for (int i = 0; i < 1000 && !found; i++) {
		(void)pthread_mutex_lock(&n->lock);
		found = strstr(n->paths, path) != NULL;
		(void)pthread_mutex_unlock(&n->lock);
		if (!found)
			(void)usleep(10000);
	}
	return found;
}

static void watching(struct source *s)
{
	struct noticed n = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct err err;
	if (source_watch_start(s, notice, &n, &err) < 0) {
		tap_skip(err.text);
		return;
	}
	CHECK(noticed_path(&n, "<>"));
	CHECK(source_watch_complete(s));
	put("a/new.txt", "x");
	CHECK(noticed_path(&n, "<a/new.txt>"));
	make("deep");
	make("deep/er");
	CHECK(noticed_path(&n, "<deep>"));
	(void)usleep(50000);
	put("deep/er/x.txt", "x");
	CHECK(noticed_path(&n, "<deep/er/x.txt>"));
	char from[512], to[512];
	(void)snprintf(from, sizeof(from), "%s/deep", folder);
	(void)snprintf(to, sizeof(to), "%s/moved", folder);
	CHECK(rename(from, to) == 0 && noticed_path(&n, "<moved>"));
	(void)usleep(50000);
	put("moved/er/y.txt", "x");
	CHECK(noticed_path(&n, "<moved/er/y.txt>"));
	source_watch_stop(s);
}

int main(void)
{
	if (!mkdtemp(folder))
		return 2;
	make("a");
	make("a/c");
	put("a.txt", "hello");
	put("a-b", "x");
	put("a/b.txt", "x");
	put("a/c/d.txt", "x");
	put("z", "x");
	link_to("/etc", "out");
	link_to("../../etc", "a/up");
	char fifo[512];
	(void)snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	if (mkfifo(fifo, 0600) != 0)
		return 2;
	struct source *s;
	struct err err;
	CHECK(source_open("/nonexistent", &s, &err) == -ENOENT);
	CHECK(source_open(fifo, &s, &err) < 0);
	if (!CHECK(source_open(folder, &s, &err) == 0))
		return tap_done();
	reading(s);
	watching(s);
	char remove[600];
	(void)snprintf(remove, sizeof(remove), "rm -rf '%s/moved' '%s/a/new.txt'", folder, folder);
	CHECK(system(remove) == 0);
	tree(s);
	source_close(s);
	(void)snprintf(remove, sizeof(remove), "rm -rf '%s'", folder);
	CHECK(system(remove) == 0);
	return tap_done();
}
