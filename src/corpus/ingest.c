/* The flow of one document, in order:
 *
 *     source -> extract -> clean -> chunk -> words, embed -> store
 *
 * Up to `chunk` the result is what readers wait for, and they are answered from memory (ingest_read). What follows makes it findable and
 * durable (ingest_store). Everything is keyed by content: bytes that were seen before, under any name, are not worked on again. */
#include "jobs.h"
#include "tree.h"

#include "base/cleanup.h"
#include "clean/clean.h"
#include "extract/archive.h"
#include "search/search.h"
#include "vec/vec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The store drops what no path leads to when it is more than this share of all chunks. Low enough to bound disk and scan time, high enough that
 * edits and reverts of a day find their texts still there. */
#define COLLECT_SHARE 0.3

/* Of a document, to see what it is. */
enum { HEAD_BYTES = 4096 };

struct product {
	struct store_op op;
	struct job *job;
	struct corpus_doc *doc;
	bool known;		 /* the extraction is in the store already: only the file is new */
	struct store_file file;
	struct buf chunks;	 /* packed */
	char *terms_memory;	 /* one allocation behind `terms` */
	struct term_postings terms;
	uint8_t *rows;		 /* NULL when nothing could be embedded */
	float *scales;
	uint64_t *bits;
};

static void product_free(struct product *p)
{
	if (!p)
		return;
	corpus_doc_unref(p->doc);
	buf_release(&p->chunks);
	free(p->terms_memory);
	free(p->rows);
	free(p->scales);
	free(p->bits);
	free(p);
}

/* --- source, extract, clean, chunk --------------------------------------------------------------------------------- */

/* A stamp so young that a second change could carry the same one: git's rule for racy entries. Two seconds cover coarse file systems. */
static bool stamp_is_racy(const struct stat *st)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec - st->st_mtim.tv_sec < 2 || now.tv_sec - st->st_ctim.tv_sec < 2;
}

/* The key of an extraction: whatever its result depends on. */
static struct hash extraction_key(const struct extractor *x, const struct hash *source)
{
	uint8_t numbers[12] = {0};
	uint32_t values[3] = {x->version, (uint32_t)x->syntax, CLEAN_VERSION};
	for (size_t i = 0; i < sizeof(numbers); i++)
		numbers[i] = (uint8_t)(values[i / 4] >> (8 * (i % 4)));
	struct span parts[] = {{(const char *)source->bytes, HASH_SIZE}, span_of(x->name), {(const char *)numbers, sizeof(numbers)},
			       span_of(x->revision ? x->revision : "")};
	return hash_parts(parts, x->revision ? 4 : 3);
}

/* Of a file that was not read, the stamp stands for its bytes. */
static struct hash stamp_hash(const struct store_stamp *stamp)
{
	return hash_bytes((struct span){(const char *)stamp, sizeof(*stamp)});
}

struct made_from {
	struct hash source, extraction;
};

static bool made_by(const void *context, const struct extractor *x)
{
	const struct made_from *from = context;
	struct hash key = extraction_key(x, &from->source);
	return hash_equal(&key, &from->extraction);
}

bool extraction_outdated(struct corpus *c, struct store_read *r, const char *path, const struct store_file *file)
{
	static const struct hash none;
	struct store_extraction x;
	for (enum ignore_reason reason = IGNORE_VCS; reason <= IGNORE_RULE; reason++)
		if (hash_equal(&c->exclusion_keys[reason], &file->extraction))
			return false;
	if (store_get_extraction(r, &file->extraction, &x) < 0)
		return false;
	struct made_from from = {hash_equal(&file->source, &none) ? stamp_hash(&file->stamp) : file->source, file->extraction};
	/* The record has "text 1": what follows the last blank is the version, which is in the key. */
	const char *blank = x.extractor.size ? memrchr(x.extractor.data, ' ', x.extractor.size) : NULL;
	struct span extractor = {x.extractor.data, blank ? (size_t)(blank - x.extractor.data) : x.extractor.size};
	return !extract_find(extractor, x.media_type, path_base_name(path), made_by, &from);
}

