/* The source with its archives opened: see tree.h. */
#include "tree.h"

#include "base/cleanup.h"
#include "extract/archive.h"
#include "jobs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_CATALOGUES = 16, KEPT_BATCHES = 3, READING_SLOTS = 8 };

/* A catalogue as it is used: members in byte order of their paths. Immutable but for `refs` and `used`, which the tree's lock guards. */
struct catalogue {
	unsigned refs;
	uint64_t used;
	struct hash key; /* of its bytes */
	struct member *members;
	size_t count;
	char *bytes; /* what the paths point into */
};

/* Unpacked members of an archive, or why those from `first` on cannot be had: what takes too long for one takes longer for those behind it. */
struct batch {
	unsigned refs;
	uint64_t used;
	struct hash archive; /* of its bytes */
	struct buf bytes;
	uint32_t first;
	struct extract_result about;
};

struct tree {
	pthread_mutex_t lock; /* of what follows; held for moments */
	struct catalogue *catalogues[KEPT_CATALOGUES];
	struct batch *batches[KEPT_BATCHES];
	uint64_t clock;
	/* Held while an archive is unpacked, by the path of the outermost: those who want its other members wait for the batch instead of unpacking
	 * it as well. Recursive, because archives in archives are read on the way. */
	pthread_mutex_t reading[READING_SLOTS];
};

int tree_new(struct tree **ret)
{
	struct tree *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	(void)pthread_mutex_init(&t->lock, NULL);
	pthread_mutexattr_t recursive;
	(void)pthread_mutexattr_init(&recursive);
	(void)pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	for (int i = 0; i < READING_SLOTS; i++)
		(void)pthread_mutex_init(&t->reading[i], &recursive);
	(void)pthread_mutexattr_destroy(&recursive);
	*ret = t;
	return 0;
}

/* --- what is kept ---------------------------------------------------------------------------------------------------- */

static void catalogue_free(struct catalogue *k)
{
	if (!k)
		return;
	free(k->members);
	free(k->bytes);
	free(k);
}

static void batch_free(struct batch *b)
{
	if (!b)
		return;
	buf_release(&b->bytes);
	free(b);
}

static void catalogue_put(struct tree *t, struct catalogue *k)
{
	if (!k)
		return;
	(void)pthread_mutex_lock(&t->lock);
	bool last = --k->refs == 0;
	(void)pthread_mutex_unlock(&t->lock);
	if (last)
		catalogue_free(k);
}

static void batch_put(struct tree *t, struct batch *b)
{
	if (!b)
		return;
	(void)pthread_mutex_lock(&t->lock);
	bool last = --b->refs == 0;
	(void)pthread_mutex_unlock(&t->lock);
	if (last)
		batch_free(b);
}

