/* Sign bits of a randomly rotated vector, for the first stage of the two-stage scan. The rotation spreads a vector's variance
 * evenly over the bits, without which most bits of a decaying spectrum say next to nothing.
 *
 * It is three rounds of random signs and a Hadamard transform (Ailon and Chazelle 2009, "The fast Johnson-Lindenstrauss
 * transform"), n log n additions instead of n^2. Where dims is no power of two, the largest one below is transformed, in turn at
 * the front and at the back, and a fourth round evens out. Plain C; the order of operations is fixed, so the bits are equal
 * everywhere. */
#include "vec/vec.h"

#include <math.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood 2014): one 64-bit word of signs after the other. */
static uint64_t next_signs(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

#define MINUS 0x80000000u

/* Flips the sign of each element whose bit is set, four bits at a time: the baseline of x86-64 has no shift by lane. */
static void flip_signs(float *x, size_t dims, uint64_t *state)
{
	static const uint32_t flips[16][4] = {
	        {0, 0, 0, 0},         {MINUS, 0, 0, 0},         {0, MINUS, 0, 0},         {MINUS, MINUS, 0, 0},
	        {0, 0, MINUS, 0},     {MINUS, 0, MINUS, 0},     {0, MINUS, MINUS, 0},     {MINUS, MINUS, MINUS, 0},
	        {0, 0, 0, MINUS},     {MINUS, 0, 0, MINUS},     {0, MINUS, 0, MINUS},     {MINUS, MINUS, 0, MINUS},
	        {0, 0, MINUS, MINUS}, {MINUS, 0, MINUS, MINUS}, {0, MINUS, MINUS, MINUS}, {MINUS, MINUS, MINUS, MINUS},
	};
	uint64_t signs = 0;
	for (size_t d = 0; d < dims; d += 4) {
		signs = d % 64 ? signs >> 4 : next_signs(state);
		uint32_t four[4];
		memcpy(four, x + d, sizeof(four));
		for (size_t i = 0; i < 4; i++)
			four[i] ^= flips[signs & 15][i];
		memcpy(x + d, four, sizeof(four));
	}
}

/* Sums and differences at distances 1, 2, 4 and 8 within 16 elements. Every loop has a constant number of turns, for the compiler.
 */
static void hadamard_16(float *x)
{
	for (size_t i = 0; i < 16; i += 2) {
		float a = x[i], b = x[i + 1];
		x[i] = a + b;
		x[i + 1] = a - b;
	}
	for (size_t i = 0; i < 16; i += 4) {
		float a = x[i], b = x[i + 1], c = x[i + 2], d = x[i + 3];
		x[i] = a + c;
		x[i + 1] = b + d;
		x[i + 2] = a - c;
		x[i + 3] = b - d;
	}
	for (size_t i = 0; i < 16; i += 8)
		for (size_t k = 0; k < 4; k++) {
			float a = x[i + k], b = x[i + k + 4];
			x[i + k] = a + b;
			x[i + k + 4] = a - b;
		}
	for (size_t i = 0; i < 8; i++) {
		float a = x[i], b = x[i + 8];
		x[i] = a + b;
		x[i + 8] = a - b;
	}
}

/* Sums and differences of two runs of 16. */
static void butterflies_16(float *restrict x, float *restrict y)
{
	for (size_t i = 0; i < 16; i++) {
		float a = x[i], b = y[i];
		x[i] = a + b;
		y[i] = a - b;
	}
}

static void hadamard(float *x, size_t size)
{
	for (size_t i = 0; i < size; i += 16)
		hadamard_16(x + i);
	for (size_t step = 16; step < size; step *= 2)
		for (size_t i = 0; i < size; i += 2 * step)
			for (size_t k = 0; k < step; k += 16)
				butterflies_16(x + i + k, x + i + k + step);
	float factor = 1 / sqrtf((float)size);
	for (size_t i = 0; i < size; i += 16)
		for (size_t k = 0; k < 16; k++)
			x[i + k] *= factor;
}

static void rotate(float *x, size_t dims, uint64_t seed)
{
	size_t power = 64;
	while (power * 2 <= dims)
		power *= 2;
	unsigned rounds = power == dims ? 3 : 4;
	for (unsigned round = 0; round < rounds; round++) {
		flip_signs(x, dims, &seed);
		hadamard(round % 2 ? x + dims - power : x, power);
	}
}

void vec_sign_bits(const float *x, size_t dims, uint64_t seed, uint64_t *bits)
{
	float rotated[VEC_MAX_DIMS];
	memcpy(rotated, x, dims * sizeof(*x));
	rotate(rotated, dims, seed);
	for (size_t d = 0; d < dims; d += 64) {
		uint64_t word = 0;
		for (size_t i = 0; i < 64; i++)
			word |= (uint64_t)(rotated[d + i] < 0) << i;
		bits[d / 64] = word;
	}
}
