/* AVX-512 kernels with VNNI and VPOPCNTDQ. Compiled for them; dispatch.c calls them only where the machine has all. */
#include "vec/vec_impl.h"

#if defined(__x86_64__)

#include <immintrin.h>

/* The four totals of four sums. */
static inline __m128i add_across(__m512i a, __m512i b, __m512i c, __m512i d)
{
	__m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
	__m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
	__m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
	__m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
	return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* The rows are read in the order in which they lie: four side by side would be four streams, which cost half as much again,
 * and asking ahead by prefetch instructions gains nothing over what the processor does by itself (docs/performance.md). */
static inline __m512i dot(const uint8_t *row, size_t dims, const int8_t *query)
{
	__m512i sum = _mm512_setzero_si512();
	for (size_t d = 0; d < dims; d += 64)
		sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(row + d), _mm512_loadu_si512(query + d));
	return sum;
}

/* The products of 128, which a stored byte is too large by. */
static int32_t bias(size_t dims, const int8_t *query)
{
	__m512i sum = _mm512_setzero_si512();
	for (size_t d = 0; d < dims; d += 64)
		sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8((char)128), _mm512_loadu_si512(query + d));
	return _mm512_reduce_add_epi32(sum);
}

static void dot_rows(const uint8_t *rows, size_t count, size_t dims, const int8_t *query, int32_t *out)
{
	int32_t excess = bias(dims, query);
	size_t i = 0;
	for (; i + 4 <= count; i += 4) {
		const uint8_t *row = rows + i * dims;
		__m512i a = dot(row, dims, query), b = dot(row + dims, dims, query);
		__m512i c = dot(row + 2 * dims, dims, query), d = dot(row + 3 * dims, dims, query);
		_mm_storeu_si128((__m128i *)(out + i), _mm_sub_epi32(add_across(a, b, c, d), _mm_set1_epi32(excess)));
	}
	for (; i < count; i++)
		out[i] = _mm512_reduce_add_epi32(dot(rows + i * dims, dims, query)) - excess;
}

static inline __m512i count_differences(const uint64_t *row, __m512i query)
{
	return _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_loadu_si512(row), query));
}

/* 256 bits a row, the built-in model's: a register holds two rows, four registers the eight whose distances fill one store. */
static inline __m128i distances_of_eight(const uint64_t *rows, __m512i query_twice)
{
	__m512i a = count_differences(rows, query_twice), b = count_differences(rows + 8, query_twice);
	__m512i c = count_differences(rows + 16, query_twice), d = count_differences(rows + 24, query_twice);
	__m512i ab = _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
	__m512i cd = _mm512_add_epi64(_mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d));
	/* By row: 0 2 1 3 4 6 5 7. */
	__m512i all = _mm512_add_epi64(_mm512_shuffle_i64x2(ab, cd, 0x88), _mm512_shuffle_i64x2(ab, cd, 0xdd));
	return _mm512_cvtepi64_epi16(_mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 1, 3, 4, 6, 5, 7), all));
}

/* Returns how many rows were done: all but count % 8. */
static size_t hamming_256(const uint64_t *rows, size_t count, const uint64_t *query, uint16_t *out)
{
	__m512i query_twice = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)query));
	size_t i = 0;
	for (; i + 8 <= count; i += 8)
		_mm_storeu_si128((__m128i *)(out + i), distances_of_eight(rows + 4 * i, query_twice));
	return i;
}

static inline uint16_t distance(const uint64_t *row, const uint64_t *query, size_t words)
{
	__m512i sum = _mm512_setzero_si512();
	size_t w = 0;
	for (; w + 8 <= words; w += 8)
		sum = _mm512_add_epi64(sum, count_differences(row + w, _mm512_loadu_si512(query + w)));
	__mmask8 rest = (__mmask8)((1u << (words - w)) - 1);
	__m512i x = _mm512_xor_si512(_mm512_maskz_loadu_epi64(rest, row + w), _mm512_maskz_loadu_epi64(rest, query + w));
	return (uint16_t)_mm512_reduce_add_epi64(_mm512_add_epi64(sum, _mm512_popcnt_epi64(x)));
}

static void hamming_rows(const uint64_t *rows, size_t count, size_t dims, const uint64_t *query, uint16_t *out)
{
	size_t words = dims / 64;
	size_t i = words == 4 ? hamming_256(rows, count, query, out) : 0;
	for (; i < count; i++)
		out[i] = distance(rows + i * words, query, words);
}

/* 16 values of a table row times the row's weight, added. Two roundings, as everywhere. */
static inline __m512 add_weighted(__m512 sum, const int8_t *row, __m512 weight)
{
	__m512 values = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)row)));
	return _mm512_add_ps(sum, _mm512_mul_ps(weight, values));
}

/* 16 * `registers` dimensions of all rows; the sums stay in registers. Inlined with a constant. */
static inline __attribute__((always_inline)) void sum_columns(size_t registers, const int8_t *table, size_t dims,
                                                              const uint32_t *ids, const float *weights, size_t count, float *out)
{
	__m512 sum[16];
	for (size_t k = 0; k < registers; k++)
		sum[k] = _mm512_setzero_ps();
	for (size_t i = 0; i < count; i++) {
		size_t ahead = i + VEC_SUM_AHEAD < count ? i + VEC_SUM_AHEAD : i;
		for (size_t k = 0; k < registers; k += 4)
			_mm_prefetch((const char *)table + (size_t)ids[ahead] * dims + 16 * k, _MM_HINT_T0);
		const int8_t *row = table + (size_t)ids[i] * dims;
		__m512 weight = _mm512_set1_ps(weights[i]);
#pragma GCC unroll 16
		for (size_t k = 0; k < registers; k++)
			sum[k] = add_weighted(sum[k], row + 16 * k, weight);
	}
	for (size_t k = 0; k < registers; k++)
		_mm512_storeu_ps(out + 16 * k, sum[k]);
}

static void sum_rows(const int8_t *table, size_t dims, const uint32_t *ids, const float *weights, size_t count, float *out)
{
	size_t d = 0;
	for (; d + 256 <= dims; d += 256)
		sum_columns(16, table + d, dims, ids, weights, count, out + d);
	for (; d < dims; d += 64)
		sum_columns(4, table + d, dims, ids, weights, count, out + d);
}

const struct vec_kernels vec_kernels_avx512 = {
        .level = VEC_AVX512,
        .name = "avx512",
        .dot_rows = dot_rows,
        .hamming_rows = hamming_rows,
        .sum_rows = sum_rows,
};

#endif
