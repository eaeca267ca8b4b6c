/* What the views have in common: the top of the mount, and how folders of the source are listed. */
#include "mount/mount_impl.h"

#include "mount/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	LISTING_BYTES = 1 << 30,
	LISTING_SECONDS = 5, /* that the kernel may keep a listing: what has text may turn out otherwise without a change of the folder */
	RACY_SECONDS = 2,    /* a folder that changed so lately may change again without its time changing */
};

const struct node_type *const node_types[NODE_KIND_COUNT] = {
	[NODE_ROOT] = &root_type,
	[NODE_README] = &readme_type,
	[NODE_RAW_FOLDER] = &raw_folder_type,
	[NODE_RAW_FILE] = &raw_file_type,
	[NODE_RAW_LINK] = &raw_link_type,
	[NODE_RAW_OTHER] = &raw_other_type,
	[NODE_FOLDER] = &folder_type,
	[NODE_DOCUMENT] = &document_type,
	[NODE_CHUNK_FOLDER] = &chunk_folder_type,
	[NODE_CHUNK] = &chunk_type,
	[NODE_SEARCH_FOLDER] = &search_folder_type,
	[NODE_RESULTS] = &results_type,
	[NODE_HIT] = &hit_type,
	[NODE_FORM] = &form_type,
	[NODE_STATUS_FOLDER] = &status_folder_type,
	[NODE_STATUS] = &status_type,
	[NODE_TABLE_FOLDER] = &table_folder_type,
	[NODE_TABLE] = &table_type,
	[NODE_SIMILAR_OPTIONS] = &folder_type,
};

const char *const view_names[VIEW_COUNT] = {
	[VIEW_RAW] = "raw",	    [VIEW_CLEAN] = "clean",	[VIEW_CHUNKS] = "chunks", [VIEW_VECTORS] = "vectors", [VIEW_META] = "meta",
	[VIEW_SEARCH] = "search", [VIEW_SIMILAR] = "similar", [VIEW_TABLES] = "tables", [VIEW_STATUS] = "status",
};

const char *view_suffix(enum view v)
{
	return v == VIEW_CLEAN ? ".txt" : v == VIEW_VECTORS ? ".npy" : v == VIEW_META ? ".json" : NULL;
}

enum corpus_view view_of_library(enum view v)
{
	return v == VIEW_VECTORS ? CORPUS_VECTORS : v == VIEW_META ? CORPUS_META : v == VIEW_CLEAN ? CORPUS_CLEAN : CORPUS_CHUNKS;
}

int view_stat(struct mount *m, enum view v, const char *path, struct stat *ret)
{
	return v == VIEW_RAW ? corpus_stat(m->corpus, path, ret) : corpus_stat_shown(m->corpus, path, ret);
}

/* --- archives that were not read yet --------------------------------------------------------------------------------- */

/* Archives lie in one another, and may change while we wait. */
enum { AWAITED_ARCHIVES = 16 };

static void archive_ready(struct request *r, int result, void *object)
{
	corpus_doc_unref(object);
	/* Whatever became of the archive, there is now something to say. One that does not become readable ends in the count above. */
	if (result != 0 && result != -ENOENT && result != -ENOTDIR && result != -EISDIR && result != -EINVAL) {
		request_reply_error(r, result);
		return;
	}
	r = request_renew(r);
	if (r)
		r->again(r);
}

/* The archive to be read for `name`, as it is shown in this view, or as it is called in the source. */
static int unread_archive(struct request *r, const char *name, char out[NODE_PATH_SIZE])
{
	struct mount *m = r->mount;
	const char *suffix = view_suffix(r->node->view);
	char path[NODE_PATH_SIZE];
	int result = name ? node_child_path(r->node, name, path) : node_path(r->node, path);
	if (result < 0)
		return result;
	result = corpus_unread_archive(m->corpus, path, out, NODE_PATH_SIZE);
	if (result != -ENOENT || !name || !suffix || !names_document(name, suffix))
		return result;
	path[strlen(path) - strlen(suffix)] = '\0';
	return corpus_unread_archive(m->corpus, path, out, NODE_PATH_SIZE);
}

