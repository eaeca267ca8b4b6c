/* Queries and relevance judgements from files: simple TSV or the formats of TREC. */
#ifndef CORPUSFS_CLI_JUDGEMENTS_H
#define CORPUSFS_CLI_JUDGEMENTS_H

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>

struct judgement {
	char *document;
	int gain; /* 0: judged not relevant */
};

struct judged_query {
	char *id, *text;
	struct judgement *judgements; /* in order of document */
	size_t count, capacity;
};

struct judged_queries {
	struct judged_query *queries; /* in the order of the file of queries */
	size_t count, capacity;
	size_t unknown; /* judgements of queries that are not in the file of queries */
};

/* Queries: one a line, "ID<TAB>TEXT"; or TREC topics (<top>, <num>, <title>; the title is the query). Judgements: one a line, "QUERY DOCUMENT GAIN" or
 * TREC's "QUERY ITERATION DOCUMENT GAIN", separated by tabs or blanks. Empty lines are passed over. Returns 0, -EINVAL with the line in *err, or
 * -ENOMEM; judgements_release frees either way. */
int judgements_parse_queries(struct span text, const char *name, struct judged_queries *q, struct err *err);
int judgements_parse_qrels(struct span text, const char *name, struct judged_queries *q, struct err *err);
void judgements_release(struct judged_queries *q);

/* The gain of a document by its path: an id stands for the path, the path without its extension, the file name, or the file name without its
 * extension; the first of these that was judged counts. 0 for none. *ret_index (may be NULL) is the judgement's, or SIZE_MAX. */
int judgements_gain(const struct judged_query *q, const char *path, size_t *ret_index);

#endif
