/* The static model: equal to a double-precision reference, the same on every instruction set and thread, damaged files refused. */
#include "embed/embed.h"
#include "embed/embedder.h"
#include "tap.h"
#include "vec/vec.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

struct vector_case {
	const char *text;
	float samples[16];
};
#include "unit/embed_cases.inc"

enum { CASES = sizeof vector_cases / sizeof vector_cases[0], SMALL_ENTRIES = 4, SMALL_DIMS = 64 };

static const char small_vocabulary[] = "a\nb\n##b\nc\n";

/* A whole model file of four entries, row i being all i + 1. */
struct small_model {
	_Alignas(64) char bytes[64 + 64 + SMALL_ENTRIES * SMALL_DIMS + sizeof small_vocabulary - 1 + 8];
};

static void seal(struct small_model *m)
{
	size_t end = sizeof m->bytes - 8;
	struct hash h = hash_bytes((struct span){m->bytes + 64, end - 64});
	memcpy(m->bytes + 24, h.bytes, HASH_SIZE);
	uint64_t checksum = checksum64(m->bytes, end);
	memcpy(m->bytes + end, &checksum, sizeof checksum);
}

static void set_u32(struct small_model *m, size_t at, uint32_t value)
{
	memcpy(m->bytes + at, &value, sizeof value);
}

static void set_weight(struct small_model *m, size_t entry, float value)
{
	memcpy(m->bytes + 64 + 4 * entry, &value, sizeof value);
	seal(m);
}

static struct small_model small(void)
{
	struct small_model m = {{0}};
	memcpy(m.bytes, "CFSTATIC", 8);
	set_u32(&m, 8, 1);
	set_u32(&m, 12, SMALL_DIMS);
	set_u32(&m, 16, SMALL_ENTRIES);
	set_u32(&m, 20, sizeof small_vocabulary - 1);
	for (int i = 0; i < SMALL_ENTRIES; i++)
		memset(m.bytes + 128 + i * SMALL_DIMS, i + 1, SMALL_DIMS);
	memcpy(m.bytes + 128 + SMALL_ENTRIES * SMALL_DIMS, small_vocabulary, sizeof small_vocabulary - 1);
	for (size_t i = 0; i < SMALL_ENTRIES; i++)
		set_weight(&m, i, 0.5f);
	return m;
}

static int open_small(const struct small_model *m, size_t size, struct err *err)
{
	struct embedder *e = NULL;
	int rc = embed_static_from((struct span){m->bytes, size}, &e, err);
	embedder_free(e);
	return rc;
}

static void test_reference(struct embedder *e)
{
	uint32_t dims = embed_space(e)->dims;
	float *out = calloc(CASES * dims, sizeof *out);
	struct span texts[CASES];
	for (size_t i = 0; i < CASES; i++)
		texts[i] = span_of(vector_cases[i].text);
	CHECK(out && embed_texts(e, EMBED_PASSAGE, texts, CASES, out, NULL) == 0);
	for (size_t i = 0; out && i < CASES; i++) {
		double worst = 0, norm = 0;
		for (size_t d = 0; d < dims; d++)
			norm += (double)out[i * dims + d] * (double)out[i * dims + d];
		for (size_t k = 0; k < 16; k++)
			worst = fmax(worst, fabs((double)out[i * dims + k * (dims / 16)] - (double)vector_cases[i].samples[k]));
		CHECK_NAMED(worst < 1e-6 && fabs(norm - 1) < 1e-5, "vector %zu is the reference's: off by %.2g, norm %.7f", i,
		            worst, norm);
	}
	free(out);
}

static void test_space(struct embedder *e)
{
	const struct embed_space *space = embed_space(e);
	CHECK(strcmp(space->name, "corpusfs-static-1") == 0);
	CHECK(space->dims > 0 && space->dims % 64 == 0 && space->dims <= VEC_MAX_DIMS);
	CHECK(space->cheap && space->keyword_weight > 0.5f);
	struct hash none = {{0}};
	CHECK(!hash_equal(&space->fingerprint, &none));
	struct span model = embed_static_model();
	CHECK(model.size <= (size_t)12 << 20);
	struct hash payload = hash_bytes((struct span){model.data + 64, model.size - 64 - 8});
	CHECK_NAMED(memcmp(payload.bytes, model.data + 24, HASH_SIZE) == 0, "the SHA-256 in the header is the payload's");
}

