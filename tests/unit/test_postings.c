/* The codec of posting lists, and lists that grow by batches of every size, against what was put in. */
#include "tap.h"

#include "store/schema.h"
#include "unit/store_model.h"

#include <errno.h>

static void varints(void)
{
	static const uint32_t values[] = {0, 1, 127, 128, 16383, 16384, 1u << 28, UINT32_MAX};
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		uint8_t bytes[8];
		uint32_t back = 7;
		const uint8_t *end = varint_put(bytes, values[i]);
		CHECK(varint_get(bytes, end, &back) == end && back == values[i]);
		CHECK(varint_get(bytes, end - 1, &back) == NULL);
	}
	uint8_t too_long[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, too_large[] = {0xff, 0xff, 0xff, 0xff, 0x10};
	uint32_t value;
	CHECK(varint_get(too_long, too_long + sizeof(too_long), &value) == NULL);
	CHECK(varint_get(too_large, too_large + sizeof(too_large), &value) == NULL);
}

/* Encodes, decodes from memory that ends with the block, compares, and skips. */
static bool round_trip(const uint32_t *chunks, const uint8_t *counts, uint32_t count)
{
	uint8_t bytes[BLOCK_MAX_BYTES + 8];
	struct store_block block;
	uint32_t skipped;
	size_t size = (size_t)(block_encode(chunks, counts, count, bytes) - bytes);
	uint8_t *exact = malloc(size); /* so that a sanitizer sees a read past the end */
	memcpy(exact, bytes, size);
	bool good = size <= BLOCK_MAX_BYTES && block_decode(exact, exact + size, &block) == exact + size && block.count == count &&
	            memcmp(block.chunks, chunks, count * sizeof(*chunks)) == 0 && memcmp(block.counts, counts, count) == 0 &&
	            block_skip(exact, exact + size, &skipped) == exact + size && skipped == count;
	for (size_t cut = 0; cut < size && good; cut++)
		good = block_decode(exact, exact + cut, &block) == NULL;
	free(exact);
	return good;
}

static void blocks(void)
{
	uint64_t random = 3;
	uint32_t chunks[STORE_BLOCK_MAX];
	uint8_t counts[STORE_BLOCK_MAX];
	unsigned bad = 0;
	for (unsigned width = 0; width <= 24; width++)
		for (unsigned count_width = 0; count_width <= 8; count_width++)
			for (uint32_t count = 1; count <= STORE_BLOCK_MAX; count += count < 8 ? 1 : 15) {
				uint32_t chunk = (uint32_t)(model_random(&random) & 0xffff);
				for (uint32_t i = 0; i < count; i++) {
					chunks[i] = chunk;
					chunk += 1 + (uint32_t)(model_random(&random) & ((1u << width) - 1));
					uint32_t more = (uint32_t)(model_random(&random) & ((1u << count_width) - 1));
					counts[i] = (uint8_t)(1 + (more < 254 ? more : 254));
				}
				bad += !round_trip(chunks, counts, count);
			}
	CHECK_NAMED(bad == 0, "blocks of every width come back (%u do not)", bad);
	CHECK(round_trip((uint32_t[]){0, UINT32_MAX}, (uint8_t[]){255, 1}, 2));
	CHECK(round_trip((uint32_t[]){UINT32_MAX}, (uint8_t[]){1}, 1));
}

static void bad_blocks(void)
{
	struct store_block block;
	static const uint8_t leaves_32_bits[] = {1, 32, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0},
	                     wide[] = {1, 33, 0, 1, 0, 0, 0, 0, 0}, many[] = {128, 0, 0, 1}, wide_counts[] = {0, 0, 9, 1, 0, 0};
	CHECK(block_decode(leaves_32_bits, leaves_32_bits + sizeof(leaves_32_bits), &block) == NULL);
	CHECK(block_decode(wide, wide + sizeof(wide), &block) == NULL);
	CHECK(block_decode(many, many + sizeof(many), &block) == NULL);
	CHECK(block_decode(wide_counts, wide_counts + sizeof(wide_counts), &block) == NULL);
}

/* --- lists in a store ---------------------------------------------------------------------------------------------- */

enum { TERMS = 5, DOCUMENTS = 3000 };
/* Term t is in chunk c when c % every[t] == 0, c % 7 + 1 times. */
static const uint32_t every[TERMS] = {1, 2, 9, 131, 2999};

struct growing {
	uint32_t from, count; /* documents of one chunk each */
};

