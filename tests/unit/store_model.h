/* Documents made from a number, and the operations that a caller of the store makes of them: shared by the store's tests. A
 * document's text, chunks, terms and vectors follow from its number alone, so that what a store must hold is known without a second
 * store. */
#ifndef CORPUSFS_TESTS_STORE_MODEL_H
#define CORPUSFS_TESTS_STORE_MODEL_H

#include "base/limits.h"
#include "store/store.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MODEL_DIMS = 64, MODEL_WORDS = 400, MODEL_CHUNKS_MAX = 40, MODEL_WORDS_PER_CHUNK = 30 };

static uint64_t model_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	uint64_t z = *state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

struct model_doc {
	char *text;
	size_t text_size;
	uint32_t chunk_count;
	struct term_postings terms;
	uint8_t *rows;
	float *scales;
	uint64_t *bits;
	float *floats;
	struct hash clean;
};

/* Word `i`: some short, some longer than a table entry holds, many with a common beginning. */
static size_t model_word(uint32_t i, char out[LIMIT_TERM_BYTES + 1])
{
	static const char *const heads[] = {"", "a", "common", "a-rather-long-beginning-that-many-words-share-"};
	return (size_t)snprintf(out, LIMIT_TERM_BYTES + 1, "%sw%u", heads[i % 4], i);
}

/* Skewed, so that some words are in nearly every chunk. */
static uint32_t model_pick_word(uint64_t *random)
{
	uint64_t x = model_random(random);
	return (uint32_t)((x >> 8) % (1 + ((x & 0xff) * (x & 0xff) * (MODEL_WORDS - 1)) / 65025));
}

static void model_doc_make(uint64_t number, struct model_doc *d)
{
	uint64_t random = number * 7919 + 1;
	uint32_t counts[MODEL_WORDS], index[MODEL_WORDS];
	*d = (struct model_doc){.chunk_count = (uint32_t)(model_random(&random) % MODEL_CHUNKS_MAX)};
	if (number % 97 == 0)
		d->chunk_count = 0;
	struct term_postings *t = &d->terms;
	t->chunk_count = d->chunk_count;
	t->terms = calloc(MODEL_WORDS, sizeof(*t->terms));
	t->postings = calloc(d->chunk_count * MODEL_WORDS_PER_CHUNK + 1, sizeof(*t->postings));
	t->chunk_lengths = calloc(d->chunk_count + 1, sizeof(*t->chunk_lengths));
	memset(index, 0xff, sizeof(index));
	for (uint32_t c = 0; c < d->chunk_count; c++) {
		memset(counts, 0, sizeof(counts));
		for (int i = 0; i < MODEL_WORDS_PER_CHUNK; i++)
			counts[model_pick_word(&random)] += number % 50 == 3 ? 300 : 1;
		for (uint32_t word = 0; word < MODEL_WORDS; word++) {
			if (!counts[word])
				continue;
			if (index[word] == UINT32_MAX) {
				char *text = malloc(LIMIT_TERM_BYTES + 1);
				index[word] = t->term_count;
				t->terms[t->term_count++] = (struct term){text, (uint32_t)model_word(word, text)};
			}
			t->postings[t->posting_count++] = (struct term_posting){c, index[word], counts[word]};
			t->chunk_lengths[c] += counts[word];
		}
	}
	d->text_size = number % 31 == 0 ? 0 : number % 29 == 0 ? 300000 : 50 + model_random(&random) % 3000;
	d->text = malloc(d->text_size + 1);
	for (size_t i = 0; i < d->text_size; i++)
		d->text[i] = (char)('a' + model_random(&random) % 26);
	if (d->text_size >= sizeof(number))
		memcpy(d->text, &number, sizeof(number));
	char identity[32];
	(void)snprintf(identity, sizeof(identity), "%llu", (unsigned long long)number);
	d->clean = hash_bytes(span_of(identity));
	d->rows = malloc(d->chunk_count * MODEL_DIMS + 1);
	d->scales = malloc(d->chunk_count * sizeof(float) + 1);
	d->bits = malloc(d->chunk_count * MODEL_DIMS / 8 + 1);
	d->floats = calloc(d->chunk_count * (size_t)MODEL_DIMS + 1, sizeof(float));
	for (size_t i = 0; i < d->chunk_count * (size_t)MODEL_DIMS; i++) {
		d->rows[i] = (uint8_t)model_random(&random);
		d->floats[i] = (float)d->rows[i];
	}
	for (size_t i = 0; i < d->chunk_count; i++) {
		d->scales[i] = (float)(model_random(&random) % 1000);
		d->bits[i] = model_random(&random);
	}
}

static void model_doc_release(struct model_doc *d)
{
	for (uint32_t i = 0; i < d->terms.term_count; i++)
		free((char *)(uintptr_t)d->terms.terms[i].text);
	free(d->terms.terms);
	free(d->terms.postings);
	free(d->terms.chunk_lengths);
	free(d->text);
	free(d->rows);
	free(d->scales);
	free(d->bits);
	free(d->floats);
}

