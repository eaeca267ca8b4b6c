/* Query latency of the library on a made-up corpus, with SQLite FTS5 on the same chunks beside it.
 *
 *     bench_search [--chunks N] [--queries N] [--clients N] [--no-fts5] [--store FOLDER]
 *
 * Prints one "name <TAB> value <TAB> unit" a line. Chunks have about 120 words, half of them stop words, the others from a
 * Zipf-Mandelbrot distribution over 50,000 words (the most frequent is in about one chunk in six); eight chunks make a document.
 * Vectors have 256 dimensions, a decaying spectrum, and 200 topics. A query takes 2 to 8 words of a random chunk and a vector near
 * that chunk's. A store folder that is given is kept, and used again when it holds that many chunks. */
#include "search/search.h"
#include "search/stages.h"
#include "token/words.h"
#include "vec/vec.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DIMS = 256, VOCABULARY = 50000, DOCUMENT_CHUNKS = 8, TEXT_SIZE = 2048, TOPICS = 200, CLIENTS_MAX = 64 };

static void die(const char *what)
{
	(void)fprintf(stderr, "bench_search: %s\n", what);
	exit(2);
}

static void report(const char *name, double value, const char *unit)
{
	printf("%s\t%.4g\t%s\n", name, value, unit);
	(void)fflush(stdout);
}

static double now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* --- the corpus, each chunk a function of its number --------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state) /* splitmix64, Steele, Lea, Flood 2014 */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static double next_share(uint64_t *state)
{
	return (double)(next_random(state) >> 11) * 0x1p-53;
}

static size_t print_word(char *out, uint32_t i)
{
	size_t size = 0;
	for (uint32_t x = i + 40; x; x /= 60) {
		out[size++] = "bcdfghjklmnprtvw"[x % 15];
		out[size++] = "aiou"[x / 15 % 4];
	}
	out[size++] = 'k';
	out[size++] = ' ';
	return size;
}

/* Rank r with a probability proportional to 1 / (r + 50). */
static uint32_t next_word(uint64_t *state)
{
	return (uint32_t)(50 * pow((VOCABULARY + 50) / 50., next_share(state))) - 50;
}

static size_t print_chunk(char *out, uint32_t chunk)
{
	static const char *const stop_words[] = {"the ", "of ", "and ", "to ", "in ", "is ", "for ", "that "};
	uint64_t state = (uint64_t)chunk << 20 | 1;
	uint32_t words = 90 + (uint32_t)(next_random(&state) % 60);
	size_t size = 0;
	for (uint32_t i = 0; i < words; i++) {
		if (i % 2)
			size += print_word(out + size, next_word(&state));
		else
			size = (size_t)(stpcpy(out + size, stop_words[next_random(&state) % 8]) - out);
	}
	return size;
}

static float next_component(uint64_t *state, int d)
{
	return (float)(next_share(state) + next_share(state) - 1) / sqrtf(1 + (float)d * .1f);
}

static void add_topic(float *v, uint32_t topic, float weight)
{
	uint64_t state = (uint64_t)topic << 40 | 2;
	for (int d = 0; d < DIMS; d++)
		v[d] += weight * next_component(&state, d);
}

static void make_vector(float *v, uint32_t chunk)
{
	uint64_t state = (uint64_t)chunk << 20 | 3;
	for (int d = 0; d < DIMS; d++)
		v[d] = next_component(&state, d);
	add_topic(v, (uint32_t)(next_random(&state) % TOPICS), .7f);
	add_topic(v, (uint32_t)(next_random(&state) % TOPICS), .4f);
	(void)vec_normalise(v, DIMS);
}

/* --- filling ------------------------------------------------------------------------------------------------------- */

struct library {
	struct store *store;
	struct words *words;
	struct store_space space;
};

struct task {
	struct store_op op;
	struct library *library;
	uint32_t first; /* chunk */
	int result;
};

static int fill_vectors(struct store_write *w, const struct task *t, uint32_t id)
{
	uint8_t rows[DOCUMENT_CHUNKS * DIMS];
	float scales[DOCUMENT_CHUNKS], v[DIMS];
	uint64_t bits[DOCUMENT_CHUNKS * DIMS / 64];
	for (uint32_t i = 0; i < DOCUMENT_CHUNKS; i++) {
		make_vector(v, t->first + i);
		scales[i] = vec_quantise_row(v, DIMS, rows + (size_t)i * DIMS);
		vec_sign_bits(v, DIMS, SEARCH_BITS_SEED, bits + (size_t)i * DIMS / 64);
	}
	return store_put_vectors(w, t->library->space.number, id, rows, scales, bits, NULL);
}

