/* One row at a time: to int8 and back, and to unit length. Plain C in a fixed order of operations, so that every machine gives the
 * same bits; a row costs a tenth of a microsecond, which leaves nothing to gain from a version for each instruction set. */
#include "vec/vec.h"

#include <math.h>
#include <string.h>

static uint32_t float_bits(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

/* The largest |x|, as bits: without their sign, floats are ordered as their bits are, NaN and infinity last (IEEE 754 binary32). */
static int32_t largest_magnitude(const float *x, size_t dims)
{
	int32_t largest[16] = {0};
	for (size_t d = 0; d < dims; d += 16)
		for (size_t i = 0; i < 16; i++) {
			int32_t magnitude = (int32_t)(float_bits(x[d + i]) & 0x7fffffff);
			largest[i] = magnitude > largest[i] ? magnitude : largest[i];
		}
	for (size_t i = 1; i < 16; i++)
		largest[0] = largest[i] > largest[0] ? largest[i] : largest[0];
	return largest[0];
}

/* max|x| / 127, or 0 when there is no usable scale: a zero vector, one with a NaN or infinity, one so small that the scale is 0. */
static float int8_scale(const float *x, size_t dims)
{
	const int32_t infinite = 0x7f800000;
	int32_t largest = largest_magnitude(x, dims);
	if (largest >= infinite)
		return 0;
	float max;
	memcpy(&max, &largest, sizeof(max));
	return max / 127;
}

/* x / scale, rounded to the nearest integer, ties to even: adding 1.5 * 2^23 leaves the integer in the low bits. Denormal scales
 * are too coarse for the quotient to stay within 127, so it is cut there. */
static int32_t to_int8(float x, float scale)
{
	float quotient = x / scale;
	quotient = quotient > 127 ? 127 : quotient;
	quotient = quotient < -127 ? -127 : quotient;
	return (int32_t)(float_bits(quotient + 12582912.0f) - 0x4b400000);
}

float vec_quantise_row(const float *x, size_t dims, uint8_t *row_plus_128)
{
	float scale = int8_scale(x, dims);
	if (scale == 0) {
		memset(row_plus_128, 128, dims);
		return 0;
	}
	for (size_t d = 0; d < dims; d += 16)
		for (size_t i = 0; i < 16; i++)
			row_plus_128[d + i] = (uint8_t)(to_int8(x[d + i], scale) + 128);
	return scale;
}

float vec_quantise_query(const float *x, size_t dims, int8_t *query)
{
	float scale = int8_scale(x, dims);
	if (scale == 0) {
		memset(query, 0, dims);
		return 0;
	}
	for (size_t d = 0; d < dims; d += 16)
		for (size_t i = 0; i < 16; i++)
			query[d + i] = (int8_t)to_int8(x[d + i], scale);
	return scale;
}

void vec_dequantise_row(const uint8_t *row, float scale, size_t dims, float *x)
{
	for (size_t d = 0; d < dims; d += 16)
		for (size_t i = 0; i < 16; i++)
			x[d + i] = (float)(row[d + i] - 128) * scale;
}

/* Sum of squares in double, where squares of floats are exact and can neither overflow nor vanish. The 16 partial sums and the
 * order in which they are joined are part of the definition. */
static double sum_of_squares(const float *x, size_t dims)
{
	double part[16] = {0};
	for (size_t d = 0; d < dims; d += 16)
		for (size_t i = 0; i < 16; i++)
			part[i] += (double)x[d + i] * (double)x[d + i];
	for (size_t width = 8; width > 0; width /= 2)
		for (size_t i = 0; i < width; i++)
			part[i] += part[i + width];
	return part[0];
}

bool vec_normalise(float *x, size_t dims)
{
	double squares = sum_of_squares(x, dims);
	if (squares == 0 || !isfinite(squares)) {
		memset(x, 0, dims * sizeof(*x));
		return false;
	}
	double factor = 1 / sqrt(squares);
	for (size_t d = 0; d < dims; d += 16)
		for (size_t i = 0; i < 16; i++)
			x[d + i] = (float)((double)x[d + i] * factor);
	return true;
}