static int set_string(char **field, const char *value)
{
	char *copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int set_state(struct corpus_doc *d, uint8_t state, const char *code, const char *message)
{
	d->state = state;
	int r = set_string(&d->code, code);
	return r < 0 ? r : set_string(&d->message, message);
}

/* extract -> clean: fills d->text. A text that turns out too large is a failure of the document, not of the call. */
static int make_clean(struct corpus_doc *d, const struct extract_result *x, bool paged)
{
	struct clean_options options = {.code = x->syntax == TEXT_CODE || x->syntax == TEXT_TABLE, .paged = paged};
	struct buf clean;
	buf_init(&clean, LIMIT_CLEAN_BYTES);
	int r = clean_text((struct span){x->text, x->text_size}, &options, &clean);
	if (r == -EFBIG) {
		buf_release(&clean);
		return set_state(d, STORE_FAILED, "too-large", "its text is larger than 64 MiB");
	}
	if (r == 0)
		r = blob_from_buf(&clean, &d->text);
	else
		buf_release(&clean);
	if (r == 0)
		d->clean = hash_bytes((struct span){corpus_blob_data(d->text), corpus_blob_size(d->text)});
	return r;
}

/* clean -> chunk. */
static int make_chunks(struct corpus_doc *d)
{
	struct span text = {corpus_blob_data(d->text), corpus_blob_size(d->text)};
	int r = chunk_split(text, document_chunk_syntax(d->syntax), &chunk_default_recipe, &d->chunks);
	if (r == -EFBIG) {
		corpus_blob_unref(d->text);
		d->text = NULL;
		return set_state(d, STORE_FAILED, "too-many-chunks", "its text falls into more than a million pieces");
	}
	if (r < 0 || *d->title)
		return r;
	struct span title = chunk_title(text, d->chunks);
	char *copy = strndup(title.data, title.size);
	if (!copy)
		return -ENOMEM;
	free(d->title);
	d->title = copy;
	return 0;
}

/* An archive: its catalogue stands in the place of the text, byte for byte, and has no chunks. What it says of itself goes along. */
static int keep_catalogue(struct corpus_doc *d, struct extract_result *x)
{
	d->text = blob_new(x->text, x->text_size);
	x->text = NULL;
	if (!d->text)
		return -ENOMEM;
	d->clean = hash_bytes((struct span){corpus_blob_data(d->text), corpus_blob_size(d->text)});
	int r = set_state(d, STORE_OK, x->code, x->message);
	return r < 0 ? r : chunk_split((struct span){"", 0}, CHUNK_PLAIN, &chunk_default_recipe, &d->chunks);
}

/* source -> extract -> clean -> chunk for bytes that were never seen. */
static int extract_document(struct corpus_doc *d, const struct extractor *x, struct span bytes)
{
	struct extract_result result;
	(void)atomic_fetch_add(&d->corpus->extractions, 1);
	int r = extract_run(x, bytes, path_base_name(d->path), &result);
	if (r < 0)
		return r;
	d->syntax = (uint8_t)result.syntax;
	d->pages = result.pages;
	r = set_string(&d->encoding, result.encoding);
	if (r == 0)
		r = set_string(&d->title, result.title);
	if (r == 0 && result.state == EXTRACT_OK && result.syntax == TEXT_CATALOGUE) {
		r = keep_catalogue(d, &result);
	} else if (r == 0 && result.state == EXTRACT_OK) {
		d->state = STORE_OK;
		/* Slides have pages too, but their lines are not broken by a typesetter. */
		r = make_clean(d, &result, strcmp(x->name, "pdf") == 0);
		if (r == 0 && d->state == STORE_OK)
			r = make_chunks(d);
	} else if (r == 0) {
		r = set_state(d, result.state == EXTRACT_SKIPPED ? STORE_SKIPPED : STORE_FAILED, result.code, result.message);
	}
	extract_result_release(&result);
	if (d->state == STORE_FAILED)
		(void)atomic_fetch_add(&d->corpus->failures, 1);
	return r;
}

static void set_stamp(struct corpus_doc *d, const struct stat *st)
{
	d->source = *st;
	d->stamp = corpus_stamp(st);
	d->version = corpus_version_of(d->corpus, &d->stamp);
}

static int set_extractor(struct corpus_doc *d, const struct extractor *x)
{
	char name[80];
	(void)snprintf(name, sizeof(name), "%s %u", x->name, x->version);
	int r = set_string(&d->extractor, name);
	return r < 0 ? r : set_string(&d->media_type, x->media_type ? x->media_type : "");
}

/* A document that is not read as a whole: a kind without text, or one over the limit. Its identity is its stamp. */
static int describe_unread(struct corpus_doc *d, const struct extractor *x, struct span head)
{
	struct hash stamp = stamp_hash(&d->stamp);
	d->extraction = extraction_key(x, &stamp);
	if (d->stamp.size > LIMIT_SOURCE_BYTES && strcmp(x->name, "none") != 0)
		return set_state(d, STORE_FAILED, "too-large", "the file is larger than 256 MiB; it is in raw/ only");
	return extract_document(d, x, head);
}

/* A document that the derived views leave out. It is not opened. */
static int describe_excluded(struct corpus_doc *d, enum ignore_reason reason)
{
	struct stat st;
	int r = tree_stat(d->corpus, d->path, &st);
	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	set_stamp(d, &st);
	d->extraction = exclusion_key(reason);
	r = set_string(&d->extractor, "none");
	return r < 0 ? r : set_state(d, STORE_SKIPPED, exclusion_code(reason), exclusion_message(reason));
}

static struct product *product_new(struct job *job, struct corpus_doc *doc, bool known)
{
	struct product *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->job = job;
	p->doc = corpus_doc_ref(doc);
	p->known = known;
	buf_init(&p->chunks, SIZE_MAX / 4);
	p->file = (struct store_file){
		.stamp = doc->stamp,
		.racy = stamp_is_racy(&doc->source),
		.state = doc->state,
		.source = doc->source_hash,
		.extraction = doc->extraction,
	};
	return p;
}

/* Whether these bytes were extracted before: then the document is loaded instead of made. *ret_complete: nothing about it has to be made. */
static int load_known(struct corpus *c, struct corpus_doc *d, bool *ret_complete)
{
	struct store_read *r;
	struct store_doc doc;
	int result = store_read_begin(c->store, &r);
	if (result < 0)
		return result;
	result = document_load_extraction(d, r, &d->extraction);
	/* An open is refused with the failure that is known: a job means that somebody wants another try. */
	if (result == 0 && d->state == STORE_FAILED && document_failure_may_pass(span_of(d->code))) {
		result = set_state(d, STORE_OK, "", "");
		result = result < 0 ? result : -ENOENT;
	}
	*ret_complete = result == 0 && !d->rechunked && (!d->id || (store_get_doc(r, d->id, &doc) == 0 && document_has_vectors(c, r, &doc)));
	store_read_end(r);
	return result;
}

/* extract -> clean -> chunk for a document's bytes, unless the store has what they give. */
static int ingest_whole(struct job *job, struct corpus_doc *d, const struct extractor *x, struct span bytes, bool *ret_known)
{
	int r = set_extractor(d, x);
	if (r < 0)
		return r;
	d->source_hash = hash_bytes(bytes);
	d->has_source_hash = true;
	d->extraction = extraction_key(x, &d->source_hash);
	r = job ? load_known(d->corpus, d, ret_known) : -ENOENT;
	if (r == -EIO)
		return extract_document(d, x, bytes);
	if (r != -ENOENT)
		return r;
	return job && !jobs_lead(job, &d->extraction) ? -EINPROGRESS : extract_document(d, x, bytes);
}

/* A member that cannot be read out of its archive: of no kind. */
static int describe_unreadable(struct corpus_doc *d, const struct member_bytes *m)
{
	const struct extractor *none = extract_choose((struct span){"\0", 1}, (struct span){"", 0});
	struct hash stamp = stamp_hash(&d->stamp);
	d->extraction = extraction_key(none, &stamp);
	int r = set_extractor(d, none);
	(void)atomic_fetch_add(&d->corpus->failures, 1);
	return r < 0 ? r : set_state(d, STORE_FAILED, m->code, m->message);
}

/* A document that lies in an archive. */
static int ingest_member(struct job *job, struct corpus_doc *d, bool *ret_known)
{
	struct member_bytes m;
	int r = tree_read_member(d->corpus, d->path, &m);
	if (r < 0)
		return r;
	(void)atomic_fetch_add(&d->corpus->source_bytes, m.size);
	set_stamp(d, &m.st);
	char *CLEANUP_FREE bytes = m.data;
	if (!bytes)
		return describe_unreadable(d, &m);
	struct span whole = {bytes, m.size}, head = {bytes, m.size < HEAD_BYTES ? m.size : HEAD_BYTES};
	const struct extractor *x = extract_choose(head, path_base_name(d->path));
	if (x->syntax == TEXT_CATALOGUE)
		x = m.depth < LIMIT_ARCHIVE_DEPTH ? archive_nested_extractor() : archive_unopened_extractor();
	if (strcmp(x->name, "none") != 0)
		return ingest_whole(job, d, x, whole, ret_known);
	r = set_extractor(d, x);
	return r < 0 ? r : describe_unread(d, x, head);
}

/* The deterministic half. Without a job it looks nothing up and everything is made anew. */
static int ingest_bytes(struct job *job, struct corpus_doc *d, const char *path, bool *ret_known)
{
	char head[HEAD_BYTES];
	struct stat st;
	enum ignore_reason excluded = ignore_check(d->corpus->ignore, path, false);
	if (excluded)
		return describe_excluded(d, excluded);
	ssize_t n = source_read_head(d->corpus->source, path, head, sizeof(head), &st);
	if (n == -ENOTDIR)
		return ingest_member(job, d, ret_known);
	if (n < 0)
		return (int)n;
	struct span name = path_base_name(path);
	const struct extractor *x = extract_choose((struct span){head, (size_t)n}, name);
	set_stamp(d, &st);
	int r = set_extractor(d, x);
	if (r < 0)
		return r;
	if (strcmp(x->name, "none") == 0 || (uint64_t)st.st_size > LIMIT_SOURCE_BYTES)
		return describe_unread(d, x, (struct span){head, (size_t)n});

	char *CLEANUP_FREE bytes = NULL;
	size_t size;
	r = source_read_stable(d->corpus->source, path, LIMIT_SOURCE_BYTES, &bytes, &size, &st);
	if (r < 0)
		return r;
	(void)atomic_fetch_add(&d->corpus->source_bytes, size);
	set_stamp(d, &st);
	/* The bytes may be newer than the head that was looked at. */
	x = extract_choose((struct span){bytes, size < sizeof(head) ? size : sizeof(head)}, name);
	return ingest_whole(job, d, x, (struct span){bytes, size}, ret_known);
}

int ingest_read(struct job *job, struct worker *w, struct corpus_doc **ret_doc, struct product **ret_product)
{
	struct corpus_doc *d = document_new(w->corpus, job->path);
	if (!d)
		return -ENOMEM;
	bool known = false;
	int r = ingest_bytes(job, d, d->path, &known);
	struct product *p = r == 0 ? product_new(job, d, known) : NULL;
	if (r == 0 && !p)
		r = -ENOMEM;
	if (r < 0) {
		corpus_doc_unref(d);
		return r;
	}
	*ret_doc = d;
	*ret_product = p;
	return 0;
}

int ingest_again(struct corpus *c, const char *path, struct corpus_doc **ret)
{
	struct corpus_doc *d = document_new(c, path);
	bool known;
	int r = d ? ingest_bytes(NULL, d, path, &known) : -ENOMEM;
	if (r < 0) {
		corpus_doc_unref(d);
		return r;
	}
	*ret = d;
	return 0;
}

/* --- words, embed -------------------------------------------------------------------------------------------------- */

/* Copies terms out of a thread's scratch memory into one allocation. */
static int copy_terms(const struct term_postings *from, struct term_postings *to, char **ret_memory)
{
	size_t text = 0;
	for (uint32_t i = 0; i < from->term_count; i++)
		text += from->terms[i].size;
	size_t terms = from->term_count * sizeof(struct term), postings = from->posting_count * sizeof(struct term_posting);
	size_t lengths = from->chunk_count * sizeof(uint32_t);
	char *memory = malloc(terms + postings + lengths + text + 1);
	if (!memory)
		return -ENOMEM;
	*to = *from;
	to->terms = (struct term *)(void *)memory;
	to->postings = (struct term_posting *)(void *)(memory + terms);
	to->chunk_lengths = (uint32_t *)(void *)(memory + terms + postings);
	char *at = memory + terms + postings + lengths;
	if (postings)
		memcpy(to->postings, from->postings, postings);
	if (lengths)
		memcpy(to->chunk_lengths, from->chunk_lengths, lengths);
	for (uint32_t i = 0; i < from->term_count; i++) {
		memcpy(at, from->terms[i].text, from->terms[i].size);
		to->terms[i] = (struct term){at, from->terms[i].size};
		at += from->terms[i].size;
	}
	*ret_memory = memory;
	return 0;
}

/* Float rows -> what the store keeps: int8 rows, scales, sign bits. */
static int pack_vectors(struct product *p, const float *x, size_t count, size_t dims)
{
	p->rows = malloc(count * dims + 1);
	p->scales = malloc(count * sizeof(float) + 1);
	p->bits = malloc(count * dims / 8 + 1);
	if (!p->rows || !p->scales || !p->bits)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		p->scales[i] = vec_quantise_row(x + i * dims, dims, p->rows + i * dims);
		vec_sign_bits(x + i * dims, dims, SEARCH_BITS_SEED, p->bits + i * (dims / 64));
	}
	return 0;
}

