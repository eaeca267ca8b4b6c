/* A frozen set of hits: results.c makes it on a job's thread, forms.c shows it; once it is handed out nothing in it changes. */
#ifndef CORPUSFS_CORPUS_RESULTS_H
#define CORPUSFS_CORPUS_RESULTS_H

#include "asked.h"
#include "corpus_impl.h"
#include "search/search.h"

struct corpus_results {
	atomic_uint refs;
	struct corpus_query *query;
	struct asked asked; /* of the query; empty for similar */
	char *similar_to; /* or NULL */
	struct corpus_hit *hits;
	char **headings; /* of each hit: its headings from the outside in, NUL-terminated, ending with an empty one */
	uint32_t count;
	uint64_t generation;
	bool degraded;
	char degraded_reason[ERR_TEXT_SIZE];
	struct search_results found; /* its hits are released; the figures are for .explain.json */
	bool figures; /* of the whole corpus, which only who may read it all is told */
	uint64_t files, indexed_documents, documents;
	size_t exact_names; /* documents put first because the query is their name */
	char model[64]; /* whose vectors took part, or "" */
	float keyword_weight;
};

#endif
