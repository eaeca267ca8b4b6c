/* Private to vec/: one row of kernels for each instruction set. A kernel has the contract of the public function of its name
 * (vec.h) and is called with checked arguments only: dims a multiple of 64 and at most VEC_MAX_DIMS. Only what repays
 * it has a version for each instruction set; the rest is plain C in row.c and rotate.c, the same object on every level. */
#ifndef CORPUSFS_VEC_VEC_IMPL_H
#define CORPUSFS_VEC_VEC_IMPL_H

#include "vec/vec.h"

struct vec_kernels {
	enum vec_level level;
	const char *name;
	void (*dot_rows)(const uint8_t *rows, size_t count, size_t dims, const int8_t *query, int32_t *out);
	void (*hamming_rows)(const uint64_t *rows, size_t count, size_t dims, const uint64_t *query, uint16_t *out);
	void (*sum_rows)(const int8_t *table, size_t dims, const uint32_t *ids, const float *weights, size_t count, float *out);
};

extern const struct vec_kernels vec_kernels_scalar;
#if defined(__x86_64__)
extern const struct vec_kernels vec_kernels_avx2;   /* AVX2 */
extern const struct vec_kernels vec_kernels_avx512; /* AVX-512 F, BW, DQ, VL, VNNI, VPOPCNTDQ: Ice Lake, Zen 4 and later */
#elif defined(__aarch64__)
extern const struct vec_kernels vec_kernels_neon; /* what every 64-bit ARM has */
#endif

/* Rows that are added up lie scattered over a table larger than the near caches: this many ahead are asked for. */
enum { VEC_SUM_AHEAD = 6 };

#endif
