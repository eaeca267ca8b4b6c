/* Documents (distinct clean texts) and the extractions that lead to them. */
#include "store/internal.h"

#include <errno.h>

static struct span doc_key(uint32_t id, uint8_t key[4])
{
	key_u32(id, key);
	return (struct span){(const char *)key, 4};
}

int doc_get(struct store_read *r, uint32_t id, struct record_doc *ret, struct span *ret_title)
{
	uint8_t key[4];
	struct span payload;
	struct record_doc d;
	int error = record_get(r, TABLE_DOCS, doc_key(id, key), &payload);
	if (error != 0)
		return error;
	if (record_decode_doc(payload, &d, ret_title) != 0)
		return store_mark_damaged(r->s, "a document's record is wrong");
	if (d.epoch != r->counters->epoch) { /* of another recipe: there are no chunks */
		d.flags = 0;
		d.chunk_count = d.chunk_base = 0;
	}
	*ret = d;
	return 0;
}

static int doc_put(struct store_write *w, uint32_t id, const struct record_doc *d, struct span title, unsigned flags)
{
	uint8_t key[4];
	return record_put(w, TABLE_DOCS, doc_key(id, key), (struct span){(const char *)d, sizeof(*d)}, title, flags);
}

int doc_update(struct store_write *w, uint32_t id, const struct record_doc *d)
{
	struct record_doc old;
	struct span title;
	char copy[LIMIT_TITLE_BYTES];
	int error = doc_get(&w->view, id, &old, &title);
	if (error != 0)
		return error;
	/* The title is in the value that is about to be written over. */
	title.size = title.size < sizeof(copy) ? title.size : sizeof(copy);
	memcpy(copy, title.data, title.size);
	return doc_put(w, id, d, (struct span){copy, title.size}, 0);
}

int doc_add_path(struct store_write *w, uint32_t id, int change, uint32_t *ret_paths)
{
	struct record_doc d;
	struct span title;
	int error = doc_get(&w->view, id, &d, &title);
	if (error != 0)
		return error;
	if (change < 0 && d.paths == 0)
		return store_mark_damaged(w->s, "a document has fewer paths than files");
	struct counters *c = &w->counters;
	if (d.paths == 0) {
		c->orphans--;
		c->documents++;
		c->text_bytes += d.text_size;
	}
	d.paths = change < 0 ? d.paths - 1 : d.paths + 1;
	if (d.paths == 0) {
		c->orphans++;
		c->documents--;
		c->text_bytes -= d.text_size;
	}
	error = doc_update(w, id, &d);
	if (error != 0)
		return error;
	*ret_paths = d.paths;
	return 0;
}

int store_get_doc(struct store_read *r, uint32_t id, struct store_doc *ret)
{
	struct record_doc d;
	struct span title;
	int error = doc_get(r, id, &d, &title);
	if (error != 0)
		return error;
	*ret = (struct store_doc){.id = id,
	                          .syntax = d.syntax,
	                          .indexed = d.flags & DOC_LIVE,
	                          .clean = d.clean,
	                          .text_size = d.text_size,
	                          .chunk_base = d.chunk_base,
	                          .chunk_count = d.chunk_count,
	                          .paths = d.paths,
	                          .title = title};
	return 0;
}

static size_t hash_key(const struct hash *clean, uint8_t syntax, uint8_t out[HASH_SIZE + 1])
{
	memcpy(out, clean->bytes, HASH_SIZE);
	out[HASH_SIZE] = syntax;
	return HASH_SIZE + 1;
}

int store_find_doc(struct store_read *r, const struct hash *clean, uint8_t syntax, uint32_t *ret_id)
{
	uint8_t key[HASH_SIZE + 1];
	struct span payload;
	int error = record_get(r, TABLE_DOC_KEYS, (struct span){(char *)key, hash_key(clean, syntax, key)}, &payload);
	if (error != 0)
		return error;
	if (payload.size != sizeof(*ret_id))
		return store_mark_damaged(r->s, "a document's key is wrong");
	memcpy(ret_id, payload.data, sizeof(*ret_id));
	return 0;
}

enum { FETCH_BYTES = 64 << 10 }; /* below, the call would cost more than it saves */

static int get_item(struct store_read *r, enum table table, uint32_t pack, uint32_t at, uint32_t doc, uint32_t size,
                    struct span *ret)
{
	struct span payload;
	int error = pack_payload(r, table, pack, &payload);
	if (error != 0)
		return error;
	if (size >= FETCH_BYTES && at < payload.size && size <= payload.size - at)
		value_fetch(payload.data + at, size);
	if (item_decode(payload, at, doc, size, ret) != 0)
		return store_mark_damaged(r->s, "a text's checksum is wrong");
	return 0;
}

int store_doc_text(struct store_read *r, uint32_t id, struct span *ret)
{
	struct record_doc d;
	struct span title;
	int error = doc_get(r, id, &d, &title);
	return error != 0 ? error : get_item(r, TABLE_TEXTS, d.text_pack, d.text_at, id, d.text_size, ret);
}