static int embed_product(struct corpus *c, struct product *p, const struct chunk_passages *passages)
{
	size_t count = passages->count;
	if (!c->embedder || count == 0)
		return 0;
	float *CLEANUP_FREE x = malloc(count * c->space.dims * sizeof(float));
	if (!x)
		return -ENOMEM;
	struct err err;
	int r = embed_texts(c->embedder, EMBED_PASSAGE, passages->texts, count, x, &err);
	if (r < 0) {
		/* The document is found by its words; its vectors are missing and searches say so. */
		corpus_log(c, 4, "%s: not embedded: %s", p->doc->path, err.text);
		return 0;
	}
	(void)atomic_fetch_add(&c->embedded_chunks, count);
	return pack_vectors(p, x, count, c->space.dims);
}

/* chunks -> words and vectors, for the store. */
static int make_findable(struct product *p, struct worker *w)
{
	struct corpus_doc *d = p->doc;
	if (p->known || d->state != STORE_OK)
		return 0;
	int r = chunk_list_pack(d->chunks, &p->chunks);
	if (r < 0)
		return r;
	struct chunk_passages CLEANUP(chunk_passages_release) passages = {0};
	r = chunk_passages_init(&passages, document_text(d), d->chunks);
	if (r < 0)
		return r;
	struct words *words;
	const struct term_postings *terms;
	r = worker_words(w, &words);
	if (r == 0)
		r = words_of_chunks(words, passages.texts, passages.count, &terms);
	if (r == 0)
		r = copy_terms(terms, &p->terms, &p->terms_memory);
	return r < 0 ? r : embed_product(w->corpus, p, &passages);
}

