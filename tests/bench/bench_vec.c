/* Nearest neighbours over int8 rows: the exact scan against a plain streaming read, and the two-stage scan against the exact one.
 *
 * Commands: fill ROWS SEED | load FILE | stream | scan | twostage CANDIDATES | recall CANDIDATES QUERIES | export FOLDER | level
 * NAME `fill` makes rows with the traits of text embeddings that matter here (docs/performance.md): clusters of uneven size and a
 * spectrum that decays. `load` takes float32 rows of DIMS from a file. Each scan answers the next of QUERIES queries, rows that the
 * corpus does not hold. */
#include "bench.h"

#include "vec/vec.h"

#include <math.h>
#include <sys/mman.h>

enum { DIMS = 256, WORDS = DIMS / 64, BLOCK = 1024, TOP = 10, QUERIES = 200, CLUSTERS = 4096 };
static const uint64_t rotation_seed = 1;

static struct {
	size_t rows;
	uint8_t *row;   /* rows * DIMS */
	float *scale;   /* a row */
	uint64_t *bits; /* rows * WORDS */
	size_t next_query;
	int8_t query[QUERIES][DIMS];
	uint64_t query_bits[QUERIES][WORDS];
} set;

/* --- data ---------------------------------------------------------------------------------------------------------- */

static void *map_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		fail("out of memory (%zu bytes)", size);
	return memory;
}

static void make_room(size_t rows)
{
	set.rows = rows;
	set.row = map_memory(rows * DIMS);
	set.scale = map_memory(rows * sizeof(float));
	set.bits = map_memory(rows * WORDS * sizeof(uint64_t));
}

static void put_row(size_t i, float *x)
{
	(void)vec_normalise(x, DIMS);
	set.scale[i] = vec_quantise_row(x, DIMS, set.row + i * DIMS);
	vec_sign_bits(x, DIMS, rotation_seed, set.bits + i * WORDS);
}

static void put_query(size_t i, float *x)
{
	(void)vec_normalise(x, DIMS);
	(void)vec_quantise_query(x, DIMS, set.query[i]);
	vec_sign_bits(x, DIMS, rotation_seed, set.query_bits[i]);
}

/* About normal, variance 1: four 16-bit uniforms. */
static inline float random_normal(uint64_t *state)
{
	uint64_t r = random_next(state);
	int32_t sum =
	        (int32_t)(r & 0xffff) + (int32_t)(r >> 16 & 0xffff) + (int32_t)(r >> 32 & 0xffff) + (int32_t)(r >> 48) - 131070;
	return (float)sum * (1.7320508f / 65536);
}

/* A cluster's centre plus as much again of its own; in both, direction d has standard deviation (1 + d / 8)^-0.5. */
static void synthetic_row(const float *centres, uint64_t *state, float *x)
{
	double u = (double)(random_next(state) >> 11) * 0x1p-53;
	const float *centre = centres + (size_t)(u * u * CLUSTERS) * DIMS; /* some clusters are much larger than others */
	for (size_t d = 0; d < DIMS; d++)
		x[d] = centre[d] + random_normal(state) / sqrtf(1 + (float)d / 8);
}

static void fill(int count, char **argument)
{
	if (count != 3)
		fail("fill ROWS SEED");
	make_room(strtoull(argument[1], NULL, 10));
	uint64_t state = strtoull(argument[2], NULL, 10);
	float *centres = allocate(sizeof(float) * CLUSTERS * DIMS), x[DIMS];
	for (size_t i = 0; i < (size_t)CLUSTERS * DIMS; i++)
		centres[i] = random_normal(&state) / sqrtf(1 + (float)(i % DIMS) / 8);
	for (size_t i = 0; i < set.rows; i++) {
		synthetic_row(centres, &state, x);
		put_row(i, x);
	}
	for (size_t i = 0; i < QUERIES; i++) {
		synthetic_row(centres, &state, x);
		put_query(i, x);
	}
	free(centres);
	printf("{\"rows\": %zu}\n", set.rows);
}

/* Every k-th row of the file is a query and not in the set. */
static void load(int count, char **argument)
{
	if (count != 2)
		fail("load FILE");
	size_t size;
	char *data = read_file(argument[1], &size);
	size_t total = size / (DIMS * sizeof(float)), every = total / QUERIES, queries = 0, rows = 0;
	if (every < 2)
		fail("%s: too few rows", argument[1]);
	make_room(total - QUERIES);
	for (size_t i = 0; i < total; i++) {
		float x[DIMS];
		memcpy(x, data + i * sizeof(x), sizeof(x));
		if (i % every == 0 && queries < QUERIES)
			put_query(queries++, x);
		else
			put_row(rows++, x);
	}
	free(data);
	printf("{\"rows\": %zu}\n", set.rows);
}

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
		fail("%s: cannot be written", path);
}

