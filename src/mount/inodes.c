/* The table of nodes. A node lives while the kernel knows it or somebody here refers to it; the kernel's count goes up with every look-up that
 * is answered and down by forgets. A node's identity for the kernel is its address, which is safe because the address is not used again
 * before the kernel has forgotten it. */
#include "mount/mount_impl.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 1024 };

uint64_t node_child_ino(const struct node *parent, const char *name)
{
	uint64_t x = checksum64(name, strlen(name)) ^ parent->ino * 0x9e3779b97f4a7c15u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	return x > FUSE_ROOT_ID ? x : x + 2;
}

/* All versions of a name share a bucket. */
static size_t bucket_of(const struct node_table *t, const struct node *parent, const char *name)
{
	return node_child_ino(parent, name) & (t->bucket_count - 1);
}

/* Under the lock. A table that cannot grow gets slower, not wrong. */
static void grow(struct node_table *t)
{
	size_t count = t->bucket_count * 2;
	struct node **old = t->buckets, **buckets = calloc(count, sizeof(*buckets));
	if (!buckets)
		return;
	size_t old_count = t->bucket_count;
	t->buckets = buckets;
	t->bucket_count = count;
	for (size_t i = 0; i < old_count; i++) {
		while (old[i]) {
			struct node *n = old[i];
			old[i] = n->next;
			size_t b = bucket_of(t, n->parent, n->name);
			n->next = buckets[b];
			buckets[b] = n;
		}
	}
	free(old);
}

/* Under the lock. */
static struct node *find(struct node_table *t, const struct node *parent, enum node_kind kind, const char *name, uint64_t version)
{
	struct node *n = t->buckets[bucket_of(t, parent, name)];
	while (n && (n->retired || n->parent != parent || n->kind != kind || n->version != version || strcmp(n->name, name) != 0))
		n = n->next;
	return n;
}

/* Under the lock. */
static void unhash(struct node_table *t, struct node *n)
{
	struct node **at = &t->buckets[bucket_of(t, n->parent, n->name)];
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	t->count--;
}

static struct node *node_new(struct node *parent, enum node_kind kind, enum view view, const char *name, uint64_t version,
			     const struct node_facts *facts)
{
	size_t size = strlen(name);
	if (size > UINT16_MAX)
		return NULL;
	struct node *n = calloc(1, sizeof(*n) + size + 1);
	if (!n)
		return NULL;
	n->parent = parent;
	n->kind = (uint8_t)kind;
	n->view = (uint8_t)view;
	n->version = version;
	n->ino = facts->ino ? facts->ino : parent ? node_child_ino(parent, name) : FUSE_ROOT_ID;
	n->refs = 1;
	n->name_size = (uint16_t)size;
	memcpy(n->name, name, size + 1);
	attributes_keep(n, facts);
	return n;
}

int node_get(struct mount *m, struct node *parent, enum node_kind kind, const char *name, uint64_t version, const struct node_facts *facts,
	     struct node **ret)
{
	struct node_table *t = &m->nodes;
	(void)pthread_mutex_lock(&t->lock);
	struct node *n = find(t, parent, kind, name, version);
	if (n) {
		n->refs++;
	} else if ((n = node_new(parent, kind, parent->view, name, version, facts))) {
		if (t->count >= t->bucket_count)
			grow(t);
		struct node **bucket = &t->buckets[bucket_of(t, parent, name)];
		parent->refs++;
		n->next = *bucket;
		*bucket = n;
		t->count++;
	}
	(void)pthread_mutex_unlock(&t->lock);
	if (!n)
		return -ENOMEM;
	*ret = n;
	return 0;
}

struct node *node_find(struct mount *m, struct node *parent, enum node_kind kind, const char *name, uint64_t version)
{
	(void)pthread_mutex_lock(&m->nodes.lock);
	struct node *n = find(&m->nodes, parent, kind, name, version);
	if (n)
		n->refs++;
	(void)pthread_mutex_unlock(&m->nodes.lock);
	return n;
}

struct node *node_ref(struct mount *m, struct node *n)
{
	(void)pthread_mutex_lock(&m->nodes.lock);
	n->refs++;
	(void)pthread_mutex_unlock(&m->nodes.lock);
	return n;
}

static void drop(struct mount *m, struct node *n, unsigned refs, uint64_t lookups)
{
	(void)pthread_mutex_lock(&m->nodes.lock);
	n->refs -= refs;
	/* A kernel that forgets more than it was given is not believed. */
	n->lookups -= lookups < n->lookups ? lookups : n->lookups;
	while (n && !n->refs && !n->lookups) {
		struct node *parent = n->parent;
		unhash(&m->nodes, n);
		(void)pthread_mutex_unlock(&m->nodes.lock);
		ranking_free(n->ranking);
		free(n);
		(void)pthread_mutex_lock(&m->nodes.lock);
		if (parent)
			parent->refs--;
		n = parent;
	}
	(void)pthread_mutex_unlock(&m->nodes.lock);
}

void node_unref(struct mount *m, struct node *n)
{
	if (n)
		drop(m, n, 1, 0);
}

void node_remember(struct mount *m, struct node *n)
{
	(void)pthread_mutex_lock(&m->nodes.lock);
	n->lookups++;
	(void)pthread_mutex_unlock(&m->nodes.lock);
}

