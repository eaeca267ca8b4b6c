/* tables/: the index as JSON lines, one row a document or one row a chunk (docs/tables.md).
 *
 * The rows are written into a file without a name beside the store, which the blob maps. Held in memory they would need as much of it as the corpus has
 * text; made anew for each page that is read, nobody could say how large the file is, let alone jump to its end. The file goes with its last reader,
 * and with the process.
 *
 * All rows of a table come from one read transaction: a table is the index of one moment, whatever is written meanwhile. */
#include "remote.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WRITE_BYTES = 256 << 10 };

struct writing {
	struct corpus *c;
	enum corpus_table table;
	struct store_read *read;
	struct access *access;
	struct remote_model remote;
	const struct embed_space *space; /* of vectors/, or NULL */
	bool (*wanted)(void *context);
	void *context;
	int fd;
	struct buf rows; /* not written yet */
};

static void add_text(struct jsonw *j, const char *key, const char *text)
{
	jsonw_key(j, key);
	/* A lone surrogate, which the writer would give for a byte that is not UTF-8, makes whole tables unreadable for others. */
	if (*text && utf8_is_valid(span_of(text)))
		jsonw_string(j, text);
	else
		jsonw_null(j);
}

static void add_hash(struct jsonw *j, const char *key, const struct hash *h)
{
	char hex[HASH_HEX_SIZE] = "";
	if (h)
		hash_hex(h, hex);
	add_text(j, key, hex);
}

/* Counts from 1: 0 is "has none". */
static void add_ordinal(struct jsonw *j, const char *key, uint64_t value)
{
	jsonw_key(j, key);
	if (value)
		jsonw_uint(j, value);
	else
		jsonw_null(j);
}

static void document_row(struct writing *t, const struct corpus_doc *d)
{
	bool has_text = d->state == STORE_OK && !document_is_archive(d);
	const struct embed_space *space = has_text ? t->space : NULL;
	struct jsonw j;
	jsonw_init(&j, &t->rows);
	jsonw_object(&j);
	add_text(&j, "path", d->path);
	add_text(&j, "state", document_state_name(d));
	add_text(&j, "title", has_text ? d->title : "");
	add_hash(&j, "source_sha256", d->has_source_hash ? &d->source_hash : NULL);
	jsonw_uint_member(&j, "source_bytes", d->stamp.size);
	jsonw_key(&j, "source_mtime_ns");
	jsonw_int(&j, d->stamp.mtime_ns);
	add_text(&j, "extractor", d->extractor);
	add_text(&j, "media_type", d->media_type);
	add_text(&j, "encoding", d->encoding);
	add_ordinal(&j, "pages", d->pages);
	add_hash(&j, "clean_sha256", has_text ? &d->clean : NULL);
	jsonw_key(&j, "clean_bytes");
	if (has_text)
		jsonw_uint(&j, corpus_blob_size(d->text));
	else
		jsonw_null(&j);
	jsonw_uint_member(&j, "chunks", corpus_doc_chunk_count(d));
	add_text(&j, "model", space ? space->name : "");
	add_hash(&j, "model_fingerprint", space ? &space->fingerprint : NULL);
	add_text(&j, "error_code", has_text ? "" : d->code);
	add_text(&j, "error_message", has_text ? "" : d->message);
	jsonw_object_end(&j);
	buf_add_char(&t->rows, '\n');
}

static void chunk_row(struct writing *t, const struct corpus_doc *d, uint32_t i)
{
	const struct chunk *k = &d->chunks->chunks[i];
	struct span text = document_chunk_text(d, i);
	struct hash h = hash_bytes(text);
	struct jsonw j;
	jsonw_init(&j, &t->rows);
	jsonw_object(&j);
	add_text(&j, "path", d->path);
	jsonw_uint_member(&j, "chunk", i + 1);
	jsonw_uint_member(&j, "first_byte", k->first);
	jsonw_uint_member(&j, "end_byte", k->end);
	jsonw_uint_member(&j, "first_line", k->line_first);
	jsonw_uint_member(&j, "last_line", k->line_last);
	add_ordinal(&j, "page", k->page);
	document_add_headings(&j, d->chunks, k->heading);
	add_hash(&j, "sha256", &h);
	jsonw_key(&j, "text");
	jsonw_span(&j, text);
	jsonw_object_end(&j);
	buf_add_char(&t->rows, '\n');
}

static int flush(struct writing *t)
{
	if (buf_error(&t->rows))
		return buf_error(&t->rows);
	for (size_t at = 0; at < t->rows.size;) {
		ssize_t n = write(t->fd, t->rows.data + at, t->rows.size - at);
		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	buf_reset(&t->rows);
	return t->wanted && !t->wanted(t->context) ? -ECANCELED : 0;
}

static int flush_full(struct writing *t)
{
	return t->rows.size < WRITE_BYTES ? buf_error(&t->rows) : flush(t);
}

static int write_rows(struct writing *t, const struct corpus_doc *d)
{
	int r = 0;
	if (t->table == CORPUS_TABLE_DOCUMENTS)
		document_row(t, d);
	else
		for (uint32_t i = 0; r == 0 && i < corpus_doc_chunk_count(d); i++) {
			chunk_row(t, d, i);
			r = flush_full(t);
		}
	return r < 0 ? r : flush_full(t);
}

static int write_file(void *context, struct span path, const struct store_file *file)
{
	struct writing *t = context;
	char name[LIMIT_PATH_BYTES + 1];
	struct stat st;
	/* An excluded folder is no document; a path that is not UTF-8 has no honest form in JSON. */
	if (path.size > LIMIT_PATH_BYTES || path.data[path.size - 1] == '/' || !utf8_is_valid(path))
		return 0;
	memcpy(name, path.data, path.size);
	name[path.size] = '\0';
	if (!access_may_read(t->access, name, &st) || exclusion_outdated(t->c, name, &file->extraction))
		return 0;
	struct corpus_doc *d = NULL;
	int r = document_load_stored(t->c, name, file, t->read, &d);
	if (r == 0)
		r = write_rows(t, d);
	else if (r == -ENOENT)
		r = 0;
	corpus_doc_unref(d);
	return r;
}

static int write_table(struct writing *t)
{
	int r = store_read_begin(t->c->store, &t->read);
	if (r < 0)
		return r;
	r = store_each_file(t->read, span_of(""), write_file, t);
	store_read_end(t->read);
	return r < 0 ? r : flush(t);
}

int corpus_table(struct corpus *c, enum corpus_table table, const struct corpus_caller *caller, bool (*wanted)(void *context), void *context,
		 struct corpus_blob **ret)
{
	struct writing t = {.c = c, .table = table, .wanted = wanted, .context = context};
	int CLEANUP_FD fd = -1;
	int r = access_new(c, caller, &t.access);
	if (r == 0)
		r = store_scratch_file(c->store, &fd);
	t.fd = fd;
	buf_init(&t.rows, LIMIT_JSON_BYTES);
	t.space = document_space(c, &t.remote);
	if (r == 0)
		r = write_table(&t);
	buf_release(&t.rows);
	access_free(t.access);
	return r < 0 ? r : blob_from_file(fd, ret);
}
