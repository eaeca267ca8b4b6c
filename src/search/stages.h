/* The stages of one search and the memory they share. Private to search/: query.c runs them in order, filter.c says which chunks may
 * appear, bm25.c and nearest.c score them, rank.c picks the best. */
#ifndef CORPUSFS_SEARCH_STAGES_H
#define CORPUSFS_SEARCH_STAGES_H

#include "base/terms.h"
#include "search/search.h"
#include "search/syntax.h"
#include "store/store.h"

struct words;

/* How much of a chunk's score is its whole document's. A chunk says less than its reader knows: Callan, "Passage-Level Evidence in
 * Document Retrieval" (1994). Measured (docs/ranking.md). */
#define BM25_DOCUMENT_SHARE 0.35f
#define COSINE_DOCUMENT_SHARE 0.2f

/* Columns indexed by chunk id, over whole segments, so that loops need not look for the end; what lies beyond the last chunk is
 * never eligible. */
struct searcher {
	struct words *words;
	struct store_segment *segments; /* of this search's snapshot */
	uint32_t segment_count, segment_capacity;
	uint32_t exact_segments; /* an index of more segments is scanned in two stages */
	uint32_t chunk_limit;	 /* ids are below this */
	uint32_t capacity;	 /* segment_count in chunks */
	float *bm25;	    /* with the document's share; 0 without a query word */
	float *cosine;	    /* with the document's share; NaN without a vector */
	uint64_t *eligible; /* bit a chunk: live, and its document may appear */
	uint32_t *groups;   /* which document a chunk is of, numbered from 0 in the order of chunks: ids may have large gaps */
	float *doc_bm25;    /* by group: the score of the whole document */
	float *doc_cosine;  /* by group: the mean over its chunks */
	uint32_t *doc_lengths; /* by group */
	uint32_t *doc_first;   /* by group: its first chunk; one more entry, chunk_limit */
	uint32_t group_count, live_group_count;
	uint64_t *docs;	    /* bit a document: has an eligible chunk; only where there is a filter */
	size_t doc_words;
};

/* Ranges that scores are normalised by, over eligible chunks. */
struct score_range {
	float min, max;
	uint32_t scored; /* chunks that have a score */
};

/* Takes chunks out of s->eligible: documents that the caller does not admit, excluded words, and where a quoted phrase is missing. 0,
 * -EIO or -ENOMEM. */
int filter_chunks(struct searcher *s, struct store_read *r, const struct search_request *request, const struct syntax *syntax);

/* Smallest and largest number of a column among eligible chunks, NaN left out; `scored` counts those above `floor`. */
struct score_range column_range(const struct searcher *s, const float *column, float floor);

/* Fills s->bm25, adding up in the order of the query's terms. 0, -EIO or -ENOMEM. */
int bm25_score(struct searcher *s, struct store_read *r, const struct term_postings *query);
/* The smallest is 0 where an eligible chunk has no query word. */
struct score_range bm25_range(const struct searcher *s);

/* Fills s->cosine for all chunks that have a vector in the space, and tells whether an eligible one has none. 0, -EINVAL, -EIO or -ENOMEM. */
int nearest_score(struct searcher *s, struct store_read *r, const struct store_space *space, const float *vector, bool *ret_missing);
struct score_range nearest_range(const struct searcher *s);
/* A chunk's cosine without its document's share. */
float nearest_cosine(const struct searcher *s, uint32_t id);

/* How scores are made of columns. */
struct fusion {
	enum search_mode mode;
	float keyword_weight;
	struct score_range bm25, cosine;
};

/* The best chunks in order. Sets *ret_hits (the caller frees it) and *ret_count. 0, -EIO or -ENOMEM. */
int rank_best(const struct searcher *s, struct store_read *r, const struct fusion *fusion, const struct search_request *request,
	      struct search_hit **ret_hits, uint32_t *ret_count);

static inline uint32_t doc_of(const struct searcher *s, uint32_t id)
{
	return s->segments[id / STORE_SEGMENT_CHUNKS].docs[id % STORE_SEGMENT_CHUNKS];
}

/* Whether chunk `id` is eligible. */
static inline bool is_eligible(const struct searcher *s, uint32_t id)
{
	return s->eligible[id / 64] >> (id % 64) & 1;
}

#endif
