/* Measures of ranked retrieval, as trec_eval defines them, and how sure one can be of their means. Pure functions. */
#ifndef CORPUSFS_CLI_MEASURES_H
#define CORPUSFS_CLI_MEASURES_H

#include <stddef.h>
#include <stdint.h>

enum measure { MEASURE_NDCG10, MEASURE_MRR10, MEASURE_RECALL10, MEASURE_RECALL100, MEASURE_SUCCESS1, MEASURE_COUNT };

/* "ndcg@10", ... */
const char *measure_name(enum measure m);

/* All measures of one query. `gains[i]` is the judgement of the document at rank i + 1 (0 when it is not judged or not relevant); `ideal` holds the
 * positive judgements of the query in falling order. nDCG: gain / log2(rank + 1), linear gain (Järvelin and Kekäläinen 2002, as trec_eval's
 * ndcg_cut); relevant means judged 1 or more. A query without relevant documents has 0 everywhere. */
void measures_of_query(const int *gains, size_t count, const int *ideal, size_t ideal_count, double ret[MEASURE_COUNT]);

double measure_mean(const double *values, size_t count);
/* The middle 95 % of the means of 2,000 samples drawn with replacement (percentile bootstrap, Efron 1979), from a fixed seed. */
void measure_interval(const double *values, size_t count, double *ret_low, double *ret_high);
/* How likely a difference of means at least as large as that of two paired lists would be if it were chance: two-sided paired randomisation test with
 * 10,000 sign flips (Smucker, Allan, Carterette 2007), from a fixed seed. 1 when nothing differs. */
double measure_p_value(const double *a, const double *b, size_t count);

#endif