void node_forget(struct mount *m, struct node *n, uint64_t count)
{
	if (n != m->nodes.root)
		drop(m, n, 0, count);
}

void node_retire(struct mount *m, struct node *n)
{
	(void)pthread_mutex_lock(&m->nodes.lock);
	n->retired = true;
	(void)pthread_mutex_unlock(&m->nodes.lock);
}

size_t nodes_named(struct mount *m, struct node *parent, const char *name, struct node **out, size_t size)
{
	struct node_table *t = &m->nodes;
	size_t count = 0;
	(void)pthread_mutex_lock(&t->lock);
	for (struct node *n = t->buckets[bucket_of(t, parent, name)]; n && count < size; n = n->next)
		if (n->parent == parent && n->lookups && strcmp(n->name, name) == 0) {
			n->refs++;
			out[count++] = n;
		}
	(void)pthread_mutex_unlock(&t->lock);
	return count;
}

static bool is_mirrored(const struct node *n)
{
	return n->kind >= NODE_RAW_FOLDER && n->kind <= NODE_CHUNK_FOLDER;
}

int nodes_mirrored(struct mount *m, struct node ***ret, size_t *ret_count)
{
	struct node_table *t = &m->nodes;
	(void)pthread_mutex_lock(&t->lock);
	size_t count = 0;
	struct node **all = malloc((t->count + 1) * sizeof(struct node *));
	for (size_t i = 0; i < t->bucket_count && all; i++)
		for (struct node *n = t->buckets[i]; n; n = n->next)
			if (is_mirrored(n) && n->lookups) {
				n->refs++;
				all[count++] = n;
			}
	(void)pthread_mutex_unlock(&t->lock);
	if (!all)
		return -ENOMEM;
	*ret = all;
	*ret_count = count;
	return 0;
}

struct node *node_of(struct mount *m, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? m->nodes.root : (struct node *)(uintptr_t)ino;
}

fuse_ino_t node_id(struct mount *m, const struct node *n)
{
	return n == m->nodes.root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)n;
}

/* --- paths ----------------------------------------------------------------------------------------------------------- */

/* Writes the path of `n` so that it ends at out[end]; returns where it begins. */
static int path_backwards(const struct node *n, char *out, size_t end, size_t *ret_start)
{
	size_t at = end;
	for (; n->parent && n->parent->parent && n->kind != NODE_SIMILAR_OPTIONS; n = n->parent) {
		size_t need = n->name_size + (size_t)(at != end);
		if (need > at)
			return -ENAMETOOLONG;
		if (at != end)
			out[--at] = '/';
		at -= n->name_size;
		memcpy(out + at, n->name, n->name_size);
	}
	*ret_start = at;
	return 0;
}

int node_path(const struct node *n, char out[NODE_PATH_SIZE])
{
	size_t start, end = NODE_PATH_SIZE - 1;
	int r = path_backwards(n, out, end, &start);
	if (r < 0)
		return r;
	memmove(out, out + start, end - start);
	out[end - start] = '\0';
	return 0;
}

int node_child_path(const struct node *parent, const char *name, char out[NODE_PATH_SIZE])
{
	int r = node_path(parent, out);
	if (r < 0)
		return r;
	size_t at = strlen(out), size = strlen(name);
	if (at + 1 + size >= NODE_PATH_SIZE)
		return -ENAMETOOLONG;
	if (at)
		out[at++] = '/';
	memcpy(out + at, name, size + 1);
	return 0;
}

/* --- life ------------------------------------------------------------------------------------------------------------ */

int nodes_init(struct node_table *t)
{
	*t = (struct node_table){.bucket_count = FIRST_BUCKETS, .buckets = calloc(FIRST_BUCKETS, sizeof(struct node *))};
	(void)pthread_mutex_init(&t->lock, NULL);
	static const struct node_facts none = {0};
	t->root = node_new(NULL, NODE_ROOT, VIEW_NONE, "", 0, &none);
	if (!t->buckets || !t->root)
		return -ENOMEM;
	for (enum view v = VIEW_RAW; v < VIEW_COUNT; v++) {
		enum node_kind kind = v == VIEW_RAW	 ? NODE_RAW_FOLDER
				      : v == VIEW_SEARCH ? NODE_SEARCH_FOLDER
				      : v == VIEW_TABLES ? NODE_TABLE_FOLDER
				      : v == VIEW_STATUS ? NODE_STATUS_FOLDER
							 : NODE_FOLDER;
		t->tops[v] = node_new(t->root, kind, v, view_names[v], 0, &none);
		if (!t->tops[v])
			return -ENOMEM;
		t->root->refs++;
	}
	return 0;
}

void nodes_release(struct mount *m)
{
	struct node_table *t = &m->nodes;
	for (enum view v = VIEW_RAW; v < VIEW_COUNT; v++)
		free(t->tops[v]);
	/* The kernel is gone and forgets nothing any more. */
	for (size_t i = 0; i < t->bucket_count && t->buckets; i++) {
		while (t->buckets[i]) {
			struct node *n = t->buckets[i];
			t->buckets[i] = n->next;
			ranking_free(n->ranking);
			free(n);
		}
	}
	free(t->root);
	free(t->buckets);
	(void)pthread_mutex_destroy(&t->lock);
}
