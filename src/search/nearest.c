/* Vector scores: the cosine of the query with every chunk by a scan of int8 rows, or, for a large index, with those chunks that a
 * scan of sign bits or the keyword scores bring forward. */
#include "search/stages.h"
#include "vec/vec.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
	CANDIDATES_MIN = 1000,	 /* two-stage scan: candidates of each kind are max(CANDIDATES_MIN, 1 % of all chunks) */
	CANDIDATES_PER_CENT = 1,
	FARTHEST = 64,		 /* chunks at the far end that are scored to find the smallest cosine */
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

/* In rounds of 64 without conditions inside, which compilers vectorise. */
static void scale_dots(const struct scan *scan, const int32_t *restrict dots, const float *restrict scales, uint32_t count,
		       float *restrict cosines)
{
	const float query_scale = scan->query_scale;
	int zero = 0;
	uint32_t i = 0;
	for (; i + 64 <= count; i += 64) {
		for (uint32_t k = 0; k < 64; k++)
			cosines[i + k] = (float)dots[i + k] * scales[i + k] * query_scale;
		for (uint32_t k = 0; k < 64; k++)
			zero |= scales[i + k] == 0;
	}
	for (uint32_t from = zero ? 0 : i; from < count; from++)
		cosines[from] = cosine_of(scan, dots[from], scales[from]);
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

/* Where the chunks of the document that begins at `first` end. */
static uint32_t doc_end(const struct searcher *s, uint32_t first)
{
	uint32_t end = first + 1;
	while (end < s->chunk_limit && s->groups[end] == s->groups[first])
		end++;
	return end;
}

static void mix_doc(struct searcher *s, uint32_t first, uint32_t end)
{
	float sum = 0;
	uint32_t count = 0;
	for (uint32_t id = first; id < end; id++) {
		bool known = s->cosine[id] == s->cosine[id];
		sum += known ? s->cosine[id] : 0;
		count += known;
	}
	float mean = count ? sum / (float)count : 0;
	s->doc_cosine[s->groups[first]] = mean;
	for (uint32_t id = first; id < end; id++) /* NaN stays NaN */
		s->cosine[id] = (1 - COSINE_DOCUMENT_SHARE) * s->cosine[id] + COSINE_DOCUMENT_SHARE * mean;
}

static void mix_cosines(struct searcher *s)
{
	for (uint32_t first = 0, end; first < s->chunk_limit; first = end) {
		end = doc_end(s, first);
		mix_doc(s, first, end);
	}
}

float nearest_cosine(const struct searcher *s, uint32_t id)
{
	return (s->cosine[id] - COSINE_DOCUMENT_SHARE * s->doc_cosine[s->groups[id]]) / (1 - COSINE_DOCUMENT_SHARE);
}

/* --- two stages ---------------------------------------------------------------------------------------------------- */

struct two_stages {
	uint16_t *distances; /* of each chunk's sign bits to the query's; dims + 1 without a vector */
	uint32_t counts[VEC_MAX_DIMS + 2]; /* eligible chunks by distance */
	uint32_t near, far;  /* chunks up to the first and from the second distance are scored */
	float keyword;	     /* and those with at least this BM25 */
	uint64_t *docs;	     /* bit a group: one of its chunks is to be scored, and so all are, for the mean */
};

static int measure_segment(struct scan *scan, struct two_stages *t, uint32_t segment)
{
	uint32_t first = segment * STORE_SEGMENT_CHUNKS, dims = scan->space->dims;
	struct store_vectors v;
	int result = segment_vectors(scan, segment, &v);
	if (result)
		return result;
	uint16_t *distances = t->distances + first;
	if (v.count)
		vec_hamming_rows(v.bits, v.count, dims, scan->query_bits, distances);
	for (uint32_t i = 0; i < STORE_SEGMENT_CHUNKS; i++) {
		if (i >= v.count || v.scales[i] == 0 || isnan(v.scales[i]) || distances[i] > dims)
			distances[i] = (uint16_t)(dims + 1);
		t->counts[distances[i]] += is_eligible(scan->s, first + i);
	}
	note_missing(scan, first, &v);
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
	for (uint32_t id = 0; id < s->capacity; id++)
		if (s->bm25[id] > 0 && is_eligible(s, id))
			bins[(uint32_t)(s->bm25[id] * scale)]++;
	for (uint32_t count = bins[bin]; bin > 0 && count < wanted; count += bins[bin])
		bin--;
	return bin ? (float)bin / scale : 0x1p-100f;
}

static void choose_candidates(const struct scan *scan, struct two_stages *t)
{
	uint32_t share = scan->s->capacity / 100 * CANDIDATES_PER_CENT, dims = scan->space->dims;
	uint32_t wanted = share > CANDIDATES_MIN ? share : CANDIDATES_MIN;
	uint32_t near = 0, far = dims;
	for (uint32_t count = t->counts[0]; near < dims && count < wanted; count += t->counts[near])
		near++;
	for (uint32_t count = t->counts[dims]; far > 0 && count < FARTHEST; count += t->counts[far])
		far--;
	t->near = near;
	t->far = far;
	t->keyword = keyword_threshold(scan->s, wanted);
}

static void mark_candidates(const struct scan *scan, struct two_stages *t)
{
	const struct searcher *s = scan->s;
	for (uint32_t id = 0; id < s->chunk_limit; id++) {
		uint32_t distance = t->distances[id];
		bool candidate = distance <= t->near || distance >= t->far || s->bm25[id] >= t->keyword;
		if (candidate && distance <= scan->space->dims && is_eligible(s, id))
			t->docs[s->groups[id] / 64] |= (uint64_t)1 << s->groups[id] % 64;
	}
}

static int rescore_segment(struct scan *scan, const struct two_stages *t, uint32_t segment)
{
	const struct searcher *s = scan->s;
	uint32_t first = segment * STORE_SEGMENT_CHUNKS, dims = scan->space->dims;
	struct store_vectors v;
	int result = segment_vectors(scan, segment, &v);
	if (result)
		return result;
	forget_cosines(s->cosine + first, STORE_SEGMENT_CHUNKS);
	for (uint32_t i = 0; i < v.count; i++) {
		uint32_t id = first + i, group = s->groups[id];
		if (!(t->docs[group / 64] >> group % 64 & 1) || t->distances[id] > dims)
			continue;
		int32_t dot;
		vec_dot_rows(v.rows + (size_t)i * dims, 1, dims, scan->query, &dot);
		s->cosine[id] = cosine_of(scan, dot, v.scales[i]);
	}
	return 0;
}

static int scan_in_two_stages(struct scan *scan)
{
	struct two_stages *t = calloc(1, sizeof(*t));
	int result = -ENOMEM;
	if (!t)
		return result;
	t->distances = malloc(scan->s->capacity * sizeof(*t->distances));
	t->docs = calloc(scan->s->group_count / 64 + 1, sizeof(*t->docs));
	if (!t->distances || !t->docs)
		goto out;
	result = 0;
	for (uint32_t i = 0; !result && i < scan->s->segment_count; i++)
		result = measure_segment(scan, t, i);
	if (result)
		goto out;
	choose_candidates(scan, t);
	mark_candidates(scan, t);
	for (uint32_t i = 0; !result && i < scan->s->segment_count; i++)
		result = rescore_segment(scan, t, i);
out:
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
	}
	if (result)
		return result;
	mix_cosines(s);
	*ret_missing = scan.missing;
	return 0;
}

struct score_range nearest_range(const struct searcher *s)
{
	struct score_range range = column_range(s, s->cosine, -INFINITY);
	return range.scored ? range : (struct score_range){0};
}
