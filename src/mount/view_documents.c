/* The derived views that mirror the source: clean/, vectors/ and meta/ with one file a document, chunks/ and similar/ with one folder a
 * document. */
#include "mount/mount_impl.h"

#include "base/hash.h"
#include "mount/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- names ------------------------------------------------------------------------------------------------------------ */

/* Whether a regular file stands beside `name` that takes the plain name away from a folder. */
static bool has_rival(struct mount *m, struct node *parent, const char *name)
{
	const char *suffix = view_suffix(parent->view);
	size_t size = suffix ? names_rival(name, suffix) : 0;
	char rival[NODE_PATH_SIZE], path[NODE_PATH_SIZE];
	struct stat st;
	if (!size || size >= sizeof(rival))
		return false;
	memcpy(rival, name, size);
	rival[size] = '\0';
	if (node_child_path(parent, rival, path) < 0)
		return false;
	/* An archive has no text, so that nothing but its record in meta/ takes a name. */
	int r = parent->view == VIEW_META ? corpus_stat(m->corpus, path, &st) : corpus_stat_shown(m->corpus, path, &st);
	return r == 0 && S_ISREG(st.st_mode);
}

/* The source's name of the folder that is shown as `shown`, into `out`. -ENOENT when no folder can be. */
static int folder_source_name(struct mount *m, struct node *parent, const char *shown, char out[NODE_PATH_SIZE])
{
	size_t size = strlen(shown);
	if (size >= NODE_PATH_SIZE)
		return -ENAMETOOLONG;
	bool rival = has_rival(m, parent, shown);
	if (rival && !names_pushed_aside(shown))
		return -ENOENT;
	size -= rival ? strlen(".d") : 0;
	memcpy(out, shown, size);
	out[size] = '\0';
	return 0;
}

/* --- folders ---------------------------------------------------------------------------------------------------------- */

static int child_folder(struct mount *m, struct node *parent, const char *name, struct found *ret)
{
	char path[NODE_PATH_SIZE];
	struct found f = {.attr_timeout = view_source_timeout(m)};
	int r = node_child_path(parent, name, path);
	if (r == 0)
		r = corpus_stat_shown(m->corpus, path, &f.st);
	if (r == 0 && (!S_ISDIR(f.st.st_mode) || corpus_hides_folder(m->corpus, path)))
		r = -ENOENT;
	static const struct node_facts none = {0};
	if (r == 0)
		r = node_get(m, parent, NODE_FOLDER, name, 0, &none, &f.node);
	if (r < 0)
		return r;
	attributes_of_folder(&f.st, f.node->ino);
	f.entry_timeout = f.attr_timeout;
	*ret = f;
	return 0;
}

static int folder_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	if (n->parent == m->nodes.root)
		return view_top_stat(m, n, ret, ret_timeout);
	char path[NODE_PATH_SIZE];
	int r = node_path(n, path);
	if (r == 0)
		r = corpus_stat_shown(m->corpus, path, ret);
	if (r == -EINPROGRESS || r == -ENOTDIR || (r == 0 && !S_ISDIR(ret->st_mode)))
		r = -ESTALE;
	if (r < 0)
		return r;
	attributes_of_folder(ret, n->ino);
	*ret_timeout = view_source_timeout(m);
	return 0;
}

/* --- documents -------------------------------------------------------------------------------------------------------- */

/* A computed file's size may be trusted by the kernel once it is exact, and then for good: another version is another node. */
static void document_attributes(struct node *n, struct stat *ret, double *ret_timeout)
{
	bool exact = atomic_load(&n->exact); /* before the size, which is set first */
	attributes_of(n, ret);
	*ret_timeout = exact ? TIMEOUT_FOREVER : 0;
}

static void take_size(struct node *n, const struct corpus_look *look)
{
	if (!look->exact || atomic_load(&n->exact))
		return;
	atomic_store(&n->size, look->size);
	atomic_store(&n->exact, true);
}

static int child_file(struct mount *m, struct node *parent, const char *name, const struct corpus_look *look, struct found *ret)
{
	struct node_facts facts = {
		.source = &look->source, .mode = attributes_file_mode(look->source.st_mode), .size = look->size, .exact = look->exact};
	struct found f = {.entry_timeout = view_source_timeout(m)};
	int r = node_get(m, parent, NODE_DOCUMENT, name, look->version, &facts, &f.node);
	if (r < 0)
		return r;
	take_size(f.node, look);
	document_attributes(f.node, &f.st, &f.attr_timeout);
	*ret = f;
	return 0;
}

