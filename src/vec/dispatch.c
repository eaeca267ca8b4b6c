/* Chooses the kernels once, from what the processor and the operating system support, and passes calls on. */
#include "vec/vec_impl.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX__)
#error "dispatch.c decides whether AVX may be used, so it must not itself be compiled for AVX"
#endif

/* Best first. */
static const struct vec_kernels *const all_kernels[] = {
#if defined(__x86_64__)
        &vec_kernels_avx512,
        &vec_kernels_avx2,
#elif defined(__aarch64__)
        &vec_kernels_neon,
#endif
        &vec_kernels_scalar,
};
enum { KERNELS = sizeof(all_kernels) / sizeof(all_kernels[0]) };

/* The module's only state. Set once; threads that race to set it store the same value. */
static _Atomic(const struct vec_kernels *) chosen;

/* The builtin asks CPUID, and XGETBV whether the operating system saves the registers. */
static bool is_supported(enum vec_level level)
{
#if defined(__x86_64__)
	if (level == VEC_AVX2)
		return __builtin_cpu_supports("avx2");
	if (level == VEC_AVX512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vpopcntdq");
#elif defined(__aarch64__)
	if (level == VEC_NEON)
		return true;
#endif
	return level == VEC_SCALAR;
}

/* A name that is unknown, or that this machine lacks, changes nothing. */
static const struct vec_kernels *choose(const char *wanted)
{
	const struct vec_kernels *best = NULL;
	for (size_t i = 0; i < KERNELS; i++) {
		if (!is_supported(all_kernels[i]->level))
			continue;
		if (!best)
			best = all_kernels[i];
		if (wanted && strcmp(wanted, all_kernels[i]->name) == 0)
			return all_kernels[i];
	}
	return best;
}

static const struct vec_kernels *kernels(void)
{
	const struct vec_kernels *k = atomic_load_explicit(&chosen, memory_order_acquire);
	if (!k) {
		k = choose(getenv("CORPUSFS_SIMD"));
		atomic_store_explicit(&chosen, k, memory_order_release);
	}
	return k;
}

enum vec_level vec_level(void)
{
	return kernels()->level;
}

const char *vec_level_name(void)
{
	return kernels()->name;
}

bool vec_force_level(enum vec_level level)
{
	for (size_t i = 0; i < KERNELS; i++) {
		if (all_kernels[i]->level != level || !is_supported(level))
			continue;
		atomic_store_explicit(&chosen, all_kernels[i], memory_order_release);
		return true;
	}
	return false;
}

static bool is_legal(size_t dims)
{
	return dims > 0 && dims % 64 == 0 && dims <= VEC_MAX_DIMS;
}

void vec_dot_rows(const uint8_t *rows, size_t count, size_t dims, const int8_t *query, int32_t *out)
{
	assert(is_legal(dims));
	kernels()->dot_rows(rows, count, dims, query, out);
}

void vec_hamming_rows(const uint64_t *rows, size_t count, size_t dims, const uint64_t *query, uint16_t *out)
{
	assert(is_legal(dims));
	kernels()->hamming_rows(rows, count, dims, query, out);
}

void vec_sum_rows(const int8_t *table, size_t dims, const uint32_t *ids, const float *weights, size_t count, float *out)
{
	assert(is_legal(dims));
	kernels()->sum_rows(table, dims, ids, weights, count, out);
}
