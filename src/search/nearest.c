/* Vector scores: the cosine of the query with every chunk by a scan of int8 rows, or, for a large index, with those chunks that a
 * scan of sign bits or the keyword scores bring forward. */
#include "search/stages.h"
#include "vec/vec.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
	/* Two-stage scan: candidates are the nearest chunks by sign bits, max(1000, 1 %), and the best by BM25, max(1000, 0.2 %). */
	CANDIDATES_MIN = 1000,
	NEAR_ONE_IN = 100,
	KEYWORD_ONE_IN = 500,
	FARTHEST = 64, /* chunks at the far end that are scored to find the smallest cosine */
	KEYWORD_BINS = 4096,
};

struct scan {
	struct searcher *s;
	struct store_read *r;
	const struct store_space *space;
	int8_t query[VEC_MAX_DIMS];
	float query_scale;
	uint64_t query_bits[VEC_MAX_DIMS / 64];
	bool missing; /* an eligible chunk has no vector */
};

/* The vectors of a segment; none is count 0. Never more than the segment has chunks. */
static int segment_vectors(const struct scan *scan, uint32_t segment, struct store_vectors *ret)
{
	struct store_vectors v = {0};
	int result = store_vectors(scan->r, scan->space->number, segment, &v);
	if (result && result != -ENOENT)
		return result;
	uint32_t chunks = scan->s->segments[segment].count;
	*ret = v;
	ret->count = result == -ENOENT ? 0 : v.count < chunks ? v.count : chunks;
	return 0;
}

/* Whether one of the chunks first..end, which have no vector, is eligible. */
static bool any_eligible(const struct searcher *s, uint32_t first, uint32_t end)
{
	for (uint32_t id = first; id < end; id++)
		if (is_eligible(s, id))
			return true;
	return false;
}

static void forget_cosines(float *cosines, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		cosines[i] = NAN;
}

/* A zero scale is the vector of a text without a known word: it is there, but near to nothing. */
static float cosine_of(const struct scan *scan, int32_t dot, float scale)
{
	return scale == 0 ? NAN : (float)dot * scale * scan->query_scale;
}

/* Whether one of the scales is NaN. In rounds of 64, which compilers vectorise. */
static bool any_nan(const float *scales, uint32_t count)
{
	int unknown = 0;
	uint32_t i = 0;
	for (; i + 64 <= count; i += 64)
		for (uint32_t k = 0; k < 64; k++)
			unknown |= scales[i + k] != scales[i + k];
	for (; i < count; i++)
		unknown |= scales[i] != scales[i];
	return unknown;
}

/* NaN scales are rare, but a segment that has one is looked at chunk by chunk. */
static void note_missing(struct scan *scan, uint32_t first, const struct store_vectors *v)
{
	bool unknown = any_nan(v->scales, v->count);
	for (uint32_t i = 0; unknown && i < v->count && !scan->missing; i++)
		scan->missing = isnan(v->scales[i]) && is_eligible(scan->s, first + i);
	if (!scan->missing)
		scan->missing = any_eligible(scan->s, first + v->count, first + scan->s->segments[first / STORE_SEGMENT_CHUNKS].count);
}

/* --- every row ----------------------------------------------------------------------------------------------------- */

/* 64 rows, without conditions inside, so that compilers vectorise. True when a scale is 0, which is mended after. */
static bool scale_round(const int32_t *restrict dots, const float *restrict scales, float query_scale, float *restrict cosines)
{
	int zero = 0;
	for (int i = 0; i < 64; i++)
		cosines[i] = (float)dots[i] * scales[i] * query_scale;
	for (int i = 0; i < 64; i++)
		zero |= scales[i] == 0;
	return zero;
}

static void scale_dots(const struct scan *scan, const int32_t *dots, const float *scales, uint32_t count, float *cosines)
{
	bool zero = false;
	uint32_t i = 0;
	for (; i + 64 <= count; i += 64)
		zero |= scale_round(dots + i, scales + i, scan->query_scale, cosines + i);
	for (i = zero ? 0 : i; i < count; i++)
		cosines[i] = cosine_of(scan, dots[i], scales[i]);
}

static int scan_segment(struct scan *scan, uint32_t segment)
{
	uint32_t first = segment * STORE_SEGMENT_CHUNKS;
	struct store_vectors v;
	int result = segment_vectors(scan, segment, &v);
	if (result)
		return result;
	int32_t dots[STORE_SEGMENT_CHUNKS];
	float *cosines = scan->s->cosine + first;
	if (v.count)
		vec_dot_rows(v.rows, v.count, scan->space->dims, scan->query, dots);
	scale_dots(scan, dots, v.scales, v.count, cosines);
	forget_cosines(cosines + v.count, STORE_SEGMENT_CHUNKS - v.count);
	note_missing(scan, first, &v);
	return 0;
}

/* --- documents ----------------------------------------------------------------------------------------------------- */