static int add_documents(struct store_write *w, void *context)
{
	const struct growing *g = context;
	static const char *const texts[TERMS] = {"every", "second", "ninth", "rare", "once"};
	for (uint32_t c = g->from; c < g->from + g->count; c++) {
		struct term terms[TERMS];
		struct term_posting postings[TERMS];
		uint32_t length = 3, n = 0, id;
		for (uint32_t t = 0; t < TERMS; t++)
			if (c % every[t] == 0) {
				terms[n] = (struct term){texts[t], (uint32_t)strlen(texts[t])};
				postings[n] = (struct term_posting){0, n, c % 7 + 1};
				n++;
			}
		struct hash clean = hash_bytes((struct span){(char *)&c, sizeof(c)});
		int error = store_put_doc(w, &clean, 1, span_of("text"), span_of("list"), 1, span_of(""), &id);
		if (error == 0)
			error = store_index_doc(w, id, &(struct term_postings){terms, n, postings, n, &length, 1});
		if (error < 0)
			return error;
	}
	return 0;
}

static unsigned wrong_postings(struct store_read *r, const char *text, uint32_t step, uint32_t limit)
{
	struct store_cursor *c;
	struct store_block block;
	struct store_term term;
	uint32_t expected = 0;
	unsigned wrong = 0, short_blocks = 0;
	if (store_find_term(r, span_of(text), &term) != 0 || store_cursor_open(r, span_of(text), &c) != 0)
		return 1;
	while (store_cursor_next(c, &block) == 1) {
		short_blocks += block.count < STORE_BLOCK_MAX;
		for (uint32_t i = 0; i < block.count; i++, expected += step)
			wrong += block.chunks[i] != expected || block.counts[i] != expected % 7 + 1;
	}
	store_cursor_close(c);
	wrong += term.live_chunks != (limit + step - 1) / step || expected / step != term.live_chunks;
	return wrong + (short_blocks > 1); /* only the last may be short */
}

static void growing_lists(void)
{
	char folder[256], reset[256];
	struct store *s;
	struct store_read *r;
	struct store_term term;
	uint32_t limit = 0, step = 1;
	unsigned wrong = 0;
	model_folder(folder);
	if (!CHECK(store_open(&(struct store_options){.directory = folder, .mode = STORE_WRITE}, &s, reset, NULL) == 0))
		return;
	for (; limit < DOCUMENTS; limit += step, step = step * 2 % 509) {
		if (model_call(s, add_documents, &(struct growing){limit, step}) != 0)
			break;
		if (store_read_begin(s, &r) != 0)
			break;
		uint32_t now = limit + step;
		wrong += wrong_postings(r, "every", 1, now) + wrong_postings(r, "second", 2, now) +
		         wrong_postings(r, "ninth", 9, now) + wrong_postings(r, "rare", 131, now) +
		         wrong_postings(r, "once", 2999, now);
		store_read_end(r);
	}
	CHECK_NAMED(limit >= DOCUMENTS && wrong == 0, "lists that grow by batches of 1 to 508: %u documents, %u wrong", limit,
	            wrong);
	CHECK(store_read_begin(s, &r) == 0);
	CHECK(store_find_term(r, span_of("unknown"), &term) == -ENOENT);
	CHECK(store_find_term(r, span_of(""), &term) == -ENOENT);
	CHECK(store_find_term(r, span_of("ever"), &term) == -ENOENT);
	store_read_end(r);
	store_close(s);
	model_remove(folder);
}

/* An operation sees its own postings, and wrong ones are refused. */
static int look_inside(struct store_write *w, void *context)
{
	struct store_term t;
	uint32_t id, length = 1;
	struct hash clean = hash_bytes(span_of("inside"));
	struct term terms[] = {{"inside", 6}};
	struct term_posting good[] = {{0, 0, 1}}, bad[] = {{1, 0, 1}};
	int error = store_put_doc(w, &clean, 1, span_of("text"), span_of("list"), 1, span_of(""), &id);
	if (error == 0 && store_index_doc(w, id, &(struct term_postings){terms, 1, bad, 1, &length, 1}) != -EINVAL)
		error = -EBADMSG;
	if (error == 0)
		error = store_index_doc(w, id, &(struct term_postings){terms, 1, good, 1, &length, 1});
	if (error == 0)
		error = store_find_term(store_write_view(w), span_of("inside"), &t);
	*(uint32_t *)context = error == 0 ? t.live_chunks : 0;
	if (error == 0)
		error = store_unindex_doc(w, id, &(struct term_postings){terms, 1, good, 1, &length, 1});
	if (error == 0)
		error = store_find_term(store_write_view(w), span_of("inside"), &t);
	return error == 0 && t.live_chunks != 0 ? -EBADMSG : error;
}

static void inside_an_operation(void)
{
	char folder[256], reset[256];
	struct store *s;
	uint32_t live = 0;
	model_folder(folder);
	if (!CHECK(store_open(&(struct store_options){.directory = folder, .mode = STORE_WRITE}, &s, reset, NULL) == 0))
		return;
	CHECK(model_call(s, look_inside, &live) == 0 && live == 1);
	store_close(s);
	model_remove(folder);
}

int main(void)
{
	varints();
	blocks();
	bad_blocks();
	growing_lists();
	inside_an_operation();
	return tap_done();
}
