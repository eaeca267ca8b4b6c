/* Dropping documents that no path leads to, with everything that was kept for them. What remains is numbered anew without gaps, in
 * the same order, so that scans and searchers' scratch memory do not grow with the history of a corpus. One transaction, which
 * holds the rewritten index in memory (about 0.4 of the text) until it is committed: hence only when idle, and only past a share.
 */
#include "store/internal.h"

#include <errno.h>
#include <stdlib.h>

/* A document as the collection sees it. */
struct kept {
	uint32_t doc, old_base, new_base, count;
};

struct collection {
	struct kept *kept; /* with chunk ids, by old_base */
	size_t kept_count, kept_capacity;
	uint32_t *dropped; /* rising */
	size_t dropped_count, dropped_capacity;
	uint32_t *packs[2]; /* texts, chunk lists: packs that hold something dropped; sorted, repeated */
	size_t pack_counts[2], pack_capacities[2];
	uint32_t *renamed; /* new id of each chunk, UINT32_MAX: gone */
};

static void collection_release(struct collection *c)
{
	free(c->kept);
	free(c->dropped);
	free(c->packs[0]);
	free(c->packs[1]);
	free(c->renamed);
}

static int make_room(void **array, size_t *capacity, size_t count, size_t size)
{
	if (count < *capacity)
		return 0;
	size_t more = *capacity ? 2 * *capacity : 256;
	void *grown = realloc(*array, more * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = more;
	return 0;
}

static int add_number(uint32_t **array, size_t *count, size_t *capacity, uint32_t value)
{
	if (make_room((void **)array, capacity, *count, sizeof(value)) < 0)
		return -ENOMEM;
	(*array)[(*count)++] = value;
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static int compare_bases(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;
	return x->old_base != y->old_base ? (x->old_base > y->old_base) - (x->old_base < y->old_base)
	                                  : (x->count > y->count) - (x->count < y->count);
}

static bool has_number(const uint32_t *array, size_t count, uint32_t value)
{
	return count && bsearch(&value, array, count, sizeof(value), compare_numbers);
}

/* --- what goes and what stays -------------------------------------------------------------------------------------- */

static int sort_doc(struct collection *c, uint32_t id, const struct record_doc *d, uint32_t epoch)
{
	if (d->paths > 0) {
		if (!(d->flags & DOC_HAS_IDS))
			return 0;
		if (make_room((void **)&c->kept, &c->kept_capacity, c->kept_count, sizeof(*c->kept)) < 0)
			return -ENOMEM;
		c->kept[c->kept_count++] = (struct kept){id, d->chunk_base, 0, d->chunk_count};
		return 0;
	}
	int error = add_number(&c->dropped, &c->dropped_count, &c->dropped_capacity, id);
	if (error == 0)
		error = add_number(&c->packs[0], &c->pack_counts[0], &c->pack_capacities[0], d->text_pack);
	if (error == 0 && d->epoch == epoch)
		error = add_number(&c->packs[1], &c->pack_counts[1], &c->pack_capacities[1], d->chunks_pack);
	return error;
}

/* Calls `each` for every document. It may change the record of the document it is given. */
static int each_doc(struct store_write *w, int (*each)(struct store_write *w, void *context, uint32_t id, struct record_doc *d),
                    void *context)
{
	for (uint32_t id = 1; id < w->counters.next_doc; id++) {
		struct record_doc d;
		struct span title;
		int error = doc_get(&w->view, id, &d, &title);
		if (error == 0)
			error = each(w, context, id, &d);
		if (error != 0 && error != -ENOENT) /* collected before */
			return error;
	}
	return 0;
}

static int sort_one(struct store_write *w, void *context, uint32_t id, struct record_doc *d)
{
	return sort_doc(context, id, d, w->counters.epoch);
}

/* New ids in the order of the old. */
static int number_chunks(struct store_write *w, struct collection *c)
{
	uint32_t next = 0, old_end = 0;
	if (c->kept_count)
		qsort(c->kept, c->kept_count, sizeof(*c->kept), compare_bases);
	c->renamed = malloc((w->counters.next_chunk + (size_t)1) * sizeof(*c->renamed));
	if (!c->renamed)
		return -ENOMEM;
	memset(c->renamed, 0xff, w->counters.next_chunk * sizeof(*c->renamed));
	for (size_t i = 0; i < c->kept_count; i++) {
		struct kept *k = &c->kept[i];
		if (k->old_base < old_end || k->old_base > w->counters.next_chunk ||
		    k->count > w->counters.next_chunk - k->old_base)
			return store_mark_damaged(w->s, "two documents share chunks");
		old_end = k->old_base + k->count;
		k->new_base = next;
		for (uint32_t j = 0; j < k->count; j++)
			c->renamed[k->old_base + j] = next++;
	}
	return 0;
}

/* --- documents ----------------------------------------------------------------------------------------------------- */

static int drop_doc(struct store_write *w, uint32_t id)
{
	uint8_t key[HASH_SIZE + 8];
	struct record_doc d;
	struct span title;
	int error = doc_get(&w->view, id, &d, &title);
	if (error != 0)
		return error;
	memcpy(key, d.clean.bytes, HASH_SIZE);
	key[HASH_SIZE] = d.syntax;
	error = table_delete(w, TABLE_DOC_KEYS, (struct span){(char *)key, HASH_SIZE + 1});
	for (uint32_t space = 1; space < w->counters.next_space && error == 0; space++) {
		key_u32(space, key);
		key_u32(id, key + 4);
		error = table_delete(w, TABLE_FLOATS, (struct span){(char *)key, 8});
		error = error == -ENOENT ? 0 : error;
	}
	key_u32(id, key);
	if (error == 0)
		error = table_delete(w, TABLE_DOCS, (struct span){(char *)key, 4});
	return error == -ENOENT ? store_mark_damaged(w->s, "a document has no key") : error;
}

/* Moves a kept document's text and chunks out of packs that go. */
static int move_items(struct store_write *w, void *context, uint32_t id, struct record_doc *d)
{
	const struct collection *c = context;
	struct span data;
	int error = 0;
	bool text = has_number(c->packs[0], c->pack_counts[0], d->text_pack),
	     chunks = d->epoch == w->counters.epoch && has_number(c->packs[1], c->pack_counts[1], d->chunks_pack);
	if (text)
		error = store_doc_text(&w->view, id, &data);
	if (text && error == 0)
		error = pack_add(w, &w->texts, id, data, &d->text_pack, &d->text_at);
	if (chunks && error == 0)
		error = store_doc_chunks(&w->view, id, &data);
	if (chunks && error == 0)
		error = pack_add(w, &w->chunks, id, data, &d->chunks_pack, &d->chunks_at);
	return error == 0 && (text || chunks) ? doc_update(w, id, d) : error;
}

static int drop_packs(struct store_write *w, enum table table, const uint32_t *packs, size_t count)
{
	uint8_t key[4];
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && packs[i] == packs[i - 1])
			continue;
		key_u32(packs[i], key);
		int error = table_delete(w, table, (struct span){(char *)key, sizeof(key)});
		if (error != 0)
			return error == -ENOENT ? store_mark_damaged(w->s, "a pack is missing") : error;
	}
	return 0;
}

