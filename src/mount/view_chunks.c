/* chunks/<path>/0001.txt: the pieces of a document. The folder is made from the document's file and is a node in that file's version, so its
 * entries never change.
 *
 * A walk over a folder asks for each of its files, and each answer needs the document; so the last few documents are kept, and one lstat tells
 * whether they are still right. */
#include "mount/mount_impl.h"

#include "mount/names.h"

#include <errno.h>
#include <stdlib.h>

enum { KEPT_DOCUMENTS = 16, KEPT_BYTES = 32 << 20 };

struct kept_doc {
	struct node *folder; /* referenced */
	struct corpus_doc *doc;
	uint64_t bytes;
	struct kept_doc *newer, *older;
};

/* --- the documents at hand -------------------------------------------------------------------------------------------- */

void doc_cache_init(struct doc_cache *d)
{
	*d = (struct doc_cache){0};
	(void)pthread_mutex_init(&d->lock, NULL);
}

/* Under the lock. */
static void detach(struct doc_cache *d, struct kept_doc *k)
{
	*(k->newer ? &k->newer->older : &d->newest) = k->older;
	*(k->older ? &k->older->newer : &d->oldest) = k->newer;
	d->count--;
	d->bytes -= k->bytes;
}

/* Under the lock. */
static void attach(struct doc_cache *d, struct kept_doc *k)
{
	k->newer = NULL;
	k->older = d->newest;
	*(k->older ? &k->older->newer : &d->oldest) = k;
	d->newest = k;
	d->count++;
	d->bytes += k->bytes;
}

static void kept_free(struct mount *m, struct kept_doc *k)
{
	corpus_doc_unref(k->doc);
	node_unref(m, k->folder);
	free(k);
}

void doc_cache_release(struct mount *m)
{
	while (m->docs.newest) {
		struct kept_doc *k = m->docs.newest;
		detach(&m->docs, k);
		kept_free(m, k);
	}
	(void)pthread_mutex_destroy(&m->docs.lock);
}

static struct corpus_doc *find_kept(struct doc_cache *d, const struct node *folder)
{
	struct corpus_doc *doc = NULL;
	(void)pthread_mutex_lock(&d->lock);
	struct kept_doc *k = d->newest;
	while (k && k->folder != folder)
		k = k->older;
	if (k) {
		detach(d, k);
		attach(d, k);
		doc = corpus_doc_ref(k->doc);
	}
	(void)pthread_mutex_unlock(&d->lock);
	return doc;
}

/* The document of a chunk folder, if it is at hand: 1. 0 when it is not; -ESTALE when the source has changed since. */
static int doc_at_hand(struct mount *m, struct node *folder, struct corpus_doc **ret)
{
	char path[NODE_PATH_SIZE];
	struct stat now;
	struct corpus_doc *doc = find_kept(&m->docs, folder);
	if (!doc)
		return 0;
	int r = node_path(folder, path);
	if (r == 0)
		r = corpus_stat(m->corpus, path, &now);
	if (r == 0 && attributes_stamp(corpus_doc_source(doc)) == attributes_stamp(&now)) {
		*ret = doc;
		return 1;
	}
	corpus_doc_unref(doc);
	return r == 0 || r == -ENOENT || r == -ENOTDIR || r == -EINPROGRESS ? -ESTALE : r;
}

static void keep_doc(struct mount *m, struct node *folder, struct corpus_doc *doc)
{
	struct doc_cache *d = &m->docs;
	struct kept_doc *k = malloc(sizeof(*k)), *out = NULL;
	if (!k)
		return; /* the next one asks again */
	*k = (struct kept_doc){.folder = node_ref(m, folder), .doc = corpus_doc_ref(doc)};
	for (uint32_t i = 0; i < corpus_doc_chunk_count(doc); i++)
		k->bytes += corpus_doc_chunk_size(doc, i);
	(void)pthread_mutex_lock(&d->lock);
	for (struct kept_doc *same = d->newest, *older; same; same = older) {
		older = same->older;
		if (same->folder != folder)
			continue;
		detach(d, same);
		same->older = out;
		out = same;
	}
	attach(d, k);
	while (d->count > 1 && (d->count > KEPT_DOCUMENTS || d->bytes > KEPT_BYTES)) {
		struct kept_doc *oldest = d->oldest;
		detach(d, oldest);
		oldest->older = out;
		out = oldest;
	}
	(void)pthread_mutex_unlock(&d->lock);
	while (out) {
		struct kept_doc *next = out->older;
		kept_free(m, out);
		out = next;
	}
}

/* What waiting for a document of a chunk folder gave: 0 when it is of the folder's version. Releases it otherwise. */
static int take_doc(struct mount *m, struct node *folder, int result, struct corpus_doc *doc)
{
	if (result == 0 && corpus_doc_version(doc) == folder->version) {
		keep_doc(m, folder, doc);
		return 0;
	}
	corpus_doc_unref(doc);
	return result == 0 || result == -ENOENT || result == -ENOTDIR || result == -EISDIR || result == -EINVAL ? -ESTALE : result;
}

/* Goes on with the document of a chunk folder, now or when it is there. */
static void with_doc(struct request *r, struct node *folder, void (*go_on)(struct request *, struct corpus_doc *),
		     void (*then)(struct request *, int, void *))
{
	char path[NODE_PATH_SIZE];
	struct corpus_doc *doc = NULL;
	int result = doc_at_hand(r->mount, folder, &doc);
	if (result == 1) {
		go_on(r, doc);
		return;
	}
	if (result == 0)
		result = node_path(folder, path);
	if (result < 0)
		request_reply_error(r, result);
	else
		request_document(r, path, CORPUS_CHUNKS, then);
}