/* Looks at the document called `name` in the source. -ENOENT where this view does not show it, -EISDIR for an archive, which is shown as a folder. */
static int look_at(struct mount *m, struct node *parent, const char *name, struct corpus_look *ret)
{
	char path[NODE_PATH_SIZE];
	int r = node_child_path(parent, name, path);
	if (r == 0)
		r = corpus_look(m->corpus, path, view_of_library(parent->view), ret);
	if (r == -EINVAL)
		return -ENOENT;
	return r == 0 && parent->view != VIEW_META && !ret->has_text ? -ENOENT : r;
}

/* While the file is open, its attributes are those of what is open, for the sake of fstat on an old handle. */
static int document_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	struct corpus_look look;
	int r = look_at(m, n->parent, n->name, &look);
	bool current = r == 0 && look.version == n->version;
	if (current)
		take_size(n, &look);
	struct content *c = current ? NULL : content_of(m, n);
	if (!current && !c)
		return r < 0 && r != -ENOENT && r != -ENOTDIR && r != -EISDIR && r != -EINPROGRESS ? r : -ESTALE;
	document_attributes(n, ret, ret_timeout);
	if (c) {
		content_unref(m, c);
		*ret_timeout = 0;
	}
	return 0;
}

/* The same version of a source may come to show something else, because what excludes a document from the views can change. Then the pages
 * that the kernel keeps are of the old bytes, and this must be another node as well. */
static bool same_as_before(struct mount *m, struct node *n, const struct corpus_blob *blob)
{
	if (n->view != VIEW_META)
		return true;
	uint64_t sum = checksum64(corpus_blob_data(blob), corpus_blob_size(blob)) | 1, none = 0;
	if (atomic_compare_exchange_strong(&n->mark, &none, sum) || none == sum)
		return true;
	node_retire(m, n);
	return false;
}

static void document_ready(struct request *r, int result, void *object)
{
	struct mount *m = r->mount;
	struct node *n = r->node;
	struct corpus_doc *doc = object;
	struct corpus_blob *blob = NULL;
	if (result == 0 && corpus_doc_version(doc) != n->version)
		result = -ESTALE;
	if (result == 0)
		result = corpus_doc_blob(doc, view_of_library(n->view), 0, &blob);
	corpus_doc_unref(doc);
	if (result == 0 && !same_as_before(m, n, blob)) {
		corpus_blob_unref(blob);
		result = -ESTALE;
	}
	if (result < 0)
		request_reply_error(r, result == -ENOENT || result == -ENOTDIR || result == -EISDIR || result == -EINVAL ? -ESTALE : result);
	else
		request_reply_open(r, content_new(m, n, blob, NULL, -1));
}

static void document_open(struct request *r)
{
	char path[NODE_PATH_SIZE];
	int result = node_path(r->node, path);
	if (result < 0)
		request_reply_error(r, result);
	else
		request_document(r, path, view_of_library(r->node->view), document_ready);
}

/* --- look-up and listing ---------------------------------------------------------------------------------------------- */

/* What stands for a document in this view, which is named with its suffix, or is a folder. */
static int child_document(struct mount *m, struct node *parent, const char *name, struct found *ret)
{
	struct corpus_look look;
	int r = look_at(m, parent, name, &look);
	if (r < 0)
		return r == -EISDIR ? -ENOENT : r;
	return view_suffix(parent->view) ? child_file(m, parent, name, &look, ret) : view_chunk_folder(m, parent, name, &look, ret);
}

static int child_of_name(struct mount *m, struct node *parent, const char *shown, struct found *ret)
{
	const char *suffix = view_suffix(parent->view);
	char name[NODE_PATH_SIZE];
	size_t size = suffix ? names_document(shown, suffix) : strlen(shown);
	int r = -ENOENT;
	if (size >= sizeof(name))
		return -ENAMETOOLONG;
	if (size) {
		memcpy(name, shown, size);
		name[size] = '\0';
		r = child_document(m, parent, name, ret);
	}
	if (r != -ENOENT && r != -ENAMETOOLONG)
		return r;
	r = folder_source_name(m, parent, shown, name);
	return r < 0 ? r : child_folder(m, parent, name, ret);
}