/* --- store (on the writer's thread) -------------------------------------------------------------------------------- */

/* Terms of a document that is in the store, from its text. Borrowed from c->writer_words. */
static int stored_terms(struct corpus *c, struct store_read *view, uint32_t id, const struct term_postings **ret)
{
	struct span text, packed;
	int r = store_doc_text(view, id, &text);
	if (r == 0)
		r = store_doc_chunks(view, id, &packed);
	struct chunk_list *chunks = NULL;
	if (r == 0)
		r = chunk_list_unpack(packed, &chunks);
	if (r < 0)
		return r;
	struct chunk_passages passages = {0};
	r = chunk_passages_init(&passages, text, chunks);
	if (r == 0)
		r = words_of_chunks(c->writer_words, passages.texts, passages.count, ret);
	chunk_passages_release(&passages);
	chunk_list_free(chunks);
	return r;
}

/* A document whose last path went away is not found any more; its text and vectors stay, in case it comes back. */
static int unindex_orphan(struct corpus *c, struct store_write *w, uint32_t id)
{
	const struct term_postings *terms;
	struct store_doc doc;
	int r = id ? store_get_doc(store_write_view(w), id, &doc) : -ENOENT;
	if (r == -ENOENT || (r == 0 && !doc.indexed))
		return 0;
	if (r == 0)
		r = stored_terms(c, store_write_view(w), id, &terms);
	return r < 0 ? r : store_unindex_doc(w, id, terms);
}