static int fill_document(struct store_write *w, struct store_op *op)
{
	struct task *t = (struct task *)op;
	struct library *library = t->library;
	if (!library->space.number) {
		struct hash fingerprint = hash_bytes(span_of("bench"));
		int result = store_put_space(w, &fingerprint, span_of("bench"), DIMS, &library->space.number);
		if (result)
			return result;
	}
	char text[DOCUMENT_CHUNKS][TEXT_SIZE], name[32]; /* search does not read texts: a name stands for each */
	struct span chunks[DOCUMENT_CHUNKS];
	for (uint32_t i = 0; i < DOCUMENT_CHUNKS; i++)
		chunks[i] = (struct span){text[i], print_chunk(text[i], t->first + i)};
	(void)snprintf(name, sizeof(name), "document %u", t->first);
	struct hash clean = hash_bytes(span_of(name));
	const struct term_postings *terms;
	uint32_t id;
	int result = store_put_doc(w, &clean, 0, span_of(name), span_of("list"), DOCUMENT_CHUNKS, span_of(name), &id);
	if (!result)
		result = words_of_chunks(library->words, chunks, DOCUMENT_CHUNKS, &terms);
	if (!result)
		result = store_index_doc(w, id, terms);
	return result ? result : fill_vectors(w, t, id);
}

static void task_done(struct store_op *op, int result)
{
	((struct task *)op)->result = result;
}

static void fill(struct library *library, uint32_t chunks)
{
	uint32_t count = chunks / DOCUMENT_CHUNKS;
	struct task *tasks = calloc(count, sizeof(*tasks));
	if (!tasks)
		die("out of memory");
	double start = now_ms();
	for (uint32_t i = 0; i < count; i++) {
		tasks[i] = (struct task){.op = {.run = fill_document, .done = task_done, .bytes = 8000},
					 .library = library,
					 .first = i * DOCUMENT_CHUNKS};
		store_submit(library->store, &tasks[i].op);
	}
	store_flush(library->store);
	for (uint32_t i = 0; i < count; i++)
		if (tasks[i].result)
			die(strerror(-tasks[i].result));
	report("fill", (now_ms() - start) / 1e3, "s");
	free(tasks);
}

static void open_library(struct library *library, const char *folder, uint32_t chunks)
{
	struct store_options options = {.directory = folder, .mode = STORE_WRITE};
	char reset[256];
	struct err err;
	if (words_new(&library->words) || store_open(&options, &library->store, reset, &err))
		die(err.text);
	library->space = (struct store_space){.dims = DIMS, .fingerprint = hash_bytes(span_of("bench"))};
	struct store_read *r;
	struct store_index_stats stats;
	if (store_read_begin(library->store, &r) || store_index_stats(r, &stats))
		die("cannot read the store");
	if (stats.live_chunks)
		(void)store_find_space(r, &library->space.fingerprint, &library->space);
	store_read_end(r);
	if (!stats.live_chunks)
		fill(library, chunks);
	else if (stats.live_chunks != chunks)
		die("the store folder holds another number of chunks");
}

/* --- questions ----------------------------------------------------------------------------------------------------- */

struct question {
	char text[160];
	float vector[DIMS];
};

static void make_question(struct question *q, uint32_t i, uint32_t chunks)
{
	uint64_t state = (uint64_t)i << 32 | 4;
	uint32_t chunk = (uint32_t)(next_random(&state) % chunks), words = 2 + (uint32_t)(next_random(&state) % 7);
	char text[TEXT_SIZE];
	size_t size = print_chunk(text, chunk), used = 0;
	text[size] = '\0';
	uint32_t skip = (uint32_t)(next_random(&state) % 40) * 2 + 1, at = 0;
	for (char *save = NULL, *word = strtok_r(text, " ", &save); word && at < skip + 2 * words; word = strtok_r(NULL, " ", &save), at++)
		if (at >= skip && (at - skip) % 2 == 0)
			used += (size_t)sprintf(q->text + used, "%s ", word);
	make_vector(q->vector, chunk);
	for (int d = 0; d < DIMS; d++)
		q->vector[d] += .03f * next_component(&state, 0);
	(void)vec_normalise(q->vector, DIMS);
}

struct client {
	struct library *library;
	const struct question *questions;
	uint32_t count, first;
	enum search_mode mode;
	bool staged;
	double *times;
	struct search_results *results; /* NULL, or kept for each question */
};