/* rows.i8 and queries.i8, signed, for other programs. */
static void export(int count, char **argument)
{
	if (count != 2)
		fail("export FOLDER");
	uint8_t *rows = allocate(set.rows * DIMS);
	for (size_t i = 0; i < set.rows * DIMS; i++)
		rows[i] = set.row[i] ^ 0x80;
	write_file(argument[1], "rows.i8", rows, set.rows * DIMS);
	write_file(argument[1], "queries.i8", set.query, sizeof(set.query));
	free(rows);
	printf("{\"rows\": %zu}\n", set.rows);
}

/* --- the best ten -------------------------------------------------------------------------------------------------- */

struct best {
	float score[TOP]; /* falling */
	uint32_t row[TOP];
};

static const struct best nothing = {
        .score = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY}};

static void offer(struct best *best, float score, uint32_t row)
{
	if (score <= best->score[TOP - 1])
		return;
	size_t i = TOP - 1;
	for (; i > 0 && best->score[i - 1] < score; i--) {
		best->score[i] = best->score[i - 1];
		best->row[i] = best->row[i - 1];
	}
	best->score[i] = score;
	best->row[i] = row;
}

/* Whether any of 16 scores is above `bar`. */
static bool any_above(float bar, const int32_t *dots, const float *scales)
{
	int32_t above[8] = {0}, any = 0;
	for (size_t half = 0; half < 16; half += 8)
		for (size_t k = 0; k < 8; k++)
			above[k] |= -((float)dots[half + k] * scales[half + k] > bar);
	for (size_t k = 0; k < 8; k++)
		any |= above[k];
	return any != 0;
}

static void offer_block(struct best *best, const int32_t *dots, const float *scales, size_t count, uint32_t first)
{
	for (size_t i = 0; i < count; i += 16) {
		if (i + 16 <= count && !any_above(best->score[TOP - 1], dots + i, scales + i))
			continue;
		for (size_t k = i; k < count && k < i + 16; k++)
			offer(best, (float)dots[k] * scales[k], first + (uint32_t)k);
	}
}

static struct best exact_scan(const int8_t *query)
{
	struct best best = nothing;
	int32_t dots[BLOCK];
	for (size_t i = 0; i < set.rows; i += BLOCK) {
		size_t count = set.rows - i < BLOCK ? set.rows - i : BLOCK;
		vec_dot_rows(set.row + i * DIMS, count, DIMS, query, dots);
		offer_block(&best, dots, set.scale + i, count, (uint32_t)i);
	}
	return best;
}

/* --- two stages ---------------------------------------------------------------------------------------------------- */

/* Rows within `radius` bits of the query. The radius shrinks as soon as it holds `wanted` rows, so that in the end the list holds
 * the nearest `wanted`, those that tie with the last included, and some that were taken before the radius shrank. */
struct candidates {
	uint32_t *row;
	uint16_t *distance;
	size_t count, room, wanted;
	uint32_t radius;                        /* rows below it are taken */
	uint32_t within, at_distance[DIMS + 1]; /* taken rows with distance < radius; by distance */
};

static void take_candidate(struct candidates *c, uint32_t row, uint16_t distance)
{
	if (c->count == c->room)
		fail("%zu candidates are too many", c->count);
	c->row[c->count] = row;
	c->distance[c->count++] = distance;
	c->at_distance[distance]++;
	c->within++;
	while (c->radius > 0 && c->within - c->at_distance[c->radius - 1] >= c->wanted)
		c->within -= c->at_distance[--c->radius];
}

static void take_block(struct candidates *c, const uint16_t *distances, size_t count, uint32_t first)
{
	size_t i = 0;
	for (; i + 16 <= count; i += 16) {
		uint16_t near = 0;
		for (size_t k = 0; k < 16; k++)
			near |= (uint16_t) - (distances[i + k] < c->radius);
		if (!near)
			continue;
		for (size_t k = 0; k < 16; k++)
			if (distances[i + k] < c->radius)
				take_candidate(c, first + (uint32_t)(i + k), distances[i + k]);
	}
	for (; i < count; i++)
		if (distances[i] < c->radius)
			take_candidate(c, first + (uint32_t)i, distances[i]);
}

static struct best rescore(const struct candidates *c, const int8_t *query)
{
	struct best best = nothing;
	for (size_t i = 0; i < c->count; i++) {
		if (c->distance[i] >= c->radius)
			continue;
		for (size_t ahead = i + 4; ahead < i + 5 && ahead < c->count; ahead++)
			for (size_t line = 0; line < DIMS; line += 64)
				__builtin_prefetch(set.row + (size_t)c->row[ahead] * DIMS + line);
		int32_t dot;
		vec_dot_rows(set.row + (size_t)c->row[i] * DIMS, 1, DIMS, query, &dot);
		offer(&best, (float)dot * set.scale[c->row[i]], c->row[i]);
	}
	return best;
}

