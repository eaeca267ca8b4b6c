/* Search against a naive scorer in double precision, on random corpora with deletions and re-additions; equality of ranking between
 * stores filled in different orders; filters, limits, ties, missing vectors, and the recall of the two-stage scan. */
#include "tap.h"

#include "base/limits.h"
#include "chunk/chunk.h"
#include "search/search.h"
#include "search/stages.h"
#include "store/store.h"
#include "token/words.h"
#include "vec/vec.h"

#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { DIMS = 64, CHUNKS_MAX = 12, VOCABULARY = 3000 };

/* --- a corpus ------------------------------------------------------------------------------------------------------ */

static uint64_t random_state;

static uint64_t next_random(void) /* splitmix64, Steele, Lea, Flood 2014 */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static double next_share(void)
{
	return (double)(next_random() >> 11) * 0x1p-53;
}

/* Rank r with a probability about 1 / r. */
static uint32_t next_zipf(void)
{
	return (uint32_t)pow(VOCABULARY, next_share()) - 1;
}

/* A made-up word that no stemmer changes and that is no stop word. */
static int print_word(char *out, uint32_t i)
{
	return sprintf(out, "q%c%c%cx ", "bcdfghjklmnprtvw"[i & 15], "bcdfghjklmnprtvw"[i >> 4 & 15], "bcdfghjklmnprtvw"[i >> 8 & 15]);
}

struct document {
	char *text;
	struct span chunks[CHUNKS_MAX];
	uint32_t chunk_count;
	struct hash clean;
	float vectors[CHUNKS_MAX][DIMS];
	bool has_vectors, live;
	struct {
		uint32_t length, count;
		struct {
			char text[8];
			uint32_t count;
		} *terms;
	} counted[CHUNKS_MAX];
};

struct corpus {
	struct document *documents;
	uint32_t count;
	struct words *words;
};

static void random_vector(float *v)
{
	for (int d = 0; d < DIMS; d++)
		v[d] = (float)(next_share() + next_share() + next_share() - 1.5 + (d == 0 ? .4 : 0));
	vec_normalise(v, DIMS);
}

static void count_document(struct corpus *c, struct document *d)
{
	const struct term_postings *p;
	if (words_of_chunks(c->words, d->chunks, d->chunk_count, &p))
		abort();
	for (uint32_t i = 0; i < d->chunk_count; i++) {
		d->counted[i].length = p->chunk_lengths[i];
		d->counted[i].terms = calloc(p->posting_count + 1, sizeof(*d->counted[i].terms));
	}
	for (uint32_t i = 0; i < p->posting_count; i++) {
		uint32_t chunk = p->postings[i].chunk, at = d->counted[chunk].count++;
		const struct term *t = &p->terms[p->postings[i].term];
		(void)snprintf(d->counted[chunk].terms[at].text, 8, "%.*s", (int)t->size, t->text);
		d->counted[chunk].terms[at].count = p->postings[i].count;
	}
}

/* Every tenth document repeats the chunks of the one before in reverse, so that there are exact ties. */
static void make_document(struct corpus *c, uint32_t i)
{
	struct document *d = &c->documents[i];
	size_t sizes[CHUNKS_MAX + 1] = {0};
	d->text = malloc(CHUNKS_MAX * 200 * 6 + 2);
	d->chunk_count = 1 + (uint32_t)(next_random() % CHUNKS_MAX);
	if (i % 10 == 9) {
		const struct document *before = d - 1;
		d->chunk_count = before->chunk_count;
		for (uint32_t k = 0; k < d->chunk_count; k++) {
			struct span s = before->chunks[d->chunk_count - 1 - k];
			memcpy(d->text + sizes[k], s.data, s.size);
			sizes[k + 1] = sizes[k] + s.size;
			memcpy(d->vectors[k], before->vectors[d->chunk_count - 1 - k], sizeof(d->vectors[k]));
		}
		d->text[sizes[d->chunk_count]++] = '\n'; /* or a document of one chunk would be the same document */
	} else {
		for (uint32_t k = 0; k < d->chunk_count; k++) {
			/* One without words, at an end, because a phrase may go over two chunks and not over three. */
			bool empty = k == 3 && d->chunk_count == 4;
			uint32_t length = empty ? 0 : 5 + (uint32_t)(next_random() % 100);
			sizes[k + 1] = sizes[k];
			if (empty)
				d->text[sizes[k + 1]++] = ' ';
			for (uint32_t n = 0; n < length; n++)
				sizes[k + 1] += (size_t)print_word(d->text + sizes[k + 1], next_zipf());
			random_vector(d->vectors[k]);
			if (empty)
				memset(d->vectors[k], 0, sizeof(d->vectors[k]));
		}
	}
	for (uint32_t k = 0; k < d->chunk_count; k++)
		d->chunks[k] = (struct span){d->text + sizes[k], sizes[k + 1] - sizes[k]};
	d->clean = hash_bytes((struct span){d->text, sizes[d->chunk_count]});
	d->has_vectors = true;
	count_document(c, d);
}

