/* Vector spaces and their rows. Vectors of different models never share a value. */
#include "store/internal.h"

#include <errno.h>

static struct span space_key(uint32_t number, uint8_t key[4])
{
	key_u32(number, key);
	return (struct span){(const char *)key, 4};
}

static int get_space_named(struct store_read *r, uint32_t number, struct record_space *ret, struct span *ret_name)
{
	uint8_t key[4];
	struct span payload;
	int error = record_get(r, TABLE_SPACES, space_key(number, key), &payload);
	if (error != 0)
		return error;
	return record_decode_space(payload, ret, ret_name) != 0 ? store_mark_damaged(r->s, "a space's record is wrong") : 0;
}

static int get_space(struct store_read *r, uint32_t number, struct record_space *ret)
{
	struct span name;
	return get_space_named(r, number, ret, &name);
}

int store_each_space(struct store_read *r, int (*each)(void *context, const struct store_space *space, struct span name), void *context)
{
	int result = 0;
	for (uint32_t number = 1; number < r->counters->next_space && result == 0; number++) {
		struct record_space space;
		struct span name;
		result = get_space_named(r, number, &space, &name);
		if (result == 0)
			result = each(context, &(struct store_space){number, space.dims, space.fingerprint}, name);
	}
	return result;
}

/* Spaces are few: a walk over their numbers does. */
int store_find_space(struct store_read *r, const struct hash *fingerprint, struct store_space *ret)
{
	for (uint32_t number = 1; number < r->counters->next_space; number++) {
		struct record_space space;
		int error = get_space(r, number, &space);
		if (error != 0)
			return error;
		if (hash_equal(&space.fingerprint, fingerprint)) {
			*ret = (struct store_space){number, space.dims, space.fingerprint};
			return 0;
		}
	}
	return -ENOENT;
}

int store_put_space(struct store_write *w, const struct hash *fingerprint, struct span name, uint32_t dims, uint32_t *ret_number)
{
	struct store_space found;
	struct record_space space = {dims, *fingerprint};
	uint8_t key[4];
	if (dims == 0 || dims % 64 || dims > 4096 || name.size > 1024)
		return -EINVAL;
	int error = store_find_space(&w->view, fingerprint, &found);
	if (error == 0) {
		if (found.dims != dims)
			return -EINVAL;
		*ret_number = found.number;
		return 0;
	}
	if (error != -ENOENT)
		return error;
	uint32_t number = w->counters.next_space;
	error = record_put(w, TABLE_SPACES, space_key(number, key), (struct span){(char *)&space, sizeof(space)}, name, 0);
	if (error != 0)
		return error;
	w->counters.next_space++;
	*ret_number = number;
	return 0;
}

/* Rows [from, from + count) of the document's into one segment. */
static int put_rows(struct store_write *w, uint32_t space, uint32_t dims, uint32_t chunk, uint32_t count, const uint8_t *rows,
                    const float *scales, const uint64_t *bits)
{
	struct segment_buffer *b;
	uint32_t at = chunk % STORE_SEGMENT_CHUNKS;
	int error = segments_touch(w, TABLE_VECTORS, space, chunk / STORE_SEGMENT_CHUNKS, dims, &b);
	if (error != 0)
		return error;
	char *scale_column = b->columns + (size_t)STORE_SEGMENT_CHUNKS * dims,
	     *bit_column = scale_column + STORE_SEGMENT_CHUNKS * sizeof(float);
	memcpy(b->columns + (size_t)at * dims, rows, (size_t)count * dims);
	memcpy(scale_column + at * sizeof(float), scales, count * sizeof(float));
	memcpy(bit_column + (size_t)at * dims / 8, bits, (size_t)count * dims / 8);
	if (b->rows < at + count)
		b->rows = at + count;
	return 0;
}

static int put_floats(struct store_write *w, uint32_t space, uint32_t doc, const float *floats, size_t size)
{
	uint8_t key[8];
	void *value;
	key_u32(space, key);
	key_u32(doc, key + 4);
	struct span k = {(char *)key, sizeof(key)};
	int error = table_reserve(w, TABLE_FLOATS, k, sizeof(struct record_head) + size, 0, &value);
	if (error == 0)
		record_write(TABLE_FLOATS, k, floats, size, value);
	return error;
}

int store_put_vectors(struct store_write *w, uint32_t space, uint32_t doc, const uint8_t *rows, const float *scales,
                      const uint64_t *bits, const float *floats)
{
	struct record_doc d;
	struct record_space about;
	struct span title;
	int error = get_space(&w->view, space, &about);
	if (error == 0)
		error = doc_get(&w->view, doc, &d, &title);
	if (error != 0)
		return error;
	if (!(d.flags & DOC_HAS_IDS))
		return -EINVAL;
	for (uint32_t i = 0, run; i < d.chunk_count && error == 0; i += run) {
		uint32_t chunk = d.chunk_base + i, left = STORE_SEGMENT_CHUNKS - chunk % STORE_SEGMENT_CHUNKS;
		run = d.chunk_count - i < left ? d.chunk_count - i : left;
		error = put_rows(w, space, about.dims, chunk, run, rows + (size_t)i * about.dims, scales + i,
		                 bits + (size_t)i * (about.dims / 64));
	}
	if (error == 0 && floats && d.chunk_count)
		error = put_floats(w, space, doc, floats, (size_t)d.chunk_count * about.dims * sizeof(float));
	if (error == 0)
		w->changed = true;
	return error;
}

int store_doc_floats(struct store_read *r, uint32_t space, uint32_t doc, struct span *ret)
{
	uint8_t key[8];
	key_u32(space, key);
	key_u32(doc, key + 4);
	return record_get(r, TABLE_FLOATS, (struct span){(char *)key, sizeof(key)}, ret);
}

int store_vectors(struct store_read *r, uint32_t space, uint32_t segment, struct store_vectors *ret)
{
	struct segment_head head;
	const char *columns;
	if ((uint64_t)segment * STORE_SEGMENT_CHUNKS >= r->counters->next_chunk)
		return -ENOENT;
	int error = segments_read(r, TABLE_VECTORS, space, segment, &head, &columns);
	if (error != 0)
		return error;
	uint32_t count = r->counters->next_chunk - segment * STORE_SEGMENT_CHUNKS;
	const char *scales = columns + (size_t)head.capacity * head.dims;
	*ret = (struct store_vectors){.count = count < head.capacity ? count : head.capacity,
	                              .rows = (const void *)columns,
	                              .scales = (const void *)scales,
	                              .bits = (const void *)(scales + head.capacity * sizeof(float))};
	return 0;
}
