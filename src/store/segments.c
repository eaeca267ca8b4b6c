/* Columns by chunk id, 1024 to a value: of the chunks themselves, and of each vector space. A batch collects its changes in buffers
 * with room for a whole segment and writes each once; the tail segment of a space would otherwise be rewritten for every document.
 */
#include "store/internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { SEGMENTS_MAX_BYTES = 64 << 20, SEGMENTS_MAX_COUNT = 512, SEGMENT_ALIGN = 64 };

static size_t segment_key(enum table table, uint32_t space, uint32_t segment, uint8_t key[8])
{
	if (table == TABLE_SEGMENTS) {
		key_u32(segment, key);
		return 4;
	}
	key_u32(space, key);
	key_u32(segment, key + 4);
	return 8;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static _Atomic uint64_t *verified_slot(struct store *s, uint32_t space, uint32_t segment)
{
	size_t i = space == 0 ? 0 : 1 + (space - 1) % (VERIFIED_SPACES - 1);
	_Atomic uint64_t *sums = atomic_load(&s->verified.spaces[i]);
	if (!sums) {
		_Atomic uint64_t *fresh = calloc(VERIFIED_SEGMENTS, sizeof(*fresh));
		if (!fresh)
			return NULL;
		if (atomic_compare_exchange_strong(&s->verified.spaces[i], &sums, fresh))
			sums = fresh;
		else
			free(fresh);
	}
	return &sums[segment % VERIFIED_SEGMENTS];
}

/* The sum is of key and content, so a slot that holds it says that this very content was checked. */
static bool is_verified(struct store *s, const struct segment_head *head, uint32_t space, uint32_t segment, const char *columns)
{
	_Atomic uint64_t *slot = verified_slot(s, space, segment);
	if (slot && atomic_load_explicit(slot, memory_order_relaxed) == head->sum + 1)
		return true;
	size_t size = segment_columns_size(head);
	value_fetch(columns, size);
	if (segment_sum(head, space, segment, columns, size) != head->sum)
		return false;
	if (slot)
		atomic_store_explicit(slot, head->sum + 1, memory_order_relaxed);
	return true;
}

int segments_read(struct store_read *r, enum table table, uint32_t space, uint32_t segment, struct segment_head *ret,
                  const char **ret_columns)
{
	const struct segment_buffer *b = r->w ? segments_find(&r->w->segments, table, space, segment) : NULL;
	if (b) {
		*ret = (struct segment_head){.capacity = STORE_SEGMENT_CHUNKS, .dims = b->dims};
		*ret_columns = b->columns;
		return 0;
	}
	uint8_t key[8];
	struct span value;
	struct segment_head head;
	int error = table_get(r, table, (struct span){(char *)key, segment_key(table, space, segment, key)}, &value);
	if (error != 0)
		return error;
	const char *columns = value.data + sizeof(head);
	if (segment_check(value, table, &head) != 0 || (uintptr_t)columns % 8 != 0 ||
	    !is_verified(r->s, &head, space, segment, columns))
		return store_mark_damaged(r->s, "a segment's checksum is wrong");
	*ret = head;
	*ret_columns = columns;
	return 0;
}

int store_segment(struct store_read *r, uint32_t segment, struct store_segment *ret)
{
	struct segment_head head;
	const char *columns;
	uint64_t first = (uint64_t)segment * STORE_SEGMENT_CHUNKS;
	if (first >= r->counters->next_chunk)
		return -ENOENT;
	int error = segments_read(r, TABLE_SEGMENTS, 0, segment, &head, &columns);
	if (error != 0)
		return error == -ENOENT ? store_mark_damaged(r->s, "a segment is missing") : error;
	uint64_t count = r->counters->next_chunk - first;
	if (head.capacity != STORE_SEGMENT_CHUNKS)
		return store_mark_damaged(r->s, "a segment is short");
	*ret = (struct store_segment){
	        .first = (uint32_t)first,
	        .count = count < STORE_SEGMENT_CHUNKS ? (uint32_t)count : STORE_SEGMENT_CHUNKS,
	        .docs = (const void *)columns,
	        .lengths = (const void *)(columns + STORE_SEGMENT_CHUNKS * sizeof(uint32_t)),
	        .live = (const void *)(columns + STORE_SEGMENT_CHUNKS * (sizeof(uint32_t) + sizeof(uint16_t)))};
	return 0;
}

int store_index_stats(struct store_read *r, struct store_index_stats *ret)
{
	*ret = (struct store_index_stats){r->counters->next_chunk, r->counters->live_chunks, r->counters->live_length};
	return 0;
}

/* --- buffers ------------------------------------------------------------------------------------------------------- */

static size_t buffer_size(uint32_t dims)
{
	struct segment_head head = {.capacity = STORE_SEGMENT_CHUNKS, .dims = dims};
	return segment_columns_size(&head);
}

static bool is_buffer_of(const struct segment_buffer *b, enum table table, uint32_t space, uint32_t segment)
{
	return b->segment == segment && b->space == space && b->table == table;
}

const struct segment_buffer *segments_find(const struct segments *g, enum table table, uint32_t space, uint32_t segment)
{
	for (size_t i = g->count; i-- > 0;)
		if (is_buffer_of(&g->buffers[i], table, space, segment))
			return &g->buffers[i];
	return NULL;
}

/* The three columns of a vector segment with room for `capacity` rows. */
struct vector_columns {
	char *rows, *scales, *bits;
};

static struct vector_columns vector_columns(char *columns, uint32_t capacity, uint32_t dims)
{
	char *scales = columns + (size_t)capacity * dims;
	return (struct vector_columns){columns, scales, scales + capacity * sizeof(float)};
}

static void copy_columns(char *to, uint32_t to_capacity, const char *from, uint32_t from_capacity, uint32_t dims)
{
	uint32_t rows = to_capacity < from_capacity ? to_capacity : from_capacity;
	struct vector_columns a = vector_columns(to, to_capacity, dims),
	                      b = vector_columns((char *)(uintptr_t)from, from_capacity, dims);
	memcpy(a.rows, b.rows, (size_t)rows * dims);
	memcpy(a.scales, b.scales, rows * sizeof(float));
	memcpy(a.bits, b.bits, (size_t)rows * dims / 8);
}

static void clear_columns(struct segment_buffer *b)
{
	memset(b->columns, 0, buffer_size(b->dims));
	if (b->dims == 0)
		return;
	char *scales = vector_columns(b->columns, STORE_SEGMENT_CHUNKS, b->dims).scales;
	for (size_t i = 0; i < STORE_SEGMENT_CHUNKS; i++)
		memcpy(scales + i * sizeof(float), &(float){NAN}, sizeof(float));
}

static int fill(struct store_write *w, struct segment_buffer *b)
{
	struct segment_head head;
	const char *columns;
	clear_columns(b);
	int error = segments_read(&w->view, b->table, b->space, b->segment, &head, &columns);
	if (error == -ENOENT)
		return 0;
	if (error != 0)
		return error;
	if (head.dims != b->dims)
		return store_mark_damaged(w->s, "a segment has other dimensions than its space");
	if (b->dims == 0)
		memcpy(b->columns, columns, buffer_size(0));
	else
		copy_columns(b->columns, STORE_SEGMENT_CHUNKS, columns, head.capacity, b->dims);
	b->rows = head.capacity;
	return 0;
}

static int add_buffer(struct segments *g, const struct segment_buffer *b)
{
	if (g->count == g->capacity) {
		size_t capacity = g->capacity ? 2 * g->capacity : 16;
		struct segment_buffer *grown = realloc(g->buffers, capacity * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		g->buffers = grown;
		g->capacity = capacity;
	}
	g->buffers[g->count] = *b;
	g->bytes += buffer_size(b->dims);
	g->last = g->count++;
	return 0;
}

int segments_touch(struct store_write *w, enum table table, uint32_t space, uint32_t segment, uint32_t dims,
                   struct segment_buffer **ret)
{
	struct segments *g = &w->segments;
	w->wrote = true;
	if (g->last >= g->count || !is_buffer_of(&g->buffers[g->last], table, space, segment)) {
		const struct segment_buffer *found = segments_find(g, table, space, segment);
		if (!found) {
			struct segment_buffer b = {table, space, segment, dims, 0, NULL};
			int error = g->bytes > SEGMENTS_MAX_BYTES || g->count >= SEGMENTS_MAX_COUNT ? segments_flush(w) : 0;
			if (error != 0)
				return error;
			b.columns = aligned_alloc(SEGMENT_ALIGN,
			                          (buffer_size(dims) + SEGMENT_ALIGN - 1) / SEGMENT_ALIGN * SEGMENT_ALIGN);
			error = b.columns ? fill(w, &b) : -ENOMEM;
			if (error == 0)
				error = add_buffer(g, &b);
			if (error != 0) {
				free(b.columns);
				return error;
			}
		} else {
			g->last = (size_t)(found - g->buffers);
		}
	}
	*ret = &g->buffers[g->last];
	return 0;
}

static int write_buffer(struct store_write *w, const struct segment_buffer *b)
{
	uint32_t capacity = b->dims ? (b->rows + 63) / 64 * 64 : STORE_SEGMENT_CHUNKS;
	struct segment_head head = {
	        .magic = RECORD_MAGIC, .type = (uint8_t)b->table, .version = RECORD_VERSION, .capacity = capacity, .dims = b->dims};
	size_t size = segment_columns_size(&head);
	uint8_t key[8];
	void *value;
	int error = table_reserve(w, b->table, (struct span){(char *)key, segment_key(b->table, b->space, b->segment, key)},
	                          sizeof(head) + size, 0, &value);
	if (error != 0)
		return error;
	char *columns = (char *)value + sizeof(head);
	if (b->dims == 0)
		memcpy(columns, b->columns, size);
	else
		copy_columns(columns, capacity, b->columns, STORE_SEGMENT_CHUNKS, b->dims);
	head.sum = segment_sum(&head, b->space, b->segment, columns, size);
	memcpy(value, &head, sizeof(head));
	return 0;
}

int segments_flush(struct store_write *w)
{
	int error = 0;
	for (size_t i = 0; i < w->segments.count && error == 0; i++)
		error = write_buffer(w, &w->segments.buffers[i]);
	segments_reset(&w->segments);
	return error;
}

void segments_reset(struct segments *g)
{
	for (size_t i = 0; i < g->count; i++)
		free(g->buffers[i].columns);
	free(g->buffers);
	*g = (struct segments){0};
}

/* --- chunks -------------------------------------------------------------------------------------------------------- */

struct chunk_columns {
	uint32_t *docs;
	uint16_t *lengths;
	uint64_t *live;
};

static struct chunk_columns chunk_columns(const struct segment_buffer *b)
{
	char *lengths = b->columns + STORE_SEGMENT_CHUNKS * sizeof(uint32_t);
	return (struct chunk_columns){(void *)b->columns, (void *)lengths,
	                              (void *)(lengths + STORE_SEGMENT_CHUNKS * sizeof(uint16_t))};
}

int segments_assign(struct store_write *w, uint32_t doc, uint32_t base, const uint32_t *lengths, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct segment_buffer *b;
		uint32_t chunk = base + i, at = chunk % STORE_SEGMENT_CHUNKS;
		int error = segments_touch(w, TABLE_SEGMENTS, 0, chunk / STORE_SEGMENT_CHUNKS, 0, &b);
		if (error != 0)
			return error;
		struct chunk_columns c = chunk_columns(b);
		c.docs[at] = doc;
		c.lengths[at] = lengths[i] < UINT16_MAX ? (uint16_t)lengths[i] : UINT16_MAX;
	}
	return 0;
}

int segments_set_live(struct store_write *w, uint32_t base, uint32_t count, bool live, uint64_t *ret_length)
{
	uint64_t length = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct segment_buffer *b;
		uint32_t chunk = base + i, at = chunk % STORE_SEGMENT_CHUNKS;
		int error = segments_touch(w, TABLE_SEGMENTS, 0, chunk / STORE_SEGMENT_CHUNKS, 0, &b);
		if (error != 0)
			return error;
		struct chunk_columns c = chunk_columns(b);
		uint64_t bit = (uint64_t)1 << (at % 64);
		c.live[at / 64] = live ? c.live[at / 64] | bit : c.live[at / 64] & ~bit;
		length += c.lengths[at];
	}
	*ret_length = length;
	return 0;
}

