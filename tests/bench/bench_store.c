/* What the writer costs: synthetic documents with words after Zipf's law, about as English text has them, go through
 * store_put_doc, store_put_file, store_index_doc and store_put_vectors; then queries' own reads. Prints seconds (wall, and the
 * writer thread's CPU), bytes by table and decoding speed.
 *
 * Usage: bench_store FOLDER [MEGABYTES [DOCUMENT_BYTES]] */
#include "store/store.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DIMS = 256, CHUNK_BYTES = 900, WORDS_PER_CHUNK = 100, VOCABULARY = 500000, CHUNK_LIST_BYTES = 24 };

static double seconds(clockid_t clock)
{
	struct timespec t;
	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t random_state = 1;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Ranks with probability about 1 / (rank + 10)^1.3, Zipf and Mandelbrot's law, by inverting its integral. With this exponent 100 MB
 * have about 170,000 distinct words and a chunk 80, much as 100 MB of manuals and prose do without their commonest words. */
static uint32_t zipf(void)
{
	static double begin, end;
	if (begin == 0) {
		begin = pow(10, -0.3);
		end = pow(VOCABULARY + 10.0, -0.3);
	}
	double u = (double)(next_random() >> 11) * 0x1p-53;
	uint32_t rank = (uint32_t)(pow(begin - u * (begin - end), -1 / 0.3) - 10);
	return rank < VOCABULARY ? rank : VOCABULARY - 1;
}

static struct term words[VOCABULARY];

static void make_words(void)
{
	for (uint32_t i = 0; i < VOCABULARY; i++) {
		char *text = malloc(24);
		uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;
		uint32_t size = 3 + (uint32_t)(log2(i + 1.0) / 3) + (uint32_t)(x >> 61) % 4;
		for (uint32_t j = 0; j < size; j++, x = x * 6364136223846793005u + 1442695040888963407u)
			text[j] = "etaoinshrdlucmfwypvbgkjqxz"[(x >> 59) % 26];
		words[i] = (struct term){text, size};
	}
}

struct document {
	struct store_op op;
	char name[32];
	struct hash clean;
	char *text, *chunks;
	size_t text_size;
	uint32_t chunk_count, space;
	struct term_postings terms;
	char *term_texts;
	uint8_t *rows;
	float *scales;
	uint64_t *bits;
	uint32_t number;
};

static uint32_t seen_in_doc[VOCABULARY], seen_in_chunk[VOCABULARY], doc_term[VOCABULARY], stamp;

/* Texts of a document's terms lie together, as the tokenizer leaves them. */
static void make_terms(struct term_postings *t, uint32_t chunks, char **ret_texts)
{
	char *texts = malloc(chunks * (size_t)WORDS_PER_CHUNK * 24);
	*ret_texts = texts;
	uint32_t first_stamp = ++stamp;
	t->chunk_count = chunks;
	t->terms = malloc(chunks * WORDS_PER_CHUNK * sizeof(*t->terms));
	t->postings = malloc(chunks * WORDS_PER_CHUNK * sizeof(*t->postings));
	t->chunk_lengths = calloc(chunks, sizeof(*t->chunk_lengths));
	for (uint32_t c = 0; c < chunks; c++) {
		uint32_t chunk_stamp = ++stamp, begin = t->posting_count;
		for (int i = 0; i < WORDS_PER_CHUNK; i++) {
			uint32_t word = zipf();
			if (seen_in_doc[word] < first_stamp) {
				doc_term[word] = t->term_count;
				memcpy(texts, words[word].text, words[word].size);
				t->terms[t->term_count++] = (struct term){texts, words[word].size};
				texts += words[word].size;
			}
			seen_in_doc[word] = chunk_stamp;
			if (seen_in_chunk[word] >= begin + 1 && seen_in_chunk[word] <= t->posting_count &&
			    t->postings[seen_in_chunk[word] - 1].term == doc_term[word] &&
			    t->postings[seen_in_chunk[word] - 1].chunk == c) {
				t->postings[seen_in_chunk[word] - 1].count++;
			} else {
				t->postings[t->posting_count++] = (struct term_posting){c, doc_term[word], 1};
				seen_in_chunk[word] = t->posting_count;
			}
		}
		t->chunk_lengths[c] = WORDS_PER_CHUNK;
	}
}

static int run(struct store_write *w, struct store_op *op);
static void done(struct store_op *op, int result);

static struct document *make_document(uint32_t number, size_t size, uint32_t space)
{
	struct document *d = calloc(1, sizeof(*d));
	d->number = number;
	d->space = space;
	d->text_size = size;
	d->text = malloc(size);
	memset(d->text, 'x', size);
	memcpy(d->text, &number, sizeof(number) < size ? sizeof(number) : size);
	d->clean = hash_bytes((struct span){(char *)&number, sizeof(number)});
	(void)snprintf(d->name, sizeof(d->name), "folder-%02u/document-%06u.txt", number % 50, number);
	d->chunk_count = (uint32_t)((size + CHUNK_BYTES - 1) / CHUNK_BYTES);
	d->chunks = calloc(d->chunk_count, CHUNK_LIST_BYTES);
	make_terms(&d->terms, d->chunk_count, &d->term_texts);
	d->rows = calloc(d->chunk_count, DIMS);
	d->scales = calloc(d->chunk_count, sizeof(float));
	d->bits = calloc(d->chunk_count, DIMS / 8);
	d->op = (struct store_op){.run = run, .done = done, .bytes = size};
	return d;
}

static void document_free(struct document *d)
{
	free(d->text);
	free(d->chunks);
	free(d->term_texts);
	free(d->terms.terms);
	free(d->terms.postings);
	free(d->terms.chunk_lengths);
	free(d->rows);
	free(d->scales);
	free(d->bits);
	free(d);
}

static atomic_int failures;
static atomic_uint finished;
static double writer_cpu; /* written by the writer before it counts in `finished` */

static int run(struct store_write *w, struct store_op *op)
{
	struct document *d = (struct document *)op;
	struct store_file file = {
	        .stamp = {1, d->number, d->text_size, 4, 5}, .state = STORE_OK, .source = d->clean, .extraction = d->clean};
	uint32_t orphan;
	int error = store_put_doc(w, &d->clean, 1, (struct span){d->text, d->text_size},
	                          (struct span){d->chunks, d->chunk_count * (size_t)CHUNK_LIST_BYTES}, d->chunk_count,
	                          span_of("A title"), &file.doc);
	if (error == 0)
		error = store_put_extraction(w, &d->clean,
		                             &(struct store_extraction){.state = STORE_OK,
		                                                        .syntax = 1,
		                                                        .doc = file.doc,
		                                                        .extractor = span_of("text"),
		                                                        .media_type = span_of("text/plain"),
		                                                        .encoding = span_of("UTF-8"),
		                                                        .title = span_of("A title"),
		                                                        .code = span_of(""),
		                                                        .message = span_of("")});
	if (error == 0)
		error = store_put_file(w, span_of(d->name), &file, &orphan);
	if (error == 0)
		error = store_index_doc(w, file.doc, &d->terms);
	if (error == 0)
		error = store_put_vectors(w, d->space, file.doc, d->rows, d->scales, d->bits, NULL);
	return error;
}

static void done(struct store_op *op, int result)
{
	if (result < 0)
		atomic_fetch_add(&failures, 1);
	document_free((struct document *)op);
	writer_cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
	atomic_fetch_add(&finished, 1);
}

struct space_op {
	struct store_op op;
	uint32_t number;
};

static int run_space(struct store_write *w, struct store_op *op)
{
	struct hash fingerprint = hash_bytes(span_of("bench"));
	return store_put_space(w, &fingerprint, span_of("bench"), DIMS, &((struct space_op *)op)->number);
}

static void done_space(struct store_op *op, int result)
{
	(void)op;
	writer_cpu = result < 0 ? -1 : 0;
}

static void read_all(struct store *s)
{
	struct store_read *r;
	struct store_index_stats stats;
	struct store_cursor *c;
	struct store_block block;
	uint64_t postings = 0, rows = 0, sum = 0;
	if (store_read_begin(s, &r) < 0 || store_index_stats(r, &stats) < 0)
		return;
	double start = seconds(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < 2000; i++) {
		if (store_cursor_open(r, (struct span){words[i].text, words[i].size}, &c) < 0)
			continue;
		while (store_cursor_next(c, &block) == 1) {
			postings += block.count;
			sum += block.chunks[0] + block.counts[0];
		}
		store_cursor_close(c);
	}
	double decode = seconds(CLOCK_MONOTONIC) - start;
	struct store_term term;
	uint32_t found = 0;
	start = seconds(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < 100000; i++)
		found += store_find_term(r, (struct span){words[i].text, words[i].size}, &term) == 0;
	printf("  store_find_term: %.2f us (%u found)\n", 10 * (seconds(CLOCK_MONOTONIC) - start), found);
	start = seconds(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < 100000; i++) {
		struct store_read *again;
		if (store_read_begin(s, &again) == 0)
			store_read_end(again);
	}
	printf("  store_read_begin and end: %.2f us\n", 10 * (seconds(CLOCK_MONOTONIC) - start));
	for (int pass = 0; pass < 2; pass++) {
		struct store_vectors v;
		struct store_segment g;
		start = seconds(CLOCK_MONOTONIC);
		rows = 0;
		for (uint32_t i = 0; i * STORE_SEGMENT_CHUNKS < stats.chunk_limit; i++)
			if (store_vectors(r, 1, i, &v) == 0 && store_segment(r, i, &g) == 0)
				rows += v.count + (g.live[0] & 1);
		printf("  segments, pass %d: %.3f ms for %llu rows\n", pass, 1e3 * (seconds(CLOCK_MONOTONIC) - start),
		       (unsigned long long)rows);
	}
	printf("  decoded %.1f M postings at %.0f M/s (%llu)\n", 1e-6 * (double)postings, 1e-6 * (double)postings / decode,
	       (unsigned long long)sum);
	store_read_end(r);
}

/* Kilobytes of a line of /proc/self/status. */
static long status_kb(const char *name)
{
	char line[256];
	long value = -1;
	FILE *f = fopen("/proc/self/status", "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name), NULL, 10);
	if (f)
		(void)fclose(f);
	return value;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	size_t total = (argc > 2 ? (size_t)atol(argv[2]) : 100) * 1000000, each = argc > 3 ? (size_t)atol(argv[3]) : 6000, made = 0;
	struct store *s;
	struct err err;
	char reset[256], file[4096];
	make_words();
	if (store_open(&(struct store_options){.directory = argv[1], .mode = STORE_WRITE}, &s, reset, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	long before = status_kb("RssAnon:");
	struct space_op space = {{.run = run_space, .done = done_space, .urgent = true}, 0};
	store_submit(s, &space.op);
	store_flush(s);
	double start = seconds(CLOCK_MONOTONIC), making = 0;
	uint64_t postings = 0, chunks = 0;
	uint32_t count = 0;
	for (; made < total; count++) {
		double t = seconds(CLOCK_THREAD_CPUTIME_ID);
		size_t size = each / 4 + next_random() % (each * 3 / 2);
		struct document *d = make_document(count + 1, size, space.number);
		making += seconds(CLOCK_THREAD_CPUTIME_ID) - t;
		made += size;
		postings += d->terms.posting_count;
		chunks += d->chunk_count;
		store_submit(s, &d->op);
	}
	store_flush(s);
	double wall = seconds(CLOCK_MONOTONIC) - start;
	long after = status_kb("RssAnon:");
	(void)sleep(6); /* the store gives back its batch memory when idle */
	struct rusage usage;
	(void)getrusage(RUSAGE_SELF, &usage);
	printf("%.0f MB, %u documents, %llu chunks, %.1f M postings; %d failed\n", 1e-6 * (double)made, count,
	       (unsigned long long)chunks, 1e-6 * (double)postings, atomic_load(&failures));
	printf("  anonymous memory %ld MB at first, %ld MB after the last commit, %ld MB when idle\n", before / 1024, after / 1024,
	       status_kb("RssAnon:") / 1024);
	printf("  wall %.2f s (making the documents: %.2f s CPU), writer thread %.2f s CPU, %.2f s per 100 MB, peak %ld MB\n", wall,
	       making, writer_cpu, writer_cpu * 1e8 / (double)made, usage.ru_maxrss / 1024);
	(void)snprintf(file, sizeof(file), "%s/data.mdb", argv[1]);
	struct stat st;
	if (stat(file, &st) == 0)
		printf("  file %.1f MB, %.3f of the text\n", 1e-6 * (double)st.st_size, (double)st.st_size / (double)made);
	read_all(s);
	store_close(s);
	return atomic_load(&failures) != 0;
}
