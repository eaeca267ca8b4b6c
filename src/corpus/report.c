/* status/: what the corpus is doing and what went wrong, as files with stable schemas (docs/mount-views.md). */
#include "jobs.h"
#include "remote.h"

#include "base/json.h"
#include "vec/vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void add_text(struct jsonw *j, const char *key, const char *text)
{
	jsonw_key(j, key);
	jsonw_string(j, text);
}

struct figures {
	struct store_counts counts;
	struct store_index_stats index;
	uint64_t generation, used, map;
	uint64_t pending; /* files still to be looked at or worked on */
	bool complete;	  /* the index is that of the source as far as anybody knows */
	bool everything;  /* the caller may read all: then what all documents together give is told as well */
};

/* The counts of what the caller may read. */
static int gather_visible(struct corpus *c, const struct corpus_caller *caller, struct store_read *r, struct figures *f)
{
	struct access *access;
	int result = access_new(c, caller, &access);
	if (result < 0)
		return result;
	f->everything = access_sees_everything(access);
	if (!f->everything)
		result = counts_visible(r, access, &f->counts, &f->index.live_chunks);
	access_free(access);
	return result;
}

static int gather(struct corpus *c, const struct corpus_caller *caller, struct figures *f)
{
	*f = (struct figures){0};
	struct store_read *r;
	int result = store_read_begin(c->store, &r);
	if (result < 0)
		return result;
	(void)store_counts(r, &f->counts);
	(void)store_index_stats(r, &f->index);
	f->generation = store_read_generation(r);
	result = gather_visible(c, caller, r, f);
	store_read_end(r);
	(void)store_sizes(c->store, &f->used, &f->map);
	f->pending = jobs_outstanding(c);
	f->complete = indexer_idle(c);
	return result;
}

static void add_store(struct jsonw *j, const struct corpus *c, const struct figures *f)
{
	jsonw_key(j, "store");
	jsonw_object(j);
	if (f->everything) {
		jsonw_uint_member(j, "bytes", f->used);
		jsonw_uint_member(j, "map_bytes", f->map);
		jsonw_uint_member(j, "generation", f->generation);
	}
	jsonw_key(j, "damaged");
	jsonw_bool(j, store_damaged(c->store));
	if (*c->reset_reason)
		add_text(j, "begun_anew", c->reset_reason);
	jsonw_object_end(j);
}

static void add_work(struct jsonw *j, struct corpus *c, const struct figures *f)
{
	struct refresh_progress *p = indexer_progress(c);
	char current[LIMIT_PATH_BYTES + 1];
	jsonw_uint_member(j, "queued", f->pending);
	if (p) {
		jsonw_uint_member(j, "looked_at", atomic_load(&p->files));
		jsonw_uint_member(j, "done", atomic_load(&p->done));
		jsonw_uint_member(j, "bytes", atomic_load(&p->bytes));
		jsonw_key(j, "walked");
		jsonw_bool(j, atomic_load(&p->walked));
	}
	if (jobs_current(c, current, sizeof(current)))
		add_text(j, "current", current);
}

static void add_indexer(struct jsonw *j, struct corpus *c, const struct figures *f)
{
	jsonw_key(j, "indexer");
	jsonw_object(j);
	add_text(j, "state", !indexer_progress(c) ? "off" : f->complete ? "idle" : "working");
	if (f->everything)
		add_work(j, c, f);
	jsonw_key(j, "watching");
	jsonw_bool(j, source_watch_complete(c->source));
	jsonw_object_end(j);
}

