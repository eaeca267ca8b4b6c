/* WordPiece: ids equal to those of the `tokenizers` library, limits, damaged vocabularies. */
#include "embed/embedder.h"
#include "tap.h"
#include "token/subwords.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

struct ids_case {
	const char *text;
	size_t size;
	uint32_t ids[128];
	size_t count;
};
#include "unit/subwords_cases.inc"

enum { CASES = sizeof ids_cases / sizeof ids_cases[0] };

/* The vocabulary is the end of the model file but for the checksum; its size stands at byte 20. */
static struct span built_in_vocabulary(void)
{
	struct span model = embed_static_model();
	uint32_t bytes;
	memcpy(&bytes, model.data + 20, sizeof bytes);
	return (struct span){model.data + model.size - 8 - bytes, bytes};
}

static bool gives(const struct subwords *s, struct subword_scratch *scratch, struct span text, size_t max, const uint32_t *ids,
                  size_t count)
{
	const uint32_t *found = NULL;
	size_t found_count = 0;
	if (subwords_encode(s, scratch, text, max, &found, &found_count) < 0)
		return false;
	return found_count == count && (count == 0 || memcmp(found, ids, count * sizeof *ids) == 0);
}

/* Each text from memory that ends with it, so that a read beyond the end is seen by a sanitizer. */
static void test_cases(const struct subwords *s, struct subword_scratch *scratch, const char *pass)
{
	for (size_t i = 0; i < CASES; i++) {
		char *exact = malloc(ids_cases[i].size + 1);
		if (!exact)
			abort();
		char *text = exact + 1;
		memcpy(text, ids_cases[i].text, ids_cases[i].size);
		CHECK_NAMED(gives(s, scratch, (struct span){text, ids_cases[i].size}, 1000, ids_cases[i].ids, ids_cases[i].count),
		            "%s, case %zu", pass, i);
		free(exact);
	}
}

static void test_joined(const struct subwords *s, struct subword_scratch *scratch)
{
	char text[16384];
	uint32_t ids[4096];
	size_t size = 0, count = 0;
	for (size_t i = 0; i < CASES; i++) {
		memcpy(text + size, ids_cases[i].text, ids_cases[i].size);
		size += ids_cases[i].size;
		text[size++] = '\n';
		memcpy(ids + count, ids_cases[i].ids, ids_cases[i].count * sizeof *ids);
		count += ids_cases[i].count;
	}
	CHECK(gives(s, scratch, (struct span){text, size}, SIZE_MAX, ids, count));
	bool all = true;
	for (size_t max = 0; max <= count; max++)
		all = all && gives(s, scratch, (struct span){text, size}, max, ids, max);
	CHECK_NAMED(all, "any limit gives the first ids");
}

static void test_not_utf8(const struct subwords *s, struct subword_scratch *scratch)
{
	const uint32_t *hello = NULL;
	size_t count = 0;
	CHECK(subwords_encode(s, scratch, span_of("hello"), 10, &hello, &count) == 0 && count == 1);
	uint32_t id = hello[0];
	/* Bytes that are not UTF-8 are dropped, as U+FFFD is. */
	CHECK(gives(s, scratch, span_of("hel\xff\xfe\xc3lo"), 10, &id, 1));
	CHECK(gives(s, scratch, span_of("\xed\xa0\x80hello\xf4\x90\x80\x80\xe4\xb8"), 10, &id, 1));
	CHECK(gives(s, scratch, span_of("\x80"), 10, NULL, 0));
}

/* More distinct words than the cache holds, twice, must give the same as one by one. */
static void test_cache(const struct subwords *s)
{
	struct subword_scratch *warm = NULL, *cold = NULL;
	bool same = subword_scratch_new(s, &warm) == 0;
	for (uint32_t i = 0; same && i < 60000; i++) {
		char word[24];
		snprintf(word, sizeof word, "%c%xw%u", 'a' + (int)(i % 26), i * 2654435761u % 4096, i % 30000);
		const uint32_t *ids = NULL, *fresh = NULL;
		size_t count = 0, fresh_count = 0;
		same = subwords_encode(s, warm, span_of(word), 100, &ids, &count) == 0;
		if (i % 997 != 0)
			continue;
		same = same && subword_scratch_new(s, &cold) == 0;
		same = same && subwords_encode(s, cold, span_of(word), 100, &fresh, &fresh_count) == 0;
		same = same && count == fresh_count && count > 0 && memcmp(ids, fresh, count * sizeof *ids) == 0;
		subword_scratch_free(cold);
		cold = NULL;
	}
	CHECK_NAMED(same, "a full cache changes nothing");
	subword_scratch_free(warm);
}

static bool refused(struct span vocabulary)
{
	struct subwords *s = NULL;
	int rc = subwords_new(vocabulary, &s);
	subwords_free(s);
	return rc == -EINVAL && s == NULL;
}

static void test_vocabulary(void)
{
	char longer[400];
	memset(longer, 'a', sizeof longer);
	CHECK(refused(span_of("")));
	CHECK(refused(span_of("a\nb\na\n")));
	CHECK(refused(span_of("##a\nb\n##a\n")));
	CHECK(refused(span_of("a\n\nb\n")));
	CHECK(refused(span_of("a\n\xff\n")));
	CHECK(refused((struct span){longer, sizeof longer}));
	struct subwords *s = NULL;
	struct subword_scratch *scratch = NULL;
	CHECK(subwords_new(span_of("a\n##a\n##\nab\n##b"), &s) == 0 && subword_scratch_new(s, &scratch) == 0);
	const uint32_t expected[] = {3, 1, 4, 0};
	CHECK_NAMED(gives(s, scratch, span_of("ABab a # ac"), 10, expected, 4), "a last line without a line end counts");
	subword_scratch_free(scratch);
	subwords_free(s);
}

int main(void)
{
	struct subwords *s = NULL;
	struct subword_scratch *scratch = NULL;
	CHECK(subwords_new(built_in_vocabulary(), &s) == 0);
	CHECK(subword_scratch_new(s, &scratch) == 0);
	test_cases(s, scratch, "cold");
	test_cases(s, scratch, "warm");
	test_joined(s, scratch);
	test_not_utf8(s, scratch);
	test_cache(s);
	test_vocabulary();
	subword_scratch_free(scratch);
	subwords_free(s);
	subwords_free(NULL);
	subword_scratch_free(NULL);
	return tap_done();
}