static int drop_documents(struct store_write *w, struct collection *c)
{
	static const enum table tables[] = {TABLE_TEXTS, TABLE_CHUNKS};
	int error = 0;
	/* What this batch holds back must be in the tables before packs are looked up and removed there. */
	if ((error = pack_flush(w, &w->texts)) < 0 || (error = pack_flush(w, &w->chunks)) < 0)
		return error;
	for (size_t i = 0; i < c->dropped_count && error == 0; i++)
		error = drop_doc(w, c->dropped[i]);
	for (size_t i = 0; i < 2; i++)
		if (c->pack_counts[i])
			qsort(c->packs[i], c->pack_counts[i], sizeof(uint32_t), compare_numbers);
	if (error == 0)
		error = each_doc(w, move_items, c);
	for (size_t i = 0; i < 2 && error == 0; i++)
		error = drop_packs(w, tables[i], c->packs[i], c->pack_counts[i]);
	return error;
}

/* Extractions that led to them. */
static int drop_extractions(struct store_write *w, const struct collection *c)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(w->txn, w->s->tables[TABLE_EXTRACTIONS], &cursor), error = write_result(w, rc);
	if (error != 0)
		return error;
	while (error == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		struct span payload;
		struct store_extraction x;
		error = record_take(&w->view, TABLE_EXTRACTIONS, &key, &value, &payload);
		if (error == 0 && record_decode_extraction(payload, &x) != 0)
			error = store_mark_damaged(w->s, "an extraction's record is wrong");
		if (error == 0 && x.doc && has_number(c->dropped, c->dropped_count, x.doc))
			error = write_result(w, mdb_cursor_del(cursor, 0));
	}
	mdb_cursor_close(cursor);
	return error != 0 ? error : rc == MDB_NOTFOUND ? 0 : write_result(w, rc);
}

