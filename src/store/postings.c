/* The keyword index. A batch collects its postings in memory (the hot path: every posting of every document goes through here) and
 * adds them to the lists of their terms, in order of the terms, when it ends.
 *
 * A term's value holds its live document frequency, a directory of pieces and its last blocks. Full blocks that have grown past
 * SEAL_BYTES are moved into a piece, a run of bytes in a pack of the postings table, and never touched again: so a list is never
 * rewritten for one document, the tree of terms stays small, and blocks are full. */
#include "store/internal.h"

#include <errno.h>
#include <stdlib.h>

enum {
	SEAL_BYTES = 512,
	SLOTS_FIRST = 1 << 12,
	ENTRIES_MAX = 1 << 24, /* what list entries have bits for */
	FLUSH_POSTINGS = 4 << 20,
};

/* --- collecting ---------------------------------------------------------------------------------------------------- */

static int grow(void **array, size_t *capacity, size_t need, size_t size, size_t first)
{
	if (need <= *capacity)
		return 0;
	size_t more = *capacity ? *capacity : first;
	while (more < need)
		more *= 2;
	void *grown = realloc(*array, more * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = more;
	return 0;
}

static const char *entry_text(const struct postings *p, const struct term_entry *e)
{
	return e->size <= sizeof(e->head) ? e->head : p->texts + e->where;
}

static int grow_slots(struct postings *p)
{
	size_t count = p->slot_count ? 4 * p->slot_count : SLOTS_FIRST;
	uint32_t *slots = calloc(count, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < p->entry_count; i++) {
		size_t at = p->entries[i].hash & (count - 1);
		while (slots[at])
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(p->slots);
	p->slots = slots;
	p->slot_count = count;
	return 0;
}

static int add_entry(struct postings *p, const struct term *t, uint32_t hash, uint32_t *ret)
{
	if (p->entry_count >= ENTRIES_MAX)
		return -EFBIG;
	if (grow((void **)&p->entries, &p->entry_capacity, p->entry_count + 1, sizeof(*p->entries), 4096) < 0)
		return -ENOMEM;
	struct term_entry e = {.hash = hash, .size = (uint8_t)t->size};
	if (t->size <= sizeof(e.head)) {
		memcpy(e.head, t->text, t->size);
	} else {
		if (grow((void **)&p->texts, &p->texts_capacity, p->texts_size + t->size, 1, 1 << 16) < 0)
			return -ENOMEM;
		e.where = (uint32_t)p->texts_size;
		memcpy(p->texts + p->texts_size, t->text, t->size);
		p->texts_size += t->size;
	}
	*ret = (uint32_t)p->entry_count;
	p->entries[p->entry_count++] = e;
	return 0;
}

/* A multiply-fold of the first and last 8 bytes for usual words: a call of the checksum for each was a twentieth of the writer's
 * time. */
static uint32_t term_hash(const struct term *t)
{
	uint64_t first = 0, last;
	if (t->size > 16)
		return (uint32_t)checksum64(t->text, t->size);
	if (t->size >= 8) {
		memcpy(&first, t->text, 8);
		memcpy(&last, t->text + t->size - 8, 8);
	} else {
		memcpy(&first, t->text, t->size);
		last = t->size;
	}
	__extension__ unsigned __int128 product = (unsigned __int128)(first ^ 0x9e3779b97f4a7c15u) * (last ^ 0xbf58476d1ce4e5b9u);
	return (uint32_t)((uint64_t)product ^ (uint64_t)(product >> 64));
}

static int find_entry(struct postings *p, const struct term *t, uint32_t hash, uint32_t *ret)
{
	if (2 * p->entry_count >= p->slot_count && grow_slots(p) < 0)
		return -ENOMEM;
	size_t at = hash & (p->slot_count - 1);
	for (; p->slots[at]; at = (at + 1) & (p->slot_count - 1)) {
		const struct term_entry *e = &p->entries[p->slots[at] - 1];
		if (e->hash == hash && e->size == t->size && memcmp(entry_text(p, e), t->text, t->size) == 0) {
			*ret = p->slots[at] - 1;
			return 0;
		}
	}
	int error = add_entry(p, t, hash, ret);
	if (error != 0)
		return error;
	p->slots[at] = *ret + 1;
	return 0;
}

/* How many postings each of the document's terms has, into p->map. */
static int count_terms(struct postings *p, const struct term_postings *terms)
{
	if (grow((void **)&p->map, &p->map_capacity, terms->term_count, sizeof(*p->map), 1024) < 0)
		return -ENOMEM;
	if (terms->term_count > 0)
		memset(p->map, 0, terms->term_count * sizeof(*p->map));
	for (uint32_t i = 0; i < terms->posting_count; i++) {
		const struct term_posting *posting = &terms->postings[i];
		if (posting->term >= terms->term_count || posting->chunk >= terms->chunk_count || posting->count == 0)
			return -EINVAL;
		p->map[posting->term]++;
	}
	return 0;
}

/* The table is larger than the cache and a lookup is two misses, so slots and entries are fetched some terms ahead. */
enum { AHEAD = 8 };

static void fetch_ahead(struct postings *p, const struct term_postings *terms, uint32_t i)
{
	if (i < terms->term_count) {
		p->hashes[i] = term_hash(&terms->terms[i]);
		__builtin_prefetch(&p->slots[p->hashes[i] & (p->slot_count - 1)]);
	}
	if (i >= AHEAD && i - AHEAD < terms->term_count) {
		uint32_t slot = p->slots[p->hashes[i - AHEAD] & (p->slot_count - 1)];
		if (slot)
			__builtin_prefetch(&p->entries[slot - 1]);
	}
}

/* Turns those counts into the terms' entries, which take them. */
static int map_terms(struct postings *p, const struct term_postings *terms, int live, bool append)
{
	for (uint32_t i = 0; i < terms->term_count; i++)
		if (terms->terms[i].size == 0 || terms->terms[i].size > LIMIT_TERM_BYTES)
			return -EINVAL;
	if (grow((void **)&p->hashes, &p->hashes_capacity, terms->term_count, sizeof(*p->hashes), 1024) < 0 ||
	    (!p->slots && grow_slots(p) < 0))
		return -ENOMEM;
	for (uint32_t i = 0; i < 2 * AHEAD; i++)
		fetch_ahead(p, terms, i);
	for (uint32_t i = 0; i < terms->term_count; i++) {
		uint32_t entry;
		fetch_ahead(p, terms, i + 2 * AHEAD);
		int error = find_entry(p, &terms->terms[i], p->hashes[i], &entry);
		if (error != 0)
			return error;
		p->entries[entry].live += live * (int32_t)p->map[i];
		p->entries[entry].count += append ? p->map[i] : 0;
		p->map[i] = entry;
	}
	return 0;
}

int postings_add(struct store_write *w, const struct term_postings *terms, uint32_t chunk_base, int live, bool append)
{
	struct postings *p = &w->postings;
	int error = count_terms(p, terms);
	if (error != 0)
		return error;
	w->wrote = true;
	if (p->list_count > FLUSH_POSTINGS)
		error = postings_flush(w);
	if (error == 0 && append)
		error = grow((void **)&p->list, &p->list_capacity, p->list_count + terms->posting_count, sizeof(*p->list), 1 << 16);
	if (error == 0)
		error = map_terms(p, terms, live, append);
	if (error != 0 && w->error == 0)
		w->error = error; /* some terms have counted postings that are not there */
	if (error != 0 || !append)
		return error;
	uint64_t *out = p->list + p->list_count;
	for (uint32_t i = 0; i < terms->posting_count; i++) {
		const struct term_posting *posting = &terms->postings[i];
		uint64_t count = posting->count < 255 ? posting->count : 255;
		*out++ = (uint64_t)p->map[posting->term] << 40 | count << 32 | (chunk_base + posting->chunk);
	}
	p->list_count += terms->posting_count;
	return 0;
}

/* --- sorting ------------------------------------------------------------------------------------------------------- */

struct order {
	uint64_t prefix; /* the term's first 8 bytes, big-endian */
	uint32_t entry;
};

static uint64_t text_prefix(const char *text, size_t size)
{
	uint8_t bytes[8] = {0};
	uint64_t value = 0;
	memcpy(bytes, text, size < 8 ? size : 8);
	for (int i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

static int compare_entries(const void *a, const void *b, void *context)
{
	const struct postings *p = context;
	const struct term_entry *x = &p->entries[((const struct order *)a)->entry],
	                        *y = &p->entries[((const struct order *)b)->entry];
	int c = memcmp(entry_text(p, x), entry_text(p, y), x->size < y->size ? x->size : y->size);
	return c ? c : (int)x->size - (int)y->size;
}

/* Radix sort by the prefix, then by comparison among those that share it. `spare` has room for as many. Returns the sorted array.
 */
static struct order *sort_terms(struct postings *p, struct order *terms, struct order *spare, size_t count)
{
	for (unsigned shift = 0; shift < 64; shift += 8) {
		size_t starts[257] = {0};
		for (size_t i = 0; i < count; i++)
			starts[(terms[i].prefix >> shift & 0xff) + 1]++;
		for (size_t i = 0; i < 256; i++)
			starts[i + 1] += starts[i];
		for (size_t i = 0; i < count; i++)
			spare[starts[terms[i].prefix >> shift & 0xff]++] = terms[i];
		struct order *swap = terms;
		terms = spare;
		spare = swap;
	}
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && terms[end].prefix == terms[i].prefix; end++)
			;
		if (end - i > 1)
			qsort_r(terms + i, end - i, sizeof(*terms), compare_entries, p);
	}
	return terms;
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

/* The batch's postings, term by term in the order of the terms. */
struct sorted {
	struct order *memory, *order;
	uint32_t *chunks;
	uint8_t *counts;
	uint8_t *scratch; /* for a term's new value */
	size_t scratch_capacity;
};

static void sorted_release(struct sorted *sorted)
{
	free(sorted->memory);
	free(sorted->chunks);
	free(sorted->counts);
	free(sorted->scratch);
}

/* A counting sort: where each term begins is known, and the list is in order of chunks. */
static int sort_postings(struct postings *p, struct sorted *s)
{
	uint32_t *at = malloc(p->entry_count * sizeof(*at));
	s->memory = malloc(2 * p->entry_count * sizeof(*s->memory));
	s->chunks = malloc((p->list_count + 1) * sizeof(*s->chunks));
	s->counts = malloc(p->list_count + 1);
	if (!at || !s->memory || !s->chunks || !s->counts) {
		free(at);
		return -ENOMEM;
	}
	for (size_t i = 0; i < p->entry_count; i++)
		s->memory[i] = (struct order){text_prefix(entry_text(p, &p->entries[i]), p->entries[i].size), (uint32_t)i};
	s->order = sort_terms(p, s->memory, s->memory + p->entry_count, p->entry_count);
	uint32_t start = 0;
	for (size_t i = 0; i < p->entry_count; i++) {
		at[s->order[i].entry] = start;
		start += p->entries[s->order[i].entry].count;
	}
	for (size_t i = 0; i < p->list_count; i++) {
		uint32_t to = at[p->list[i] >> 40]++;
		s->chunks[to] = (uint32_t)p->list[i];
		s->counts[to] = (uint8_t)(p->list[i] >> 32);
	}
	free(at);
	return 0;
}

/* Takes the short block at the end of a term's blocks apart; it will be filled up. *blocks_end becomes its start. */
static int open_last_block(struct term_record *t, struct store_block *ret)
{
	const uint8_t *p = t->blocks, *last = p;
	uint32_t count = STORE_BLOCK_MAX;
	ret->count = 0;
	if (t->blocks == t->blocks_end)
		return 0;
	while (p && p < t->blocks_end) {
		last = p;
		p = block_skip(p, t->blocks_end, &count);
	}
	if (p && count < STORE_BLOCK_MAX) {
		p = block_decode(last, t->blocks_end, ret);
		t->blocks_end = last;
	}
	return p ? 0 : -EIO;
}

/* Encodes what the short block held and the new postings as blocks; the end of the full ones goes to *ret_full. */
static uint8_t *encode_blocks(uint8_t *out, struct store_block *begun, const uint32_t *chunks, const uint8_t *counts,
                              uint32_t count, uint8_t **ret_full)
{
	*ret_full = out;
	if (begun->count) {
		uint32_t take = STORE_BLOCK_MAX - begun->count < count ? STORE_BLOCK_MAX - begun->count : count;
		memcpy(begun->chunks + begun->count, chunks, take * sizeof(*chunks));
		memcpy(begun->counts + begun->count, counts, take);
		out = block_encode(begun->chunks, begun->counts, begun->count + take, out);
		chunks += take;
		counts += take;
		count -= take;
		if (begun->count + take == STORE_BLOCK_MAX)
			*ret_full = out;
	}
	while (count) {
		uint32_t take = count < STORE_BLOCK_MAX ? count : STORE_BLOCK_MAX;
		out = block_encode(chunks, counts, take, out);
		if (take == STORE_BLOCK_MAX)
			*ret_full = out;
		chunks += take;
		counts += take;
		count -= take;
	}
	return out;
}

static int seal(struct store_write *w, const uint8_t *blocks, size_t size, struct piece *ret)
{
	char *room;
	uint32_t sum;
	int error = pack_add_raw(w, &w->pieces, sizeof(sum) + size, &ret->pack, &ret->at, &room);
	if (error != 0)
		return error;
	ret->size = (uint32_t)size;
	sum = piece_sum(ret, blocks);
	memcpy(room, &sum, sizeof(sum));
	memcpy(room + sizeof(sum), blocks, size);
	return 0;
}

/* Makes the term's new value in the scratch memory, with room for its head before the payload that is returned. */
static int make_value(struct store_write *w, struct sorted *s, struct term_record *old, int32_t live, const uint32_t *chunks,
                      const uint8_t *counts, uint32_t count, struct span *ret)
{
	struct store_block begun = {.count = 0};
	struct piece piece = {0};
	size_t pieces_size = (size_t)(old->pieces_end - old->pieces), blocks_size = (size_t)(old->blocks_end - old->blocks);
	size_t need = 80 + pieces_size + blocks_size + (size_t)(count / STORE_BLOCK_MAX + 2) * BLOCK_MAX_BYTES + 8;
	if (grow((void **)&s->scratch, &s->scratch_capacity, need, 1, 1 << 14) < 0)
		return -ENOMEM;
	/* The blocks first, at a place that leaves room for the head and pieces before them: how many pieces there are depends on
	 * them. */
	uint8_t *blocks = s->scratch + 48 + pieces_size, *full, *end;
	if (count && open_last_block(old, &begun) != 0)
		return store_mark_damaged(w->s, "a posting list is wrong");
	blocks_size = (size_t)(old->blocks_end - old->blocks);
	if (blocks_size)
		memcpy(blocks, old->blocks, blocks_size);
	end = encode_blocks(blocks + blocks_size, &begun, chunks, counts, count, &full);
	if (full - blocks > SEAL_BYTES) {
		int error = seal(w, blocks, (size_t)(full - blocks), &piece);
		if (error != 0)
			return error;
	} else {
		full = blocks;
	}
	/* Backwards from the blocks that stay. */
	uint8_t head[16], last[16];
	size_t last_size = piece.size ? (size_t)(piece_encode(last, &piece) - last) : 0;
	size_t head_size =
	        (size_t)(varint_put(varint_put(head, old->live + (uint32_t)live), old->piece_count + (last_size > 0)) - head);
	uint8_t *start = full - last_size - pieces_size - head_size;
	memcpy(start + head_size + pieces_size, last, last_size);
	if (pieces_size)
		memcpy(start + head_size, old->pieces, pieces_size);
	memcpy(start, head, head_size);
	*ret = (struct span){(char *)start, (size_t)(end - start)};
	return 0;
}

/* Writes a value that make_value() made. */
static int put_term(struct store_write *w, MDB_cursor *cursor, struct span key, struct span payload, unsigned flags)
{
	struct record_head head = record_head(TABLE_TERMS, key, payload);
	MDB_val v = {sizeof(head) + payload.size, (char *)(uintptr_t)payload.data - sizeof(head)},
	        k = {key.size, (void *)(uintptr_t)key.data};
	memcpy(v.mv_data, &head, sizeof(head));
	return write_result(w, mdb_cursor_put(cursor, &k, &v, flags));
}

static int update_term(struct store_write *w, MDB_cursor *cursor, struct sorted *s, const struct term_entry *e,
                       const uint32_t *chunks, const uint8_t *counts)
{
	struct span key = {entry_text(&w->postings, e), e->size}, payload;
	MDB_val k = {key.size, (void *)(uintptr_t)key.data}, v;
	struct term_record old = {0};
	int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return write_result(w, rc);
	if (rc == 0 &&
	    (record_check(TABLE_TERMS, key, (struct span){v.mv_data, v.mv_size}, &payload) != 0 || term_decode(payload, &old) != 0))
		return store_mark_damaged(w->s, "a term's record is wrong");
	if (e->live < 0 && old.live < (uint32_t)-e->live)
		return -EINVAL; /* un-indexed with other terms than it was indexed with */
	int error = make_value(w, s, &old, e->live, chunks, counts, e->count, &payload);
	if (error != 0)
		return error;
	return put_term(w, cursor, key, payload, rc == 0 ? MDB_CURRENT : 0);
}

static int update_terms(struct store_write *w, struct sorted *s)
{
	MDB_cursor *cursor;
	const struct postings *p = &w->postings;
	const uint32_t *chunks = s->chunks;
	const uint8_t *counts = s->counts;
	int error = write_result(w, mdb_cursor_open(w->txn, w->s->tables[TABLE_TERMS], &cursor));
	if (error != 0)
		return error;
	for (size_t i = 0; i < p->entry_count && error == 0; i++) {
		const struct term_entry *e = &p->entries[s->order[i].entry];
		if (i + AHEAD < p->entry_count)
			__builtin_prefetch(&p->entries[s->order[i + AHEAD].entry]);
		if (e->count || e->live)
			error = update_term(w, cursor, s, e, chunks, counts);
		chunks += e->count;
		counts += e->count;
	}
	mdb_cursor_close(cursor);
	return error;
}

int postings_flush(struct store_write *w)
{
	struct sorted s = {0};
	if (w->postings.entry_count == 0)
		return 0;
	int error = sort_postings(&w->postings, &s);
	if (error == 0)
		error = update_terms(w, &s);
	sorted_release(&s);
	postings_reset(&w->postings);
	return error;
}

void postings_reset(struct postings *p)
{
	if (p->slot_count)
		memset(p->slots, 0, p->slot_count * sizeof(*p->slots));
	p->entry_count = p->texts_size = p->list_count = 0;
}

void postings_release(struct postings *p)
{
	free(p->slots);
	free(p->entries);
	free(p->texts);
	free(p->list);
	free(p->map);
	free(p->hashes);
	*p = (struct postings){0};
}

/* --- collecting ---------------------------------------------------------------------------------------------------- */

/* A whole list in memory. */
struct list {
	uint32_t *chunks;
	uint8_t *counts;
	size_t count, chunk_capacity, count_capacity;
};

/* Reads what a cursor gives, under new ids; those that are gone are left out. */
static int read_renamed(struct store_cursor *c, const uint32_t *renamed, struct list *l)
{
	struct store_block block;
	int more;
	l->count = 0;
	while ((more = store_cursor_next(c, &block)) == 1) {
		if (grow((void **)&l->chunks, &l->chunk_capacity, l->count + block.count, sizeof(*l->chunks), 4096) < 0 ||
		    grow((void **)&l->counts, &l->count_capacity, l->count + block.count, 1, 4096) < 0)
			return -ENOMEM;
		for (uint32_t i = 0; i < block.count; i++) {
			uint32_t chunk = renamed[block.chunks[i]];
			l->chunks[l->count] = chunk;
			l->counts[l->count] = block.counts[i];
			l->count += chunk != UINT32_MAX;
		}
	}
	return more;
}

static int rename_term(struct store_write *w, MDB_cursor *cursor, const MDB_val *key, const MDB_val *value, const uint32_t *renamed,
                       struct list *l, struct sorted *s)
{
	struct span payload;
	struct term_record t;
	int error = record_take(&w->view, TABLE_TERMS, key, value, &payload);
	if (error == 0 && term_decode(payload, &t) != 0)
		error = store_mark_damaged(w->s, "a term's record is wrong");
	if (error != 0)
		return error;
	struct store_cursor c = {
	        .r = &w->view, .pieces = t.pieces, .pieces_end = t.pieces_end, .last = t.blocks, .last_end = t.blocks_end};
	struct term_record empty = {.live = t.live};
	char text[LIMIT_TERM_BYTES];
	if (key->mv_size > sizeof(text))
		return store_mark_damaged(w->s, "a term is too long");
	memcpy(text, key->mv_data, key->mv_size);
	error = read_renamed(&c, renamed, l);
	if (error == 0 && l->count == 0)
		return write_result(w, mdb_cursor_del(cursor, 0));
	if (error == 0)
		error = make_value(w, s, &empty, 0, l->chunks, l->counts, (uint32_t)l->count, &payload);
	return error != 0 ? error : put_term(w, cursor, (struct span){text, key->mv_size}, payload, MDB_CURRENT);
}

static int rename_terms(struct store_write *w, const uint32_t *renamed)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	struct list l = {0};
	struct sorted s = {0};
	int rc = mdb_cursor_open(w->txn, w->s->tables[TABLE_TERMS], &cursor), error = write_result(w, rc);
	if (error != 0)
		return error;
	while (error == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		error = rename_term(w, cursor, &key, &value, renamed, &l, &s);
	mdb_cursor_close(cursor);
	free(l.chunks);
	free(l.counts);
	sorted_release(&s);
	return error != 0 ? error : rc == MDB_NOTFOUND ? 0 : write_result(w, rc);
}

int postings_rename(struct store_write *w, const uint32_t *renamed)
{
	uint8_t key[4];
	/* Packs up to here are read and then removed; what is written from now on goes to others. */
	int error = pack_flush(w, &w->pieces);
	uint32_t first = w->counters.first_piece_pack, limit = w->counters.next_pack[2];
	if (error == 0)
		error = rename_terms(w, renamed);
	for (uint32_t id = first; id < limit && error == 0; id++) {
		key_u32(id, key);
		error = table_delete(w, TABLE_POSTINGS, (struct span){(char *)key, sizeof(key)});
		error = error == -ENOENT ? store_mark_damaged(w->s, "a pack is missing") : error;
	}
	w->counters.first_piece_pack = limit;
	return error;
}

/* --- documents ----------------------------------------------------------------------------------------------------- */

static int set_live(struct store_write *w, uint32_t id, struct record_doc *d, bool live)
{
	struct counters *c = &w->counters;
	uint64_t length;
	int error = segments_set_live(w, d->chunk_base, d->chunk_count, live, &length);
	d->flags = (uint8_t)(DOC_HAS_IDS | (live ? DOC_LIVE : 0));
	if (error == 0)
		error = doc_update(w, id, d);
	if (error != 0)
		return error;
	c->live_chunks = live ? c->live_chunks + d->chunk_count : c->live_chunks - d->chunk_count;
	c->live_length = live ? c->live_length + length : c->live_length - length;
	c->indexed_documents = live ? c->indexed_documents + 1 : c->indexed_documents - 1;
	w->changed = true;
	return 0;
}

int store_index_doc(struct store_write *w, uint32_t id, const struct term_postings *terms)
{
	struct record_doc d;
	struct span title;
	int error = doc_get(&w->view, id, &d, &title);
	if (error != 0)
		return error;
	if (d.epoch != w->counters.epoch || terms->chunk_count != d.chunk_count)
		return -EINVAL;
	if (d.flags & DOC_LIVE)
		return 0;
	bool fresh = !(d.flags & DOC_HAS_IDS);
	if (fresh && w->counters.next_chunk > UINT32_MAX - STORE_SEGMENT_CHUNKS - d.chunk_count)
		return -EFBIG;
	if (fresh)
		d.chunk_base = w->counters.next_chunk;
	/* First, because it changes nothing when the terms are wrong. */
	error = postings_add(w, terms, d.chunk_base, 1, fresh);
	if (error == 0 && fresh) {
		error = segments_assign(w, id, d.chunk_base, terms->chunk_lengths, d.chunk_count);
		w->counters.next_chunk += d.chunk_count;
		w->counters.held_chunks += d.chunk_count;
	}
	return error != 0 ? error : set_live(w, id, &d, true);
}

int store_unindex_doc(struct store_write *w, uint32_t id, const struct term_postings *terms)
{
	struct record_doc d;
	struct span title;
	int error = doc_get(&w->view, id, &d, &title);
	if (error != 0)
		return error;
	if (!(d.flags & DOC_LIVE))
		return 0;
	if (terms->chunk_count != d.chunk_count)
		return -EINVAL;
	error = postings_add(w, terms, d.chunk_base, -1, false);
	return error != 0 ? error : set_live(w, id, &d, false);
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static int get_term(struct store_read *r, struct span term, struct term_record *ret)
{
	struct span payload;
	int error = 0;
	if (term.size == 0 || term.size > LIMIT_TERM_BYTES)
		return -ENOENT;
	if (r->w && r->w->postings.entry_count)
		error = postings_flush(r->w);
	if (error == 0)
		error = record_get(r, TABLE_TERMS, term, &payload);
	if (error != 0)
		return error;
	return term_decode(payload, ret) != 0 ? store_mark_damaged(r->s, "a term's record is wrong") : 0;
}

int store_find_term(struct store_read *r, struct span term, struct store_term *ret)
{
	struct term_record t;
	int error = get_term(r, term, &t);
	if (error != 0)
		return error;
	ret->live_chunks = t.live;
	return 0;
}

int store_cursor_open(struct store_read *r, struct span term, struct store_cursor **ret)
{
	struct term_record t;
	int error = get_term(r, term, &t);
	if (error != 0)
		return error;
	struct store_cursor *c = r->cursors;
	if (c)
		r->cursors = c->next;
	else if (!(c = malloc(sizeof(*c))))
		return -ENOMEM;
	*c = (struct store_cursor){
	        .r = r, .pieces = t.pieces, .pieces_end = t.pieces_end, .last = t.blocks, .last_end = t.blocks_end};
	*ret = c;
	return 0;
}

/* Nothing more comes after an error. */
static int cursor_fail(struct store_cursor *c, const char *why)
{
	c->blocks = c->blocks_end = c->last = NULL;
	c->pieces = c->pieces_end;
	return store_mark_damaged(c->r->s, why);
}

static int open_piece(struct store_cursor *c)
{
	struct piece piece;
	struct span pack;
	uint32_t sum;
	c->pieces = piece_decode(c->pieces, c->pieces_end, &piece);
	if (!c->pieces)
		return cursor_fail(c, "a posting list is wrong");
	int error = pack_payload(c->r, TABLE_POSTINGS, piece.pack, &pack);
	if (error != 0)
		return error;
	if (piece.at > pack.size || pack.size - piece.at < sizeof(sum) || pack.size - piece.at - sizeof(sum) < piece.size)
		return cursor_fail(c, "a posting list is wrong");
	memcpy(&sum, pack.data + piece.at, sizeof(sum));
	c->blocks = (const uint8_t *)pack.data + piece.at + sizeof(sum);
	c->blocks_end = c->blocks + piece.size;
	if (sum != piece_sum(&piece, c->blocks))
		return cursor_fail(c, "a posting list's checksum is wrong");
	return 0;
}

int store_cursor_next(struct store_cursor *c, struct store_block *ret)
{
	while (c->blocks == c->blocks_end) {
		if (c->pieces < c->pieces_end) {
			int error = open_piece(c);
			if (error != 0)
				return error;
		} else if (c->last) {
			c->blocks = c->last;
			c->blocks_end = c->last_end;
			c->last = NULL;
		} else {
			return 0;
		}
	}
	c->blocks = block_decode(c->blocks, c->blocks_end, ret);
	/* Searchers use chunk ids as indices: they must be in order and exist. */
	if (!c->blocks || ret->chunks[0] < c->above || ret->chunks[ret->count - 1] >= c->r->counters->next_chunk)
		return cursor_fail(c, "a posting list is wrong");
	c->above = (uint64_t)ret->chunks[ret->count - 1] + 1;
	return 1;
}

void store_cursor_close(struct store_cursor *c)
{
	if (!c)
		return;
	c->next = c->r->cursors;
	c->r->cursors = c;
}