/* --- operations ---------------------------------------------------------------------------------------------------- */

struct model_op {
	struct store_op op;
	char path[LIMIT_PATH_BYTES + 1];
	uint64_t number; /* 0: the file is removed */
	bool failed;     /* the file becomes one that could not be extracted */
	uint32_t space;
	int runs, result;
	bool done;
};

static int model_unindex(struct store_write *w, uint32_t doc)
{
	struct span text;
	struct model_doc d;
	struct store_doc about;
	int error = store_get_doc(store_write_view(w), doc, &about);
	if (error < 0 || !about.indexed)
		return error;
	/* A caller computes the terms again from the text; here the chunk list begins with the number. */
	error = store_doc_chunks(store_write_view(w), doc, &text);
	if (error < 0)
		return error;
	uint64_t number;
	memcpy(&number, text.data, sizeof(number));
	model_doc_make(number, &d);
	error = store_unindex_doc(w, doc, &d.terms);
	model_doc_release(&d);
	return error;
}

static int model_put(struct store_write *w, const struct model_op *m, uint32_t *ret_orphan)
{
	struct model_doc d;
	struct store_file file = {.stamp = {1, m->number, 3, 4, 5}, .state = STORE_OK};
	char chunks[64] = {0};
	model_doc_make(m->number, &d);
	memcpy(chunks, &m->number, sizeof(m->number));
	file.source = file.extraction = d.clean;
	int error = store_put_doc(w, &d.clean, 1, (struct span){d.text, d.text_size}, (struct span){chunks, 8 + m->number % 50},
	                          d.chunk_count, span_of("a title"), &file.doc);
	if (error == 0)
		error = store_put_extraction(w, &d.clean,
		                             &(struct store_extraction){.state = STORE_OK,
		                                                        .syntax = 1,
		                                                        .doc = file.doc,
		                                                        .extractor = span_of("text"),
		                                                        .media_type = span_of("text/plain"),
		                                                        .encoding = span_of("UTF-8"),
		                                                        .title = span_of("a title"),
		                                                        .code = span_of(""),
		                                                        .message = span_of("")});
	if (error == 0)
		error = store_put_file(w, span_of(m->path), &file, ret_orphan);
	if (error == 0)
		error = store_index_doc(w, file.doc, &d.terms);
	if (error == 0 && m->space)
		error = store_put_vectors(w, m->space, file.doc, d.rows, d.scales, d.bits, m->number % 5 == 0 ? d.floats : NULL);
	model_doc_release(&d);
	return error;
}

static int model_run(struct store_write *w, struct store_op *op)
{
	struct model_op *m = (struct model_op *)op;
	uint32_t orphan = 0;
	int error;
	m->runs++;
	if (m->failed)
		error = store_put_file(w, span_of(m->path), &(struct store_file){.state = STORE_FAILED}, &orphan);
	else if (m->number)
		error = model_put(w, m, &orphan);
	else
		error = store_remove_file(w, span_of(m->path), &orphan);
	return error == 0 && orphan ? model_unindex(w, orphan) : error;
}

static void model_done(struct store_op *op, int result)
{
	struct model_op *m = (struct model_op *)op;
	m->result = result;
	m->done = true;
}

__attribute__((unused)) static void model_submit(struct store *s, struct model_op *m)
{
	m->op = (struct store_op){.run = model_run, .done = model_done, .bytes = 4096, .urgent = m->op.urgent};
	m->runs = 0;
	m->done = false;
	store_submit(s, &m->op);
}

/* One small operation, waited for. */
struct model_call {
	struct store_op op;
	int (*run)(struct store_write *w, void *context);
	void *context;
	int result;
};

static int model_call_run(struct store_write *w, struct store_op *op)
{
	struct model_call *c = (struct model_call *)op;
	return c->run(w, c->context);
}

static void model_call_done(struct store_op *op, int result)
{
	((struct model_call *)op)->result = result;
}

__attribute__((unused)) static int model_call(struct store *s, int (*run)(struct store_write *w, void *context), void *context)
{
	struct model_call c = {{.run = model_call_run, .done = model_call_done, .urgent = true}, run, context, -1};
	store_submit(s, &c.op);
	store_flush(s);
	return c.result;
}

/* Temporary folders. */
__attribute__((unused)) static void model_folder(char out[256])
{
	const char *base = getenv("TMPDIR");
	(void)snprintf(out, 256, "%s/corpusfs-store-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(out)) {
		perror(out);
		exit(2);
	}
}

__attribute__((unused)) static void model_remove(const char *folder)
{
	char command[600];
	(void)snprintf(command, sizeof(command), "rm -rf '%s' '%s'.damaged-*", folder, folder);
	if (system(command) != 0)
		perror("rm");
}

#endif
