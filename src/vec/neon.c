/* NEON kernels, for what every 64-bit ARM processor has. SDOT would need a later revision and a run-time check; widening multiplies
 * already keep up with memory. */
#include "vec/vec_impl.h"

#if defined(__aarch64__)

#include <arm_neon.h>

/* 16 signed products added to four sums; 128 is taken off the stored bytes by flipping their top bit. */
static inline int32x4_t add_products(int32x4_t sum, const uint8_t *row, int8x16_t query)
{
	int8x16_t bytes = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row), vdupq_n_u8(0x80)));
	sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(bytes), vget_low_s8(query)));
	return vpadalq_s16(sum, vmull_high_s8(bytes, query));
}

static void dot_rows(const uint8_t *rows, size_t count, size_t dims, const int8_t *query, int32_t *out)
{
	size_t i = 0;
	for (; i + 4 <= count; i += 4) {
		const uint8_t *row = rows + i * dims;
		int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
		for (size_t k = 0; k < dims; k += 16) {
			int8x16_t q = vld1q_s8(query + k);
			a = add_products(a, row + k, q);
			b = add_products(b, row + dims + k, q);
			c = add_products(c, row + 2 * dims + k, q);
			d = add_products(d, row + 3 * dims + k, q);
		}
		vst1q_s32(out + i, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
	}
	for (; i < count; i++) {
		int32x4_t sum = vdupq_n_s32(0);
		for (size_t k = 0; k < dims; k += 16)
			sum = add_products(sum, rows + i * dims + k, vld1q_s8(query + k));
		out[i] = vaddvq_s32(sum);
	}
}

static void hamming_rows(const uint64_t *rows, size_t count, size_t dims, const uint64_t *query, uint16_t *out)
{
	size_t words = dims / 64;
	for (size_t i = 0; i < count; i++) {
		const uint64_t *row = rows + i * words;
		uint16x8_t sum = vdupq_n_u16(0);
		size_t w = 0;
		for (; w + 2 <= words; w += 2)
			sum = vpadalq_u8(sum, vcntq_u8(vreinterpretq_u8_u64(veorq_u64(vld1q_u64(row + w), vld1q_u64(query + w)))));
		uint32_t distance = vaddlvq_u16(sum);
		if (w < words)
			distance += vaddv_u8(vcnt_u8(vcreate_u8(row[w] ^ query[w])));
		out[i] = (uint16_t)distance;
	}
}

/* 16 values of a table row times the row's weight, added to four sums. Two roundings, as everywhere. */
static inline void add_weighted(float32x4_t sum[4], const int8_t *row, float32x4_t weight)
{
	int8x16_t bytes = vld1q_s8(row);
	int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
	sum[0] = vaddq_f32(sum[0], vmulq_f32(weight, vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)))));
	sum[1] = vaddq_f32(sum[1], vmulq_f32(weight, vcvtq_f32_s32(vmovl_high_s16(low))));
	sum[2] = vaddq_f32(sum[2], vmulq_f32(weight, vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)))));
	sum[3] = vaddq_f32(sum[3], vmulq_f32(weight, vcvtq_f32_s32(vmovl_high_s16(high))));
}

/* 64 dimensions of all rows; the sums stay in registers. */
static void sum_columns(const int8_t *table, size_t dims, const uint32_t *ids, const float *weights, size_t count, float *out)
{
	float32x4_t sum[16];
	for (size_t k = 0; k < 16; k++)
		sum[k] = vdupq_n_f32(0);
	for (size_t i = 0; i < count; i++) {
		size_t ahead = i + VEC_SUM_AHEAD < count ? i + VEC_SUM_AHEAD : i;
		__builtin_prefetch(table + (size_t)ids[ahead] * dims);
		const int8_t *row = table + (size_t)ids[i] * dims;
		float32x4_t weight = vdupq_n_f32(weights[i]);
		for (size_t k = 0; k < 4; k++)
			add_weighted(sum + 4 * k, row + 16 * k, weight);
	}
	for (size_t k = 0; k < 16; k++)
		vst1q_f32(out + 4 * k, sum[k]);
}

static void sum_rows(const int8_t *table, size_t dims, const uint32_t *ids, const float *weights, size_t count, float *out)
{
	for (size_t d = 0; d < dims; d += 64)
		sum_columns(table + d, dims, ids, weights, count, out + d);
}

const struct vec_kernels vec_kernels_neon = {
        .level = VEC_NEON,
        .name = "neon",
        .dot_rows = dot_rows,
        .hamming_rows = hamming_rows,
        .sum_rows = sum_rows,
};

#endif
