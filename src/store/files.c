/* Paths: the table of files, and from a document back to its paths. */
#include "store/internal.h"

#include <errno.h>

static bool path_is_sane(struct span path)
{
	return path.size > 0 && path.size <= LIMIT_PATH_BYTES && !memchr(path.data, 0, path.size);
}

static struct span key_span(const uint8_t *key, size_t size)
{
	return (struct span){(const char *)key, size};
}

static void from_record(const struct record_file *f, struct store_file *ret)
{
	ret->stamp = (struct store_stamp){f->dev, f->ino, f->size, f->mtime_ns, f->ctime_ns};
	ret->racy = f->racy;
	ret->state = f->state;
	ret->source = f->source;
	ret->extraction = f->extraction;
	ret->doc = f->doc;
}

/* The record under a key; a cut key's record must be of this very path. */
static int get_record(struct store_read *r, struct span key, struct span path, struct record_file *ret)
{
	struct span payload, stored;
	int error = record_get(r, TABLE_FILES, key, &payload);
	if (error != 0)
		return error;
	struct record_file f;
	if (record_decode_file(payload, &f, &stored) != 0 || (f.path_size && !span_equal(stored, path)))
		return store_mark_damaged(r->s, "a file's record is wrong");
	*ret = f;
	return 0;
}

int store_get_file(struct store_read *r, struct span path, struct store_file *ret)
{
	uint8_t key[PATH_KEY_MAX];
	struct record_file f;
	if (!path_is_sane(path))
		return -ENOENT;
	int error = get_record(r, key_span(key, path_key(path, key)), path, &f);
	if (error != 0)
		return error;
	from_record(&f, ret);
	return 0;
}

static size_t doc_path_key(uint32_t doc, struct span path, uint8_t out[4 + PATH_KEY_MAX])
{
	key_u32(doc, out);
	return 4 + path_key(path, out + 4);
}

/* --- walking ------------------------------------------------------------------------------------------------------- */

static int open_cursor(struct store_read *r, enum table table, MDB_cursor **ret)
{
	int rc = mdb_cursor_open(r->txn, r->s->tables[table], ret);
	return txn_errno(rc);
}

/* 1 with the next record at or after *key (first) or after the cursor, 0 at the end, -errno. */
static int step(struct store_read *r, MDB_cursor *cursor, enum table table, bool first, MDB_val *key, struct span *ret_payload)
{
	MDB_val value;
	MDB_cursor_op op = !first ? MDB_NEXT : key->mv_size ? MDB_SET_RANGE : MDB_FIRST;
	int rc = mdb_cursor_get(cursor, key, &value, op);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return rc > 0 ? -rc : store_mark_damaged(r->s, mdb_strerror(rc));
	int error = record_take(r, table, key, &value, ret_payload);
	return error != 0 ? error : 1;
}

static bool key_begins_with(const MDB_val *key, struct span prefix)
{
	return key->mv_size >= prefix.size && memcmp(key->mv_data, prefix.data, prefix.size) == 0;
}

int store_each_file(struct store_read *r, struct span prefix,
                    int (*each)(void *context, struct span path, const struct store_file *file), void *context)
{
	/* A long path's key agrees with the path only up to the cut, so no more of the prefix can be looked for. */
	struct span begin = {prefix.data, prefix.size < PATH_KEY_CUT ? prefix.size : PATH_KEY_CUT};
	MDB_val key = {begin.size, (void *)(uintptr_t)begin.data};
	struct span payload, stored;
	MDB_cursor *cursor;
	int result = open_cursor(r, TABLE_FILES, &cursor);
	if (result < 0)
		return result;
	for (bool first = true; (result = step(r, cursor, TABLE_FILES, first, &key, &payload)) == 1; first = false) {
		struct record_file f;
		struct store_file file;
		if (!key_begins_with(&key, begin)) {
			result = 0;
			break;
		}
		if (record_decode_file(payload, &f, &stored) != 0) {
			result = store_mark_damaged(r->s, "a file's record is wrong");
			break;
		}
		struct span path = f.path_size ? stored : (struct span){key.mv_data, key.mv_size};
		if (path.size < prefix.size || memcmp(path.data, prefix.data, prefix.size) != 0)
			continue;
		from_record(&f, &file);
		result = each(context, path, &file);
		if (result != 0)
			break;
	}
	mdb_cursor_close(cursor);
	return result;
}