/* --- collecting ---------------------------------------------------------------------------------------------------- */

static bool segment_exists(struct store_write *w, enum table table, uint32_t space, uint32_t segment)
{
	struct segment_head head;
	const char *columns;
	return segments_read(&w->view, table, space, segment, &head, &columns) == 0;
}

static void move_chunk_rows(struct segment_buffer *to, uint32_t to_at, const char *from, uint32_t from_at, uint32_t count)
{
	const struct segment_buffer source = {.columns = (char *)(uintptr_t)from};
	struct chunk_columns a = chunk_columns(to), b = chunk_columns(&source);
	memmove(a.docs + to_at, b.docs + from_at, count * sizeof(*a.docs));
	memmove(a.lengths + to_at, b.lengths + from_at, count * sizeof(*a.lengths));
	for (uint32_t i = 0; i < count; i++) { /* rising, and to <= from where both are one */
		uint64_t live = b.live[(from_at + i) / 64] >> ((from_at + i) % 64) & 1, bit = (uint64_t)1 << ((to_at + i) % 64);
		uint64_t *word = &a.live[(to_at + i) / 64];
		*word = live ? *word | bit : *word & ~bit;
	}
}

static void forget_rows(struct segment_buffer *b, uint32_t at, uint32_t count)
{
	char *scales = vector_columns(b->columns, STORE_SEGMENT_CHUNKS, b->dims).scales;
	for (uint32_t i = at; i < at + count; i++)
		memcpy(scales + i * sizeof(float), &(float){NAN}, sizeof(float));
}