/* The mean of the cosines first..end that are there, 0 for none. */
static float mean_cosine(const float *cosines, uint32_t first, uint32_t end)
{
	float sum = 0;
	uint32_t count = 0;
	for (uint32_t id = first; id < end; id++) {
		bool known = cosines[id] == cosines[id];
		sum += known ? cosines[id] : 0;
		count += known;
	}
	return count ? sum / (float)count : 0;
}

/* NaN stays NaN. */
static void mix_doc(struct searcher *s, uint32_t group)
{
	float *restrict cosines = s->cosine;
	uint32_t first = s->doc_first[group], end = s->doc_first[group + 1];
	float mean = mean_cosine(cosines, first, end);
	s->doc_cosine[group] = mean;
	for (uint32_t id = first; id < end; id++)
		cosines[id] = (1 - COSINE_DOCUMENT_SHARE) * cosines[id] + COSINE_DOCUMENT_SHARE * mean;
}

float nearest_cosine(const struct searcher *s, uint32_t id)
{
	return (s->cosine[id] - COSINE_DOCUMENT_SHARE * s->doc_cosine[s->groups[id]]) / (1 - COSINE_DOCUMENT_SHARE);
}

/* --- two stages ---------------------------------------------------------------------------------------------------- */

struct two_stages {
	struct store_vectors *vectors; /* by segment */
	uint16_t *distances; /* of each chunk's sign bits to the query's; dims + 1 without a vector */
	uint32_t counts[VEC_MAX_DIMS + 2]; /* eligible chunks by distance */
	uint32_t near, far;  /* chunks up to the first and from the second distance are candidates */
	float keyword;	     /* and those with at least this BM25 */
	uint64_t *docs;	     /* bit a group: has a candidate, so that all its chunks are scored, for their mean */
};

static void count_word(const struct scan *scan, struct two_stages *t, uint32_t word)
{
	const uint16_t *distances = t->distances + (size_t)word * 64;
	uint64_t eligible = scan->s->eligible[word];
	if (eligible == UINT64_MAX) {
		for (uint32_t i = 0; i < 64; i++)
			t->counts[distances[i]]++;
		return;
	}
	for (; eligible; eligible &= eligible - 1)
		t->counts[distances[__builtin_ctzll(eligible)]]++;
}

static int measure_segment(struct scan *scan, struct two_stages *t, uint32_t segment)
{
	uint32_t first = segment * STORE_SEGMENT_CHUNKS, dims = scan->space->dims;
	struct store_vectors *v = &t->vectors[segment];
	int result = segment_vectors(scan, segment, v);
	if (result)
		return result;
	uint16_t *distances = t->distances + first;
	if (v->count)
		vec_hamming_rows(v->bits, v->count, dims, scan->query_bits, distances);
	for (uint32_t i = v->count; i < STORE_SEGMENT_CHUNKS; i++)
		distances[i] = (uint16_t)(dims + 1);
	for (uint32_t i = 0; i < v->count; i++)
		if (!(fabsf(v->scales[i]) > 0) || distances[i] > dims)
			distances[i] = (uint16_t)(dims + 1);
	for (uint32_t word = first / 64; word < (first + STORE_SEGMENT_CHUNKS) / 64; word++)
		count_word(scan, t, word);
	note_missing(scan, first, v);
	return 0;
}

/* The BM25 that about `wanted` eligible chunks reach, found by counting in bins. */
static float keyword_threshold(const struct searcher *s, uint32_t wanted)
{
	uint32_t bins[KEYWORD_BINS + 1] = {0}, bin = KEYWORD_BINS;
	struct score_range range = bm25_range(s);
	if (!range.scored)
		return INFINITY;
	float scale = KEYWORD_BINS / range.max;
	for (uint32_t id = 0; id < s->chunk_limit; id++)
		if (s->bm25[id] > 0 && is_eligible(s, id))
			bins[(uint32_t)(s->bm25[id] * scale)]++;
	for (uint32_t count = bins[bin]; bin > 0 && count < wanted; count += bins[bin])
		bin--;
	return bin ? (float)bin / scale : 0x1p-100f;
}

static uint32_t candidates_wanted(const struct scan *scan, uint32_t one_in)
{
	uint32_t share = scan->s->capacity / one_in;
	return share > CANDIDATES_MIN ? share : CANDIDATES_MIN;
}

static void choose_thresholds(const struct scan *scan, struct two_stages *t)
{
	uint32_t dims = scan->space->dims, wanted = candidates_wanted(scan, NEAR_ONE_IN), near = 0, far = dims;
	for (uint32_t count = t->counts[0]; near < dims && count < wanted; count += t->counts[near])
		near++;
	for (uint32_t count = t->counts[dims]; far > 0 && count < FARTHEST; count += t->counts[far])
		far--;
	t->near = near;
	t->far = far;
	t->keyword = keyword_threshold(scan->s, candidates_wanted(scan, KEYWORD_ONE_IN));
}

