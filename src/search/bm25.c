/* Keyword scores, a term at a time into one float a chunk.
 *
 * BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), eq. 3.15, with the
 * idf that stays positive (Lucene, BM25Similarity): ln(1 + (N - df + 0.5) / (df + 0.5)), df and N in chunks. A chunk's score is mixed
 * with that of its whole document. k1 and b are measured (docs/ranking.md). */
#include "search/stages.h"

#include <errno.h>
#include <math.h>

/* Documents differ in length more than chunks do, which are cut to a size. */
static const double bm25_k1 = 1.2, bm25_chunk_b = 0.6, bm25_doc_b = 0.75;

/* One term: its weight, idf * (k1 + 1) * occurrences in the query, and k1 * (1 - b + b * length / average) in two parts. */
struct weights {
	float term;
	float chunk_base, doc_base;
	float chunk_slope, doc_slope; /* a unit of length */
};

/* The occurrences of the term in the document whose chunks are being read. */
struct doc_count {
	uint32_t group;
	uint32_t count; /* 0: nothing yet */
};

static void score_doc(struct searcher *s, const struct weights *w, const struct doc_count *d)
{
	if (!d->count)
		return;
	float count = (float)d->count;
	float norm = w->doc_base + w->doc_slope * (float)s->doc_lengths[d->group];
	s->doc_bm25[d->group] += w->term * count / (count + norm);
}

static int score_block(struct searcher *s, const struct weights *w, const struct store_block *block, struct doc_count *d)
{
	for (uint32_t i = 0; i < block->count; i++) {
		uint32_t id = block->chunks[i], segment = id / STORE_SEGMENT_CHUNKS, at = id % STORE_SEGMENT_CHUNKS;
		if (segment >= s->segment_count || at >= s->segments[segment].count)
			return -EIO;
		float count = block->counts[i];
		float norm = w->chunk_base + w->chunk_slope * (float)s->segments[segment].lengths[at];
		s->bm25[id] += w->term * count / (count + norm);
		uint32_t group = s->groups[id];
		if (group != d->group) {
			score_doc(s, w, d);
			*d = (struct doc_count){.group = group};
		}
		d->count += block->counts[i];
	}
	return 0;
}

static int score_term(struct searcher *s, struct store_read *r, struct span term, const struct weights *w)
{
	struct store_cursor *cursor;
	int result = store_cursor_open(r, term, &cursor);
	if (result)
		return result == -ENOENT ? 0 : result;
	struct store_block block;
	struct doc_count doc = {0};
	while ((result = store_cursor_next(cursor, &block)) > 0) {
		result = score_block(s, w, &block, &doc);
		if (result)
			break;
	}
	score_doc(s, w, &doc);
	store_cursor_close(cursor);
	return result;
}

static bool any_positive(const float *scores)
{
	int any = 0;
	for (int i = 0; i < 64; i++)
		any |= scores[i] > 0;
	return any;
}

/* In rounds of 64, because in most a query has no word. */
static void mix_scores(struct searcher *s)
{
	for (uint32_t first = 0; first < s->capacity; first += 64) {
		float *scores = s->bm25 + first;
		const uint32_t *groups = s->groups + first;
		if (!any_positive(scores))
			continue;
		for (int i = 0; i < 64; i++)
			if (scores[i] > 0)
				scores[i] = (1 - BM25_DOCUMENT_SHARE) * scores[i] + BM25_DOCUMENT_SHARE * s->doc_bm25[groups[i]];
	}
}

int bm25_score(struct searcher *s, struct store_read *r, const struct term_postings *query)
{
	struct store_index_stats stats;
	int result = store_index_stats(r, &stats);
	if (result)
		return result;
	double n = (double)stats.live_chunks, docs = s->live_group_count;
	double length = stats.live_length ? (double)stats.live_length : 1;
	struct weights w = {
		.chunk_base = (float)(bm25_k1 * (1 - bm25_chunk_b)),
		.doc_base = (float)(bm25_k1 * (1 - bm25_doc_b)),
		.chunk_slope = (float)(bm25_k1 * bm25_chunk_b * n / length),
		.doc_slope = (float)(bm25_k1 * bm25_doc_b * docs / length),
	};
	for (uint32_t i = 0; i < query->posting_count; i++) {
		const struct term *t = &query->terms[query->postings[i].term];
		struct span text = {t->text, t->size};
		struct store_term found;
		result = store_find_term(r, text, &found);
		if (result == -ENOENT || (!result && !found.live_chunks))
			continue;
		if (result)
			return result;
		double df = found.live_chunks;
		w.term = (float)(log(1 + (n - df + 0.5) / (df + 0.5)) * (bm25_k1 + 1) * query->postings[i].count);
		result = score_term(s, r, text, &w);
		if (result)
			return result;
	}
	mix_scores(s);
	return 0;
}

struct score_range bm25_range(const struct searcher *s)
{
	struct score_range range = column_range(s, s->bm25, 0);
	return range.scored ? range : (struct score_range){0};
}
