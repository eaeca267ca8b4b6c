/* The codec of posting lists. Gaps and counts are bit-packed with the width of the largest of the block: decoding is one unaligned
 * load, a shift and a mask a value, without branches. */
#include "store/schema.h"

#include <errno.h>

uint8_t *varint_put(uint8_t *p, uint32_t value)
{
	for (; value >= 0x80; value >>= 7)
		*p++ = (uint8_t)(value | 0x80);
	*p++ = (uint8_t)value;
	return p;
}

const uint8_t *varint_get(const uint8_t *p, const uint8_t *end, uint32_t *ret)
{
	uint32_t value = 0;
	for (unsigned shift = 0; p < end && shift < 35; shift += 7) {
		uint8_t byte = *p++;
		if (shift == 28 && byte > 0x0f)
			return NULL;
		value |= (uint32_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return p;
		}
	}
	return NULL;
}

static unsigned bit_width(uint32_t value)
{
	return value ? 32 - (unsigned)__builtin_clz(value) : 0;
}

static size_t packed_bytes(uint32_t count, unsigned width)
{
	return ((size_t)count * width + 7) / 8;
}

/* Bits collect in a word whose full low halves are stored; the last store may write up to 8 bytes past the packed end. */
struct packer {
	uint8_t *out;
	uint64_t word;
	unsigned used;
};

static inline void pack_value(struct packer *p, uint32_t value, unsigned width)
{
	p->word |= (uint64_t)value << p->used;
	p->used += width;
	if (p->used >= 32) {
		uint32_t low = (uint32_t)p->word;
		memcpy(p->out, &low, 4);
		p->out += 4;
		p->word >>= 32;
		p->used -= 32;
	}
}

static uint8_t *pack_end(struct packer *p)
{
	memcpy(p->out, &p->word, 8);
	return p->out + (p->used + 7) / 8;
}

uint8_t *block_encode(const uint32_t *chunks, const uint8_t *counts, uint32_t count, uint8_t *out)
{
	uint32_t gaps = 0, occurrences = 0;
	for (uint32_t i = 1; i < count; i++)
		gaps |= chunks[i] - chunks[i - 1] - 1;
	for (uint32_t i = 0; i < count; i++)
		occurrences |= counts[i] - 1u;
	unsigned gap_width = bit_width(gaps), count_width = bit_width(occurrences);
	*out++ = (uint8_t)(count - 1);
	*out++ = (uint8_t)gap_width;
	*out++ = (uint8_t)count_width;
	out = varint_put(out, chunks[0]);
	struct packer p = {out, 0, 0};
	if (gap_width)
		for (uint32_t i = 1; i < count; i++)
			pack_value(&p, chunks[i] - chunks[i - 1] - 1, gap_width);
	p = (struct packer){pack_end(&p), 0, 0};
	if (count_width)
		for (uint32_t i = 0; i < count; i++)
			pack_value(&p, counts[i] - 1u, count_width);
	return pack_end(&p);
}

struct block_head {
	uint32_t count, first;
	unsigned gap_width, count_width;
	const uint8_t *gaps, *counts, *end;
};

static bool block_head(const uint8_t *p, const uint8_t *end, struct block_head *ret)
{
	if (end - p < 4)
		return false;
	ret->count = p[0] + 1u;
	ret->gap_width = p[1];
	ret->count_width = p[2];
	if (ret->count > STORE_BLOCK_MAX || ret->gap_width > 32 || ret->count_width > 8)
		return false;
	p = varint_get(p + 3, end, &ret->first);
	if (!p)
		return false;
	size_t gaps = packed_bytes(ret->count - 1, ret->gap_width), counts = packed_bytes(ret->count, ret->count_width);
	if ((size_t)(end - p) < gaps + counts)
		return false;
	ret->gaps = p;
	ret->counts = p + gaps;
	ret->end = p + gaps + counts;
	return true;
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t x;
	memcpy(&x, p, 8);
	return x;
}

/* Chunks from gaps; false when they leave 32 bits. Reads up to 8 bytes past the packed end. */
static bool unpack_chunks(const uint8_t *p, uint32_t first, uint32_t count, unsigned width, uint32_t *out)
{
	uint64_t mask = ((uint64_t)1 << width) - 1, chunk = first;
	out[0] = first;
	for (uint32_t i = 1, bit = 0; i < count; i++, bit += width) {
		chunk += ((load64(p + bit / 8) >> (bit % 8)) & mask) + 1;
		out[i] = (uint32_t)chunk;
	}
	return chunk <= UINT32_MAX;
}

static void unpack_counts(const uint8_t *p, uint32_t count, unsigned width, uint8_t *out)
{
	uint64_t mask = ((uint64_t)1 << width) - 1;
	for (uint32_t i = 0, bit = 0; i < count; i++, bit += width) {
		uint64_t less_one = (load64(p + bit / 8) >> (bit % 8)) & mask;
		out[i] = (uint8_t)(less_one < 255 ? less_one + 1 : 255);
	}
}

const uint8_t *block_decode(const uint8_t *p, const uint8_t *end, struct store_block *ret)
{
	struct block_head h;
	uint8_t copy[STORE_BLOCK_MAX * 5 + 16];
	if (!block_head(p, end, &h))
		return NULL;
	if (end - h.end < 8) { /* the loads would leave the value */
		memcpy(copy, h.gaps, (size_t)(h.end - h.gaps));
		memset(copy + (h.end - h.gaps), 0, 8);
		h.counts = copy + (h.counts - h.gaps);
		h.gaps = copy;
	}
	ret->count = h.count;
	if (!unpack_chunks(h.gaps, h.first, h.count, h.gap_width, ret->chunks))
		return NULL;
	if (h.count_width)
		unpack_counts(h.counts, h.count, h.count_width, ret->counts);
	else
		memset(ret->counts, 1, h.count);
	return h.end;
}

const uint8_t *block_skip(const uint8_t *p, const uint8_t *end, uint32_t *ret_count)
{
	struct block_head h;
	if (!block_head(p, end, &h))
		return NULL;
	*ret_count = h.count;
	return h.end;
}

int term_decode(struct span payload, struct term_record *ret)
{
	const uint8_t *p = (const uint8_t *)payload.data, *end = p + payload.size;
	struct term_record t;
	struct piece piece;
	p = varint_get(p, end, &t.live);
	p = p ? varint_get(p, end, &t.piece_count) : NULL;
	if (!p)
		return -EIO;
	t.pieces = p;
	for (uint32_t i = 0; i < t.piece_count && p; i++)
		p = piece_decode(p, end, &piece);
	if (!p)
		return -EIO;
	t.pieces_end = t.blocks = p;
	t.blocks_end = end;
	*ret = t;
	return 0;
}

const uint8_t *piece_decode(const uint8_t *p, const uint8_t *end, struct piece *ret)
{
	p = varint_get(p, end, &ret->pack);
	p = p ? varint_get(p, end, &ret->at) : NULL;
	return p ? varint_get(p, end, &ret->size) : NULL;
}

uint8_t *piece_encode(uint8_t *p, const struct piece *piece)
{
	return varint_put(varint_put(varint_put(p, piece->pack), piece->at), piece->size);
}

uint32_t piece_sum(const struct piece *piece, const void *data)
{
	uint64_t sum = checksum64(data, piece->size) + ((uint64_t)piece->pack << 32 | piece->at) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(sum ^ (sum >> 32));
}
