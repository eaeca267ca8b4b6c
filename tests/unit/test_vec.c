/* Vector kernels: every level that this machine has against a definition in double precision or wide integers, and against each
 * other. Data lies against a page that may not be touched, so that reading one byte too many ends the test. */
#include "tap.h"

#include "vec/vec.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const enum vec_level levels[] = {VEC_SCALAR, VEC_AVX2, VEC_AVX512, VEC_NEON};
static const char *const level_names[] = {"scalar", "avx2", "avx512", "neon"};
enum { LEVELS = sizeof(levels) / sizeof(*levels) };

static const size_t some_dims[] = {64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 960, 1024, 1536, 4096};
enum { SOME_DIMS = sizeof(some_dims) / sizeof(*some_dims), ROWS = 37, TABLE = 50 };

static uint64_t random_state;

static uint64_t random_word(void) /* splitmix64 */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static double random_unit(void) /* -1..1 */
{
	return (double)(int64_t)random_word() / 9223372036854775808.0;
}

static double random_normal(void)
{
	double sum = 0;
	for (int i = 0; i < 12; i++)
		sum += random_unit();
	return sum / 2;
}

/* Memory that ends where the process may not read. */
struct guarded {
	char *map;
	size_t map_size;
	void *data;
};

static struct guarded guarded(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + page - 1) / page * page;
	char *map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || mprotect(map + room, page, PROT_NONE) != 0)
		exit(2);
	return (struct guarded){map, room + page, map + room - size};
}

static void guarded_free(struct guarded *g)
{
	(void)munmap(g->map, g->map_size);
}

static void fill(void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)data)[i] = (uint8_t)random_word();
}

/* The first row that differs from the definition, or -1. */
static long wrong_dot(const uint8_t *rows, size_t count, size_t dims, const int8_t *query, int32_t *out)
{
	vec_dot_rows(rows, count, dims, query, out);
	for (size_t i = 0; i < count; i++) {
		int64_t sum = 0;
		for (size_t d = 0; d < dims; d++)
			sum += ((int64_t)rows[i * dims + d] - 128) * query[d];
		if (sum != out[i])
			return (long)i;
	}
	return -1;
}

static void dot_of_random_rows(const char *level, size_t dims)
{
	long wrong = -1;
	struct guarded out = guarded(ROWS * sizeof(int32_t));
	for (size_t count = 0; count <= ROWS && wrong < 0; count++) {
		/* One byte before the end makes both starts odd. */
		struct guarded rows = guarded(count * dims + count % 2), query = guarded(dims + count % 3);
		fill(rows.data, count * dims);
		fill(query.data, dims);
		wrong = wrong_dot(rows.data, count, dims, query.data, (int32_t *)out.data + (ROWS - count));
		guarded_free(&rows);
		guarded_free(&query);
	}
	guarded_free(&out);
	CHECK_NAMED(wrong < 0, "%s: dot products of 0 to %d rows of %zu, any alignment (first wrong row %ld)", level, ROWS, dims,
	            wrong);
}

static void dot_of_extremes(const char *level)
{
	static const int row_values[] = {0, 1, 127, 128, 129, 255}, query_values[] = {-128, -127, -1, 0, 1, 127};
	static uint8_t rows[6 * VEC_MAX_DIMS];
	static int8_t query[VEC_MAX_DIMS];
	long wrong = -1;
	int32_t out[6];
	for (size_t i = 0; i < 6; i++)
		memset(rows + i * VEC_MAX_DIMS, row_values[i], VEC_MAX_DIMS);
	for (size_t i = 0; i < 6 && wrong < 0; i++) {
		memset(query, query_values[i], sizeof(query));
		wrong = wrong_dot(rows, 6, VEC_MAX_DIMS, query, out);
	}
	CHECK_NAMED(wrong < 0, "%s: dot products of extreme values over %d dimensions", level, VEC_MAX_DIMS);
}

static void hamming_distances(const char *level, size_t dims)
{
	size_t words = dims / 64;
	long wrong = -1;
	for (size_t count = 0; count <= ROWS && wrong < 0; count++) {
		struct guarded rows = guarded(count * words * 8), query = guarded(words * 8), out = guarded(count * 2);
		fill(rows.data, count * words * 8);
		fill(query.data, words * 8);
		if (count > 2) { /* equal and opposite rows: distance 0 and dims */
			memcpy(rows.data, query.data, words * 8);
			for (size_t w = 0; w < words; w++)
				((uint64_t *)rows.data)[words + w] = ~((uint64_t *)query.data)[w];
		}
		vec_hamming_rows(rows.data, count, dims, query.data, out.data);
		for (size_t i = 0; i < count; i++) {
			unsigned distance = 0;
			for (size_t d = 0; d < dims; d++)
				distance +=
				        (((uint64_t *)rows.data)[i * words + d / 64] ^ ((uint64_t *)query.data)[d / 64]) >> d % 64 &
				        1;
			if (((uint16_t *)out.data)[i] != distance)
				wrong = (long)i;
		}
		guarded_free(&rows);
		guarded_free(&query);
		guarded_free(&out);
	}
	CHECK_NAMED(wrong < 0, "%s: Hamming distances of 0 to %d rows of %zu bits (wrong row %ld)", level, ROWS, dims, wrong);
}

