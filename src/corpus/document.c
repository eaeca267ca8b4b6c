/* One version of one document, as readers hold it, and the quick looks that do no work. */
#include "jobs.h"
#include "remote.h"
#include "tree.h"

#include "base/cleanup.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NPY_HEADER_BYTES = 128 };

enum chunk_syntax document_chunk_syntax(uint8_t text_syntax)
{
	switch ((enum text_syntax)text_syntax) {
	case TEXT_MARKDOWN:
		return CHUNK_MARKDOWN;
	case TEXT_RST:
		return CHUNK_RST;
	case TEXT_CODE:
		return CHUNK_CODE;
	case TEXT_TABLE:
		return CHUNK_TABLE;
	case TEXT_PLAIN:
	case TEXT_CATALOGUE:
		break;
	}
	return CHUNK_PLAIN;
}

struct store_stamp corpus_stamp(const struct stat *st)
{
	return (struct store_stamp){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
		.ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

bool corpus_stamp_equal(const struct store_stamp *a, const struct store_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

uint64_t corpus_version_of(const struct corpus *c, const struct store_stamp *stamp)
{
	uint64_t fields[6] = {stamp->dev, stamp->ino, stamp->size, (uint64_t)stamp->mtime_ns, (uint64_t)stamp->ctime_ns, atomic_load(&((struct corpus *)(uintptr_t)c)->fingerprint)};
	return checksum64(fields, sizeof(fields));
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

struct corpus_doc *document_new(struct corpus *c, const char *path)
{
	struct corpus_doc *d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	atomic_init(&d->refs, 1);
	d->corpus = c;
	d->path = strdup(path);
	char **strings[] = {&d->extractor, &d->media_type, &d->encoding, &d->title, &d->code, &d->message};
	bool complete = d->path != NULL;
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
		complete = (*strings[i] = calloc(1, 1)) && complete;
	if (complete)
		return d;
	corpus_doc_unref(d);
	return NULL;
}

struct corpus_doc *corpus_doc_ref(struct corpus_doc *d)
{
	(void)atomic_fetch_add(&d->refs, 1);
	return d;
}

void corpus_doc_unref(struct corpus_doc *d)
{
	if (!d || atomic_fetch_sub(&d->refs, 1) != 1)
		return;
	corpus_blob_unref(d->text);
	if (d->chunks)
		chunk_list_free(d->chunks);
	free(d->vectors);
	free(d->extractor);
	free(d->media_type);
	free(d->encoding);
	free(d->title);
	free(d->code);
	free(d->message);
	free(d->path);
	free(d);
}

bool document_is_archive(const struct corpus_doc *d)
{
	return d->state == STORE_OK && d->syntax == TEXT_CATALOGUE;
}

int document_error(const struct corpus_doc *d, enum corpus_view view)
{
	if (view == CORPUS_META || d->state == STORE_OK)
		return view != CORPUS_META && document_is_archive(d) ? -EISDIR : 0;
	return d->state == STORE_SKIPPED ? -ENOTSUP : -EIO;
}

/* --- loading ------------------------------------------------------------------------------------------------------- */

static int copy_span(char **field, struct span s)
{
	char *copy = strndup(s.data, s.size);
	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int copy_strings(struct corpus_doc *d, const struct store_extraction *x)
{
	struct {
		char **field;
		struct span value;
	} all[] = {{&d->extractor, x->extractor}, {&d->media_type, x->media_type}, {&d->encoding, x->encoding},
		   {&d->title, x->title},	  {&d->code, x->code},		   {&d->message, x->message}};
	int r = 0;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all) && r == 0; i++)
		r = copy_span(all[i].field, all[i].value);
	return r;
}

static int load_text(struct corpus_doc *d, struct store_read *r, uint32_t id)
{
	struct store_doc doc;
	struct span text, packed;
	int result = store_get_doc(r, id, &doc);
	if (result == 0)
		result = store_doc_text(r, id, &text);
	if (result < 0)
		return result == -ENOENT ? -EIO : result;
	char *copy = malloc(text.size + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	d->text = blob_new(copy, text.size);
	d->clean = doc.clean;
	d->id = id;
	if (!d->text)
		return -ENOMEM;
	result = *d->title ? 0 : copy_span(&d->title, doc.title);
	if (result < 0)
		return result;
	result = store_doc_chunks(r, id, &packed);
	if (result == 0)
		return chunk_list_unpack(packed, &d->chunks) == -ENOMEM ? -ENOMEM : d->chunks ? 0 : -EIO;
	if (result != -ENOENT)
		return result;
	d->rechunked = true;
	return chunk_split(document_is_archive(d) ? (struct span){"", 0} : text, document_chunk_syntax(d->syntax), &chunk_default_recipe, &d->chunks);
}

int document_load_extraction(struct corpus_doc *d, struct store_read *r, const struct hash *key)
{
	struct store_extraction x;
	int result = store_get_extraction(r, key, &x);
	if (result < 0)
		return result;
	d->extraction = *key;
	d->state = x.state;
	d->syntax = x.syntax;
	d->pages = x.pages;
	result = copy_strings(d, &x);
	return result < 0 || x.state != STORE_OK ? result : load_text(d, r, x.doc);
}

int document_load_stored(struct corpus *c, const char *path, const struct store_file *file, struct store_read *r, struct corpus_doc **ret)
{
	static const struct hash none;
	struct corpus_doc *d = document_new(c, path);
	if (!d)
		return -ENOMEM;
	d->stamp = file->stamp;
	d->version = corpus_version_of(c, &file->stamp);
	d->source_hash = file->source;
	d->has_source_hash = !hash_equal(&file->source, &none);
	int result = document_load_extraction(d, r, &file->extraction);
	if (result < 0) {
		corpus_doc_unref(d);
		return result;
	}
	*ret = d;
	return 0;
}

int document_load(struct corpus *c, const char *path, const struct stat *st, bool racy_too, struct corpus_doc **ret)
{
	struct store_stamp stamp = corpus_stamp(st);
	struct store_read *r;
	struct store_file file;
	int result = store_read_begin(c->store, &r);
	if (result < 0)
		return result;
	result = store_get_file(r, span_of(path), &file);
	if (result == 0 && (!corpus_stamp_equal(&file.stamp, &stamp) || (file.racy && !racy_too) || exclusion_outdated(c, path, &file.extraction) ||
			    extraction_outdated(c, r, path, &file)))
		result = -ENOENT;
	struct corpus_doc *d = NULL;
	if (result == 0)
		result = document_load_stored(c, path, &file, r, &d);
	store_read_end(r);
	if (result < 0)
		return result;
	d->source = *st;
	*ret = d;
	return 0;
}

static bool has_vectors(struct corpus_doc *d)
{
	struct corpus *c = d->corpus;
	(void)pthread_mutex_lock(&c->lock);
	bool known = d->vectors != NULL;
	(void)pthread_mutex_unlock(&c->lock);
	return known;
}

/* Takes the rows, unless another thread came first. */
static void keep_vectors(struct corpus_doc *d, float *x, uint32_t dims)
{
	struct corpus *c = d->corpus;
	(void)pthread_mutex_lock(&c->lock);
	float *unused = d->vectors ? x : NULL;
	if (!unused) {
		d->vectors = x;
		d->vector_dims = dims;
	}
	(void)pthread_mutex_unlock(&c->lock);
	free(unused);
}

int document_vectors(struct corpus_doc *d)
{
	struct corpus *c = d->corpus;
	struct remote_model m;
	struct err err;
	float *x;
	if (has_vectors(d))
		return 0;
	if (!remote_wanted(c))
		return document_embed(d);
	/* Rows of the built-in model in the place of the server's would be taken for those. */
	int r = remote_target(c, &m) ? remote_vectors(c, &m, d, &x, &err) : err_fail(&err, -EIO, "the embedding server was not reached yet");
	if (r < 0) {
		corpus_log(c, 5, "%s: no vectors: %s", d->path, err.text);
		return r == -ENOMEM || r == -ESHUTDOWN ? r : -EIO;
	}
	keep_vectors(d, x, m.identity.dims);
	return 0;
}

int document_embed(struct corpus_doc *d)
{
	struct corpus *c = d->corpus;
	if (has_vectors(d))
		return 0;
	if (!c->embedder)
		return -EIO;
	size_t count = d->chunks->count;
	struct chunk_passages CLEANUP(chunk_passages_release) passages = {0};
	float *CLEANUP_FREE x = malloc((count * c->space.dims + 1) * sizeof(*x));
	if (!x || chunk_passages_init(&passages, document_text(d), d->chunks) < 0)
		return -ENOMEM;
	struct err err;
	int r = count ? embed_texts(c->embedder, EMBED_PASSAGE, passages.texts, count, x, &err) : 0;
	if (r < 0) {
		corpus_log(c, 4, "%s: not embedded: %s", d->path, err.text);
		return r;
	}
	keep_vectors(d, STEAL(x), c->space.dims);
	return 0;
}

bool document_failure_may_pass(struct span code)
{
	static const char *const codes[] = {"memory", "killed", "timeout", "stuck", "no-helper", "no-program"};
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (span_equal(code, span_of(codes[i])))
			return true;
	return false;
}

bool document_has_vectors(struct corpus *c, struct store_read *r, const struct store_doc *doc)
{
	struct store_space space;
	struct store_vectors v;
	if (!c->embedder || !doc->indexed || doc->chunk_count == 0)
		return true;
	if (store_find_space(r, &c->space.fingerprint, &space) < 0 || store_vectors(r, space.number, doc->chunk_base / STORE_SEGMENT_CHUNKS, &v) < 0)
		return false;
	uint32_t at = doc->chunk_base % STORE_SEGMENT_CHUNKS;
	return at < v.count && !isnan(v.scales[at]);
}

struct span document_text(const struct corpus_doc *d)
{
	return (struct span){corpus_blob_data(d->text), corpus_blob_size(d->text)};
}

struct span document_chunk_text(const struct corpus_doc *d, uint32_t chunk)
{
	const struct chunk *k = &d->chunks->chunks[chunk];
	return (struct span){corpus_blob_data(d->text) + k->first, k->end - k->first};
}

/* --- looking ------------------------------------------------------------------------------------------------------- */

static uint64_t npy_size(struct corpus *c, uint64_t chunks)
{
	struct remote_model m;
	uint64_t dims = remote_target(c, &m) ? m.identity.dims : c->space.dims;
	return NPY_HEADER_BYTES + chunks * dims * sizeof(float);
}

/* Text is about as large as plain sources and a fraction of packed ones; never 0, which tools take for an empty file. */
static uint64_t estimate(struct corpus *c, enum corpus_view view, uint64_t source_size)
{
	uint64_t text = source_size ? source_size : 1;
	if (view == CORPUS_VECTORS)
		return npy_size(c, text / 900 + 1);
	return view == CORPUS_META ? 4096 : text;
}

static void look_meta_size(struct corpus *c, struct corpus_look *look)
{
	(void)pthread_mutex_lock(&c->lock);
	size_t slot = look->version % META_SIZES;
	look->exact = c->meta_sizes[slot].version == look->version;
	if (look->exact)
		look->size = c->meta_sizes[slot].size;
	(void)pthread_mutex_unlock(&c->lock);
}

static void look_sizes(struct corpus *c, enum corpus_view view, uint64_t text_size, uint64_t chunks, struct corpus_look *look)
{
	struct remote_model m;
	/* How wide the rows of a server are that was never seen, nobody knows. */
	look->exact = view != CORPUS_VECTORS || !remote_wanted(c) || remote_target(c, &m);
	look->chunks = (uint32_t)chunks;
	look->size = view == CORPUS_VECTORS ? npy_size(c, chunks) : text_size;
}

/* What the store knows of this version of the file; leaves `look` alone when it knows nothing. True when it is an archive. */
static bool look_into_store(struct corpus *c, const char *path, const struct store_stamp *stamp, enum corpus_view view,
			    struct corpus_look *look)
{
	struct store_read *r;
	struct store_file file;
	struct store_doc doc;
	bool archive = false;
	if (store_read_begin(c->store, &r) < 0)
		return false;
	if (store_get_file(r, span_of(path), &file) == 0 && corpus_stamp_equal(&file.stamp, stamp)) {
		bool found = file.state == STORE_OK && store_get_doc(r, file.doc, &doc) == 0;
		archive = found && doc.syntax == TEXT_CATALOGUE;
		look->known = true;
		look->has_text = file.state != STORE_SKIPPED && !archive;
		if (file.state == STORE_FAILED)
			look->error = -EIO;
		if (found && !archive && view != CORPUS_META && doc.chunk_count != UINT32_MAX)
			look_sizes(c, view, doc.text_size, doc.chunk_count, look);
	}
	store_read_end(r);
	return archive;
}

/* The same of a document that is on its way to the store. */
static bool look_into_doc(struct corpus *c, const struct corpus_doc *d, enum corpus_view view, struct corpus_look *look)
{
	bool archive = document_is_archive(d);
	look->known = true;
	look->has_text = d->state != STORE_SKIPPED && !archive;
	look->error = d->state == STORE_FAILED ? -EIO : 0;
	if (d->state == STORE_OK && !archive && view != CORPUS_META)
		look_sizes(c, view, corpus_blob_size(d->text), d->chunks->count, look);
	return archive;
}

int corpus_look(struct corpus *c, const char *path, enum corpus_view view, struct corpus_look *ret)
{
	struct corpus_look look = {0};
	int r = tree_stat(c, path, &look.source);
	if (r < 0)
		return r;
	if (!S_ISREG(look.source.st_mode))
		return S_ISDIR(look.source.st_mode) ? -EISDIR : -EINVAL;
	struct store_stamp stamp = corpus_stamp(&look.source);
	look.version = corpus_version_of(c, &stamp);
	look.has_text = extract_name_may_have_text(path_base_name(path));
	look.size = estimate(c, view, stamp.size);
	if (ignore_check(c->ignore, path, false)) {
		look.has_text = false;
		if (view == CORPUS_META)
			look_meta_size(c, &look);
		*ret = look;
		return 0;
	}
	struct corpus_doc *recent = jobs_recent(c, path, &stamp);
	bool archive = recent ? look_into_doc(c, recent, view, &look) : look_into_store(c, path, &stamp, view, &look);
	corpus_doc_unref(recent);
	if (view != CORPUS_META && archive)
		return -EISDIR;
	if (view != CORPUS_META && !look.known && tree_may_be_archive(c, path))
		return -EINPROGRESS;
	if (view == CORPUS_META)
		look_meta_size(c, &look);
	*ret = look;
	return 0;
}

bool corpus_hides_folder(struct corpus *c, const char *path)
{
	return ignore_check(c->ignore, path, true) != IGNORE_NO;
}

/* --- getting ------------------------------------------------------------------------------------------------------- */

/* Vectors of a document that is at hand are computed on a job thread: a large one takes a moment. */
struct vectors_task {
	struct task task;
	struct waiter *waiter;
	struct corpus_doc *doc;
};

static void drop_doc(void *object)
{
	corpus_doc_unref(object);
}

static void run_vectors(struct task *t, struct worker *w)
{
	struct vectors_task *v = (struct vectors_task *)t;
	int r = waits_alive(w->corpus, v->waiter) ? document_vectors(v->doc) : -ECANCELED;
	if (r < 0)
		corpus_doc_unref(v->doc);
	waits_finish(w->corpus, v->waiter, r, r < 0 ? NULL : v->doc, drop_doc);
	free(v);
}

static int get_vectors(struct corpus *c, struct corpus_wait *wait, struct corpus_doc *d)
{
	struct vectors_task *v = calloc(1, sizeof(*v));
	int r = v ? waits_open(c, wait, &v->waiter) : -ENOMEM;
	if (r < 0) {
		free(v);
		corpus_doc_unref(d);
		return r;
	}
	v->task.run = run_vectors;
	v->doc = d;
	/* A server may take its time, and searches are not to wait for it. */
	jobs_push(c->jobs, &v->task, remote_wanted(c) ? LANE_INTERACTIVE : LANE_SEARCH);
	return -EINPROGRESS;
}

int corpus_get(struct corpus *c, const char *path, enum corpus_view view, struct corpus_wait *wait, struct corpus_doc **ret)
{
	struct stat st;
	struct corpus_doc *d = NULL;
	int r = tree_stat(c, path, &st);
	if (r < 0 && r != -EINPROGRESS)
		return r;
	if (r == 0 && !S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	/* Of a member whose archive was not read nothing is known; its job reads both. */
	if (r == 0) {
		struct store_stamp stamp = corpus_stamp(&st);
		d = jobs_recent(c, path, &stamp);
		r = d ? 0 : document_load(c, path, &st, false, &d);
	}
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		if (c->options.access == CORPUS_READ_ONLY)
			return -EROFS;
		return c->options.fail_fast ? -EAGAIN : jobs_wait_for(c, path, view, wait);
	}
	r = document_error(d, view);
	if (r < 0) {
		corpus_doc_unref(d);
		return r;
	}
	if (view == CORPUS_VECTORS)
		return get_vectors(c, wait, d);
	*ret = d;
	return 0;
}

uint64_t corpus_doc_version(const struct corpus_doc *d)
{
	return d->version;
}

const struct stat *corpus_doc_source(const struct corpus_doc *d)
{
	return &d->source;
}

uint32_t corpus_doc_chunk_count(const struct corpus_doc *d)
{
	return d->chunks ? (uint32_t)d->chunks->count : 0;
}

uint32_t corpus_doc_chunk_size(const struct corpus_doc *d, uint32_t i)
{
	return i < corpus_doc_chunk_count(d) ? d->chunks->chunks[i].end - d->chunks->chunks[i].first : 0;
}

/* --- blobs of a document ------------------------------------------------------------------------------------------- */

/* NumPy format 1.0: magic, version, header length, a Python dictionary padded so that the data begins at a multiple of 64; here always at 128.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
static int npy_blob(const struct corpus_doc *d, struct corpus_blob **ret)
{
	size_t dims = d->vectors ? d->vector_dims : d->corpus->space.dims, bytes = d->chunks->count * dims * sizeof(float);
	char *data = malloc(NPY_HEADER_BYTES + bytes);
	if (!data)
		return -ENOMEM;
	memset(data, ' ', NPY_HEADER_BYTES);
	memcpy(data, "\x93NUMPY\x01\x00", 8);
	data[8] = NPY_HEADER_BYTES - 10;
	data[9] = 0;
	char text[NPY_HEADER_BYTES - 10];
	int n = snprintf(text, sizeof(text), "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", d->chunks->count, dims);
	memcpy(data + 10, text, (size_t)n);
	data[NPY_HEADER_BYTES - 1] = '\n';
	if (bytes)
		memcpy(data + NPY_HEADER_BYTES, d->vectors, bytes);
	*ret = blob_new(data, NPY_HEADER_BYTES + bytes);
	return *ret ? 0 : -ENOMEM;
}

static int meta_blob(struct corpus_doc *d, struct corpus_blob **ret)
{
	int r = document_meta(d, ret);
	if (r < 0)
		return r;
	struct corpus *c = d->corpus;
	(void)pthread_mutex_lock(&c->lock);
	c->meta_sizes[d->version % META_SIZES].version = d->version;
	c->meta_sizes[d->version % META_SIZES].size = corpus_blob_size(*ret);
	(void)pthread_mutex_unlock(&c->lock);
	return 0;
}

int corpus_doc_blob(struct corpus_doc *d, enum corpus_view view, uint32_t chunk, struct corpus_blob **ret)
{
	int r = document_error(d, view);
	if (r < 0)
		return r;
	switch (view) {
	case CORPUS_CLEAN:
		*ret = corpus_blob_ref(d->text);
		return 0;
	case CORPUS_CHUNKS:
		if (chunk >= d->chunks->count)
			return -ENOENT;
		*ret = blob_slice(d->text, d->chunks->chunks[chunk].first, corpus_doc_chunk_size(d, chunk));
		return *ret ? 0 : -ENOMEM;
	case CORPUS_VECTORS:
		return d->vectors || d->chunks->count == 0 ? npy_blob(d, ret) : -EINVAL;
	case CORPUS_META:
		return meta_blob(d, ret);
	}
	return -EINVAL;
}