static struct best two_stage_scan(const int8_t *query, const uint64_t *query_bits, size_t wanted, size_t *ret_rescored)
{
	static uint32_t *row;
	static uint16_t *distance;
	if (!row) {
		row = allocate(set.rows * sizeof(*row));
		distance = allocate(set.rows * sizeof(*distance));
	}
	struct candidates c = {.row = row, .distance = distance, .room = set.rows, .wanted = wanted, .radius = DIMS + 1};
	uint16_t distances[BLOCK];
	for (size_t i = 0; i < set.rows; i += BLOCK) {
		size_t count = set.rows - i < BLOCK ? set.rows - i : BLOCK;
		vec_hamming_rows(set.bits + i * WORDS, count, DIMS, query_bits, distances);
		take_block(&c, distances, count, (uint32_t)i);
	}
	*ret_rescored = c.within;
	return rescore(&c, query);
}

/* --- commands ------------------------------------------------------------------------------------------------------ */

static size_t next_query(void)
{
	return set.next_query++ % QUERIES;
}

/* What a read costs when nothing is done with the bytes but adding them up, as wide as the compiler's baseline and the machine
 * allow. */
typedef uint64_t wide __attribute__((vector_size(32), aligned(8)));

static inline __attribute__((always_inline)) uint64_t add_up(const uint8_t *data, size_t size)
{
	wide a = {0}, b = a, c = a, d = a;
	for (size_t i = 0; i + 128 <= size; i += 128) {
		const wide *w = (const wide *)(const void *)(data + i);
		a += w[0];
		b += w[1];
		c += w[2];
		d += w[3];
	}
	a += b + c + d;
	return a[0] + a[1] + a[2] + a[3];
}

static uint64_t add_up_baseline(const uint8_t *data, size_t size)
{
	return add_up(data, size);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t add_up_avx2(const uint8_t *data, size_t size)
{
	return add_up(data, size);
}
#endif

static void stream(int count, char **argument)
{
	(void)count, (void)argument;
	uint64_t (*function)(const uint8_t *, size_t) = add_up_baseline;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		function = add_up_avx2;
#endif
	double start = wall_seconds();
	volatile uint64_t sum = function(set.row, set.rows * DIMS);
	(void)sum;
	double took = wall_seconds() - start;
	print_ms(&took, 1, "");
}

static void scan(int count, char **argument)
{
	(void)count, (void)argument;
	size_t q = next_query();
	double start = wall_seconds();
	struct best best = exact_scan(set.query[q]);
	double took = wall_seconds() - start;
	char more[64];
	(void)snprintf(more, sizeof(more), "\"query\": %zu, \"best\": %u", q, best.row[0]);
	print_ms(&took, 1, more);
}

static void twostage(int count, char **argument)
{
	if (count != 2)
		fail("twostage CANDIDATES");
	size_t q = next_query(), rescored;
	double start = wall_seconds();
	struct best best = two_stage_scan(set.query[q], set.query_bits[q], strtoull(argument[1], NULL, 10), &rescored);
	double took = wall_seconds() - start;
	char more[96];
	(void)snprintf(more, sizeof(more), "\"query\": %zu, \"best\": %u, \"rescored\": %zu", q, best.row[0], rescored);
	print_ms(&took, 1, more);
}

static void recall(int count, char **argument)
{
	if (count != 3)
		fail("recall CANDIDATES QUERIES");
	size_t wanted = strtoull(argument[1], NULL, 10), queries = strtoull(argument[2], NULL, 10), found = 0, rescored,
	       all_rescored = 0;
	for (size_t q = 0; q < queries; q++) {
		struct best exact = exact_scan(set.query[q % QUERIES]);
		struct best two = two_stage_scan(set.query[q % QUERIES], set.query_bits[q % QUERIES], wanted, &rescored);
		all_rescored += rescored;
		for (size_t i = 0; i < TOP; i++)
			for (size_t k = 0; k < TOP; k++)
				found += exact.row[i] == two.row[k] && two.score[k] > -INFINITY;
	}
	printf("{\"recall\": %.5f, \"queries\": %zu, \"rescored\": %.1f}\n", (double)found / (double)(queries * TOP), queries,
	       (double)all_rescored / (double)queries);
}

static void level(int count, char **argument)
{
	static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};
	if (count == 2)
		for (int i = 0; i < 4; i++)
			if (strcmp(argument[1], names[i]) == 0)
				(void)vec_force_level((enum vec_level)i);
	printf("{\"level\": \"%s\"}\n", vec_level_name());
}

int main(void)
{
	static const struct command commands[] = {{"fill", fill}, {"load", load},         {"export", export}, {"stream", stream},
	                                          {"scan", scan}, {"twostage", twostage}, {"recall", recall}, {"level", level}};
	return serve(commands, sizeof(commands) / sizeof(*commands));
}