static void test_nothing_known(struct embedder *e)
{
	uint32_t dims = embed_space(e)->dims;
	float out[VEC_MAX_DIMS];
	const char *texts[] = {"", "   \n", "\xff\xfe", "\x01\x02"};
	for (size_t i = 0; i < 4; i++) {
		struct span text = span_of(texts[i]);
		out[0] = out[dims - 1] = 7;
		int rc = embed_texts(e, EMBED_QUERY, &text, 1, out, NULL);
		bool zero = true;
		for (size_t d = 0; d < dims; d++)
			zero = zero && out[d] == 0;
		CHECK_NAMED(rc == 0 && zero, "a text without known tokens gives the zero vector (%zu)", i);
	}
	CHECK(embed_texts(e, EMBED_PASSAGE, NULL, 0, NULL, NULL) == 0);
}

/* What makes two machines agree: the same bits on every level, alone or in a batch, from either side. */
static void test_levels(struct embedder *e)
{
	static const enum vec_level levels[] = {VEC_SCALAR, VEC_AVX2, VEC_AVX512, VEC_NEON};
	enum vec_level usual = vec_level();
	uint32_t dims = embed_space(e)->dims;
	float first[CASES][VEC_MAX_DIMS], again[VEC_MAX_DIMS];
	for (size_t i = 0; i < CASES; i++) {
		struct span text = span_of(vector_cases[i].text);
		CHECK(embed_texts(e, EMBED_PASSAGE, &text, 1, first[i], NULL) == 0);
	}
	for (size_t l = 0; l < 4; l++) {
		bool same = true;
		if (!vec_force_level(levels[l]))
			continue;
		for (size_t i = 0; i < CASES; i++) {
			struct span text = span_of(vector_cases[i].text);
			same = same && embed_texts(e, EMBED_QUERY, &text, 1, again, NULL) == 0;
			same = same && memcmp(again, first[i], dims * sizeof *again) == 0;
		}
		CHECK_NAMED(same, "the same bits with %s", vec_level_name());
	}
	vec_force_level(usual);
}

static void test_long_text(struct embedder *e)
{
	enum { WORDS = 200000 };
	uint32_t dims = embed_space(e)->dims;
	char *text = malloc(WORDS * 6);
	float long_one[VEC_MAX_DIMS], short_one[VEC_MAX_DIMS];
	for (size_t i = 0; text && i < WORDS; i++)
		memcpy(text + 6 * i, i < 2048 ? "paper " : "metal ", 6);
	struct span whole = {text, WORDS * 6}, start = {text, (size_t)2048 * 6};
	CHECK(text && embed_texts(e, EMBED_PASSAGE, &whole, 1, long_one, NULL) == 0);
	CHECK(text && embed_texts(e, EMBED_PASSAGE, &start, 1, short_one, NULL) == 0);
	CHECK_NAMED(memcmp(long_one, short_one, dims * sizeof *long_one) == 0, "a text counts up to 2,048 tokens");
	free(text);
}

struct thread_work {
	struct embedder *e;
	float expected[VEC_MAX_DIMS];
	bool good;
};

static void *embed_often(void *argument)
{
	struct thread_work *work = argument;
	uint32_t dims = embed_space(work->e)->dims;
	float out[VEC_MAX_DIMS];
	struct span text = span_of(vector_cases[1].text);
	work->good = true;
	for (int i = 0; i < 500; i++) {
		work->good = work->good && embed_texts(work->e, EMBED_PASSAGE, &text, 1, out, NULL) == 0;
		work->good = work->good && memcmp(out, work->expected, dims * sizeof *out) == 0;
	}
	return NULL;
}

static void test_threads(struct embedder *e)
{
	static struct thread_work work[4];
	pthread_t threads[4];
	struct span text = span_of(vector_cases[1].text);
	for (size_t i = 0; i < 4; i++) {
		work[i].e = e;
		CHECK(embed_texts(e, EMBED_PASSAGE, &text, 1, work[i].expected, NULL) == 0);
	}
	for (size_t i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, embed_often, &work[i]) == 0);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		CHECK_NAMED(work[i].good, "thread %zu gets the same vectors", i);
	}
}