/* --- the folder -------------------------------------------------------------------------------------------------------- */

int view_chunk_folder(struct mount *m, struct node *parent, const char *name, const struct corpus_look *look, struct found *ret)
{
	struct node_facts facts = {.source = &look->source, .mode = attributes_folder_mode(look->source.st_mode)};
	struct node *n;
	int r = node_get(m, parent, NODE_CHUNK_FOLDER, name, look->version, &facts, &n);
	if (r < 0)
		return r;
	struct found f = {.node = n, .attr_timeout = view_source_timeout(m)};
	f.entry_timeout = f.attr_timeout;
	attributes_of(n, &f.st);
	*ret = f;
	return 0;
}

static int folder_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	char path[NODE_PATH_SIZE];
	struct corpus_look look;
	int r = node_path(n, path);
	if (r == 0)
		r = corpus_look(m->corpus, path, CORPUS_CHUNKS, &look);
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR || r == -EISDIR || r == -EINVAL || r == -EINPROGRESS ? -ESTALE : r;
	if (look.version != n->version || !look.has_text)
		return -ESTALE;
	attributes_of(n, ret);
	*ret_timeout = view_source_timeout(m);
	return 0;
}

/* Nothing changes in a folder's version. */
static int chunk_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	(void)m;
	attributes_of(n, ret);
	*ret_timeout = TIMEOUT_FOREVER;
	return 0;
}

static void open_folder(struct request *r, struct corpus_doc *doc)
{
	struct folder *f = folder_new(r->mount, r->node);
	if (!f) {
		corpus_doc_unref(doc);
		request_reply_error(r, -ENOMEM);
		return;
	}
	f->doc = doc;
	request_reply_folder(r, f, true);
}

static void folder_ready(struct request *r, int result, void *object)
{
	result = take_doc(r->mount, r->node, result, object);
	if (result < 0)
		request_reply_error(r, result);
	else
		open_folder(r, object);
}

static void folder_open(struct request *r)
{
	with_doc(r, r->node, open_folder, folder_ready);
}

/* --- the chunks -------------------------------------------------------------------------------------------------------- */

static int child(struct mount *m, struct node *folder, struct corpus_doc *doc, uint32_t number, struct found *ret)
{
	char name[NAMES_CHUNK_SIZE];
	if (!number || number > corpus_doc_chunk_count(doc))
		return -ENOENT;
	names_chunk(number, name);
	const struct stat *source = corpus_doc_source(doc);
	struct node_facts facts = {.source = source,
				   .mode = attributes_file_mode(source->st_mode),
				   .size = corpus_doc_chunk_size(doc, number - 1),
				   .exact = true};
	struct node *n;
	int r = node_get(m, folder, NODE_CHUNK, name, folder->version, &facts, &n);
	return r < 0 ? r : view_found(m, n, TIMEOUT_FOREVER, ret);
}

static void look_in_doc(struct request *r, struct corpus_doc *doc)
{
	struct found f;
	int result = child(r->mount, r->node, doc, names_chunk_number(r->name), &f);
	corpus_doc_unref(doc);
	if (result == -ENOENT)
		request_reply_never(r);
	else if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_found(r, &f);
}

static void look_ready(struct request *r, int result, void *object)
{
	result = take_doc(r->mount, r->node, result, object);
	if (result < 0)
		request_reply_error(r, result);
	else
		look_in_doc(r, object);
}

static void folder_look(struct request *r)
{
	if (!names_chunk_number(r->name))
		request_reply_never(r);
	else
		with_doc(r, r->node, look_in_doc, look_ready);
}

static int folder_entry(struct mount *m, struct folder *f, size_t *index, bool want, struct listed *ret)
{
	if (*index >= corpus_doc_chunk_count(f->doc))
		return 0;
	uint32_t number = (uint32_t)++*index;
	names_chunk(number, f->name);
	*ret = (struct listed){.name = f->name, .ino = node_child_ino(f->node, f->name), .type = S_IFREG};
	int r = want ? child(m, f->node, f->doc, number, &ret->found) : 0;
	return r < 0 ? r : 1;
}

static void open_chunk(struct request *r, struct corpus_doc *doc)
{
	struct corpus_blob *blob;
	int result = corpus_doc_blob(doc, CORPUS_CHUNKS, names_chunk_number(r->node->name) - 1, &blob);
	corpus_doc_unref(doc);
	if (result < 0)
		request_reply_error(r, result == -ENOENT ? -ESTALE : result);
	else
		request_reply_open(r, content_new(r->mount, r->node, blob, NULL, -1));
}

static void chunk_ready(struct request *r, int result, void *object)
{
	result = take_doc(r->mount, r->node->parent, result, object);
	if (result < 0)
		request_reply_error(r, result);
	else
		open_chunk(r, object);
}

static void chunk_open(struct request *r)
{
	with_doc(r, r->node->parent, open_chunk, chunk_ready);
}

const struct node_type chunk_folder_type = {.look = folder_look, .stat = folder_stat, .open_folder = folder_open, .entry = folder_entry};
const struct node_type chunk_type = {.stat = chunk_stat, .open = chunk_open};