/* similar/@k=5: an option, unless the source has something of that name. */
static int child_option(struct mount *m, struct node *parent, const char *name, struct found *ret)
{
	static const struct node_facts none = {0};
	struct corpus_query *q;
	struct node *n;
	if (name[0] != '@' || (parent->parent != m->nodes.root && parent->kind != NODE_SIMILAR_OPTIONS))
		return -ENOENT;
	int r = view_options(parent, name, &q);
	if (r < 0)
		return r;
	corpus_query_free(q);
	r = node_get(m, parent, NODE_SIMILAR_OPTIONS, name, 0, &none, &n);
	return r < 0 ? r : view_found(m, n, view_source_timeout(m), ret);
}

static void folder_look(struct request *r)
{
	struct mount *m = r->mount;
	struct corpus_look look;
	struct found f;
	int result;
	if (r->node->view == VIEW_SIMILAR) {
		result = look_at(m, r->node, r->name, &look);
		if (result == 0) {
			view_look_similar(r, &look);
			return;
		}
		if (result == -ENOENT || result == -EISDIR)
			result = child_folder(m, r->node, r->name, &f);
		if (result == -ENOENT)
			result = child_option(m, r->node, r->name, &f);
	} else {
		result = child_of_name(m, r->node, r->name, &f);
	}
	if (result == -EINPROGRESS)
		view_await_archive(r, r->name, folder_look);
	else if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_found(r, &f);
}

static int list_folder(struct mount *m, struct folder *f, const char *name, bool want, struct listed *ret)
{
	char path[NODE_PATH_SIZE];
	if (node_child_path(f->node, name, path) < 0 || corpus_hides_folder(m->corpus, path))
		return -ENOENT;
	(void)snprintf(f->name, sizeof(f->name), "%s%s", name, has_rival(m, f->node, name) ? ".d" : "");
	*ret = (struct listed){.name = f->name, .ino = node_child_ino(f->node, name), .type = S_IFDIR};
	int r = want ? child_folder(m, f->node, name, &ret->found) : 0;
	return r == -EINPROGRESS ? 0 : r; /* an archive that was not read: looking it up waits for it */
}

static int list_document(struct mount *m, struct folder *f, const char *name, bool want, struct listed *ret)
{
	const char *suffix = view_suffix(f->node->view);
	struct corpus_look look;
	int r = look_at(m, f->node, name, &look);
	if (r < 0)
		return r;
	(void)snprintf(f->name, sizeof(f->name), "%s%s", name, suffix ? suffix : "");
	*ret = (struct listed){.name = f->name, .ino = node_child_ino(f->node, name), .type = suffix ? S_IFREG : S_IFDIR};
	if (!want || f->node->view == VIEW_SIMILAR)
		return 0;
	return suffix ? child_file(m, f->node, name, &look, &ret->found) : view_chunk_folder(m, f->node, name, &look, &ret->found);
}

/* A file that may be an archive, which is a folder; what has only the name of one turns out when it is looked up. */
static int list_archive(struct mount *m, struct folder *f, const char *name, bool want, struct listed *ret)
{
	char path[NODE_PATH_SIZE];
	struct stat st;
	int r = node_child_path(f->node, name, path);
	if (r == 0)
		r = corpus_stat_shown(m->corpus, path, &st);
	bool folder = (r == 0 && S_ISDIR(st.st_mode)) || r == -EINPROGRESS;
	return folder ? list_folder(m, f, name, want, ret) : -ENOENT;
}

static int list_file(struct mount *m, struct folder *f, const char *name, bool want, struct listed *ret)
{
	int r = list_document(m, f, name, want, ret);
	return r == -EISDIR || r == -EINPROGRESS ? list_archive(m, f, name, want, ret) : r;
}

/* In meta/ an archive has a record as well, so that every entry of the source counts twice: what it is, and what is in it. */
static int folder_entry(struct mount *m, struct folder *f, size_t *index, bool want, struct listed *ret)
{
	struct source_entry e;
	size_t steps = f->node->view == VIEW_META ? 2 : 1;
	while (view_source_entry(f, *index / steps, &e)) {
		bool second = (*index)++ % steps > 0;
		int r = e.type == DT_DIR   ? second ? -ENOENT : list_folder(m, f, e.name, want, ret)
			: e.type != DT_REG ? -ENOENT
			: second	   ? list_archive(m, f, e.name, want, ret)
					   : list_file(m, f, e.name, want, ret);
		if (r == 0)
			return 1;
		if (r == -ENOMEM)
			return r;
	}
	return 0;
}

const struct node_type folder_type = {.look = folder_look, .stat = folder_stat, .open_folder = view_open_source_folder, .list = view_list_source, .entry = folder_entry};
const struct node_type document_type = {.stat = document_stat, .open = document_open};