/* --- columns ------------------------------------------------------------------------------------------------------- */

/* Ids only fall and documents are moved in order, so a chunk's columns are never written over before they were moved. */
static int move_chunks(struct store_write *w, const struct collection *c)
{
	int error = 0;
	uint32_t spaces = w->counters.next_space;
	for (size_t i = 0; i < c->kept_count && error == 0; i++) {
		const struct kept *k = &c->kept[i];
		if (k->old_base == k->new_base)
			continue;
		for (uint32_t done = 0, run; done < k->count && error == 0; done += run) {
			uint32_t from = k->old_base + done, to = k->new_base + done;
			uint32_t from_left = STORE_SEGMENT_CHUNKS - from % STORE_SEGMENT_CHUNKS,
			         to_left = STORE_SEGMENT_CHUNKS - to % STORE_SEGMENT_CHUNKS;
			run = k->count - done;
			run = run < from_left ? run : from_left;
			run = run < to_left ? run : to_left;
			error = segments_move(w, TABLE_SEGMENTS, 0, from, to, run);
			for (uint32_t space = 1; space < spaces && error == 0; space++)
				error = segments_move(w, TABLE_VECTORS, space, from, to, run);
		}
	}
	return error;
}

/* Removes what lies beyond the last chunk. */
static int cut_columns(struct store_write *w, uint32_t old_next, uint32_t next)
{
	int error = segments_cut(w, TABLE_SEGMENTS, 0, old_next, next);
	for (uint32_t space = 1; space < w->counters.next_space && error == 0; space++)
		error = segments_cut(w, TABLE_VECTORS, space, old_next, next);
	return error;
}

static int rebase_documents(struct store_write *w, const struct collection *c)
{
	int error = 0;
	for (size_t i = 0; i < c->kept_count && error == 0; i++) {
		struct record_doc d;
		struct span title;
		error = doc_get(&w->view, c->kept[i].doc, &d, &title);
		d.chunk_base = c->kept[i].new_base;
		if (error == 0)
			error = doc_update(w, c->kept[i].doc, &d);
	}
	return error;
}

/* --- all of it ----------------------------------------------------------------------------------------------------- */

static bool is_worth_it(const struct counters *c, double share)
{
	uint64_t dead = c->held_chunks - c->live_chunks, documents = c->documents + c->orphans;
	return c->orphans > 0 && ((double)dead > share * (double)c->held_chunks || (double)c->orphans > share * (double)documents);
}

static int collect(struct store_write *w, struct collection *c)
{
	struct counters *counters = &w->counters;
	int error = postings_flush(w);
	if (error == 0)
		error = each_doc(w, sort_one, c);
	if (error == 0)
		error = number_chunks(w, c);
	if (error == 0)
		error = postings_rename(w, c->renamed);
	if (error == 0)
		error = move_chunks(w, c);
	if (error == 0)
		error = rebase_documents(w, c);
	if (error == 0)
		error = drop_documents(w, c);
	if (error == 0)
		error = drop_extractions(w, c);
	const struct kept *last = c->kept_count ? &c->kept[c->kept_count - 1] : NULL;
	uint32_t next = last ? last->new_base + last->count : 0;
	if (error == 0)
		error = cut_columns(w, counters->next_chunk, next);
	if (error != 0)
		return error;
	counters->next_chunk = next;
	counters->held_chunks = next;
	counters->orphans = 0;
	w->changed = true;
	return 1;
}

int store_collect(struct store_write *w, double share)
{
	struct collection c = {0};
	if (!is_worth_it(&w->counters, share))
		return 0;
	int result = collect(w, &c);
	collection_release(&c);
	return result;
}
