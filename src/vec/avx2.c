/* AVX2 kernels. Compiled with -mavx2; dispatch.c calls them only where the machine has it. */
#include "vec/vec_impl.h"

#if defined(__x86_64__)

#include <immintrin.h>

/* The query as 16-bit words: for every 32 bytes, the 16 at even places and then the 16 at odd places. A row is taken apart the same
 * way by a mask and a shift. VPMADDUBSW would do it in one step but saturates at 16 bits: 255 * 127 * 2 does not fit. */
struct wide_query {
	__m256i word[VEC_MAX_DIMS / 16];
};

static void widen_query(const int8_t *query, size_t dims, struct wide_query *wide)
{
	for (size_t d = 0; d < dims; d += 32) {
		__m256i bytes = _mm256_loadu_si256((const __m256i *)(query + d));
		wide->word[d / 16] = _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8);
		wide->word[d / 16 + 1] = _mm256_srai_epi16(bytes, 8);
	}
}

static inline __m256i add_products(__m256i sum, const uint8_t *row, __m256i even, __m256i odd)
{
	__m256i bytes = _mm256_loadu_si256((const __m256i *)row);
	__m256i a = _mm256_madd_epi16(_mm256_and_si256(bytes, _mm256_set1_epi16(0xff)), even);
	__m256i b = _mm256_madd_epi16(_mm256_srli_epi16(bytes, 8), odd);
	return _mm256_add_epi32(sum, _mm256_add_epi32(a, b));
}

/* The four totals of four sums. */
static inline __m128i add_across(__m256i a, __m256i b, __m256i c, __m256i d)
{
	__m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
	return _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}

/* The products of 128, which a stored byte is too large by. */
static int32_t bias(size_t dims, const struct wide_query *query)
{
	__m256i sum = _mm256_setzero_si256();
	for (size_t i = 0; i < dims / 16; i++)
		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(query->word[i], _mm256_set1_epi16(128)));
	return _mm_cvtsi128_si32(add_across(sum, sum, sum, sum));
}

/* Two rows at a time share the loads of the query, which are twice as many as the row's. */
static inline void dot_two(const uint8_t *row, size_t dims, const struct wide_query *query, __m256i sums[2])
{
	__m256i a = _mm256_setzero_si256(), b = a;
	for (size_t d = 0; d < dims; d += 32) {
		__m256i even = query->word[d / 16], odd = query->word[d / 16 + 1];
		a = add_products(a, row + d, even, odd);
		b = add_products(b, row + dims + d, even, odd);
	}
	sums[0] = a;
	sums[1] = b;
}

static inline __m256i dot_one(const uint8_t *row, size_t dims, const struct wide_query *query)
{
	__m256i sum = _mm256_setzero_si256();
	for (size_t d = 0; d < dims; d += 32)
		sum = add_products(sum, row + d, query->word[d / 16], query->word[d / 16 + 1]);
	return sum;
}

static void dot_rows(const uint8_t *rows, size_t count, size_t dims, const int8_t *query, int32_t *out)
{
	struct wide_query wide;
	widen_query(query, dims, &wide);
	int32_t excess = bias(dims, &wide);
	size_t i = 0;
	for (; i + 4 <= count; i += 4) {
		__m256i sums[4];
		dot_two(rows + i * dims, dims, &wide, sums);
		dot_two(rows + (i + 2) * dims, dims, &wide, sums + 2);
		_mm_storeu_si128((__m128i *)(out + i),
		                 _mm_sub_epi32(add_across(sums[0], sums[1], sums[2], sums[3]), _mm_set1_epi32(excess)));
	}
	for (; i < count; i++) {
		__m256i sum = dot_one(rows + i * dims, dims, &wide);
		out[i] = _mm_cvtsi128_si32(add_across(sum, sum, sum, sum)) - excess;
	}
}

/* Bits set in each 64-bit lane: a table of 16 counts looked up for each half byte (Mula, Kurz, Lemire 2018). */
static inline __m256i count_bits(__m256i x)
{
	const __m256i counts =
	        _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
	const __m256i low = _mm256_set1_epi8(15);
	__m256i sum = _mm256_add_epi8(_mm256_shuffle_epi8(counts, _mm256_and_si256(x, low)),
	                              _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
	return _mm256_sad_epu8(sum, _mm256_setzero_si256());
}

static inline uint64_t add_words(__m256i x)
{
	__m128i half = _mm_add_epi64(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
	return (uint64_t)(_mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1));
}

static inline uint16_t distance(const uint64_t *row, const uint64_t *query, size_t words)
{
	__m256i sum = _mm256_setzero_si256();
	size_t w = 0;
	for (; w + 4 <= words; w += 4) {
		__m256i x = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(row + w)),
		                             _mm256_loadu_si256((const __m256i *)(query + w)));
		sum = _mm256_add_epi64(sum, count_bits(x));
	}
	if (w < words) {
		__m256i rest = _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)(words - w)), _mm256_setr_epi64x(0, 1, 2, 3));
		__m256i x = _mm256_xor_si256(_mm256_maskload_epi64((const long long *)(row + w), rest),
		                             _mm256_maskload_epi64((const long long *)(query + w), rest));
		sum = _mm256_add_epi64(sum, count_bits(x));
	}
	return (uint16_t)add_words(sum);
}

static void hamming_rows(const uint64_t *rows, size_t count, size_t dims, const uint64_t *query, uint16_t *out)
{
	size_t words = dims / 64;
	for (size_t i = 0; i < count; i++)
		out[i] = distance(rows + i * words, query, words);
}

/* Eight values of a table row times the row's weight, added. Two roundings, as everywhere. */
static inline __m256 add_weighted(__m256 sum, const int8_t *row, __m256 weight)
{
	__m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)row)));
	return _mm256_add_ps(sum, _mm256_mul_ps(weight, values));
}

/* 64 dimensions of all rows, one cache line a row; the sums stay in registers. */
static void sum_columns(const int8_t *table, size_t dims, const uint32_t *ids, const float *weights, size_t count, float *out)
{
	__m256 sum[8];
	for (size_t k = 0; k < 8; k++)
		sum[k] = _mm256_setzero_ps();
	for (size_t i = 0; i < count; i++) {
		size_t ahead = i + VEC_SUM_AHEAD < count ? i + VEC_SUM_AHEAD : i;
		_mm_prefetch((const char *)table + (size_t)ids[ahead] * dims, _MM_HINT_T0);
		const int8_t *row = table + (size_t)ids[i] * dims;
		__m256 weight = _mm256_set1_ps(weights[i]);
		for (size_t k = 0; k < 8; k++)
			sum[k] = add_weighted(sum[k], row + 8 * k, weight);
	}
	for (size_t k = 0; k < 8; k++)
		_mm256_storeu_ps(out + 8 * k, sum[k]);
}

static void sum_rows(const int8_t *table, size_t dims, const uint32_t *ids, const float *weights, size_t count, float *out)
{
	for (size_t d = 0; d < dims; d += 64)
		sum_columns(table + d, dims, ids, weights, count, out + d);
}

const struct vec_kernels vec_kernels_avx2 = {
        .level = VEC_AVX2,
        .name = "avx2",
        .dot_rows = dot_rows,
        .hamming_rows = hamming_rows,
        .sum_rows = sum_rows,
};

#endif