static int put_vectors(struct corpus *c, struct store_write *w, const struct product *p, uint32_t id)
{
	uint32_t space;
	int r = store_put_space(w, &c->space.fingerprint, span_of(c->space.name), c->space.dims, &space);
	return r < 0 ? r : store_put_vectors(w, space, id, p->rows, p->scales, p->bits, NULL);
}

static int index_new(struct corpus *c, struct store_write *w, const struct product *p, uint32_t id)
{
	int r = store_index_doc(w, id, &p->terms);
	return r == 0 && p->rows ? put_vectors(c, w, p, id) : r;
}

/* Makes a document that was seen before findable again (its vectors are still there). */
static int index_again(struct corpus *c, struct store_write *w, uint32_t id)
{
	const struct term_postings *terms;
	int r = stored_terms(c, store_write_view(w), id, &terms);
	return r < 0 ? r : store_index_doc(w, id, terms);
}

/* For a document that was indexed without. */
static int add_vectors(struct corpus *c, struct store_write *w, const struct product *p, const struct store_doc *doc)
{
	bool wanted = p->rows && p->doc->chunks->count == doc->chunk_count && !document_has_vectors(c, store_write_view(w), doc);
	return wanted ? put_vectors(c, w, p, doc->id) : 0;
}

static int put_document(struct store_write *w, const struct product *p, uint32_t *ret_id)
{
	const struct corpus_doc *d = p->doc;
	struct store_extraction x = {
		.state = d->state,
		.syntax = d->syntax,
		.pages = d->pages,
		.extractor = span_of(d->extractor),
		.media_type = span_of(d->media_type),
		.encoding = span_of(d->encoding),
		.title = span_of(d->title),
		.code = span_of(d->code),
		.message = span_of(d->message),
	};
	int r = 0;
	if (d->state == STORE_OK)
		r = store_put_doc(w, &d->clean, d->syntax, (struct span){corpus_blob_data(d->text), corpus_blob_size(d->text)},
				  buf_span(&p->chunks), (uint32_t)d->chunks->count, span_of(d->title), &x.doc);
	if (r == 0)
		r = store_put_extraction(w, &d->extraction, &x);
	if (r == 0)
		*ret_id = x.doc;
	return r;
}