void view_await_archive(struct request *r, const char *name, void (*again)(struct request *r))
{
	char path[NODE_PATH_SIZE];
	int result = r->archives++ < AWAITED_ARCHIVES ? unread_archive(r, name, path) : -EIO;
	r->again = again;
	if (result == 0)
		request_document(r, path, CORPUS_META, archive_ready);
	else if (result == -ENOENT)
		again(r); /* it was read meanwhile */
	else
		request_reply_error(r, result);
}

double view_source_timeout(struct mount *m)
{
	return corpus_watching(m->corpus) ? TIMEOUT_WATCHED : TIMEOUT_UNWATCHED;
}

int view_found(struct mount *m, struct node *n, double entry_timeout, struct found *ret)
{
	struct found f = {.node = n, .entry_timeout = entry_timeout};
	int r = node_types[n->kind]->stat(m, n, &f.st, &f.attr_timeout);
	if (r < 0) {
		node_unref(m, n);
		return r;
	}
	*ret = f;
	return 0;
}

/* --- open folders ---------------------------------------------------------------------------------------------------- */

struct folder *folder_new(struct mount *m, struct node *n)
{
	struct folder *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->node = node_ref(m, n);
	buf_init(&f->names, LISTING_BYTES);
	(void)pthread_mutex_lock(&m->contents_lock);
	f->next = m->folders;
	if (f->next)
		f->next->previous = f;
	m->folders = f;
	(void)pthread_mutex_unlock(&m->contents_lock);
	return f;
}

void folder_free(struct mount *m, struct folder *f)
{
	(void)pthread_mutex_lock(&m->contents_lock);
	*(f->previous ? &f->previous->next : &m->folders) = f->next;
	if (f->next)
		f->next->previous = f->previous;
	(void)pthread_mutex_unlock(&m->contents_lock);
	corpus_doc_unref(f->doc);
	corpus_results_unref(f->results);
	buf_release(&f->names);
	free(f->starts);
	node_unref(m, f->node);
	free(f);
}

void folders_release(struct mount *m)
{
	while (m->folders)
		folder_free(m, m->folders);
}

static int collect(void *context, const char *name, unsigned char type, uint64_t ino)
{
	struct folder *f = context;
	f->count++;
	buf_add(&f->names, &ino, sizeof(ino));
	buf_add_char(&f->names, (char)type);
	buf_add(&f->names, name, strlen(name) + 1);
	return buf_error(&f->names);
}

int view_list_source(struct mount *m, struct folder *f)
{
	char path[NODE_PATH_SIZE];
	int r = node_path(f->node, path);
	buf_reset(&f->names);
	free(f->starts);
	f->starts = NULL;
	f->count = 0;
	if (r == 0)
		r = corpus_list(m->corpus, path, collect, f);
	if (r == 0)
		f->starts = malloc((f->count + 1) * sizeof(*f->starts));
	if (r == 0 && !f->starts)
		r = -ENOMEM;
	if (r < 0)
		return r;
	size_t at = 0;
	for (size_t i = 0; i < f->count; i++) {
		f->starts[i] = at;
		at += sizeof(uint64_t) + 1;
		at += strlen(f->names.data + at) + 1;
	}
	f->listed = true;
	return 0;
}

bool view_source_entry(const struct folder *f, size_t index, struct source_entry *ret)
{
	if (index >= f->count)
		return false;
	const char *record = f->names.data + f->starts[index];
	memcpy(&ret->ino, record, sizeof(ret->ino));
	ret->type = (unsigned char)record[sizeof(ret->ino)];
	ret->name = record + sizeof(ret->ino) + 1;
	return true;
}

/* The listing that the kernel keeps from an earlier open is used again while the folder has the same times, and not for long. */
static bool listing_is_fresh(struct node *n, const struct stat *st)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	uint64_t stamp = attributes_stamp(st), second = (uint64_t)now.tv_sec;
	bool racy = now.tv_sec - st->st_mtim.tv_sec < RACY_SECONDS;
	uint64_t begun = atomic_load(&n->mark);
	if (!racy && atomic_load(&n->size) == stamp && second - begun < LISTING_SECONDS)
		return true;
	atomic_store(&n->size, racy ? 0 : stamp);
	atomic_store(&n->mark, second);
	return false;
}

