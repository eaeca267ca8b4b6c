/* The best chunks: scores fused in one pass over the columns, a bounded heap, at most so many chunks a document.
 *
 * Fusion is a convex combination of min-max-normalised scores (Bruch, Gai, Ingber, "An Analysis of Fusion Functions for Hybrid
 * Retrieval", 2022), with minimum and maximum over all eligible chunks, not over the top k (docs/ranking.md has the figures). */
#include "search/stages.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

struct candidate {
	float score;
	uint32_t id;
};

/* A heap whose root is the candidate that ranks last. */
struct best {
	const struct searcher *s;
	struct store_read *r;
	struct candidate *heap;
	uint32_t count, limit;
	float threshold; /* below this nothing gets in */
	int error;	 /* of a look into the store for a tie */
};

/* Equal scores: the order must not depend on ids, which depend on the order of indexing. */
static bool tie_ranks_before(struct best *b, uint32_t x, uint32_t y)
{
	uint32_t x_doc = doc_of(b->s, x), y_doc = doc_of(b->s, y);
	if (x_doc == y_doc)
		return x < y;
	struct store_doc dx, dy;
	int result = store_get_doc(b->r, x_doc, &dx);
	if (!result)
		result = store_get_doc(b->r, y_doc, &dy);
	if (result) {
		b->error = result == -ENOENT ? -EIO : result;
		return x < y;
	}
	int order = memcmp(dx.clean.bytes, dy.clean.bytes, HASH_SIZE);
	return order ? order < 0 : dx.syntax < dy.syntax;
}

static inline bool ranks_before(struct best *b, const struct candidate *x, const struct candidate *y)
{
	return x->score != y->score ? x->score > y->score : tie_ranks_before(b, x->id, y->id);
}

static void sift_down(struct best *b, uint32_t at, struct candidate c)
{
	for (uint32_t child; (child = 2 * at + 1) < b->count; at = child) {
		if (child + 1 < b->count && ranks_before(b, &b->heap[child], &b->heap[child + 1]))
			child++;
		if (!ranks_before(b, &c, &b->heap[child]))
			break;
		b->heap[at] = b->heap[child];
	}
	b->heap[at] = c;
}

