/* The kernels in plain C: the definition that the others are tested against, and what runs where nothing better does. Inner loops
 * have a constant number of turns, which is what compilers turn into whatever vectors the baseline has. */
#include "vec/vec_impl.h"

#include <string.h>

static int32_t dot(const uint8_t *row, const int8_t *query, size_t dims)
{
	int32_t sum = 0;
	for (size_t d = 0; d < dims; d += 16)
		for (size_t i = 0; i < 16; i++)
			sum += (row[d + i] - 128) * query[d + i];
	return sum;
}

static void dot_rows(const uint8_t *rows, size_t count, size_t dims, const int8_t *query, int32_t *out)
{
	for (size_t i = 0; i < count; i++)
		out[i] = dot(rows + i * dims, query, dims);
}

/* Bits set, without the instruction that the x86-64 baseline lacks (Hacker's Delight, figure 5-2). */
static uint64_t count_bits(uint64_t x)
{
	x -= x >> 1 & 0x5555555555555555u;
	x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return x * 0x0101010101010101u >> 56;
}

static void hamming_rows(const uint64_t *rows, size_t count, size_t dims, const uint64_t *query, uint16_t *out)
{
	size_t words = dims / 64;
	for (size_t i = 0; i < count; i++) {
		uint64_t distance = 0;
		for (size_t w = 0; w < words; w++)
			distance += count_bits(rows[i * words + w] ^ query[w]);
		out[i] = (uint16_t)distance;
	}
}

static void sum_rows(const int8_t *table, size_t dims, const uint32_t *ids, const float *weights, size_t count, float *out)
{
	memset(out, 0, dims * sizeof(*out));
	for (size_t i = 0; i < count; i++) {
		const int8_t *row = table + (size_t)ids[i] * dims;
		for (size_t d = 0; d < dims; d += 16)
			for (size_t k = 0; k < 16; k++)
				out[d + k] += weights[i] * (float)row[d + k];
	}
}

const struct vec_kernels vec_kernels_scalar = {
        .level = VEC_SCALAR,
        .name = "scalar",
        .dot_rows = dot_rows,
        .hamming_rows = hamming_rows,
        .sum_rows = sum_rows,
};