static void form_status(struct corpus *c, const struct figures *f, struct buf *out)
{
	struct jsonw j;
	jsonw_init(&j, out);
	jsonw_object(&j);
	add_text(&j, "version", corpus_version());
	add_text(&j, "source", source_path(c->source));
	(void)pthread_mutex_lock(&c->lock);
	if (c->mountpoint)
		add_text(&j, "mountpoint", c->mountpoint);
	(void)pthread_mutex_unlock(&c->lock);
	jsonw_uint_member(&j, "pid", (uint64_t)getpid());
	jsonw_uint_member(&j, "uptime_seconds", (uint64_t)(time(NULL) - c->started));
	jsonw_key(&j, "files");
	jsonw_object(&j);
	jsonw_uint_member(&j, "known", f->counts.files);
	jsonw_uint_member(&j, "ok", f->counts.ok);
	jsonw_uint_member(&j, "skipped", f->counts.skipped);
	jsonw_uint_member(&j, "failed", f->counts.failed);
	jsonw_object_end(&j);
	jsonw_uint_member(&j, "documents", f->counts.documents);
	jsonw_uint_member(&j, "indexed_documents", f->counts.indexed_documents);
	jsonw_uint_member(&j, "text_bytes", f->counts.text_bytes);
	jsonw_uint_member(&j, "chunks", f->index.live_chunks);
	jsonw_key(&j, "complete");
	jsonw_bool(&j, f->complete);
	add_indexer(&j, c, f);
	jsonw_key(&j, "model");
	jsonw_object(&j);
	add_text(&j, "name", c->embedder ? c->space.name : "none");
	jsonw_uint_member(&j, "dims", c->space.dims);
	add_text(&j, "simd", vec_level_name());
	jsonw_key(&j, "degraded");
	jsonw_bool(&j, !c->embedder);
	jsonw_object_end(&j);
	remote_status(c, &j);
	add_text(&j, "extractors", extract_fingerprint());
	add_text(&j, "sandbox", extract_sandbox_describe());
	add_store(&j, c, f);
	jsonw_object_end(&j);
	buf_add_char(out, '\n');
}

/* The Prometheus text format, version 0.0.4. */
static void add_metric(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	buf_addf(out, "# HELP corpusfs_%s %s\n# TYPE corpusfs_%s %s\ncorpusfs_%s %llu\n", name, help, name, type, name, (unsigned long long)value);
}

static void form_metrics(struct corpus *c, const struct figures *f, struct buf *out)
{
	add_metric(out, "files", "gauge", "Files known to the store.", f->counts.files);
	add_metric(out, "files_ok", "gauge", "Files with text.", f->counts.ok);
	add_metric(out, "files_skipped", "gauge", "Files of a kind without text.", f->counts.skipped);
	add_metric(out, "files_failed", "gauge", "Files that could not be extracted.", f->counts.failed);
	add_metric(out, "documents", "gauge", "Distinct texts.", f->counts.documents);
	add_metric(out, "documents_indexed", "gauge", "Distinct texts that searches find.", f->counts.indexed_documents);
	add_metric(out, "chunks", "gauge", "Chunks that searches find.", f->index.live_chunks);
	add_metric(out, "text_bytes", "gauge", "Bytes of clean text.", f->counts.text_bytes);
	add_metric(out, "complete", "gauge", "1 when the index is up to date.", f->complete);
	if (!f->everything)
		return;
	add_metric(out, "store_bytes", "gauge", "Bytes of the store in use.", f->used);
	add_metric(out, "queue", "gauge", "Files waiting for the indexer or being worked on.", f->pending);
	add_metric(out, "searches_total", "counter", "Searches run.", atomic_load(&c->searches));
	add_metric(out, "extractions_total", "counter", "Documents extracted.", atomic_load(&c->extractions));
	add_metric(out, "extraction_failures_total", "counter", "Documents that could not be extracted.", atomic_load(&c->failures));
	add_metric(out, "embedded_chunks_total", "counter", "Chunks embedded.", atomic_load(&c->embedded_chunks));
	add_metric(out, "source_bytes_total", "counter", "Bytes read from the source for extraction.", atomic_load(&c->source_bytes));
	add_metric(out, "store_errors_total", "counter", "Results that could not be kept in the store.", atomic_load(&c->store_errors));
	remote_metrics(c, out);
}