static struct corpus make_corpus(uint64_t seed, uint32_t count)
{
	struct corpus c = {.count = count};
	random_state = seed;
	c.documents = calloc(count, sizeof(*c.documents));
	if (!c.documents || words_new(&c.words))
		abort();
	for (uint32_t i = 0; i < count; i++)
		make_document(&c, i);
	return c;
}

static void free_corpus(struct corpus *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		free(c->documents[i].text);
		for (uint32_t k = 0; k < CHUNKS_MAX; k++)
			free(c->documents[i].counted[k].terms);
	}
	free(c->documents);
	words_free(c->words);
}

/* --- a store with that corpus -------------------------------------------------------------------------------------- */

struct shelf {
	char directory[64];
	struct store *store;
	struct corpus *corpus;
	struct words *words; /* the writer thread's */
	struct store_space space;
	uint32_t *ids; /* of documents, 0 before */
};

enum action { ADD, REMOVE, ADD_VECTORS };

struct task {
	struct store_op op;
	struct shelf *shelf;
	uint32_t document;
	enum action action;
	int result;
};

static int put_vectors(struct store_write *w, struct shelf *shelf, const struct document *d, uint32_t id)
{
	uint8_t rows[CHUNKS_MAX * DIMS];
	float scales[CHUNKS_MAX];
	uint64_t bits[CHUNKS_MAX * DIMS / 64];
	for (uint32_t k = 0; k < d->chunk_count; k++) {
		scales[k] = vec_quantise_row(d->vectors[k], DIMS, rows + (size_t)k * DIMS);
		vec_sign_bits(d->vectors[k], DIMS, SEARCH_BITS_SEED, bits + (size_t)k * DIMS / 64);
	}
	return store_put_vectors(w, shelf->space.number, id, rows, scales, bits, NULL);
}

static void pack_list(const struct document *d, struct buf *out)
{
	struct chunk chunks[CHUNKS_MAX];
	struct chunk_list list = {.chunks = chunks, .count = d->chunk_count, .heading_text = NULL};
	for (uint32_t k = 0; k < d->chunk_count; k++) {
		size_t first = (size_t)(d->chunks[k].data - d->text);
		chunks[k] = (struct chunk){(uint32_t)first, (uint32_t)(first + d->chunks[k].size), 1, 1, 0, 0};
	}
	buf_init(out, 1000);
	if (chunk_list_pack(&list, out))
		abort();
}

static int run_task(struct store_write *w, struct store_op *op)
{
	struct task *t = (struct task *)op;
	struct shelf *shelf = t->shelf;
	const struct document *d = &shelf->corpus->documents[t->document];
	if (!shelf->space.number) {
		struct hash fingerprint = hash_bytes(span_of("test"));
		uint32_t number;
		int result = store_put_space(w, &fingerprint, span_of("test"), DIMS, &number);
		if (result)
			return result;
		shelf->space = (struct store_space){.number = number, .dims = DIMS, .fingerprint = fingerprint};
	}
	uint32_t id;
	struct span last = d->chunks[d->chunk_count - 1], text = {d->text, (size_t)(last.data + last.size - d->text)};
	struct buf list;
	pack_list(d, &list);
	int result = store_put_doc(w, &d->clean, 0, text, buf_span(&list), d->chunk_count, span_of("title"), &id);
	buf_release(&list);
	const struct term_postings *terms;
	if (!result)
		result = words_of_chunks(shelf->words, d->chunks, d->chunk_count, &terms);
	if (!result)
		result = t->action == REMOVE ? store_unindex_doc(w, id, terms) : store_index_doc(w, id, terms);
	if (!result && t->action == ADD_VECTORS)
		result = put_vectors(w, shelf, d, id);
	shelf->ids[t->document] = id;
	return result;
}

static void task_done(struct store_op *op, int result)
{
	((struct task *)op)->result = result;
}

static int do_task(struct shelf *shelf, uint32_t document, enum action action)
{
	struct task t = {.op = {.run = run_task, .done = task_done, .bytes = 1000}, .shelf = shelf, .document = document, .action = action};
	store_submit(shelf->store, &t.op);
	store_flush(shelf->store);
	return t.result;
}

/* As do_task, for all documents in the given order, in one go. */
static int do_tasks(struct shelf *shelf, const uint32_t *order, uint32_t count)
{
	struct task *tasks = calloc(count, sizeof(*tasks));
	int result = 0;
	for (uint32_t i = 0; i < count; i++) {
		tasks[i] = (struct task){.op = {.run = run_task, .done = task_done, .bytes = 1000}, .shelf = shelf, .document = order[i]};
		tasks[i].action = shelf->corpus->documents[order[i]].has_vectors ? ADD_VECTORS : ADD;
		store_submit(shelf->store, &tasks[i].op);
	}
	store_flush(shelf->store);
	for (uint32_t i = 0; i < count; i++)
		result = tasks[i].result ? tasks[i].result : result;
	free(tasks);
	return result;
}

