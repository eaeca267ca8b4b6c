/* Search: a query -> ranked chunks of the index. Reads one snapshot of the store, keeps no state of its own but scratch memory.
 *
 * Keyword score: BM25 of the chunk and, to about a third, of its document. Vector score: cosine in one vector space, of the chunk and, to
 * a fifth, the mean of its document. Fusion: w * norm(bm25) + (1 - w) * norm(cosine), where
 * norm(x) = (x - min) / (max - min) over all eligible chunks (docs/ranking.md). Results are exact, not approximate, up to a million
 * chunks; beyond, vector candidates come from a two-stage scan. Equal scores are ordered by the document's clean hash and the chunk's ordinal,
 * which do not depend on the order of indexing, so that a rebuilt store ranks alike. */
#ifndef CORPUSFS_SEARCH_SEARCH_H
#define CORPUSFS_SEARCH_SEARCH_H

#include "base/span.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* An index of at most so many chunks is scanned exactly: 1,000,000 rows of 256 bytes are read in about 25 ms. */
enum { SEARCH_EXACT_CHUNKS = 1000 * 1024 };
/* Seed of vec_sign_bits() for the rows that are put into the store and for queries. Part of the store's format. */
#define SEARCH_BITS_SEED UINT64_C(0x636f72707573)

enum search_mode { SEARCH_HYBRID, SEARCH_KEYWORD, SEARCH_VECTOR };

struct search_request {
	enum search_mode mode;
	struct span text;	  /* UTF-8; may be empty in vector mode. "Quoted phrases" must be there, -words must not (search/syntax.h) */
	const float *vector;	  /* dims of the space, unit length; NULL when there is none: hybrid falls back to keyword */
	struct store_space space; /* of that vector */
	float keyword_weight;	  /* w above */
	bool everything;	  /* there is nothing to rank by: the first chunk of every eligible document, each with a score of 1 */
	uint32_t limit;		  /* hits wanted, 1..LIMIT_RESULTS */
	uint32_t per_document;	  /* at most so many chunks of one document, 0 for no bound */
	double min_score;	  /* hits below are left out; -INFINITY for none */
	/* NULL, or says whether a document may appear at all (filters, permissions). Called at most once a document and search, in
	 * increasing id; filters apply before ranking: min, max and document frequencies of the fusion are those of what is
	 * eligible, except BM25's own document frequencies, which are the corpus's. */
	bool (*eligible)(void *context, uint32_t doc);
	void *context;
};

struct search_hit {
	uint32_t doc, chunk; /* chunk: ordinal in its document, from 0 */
	float score;		   /* keyword and vector mode: BM25, or cosine, each with its document's share */
	float bm25, cosine;	   /* cosine: of the chunk alone, NaN where no vector took part */
};

struct search_results {
	struct search_hit *hits;
	uint32_t count;
	uint64_t generation;
	uint32_t eligible_chunks, scored_by_keyword, scored_by_vector; /* for .explain.json */
	float bm25_max, cosine_min, cosine_max;
	float keyword_weight; /* as used: vectors count half when the query holds a name (docs/ranking.md) */
	bool vectors_missing; /* a vector was wanted and some eligible chunk has none: degraded */
	char terms[2048];     /* the query's terms as searched, separated by blanks, cut */
};

/* Scratch memory; one a thread that searches (about 8 bytes a chunk). */
struct searcher;
int searcher_new(struct searcher **ret);
void searcher_free(struct searcher *s);

/* Returns 0 with *ret that the caller releases, -EINVAL (a request without text and vector), -ENOMEM, -EIO. */
int search_run(struct searcher *s, struct store_read *r, const struct search_request *request, struct search_results *ret);
void search_results_release(struct search_results *results);

#endif