static int run_product(struct store_write *w, struct store_op *op)
{
	struct product *p = (struct product *)op; /* op is the first member */
	struct corpus *c = p->job->corpus;
	struct store_file file = p->file;
	file.doc = p->doc->id;
	int r = 0;
	if (!p->known)
		r = put_document(w, p, &file.doc);
	uint32_t orphan = 0;
	if (r == 0)
		r = store_put_file(w, (struct span){p->doc->path, strlen(p->doc->path)}, &file, &orphan);
	if (r == 0)
		r = unindex_orphan(c, w, orphan);
	struct store_doc doc;
	if (r < 0 || !file.doc)
		return r;
	/* A search finds texts; an archive is none. */
	r = document_is_archive(p->doc) ? 0 : exact_note(w, p->doc->path, p->doc->title, file.doc);
	if (r < 0)
		return r;
	r = store_get_doc(store_write_view(w), file.doc, &doc);
	if (r < 0)
		return r;
	if (doc.indexed)
		return add_vectors(c, w, p, &doc);
	return p->known ? index_again(c, w, file.doc) : index_new(c, w, p, file.doc);
}

static void done_product(struct store_op *op, int result)
{
	struct product *p = (struct product *)op;
	struct job *job = p->job;
	product_free(p);
	jobs_committed(job, result);
}