static struct catalogue *catalogue_find(struct tree *t, const struct hash *key)
{
	struct catalogue *found = NULL;
	(void)pthread_mutex_lock(&t->lock);
	for (int i = 0; i < KEPT_CATALOGUES && !found; i++)
		if (t->catalogues[i] && hash_equal(&t->catalogues[i]->key, key))
			found = t->catalogues[i];
	if (found) {
		found->refs++;
		found->used = ++t->clock;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return found;
}

/* Keeps it in the place of the one that was not used for longest. */
static void catalogue_keep(struct tree *t, struct catalogue *k)
{
	struct catalogue **oldest = &t->catalogues[0];
	(void)pthread_mutex_lock(&t->lock);
	for (int i = 0; i < KEPT_CATALOGUES && *oldest; i++)
		if (!t->catalogues[i] || t->catalogues[i]->used < (*oldest)->used)
			oldest = &t->catalogues[i];
	struct catalogue *out = *oldest;
	*oldest = k;
	k->refs++;
	k->used = ++t->clock;
	(void)pthread_mutex_unlock(&t->lock);
	catalogue_put(t, out);
}

static void batch_keep(struct tree *t, struct batch *b)
{
	struct batch **oldest = &t->batches[0];
	(void)pthread_mutex_lock(&t->lock);
	for (int i = 0; i < KEPT_BATCHES && *oldest; i++)
		if (!t->batches[i] || t->batches[i]->used < (*oldest)->used)
			oldest = &t->batches[i];
	struct batch *out = *oldest;
	*oldest = b;
	b->refs++;
	b->used = ++t->clock;
	(void)pthread_mutex_unlock(&t->lock);
	batch_put(t, out);
}

void tree_rest(struct tree *t)
{
	struct batch *out[KEPT_BATCHES];
	(void)pthread_mutex_lock(&t->lock);
	memcpy(out, t->batches, sizeof(out));
	memset(t->batches, 0, sizeof(t->batches));
	(void)pthread_mutex_unlock(&t->lock);
	for (int i = 0; i < KEPT_BATCHES; i++)
		batch_put(t, out[i]);
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	tree_rest(t);
	for (int i = 0; i < KEPT_CATALOGUES; i++)
		catalogue_put(t, t->catalogues[i]);
	for (int i = 0; i < READING_SLOTS; i++)
		(void)pthread_mutex_destroy(&t->reading[i]);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

/* --- catalogues ------------------------------------------------------------------------------------------------------ */

static int catalogue_parse(struct span bytes, const struct hash *key, struct catalogue **ret)
{
	struct catalogue *k = calloc(1, sizeof(*k));
	char *copy = malloc(bytes.size + 1);
	if (!k || !copy) {
		free(k);
		free(copy);
		return -ENOMEM;
	}
	if (bytes.size)
		memcpy(copy, bytes.data, bytes.size);
	*k = (struct catalogue){.refs = 1, .key = *key, .bytes = copy};
	struct member m = {.path = {"", 0}};
	size_t at = 0, capacity = 0;
	int r;
	while ((r = catalogue_next((struct span){copy, bytes.size}, &at, m.path, &m)) == 1) {
		if (k->count == capacity) {
			capacity = capacity ? capacity * 2 : 64;
			struct member *members = reallocarray(k->members, capacity, sizeof(*members));
			r = members ? 1 : -ENOMEM;
			k->members = members ? members : k->members;
		}
		if (r < 0)
			break;
		k->members[k->count++] = m;
	}
	if (r < 0) {
		catalogue_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

static int compare_paths(struct span a, struct span b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common ? memcmp(a.data, b.data, common) : 0;
	return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* The first member whose path is not before this one. */
static size_t lower_bound(const struct catalogue *k, struct span path)
{
	size_t low = 0, high = k->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare_paths(k->members[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct member *find_member(const struct catalogue *k, struct span path)
{
	size_t i = lower_bound(k, path);
	return i < k->count && span_equal(k->members[i].path, path) ? &k->members[i] : NULL;
}

static bool begins_with(struct span path, struct span folder)
{
	return path.size > folder.size && memcmp(path.data, folder.data, folder.size) == 0 && path.data[folder.size] == '/';
}

/* The first member below a folder, or k->count. Members below "a" need not follow "a" at once: "a-b" is before "a/b". */
static size_t first_below(const struct catalogue *k, struct span folder)
{
	char key[LIMIT_PATH_BYTES + 2];
	if (folder.size == 0)
		return 0;
	if (folder.size > LIMIT_PATH_BYTES)
		return k->count;
	memcpy(key, folder.data, folder.size);
	key[folder.size] = '/';
	size_t i = lower_bound(k, (struct span){key, folder.size + 1});
	return i < k->count && begins_with(k->members[i].path, folder) ? i : k->count;
}

/* --- which files are archives ---------------------------------------------------------------------------------------- */

/* What is known of a file that is an archive. */
struct opened {
	struct hash source; /* of its bytes */
	struct catalogue *catalogue;
};

/* Of a document at hand. 1 and a reference, 0 when it is no archive, -errno. */
static int open_doc(struct corpus *c, const struct corpus_doc *d, struct opened *ret)
{
	if (d->state != STORE_OK || d->syntax != TEXT_CATALOGUE)
		return 0;
	struct catalogue *k = catalogue_find(c->tree, &d->clean);
	if (!k) {
		int r = catalogue_parse((struct span){corpus_blob_data(d->text), corpus_blob_size(d->text)}, &d->clean, &k);
		if (r < 0)
			return r;
		catalogue_keep(c->tree, k);
	}
	*ret = (struct opened){d->source_hash, k};
	return 1;
}

/* Of what the store has; `ret` NULL: only whether it is one. */
static int open_stored(struct corpus *c, struct store_read *r, const struct store_file *file, struct opened *ret)
{
	struct store_doc doc;
	struct span bytes;
	if (file->state != STORE_OK)
		return 0;
	int result = store_get_doc(r, file->doc, &doc);
	if (result < 0 || doc.syntax != TEXT_CATALOGUE)
		return result < 0 ? result : 0;
	if (!ret)
		return 1;
	struct catalogue *k = catalogue_find(c->tree, &doc.clean);
	if (!k) {
		result = store_doc_text(r, file->doc, &bytes);
		if (result == 0)
			result = catalogue_parse(bytes, &doc.clean, &k);
		if (result < 0)
			return result;
		catalogue_keep(c->tree, k);
	}
	*ret = (struct opened){file->source, k};
	return 1;
}

/* Whether a file is an archive: 1 (with what is in it, unless `ret` is NULL), 0, -EINPROGRESS when it was not read in this version, or -errno. */
static int open_known(struct corpus *c, const char *path, const struct stat *st, struct opened *ret)
{
	struct store_stamp stamp = corpus_stamp(st);
	struct store_file file;
	struct store_read *r;
	if (ignore_check(c->ignore, path, false))
		return 0;
	struct corpus_doc *recent = jobs_recent(c, path, &stamp);
	if (recent) {
		int result = !ret ? recent->state == STORE_OK && recent->syntax == TEXT_CATALOGUE : open_doc(c, recent, ret);
		corpus_doc_unref(recent);
		return result;
	}
	int result = store_read_begin(c->store, &r);
	if (result < 0)
		return result;
	result = store_get_file(r, span_of(path), &file);
	if (result == 0)
		result = corpus_stamp_equal(&file.stamp, &stamp) ? open_stored(c, r, &file, ret) : -EINPROGRESS;
	store_read_end(r);
	return result == -ENOENT ? -EINPROGRESS : result;
}

/* Reads an archive now, without keeping anything. */
static int open_anew(struct corpus *c, const char *path, struct opened *ret)
{
	struct corpus_doc *d;
	int r = ingest_again(c, path, &d);
	if (r < 0)
		return r;
	r = open_doc(c, d, ret);
	corpus_doc_unref(d);
	return r;
}

/* --- finding a member ------------------------------------------------------------------------------------------------ */

struct place {
	char archive[LIMIT_PATH_BYTES + 1]; /* the innermost on the way */
	struct stat st;			    /* of it, as a file */
	unsigned depth;			    /* archives on the way */
	struct opened in;
	struct span inner;	     /* path below it; empty: itself */
	const struct member *member; /* NULL: a folder */
};

/* How to look: also into an archive that the path ends at; and whether an archive may be read now. */
enum { FIND_ENTER = 1, FIND_WORK = 2 };

static void member_stat(const struct place *p, const struct member *m, struct stat *ret)
{
	uint64_t parts[] = {p->st.st_ino, checksum64(m->path.data, m->path.size)};
	*ret = p->st;
	ret->st_mode = S_IFREG | (p->st.st_mode & 0777);
	ret->st_nlink = 1;
	ret->st_ino = checksum64(parts, sizeof(parts));
	ret->st_size = (off_t)m->size;
	ret->st_blocks = (blkcnt_t)((m->size + 511) / 512);
}

/* Who may read an archive may list it. */
static void folder_stat(const struct stat *archive, struct span inner, struct stat *ret)
{
	uint64_t parts[] = {archive->st_ino, checksum64(inner.data, inner.size), 1};
	mode_t readable = archive->st_mode & 0444;
	*ret = *archive;
	ret->st_mode = S_IFDIR | readable | readable >> 2;
	ret->st_ino = checksum64(parts, sizeof(parts));
}

/* The file of the source that a path goes through or ends at, into p->archive and p->st. */
static int find_outermost(struct corpus *c, const char *path, struct place *p)
{
	for (const char *end = path + strcspn(path, "/");; end += 1 + strcspn(end + 1, "/")) {
		size_t size = (size_t)(end - path);
		if (size > LIMIT_PATH_BYTES)
			return -ENAMETOOLONG;
		memcpy(p->archive, path, size);
		p->archive[size] = '\0';
		int r = source_stat(c->source, p->archive, &p->st);
		if (r < 0)
			return r;
		if (S_ISREG(p->st.st_mode))
			return 0;
		if (!S_ISDIR(p->st.st_mode) || !*end)
			return -ENOTDIR;
	}
}

/* From the archive of `p` to one in it, when the path goes through one. 1, 0 when there is none. */
static int find_inner(const char *path, struct place *p, unsigned how)
{
	for (size_t size = 0; size <= p->inner.size; size++) {
		bool end = size == p->inner.size;
		if (!end && p->inner.data[size] != '/')
			continue;
		const struct member *m = find_member(p->in.catalogue, (struct span){p->inner.data, size});
		if (!m || (end && !(how & FIND_ENTER)))
			continue;
		struct stat st;
		member_stat(p, m, &st);
		p->st = st;
		size_t whole = (size_t)(p->inner.data - path) + size;
		memcpy(p->archive, path, whole);
		p->archive[whole] = '\0';
		return 1;
	}
	return 0;
}

/* One archive on the way: opens it and looks into it. 1: go on with the next, which is in p->archive. */
static int find_step(struct corpus *c, const char *path, unsigned how, struct place *p)
{
	int r = open_known(c, p->archive, &p->st, &p->in);
	if (r == -EINPROGRESS && (how & FIND_WORK))
		r = open_anew(c, p->archive, &p->in);
	if (r <= 0)
		return r == 0 ? -ENOTDIR : r;
	p->depth++;
	const char *inner = path + strlen(p->archive);
	p->inner = span_of(inner + (*inner == '/'));
	if (p->inner.size == 0 || first_below(p->in.catalogue, p->inner) < p->in.catalogue->count)
		return 0;
	p->member = find_member(p->in.catalogue, p->inner);
	if (p->member && !(how & FIND_ENTER))
		return 0;
	p->member = NULL;
	r = find_inner(path, p, how);
	catalogue_put(c->tree, p->in.catalogue);
	p->in.catalogue = NULL;
	return r == 0 ? -ENOENT : r;
}

/* 0 with a reference to the catalogue, for place_release. On -EINPROGRESS p->archive is what has to be read. */
static int find(struct corpus *c, const char *path, unsigned how, struct place *p)
{
	p->depth = 0;
	p->member = NULL;
	p->in.catalogue = NULL;
	int r = find_outermost(c, path, p);
	if (r < 0)
		return r;
	do
		r = find_step(c, path, how, p);
	while (r == 1 && p->depth < LIMIT_ARCHIVE_DEPTH + 1);
	return r == 1 ? -ENOTDIR : r;
}

static void place_release(struct corpus *c, struct place *p)
{
	catalogue_put(c->tree, p->in.catalogue);
}

/* --- looking --------------------------------------------------------------------------------------------------------- */

static int stat_member(struct corpus *c, const char *path, struct stat *ret)
{
	struct place *CLEANUP_FREE p = malloc(sizeof(*p));
	int r = p ? find(c, path, 0, p) : -ENOMEM;
	if (r < 0)
		return r;
	if (p->member)
		member_stat(p, p->member, ret);
	else if (p->inner.size)
		folder_stat(&p->st, p->inner, ret);
	else
		*ret = p->st;
	place_release(c, p);
	return 0;
}

int tree_stat(struct corpus *c, const char *path, struct stat *ret)
{
	int r = source_stat(c->source, path, ret);
	return r == -ENOTDIR ? stat_member(c, path, ret) : r;
}

bool tree_may_be_archive(struct corpus *c, const char *path)
{
	struct stat st;
	if (!extract_name_may_be_archive(path_base_name(path)))
		return false;
	struct place *CLEANUP_FREE p = source_stat(c->source, path, &st) == -ENOTDIR ? malloc(sizeof(*p)) : NULL;
	if (!p || find(c, path, 0, p) < 0)
		return true;
	place_release(c, p);
	return p->depth < LIMIT_ARCHIVE_DEPTH;
}

int tree_stat_shown(struct corpus *c, const char *path, struct stat *ret)
{
	struct stat st;
	int r = tree_stat(c, path, &st);
	if (r == 0 && S_ISREG(st.st_mode)) {
		r = open_known(c, path, &st, NULL);
		if (r == 1)
			folder_stat(&st, (struct span){"", 0}, &st);
		else if (r == -EINPROGRESS && tree_may_be_archive(c, path))
			return r;
		r = r == -EINPROGRESS || r > 0 ? 0 : r;
	}
	if (r == 0)
		*ret = st;
	return r;
}

int tree_unread(struct corpus *c, const char *path, char ret[LIMIT_PATH_BYTES + 1])
{
	struct place *CLEANUP_FREE p = malloc(sizeof(*p));
	int r = p ? find(c, path, FIND_ENTER, p) : -ENOMEM;
	if (r == 0)
		place_release(c, p);
	if (r != -EINPROGRESS)
		return r == -ENOMEM ? r : -ENOENT;
	memcpy(ret, p->archive, strlen(p->archive) + 1);
	return 0;
}

/* Entries directly below a folder of a catalogue: members, and each folder once. */
static int list_members(const struct place *p, corpus_entry_fn *each, void *context)
{
	const struct catalogue *k = p->in.catalogue;
	size_t prefix = p->inner.size ? p->inner.size + 1 : 0;
	struct span last = {"", 0};
	char name[LIMIT_PATH_BYTES + 1];
	int r = 0;
	for (size_t i = first_below(k, p->inner); r == 0 && i < k->count; i++) {
		struct span path = k->members[i].path;
		if (p->inner.size && !begins_with(path, p->inner))
			break;
		const char *slash = memchr(path.data + prefix, '/', path.size - prefix);
		struct span entry = {path.data + prefix, (slash ? (size_t)(slash - path.data) : path.size) - prefix};
		/* Everything below one folder stands together. */
		if (entry.size > LIMIT_PATH_BYTES || (slash && span_equal(entry, last)))
			continue;
		memcpy(name, entry.data, entry.size);
		name[entry.size] = '\0';
		struct stat st;
		if (slash)
			folder_stat(&p->st, (struct span){path.data, prefix + entry.size}, &st);
		else
			member_stat(p, &k->members[i], &st);
		r = each(context, name, slash ? DT_DIR : DT_REG, st.st_ino);
		last = slash ? entry : last;
	}
	return r;
}

int tree_list(struct corpus *c, const char *path, corpus_entry_fn *each, void *context)
{
	int r = source_list(c->source, path, each, context);
	if (r != -ENOTDIR)
		return r;
	struct place *CLEANUP_FREE p = malloc(sizeof(*p));
	r = p ? find(c, path, FIND_ENTER, p) : -ENOMEM;
	if (r < 0)
		return r;
	r = list_members(p, each, context);
	place_release(c, p);
	return r;
}

/* --- walking --------------------------------------------------------------------------------------------------------- */

struct walk {
	struct corpus *c;
	bool racy_too;
	const struct source_visitor *visitor;
};

/* Whether the members of a file are to be walked with it. */
static bool is_walked(struct corpus *c, const char *path, const struct stat *st, bool racy_too)
{
	struct store_stamp stamp = corpus_stamp(st);
	struct store_file file;
	struct store_read *r;
	if (open_known(c, path, st, NULL) != 1)
		return false;
	if (racy_too)
		return true;
	bool settled = false;
	if (store_read_begin(c->store, &r) == 0) {
		settled = store_get_file(r, span_of(path), &file) == 0 && !file.racy && corpus_stamp_equal(&file.stamp, &stamp);
		store_read_end(r);
	}
	return settled;
}

/* Whether a folder on the way from the archive to a member is left out of the derived views. */
static bool is_hidden(struct corpus *c, char *path, size_t archive_size)
{
	bool hidden = false;
	for (char *slash = strchr(path + archive_size + 1, '/'); slash && !hidden; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		hidden = ignore_check(c->ignore, path, true) != IGNORE_NO;
		*slash = '/';
	}
	return hidden;
}

int tree_walk_members(struct corpus *c, const char *path, bool racy_too, const struct source_visitor *visitor)
{
	struct place *CLEANUP_FREE p = malloc(sizeof(*p));
	char *CLEANUP_FREE full = malloc(LIMIT_PATH_BYTES + 1);
	int r = p && full ? find(c, path, FIND_ENTER, p) : -ENOMEM;
	if (r < 0)
		return r == -ENOMEM ? r : 0; /* not read, or no archive */
	size_t size = strlen(path);
	const struct catalogue *k = p->in.catalogue;
	for (size_t i = 0; r == 0 && i < k->count && p->inner.size == 0; i++) {
		struct span inner = k->members[i].path;
		struct stat st;
		if (size + 1 + inner.size > LIMIT_PATH_BYTES)
			continue; /* cannot be named */
		(void)snprintf(full, LIMIT_PATH_BYTES + 1, "%s/%.*s", path, (int)inner.size, inner.data);
		if (is_hidden(c, full, size))
			continue;
		member_stat(p, &k->members[i], &st);
		r = visitor->file(visitor->context, full, &st);
		if (r == 0 && is_walked(c, full, &st, racy_too))
			r = tree_walk_members(c, full, racy_too, visitor);
	}
	place_release(c, p);
	return r;
}

static int walk_file(void *context, const char *path, const struct stat *st)
{
	const struct walk *w = context;
	int r = w->visitor->file(w->visitor->context, path, st);
	return r == 0 && is_walked(w->c, path, st, w->racy_too) ? tree_walk_members(w->c, path, w->racy_too, w->visitor) : r;
}

static bool walk_enter(void *context, const char *path)
{
	const struct walk *w = context;
	return !w->visitor->enter || w->visitor->enter(w->visitor->context, path);
}

static void walk_failed(void *context, const char *path, int error)
{
	const struct walk *w = context;
	if (w->visitor->failed)
		w->visitor->failed(w->visitor->context, path, error);
}

int tree_walk(struct corpus *c, const char *path, bool racy_too, const struct source_visitor *visitor)
{
	struct walk w = {c, racy_too, visitor};
	struct source_visitor wrapped = {.file = walk_file, .enter = walk_enter, .failed = walk_failed, .context = &w};
	return source_walk(c->source, path, &wrapped);
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *code, *message;
} reasons[MEMBER_STATES] = {
	[MEMBER_ENCRYPTED] = {"encrypted", "this member of the archive is encrypted"},
	[MEMBER_TOO_LARGE] = {"too-large", "this member of the archive is larger than what is unpacked of one (60 MB)"},
	[MEMBER_DAMAGED] = {"damaged", "this member of the archive is damaged"},
	[MEMBER_UNSUPPORTED] = {"unsupported", "this member of the archive is compressed by a method that is not read"},
};

static void give_reason(struct member_bytes *m, const char *code, const char *message)
{
	(void)snprintf(m->code, sizeof(m->code), "%s", code);
	(void)snprintf(m->message, sizeof(m->message), "%s", message);
}

static bool batch_has(const struct batch *b, const struct hash *archive, uint32_t ordinal, uint8_t *ret_state, struct span *ret)
{
	if (!b || !hash_equal(&b->archive, archive))
		return false;
	return (b->about.state == EXTRACT_FAILED && ordinal >= b->first) || archive_find_in_batch(buf_span(&b->bytes), ordinal, ret_state, ret) == 0;
}

/* 0 with a copy of the member, or with the reason why there is none; -ENOENT when no batch at hand has it. */
static int take_from_batches(struct tree *t, const struct hash *archive, uint32_t ordinal, struct member_bytes *m)
{
	struct span bytes = {"", 0};
	struct batch *b = NULL;
	uint8_t state = MEMBER_OK;
	(void)pthread_mutex_lock(&t->lock);
	for (int i = 0; i < KEPT_BATCHES && !b; i++)
		b = batch_has(t->batches[i], archive, ordinal, &state, &bytes) ? t->batches[i] : NULL;
	if (b) {
		b->refs++;
		b->used = ++t->clock;
	}
	(void)pthread_mutex_unlock(&t->lock);
	if (!b)
		return -ENOENT;
	int r = 0;
	if (b->about.state == EXTRACT_FAILED) {
		give_reason(m, b->about.code, b->about.message);
	} else if (state != MEMBER_OK) {
		give_reason(m, reasons[state].code, reasons[state].message);
	} else {
		m->data = malloc(bytes.size + 1);
		m->size = bytes.size;
		r = m->data ? 0 : -ENOMEM;
	}
	if (m->data && bytes.size)
		memcpy(m->data, bytes.data, bytes.size);
	batch_put(t, b);
	return r;
}

static int read_member(struct corpus *c, struct place *p, const char *path, struct member_bytes *m);

/* The bytes of an archive, in the version of its catalogue. */
static int read_archive(struct corpus *c, const struct place *p, char **ret, size_t *ret_size)
{
	struct member_bytes m = {0};
	int r = source_read_stable(c->source, p->archive, LIMIT_SOURCE_BYTES, &m.data, &m.size, &m.st);
	if (r == -ENOTDIR) {
		struct place *CLEANUP_FREE outer = malloc(sizeof(*outer));
		r = outer ? read_member(c, outer, p->archive, &m) : -ENOMEM;
	}
	if (r < 0)
		return r;
	struct hash h = hash_bytes((struct span){m.data ? m.data : "", m.size});
	if (!m.data || !hash_equal(&h, &p->in.source)) {
		free(m.data);
		return -EBUSY;
	}
	*ret = m.data;
	*ret_size = m.size;
	return 0;
}

/* Unpacks a batch that begins with this member, and keeps it. */
static int read_batch(struct corpus *c, const struct place *p, struct member_bytes *m)
{
	char *CLEANUP_FREE archive = NULL;
	size_t size;
	int r = read_archive(c, p, &archive, &size);
	struct batch *b = r == 0 ? calloc(1, sizeof(*b)) : NULL;
	if (!b)
		return r < 0 ? r : -ENOMEM;
	*b = (struct batch){.refs = 1, .archive = p->in.source, .first = p->member->ordinal};
	buf_init(&b->bytes, LIMIT_CLEAN_BYTES);
	r = archive_read_batch((struct span){archive, size}, p->member->ordinal, &b->bytes, &b->about);
	if (r == 0) {
		batch_keep(c->tree, b);
		r = take_from_batches(c->tree, &p->in.source, p->member->ordinal, m);
	}
	if (r == -ENOENT) {
		give_reason(m, reasons[MEMBER_DAMAGED].code, reasons[MEMBER_DAMAGED].message);
		r = 0;
	}
	batch_put(c->tree, b);
	return r;
}

static int read_member(struct corpus *c, struct place *p, const char *path, struct member_bytes *m)
{
	int r = find(c, path, FIND_WORK, p);
	if (r < 0)
		return r;
	r = p->member ? 0 : -EISDIR;
	if (r == 0) {
		member_stat(p, p->member, &m->st);
		m->depth = p->depth;
		if (p->member->state != MEMBER_OK)
			give_reason(m, reasons[p->member->state].code, reasons[p->member->state].message);
		else
			r = take_from_batches(c->tree, &p->in.source, p->member->ordinal, m);
		if (r == -ENOENT)
			r = read_batch(c, p, m);
	}
	place_release(c, p);
	return r;
}

int tree_read_member(struct corpus *c, const char *path, struct member_bytes *ret)
{
	struct place *CLEANUP_FREE p = malloc(sizeof(*p));
	struct member_bytes m = {0};
	int r = p ? find_outermost(c, path, p) : -ENOMEM;
	if (r == 0 && !path[strlen(p->archive)])
		r = -ENOTDIR;
	if (r < 0)
		return r;
	pthread_mutex_t *slot = &c->tree->reading[checksum64(p->archive, strlen(p->archive)) % READING_SLOTS];
	(void)pthread_mutex_lock(slot);
	r = read_member(c, p, path, &m);
	(void)pthread_mutex_unlock(slot);
	if (r == 0)
		*ret = m;
	return r;
}