void view_open_source_folder(struct request *r)
{
	struct mount *m = r->mount;
	char path[NODE_PATH_SIZE];
	struct stat st;
	int result = node_path(r->node, path);
	if (result == 0)
		result = view_stat(m, r->node->view, path, &st);
	if (result == -EINPROGRESS) {
		view_await_archive(r, NULL, view_open_source_folder);
		return;
	}
	if (result == 0 && !S_ISDIR(st.st_mode))
		result = -ESTALE;
	struct folder *f = result == 0 ? folder_new(m, r->node) : NULL;
	if (!f)
		request_reply_error(r, result == 0 ? -ENOMEM : result == -ENOENT || result == -ENOTDIR ? -ESTALE : result);
	else
		request_reply_folder(r, f, listing_is_fresh(r->node, &st));
}

/* --- the top --------------------------------------------------------------------------------------------------------- */

int view_top_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	int r = corpus_stat(m->corpus, "", ret);
	if (r < 0)
		return r;
	ret->st_mode = attributes_folder_mode(ret->st_mode);
	attributes_of_folder(ret, n->ino);
	*ret_timeout = view_source_timeout(m);
	return 0;
}

int view_readme(struct mount *m, struct node *parent, struct found *ret)
{
	struct stat st;
	struct node *n;
	int r = corpus_stat(m->corpus, "", &st);
	if (r < 0)
		return r;
	st.st_mtim = m->started;
	struct node_facts facts = {
		.source = &st, .mode = attributes_file_mode(st.st_mode & 0444), .size = corpus_blob_size(m->readme), .exact = true};
	r = node_get(m, parent, NODE_README, "README.txt", 0, &facts, &n);
	return r < 0 ? r : view_found(m, n, TIMEOUT_FOREVER, ret);
}

static void root_look(struct request *r)
{
	struct mount *m = r->mount;
	struct found f;
	enum view v = VIEW_RAW;
	while (v < VIEW_COUNT && strcmp(r->name, view_names[v]) != 0)
		v++;
	int result = v < VIEW_COUNT			       ? view_found(m, node_ref(m, m->nodes.tops[v]), TIMEOUT_FOREVER, &f)
		     : strcmp(r->name, "README.txt") == 0 ? view_readme(m, r->node, &f)
							       : -ENOENT;
	if (result == -ENOENT)
		request_reply_never(r);
	else if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_found(r, &f);
}

void view_open_fixed_folder(struct request *r)
{
	struct folder *f = folder_new(r->mount, r->node);
	if (f)
		request_reply_folder(r, f, true);
	else
		request_reply_error(r, -ENOMEM);
}

static int root_entry(struct mount *m, struct folder *f, size_t *index, bool want, struct listed *ret)
{
	if (*index >= VIEW_COUNT)
		return 0;
	enum view v = (enum view)(++*index);
	struct node *top = v < VIEW_COUNT ? m->nodes.tops[v] : NULL;
	*ret = (struct listed){.name = top ? view_names[v] : "README.txt", .type = top ? S_IFDIR : S_IFREG};
	ret->ino = top ? top->ino : node_child_ino(f->node, ret->name);
	if (!want)
		return 1;
	int r = top ? view_found(m, node_ref(m, top), TIMEOUT_FOREVER, &ret->found) : view_readme(m, f->node, &ret->found);
	return r < 0 ? r : 1;
}

const struct node_type root_type = {.look = root_look, .stat = view_top_stat, .open_folder = view_open_fixed_folder, .entry = root_entry};

static int readme_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	(void)m;
	attributes_of(n, ret);
	*ret_timeout = TIMEOUT_FOREVER;
	return 0;
}

static void readme_open(struct request *r)
{
	request_reply_open(r, content_new(r->mount, r->node, corpus_blob_ref(r->mount->readme), NULL, -1));
}

const struct node_type readme_type = {.stat = readme_stat, .open = readme_open};
