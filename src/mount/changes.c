/* What changed in the source, told to the kernel, so that it may keep names and listings for longer than it could on its own. Only a hint: an
 * open looks at the source whatever the kernel keeps.
 *
 * A notification may have to wait for a lock of the kernel that a look-up holds which waits for us; so they come from a thread that no
 * request depends on (libfuse, README of notifications). */
#include "mount/mount_impl.h"

#include "base/path.h"
#include "mount/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATHS_BYTES = 1 << 20 };

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

/* Expiring makes the next walk look the name up; dropping it would also pull it from under whoever stands in that folder. libfuse 3.14.0 has
 * another parameter than those after it. */
static int expire_entry(struct mount *m, fuse_ino_t parent, const char *name)
{
#if FUSE_VERSION > FUSE_MAKE_VERSION(3, 14) || defined(FUSE_HOTFIX_VERSION)
	return fuse_lowlevel_notify_expire_entry(m->session, parent, name, strlen(name));
#else
	return fuse_lowlevel_notify_expire_entry(m->session, parent, name, strlen(name), FUSE_LL_EXPIRE_ONLY);
#endif
}

static void forget_entry(struct mount *m, struct node *parent, const char *name)
{
	fuse_ino_t id = node_id(m, parent);
	if (!m->changes.expire || expire_entry(m, id, name) == -ENOSYS)
		(void)fuse_lowlevel_notify_inval_entry(m->session, id, name, strlen(name));
}

/* Every name under which one of the source may be shown in a folder. */
static void forget_names(struct mount *m, struct node *parent, const char *name)
{
	char shown[NODE_PATH_SIZE + NAMES_SUFFIX_SIZE];
	const char *suffix = view_suffix(parent->view);
	forget_entry(m, parent, name);
	if (!suffix)
		return;
	(void)snprintf(shown, sizeof(shown), "%s%s", name, suffix);
	forget_entry(m, parent, shown);
	if (!names_rival(name, suffix))
		return;
	(void)snprintf(shown, sizeof(shown), "%s.d", name);
	forget_entry(m, parent, shown);
}

static void forget_listing(struct mount *m, struct node *folder)
{
	atomic_store(&folder->size, 0);
	(void)fuse_lowlevel_notify_inval_inode(m->session, node_id(m, folder), 0, 0);
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

static void tell(struct mount *m, const char *path)
{
	static const enum view views[] = {VIEW_RAW, VIEW_CLEAN, VIEW_CHUNKS, VIEW_VECTORS, VIEW_META, VIEW_SIMILAR};
	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++) {
		struct node *folder = find_folder(m, views[i], path);
		if (!folder)
			continue;
		forget_names(m, folder, path_base_name(path).data);
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
		forget_names(m, all[i]->parent, all[i]->name);
		if (all[i]->kind == NODE_RAW_FOLDER || all[i]->kind == NODE_FOLDER)
			forget_listing(m, all[i]);
		node_unref(m, all[i]);
	}
	free(all);
	for (enum view v = VIEW_RAW; v < VIEW_COUNT; v++)
		forget_listing(m, m->nodes.tops[v]);
}

static void tell_all(struct mount *m, struct buf *paths, bool everything)
{
	if (everything) {
		tell_everything(m);
		return;
	}
	for (size_t at = 0; at < paths->size; at += strlen(paths->data + at) + 1)
		tell(m, paths->data + at);
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
		tell_all(m, &paths, everything);
		buf_release(&paths);
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