static void move_vector_rows(struct segment_buffer *to, uint32_t to_at, const char *from, uint32_t from_capacity, uint32_t from_at,
                             uint32_t count)
{
	uint32_t there = from_at < from_capacity ? from_capacity - from_at : 0;
	if (there > count)
		there = count;
	struct vector_columns a = vector_columns(to->columns, STORE_SEGMENT_CHUNKS, to->dims),
	                      b = vector_columns((char *)(uintptr_t)from, from_capacity, to->dims);
	memmove(a.rows + (size_t)to_at * to->dims, b.rows + (size_t)from_at * to->dims, (size_t)there * to->dims);
	memmove(a.scales + to_at * sizeof(float), b.scales + from_at * sizeof(float), there * sizeof(float));
	memmove(a.bits + (size_t)to_at * to->dims / 8, b.bits + (size_t)from_at * to->dims / 8, (size_t)there * to->dims / 8);
	forget_rows(to, to_at + there, count - there);
	if (to->rows < to_at + count)
		to->rows = to_at + count;
}

int segments_move(struct store_write *w, enum table table, uint32_t space, uint32_t from, uint32_t to, uint32_t count)
{
	uint32_t from_segment = from / STORE_SEGMENT_CHUNKS, to_segment = to / STORE_SEGMENT_CHUNKS,
	         from_at = from % STORE_SEGMENT_CHUNKS, to_at = to % STORE_SEGMENT_CHUNKS;
	struct segment_head head;
	struct segment_buffer *b;
	const char *columns;
	int error = segments_read(&w->view, table, space, from_segment, &head, &columns);
	if (error == -ENOENT && table == TABLE_VECTORS) { /* no vectors there: none here either */
		if (!segment_exists(w, table, space, to_segment))
			return 0;
		error = segments_read(&w->view, table, space, to_segment, &head, &columns);
		if (error == 0)
			error = segments_touch(w, table, space, to_segment, head.dims, &b);
		if (error == 0)
			forget_rows(b, to_at, count);
		return error;
	}
	if (error != 0)
		return error == -ENOENT ? store_mark_damaged(w->s, "a segment is missing") : error;
	/* Touching may write buffers back and free them, so the source is looked up again. */
	error = segments_touch(w, table, space, to_segment, head.dims, &b);
	if (error == 0)
		error = segments_read(&w->view, table, space, from_segment, &head, &columns);
	if (error != 0)
		return error;
	if (table == TABLE_SEGMENTS)
		move_chunk_rows(b, to_at, columns, from_at, count);
	else
		move_vector_rows(b, to_at, columns, head.capacity, from_at, count);
	return 0;
}