/* Equal bits, or both NaN: which NaN comes out of two is nobody's promise. */
static bool same_floats(const float *a, const float *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!(isnan(a[i]) && isnan(b[i])) && memcmp(a + i, b + i, sizeof(*a)) != 0)
			return false;
	return true;
}

static void sums_of_rows(const char *level, size_t dims)
{
	static const float odd_weights[] = {0, -0.0f, 1e-42f, -FLT_MIN, 3e38f, INFINITY, -INFINITY, NAN};
	struct guarded table = guarded(TABLE * dims), out = guarded(dims * sizeof(float));
	fill(table.data, TABLE * dims);
	const int8_t *rows = table.data;
	float *sums = out.data;
	bool bits_equal = true, close = true;
	for (size_t count = 0; count <= 160; count += count < 12 ? 1 : 37) {
		uint32_t ids[160];
		float weights[160], expected[VEC_MAX_DIMS] = {0};
		double exact[VEC_MAX_DIMS] = {0}, size = 0;
		for (size_t i = 0; i < count; i++) {
			ids[i] = (uint32_t)(random_word() % TABLE);
			weights[i] = (float)random_unit();
			size += fabs((double)weights[i]) * 128;
			for (size_t d = 0; d < dims; d++) {
				exact[d] += (double)weights[i] * rows[ids[i] * dims + d];
				float product = weights[i] * (float)rows[ids[i] * dims + d];
				expected[d] += product;
			}
		}
		vec_sum_rows(rows, dims, ids, weights, count, sums);
		bits_equal = bits_equal && same_floats(sums, expected, dims);
		for (size_t d = 0; d < dims; d++)
			close = close && fabs(sums[d] - exact[d]) <= (double)count * FLT_EPSILON * size;
	}
	for (size_t i = 0; i < sizeof(odd_weights) / sizeof(*odd_weights); i++) {
		const uint32_t ids[] = {TABLE - 1, 0};
		const float weights[] = {odd_weights[i], 0.5f};
		float expected[VEC_MAX_DIMS] = {0};
		for (size_t k = 0; k < 2; k++)
			for (size_t d = 0; d < dims; d++)
				expected[d] += weights[k] * (float)rows[ids[k] * dims + d];
		vec_sum_rows(rows, dims, ids, weights, 2, sums);
		bits_equal = bits_equal && same_floats(sums, expected, dims);
	}
	CHECK_NAMED(bits_equal, "%s: weighted sums of rows of %zu: products rounded, added in order, bit for bit", level, dims);
	CHECK_NAMED(close, "%s: weighted sums of rows of %zu agree with double precision", level, dims);
	guarded_free(&table);
	guarded_free(&out);
}

static void each_level(void)
{
	for (size_t i = 0; i < LEVELS; i++) {
		random_state = 1;
		if (!vec_force_level(levels[i])) {
			char reason[64];
			(void)snprintf(reason, sizeof(reason), "this machine has no %s", level_names[i]);
			tap_skip(reason);
			continue;
		}
		CHECK_NAMED(vec_level() == levels[i] && strcmp(vec_level_name(), level_names[i]) == 0, "%s can be forced",
		            level_names[i]);
		for (size_t k = 0; k < SOME_DIMS; k++) {
			dot_of_random_rows(level_names[i], some_dims[k]);
			hamming_distances(level_names[i], some_dims[k]);
			sums_of_rows(level_names[i], some_dims[k]);
		}
		dot_of_extremes(level_names[i]);
	}
}

/* The level that a fresh process chooses under CORPUSFS_SIMD=`wanted`. */
static bool chooses(const char *self, const char *wanted, const char *expected)
{
	char command[5000], line[64] = "";
	(void)snprintf(command, sizeof(command), "CORPUSFS_SIMD=%s '%s' print-level", wanted, self);
	FILE *output = popen(command, "r");
	if (!output)
		return false;
	if (!fgets(line, sizeof(line), output))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return pclose(output) == 0 && strcmp(line, expected) == 0;
}

static void choice(const char *self)
{
	CHECK(vec_level() != VEC_SCALAR || !vec_force_level(VEC_AVX2));
	const char *best = vec_level_name();
	CHECK(chooses(self, "scalar", "scalar"));
	CHECK(chooses(self, "", best));
	CHECK(chooses(self, "unheard-of", best));
	for (size_t i = 0; i < LEVELS; i++) {
		bool supported = vec_force_level(levels[i]);
		CHECK(chooses(self, level_names[i], supported ? level_names[i] : best));
	}
}