int store_doc_chunks(struct store_read *r, uint32_t id, struct span *ret)
{
	struct record_doc d;
	struct span title;
	int error = doc_get(r, id, &d, &title);
	if (error != 0)
		return error;
	if (d.epoch != r->counters->epoch)
		return -ENOENT;
	return get_item(r, TABLE_CHUNKS, d.chunks_pack, d.chunks_at, id, d.chunks_size, ret);
}

static int put_chunks(struct store_write *w, uint32_t id, struct record_doc *d, struct span chunks, uint32_t chunk_count)
{
	int error = pack_add(w, &w->chunks, id, chunks, &d->chunks_pack, &d->chunks_at);
	if (error != 0)
		return error;
	d->epoch = w->counters.epoch;
	d->chunks_size = (uint32_t)chunks.size;
	d->chunk_count = chunk_count;
	d->chunk_base = 0;
	d->flags = 0;
	return 0;
}

static int put_new(struct store_write *w, struct span key, struct record_doc *d, struct span text, struct span chunks,
                   uint32_t chunk_count, struct span title, uint32_t *ret_id)
{
	uint32_t id = w->counters.next_doc;
	if (id == UINT32_MAX)
		return -EFBIG;
	d->text_size = (uint32_t)text.size;
	d->title_size = (uint16_t)title.size;
	int error = pack_add(w, &w->texts, id, text, &d->text_pack, &d->text_at);
	if (error == 0)
		error = put_chunks(w, id, d, chunks, chunk_count);
	if (error == 0)
		error = doc_put(w, id, d, title, MDB_APPEND);
	if (error == 0)
		error = record_put(w, TABLE_DOC_KEYS, key, (struct span){(char *)&id, sizeof(id)}, (struct span){"", 0}, 0);
	if (error != 0)
		return error;
	w->counters.next_doc++;
	w->counters.orphans++; /* until a file leads to it */
	*ret_id = id;
	return 0;
}

int store_put_doc(struct store_write *w, const struct hash *clean, uint8_t syntax, struct span text, struct span chunks,
                  uint32_t chunk_count, struct span title, uint32_t *ret_id)
{
	uint8_t key[HASH_SIZE + 1];
	struct record_doc d = {.clean = *clean, .syntax = syntax};
	struct span old_title;
	uint32_t id;
	if (text.size > LIMIT_CLEAN_BYTES || chunks.size > LIMIT_JSON_BYTES || chunk_count > LIMIT_CHUNKS)
		return -EFBIG;
	if (title.size > LIMIT_TITLE_BYTES)
		title.size = LIMIT_TITLE_BYTES;
	int error = store_find_doc(&w->view, clean, syntax, &id);
	if (error == -ENOENT)
		return put_new(w, (struct span){(char *)key, hash_key(clean, syntax, key)}, &d, text, chunks, chunk_count, title,
		               ret_id);
	if (error == 0 && (error = doc_get(&w->view, id, &d, &old_title)) == -ENOENT)
		error = store_mark_damaged(w->s, "a document is missing");
	if (error == 0 && d.epoch != w->counters.epoch) {
		error = put_chunks(w, id, &d, chunks, chunk_count);
		if (error == 0)
			error = doc_update(w, id, &d);
	}
	if (error != 0)
		return error;
	*ret_id = id;
	return 0;
}

/* --- extractions --------------------------------------------------------------------------------------------------- */

int store_get_extraction(struct store_read *r, const struct hash *key, struct store_extraction *ret)
{
	struct span payload;
	int error = record_get(r, TABLE_EXTRACTIONS, (struct span){(const char *)key->bytes, HASH_SIZE}, &payload);
	if (error != 0)
		return error;
	if (record_decode_extraction(payload, ret) != 0)
		return store_mark_damaged(r->s, "an extraction's record is wrong");
	return 0;
}

int store_put_extraction(struct store_write *w, const struct hash *key, const struct store_extraction *x)
{
	enum { STRING_MAX = 1024 };
	const struct span strings[EXTRACTION_STRINGS] = {x->extractor, x->media_type, x->encoding, x->title, x->code, x->message};
	struct record_extraction record = {.pages = x->pages, .doc = x->doc, .state = x->state, .syntax = x->syntax};
	char rest[EXTRACTION_STRINGS * STRING_MAX];
	size_t size = 0;
	if (x->state > STORE_FAILED || (x->doc != 0) != (x->state == STORE_OK))
		return -EINVAL;
	for (size_t i = 0; i < EXTRACTION_STRINGS; i++) {
		record.sizes[i] = (uint16_t)(strings[i].size < STRING_MAX ? strings[i].size : STRING_MAX);
		if (record.sizes[i])
			memcpy(rest + size, strings[i].data, record.sizes[i]);
		size += record.sizes[i];
	}
	return record_put(w, TABLE_EXTRACTIONS, (struct span){(const char *)key->bytes, HASH_SIZE},
	                  (struct span){(char *)&record, sizeof(record)}, (struct span){rest, size}, 0);
}
