/* Sign bits of a randomly rotated vector, for the first stage of the two-stage scan. The rotation spreads a vector's variance evenly over
 * the bits, without which most bits of a decaying spectrum say next to nothing.
 *
 * It is three rounds of random signs and a Hadamard transform (Ailon and Chazelle 2009, "The fast Johnson-Lindenstrauss transform"),
 * n log n additions instead of n^2. Where dims is no power of two, the largest one below is transformed, in turn at the front and
 * at the back, and a fourth round evens out. Plain C; the order of operations is fixed, so the bits are equal everywhere. */
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

static void flip_signs(float *x, size_t dims, uint64_t *state)
{
	for (size_t d = 0; d < dims; d += 64) {
		uint64_t signs = next_signs(state);
		for (size_t i = 0; i < 64; i++) {
			uint32_t bits;
			memcpy(&bits, &x[d + i], sizeof(bits));
			bits ^= (uint32_t)(signs >> i & 1) << 31;
			memcpy(&x[d + i], &bits, sizeof(bits));
		}
	}
}

/* One group of butterflies at distance `step`, a power of two. */
static void butterflies(float *x, size_t step)
{
	for (size_t i = 0; i < step; i++) {
		float a = x[i], b = x[i + step];
		x[i] = a + b;
		x[i + step] = a - b;
	}
}

static void hadamard(float *x, size_t size)
{
	for (size_t step = 1; step < size; step *= 2)
		for (size_t i = 0; i < size; i += 2 * step)
			butterflies(x + i, step);
	float factor = 1 / sqrtf((float)size);
	for (size_t i = 0; i < size; i++)
		x[i] *= factor;
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