static void form_readme(struct buf *out)
{
	buf_add_string(out,
		       "This folder is a corpusfs mount: a read-only view of a folder of documents. Everything is an ordinary file.\n"
		       "\n"
		       "raw/PATH               the original, byte for byte\n"
		       "clean/PATH.txt         its text: UTF-8, Markdown headings and tables\n"
		       "chunks/PATH/0001.txt   its text in pieces of about a paragraph or two, in order\n"
		       "vectors/PATH.npy       one float32 row a chunk (numpy.load reads it)\n"
		       "meta/PATH.json         where the text came from: hashes, extractor, chunk positions, errors\n"
		       "                       (a ZIP, TAR or 7z file is a folder here, and what is in it are documents)\n"
		       "search/QUERY/          the best chunks for a query, one file each, in rank order\n"
		       "similar/PATH/          the nearest documents to a document\n"
		       "tables/                documents.jsonl, chunks.jsonl: one row a document, one row a chunk\n"
		       "status/                status.json, errors.jsonl, skipped.jsonl, metrics\n"
		       "\n"
		       "To search, look a path up; nothing has to be created first:\n"
		       "\n"
		       "    ls  'search/how long is the notice period/'\n"
		       "    cat 'search/how long is the notice period/'*\n"
		       "    cat 'search/how long is the notice period/.context.md'       passages with citations, ready for a prompt\n"
		       "    cat 'search/how long is the notice period/.results.jsonl'    one hit a line: path, lines, page, score, text\n"
		       "\n"
		       "Options are folders before the query: search/@k=50/@mode=keyword/@in=handbook/@type=pdf/QUERY/\n"
		       "A slash in a query is written %2F, a leading @ %40, a leading dot %2E.\n"
		       "\n"
		       "The first open of a file computes it; from then on it is kept. Sizes shown before that are estimates.\n"
		       "A file that cannot be read says why in meta/PATH.json and status/errors.jsonl.\n");
}

/* --- errors.jsonl, skipped.jsonl ------------------------------------------------------------------------------------ */

struct listing {
	struct corpus *c;
	struct store_read *read;
	struct access *access;
	uint8_t state;
	struct buf *out;
};

/* An archive that is shown, but not all of it, is among the errors. */
static bool is_listed(const struct listing *l, const struct store_file *file)
{
	struct store_doc doc;
	return file->state == l->state || (l->state == STORE_FAILED && file->state == STORE_OK && store_get_doc(l->read, file->doc, &doc) == 0 &&
					    doc.syntax == TEXT_CATALOGUE);
}

static int list_file(void *context, struct span path, const struct store_file *file)
{
	struct listing *l = context;
	char name[LIMIT_PATH_BYTES + 1];
	struct store_extraction x;
	struct stat st;
	if (path.size > LIMIT_PATH_BYTES || !is_listed(l, file))
		return 0;
	memcpy(name, path.data, path.size);
	name[path.size] = '\0';
	bool folder = path.size && name[path.size - 1] == '/'; /* an excluded one */
	bool may_see = folder ? access_may_see(l->access, name) : access_may_read(l->access, name, &st);
	if (!may_see || store_get_extraction(l->read, &file->extraction, &x) < 0 || (file->state == STORE_OK && x.code.size == 0))
		return 0;
	struct jsonw j;
	jsonw_init(&j, l->out);
	jsonw_object(&j);
	add_text(&j, "path", name);
	add_text(&j, "stage", "extract");
	jsonw_key(&j, "code");
	jsonw_span(&j, x.code);
	jsonw_key(&j, "message");
	jsonw_span(&j, x.message);
	jsonw_key(&j, "media_type");
	jsonw_span(&j, x.media_type);
	jsonw_uint_member(&j, "bytes", file->stamp.size);
	jsonw_object_end(&j);
	buf_add_char(l->out, '\n');
	return buf_error(l->out);
}

static int form_listing(struct corpus *c, const struct corpus_caller *caller, uint8_t state, struct buf *out)
{
	struct listing l = {.c = c, .state = state, .out = out};
	int r = access_new(c, caller, &l.access);
	if (r == 0)
		r = store_read_begin(c->store, &l.read);
	if (r == 0) {
		r = store_each_file(l.read, span_of(""), list_file, &l);
		store_read_end(l.read);
	}
	access_free(l.access);
	return r;
}

int corpus_report(struct corpus *c, enum corpus_report report, const struct corpus_caller *caller, struct corpus_blob **ret)
{
	struct buf out;
	struct figures f;
	buf_init(&out, LIMIT_JSON_BYTES);
	int r = 0;
	switch (report) {
	case CORPUS_STATUS_JSON:
	case CORPUS_METRICS:
		r = gather(c, caller, &f);
		if (r == 0 && report == CORPUS_STATUS_JSON)
			form_status(c, &f, &out);
		else if (r == 0)
			form_metrics(c, &f, &out);
		break;
	case CORPUS_ERRORS_JSONL:
		r = form_listing(c, caller, STORE_FAILED, &out);
		break;
	case CORPUS_SKIPPED_JSONL:
		r = form_listing(c, caller, STORE_SKIPPED, &out);
		break;
	case CORPUS_README:
		form_readme(&out);
		break;
	}
	if (r < 0) {
		buf_release(&out);
		return r;
	}
	return blob_from_buf(&out, ret);
}
