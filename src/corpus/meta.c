/* meta/<path>.json: the lineage of one document, from its bytes to its chunks. A function of the document's version and of what the
 * embedding server made of its chunks. The
 * schema is in docs/mount-views.md. */
#include "remote.h"

#include "base/json.h"
#include "clean/clean.h"
#include "extract/archive.h"

#include <string.h>

static void add_hash(struct jsonw *j, const char *key, const struct hash *h)
{
	char hex[HASH_HEX_SIZE];
	hash_hex(h, hex);
	jsonw_key(j, key);
	jsonw_string(j, hex);
}

static void add_text(struct jsonw *j, const char *key, const char *text)
{
	jsonw_key(j, key);
	jsonw_string(j, text);
}

static void add_source(struct jsonw *j, const struct corpus_doc *d)
{
	jsonw_key(j, "source");
	jsonw_object(j);
	if (d->has_source_hash)
		add_hash(j, "sha256", &d->source_hash);
	jsonw_uint_member(j, "bytes", d->stamp.size);
	jsonw_key(j, "mtime_ns");
	jsonw_int(j, d->stamp.mtime_ns);
	jsonw_object_end(j);
}

static void add_extraction(struct jsonw *j, const struct corpus_doc *d)
{
	jsonw_key(j, "extractor");
	jsonw_object(j);
	add_text(j, "name", d->extractor);
	add_text(j, "media_type", d->media_type);
	if (*d->encoding)
		add_text(j, "encoding", d->encoding);
	if (d->pages)
		jsonw_uint_member(j, "pages", d->pages);
	add_hash(j, "key", &d->extraction);
	add_text(j, "programs", extract_fingerprint());
	jsonw_object_end(j);
}

static void add_error(struct jsonw *j, const struct corpus_doc *d)
{
	jsonw_key(j, "error");
	jsonw_object(j);
	add_text(j, "stage", "extract");
	add_text(j, "code", d->code);
	add_text(j, "message", d->message);
	jsonw_object_end(j);
}

void document_add_headings(struct jsonw *j, const struct chunk_list *list, uint32_t heading)
{
	uint32_t path[64];
	size_t depth = 0;
	for (; heading && depth < 64; heading = list->headings[heading - 1].parent)
		path[depth++] = heading;
	jsonw_key(j, "heading");
	jsonw_array(j);
	while (depth)
		jsonw_span(j, chunk_heading_text(list, path[--depth]));
	jsonw_array_end(j);
}

/* What became of a chunk's passage at the embedding server, where that is not the plain thing. */
static void add_mark(struct jsonw *j, const struct corpus_doc *d, uint32_t i, struct store_read *read, const struct remote_model *m)
{
	struct buf passage;
	buf_init(&passage, LIMIT_CLEAN_BYTES + CHUNK_PASSAGE_EXTRA);
	bool made = read && chunk_passage(document_text(d), d->chunks, i, &passage) == 0;
	enum embed_mark mark = made ? remote_mark(read, m, buf_span(&passage)) : EMBED_WHOLE;
	buf_release(&passage);
	if (mark == EMBED_IN_PIECES)
		add_text(j, "vector", "in pieces");
	else if (mark == EMBED_REFUSED)
		add_text(j, "vector", "refused");
}

static void add_chunk(struct jsonw *j, const struct corpus_doc *d, uint32_t i, struct store_read *read, const struct remote_model *m)
{
	const struct chunk *k = &d->chunks->chunks[i];
	struct hash h = hash_bytes(document_chunk_text(d, i));
	jsonw_object(j);
	jsonw_uint_member(j, "chunk", i + 1);
	jsonw_pair_member(j, "bytes", k->first, k->end);
	jsonw_pair_member(j, "lines", k->line_first, k->line_last);
	if (k->page)
		jsonw_uint_member(j, "page", k->page);
	document_add_headings(j, d->chunks, k->heading);
	add_hash(j, "sha256", &h);
	add_mark(j, d, i, read, m);
	jsonw_object_end(j);
}

const struct embed_space *document_space(struct corpus *c, struct remote_model *m)
{
	if (remote_target(c, m))
		return &m->space;
	return c->embedder ? &c->space : NULL;
}

static void add_recipe(struct jsonw *j, const struct corpus_doc *d)
{
	jsonw_key(j, "chunker");
	jsonw_object(j);
	jsonw_uint_member(j, "version", chunk_default_recipe.version);
	jsonw_uint_member(j, "target_words", chunk_default_recipe.target_words);
	jsonw_uint_member(j, "max_words", chunk_default_recipe.max_words);
	jsonw_uint_member(j, "min_words", chunk_default_recipe.min_words);
	jsonw_object_end(j);
	struct remote_model m;
	const struct embed_space *space = document_space(d->corpus, &m);
	bool remote = space == &m.space;
	if (space) {
		jsonw_key(j, "model");
		jsonw_object(j);
		add_text(j, "name", space->name);
		jsonw_uint_member(j, "dims", remote ? m.identity.dims : space->dims);
		add_hash(j, "fingerprint", &space->fingerprint);
		jsonw_object_end(j);
	}
	jsonw_key(j, "chunks");
	jsonw_array(j);
	struct store_read *read = NULL;
	if (remote && store_read_begin(d->corpus->store, &read) < 0)
		read = NULL;
	for (uint32_t i = 0; i < d->chunks->count; i++)
		add_chunk(j, d, i, read, &m);
	store_read_end(read);
	jsonw_array_end(j);
}

/* What can be said of an archive as a whole; its members have records of their own. */
static void add_archive(struct jsonw *j, const struct corpus_doc *d)
{
	struct span catalogue = {corpus_blob_data(d->text), corpus_blob_size(d->text)};
	struct member m = {.path = {"", 0}};
	uint64_t members = 0, bytes = 0;
	for (size_t at = 0; catalogue_next(catalogue, &at, m.path, &m) == 1; members++)
		bytes += m.size;
	jsonw_key(j, "archive");
	jsonw_object(j);
	jsonw_uint_member(j, "members", members);
	jsonw_uint_member(j, "bytes", bytes);
	jsonw_object_end(j);
}

const char *document_state_name(const struct corpus_doc *d)
{
	static const char *const names[] = {[STORE_OK] = "ok", [STORE_SKIPPED] = "skipped", [STORE_FAILED] = "failed"};
	return names[d->state];
}

int document_meta(const struct corpus_doc *d, struct corpus_blob **ret)
{
	struct buf out;
	struct jsonw j;
	buf_init(&out, LIMIT_JSON_BYTES);
	jsonw_init(&j, &out);
	jsonw_object(&j);
	add_text(&j, "path", d->path);
	add_text(&j, "state", document_state_name(d));
	add_source(&j, d);
	add_extraction(&j, d);
	if (document_is_archive(d)) {
		add_archive(&j, d);
		if (*d->code)
			add_error(&j, d);
	} else if (d->state == STORE_OK) {
		if (*d->title)
			add_text(&j, "title", d->title);
		jsonw_key(&j, "clean");
		jsonw_object(&j);
		add_hash(&j, "sha256", &d->clean);
		jsonw_uint_member(&j, "bytes", corpus_blob_size(d->text));
		jsonw_uint_member(&j, "version", CLEAN_VERSION);
		jsonw_object_end(&j);
		add_recipe(&j, d);
	} else {
		add_error(&j, d);
	}
	jsonw_object_end(&j);
	buf_add_char(&out, '\n');
	return blob_from_buf(&out, ret);
}