/* In rounds of 64 that compilers vectorise, because few rounds have a candidate. */
static void mark_candidates(const struct scan *scan, struct two_stages *t)
{
	const struct searcher *s = scan->s;
	const uint16_t near = (uint16_t)t->near, far = (uint16_t)t->far, none = (uint16_t)(scan->space->dims + 1);
	for (uint32_t word = 0; word < s->capacity / 64; word++) {
		const uint16_t *restrict distances = t->distances + (size_t)word * 64;
		const float *restrict bm25 = s->bm25 + (size_t)word * 64;
		int any = 0;
		for (uint32_t i = 0; i < 64; i++)
			any |= (distances[i] <= near) | (distances[i] >= far);
		for (uint32_t i = 0; i < 64; i++)
			any |= bm25[i] >= t->keyword;
		for (uint64_t bits = any ? s->eligible[word] : 0; bits; bits &= bits - 1) {
			uint32_t i = (uint32_t)__builtin_ctzll(bits), group = s->groups[word * 64 + i];
			if (distances[i] != none && (distances[i] <= near || distances[i] >= far || bm25[i] >= t->keyword))
				t->docs[group / 64] |= (uint64_t)1 << group % 64;
		}
	}
}

/* Scores the chunks first..end, which lie in one segment. */
static void rescore_rows(const struct scan *scan, const struct two_stages *t, uint32_t first, uint32_t end)
{
	const struct store_vectors *v = &t->vectors[first / STORE_SEGMENT_CHUNKS];
	uint32_t at = first % STORE_SEGMENT_CHUNKS, dims = scan->space->dims, count = end - first;
	int32_t dots[STORE_SEGMENT_CHUNKS];
	if (at >= v->count)
		return;
	count = count < v->count - at ? count : v->count - at;
	vec_dot_rows(v->rows + (size_t)at * dims, count, dims, scan->query, dots);
	for (uint32_t i = 0; i < count; i++)
		scan->s->cosine[first + i] = cosine_of(scan, dots[i], v->scales[at + i]);
}

static void rescore_docs(const struct scan *scan, const struct two_stages *t)
{
	const struct searcher *s = scan->s;
	for (uint32_t word = 0; word < s->group_count / 64 + 1; word++)
		for (uint64_t bits = t->docs[word]; bits; bits &= bits - 1) {
			uint32_t group = word * 64 + (uint32_t)__builtin_ctzll(bits);
			for (uint32_t first = s->doc_first[group], last = s->doc_first[group + 1], end; first < last; first = end) {
				end = (first / STORE_SEGMENT_CHUNKS + 1) * STORE_SEGMENT_CHUNKS;
				end = end < last ? end : last;
				rescore_rows(scan, t, first, end);
			}
			mix_doc(scan->s, group);
		}
}

static int scan_in_two_stages(struct scan *scan)
{
	struct searcher *s = scan->s;
	struct two_stages *t = calloc(1, sizeof(*t));
	int result = -ENOMEM;
	if (!t)
		return result;
	t->vectors = malloc(s->segment_count * sizeof(*t->vectors));
	t->distances = malloc(s->capacity * sizeof(*t->distances));
	t->docs = calloc(s->group_count / 64 + 1, sizeof(*t->docs));
	if (!t->vectors || !t->distances || !t->docs)
		goto out;
	result = 0;
	for (uint32_t i = 0; !result && i < s->segment_count; i++)
		result = measure_segment(scan, t, i);
	if (result)
		goto out;
	choose_thresholds(scan, t);
	mark_candidates(scan, t);
	forget_cosines(s->cosine, s->capacity);
	rescore_docs(scan, t);
out:
	free(t->vectors);
	free(t->distances);
	free(t->docs);
	free(t);
	return result;
}

int nearest_score(struct searcher *s, struct store_read *r, const struct store_space *space, const float *vector, bool *ret_missing)
{
	if (!space->dims || space->dims % 64 || space->dims > VEC_MAX_DIMS)
		return -EINVAL;
	struct scan scan = {.s = s, .r = r, .space = space};
	scan.query_scale = vec_quantise_query(vector, space->dims, scan.query);
	int result = 0;
	if (s->segment_count > s->exact_segments) {
		vec_sign_bits(vector, space->dims, SEARCH_BITS_SEED, scan.query_bits);
		result = scan_in_two_stages(&scan);
	} else {
		for (uint32_t i = 0; !result && i < s->segment_count; i++)
			result = scan_segment(&scan, i);
		for (uint32_t group = 0; !result && group < s->group_count; group++)
			mix_doc(s, group);
	}
	if (result)
		return result;
	*ret_missing = scan.missing;
	return 0;
}

struct score_range nearest_range(const struct searcher *s)
{
	struct score_range range = column_range(s, s->cosine, -INFINITY);
	return range.scored ? range : (struct score_range){0};
}
