/* Vector kernels over int8 rows and bit rows: the arithmetic of nearest-neighbour search and nothing else. This folder
 * knows no documents, no store and no files.
 *
 * Rows are stored unsigned, value + 128, because VPDPBUSD multiplies unsigned by signed bytes; queries are signed int8. All
 * kernels of one operation give the same integers on every instruction set, bit for bit. Every function is pure and may run
 * on any thread. `dims` is a multiple of 64, at most VEC_MAX_DIMS. The level is chosen once from the CPU (and
 * CORPUSFS_SIMD=scalar|avx2|avx512|neon, which may lower it); only the kernels' own objects are compiled for it. */
#ifndef CORPUSFS_VEC_VEC_H
#define CORPUSFS_VEC_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VEC_MAX_DIMS = 4096 };

enum vec_level { VEC_SCALAR, VEC_AVX2, VEC_AVX512, VEC_NEON };

/* The level in use, and its name for status and logs. */
enum vec_level vec_level(void);
const char *vec_level_name(void);
/* For tests: forces a level; false when this machine lacks it. Not thread-safe. */
bool vec_force_level(enum vec_level level);

/* A float vector as int8: value[i] = round(x[i] / scale), scale = max|x| / 127 (0 for a zero vector). */
float vec_quantise_row(const float *x, size_t dims, uint8_t *row_plus_128); /* returns scale */
float vec_quantise_query(const float *x, size_t dims, int8_t *query);       /* returns scale */
/* Inverse of vec_quantise_row. */
void vec_dequantise_row(const uint8_t *row, float scale, size_t dims, float *x);

/* out[i] = sum_d (rows[i * dims + d] - 128) * query[d], for i < count. */
void vec_dot_rows(const uint8_t *rows, size_t count, size_t dims, const int8_t *query, int32_t *out);

/* Sign bits after a fixed rotation (seeded random signs + Hadamard blocks), bit d of word d/64; dims bits a row. */
void vec_sign_bits(const float *x, size_t dims, uint64_t seed, uint64_t *bits);
/* out[i] = Hamming distance of rows[i * dims / 64 ...] to query, for i < count. */
void vec_hamming_rows(const uint64_t *rows, size_t count, size_t dims, const uint64_t *query, uint16_t *out);

/* sum of weight[i] * table[ids[i] * dims + d] into out[d] (float). The inner loop of the static embedder. The additions are
 * made in the order of i on every level, without fused multiply-add, so the result is equal bit for bit. */
void vec_sum_rows(const int8_t *table, size_t dims, const uint32_t *ids, const float *weights, size_t count, float *out);

/* L2-normalises in place; a zero or non-finite vector becomes zero and false is returned. Same bits on every level. */
bool vec_normalise(float *x, size_t dims);

#endif