void ingest_store(struct job *job, struct worker *w, struct corpus_doc *doc, struct product *p)
{
	int r = make_findable(p, w);
	corpus_doc_unref(doc);
	if (r < 0) {
		product_free(p);
		jobs_committed(job, r);
		return;
	}
	p->op.run = run_product;
	p->op.done = done_product;
	p->op.bytes = sizeof(*p) + p->chunks.size + p->terms.posting_count * sizeof(struct term_posting) +
		      (p->doc->text && !p->known ? corpus_blob_size(p->doc->text) : 0);
	p->op.urgent = job->task.lane == LANE_INTERACTIVE;
	jobs_settled(job);
	store_submit(w->corpus->store, &p->op);
}

/* --- removal ------------------------------------------------------------------------------------------------------- */

struct removal {
	struct store_op op;
	struct corpus *corpus;
	char *path;
};

static int run_removal(struct store_write *w, struct store_op *op)
{
	struct removal *x = (struct removal *)op;
	uint32_t orphan;
	int r = store_remove_file(w, span_of(x->path), &orphan);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : unindex_orphan(x->corpus, w, orphan);
}

static void done_removal(struct store_op *op, int result)
{
	struct removal *x = (struct removal *)op;
	if (result < 0)
		corpus_log(x->corpus, 3, "%s: still in the store although it is gone: %s", x->path, strerror(-result));
	free(x->path);
	free(x);
}

static int run_collect(struct store_write *w, struct store_op *op)
{
	(void)op;
	int r = store_collect(w, COLLECT_SHARE);
	return r < 0 ? r : 0;
}

static void done_collect(struct store_op *op, int result)
{
	(void)result; /* what could not be dropped now is looked at again when next idle */
	free(op);
}

void ingest_collect(struct corpus *c)
{
	struct store_op *op = calloc(1, sizeof(*op));
	if (!op)
		return;
	op->run = run_collect;
	op->done = done_collect;
	store_submit(c->store, op);
}

int ingest_remove(struct corpus *c, const char *path)
{
	struct removal *x = calloc(1, sizeof(*x));
	char *copy = strdup(path);
	if (!x || !copy) {
		free(x);
		free(copy);
		return -ENOMEM;
	}
	*x = (struct removal){.op = {.run = run_removal, .done = done_removal, .bytes = 256}, .corpus = c, .path = copy};
	store_submit(c->store, &x->op);
	return 0;
}
