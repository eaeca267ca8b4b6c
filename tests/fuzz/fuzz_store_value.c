/* The decoders of the store's values. The first byte chooses one; the rest is the value, in memory that ends with it. What a
 * decoder accepts must lie inside the value, and blocks must survive being encoded again. */
#include "store/schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void inside(struct span part, struct span whole)
{
	if (part.size && (part.data < whole.data || part.data + part.size > whole.data + whole.size))
		abort();
	for (size_t i = 0; i < part.size; i++)
		sink += (unsigned char)part.data[i];
}

static void extraction(struct span value)
{
	struct store_extraction x;
	if (record_decode_extraction(value, &x) < 0)
		return;
	const struct span strings[] = {x.extractor, x.media_type, x.encoding, x.title, x.code, x.message};
	for (size_t i = 0; i < EXTRACTION_STRINGS; i++)
		inside(strings[i], value);
}

static void blocks(struct span value)
{
	const uint8_t *p = (const uint8_t *)value.data, *end = p + value.size;
	while (p && p < end) {
		struct store_block block, again;
		uint8_t bytes[BLOCK_MAX_BYTES + 8];
		uint32_t count = 0;
		const uint8_t *next = block_decode(p, end, &block), *skipped = block_skip(p, end, &count);
		if (next && (next != skipped || count != block.count))
			abort();
		if (next) {
			const uint8_t *stop = block_encode(block.chunks, block.counts, block.count, bytes);
			if (block_decode(bytes, stop, &again) != stop || again.count != block.count ||
			    memcmp(again.chunks, block.chunks, block.count * sizeof(*block.chunks)) != 0 ||
			    memcmp(again.counts, block.counts, block.count) != 0)
				abort();
		}
		p = next;
	}
}

static void term(struct span value)
{
	struct term_record t;
	struct piece piece;
	if (term_decode(value, &t) < 0)
		return;
	for (const uint8_t *p = t.pieces; p < t.pieces_end;) {
		p = piece_decode(p, t.pieces_end, &piece);
		if (!p)
			abort();
		sink += piece.pack + piece.at + piece.size;
	}
	blocks((struct span){(const char *)t.blocks, (size_t)(t.blocks_end - t.blocks)});
}

static void decode(unsigned kind, struct span value)
{
	struct record_file f;
	struct record_doc d;
	struct record_space s;
	struct segment_head g;
	struct span rest;
	uint32_t numbers[3] = {0};
	switch (kind % 8) {
	case 0:
		if (record_decode_file(value, &f, &rest) == 0)
			inside(rest, value);
		break;
	case 1:
		if (record_decode_doc(value, &d, &rest) == 0)
			inside(rest, value);
		break;
	case 2:
		extraction(value);
		break;
	case 3:
		if (record_decode_space(value, &s, &rest) == 0)
			inside(rest, value);
		break;
	case 4:
		if (value.size >= sizeof(numbers))
			memcpy(numbers, value.data, sizeof(numbers));
		if (item_decode(value, numbers[0], numbers[1], numbers[2], &rest) == 0)
			inside(rest, value);
		break;
	case 5:
		if (segment_check(value, kind & 8 ? TABLE_VECTORS : TABLE_SEGMENTS, &g) == 0 &&
		    segment_columns_size(&g) != value.size - sizeof(g))
			abort();
		break;
	case 6:
		term(value);
		break;
	default:
		blocks(value);
	}
	if (record_check((enum table)(kind >> 4), span_of("key"), value, &rest) == 0)
		inside(rest, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	char *exact = malloc(size > 1 ? size - 1 : 1);
	if (!exact)
		return 0;
	memcpy(exact, data + 1, size - 1);
	decode(data[0], (struct span){exact, size - 1});
	free(exact);
	return 0;
}