static bool is_zero(const float *x, size_t dims)
{
	for (size_t d = 0; d < dims; d++)
		if (x[d] != 0)
			return false;
	return true;
}

static void unit_length(void)
{
	for (size_t k = 0; k < SOME_DIMS; k++) {
		static const double sizes[] = {1, 1e-44, 1e-38, 1e-20, 1e20, 3e38};
		size_t dims = some_dims[k];
		bool good = true;
		for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
			struct guarded x = guarded(dims * sizeof(float));
			double before[VEC_MAX_DIMS], squares = 0;
			float *values = x.data;
			for (size_t d = 0; d < dims; d++) {
				values[d] = (float)(random_unit() * sizes[s]);
				before[d] = (double)values[d];
				squares += before[d] * before[d];
			}
			good = good && vec_normalise(values, dims);
			for (size_t d = 0; d < dims; d++) {
				double exact = before[d] / sqrt(squares);
				good = good && fabs(values[d] - exact) <= fabs(exact) * FLT_EPSILON;
			}
			guarded_free(&x);
		}
		CHECK_NAMED(good, "rows of %zu from 1e-44 to 3e38 come to unit length", dims);
	}
	static const float bad[] = {0, -0.0f, NAN, INFINITY, -INFINITY};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		float x[64] = {0};
		if (i > 1)
			x[7] = 1;
		x[63] = bad[i];
		CHECK_NAMED(!vec_normalise(x, 64) && is_zero(x, 64), "a row with %g and nothing usable becomes zero",
		            (double)bad[i]);
	}
}

static void quantise_near(size_t dims, double size)
{
	float x[VEC_MAX_DIMS] = {0}, back[VEC_MAX_DIMS];
	uint8_t row[VEC_MAX_DIMS];
	int8_t query[VEC_MAX_DIMS];
	double max = 0;
	for (size_t d = 0; d < dims; d++) {
		x[d] = (float)(random_unit() * size);
		max = fmax(max, fabs((double)x[d]));
	}
	float scale = vec_quantise_row(x, dims, row);
	bool good = scale == vec_quantise_query(x, dims, query) && fabs(scale * 127.0 - max) <= max * 1e-6;
	vec_dequantise_row(row, scale, dims, back);
	int largest = 0;
	for (size_t d = 0; d < dims; d++) {
		good = good && row[d] - 128 == query[d] && fabs(back[d] - (double)x[d]) <= (double)scale * 0.5001;
		largest = abs(query[d]) > largest ? abs(query[d]) : largest;
	}
	CHECK_NAMED(good && largest == 127, "%zu dimensions up to %g as int8 are within half a step", dims, size);
}

static void quantise_edges(void)
{
	float x[64] = {0};
	uint8_t row[64], zero[64];
	int8_t query[64];
	memset(zero, 128, sizeof(zero));
	memset(row, 1, sizeof(row));
	CHECK(vec_quantise_row(x, 64, row) == 0 && memcmp(row, zero, 64) == 0);
	static const float bad[] = {NAN, INFINITY, -INFINITY, 1e-45f};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		x[3] = i < 3 ? 1 : 0;
		x[60] = bad[i];
		memset(query, 1, sizeof(query));
		CHECK_NAMED(vec_quantise_row(x, 64, row) == 0 && memcmp(row, zero, 64) == 0, "a row with %g becomes zero",
		            (double)bad[i]);
		CHECK(vec_quantise_query(x, 64, query) == 0 && query[3] == 0 && query[60] == 0);
	}
	x[3] = -2.5e-43f; /* denormal: its scale is rounded down to the smallest float, and the quotient has to be cut */
	x[60] = 1e-43f;
	CHECK(vec_quantise_query(x, 64, query) > 0 && query[3] == -127 && query[60] > 0 && query[60] < 127);
	const float ties[4] = {127, 0.5f, 1.5f, -2.5f}; /* scale 1: to even */
	memset(x, 0, sizeof(x));
	memcpy(x, ties, sizeof(ties));
	CHECK(vec_quantise_query(x, 64, query) == 1 && query[0] == 127 && query[1] == 0 && query[2] == 2 && query[3] == -2);
}

static void int8_rows(void)
{
	for (size_t k = 0; k < SOME_DIMS; k++) {
		quantise_near(some_dims[k], 1);
		quantise_near(some_dims[k], 1e-30);
		quantise_near(some_dims[k], 3e38);
	}
	quantise_edges();
}

static unsigned distance(const uint64_t *a, const uint64_t *b, size_t dims)
{
	uint16_t out;
	vec_hamming_rows(a, 1, dims, b, &out);
	return out;
}

