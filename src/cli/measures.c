/* Measures of retrieval: see measures.h. */
#include "cli/measures.h"

#include <math.h>
#include <stdlib.h>

enum { BOOTSTRAP_SAMPLES = 2000, SIGN_FLIPS = 10000 };

const char *measure_name(enum measure m)
{
	static const char *const names[] = {"ndcg@10", "mrr@10", "recall@10", "recall@100", "success@1"};
	return names[m];
}

static double dcg(const int *gains, size_t count)
{
	double sum = 0;
	for (size_t i = 0; i < count && i < 10; i++)
		if (gains[i] > 0)
			sum += gains[i] / log2((double)i + 2);
	return sum;
}

static double recall(const int *gains, size_t count, size_t depth, size_t relevant)
{
	size_t found = 0;
	for (size_t i = 0; i < count && i < depth; i++)
		found += gains[i] > 0;
	return (double)found / (double)relevant;
}

void measures_of_query(const int *gains, size_t count, const int *ideal, size_t ideal_count, double ret[MEASURE_COUNT])
{
	for (int m = 0; m < MEASURE_COUNT; m++)
		ret[m] = 0;
	if (ideal_count == 0)
		return;
	ret[MEASURE_NDCG10] = dcg(gains, count) / dcg(ideal, ideal_count);
	for (size_t i = 0; i < count && i < 10 && ret[MEASURE_MRR10] == 0; i++)
		if (gains[i] > 0)
			ret[MEASURE_MRR10] = 1 / ((double)i + 1);
	ret[MEASURE_RECALL10] = recall(gains, count, 10, ideal_count);
	ret[MEASURE_RECALL100] = recall(gains, count, 100, ideal_count);
	ret[MEASURE_SUCCESS1] = count > 0 && gains[0] > 0;
}

double measure_mean(const double *values, size_t count)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += values[i];
	return count ? sum / (double)count : 0;
}

/* SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to choose samples. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

void measure_interval(const double *values, size_t count, double *ret_low, double *ret_high)
{
	static const size_t low = BOOTSTRAP_SAMPLES * 25 / 1000, high = BOOTSTRAP_SAMPLES * 975 / 1000 - 1;
	double means[BOOTSTRAP_SAMPLES];
	uint64_t state = 1;
	for (size_t s = 0; s < BOOTSTRAP_SAMPLES; s++) {
		double sum = 0;
		for (size_t i = 0; i < count; i++)
			sum += values[next_random(&state) % count];
		means[s] = count ? sum / (double)count : 0;
	}
	qsort(means, BOOTSTRAP_SAMPLES, sizeof(*means), compare_doubles);
	*ret_low = means[low];
	*ret_high = means[high];
}

double measure_p_value(const double *a, const double *b, size_t count)
{
	double observed = 0;
	for (size_t i = 0; i < count; i++)
		observed += a[i] - b[i];
	observed = fabs(observed);
	uint64_t state = 1, bits = 0;
	size_t at_least = 0;
	for (size_t s = 0; s < SIGN_FLIPS; s++) {
		double sum = 0;
		for (size_t i = 0; i < count; i++) {
			if (i % 64 == 0)
				bits = next_random(&state);
			sum += bits >> (i % 64) & 1 ? a[i] - b[i] : b[i] - a[i];
		}
		/* A hair less than observed is as much: sums in another order differ in their last bits. */
		at_least += fabs(sum) >= observed - 1e-12;
	}
	return (double)at_least / SIGN_FLIPS;
}