static bool open_shelf(struct shelf *shelf, struct corpus *corpus)
{
	*shelf = (struct shelf){.corpus = corpus};
	const char *base = getenv("TMPDIR");
	(void)snprintf(shelf->directory, sizeof(shelf->directory), "%.40s/searchXXXXXX", base ? base : "/tmp");
	shelf->ids = calloc(corpus->count + 1, sizeof(*shelf->ids));
	if (!mkdtemp(shelf->directory) || !shelf->ids || words_new(&shelf->words))
		return false;
	struct store_options options = {.directory = shelf->directory, .mode = STORE_WRITE, .map_bytes = (size_t)1 << 30};
	char reset[256];
	struct err err;
	int result = store_open(&options, &shelf->store, reset, &err);
	if (result)
		printf("# %s\n", err.text);
	return result == 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void close_shelf(struct shelf *shelf)
{
	store_close(shelf->store);
	words_free(shelf->words);
	free(shelf->ids);
	(void)nftw(shelf->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void shuffle(uint32_t *order, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = count; i > 1; i--) {
		uint32_t k = (uint32_t)(next_random() % i), x = order[i - 1];
		order[i - 1] = order[k];
		order[k] = x;
	}
}

/* --- the naive scorer ---------------------------------------------------------------------------------------------- */

struct naive {
	uint32_t document, chunk;
	double score, bm25, cosine, near; /* near: the cosine with the document's share */
};

struct question {
	char text[256];
	float vector[DIMS];
	enum search_mode mode;
	uint32_t limit, per_document, every; /* every: only documents whose number it divides, 0 for all */
	double min_score;
};

static uint32_t term_count(const struct document *d, uint32_t chunk, const struct term *t)
{
	for (uint32_t i = 0; i < d->counted[chunk].count; i++)
		if (strlen(d->counted[chunk].terms[i].text) == t->size && memcmp(d->counted[chunk].terms[i].text, t->text, t->size) == 0)
			return d->counted[chunk].terms[i].count;
	return 0;
}

struct naive_counts {
	double n, documents, length, df[LIMIT_QUERY_TERMS];
};

static struct naive_counts naive_count(const struct corpus *c, const struct term_postings *query)
{
	struct naive_counts counts = {0};
	for (uint32_t i = 0; i < c->count; i++)
		for (uint32_t k = 0; c->documents[i].live && k < c->documents[i].chunk_count; k++) {
			counts.documents += k == 0;
			counts.n++;
			counts.length += c->documents[i].counted[k].length;
			for (uint32_t t = 0; t < query->term_count; t++)
				counts.df[t] += term_count(&c->documents[i], k, &query->terms[t]) > 0;
		}
	return counts;
}

/* BM25 of the chunks first..end taken as one. */
static double naive_part(const struct naive_counts *counts, const struct term_postings *query, const struct document *d, uint32_t first,
			 uint32_t end, double average, double b)
{
	double score = 0, length = 0;
	for (uint32_t k = first; k < end; k++)
		length += d->counted[k].length;
	for (uint32_t i = 0; i < query->term_count; i++) {
		double df = counts->df[i], count = 0, norm = 1.2 * (1 - b + b * length / average);
		for (uint32_t k = first; k < end; k++)
			count += term_count(d, k, &query->terms[i]);
		score += query->postings[i].count * log(1 + (counts->n - df + .5) / (df + .5)) * count * 2.2 / (count + norm);
	}
	return score;
}

static double naive_bm25(const struct naive_counts *counts, const struct term_postings *query, const struct document *d, uint32_t chunk)
{
	double part = naive_part(counts, query, d, chunk, chunk + 1, counts->length / counts->n, .6);
	double whole = naive_part(counts, query, d, 0, d->chunk_count, counts->length / counts->documents, .75);
	return part > 0 ? .65 * part + .35 * whole : 0;
}

/* The cosine of what is stored: int8 rows and an int8 query. */
static double naive_cosine(const float *row, const float *query)
{
	uint8_t r[DIMS];
	int8_t q[DIMS];
	double row_scale = vec_quantise_row(row, DIMS, r), query_scale = vec_quantise_query(query, DIMS, q), sum = 0;
	for (int d = 0; d < DIMS; d++)
		sum += (r[d] - 128) * q[d];
	return row_scale == 0 ? (double)NAN : sum * row_scale * query_scale;
}

static double naive_near(const struct document *d, uint32_t chunk, const float *query)
{
	double sum = 0, count = 0;
	for (uint32_t k = 0; k < d->chunk_count; k++) {
		double x = naive_cosine(d->vectors[k], query);
		if (!isnan(x))
			sum += x, count++;
	}
	return .8 * naive_cosine(d->vectors[chunk], query) + .2 * (count > 0 ? sum / count : 0);
}

static int compare_naive(const void *a, const void *b)
{
	double x = ((const struct naive *)a)->score, y = ((const struct naive *)b)->score;
	return (x < y) - (x > y);
}

static double normalise(double x, double min, double max)
{
	return isnan(x) ? 0 : max > min ? (x - min) / (max - min) : 1;
}

/* All chunks that a search may give, best first, the bound per document applied. The caller frees. */
static struct naive *naive_search(const struct corpus *c, const struct question *q, uint32_t *ret_count)
{
	struct naive *all = calloc((size_t)c->count * CHUNKS_MAX, sizeof(*all));
	const struct term_postings *query;
	double bm25_min = INFINITY, bm25_max = 0, cosine_min = INFINITY, cosine_max = -INFINITY;
	uint32_t count = 0, kept = 0, *taken = calloc(c->count, sizeof(*taken));
	if (!all || !taken || words_of_query(c->words, span_of(q->text), &query))
		abort();
	struct naive_counts counts = naive_count(c, query);
	for (uint32_t i = 0; i < c->count; i++)
		for (uint32_t k = 0; c->documents[i].live && (!q->every || i % q->every == 0) && k < c->documents[i].chunk_count; k++) {
			struct naive *x = &all[count++];
			*x = (struct naive){.document = i, .chunk = k, .bm25 = naive_bm25(&counts, query, &c->documents[i], k)};
			x->cosine = c->documents[i].has_vectors ? naive_cosine(c->documents[i].vectors[k], q->vector) : (double)NAN;
			x->near = c->documents[i].has_vectors ? naive_near(&c->documents[i], k, q->vector) : (double)NAN;
			bm25_min = fmin(bm25_min, x->bm25), bm25_max = fmax(bm25_max, x->bm25);
			cosine_min = fmin(cosine_min, x->near), cosine_max = fmax(cosine_max, x->near);
		}
	for (uint32_t i = 0; i < count; i++) {
		struct naive *x = &all[i];
		x->score = q->mode == SEARCH_KEYWORD	     ? (x->bm25 > 0 ? x->bm25 : -INFINITY)
			   : q->mode == SEARCH_VECTOR	     ? (isnan(x->near) ? -INFINITY : x->near)
			   : x->bm25 <= 0 && isnan(x->near) ? -INFINITY
							     : .6 * (x->bm25 > 0 ? normalise(x->bm25, bm25_min, bm25_max) : 0) +
								       .4 * normalise(x->near, cosine_min, cosine_max);
	}
	qsort(all, count, sizeof(*all), compare_naive);
	for (uint32_t i = 0; i < count; i++)
		if (all[i].score > -INFINITY && all[i].score >= q->min_score && (!q->per_document || taken[all[i].document]++ < q->per_document))
			all[kept++] = all[i];
	free(taken);
	*ret_count = kept < q->limit ? kept : q->limit;
	return all;
}

/* --- comparison ---------------------------------------------------------------------------------------------------- */

struct filter {
	const struct shelf *shelf;
	uint32_t every, last_doc;
	bool in_order;
};

static uint32_t document_of(const struct shelf *shelf, uint32_t id)
{
	uint32_t i = 0;
	while (i < shelf->corpus->count && shelf->ids[i] != id)
		i++;
	return i;
}

static bool is_eligible_doc(void *context, uint32_t doc)
{
	struct filter *f = context;
	f->in_order &= doc > f->last_doc;
	f->last_doc = doc;
	return document_of(f->shelf, doc) % f->every == 0;
}

static int ask(struct shelf *shelf, struct searcher *s, const struct question *q, struct search_results *ret)
{
	struct filter filter = {.shelf = shelf, .every = q->every, .in_order = true};
	struct search_request request = {.mode = q->mode,
					 .text = span_of(q->text),
					 .vector = q->vector,
					 .space = shelf->space,
					 .keyword_weight = .6f,
					 .limit = q->limit,
					 .per_document = q->per_document,
					 .min_score = q->min_score,
					 .eligible = q->every ? is_eligible_doc : NULL,
					 .context = &filter};
	struct store_read *r;
	int result = store_read_begin(shelf->store, &r);
	if (result)
		return result;
	result = search_run(s, r, &request, ret);
	store_read_end(r);
	return result ? result : filter.in_order ? 0 : -1;
}

static bool is_near(double x, double y)
{
	return (isnan(x) && isnan(y)) || fabs(x - y) <= 1e-5 * fmax(1, fabs(y));
}

/* A chunk that shares its score with the one before must not rank before it by hash and ordinal. */
static bool ties_in_order(const struct shelf *shelf, const struct search_hit *a, const struct search_hit *b)
{
	if (a->score != b->score)
		return a->score > b->score;
	const struct document *da = &shelf->corpus->documents[document_of(shelf, a->doc)];
	const struct document *db = &shelf->corpus->documents[document_of(shelf, b->doc)];
	int order = memcmp(da->clean.bytes, db->clean.bytes, HASH_SIZE);
	return order < 0 || (order == 0 && a->chunk < b->chunk);
}

/* Every hit has the naive score of its chunk, and the naive score of its rank. */
static bool agree(const struct shelf *shelf, const struct question *q, const struct search_results *results)
{
	uint32_t count, all = shelf->corpus->count * CHUNKS_MAX;
	struct naive *naive = naive_search(shelf->corpus, q, &count);
	bool good = count == results->count;
	for (uint32_t i = 0; good && i < count; i++) {
		const struct search_hit *h = &results->hits[i];
		uint32_t document = document_of(shelf, h->doc), at = 0;
		while (at < all && !(naive[at].document == document && naive[at].chunk == h->chunk))
			at++;
		good = at < all && is_near(h->score, naive[at].score) && is_near(h->score, naive[i].score) &&
		       is_near(h->bm25, naive[at].bm25) && (q->mode == SEARCH_KEYWORD || is_near(h->cosine, naive[at].cosine));
		good = good && (i == 0 || ties_in_order(shelf, &results->hits[i - 1], h));
		if (!good)
			printf("# rank %u: score %g, naive %g here and %g at this rank\n", i, h->score, naive[at].score, naive[i].score);
	}
	if (count != results->count)
		printf("# %u hits, naive %u\n", results->count, count);
	free(naive);
	return good;
}

static struct question make_question(uint32_t i)
{
	struct question q = {.mode = (enum search_mode)(i % 3), .limit = i % 4 == 3 ? 1000 : 10, .min_score = -INFINITY};
	q.per_document = i % 5 == 1 ? 0 : i % 5;
	q.every = i % 7 == 6 ? 3 : 0;
	int words = 1 + (int)(next_random() % 6), size = 0;
	for (int n = 0; n < words; n++)
		size += print_word(q.text + size, n % 2 ? next_zipf() : (uint32_t)(next_random() % VOCABULARY));
	if (i % 6 == 5)
		(void)print_word(q.text + size, (uint32_t)(next_random() % 10)); /* a frequent word */
	if (i % 11 == 10)
		q.min_score = q.mode == SEARCH_KEYWORD ? 5 : .3;
	random_vector(q.vector);
	return q;
}

static void check_questions(struct shelf *shelf, struct searcher *s, uint32_t count, const char *state)
{
	uint32_t agreed = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct question q = make_question(i);
		struct search_results results;
		if (ask(shelf, s, &q, &results)) {
			printf("# question %u failed\n", i);
			continue;
		}
		bool good = agree(shelf, &q, &results);
		if (!good)
			printf("# question %u: mode %d, limit %u, per document %u, every %u: %s\n", i, q.mode, q.limit, q.per_document, q.every, q.text);
		agreed += good;
		search_results_release(&results);
	}
	CHECK_NAMED(agreed == count, "%u of %u questions are answered as by the naive scorer: %s", agreed, count, state);
}

/* --- tests --------------------------------------------------------------------------------------------------------- */

static void random_corpus(void)
{
	struct corpus c = make_corpus(1, 400);
	struct shelf shelf;
	struct searcher *s = NULL;
	uint32_t *order = calloc(c.count, sizeof(*order));
	for (uint32_t i = 0; i < c.count; i++)
		c.documents[i].live = true, c.documents[i].has_vectors = i % 40 != 7;
	shuffle(order, c.count);
	CHECK(searcher_new(&s) == 0);
	CHECK(open_shelf(&shelf, &c));
	CHECK(do_tasks(&shelf, order, c.count) == 0);
	check_questions(&shelf, s, 60, "after filling");
	int result = 0;
	for (uint32_t i = 0; i < 150; i++) {
		uint32_t document = (uint32_t)(next_random() % c.count);
		result |= do_task(&shelf, document, c.documents[document].live ? REMOVE : ADD);
		c.documents[document].live = !c.documents[document].live;
	}
	CHECK(result == 0);
	check_questions(&shelf, s, 60, "after deletions and re-additions");
	for (uint32_t i = 0; i < c.count; i++) {
		if (!c.documents[i].live)
			result |= do_task(&shelf, i, ADD);
		c.documents[i].live = true;
	}
	CHECK(result == 0);
	check_questions(&shelf, s, 30, "with everything back");
	searcher_free(s);
	close_shelf(&shelf);
	free_corpus(&c);
	free(order);
}

/* The same documents in another order, with other documents that came and went: the same answers, bit for bit. */
static void two_orders(void)
{
	enum { COUNT = 300, EXTRA = 50 };
	struct corpus c = make_corpus(2, COUNT + EXTRA);
	struct shelf a, b;
	struct searcher *s = NULL;
	uint32_t order[COUNT + EXTRA];
	CHECK(searcher_new(&s) == 0);
	CHECK(open_shelf(&a, &c) && open_shelf(&b, &c));
	for (uint32_t i = 0; i < COUNT; i++)
		order[i] = i;
	CHECK(do_tasks(&a, order, COUNT) == 0);
	shuffle(order, COUNT + EXTRA);
	CHECK(do_tasks(&b, order, COUNT + EXTRA) == 0);
	int failed = 0;
	for (uint32_t i = COUNT; i < COUNT + EXTRA; i++)
		failed |= do_task(&b, i, REMOVE);
	CHECK(failed == 0);
	uint32_t equal = 0;
	for (uint32_t i = 0; i < 60; i++) {
		struct question q = make_question(i);
		struct search_results x, y;
		q.every = 0;
		if (ask(&a, s, &q, &x) || ask(&b, s, &q, &y))
			continue;
		bool same = x.count == y.count;
		for (uint32_t k = 0; same && k < x.count; k++)
			same = x.hits[k].score == y.hits[k].score && x.hits[k].chunk == y.hits[k].chunk &&
			       document_of(&a, x.hits[k].doc) == document_of(&b, y.hits[k].doc);
		equal += same;
		search_results_release(&x);
		search_results_release(&y);
	}
	CHECK_NAMED(equal == 60, "%u of 60 questions rank alike in two stores filled in different orders", equal);
	searcher_free(s);
	close_shelf(&a);
	close_shelf(&b);
	free_corpus(&c);
}

/* Requests with little to find, and wrong ones. */
static void edges(void)
{
	struct corpus c = make_corpus(3, 3);
	struct shelf shelf;
	struct searcher *s = NULL;
	struct search_results results;
	uint32_t order[] = {0, 1, 2};
	CHECK(searcher_new(&s) == 0 && open_shelf(&shelf, &c));
	struct question q = {.text = "anything", .mode = SEARCH_KEYWORD, .limit = 10, .min_score = -INFINITY};
	CHECK(ask(&shelf, s, &q, &results) == 0 && results.count == 0 && results.eligible_chunks == 0);
	search_results_release(&results);
	c.documents[2].has_vectors = false;
	CHECK(do_tasks(&shelf, order, 3) == 0);
	CHECK(ask(&shelf, s, &q, &results) == 0 && results.count == 0 && strcmp(results.terms, "anyth") == 0);
	search_results_release(&results);
	(void)snprintf(q.text, sizeof(q.text), "the of");
	CHECK(ask(&shelf, s, &q, &results) == 0 && results.count == 0 && results.terms[0] == '\0');
	search_results_release(&results);
	q.mode = SEARCH_VECTOR; /* a zero vector is near to nothing */
	CHECK(ask(&shelf, s, &q, &results) == 0 && results.count == 0);
	search_results_release(&results);
	q.mode = SEARCH_HYBRID;
	random_vector(q.vector);
	CHECK(ask(&shelf, s, &q, &results) == 0 && results.vectors_missing && results.count > 0);
	CHECK(results.hits[0].score <= 1 && results.scored_by_keyword == 0 && results.scored_by_vector < results.eligible_chunks);
	search_results_release(&results);
	q.limit = 0;
	CHECK(ask(&shelf, s, &q, &results) == -22);
	q.limit = LIMIT_RESULTS + 1;
	CHECK(ask(&shelf, s, &q, &results) == -22);
	searcher_free(s);
	searcher_free(NULL);
	close_shelf(&shelf);
	free_corpus(&c);
}

static uint32_t count_common(const struct search_results *x, const struct search_results *y)
{
	uint32_t common = 0;
	for (uint32_t i = 0; i < x->count; i++)
		for (uint32_t k = 0; k < y->count; k++)
			common += x->hits[i].doc == y->hits[k].doc && x->hits[i].chunk == y->hits[k].chunk;
	return common;
}

static bool has_word(const struct document *d, const char *word)
{
	struct term t = {.text = word, .size = (uint32_t)strlen(word)};
	for (uint32_t k = 0; k < d->chunk_count; k++)
		if (term_count(d, k, &t))
			return true;
	return false;
}

/* Whether chunk k has the pair of words, or a part of it. */
static bool touches(const struct document *d, uint32_t k, const char *pair)
{
	const char *first = d->chunks[k].data, *end = first + d->chunks[k].size, *text_end = d->chunks[d->chunk_count - 1].data + d->chunks[d->chunk_count - 1].size;
	for (const char *at = d->text; (at = memmem(at, (size_t)(text_end - at), pair, strlen(pair))); at++)
		if (at < end && at + strlen(pair) - 1 > first) /* the last blank is no part of it */
			return true;
	return false;
}

/* Chunks that a search for these words must find: at least one of them inside, or for a phrase both, one behind the other. */
static uint32_t count_matches(const struct corpus *c, const char *one, const char *two, bool phrase, const char *without)
{
	struct term terms[2] = {{one, (uint32_t)strlen(one)}, {two, (uint32_t)strlen(two)}};
	char pair[32];
	uint32_t count = 0;
	(void)snprintf(pair, sizeof(pair), "%s %s ", one, two);
	for (uint32_t i = 0; i < c->count; i++) {
		const struct document *d = &c->documents[i];
		if (without && has_word(d, without))
			continue;
		for (uint32_t k = 0; k < d->chunk_count; k++) {
			bool a = term_count(d, k, &terms[0]), b = term_count(d, k, &terms[1]);
			count += phrase ? touches(d, k, pair) : a || b;
		}
	}
	return count;
}

static void syntax(void)
{
	struct corpus c = make_corpus(5, 200);
	struct shelf shelf;
	struct searcher *s = NULL;
	uint32_t *order = calloc(c.count, sizeof(*order)), phrases = 0, exclusions = 0, both = 0, found = 0;
	shuffle(order, c.count);
	CHECK(searcher_new(&s) == 0 && open_shelf(&shelf, &c) && do_tasks(&shelf, order, c.count) == 0);
	for (uint32_t i = 0; i < 40; i++) {
		const struct document *d = &c.documents[next_random() % c.count];
		size_t at = next_random() % (d->chunks[0].size / 6 - 1) * 6;
		char one[8], two[8], without[8];
		(void)snprintf(one, sizeof(one), "%.5s", d->text + at);
		(void)snprintf(two, sizeof(two), "%.5s", d->text + at + 6);
		(void)print_word(without, 3 + (uint32_t)(next_random() % 50));
		without[5] = '\0';
		struct question q = {.mode = SEARCH_KEYWORD, .limit = 1000, .min_score = -INFINITY};
		struct search_results results;
		(void)snprintf(q.text, sizeof(q.text), i % 2 ? "\"%s, %s\"" : "\xe2\x80\x9c%s  %s\xe2\x80\x9d", one, two);
		CHECK(ask(&shelf, s, &q, &results) == 0);
		phrases += results.count == count_matches(&c, one, two, true, NULL);
		found += results.count > 0;
		search_results_release(&results);
		(void)snprintf(q.text, sizeof(q.text), "%s -%s %s", one, without, two);
		CHECK(ask(&shelf, s, &q, &results) == 0);
		uint32_t matches = count_matches(&c, one, two, false, without);
		exclusions += results.count == (matches < 1000 ? matches : 1000);
		search_results_release(&results);
		(void)snprintf(q.text, sizeof(q.text), "-%s \"%s %s\"", without, one, two);
		CHECK(ask(&shelf, s, &q, &results) == 0);
		both += results.count == count_matches(&c, one, two, true, without);
		search_results_release(&results);
	}
	CHECK_NAMED(phrases == 40, "%u of 40 phrases find what has them", phrases);
	CHECK_NAMED(found >= 35, "%u of 40 phrases find something", found);
	CHECK_NAMED(exclusions == 40, "%u of 40 exclusions leave out what has the word", exclusions);
	CHECK_NAMED(both == 40, "%u of 40 phrases with exclusions", both);
	searcher_free(s);
	close_shelf(&shelf);
	free_corpus(&c);
	free(order);
}

static void check_parse(const char *query, uint32_t required, uint32_t excluded, const char *words)
{
	struct syntax x;
	CHECK(syntax_parse(span_of(query), &x) == 0);
	CHECK_NAMED(x.required_count == required && x.excluded_count == excluded && span_equal(x.words, span_of(words)),
		    "'%s' requires %u and excludes %u", query, required, excluded);
	syntax_release(&x);
}

static void check_field(const struct syntax *x, uint32_t i, bool title, bool without, const char *value)
{
	const struct syntax_field *f = &x->fields[i];
	CHECK_NAMED(i < x->field_count && f->title == title && f->without == without && span_equal(f->value.text, span_of(value)), "field %u is %s", i, value);
}

static void check_fields(void)
{
	struct syntax x;
	CHECK(syntax_parse(span_of("path:src/a title:\"two words\" -path:old -title:x words -no"), &x) == 0);
	CHECK(x.field_count == 4 && x.excluded_count == 1 && x.required_count == 0);
	check_field(&x, 0, false, false, "src/a");
	check_field(&x, 1, true, false, "two words");
	check_field(&x, 2, false, true, "old");
	check_field(&x, 3, true, true, "x");
	CHECK(x.words.size == x.rest.size && memmem(x.words.data, x.words.size, " words ", 7) && memmem(x.rest.data, x.rest.size, " words -no", 10));
	CHECK(!memmem(x.words.data, x.words.size, "-no", 3) && !memmem(x.rest.data, x.rest.size, "path", 4));
	syntax_release(&x);
	/* No value, or not at the beginning of a word: words like others. */
	check_parse("title: of a path: xpath:a title:\"\" path:", 0, 0, "title: of a path: xpath:a title:\"\" path:");
	CHECK(syntax_parse(span_of("title:\"open path:a"), &x) == 0 && x.field_count == 2);
	check_field(&x, 0, true, false, "\"open");
	syntax_release(&x);
}

static void check_name(const char *query, bool expected)
{
	struct syntax x;
	CHECK(syntax_parse(span_of(query), &x) == 0);
	CHECK_NAMED(x.has_name == expected, "'%s' holds %s name", query, expected ? "a" : "no");
	syntax_release(&x);
}

static void parsing(void)
{
	static const char *const names[] = {"what is sha256", "max_size", "_exit", "parseURL", "HTTPServer", "error C2487", "x86"};
	static const char *const prose[] = {"", "a", "parental leave", "PDFs and NATO in 1999", "3.11.7", "state-of-the-art"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		check_name(names[i], true);
	for (size_t i = 0; i < sizeof(prose) / sizeof(*prose); i++)
		check_name(prose[i], false);
	check_parse("", 0, 0, "");
	check_parse("plain state-of-the-art --help 5 - 3 tar -x", 0, 0, "plain state-of-the-art --help 5 - 3 tar -x");
	check_parse("\"a b\" c -dd", 1, 1, "\"a b\" c    ");
	check_fields();
	check_parse("5\" by 7\" -\"a b\"", 0, 1, "5\" by 7\"       ");
	check_parse("\"open", 0, 0, "\"open");
	check_parse("-\"open", 0, 0, "-\"open");
	check_parse("\"\" -\"\" - -- \"", 1, 1, "\"\"     - -- \"");
	check_parse("\xe2\x80\x9c" "a\xe2\x80\x9d \xe2\x80", 1, 0, "\xe2\x80\x9c" "a\xe2\x80\x9d \xe2\x80");
	check_parse("-aa -bb -cc -dd -ee -ff -gg -hh -ii -jj -kk -ll -mm -nn -oo -pp -qq", 0, 16,
		    "                                                                -qq");
	check_parse("a quotation mark in \"prose that somebody pasted\" does not -require anything of the documents that are found "
		    "because that is not what it stands for there",
		    0, 0,
		    "a quotation mark in \"prose that somebody pasted\" does not -require anything of the documents that are found "
		    "because that is not what it stands for there");
}

/* With the limit of the exact scan at nothing, the two-stage scan must find nearly all that the exact one finds. Random vectors of 64
 * dimensions are its worst case: 64 bits a row, and neighbours that are hardly nearer than the rest. */
static void two_stages(void)
{
	struct corpus c = make_corpus(4, 1200);
	struct shelf shelf;
	struct searcher *exact = NULL, *staged = NULL;
	uint32_t *order = calloc(c.count, sizeof(*order)), found[3] = {0}, wanted[3] = {0};
	shuffle(order, c.count);
	CHECK(searcher_new(&exact) == 0 && searcher_new(&staged) == 0 && open_shelf(&shelf, &c));
	CHECK(do_tasks(&shelf, order, c.count) == 0);
	staged->exact_segments = 0;
	for (uint32_t i = 0; i < 60; i++) {
		struct question q = {.mode = (enum search_mode)(i % 3), .limit = 10, .min_score = -INFINITY};
		(void)print_word(q.text, next_zipf());
		random_vector(q.vector);
		struct search_results x, y;
		if (ask(&shelf, exact, &q, &x) || ask(&shelf, staged, &q, &y))
			continue;
		wanted[q.mode] += x.count;
		found[q.mode] += count_common(&x, &y);
		search_results_release(&x);
		search_results_release(&y);
	}
	CHECK_NAMED(wanted[SEARCH_KEYWORD] == found[SEARCH_KEYWORD], "keyword search is not touched by the two-stage scan");
	CHECK_NAMED(wanted[SEARCH_HYBRID] == 200 && found[SEARCH_HYBRID] >= 195, "hybrid: two stages find %u of 200", found[SEARCH_HYBRID]);
	CHECK_NAMED(wanted[SEARCH_VECTOR] == 200 && found[SEARCH_VECTOR] >= 170, "vector: two stages find %u of 200", found[SEARCH_VECTOR]);
	searcher_free(exact);
	searcher_free(staged);
	close_shelf(&shelf);
	free_corpus(&c);
	free(order);
}

int main(void)
{
	random_corpus();
	two_orders();
	edges();
	two_stages();
	syntax();
	parsing();
	return tap_done();
}
