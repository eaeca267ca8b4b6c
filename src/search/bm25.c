/* Keyword scores, a term at a time into one float a chunk.
 *
 * BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), eq. 3.15, with the
 * idf that stays positive (Lucene, BM25Similarity): ln(1 + (N - df + 0.5) / (df + 0.5)). Documents are chunks. k1 and b are
 * measured (docs/ranking.md). */
#include "search/stages.h"

#include <errno.h>
#include <math.h>

static const double bm25_k1 = 1.2, bm25_b = 0.6;

struct weights {
	float term;	  /* idf * (k1 + 1) * occurrences in the query */
	float norm_base;  /* k1 * (1 - b) */
	float norm_slope; /* k1 * b / average length */
};

static int score_block(struct searcher *s, const struct weights *w, const struct store_block *block)
{
	for (uint32_t i = 0; i < block->count; i++) {
		uint32_t id = block->chunks[i], segment = id / STORE_SEGMENT_CHUNKS, at = id % STORE_SEGMENT_CHUNKS;
		if (segment >= s->segment_count || at >= s->segments[segment].count)
			return -EIO;
		float count = block->counts[i];
		float norm = w->norm_base + w->norm_slope * (float)s->segments[segment].lengths[at];
		s->bm25[id] += w->term * count / (count + norm);
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
	while ((result = store_cursor_next(cursor, &block)) > 0) {
		result = score_block(s, w, &block);
		if (result)
			break;
	}
	store_cursor_close(cursor);
	return result;
}

int bm25_score(struct searcher *s, struct store_read *r, const struct term_postings *query)
{
	struct store_index_stats stats;
	int result = store_index_stats(r, &stats);
	if (result)
		return result;
	double n = (double)stats.live_chunks;
	double average = stats.live_length ? (double)stats.live_length / n : 1;
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
		double idf = log(1 + (n - df + 0.5) / (df + 0.5));
		struct weights w = {
			.term = (float)(idf * (bm25_k1 + 1) * query->postings[i].count),
			.norm_base = (float)(bm25_k1 * (1 - bm25_b)),
			.norm_slope = (float)(bm25_k1 * bm25_b / average),
		};
		result = score_term(s, r, text, &w);
		if (result)
			return result;
	}
	return 0;
}

struct score_range bm25_range(const struct searcher *s)
{
	struct score_range range = column_range(s, s->bm25, 0);
	return range.scored ? range : (struct score_range){0};
}
