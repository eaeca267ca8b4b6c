/* What changed in the source, told to the kernel, so that it may keep names and attributes for longer than it could on its own. Only a hint: an
 * open looks at the source whatever the kernel keeps.
 *
 * The kernel is only told to ask again for attributes, never to drop a name. Our answer to that question is ESTALE when the name stands for
 * another version, or for nothing, and the kernel then looks the whole path up. Dropping names would do the same with less, but waits in
 * the kernel for the lock of a folder, which a look-up may hold that waits for us: a process that is killed in that moment never ends, and
 * takes its readers along. What the kernel does not ask about before it uses a name, links and files that have become folders, is only in
 * raw/, which is looked up again every second. */
#include "mount/mount_impl.h"

#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* PAUSE_MS: the kernel drops an answer about a file's size that it asked for before it was told of a change, and twice in a row it
 * would take our estimate for the size and fill the end of a read with zeros. So no file is spoken of twice in a moment. */
enum { PATHS_BYTES = 1 << 20, NAMED_NODES = 64, PAUSE_MS = 20 };

/* The library's listeners stay for the life of the corpus, which is longer than the mount's: so what they are given is not the mount but this
 * one place that says whether there is one. */
static struct {
	pthread_mutex_t lock;
	struct mount *mount;
} current = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void source_changed(void *context, const char *path)
{
	(void)context;
	(void)pthread_mutex_lock(&current.lock);
	if (current.mount)
		changes_add(current.mount, path);
	(void)pthread_mutex_unlock(&current.lock);
}

static bool changes_rules(const char *path)
{
	struct span name = path_base_name(path);
	return span_equal(name, span_of(".gitignore")) || span_equal(name, span_of(".corpusfsignore"));
}

void changes_add(struct mount *m, const char *path)
{
	struct changes *c = &m->changes;
	(void)pthread_mutex_lock(&c->lock);
	size_t size = strlen(path) + 1;
	bool same = c->paths.size >= size && memcmp(c->paths.data + c->paths.size - size, path, size) == 0 &&
		    (c->paths.size == size || c->paths.data[c->paths.size - size - 1] == '\0');
	if (!*path || changes_rules(path))
		c->everything = true;
	else if (!same && !c->everything)
		buf_add(&c->paths, path, size);
	if (buf_error(&c->paths))
		c->everything = true;
	(void)pthread_cond_signal(&c->work);
	(void)pthread_mutex_unlock(&c->lock);
}

/* --- telling the kernel ---------------------------------------------------------------------------------------------- */

static void forget_attributes(struct mount *m, const struct node *n)
{
	(void)fuse_lowlevel_notify_inval_inode(m->session, node_id(m, n), -1, 0);
}

/* The listing that the kernel keeps is not used again. */
static void forget_listing(struct mount *m, struct node *folder)
{
	atomic_store(&folder->size, 0);
	forget_attributes(m, folder);
}

/* The folder in which `path` stands in this view, with a reference, if the kernel knows it. */
static struct node *find_folder(struct mount *m, enum view v, const char *path)
{
	enum node_kind kind = v == VIEW_RAW ? NODE_RAW_FOLDER : NODE_FOLDER;
	struct node *n = node_ref(m, m->nodes.tops[v]);
	char name[NODE_PATH_SIZE];
	for (const char *slash; n && (slash = strchr(path, '/')); path = slash + 1) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		struct node *child = node_find(m, n, kind, name, 0);
		node_unref(m, n);
		n = child;
	}
	return n;
}

static bool is_folder(const struct node *n)
{
	return n->kind == NODE_RAW_FOLDER || n->kind == NODE_FOLDER;
}

/* Every node that the kernel may have found under this name. */
static void forget_named(struct mount *m, struct node *folder, const char *name)
{
	struct node *all[NAMED_NODES];
	size_t count = nodes_named(m, folder, name, all, NAMED_NODES);
	for (size_t i = 0; i < count; i++) {
		forget_attributes(m, all[i]);
		node_unref(m, all[i]);
	}
}

static bool is_below(const struct node *n, const struct node *folder)
{
	while (n && n != folder)
		n = n->parent;
	return n != NULL;
}