/* The last segment that stays, cut at `at`. */
static int cut_segment(struct store_write *w, enum table table, uint32_t space, uint32_t segment, uint32_t at)
{
	struct segment_head head;
	struct segment_buffer *b;
	const char *columns;
	int error = segments_read(&w->view, table, space, segment, &head, &columns);
	if (error == 0)
		error = segments_touch(w, table, space, segment, head.dims, &b);
	if (error != 0)
		return error == -ENOENT && table == TABLE_VECTORS ? 0 : error;
	if (table == TABLE_VECTORS) {
		forget_rows(b, at, STORE_SEGMENT_CHUNKS - at);
		b->rows = at;
		return 0;
	}
	struct chunk_columns c = chunk_columns(b);
	for (uint32_t i = at; i < STORE_SEGMENT_CHUNKS; i++) {
		c.docs[i] = 0;
		c.lengths[i] = 0;
		c.live[i / 64] &= ~((uint64_t)1 << (i % 64));
	}
	return 0;
}

int segments_cut(struct store_write *w, enum table table, uint32_t space, uint32_t old_limit, uint32_t limit)
{
	int error = 0;
	uint8_t key[8];
	uint32_t first_gone = (limit + STORE_SEGMENT_CHUNKS - 1) / STORE_SEGMENT_CHUNKS;
	if (limit % STORE_SEGMENT_CHUNKS)
		error = cut_segment(w, table, space, limit / STORE_SEGMENT_CHUNKS, limit % STORE_SEGMENT_CHUNKS);
	if (error == 0)
		error = segments_flush(w); /* buffers of segments that go would come back */
	for (uint32_t segment = first_gone; error == 0 && (uint64_t)segment * STORE_SEGMENT_CHUNKS < old_limit; segment++) {
		error = table_delete(w, table, (struct span){(char *)key, segment_key(table, space, segment, key)});
		error = error == -ENOENT ? 0 : error;
	}
	return error;
}