static void test_small(void)
{
	struct small_model m = small();
	struct embedder *e = NULL;
	struct err err;
	CHECK(embed_static_from((struct span){m.bytes, sizeof m.bytes}, &e, &err) == 0);
	float out[SMALL_DIMS];
	struct span text = span_of("ab C?");
	CHECK(e && embed_texts(e, EMBED_PASSAGE, &text, 1, out, &err) == 0);
	CHECK_NAMED(fabsf(out[0] - 0.125f) < 1e-7f && out[0] == out[63], "equal parts of a unit vector of 64");
	struct hash before = e ? embed_space(e)->fingerprint : (struct hash){{0}};
	embedder_free(e);
	e = NULL;
	set_weight(&m, 0, 0.25f);
	CHECK(embed_static_from((struct span){m.bytes, sizeof m.bytes}, &e, &err) == 0);
	CHECK_NAMED(e && !hash_equal(&before, &embed_space(e)->fingerprint), "another table, another fingerprint");
	embedder_free(e);
}

static void test_damaged_header(void)
{
	static const struct {
		size_t at;
		uint32_t value;
	} wrong[] = {{0, 0},  {8, 0},  {8, 2},           {12, 0}, {12, 63}, {12, 128},        {12, 8192}, {12, UINT32_MAX},
	             {16, 0}, {16, 3}, {16, UINT32_MAX}, {20, 0}, {20, 1},  {20, UINT32_MAX}, {56, 1}};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct small_model m = small();
		struct err err = {""};
		set_u32(&m, wrong[i].at, wrong[i].value);
		seal(&m);
		CHECK_NAMED(open_small(&m, sizeof m.bytes, &err) == -EINVAL && err.text[0], "%u at byte %zu: %s", wrong[i].value,
		            wrong[i].at, err.text);
	}
	struct small_model m = small();
	bool all = true;
	for (size_t size = 0; size < sizeof m.bytes; size++)
		all = all && open_small(&m, size, NULL) == -EINVAL;
	CHECK_NAMED(all, "cut off anywhere, it is refused");
}

/* Files whose checksum is right and whose contents are not. */
static void test_damaged_payload(void)
{
	static const float weights[] = {NAN, INFINITY, -1, 1e9f};
	struct err err;
	for (size_t i = 0; i < 4; i++) {
		struct small_model m = small();
		set_weight(&m, 2, weights[i]);
		CHECK_NAMED(open_small(&m, sizeof m.bytes, &err) == -EINVAL, "a weight of %g: %s", (double)weights[i], err.text);
	}
	struct small_model m = small();
	memset(m.bytes + 64, 0, 16);
	seal(&m);
	CHECK_NAMED(open_small(&m, sizeof m.bytes, &err) == -EINVAL, "no weights: %s", err.text);
	static const char *const vocabularies[] = {"a\nb\n##b\na\n", "a\nb\n##b\n\n\n", "a\nb\n##bcc\n", "a\nb\n##b\nc+",
	                                           "a\n\xc3\n##b\nc\n"};
	for (size_t i = 0; i < 5; i++) {
		m = small();
		memcpy(m.bytes + sizeof m.bytes - 18, vocabularies[i], 10);
		seal(&m);
		CHECK_NAMED(open_small(&m, sizeof m.bytes, &err) == -EINVAL, "vocabulary %zu: %s", i, err.text);
	}
}

static void test_flipped_bits(void)
{
	struct small_model m = small();
	bool all = true;
	for (size_t bit = 0; bit < 8 * sizeof m.bytes; bit++) {
		m.bytes[bit / 8] ^= (char)(1 << bit % 8);
		all = all && open_small(&m, sizeof m.bytes, NULL) == -EINVAL;
		m.bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	CHECK_NAMED(all, "any bit flipped, it is refused");
}

int main(void)
{
	struct embedder *e = NULL;
	struct err err = {""};
	if (!CHECK_NAMED(embed_static_new(&e, &err) == 0, "the built-in model opens: %s", err.text))
		return tap_done();
	test_space(e);
	test_reference(e);
	test_nothing_known(e);
	test_levels(e);
	test_long_text(e);
	test_threads(e);
	embedder_free(e);
	embedder_free(NULL);
	test_small();
	test_damaged_header();
	test_damaged_payload();
	test_flipped_bits();
	return tap_done();
}