/* A file of the source that is shown as a folder: no event tells of what is in an archive. */
static void forget_below(struct mount *m, struct node *folder, const char *name)
{
	struct node **all, *archive = node_find(m, folder, NODE_FOLDER, name, 0);
	size_t count;
	if (archive && nodes_mirrored(m, &all, &count) == 0) {
		for (size_t i = 0; i < count; i++) {
			if (is_below(all[i], archive) && is_folder(all[i]))
				forget_listing(m, all[i]);
			else if (is_below(all[i], archive))
				forget_attributes(m, all[i]);
			node_unref(m, all[i]);
		}
		free(all);
	}
	node_unref(m, archive);
}

static void tell(struct mount *m, const char *path)
{
	struct stat st;
	bool file = corpus_stat(m->corpus, path, &st) < 0 || !S_ISDIR(st.st_mode);
	static const enum view views[] = {VIEW_RAW, VIEW_CLEAN, VIEW_CHUNKS, VIEW_VECTORS, VIEW_META, VIEW_SIMILAR};
	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++) {
		struct node *folder = find_folder(m, views[i], path);
		if (!folder)
			continue;
		forget_named(m, folder, path_base_name(path).data);
		if (file && views[i] != VIEW_RAW)
			forget_below(m, folder, path_base_name(path).data);
		forget_listing(m, folder);
		node_unref(m, folder);
	}
}

static void tell_everything(struct mount *m)
{
	struct node **all;
	size_t count;
	if (nodes_mirrored(m, &all, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if (is_folder(all[i]))
			atomic_store(&all[i]->size, 0);
		forget_attributes(m, all[i]);
		node_unref(m, all[i]);
	}
	free(all);
	for (enum view v = VIEW_RAW; v < VIEW_COUNT; v++)
		if (v != VIEW_SEARCH && v != VIEW_TABLES && v != VIEW_STATUS)
			forget_listing(m, m->nodes.tops[v]);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each path once. False when memory for that is lacking. */
static bool tell_each(struct mount *m, const struct buf *paths)
{
	size_t count = 0;
	for (size_t at = 0; at < paths->size; at += strlen(paths->data + at) + 1)
		count++;
	const char **list = calloc(count + 1, sizeof(*list));
	if (!list)
		return false;
	count = 0;
	for (size_t at = 0; at < paths->size; at += strlen(paths->data + at) + 1)
		list[count++] = paths->data + at;
	qsort(list, count, sizeof(*list), compare_paths);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || strcmp(list[i], list[i - 1]) != 0)
			tell(m, list[i]);
	free(list);
	return true;
}

static void *changes_main(void *argument)
{
	struct mount *m = argument;
	struct changes *c = &m->changes;
	(void)pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		if (!c->paths.size && !c->everything) {
			(void)pthread_cond_wait(&c->work, &c->lock);
			continue;
		}
		struct buf paths = c->paths;
		bool everything = c->everything;
		buf_init(&c->paths, PATHS_BYTES);
		c->everything = false;
		(void)pthread_mutex_unlock(&c->lock);
		if (everything || !tell_each(m, &paths))
			tell_everything(m);
		buf_release(&paths);
		(void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
		(void)pthread_mutex_lock(&c->lock);
	}
	(void)pthread_mutex_unlock(&c->lock);
	return NULL;
}

int changes_start(struct mount *m)
{
	struct changes *c = &m->changes;
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->work, NULL);
	buf_init(&c->paths, PATHS_BYTES);
	int error = pthread_create(&c->thread, NULL, changes_main, m);
	if (error)
		return -error;
	c->started = true;
	(void)pthread_mutex_lock(&current.lock);
	current.mount = m;
	(void)pthread_mutex_unlock(&current.lock);
	return corpus_on_change(m->corpus, source_changed, NULL);
}

void changes_stop(struct mount *m)
{
	struct changes *c = &m->changes;
	(void)pthread_mutex_lock(&current.lock);
	current.mount = NULL;
	(void)pthread_mutex_unlock(&current.lock);
	if (!c->started)
		return;
	(void)pthread_mutex_lock(&c->lock);
	c->stop = true;
	(void)pthread_cond_signal(&c->work);
	(void)pthread_mutex_unlock(&c->lock);
	(void)pthread_join(c->thread, NULL);
	buf_release(&c->paths);
	(void)pthread_mutex_destroy(&c->lock);
	(void)pthread_cond_destroy(&c->work);
}