static void sift_up(struct best *b, uint32_t at, struct candidate c)
{
	while (at > 0 && ranks_before(b, &b->heap[(at - 1) / 2], &c)) {
		b->heap[at] = b->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	b->heap[at] = c;
}

static void best_add(struct best *b, struct candidate c)
{
	if (b->count < b->limit)
		sift_up(b, b->count++, c);
	else if (ranks_before(b, &c, &b->heap[0]))
		sift_down(b, 0, c);
	if (b->count == b->limit)
		b->threshold = b->heap[0].score;
}

/* Empties the heap into order, best first, in place. */
static void best_sort(struct best *b)
{
	uint32_t count = b->count;
	while (b->count > 1) {
		struct candidate last = b->heap[0], moved = b->heap[--b->count];
		sift_down(b, 0, moved);
		b->heap[b->count] = last;
	}
	b->count = count;
}

/* --- one document's chunks, which have neighbouring ids ------------------------------------------------------------ */

struct group {
	uint32_t doc;
	uint32_t count, limit;
	struct candidate *best; /* in order */
};

static void group_flush(struct group *g, struct best *b)
{
	for (uint32_t i = 0; i < g->count; i++)
		if (g->best[i].score >= b->threshold)
			best_add(b, g->best[i]);
	g->count = 0;
}

/* Ids grow, so an equal score stands behind. */
static void group_add(struct group *g, struct best *b, struct candidate c)
{
	uint32_t doc = doc_of(b->s, c.id);
	if (doc != g->doc)
		group_flush(g, b);
	g->doc = doc;
	if (g->count == g->limit && c.score <= g->best[g->count - 1].score)
		return;
	uint32_t at = g->count < g->limit ? g->count++ : g->count - 1;
	for (; at > 0 && g->best[at - 1].score < c.score; at--)
		g->best[at] = g->best[at - 1];
	g->best[at] = c;
}

/* --- ranges -------------------------------------------------------------------------------------------------------- */

enum { LANES = 8 };

struct lanes {
	float min[LANES], max[LANES];
	uint32_t scored[LANES];
};

/* 64 numbers, all eligible. Comparisons are false for NaN, which so leaves no trace. */
static void add_word(struct lanes *restrict l, const float *restrict column, float floor)
{
	for (int i = 0; i < 64; i += LANES)
		for (int k = 0; k < LANES; k++) {
			float x = column[i + k];
			l->min[k] = x < l->min[k] ? x : l->min[k];
			l->max[k] = x > l->max[k] ? x : l->max[k];
			l->scored[k] += x > floor;
		}
}

static void add_bits(struct lanes *l, const float *column, float floor, uint64_t bits)
{
	for (; bits; bits &= bits - 1) {
		float x = column[__builtin_ctzll(bits)];
		l->min[0] = x < l->min[0] ? x : l->min[0];
		l->max[0] = x > l->max[0] ? x : l->max[0];
		l->scored[0] += x > floor;
	}
}

struct score_range column_range(const struct searcher *s, const float *column, float floor)
{
	struct lanes l;
	for (int k = 0; k < LANES; k++)
		l.min[k] = INFINITY, l.max[k] = -INFINITY, l.scored[k] = 0;
	for (uint32_t word = 0; word < s->capacity / 64; word++) {
		if (s->eligible[word] == UINT64_MAX)
			add_word(&l, column + (size_t)word * 64, floor);
		else
			add_bits(&l, column + (size_t)word * 64, floor, s->eligible[word]);
	}
	struct score_range range = {l.min[0], l.max[0], l.scored[0]};
	for (int k = 1; k < LANES; k++) {
		range.min = fminf(range.min, l.min[k]);
		range.max = fmaxf(range.max, l.max[k]);
		range.scored += l.scored[k];
	}
	return range;
}

/* --- scores -------------------------------------------------------------------------------------------------------- */

/* (x - offset) * factor normalises one side, with its weight in the factor. */
struct side {
	float offset, factor;
};

/* A side on which all chunks are alike tells nothing apart: each that has a score gets the full weight. */
static struct side side_of(const struct score_range *range, float weight)
{
	if (!range->scored)
		return (struct side){0, 0};
	float width = range->max - range->min;
	return width > 0 ? (struct side){range->min, weight / width} : (struct side){range->min - 1, weight};
}

struct formula {
	enum search_mode mode;
	struct side bm25, cosine;
};

/* Without a vector a chunk has its keyword score alone, as if its cosine were the smallest. */
static void score_words_only(const float *bm25, const float *words, float *scores)
{
	for (int i = 0; i < 64; i++)
		if (scores[i] != scores[i])
			scores[i] = bm25[i] > 0 ? words[i] : -INFINITY;
}

/* Scores of 64 chunks, right for eligible ones: where one of them has a BM25 of 0, the offset is 0 too. Loops without conditions inside,
 * which compilers vectorise; a missing vector shows as NaN and is mended after. */
static void score_both(const struct formula *f, const float *restrict bm25, const float *restrict cosine, float *restrict out)
{
	const struct side w = f->bm25, v = f->cosine;
	float words[64];
	int missing = 0;
	for (int i = 0; i < 64; i++)
		words[i] = (bm25[i] - w.offset) * w.factor;
	for (int i = 0; i < 64; i++)
		out[i] = words[i] + (cosine[i] - v.offset) * v.factor;
	for (int i = 0; i < 64; i++)
		missing |= out[i] != out[i];
	if (missing)
		score_words_only(bm25, words, out);
}

/* Scores of 64 chunks; -infinity for what has none. */
static void score_word(const struct formula *f, const float *restrict bm25, const float *restrict cosine, float *restrict out)
{
	if (f->mode == SEARCH_HYBRID) {
		score_both(f, bm25, cosine, out);
	} else if (f->mode == SEARCH_KEYWORD) {
		for (int i = 0; i < 64; i++)
			out[i] = bm25[i] > 0 ? bm25[i] : -INFINITY;
	} else {
		for (int i = 0; i < 64; i++)
			out[i] = cosine[i] == cosine[i] ? cosine[i] : -INFINITY;
	}
}

/* The chunks of `eligible` (one word of the bitmap) that may still get in. */
static uint64_t promising(const float *restrict scores, float threshold, uint64_t eligible)
{
	int any = 0;
	for (int i = 0; i < 64; i++)
		any |= scores[i] >= threshold;
	uint64_t found = 0;
	for (uint64_t bits = any ? eligible : 0; bits; bits &= bits - 1) {
		int i = __builtin_ctzll(bits);
		if (scores[i] >= threshold)
			found |= (uint64_t)1 << i;
	}
	return found;
}

static void rank_chunks(const struct searcher *s, const struct formula *f, struct best *b, struct group *g)
{
	float scores[64];
	for (uint32_t word = 0; word < s->capacity / 64; word++) {
		if (!s->eligible[word])
			continue;
		score_word(f, s->bm25 + (size_t)word * 64, s->cosine + (size_t)word * 64, scores);
		for (uint64_t bits = promising(scores, b->threshold, s->eligible[word]); bits; bits &= bits - 1) {
			uint32_t i = (uint32_t)__builtin_ctzll(bits);
			struct candidate c = {.score = scores[i], .id = word * 64 + i};
			if (g->limit)
				group_add(g, b, c);
			else
				best_add(b, c);
		}
	}
	group_flush(g, b);
}

static int fill_hits(const struct searcher *s, struct best *b, const struct fusion *fusion, struct search_hit *hits)
{
	for (uint32_t i = 0; i < b->count; i++) {
		uint32_t id = b->heap[i].id;
		struct store_doc doc;
		int result = store_get_doc(b->r, doc_of(s, id), &doc);
		if (result)
			return result == -ENOENT ? -EIO : result;
		hits[i] = (struct search_hit){
			.doc = doc.id,
			.chunk = id - doc.chunk_base,
			.score = b->heap[i].score,
			.bm25 = s->bm25[id],
			.cosine = fusion->cosine.scored ? nearest_cosine(s, id) : NAN,
		};
	}
	return 0;
}

/* The smallest float that is at least `min_score`, and never -infinity, which marks chunks without a score. */
static float first_threshold(double min_score)
{
	if (!(min_score > -FLT_MAX))
		return -FLT_MAX;
	float threshold = (float)min_score;
	return threshold < min_score ? nextafterf(threshold, INFINITY) : threshold;
}

int rank_best(const struct searcher *s, struct store_read *r, const struct fusion *fusion, const struct search_request *request,
	      struct search_hit **ret_hits, uint32_t *ret_count)
{
	struct formula f = {
		.mode = fusion->mode,
		.bm25 = side_of(&fusion->bm25, fusion->keyword_weight),
		.cosine = side_of(&fusion->cosine, 1 - fusion->keyword_weight),
	};
	struct best b = {.s = s, .r = r, .limit = request->limit, .threshold = first_threshold(request->min_score)};
	struct group g = {.limit = request->per_document < request->limit ? request->per_document : request->limit};
	struct search_hit *hits = malloc(request->limit * sizeof(*hits));
	b.heap = malloc(request->limit * sizeof(*b.heap));
	g.best = malloc((g.limit ? g.limit : 1) * sizeof(*g.best));
	int result = hits && b.heap && g.best ? 0 : -ENOMEM;
	if (!result) {
		rank_chunks(s, &f, &b, &g);
		best_sort(&b);
		result = b.error;
	}
	if (!result)
		result = fill_hits(s, &b, fusion, hits);
	free(b.heap);
	free(g.best);
	if (result) {
		free(hits);
		return result;
	}
	*ret_hits = hits;
	*ret_count = b.count;
	return 0;
}