/* After a rotation that is as good as random, two vectors at an angle differ in angle / pi of their signs (Goemans, Williamson
 * 1995), also when nearly all of their length lies in few dimensions, which is the case that the rotation is for. */
static void sign_bits_follow_angles(size_t dims)
{
	double worst = 0;
	for (int step = 1; step < 8; step++) {
		double angle = M_PI * step / 8, sum = 0;
		for (uint64_t trial = 0; trial < 50; trial++) {
			float a[VEC_MAX_DIMS], b[VEC_MAX_DIMS];
			uint64_t a_bits[VEC_MAX_DIMS / 64], b_bits[VEC_MAX_DIMS / 64];
			for (size_t d = 0; d < dims; d++) {
				double decay = 1 / (1.0 + (double)d);
				a[d] = (float)(random_normal() * decay);
				b[d] = (float)(random_normal() * decay);
			}
			(void)vec_normalise(a, dims);
			double dot = 0;
			for (size_t d = 0; d < dims; d++)
				dot += (double)a[d] * (double)b[d];
			for (size_t d = 0; d < dims; d++)
				b[d] -= (float)(dot * (double)a[d]);
			(void)vec_normalise(b, dims);
			for (size_t d = 0; d < dims; d++)
				b[d] = (float)(cos(angle) * (double)a[d] + sin(angle) * (double)b[d]);
			vec_sign_bits(a, dims, trial, a_bits);
			vec_sign_bits(b, dims, trial, b_bits);
			sum += distance(a_bits, b_bits, dims) / (double)dims / 50;
		}
		worst = fmax(worst, fabs(sum - angle / M_PI));
	}
	/* Three standard deviations of 50 trials of `dims` independent bits, and what a finite rotation leaves. */
	CHECK_NAMED(worst < 3 * 0.5 / sqrt(50.0 * (double)dims) + 0.015,
	            "%zu sign bits differ as the angle does (by %.4f at worst)", dims, worst);
}

static void sign_bits(void)
{
	for (size_t k = 0; k < SOME_DIMS; k++) {
		size_t dims = some_dims[k];
		float x[VEC_MAX_DIMS];
		uint64_t bits[VEC_MAX_DIMS / 64], other[VEC_MAX_DIMS / 64];
		if (dims <= 1024)
			sign_bits_follow_angles(dims);
		for (size_t d = 0; d < dims; d++)
			x[d] = (float)random_normal();
		vec_sign_bits(x, dims, 7, bits);
		vec_sign_bits(x, dims, 8, other);
		unsigned between_seeds = distance(bits, other, dims);
		for (size_t d = 0; d < dims; d++)
			x[d] *= -4;
		vec_sign_bits(x, dims, 7, other);
		CHECK_NAMED(distance(bits, other, dims) == dims, "the opposite of %zu dimensions has the opposite bits", dims);
		CHECK_NAMED(between_seeds > dims / 4 && between_seeds < dims * 3 / 4, "%zu bits of two seeds are unrelated", dims);
	}
	float zero[64] = {0};
	uint64_t bits = 1;
	vec_sign_bits(zero, 64, 1, &bits);
	CHECK(bits == 0);
	zero[5] = NAN;
	vec_sign_bits(zero, 64, 1, &bits);
	CHECK_NAMED(bits == 0, "NaN has no sign");
}

static uint64_t mix(uint64_t hash, const void *data, size_t size) /* FNV-1a */
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
	return hash;
}

/* Stored rows must mean the same whatever compiler and processor made them: one number for all of it. */
static void same_bits_everywhere(void)
{
	uint64_t hash = 0xcbf29ce484222325u;
	random_state = 42;
	for (size_t k = 0; k < SOME_DIMS; k++) {
		size_t dims = some_dims[k];
		float x[VEC_MAX_DIMS];
		uint8_t row[VEC_MAX_DIMS];
		uint64_t bits[VEC_MAX_DIMS / 64];
		for (size_t d = 0; d < dims; d++)
			x[d] = (float)random_unit();
		(void)vec_normalise(x, dims);
		hash = mix(hash, x, dims * sizeof(*x));
		float scale = vec_quantise_row(x, dims, row);
		hash = mix(mix(hash, &scale, sizeof(scale)), row, dims);
		vec_sign_bits(x, dims, 3, bits);
		hash = mix(hash, bits, dims / 8);
		vec_dequantise_row(row, scale, dims, x);
		hash = mix(hash, x, dims * sizeof(*x));
	}
	CHECK_NAMED(hash == 0xe5266e0d340c1399u, "unit rows, int8 rows and sign bits have the bits they have everywhere (%016llx)",
	            (unsigned long long)hash);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		(void)puts(vec_level_name());
		return 0;
	}
	choice(argv[0]);
	each_level();
	unit_length();
	int8_rows();
	sign_bits();
	same_bits_everywhere();
	return tap_done();
}