static void ask(struct client *c, struct searcher *s, uint32_t i)
{
	const struct question *q = &c->questions[i];
	struct search_request request = {.mode = c->mode,
					 .text = c->mode == SEARCH_VECTOR ? span_of("") : span_of(q->text),
					 .vector = q->vector,
					 .space = c->library->space,
					 .keyword_weight = .6f,
					 .limit = 10,
					 .per_document = 3,
					 .min_score = -INFINITY};
	struct search_results results;
	struct store_read *r;
	double start = now_ms();
	if (store_read_begin(c->library->store, &r) || search_run(s, r, &request, &results))
		die("a search failed");
	store_read_end(r);
	c->times[i] = now_ms() - start;
	if (c->results)
		c->results[i] = results;
	else
		search_results_release(&results);
}

static void *run_client(void *context)
{
	struct client *c = context;
	struct searcher *s;
	if (searcher_new(&s))
		die("out of memory");
	if (c->staged)
		s->exact_segments = 0;
	for (uint32_t i = 0; i < c->count; i++)
		ask(c, s, (i + c->first) % c->count);
	searcher_free(s);
	return NULL;
}

static int compare_times(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void report_times(const char *name, double *times, uint32_t count)
{
	char label[64];
	qsort(times, count, sizeof(*times), compare_times);
	(void)snprintf(label, sizeof(label), "%s p50", name);
	report(label, times[count / 2], "ms");
	(void)snprintf(label, sizeof(label), "%s p99", name);
	report(label, times[count * 99 / 100], "ms");
}

/* One client, everything warm. */
static void measure_mode(struct library *library, const struct question *questions, uint32_t count, enum search_mode mode, bool staged,
			 const char *name, struct search_results *results)
{
	double *times = calloc(count, sizeof(*times));
	if (!times)
		die("out of memory");
	struct client c = {library, questions, count, 0, mode, staged, times, NULL};
	(void)run_client(&c);
	c.results = results;
	(void)run_client(&c);
	report_times(name, times, count);
	free(times);
}

static double measure_clients(struct library *library, const struct question *questions, uint32_t count, uint32_t clients)
{
	struct client c[CLIENTS_MAX];
	pthread_t threads[CLIENTS_MAX];
	double *times = calloc((size_t)count * clients, sizeof(*times)), start = now_ms();
	if (!times)
		die("out of memory");
	for (uint32_t i = 0; i < clients; i++) {
		c[i] = (struct client){library, questions, count, i * 7, SEARCH_HYBRID, false, times + (size_t)i * count, NULL};
		if (pthread_create(&threads[i], NULL, run_client, &c[i]))
			die("cannot start a thread");
	}
	for (uint32_t i = 0; i < clients; i++)
		(void)pthread_join(threads[i], NULL);
	double rate = (double)count * clients / (now_ms() - start) * 1e3;
	char name[64];
	(void)snprintf(name, sizeof(name), "hybrid %u clients", clients);
	report_times(name, times, count * clients);
	(void)snprintf(name, sizeof(name), "hybrid %u clients rate", clients);
	report(name, rate, "queries/s");
	free(times);
	return rate;
}

static double recall(const struct search_results *exact, const struct search_results *staged, uint32_t count)
{
	uint32_t found = 0, wanted = 0;
	for (uint32_t q = 0; q < count; q++) {
		wanted += exact[q].count;
		for (uint32_t i = 0; i < exact[q].count; i++)
			for (uint32_t k = 0; k < staged[q].count; k++)
				found += exact[q].hits[i].doc == staged[q].hits[k].doc && exact[q].hits[i].chunk == staged[q].hits[k].chunk;
	}
	return wanted ? (double)found / wanted : 1;
}

/* The two-stage scan beside the exact one, whatever the size. */
static void measure_stages(struct library *library, const struct question *questions, uint32_t count)
{
	static const char *const names[] = {[SEARCH_HYBRID] = "hybrid", [SEARCH_VECTOR] = "vector"};
	for (int mode = SEARCH_HYBRID; mode <= SEARCH_VECTOR; mode += SEARCH_VECTOR - SEARCH_HYBRID) {
		struct search_results *exact = calloc(count, sizeof(*exact)), *staged = calloc(count, sizeof(*staged));
		if (!exact || !staged)
			die("out of memory");
		char name[64];
		(void)snprintf(name, sizeof(name), "%s exact", names[mode]);
		measure_mode(library, questions, count, (enum search_mode)mode, false, name, exact);
		(void)snprintf(name, sizeof(name), "%s two-stage", names[mode]);
		measure_mode(library, questions, count, (enum search_mode)mode, true, name, staged);
		(void)snprintf(name, sizeof(name), "%s two-stage recall@10", names[mode]);
		report(name, recall(exact, staged, count), "share");
		for (uint32_t i = 0; i < count; i++) {
			search_results_release(&exact[i]);
			search_results_release(&staged[i]);
		}
		free(exact);
		free(staged);
	}
}

/* --- the baseline -------------------------------------------------------------------------------------------------- */

static void run_sql(sqlite3 *db, const char *sql)
{
	char *error = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &error))
		die(error ? error : sql);
}