int store_each_doc_path(struct store_read *r, uint32_t id, int (*each)(void *context, struct span path), void *context)
{
	uint8_t begin[4];
	key_u32(id, begin);
	MDB_val key = {sizeof(begin), begin};
	struct span payload = {"", 0};
	MDB_cursor *cursor;
	int result = open_cursor(r, TABLE_DOC_PATHS, &cursor);
	if (result < 0)
		return result;
	for (bool first = true; (result = step(r, cursor, TABLE_DOC_PATHS, first, &key, &payload)) == 1; first = false) {
		if (!key_begins_with(&key, (struct span){(char *)begin, sizeof(begin)})) {
			result = 0;
			break;
		}
		result = each(context, payload.size ? payload : (struct span){(char *)key.mv_data + 4, key.mv_size - 4});
		if (result != 0)
			break;
	}
	mdb_cursor_close(cursor);
	return result;
}

/* --- changing ------------------------------------------------------------------------------------------------------ */

/* Takes a path away from a document; *ret_orphan is the document when that was its last. */
static int detach(struct store_write *w, struct span path, uint32_t doc, uint32_t *ret_orphan)
{
	uint8_t key[4 + PATH_KEY_MAX];
	uint32_t left;
	int error = table_delete(w, TABLE_DOC_PATHS, key_span(key, doc_path_key(doc, path, key)));
	if (error != 0)
		return error == -ENOENT ? store_mark_damaged(w->s, "a document does not know its path") : error;
	error = doc_add_path(w, doc, -1, &left);
	if (error != 0)
		return error == -ENOENT ? store_mark_damaged(w->s, "a document is missing") : error;
	*ret_orphan = left == 0 ? doc : 0;
	return 0;
}

static int attach(struct store_write *w, struct span path, uint32_t doc)
{
	uint8_t key[4 + PATH_KEY_MAX];
	uint32_t paths;
	size_t size = doc_path_key(doc, path, key);
	struct span stored = path.size > PATH_KEY_DIRECT ? path : (struct span){path.data, 0};
	int error = doc_add_path(w, doc, 1, &paths);
	return error != 0 ? error : record_put(w, TABLE_DOC_PATHS, key_span(key, size), stored, (struct span){path.data, 0}, 0);
}

int store_put_file(struct store_write *w, struct span path, const struct store_file *file, uint32_t *ret_orphan)
{
	uint8_t buffer[PATH_KEY_MAX];
	struct record_file old = {0};
	uint32_t orphan = 0;
	if (!path_is_sane(path) || file->state > STORE_FAILED || (file->doc != 0) != (file->state == STORE_OK))
		return -EINVAL;
	struct span key = key_span(buffer, path_key(path, buffer));
	int error = get_record(&w->view, key, path, &old);
	if (error != 0 && error != -ENOENT)
		return error;
	if (error == 0)
		w->counters.files[old.state]--;
	if (old.doc != file->doc) {
		/* The new document first: when it does not exist, nothing has been changed. */
		error = file->doc ? attach(w, path, file->doc) : 0;
		if (error == 0 && old.doc)
			error = detach(w, path, old.doc, &orphan);
		if (error != 0)
			return error;
	}
	struct record_file f = {.dev = file->stamp.dev,
	                        .ino = file->stamp.ino,
	                        .size = file->stamp.size,
	                        .mtime_ns = file->stamp.mtime_ns,
	                        .ctime_ns = file->stamp.ctime_ns,
	                        .doc = file->doc,
	                        .state = file->state,
	                        .racy = file->racy,
	                        .path_size = path.size > PATH_KEY_DIRECT ? (uint16_t)path.size : 0,
	                        .source = file->source,
	                        .extraction = file->extraction};
	error = record_put(w, TABLE_FILES, key, (struct span){(char *)&f, sizeof(f)}, (struct span){path.data, f.path_size}, 0);
	if (error != 0)
		return error;
	w->counters.files[file->state]++;
	w->changed = true;
	*ret_orphan = orphan;
	return 0;
}

int store_remove_file(struct store_write *w, struct span path, uint32_t *ret_orphan)
{
	uint8_t buffer[PATH_KEY_MAX];
	struct record_file old;
	uint32_t orphan = 0;
	if (!path_is_sane(path))
		return -ENOENT;
	struct span key = key_span(buffer, path_key(path, buffer));
	int error = get_record(&w->view, key, path, &old);
	if (error == 0)
		error = table_delete(w, TABLE_FILES, key);
	if (error == 0 && old.doc)
		error = detach(w, path, old.doc, &orphan);
	if (error != 0)
		return error;
	w->counters.files[old.state]--;
	w->changed = true;
	*ret_orphan = orphan;
	return 0;
}

int store_counts(struct store_read *r, struct store_counts *ret)
{
	const struct counters *c = r->counters;
	*ret = (struct store_counts){.files = c->files[STORE_OK] + c->files[STORE_SKIPPED] + c->files[STORE_FAILED],
	                             .ok = c->files[STORE_OK],
	                             .skipped = c->files[STORE_SKIPPED],
	                             .failed = c->files[STORE_FAILED],
	                             .documents = c->documents,
	                             .indexed_documents = c->indexed_documents,
	                             .text_bytes = c->text_bytes};
	return 0;
}