static void fill_fts5(sqlite3 *db, uint32_t chunks)
{
	sqlite3_stmt *insert;
	char text[TEXT_SIZE];
	run_sql(db, "pragma journal_mode=off; pragma synchronous=off; pragma cache_size=-500000;"
		    "create virtual table t using fts5(body, content='', tokenize='porter'); begin");
	if (sqlite3_prepare_v2(db, "insert into t(rowid, body) values(?, ?)", -1, &insert, NULL))
		die(sqlite3_errmsg(db));
	for (uint32_t i = 0; i < chunks; i++) {
		size_t size = print_chunk(text, i);
		(void)sqlite3_bind_int64(insert, 1, i + 1);
		(void)sqlite3_bind_text(insert, 2, text, (int)size, SQLITE_STATIC);
		if (sqlite3_step(insert) != SQLITE_DONE)
			die(sqlite3_errmsg(db));
		(void)sqlite3_reset(insert);
	}
	(void)sqlite3_finalize(insert);
	run_sql(db, "insert into t(t) values('optimize'); commit");
}

static double ask_fts5(sqlite3_stmt *select, const struct question *q)
{
	char match[400];
	size_t used = 0;
	for (const char *word = q->text; *word;) {
		size_t size = strcspn(word, " ");
		used += (size_t)snprintf(match + used, sizeof(match) - used, "%s\"%.*s\"", used ? " OR " : "", (int)size, word);
		word += size + strspn(word + size, " ");
	}
	double start = now_ms();
	(void)sqlite3_bind_text(select, 1, match, (int)used, SQLITE_STATIC);
	while (sqlite3_step(select) == SQLITE_ROW)
		;
	(void)sqlite3_reset(select);
	return now_ms() - start;
}

static void measure_fts5(const struct question *questions, uint32_t count, uint32_t chunks)
{
	sqlite3 *db;
	sqlite3_stmt *select;
	double *times = calloc(count, sizeof(*times));
	if (!times || sqlite3_open(":memory:", &db))
		die("cannot open SQLite");
	fill_fts5(db, chunks);
	if (sqlite3_prepare_v2(db, "select rowid from t where t match ? order by rank limit 10", -1, &select, NULL))
		die(sqlite3_errmsg(db));
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < count; i++)
			times[i] = ask_fts5(select, &questions[i]);
	report_times("fts5", times, count);
	(void)sqlite3_finalize(select);
	(void)sqlite3_close(db);
	free(times);
}

/* --- main ---------------------------------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int main(int argc, char **argv)
{
	uint32_t chunks = 100000, count = 200, clients = 8;
	bool fts5 = true;
	char made[64] = "";
	const char *folder = NULL;
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "0";
		if (strcmp(argv[i], "--no-fts5") == 0)
			fts5 = false;
		else if (strcmp(argv[i], "--chunks") == 0 && ++i)
			chunks = (uint32_t)strtoul(value, NULL, 10) / DOCUMENT_CHUNKS * DOCUMENT_CHUNKS;
		else if (strcmp(argv[i], "--queries") == 0 && ++i)
			count = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--clients") == 0 && ++i)
			clients = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--store") == 0 && ++i)
			folder = value;
		else
			die("unknown option");
	}
	if (!chunks || !count || !clients || clients > CLIENTS_MAX)
		die("numbers are out of range");
	if (!folder) {
		const char *base = getenv("TMPDIR");
		(void)snprintf(made, sizeof(made), "%.40s/bench_searchXXXXXX", base ? base : "/tmp");
		folder = mkdtemp(made);
		if (!folder)
			die("cannot make a folder");
	}
	struct library library = {0};
	open_library(&library, folder, chunks);
	struct question *questions = calloc(count, sizeof(*questions));
	if (!questions)
		die("out of memory");
	for (uint32_t i = 0; i < count; i++)
		make_question(&questions[i], i, chunks);
	report("chunks", chunks, "");
	measure_mode(&library, questions, count, SEARCH_KEYWORD, false, "keyword", NULL);
	measure_mode(&library, questions, count, SEARCH_VECTOR, false, "vector", NULL);
	measure_mode(&library, questions, count, SEARCH_HYBRID, false, "hybrid", NULL);
	double one = measure_clients(&library, questions, count, 1);
	report("hybrid clients speed-up", measure_clients(&library, questions, count, clients) / one, "times");
	measure_stages(&library, questions, count);
	if (fts5)
		measure_fts5(questions, count, chunks);
	free(questions);
	words_free(library.words);
	store_close(library.store);
	if (made[0])
		(void)nftw(made, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
