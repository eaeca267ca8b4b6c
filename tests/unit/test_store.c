/* The store against a plain model: random operations, then everything that can be read is compared. And opening, damage, growth. */
#include "tap.h"

#include "unit/store_model.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATHS = 60, NUMBERS = 90 };

/* The document number of each path, 0: none, UINT64_MAX: failed. */
struct model {
	uint64_t files[PATHS];
	bool ever[NUMBERS]; /* put at least once */
};

static void path_of(unsigned i, char out[LIMIT_PATH_BYTES + 1])
{
	if (i % 10 == 7) { /* longer than a key */
		memset(out, 'x', LIMIT_PATH_BYTES);
		for (unsigned at = 200; at < 3000; at += 200)
			out[at] = '/';
		(void)snprintf(out + 470 + 5 * (size_t)i, 32, "/%u.txt", i);
	} else {
		(void)snprintf(out, LIMIT_PATH_BYTES, "%c%s/file-%u.txt", 'a' + (int)(i % 5), i % 2 ? "b" : "", i);
	}
}

static struct store *open_store(const char *folder, size_t map, const char *recipe, char reset[256])
{
	struct store *s = NULL;
	struct err err = {""};
	char unused[256];
	int error = store_open(
	        &(struct store_options){
	                .directory = folder, .mode = STORE_WRITE, .map_bytes = map, .recipe = hash_bytes(span_of(recipe))},
	        &s, reset ? reset : unused, &err);
	if (error < 0)
		printf("# store_open: %d %s\n", error, err.text);
	return s;
}

/* --- comparing ----------------------------------------------------------------------------------------------------- */

struct walk {
	const struct model *model;
	char last[LIMIT_PATH_BYTES + 1];
	unsigned count, bad;
};

static int check_file(void *context, struct span path, const struct store_file *file)
{
	struct walk *walk = context;
	char text[LIMIT_PATH_BYTES + 1], expected[LIMIT_PATH_BYTES + 1];
	memcpy(text, path.data, path.size);
	text[path.size] = '\0';
	bool is_long = path.size > 480;
	if (!is_long && strcmp(walk->last, text) >= 0)
		walk->bad++;
	if (!is_long)
		memcpy(walk->last, text, path.size + 1);
	for (unsigned i = 0; i < PATHS; i++) {
		path_of(i, expected);
		if (strcmp(text, expected) == 0) {
			walk->bad += walk->model->files[i] == 0 ||
			             (walk->model->files[i] == UINT64_MAX) != (file->state == STORE_FAILED) ||
			             (file->state == STORE_OK && file->stamp.ino != walk->model->files[i]);
			walk->count++;
			return 0;
		}
	}
	walk->bad++;
	return 0;
}

static int count_path(void *context, struct span path)
{
	*(unsigned *)context += path.size > 0;
	return 0;
}

static unsigned paths_of(const struct model *m, uint64_t number)
{
	unsigned n = 0;
	for (unsigned i = 0; i < PATHS; i++)
		n += m->files[i] == number;
	return n;
}

/* What is wrong with one document, as a word, or NULL. */
static const char *check_doc(struct store_read *r, const struct model *m, uint64_t number, uint32_t space, uint32_t *df)
{
	struct model_doc d;
	struct store_doc about;
	struct span text, chunks, floats;
	const char *wrong = NULL;
	uint32_t id;
	unsigned paths = paths_of(m, number), seen = 0;
	model_doc_make(number, &d);
	int error = store_find_doc(r, &d.clean, 1, &id);
	if (error == -ENOENT && !m->ever[number])
		goto out;
	if (error < 0 || store_get_doc(r, id, &about) < 0)
		wrong = "is not found";
	else if (store_doc_text(r, id, &text) < 0 || text.size != d.text_size || memcmp(text.data, d.text, d.text_size) != 0)
		wrong = "text";
	else if (store_doc_chunks(r, id, &chunks) < 0 || chunks.size != 8 + number % 50 || memcmp(chunks.data, &number, 8) != 0)
		wrong = "chunks";
	else if (about.paths != paths || store_each_doc_path(r, id, count_path, &seen) != 0 || seen != paths)
		wrong = "paths";
	else if (about.indexed != (paths > 0) || about.chunk_count != d.chunk_count || !span_equal(about.title, span_of("a title")))
		wrong = "record";
	for (uint32_t c = 0; c < d.chunk_count && !wrong; c++) {
		struct store_segment g;
		struct store_vectors v;
		uint32_t chunk = about.chunk_base + c, at = chunk % STORE_SEGMENT_CHUNKS, length = d.terms.chunk_lengths[c];
		if (store_segment(r, chunk / STORE_SEGMENT_CHUNKS, &g) < 0 || at >= g.count || g.docs[at] != id ||
		    g.lengths[at] != (length > 65535 ? 65535 : length) || (g.live[at / 64] >> (at % 64) & 1) != (paths > 0))
			wrong = "segment";
		else if (store_vectors(r, space, chunk / STORE_SEGMENT_CHUNKS, &v) < 0 || at >= v.count ||
		         v.scales[at] != d.scales[c] ||
		         memcmp(v.rows + (size_t)at * MODEL_DIMS, d.rows + (size_t)c * MODEL_DIMS, MODEL_DIMS) != 0 ||
		         v.bits[at] != d.bits[c] || (uintptr_t)v.rows % 64)
			wrong = "vectors";
	}
	if (!wrong && d.chunk_count && number % 5 == 0 &&
	    (store_doc_floats(r, space, id, &floats) < 0 || floats.size != d.chunk_count * MODEL_DIMS * sizeof(float)))
		wrong = "floats";
	if (!wrong && paths > 0) /* what its terms add to the frequencies */
		for (uint32_t i = 0; i < d.terms.posting_count; i++) {
			const struct term *t = &d.terms.terms[d.terms.postings[i].term];
			df[atoi((char *)memrchr(t->text, 'w', t->size) + 1)]++;
		}
out:
	model_doc_release(&d);
	return wrong;
}

/* Whether a posting is right: the document has that word so often in that chunk. */
static bool posting_is_right(struct store_read *r, const struct model *m, uint32_t doc, uint32_t chunk, uint32_t word,
                             uint32_t count)
{
	struct store_doc about;
	struct span chunks;
	struct model_doc d;
	uint64_t number;
	char text[LIMIT_TERM_BYTES + 1];
	struct span term = {text, model_word(word, text)};
	bool right = false;
	if (store_get_doc(r, doc, &about) < 0 || store_doc_chunks(r, doc, &chunks) < 0)
		return false;
	memcpy(&number, chunks.data, 8);
	(void)m;
	model_doc_make(number, &d);
	for (uint32_t i = 0; i < d.terms.posting_count && !right; i++) {
		const struct term_posting *p = &d.terms.postings[i];
		const struct term *t = &d.terms.terms[p->term];
		right = p->chunk == chunk - about.chunk_base && span_equal((struct span){t->text, t->size}, term) &&
		        (p->count > 255 ? 255 : p->count) == count;
	}
	model_doc_release(&d);
	return right;
}

/* Live postings of a word, checked; UINT32_MAX when one is wrong. */
static uint32_t live_postings(struct store_read *r, const struct model *m, uint32_t word, bool each_one)
{
	char text[LIMIT_TERM_BYTES + 1];
	struct store_cursor *c;
	struct store_block block;
	struct store_segment g = {.count = 0};
	uint32_t live = 0;
	int more, error = store_cursor_open(r, (struct span){text, model_word(word, text)}, &c);
	if (error == -ENOENT)
		return 0;
	if (error < 0)
		return UINT32_MAX;
	while ((more = store_cursor_next(c, &block)) == 1) {
		for (uint32_t i = 0; i < block.count; i++) {
			uint32_t chunk = block.chunks[i];
			if ((g.count == 0 || chunk - g.first >= g.count) && store_segment(r, chunk / STORE_SEGMENT_CHUNKS, &g) < 0)
				return UINT32_MAX;
			uint32_t at = chunk - g.first;
			bool is_live = g.live[at / 64] >> (at % 64) & 1;
			live += is_live;
			if (is_live && each_one && !posting_is_right(r, m, g.docs[at], chunk, word, block.counts[i]))
				return UINT32_MAX;
		}
	}
	store_cursor_close(c);
	return more < 0 ? UINT32_MAX : live;
}

static void compare(struct store *s, const struct model *m, uint32_t space, const char *when)
{
	struct store_read *r;
	struct store_counts counts;
	struct walk walk = {.model = m};
	uint32_t df[MODEL_WORDS] = {0};
	unsigned wrong_df = 0, wrong_postings = 0, files = 0, documents = 0;
	if (!CHECK_NAMED(store_read_begin(s, &r) == 0, "%s: a snapshot", when))
		return;
	for (unsigned i = 0; i < PATHS; i++)
		files += m->files[i] != 0;
	CHECK_NAMED(store_each_file(r, span_of(""), check_file, &walk) == 0 && walk.bad == 0 && walk.count == files,
	            "%s: %u files, %u walked, %u wrong", when, files, walk.count, walk.bad);
	for (uint64_t n = 1; n < NUMBERS; n++) {
		const char *wrong = check_doc(r, m, n, space, df);
		documents += paths_of(m, n) > 0;
		if (wrong)
			CHECK_NAMED(0, "%s: document %u: %s", when, (unsigned)n, wrong);
	}
	for (uint32_t word = 0; word < MODEL_WORDS; word++) {
		char text[LIMIT_TERM_BYTES + 1];
		struct store_term t = {0};
		int error = store_find_term(r, (struct span){text, model_word(word, text)}, &t);
		wrong_df += (error < 0 && error != -ENOENT) || t.live_chunks != df[word];
		wrong_postings += live_postings(r, m, word, word % 20 == 3) != df[word];
	}
	CHECK_NAMED(wrong_df == 0 && wrong_postings == 0, "%s: document frequencies (%u wrong) and postings (%u)", when, wrong_df,
	            wrong_postings);
	CHECK_NAMED(store_counts(r, &counts) == 0 && counts.files == files && counts.documents == documents &&
	                    counts.indexed_documents == documents,
	            "%s: counts", when);
	store_read_end(r);
}

static int put_space(struct store_write *w, void *context)
{
	struct hash fingerprint = hash_bytes(span_of("model"));
	return store_put_space(w, &fingerprint, span_of("the model"), MODEL_DIMS, context);
}

static int run_collect(struct store_write *w, void *context)
{
	*(int *)context = store_collect(w, 0);
	return *(int *)context < 0 ? *(int *)context : 0;
}

/* Afterwards only what has a path is there, numbered without gaps. */
static void collect(struct store *s, struct model *m)
{
	struct store_read *r;
	struct store_index_stats stats;
	struct model_doc d;
	int dropped = -1, found = 0;
	uint32_t id;
	CHECK(model_call(s, run_collect, &dropped) == 0 && dropped == 1);
	CHECK(model_call(s, run_collect, &dropped) == 0 && dropped == 0);
	if (!CHECK(store_read_begin(s, &r) == 0))
		return;
	for (uint64_t n = 1; n < NUMBERS; n++) {
		struct store_extraction x;
		if (paths_of(m, n) > 0)
			continue;
		m->ever[n] = false;
		model_doc_make(n, &d);
		found += store_find_doc(r, &d.clean, 1, &id) != -ENOENT || store_get_extraction(r, &d.clean, &x) != -ENOENT;
		model_doc_release(&d);
	}
	CHECK_NAMED(found == 0, "%d documents are there that should have gone", found);
	CHECK(store_index_stats(r, &stats) == 0 && stats.chunk_limit == stats.live_chunks);
	store_read_end(r);
}

static void random_operations(void)
{
	char folder[256], path[LIMIT_PATH_BYTES + 1];
	uint64_t random = 42;
	struct model m = {0};
	uint32_t space = 0;
	struct model_op *ops = calloc(PATHS, sizeof(*ops));
	model_folder(folder);
	struct store *s = open_store(folder, 1 << 20, "r", NULL); /* small: the map has to grow */
	if (!CHECK(s != NULL))
		return;
	CHECK(model_call(s, put_space, &space) == 0 && space == 1);
	uint64_t generation = store_generation(s);
	for (unsigned round = 0; round < 16; round++) {
		unsigned failed = 0;
		for (unsigned i = 0; i < PATHS; i++) {
			struct model_op *op = &ops[i];
			unsigned at = (unsigned)(model_random(&random) % PATHS);
			path_of(at, path);
			*op = (struct model_op){.space = space, .op = {.urgent = model_random(&random) % 8 == 0}};
			memcpy(op->path, path, sizeof(path));
			uint64_t kind = model_random(&random) % 8;
			if (kind == 0 && m.files[at]) {
				m.files[at] = 0;
			} else if (kind == 1) {
				op->failed = true;
				m.files[at] = UINT64_MAX;
			} else {
				op->number = 1 + model_random(&random) % (NUMBERS - 1);
				m.files[at] = op->number;
				m.ever[op->number] = true;
			}
			model_submit(s, op);
		}
		store_flush(s);
		for (unsigned i = 0; i < PATHS; i++)
			failed += ops[i].result != 0 || !ops[i].done;
		CHECK_NAMED(failed == 0, "round %u: every operation succeeded", round);
		compare(s, &m, space, "after a round");
		if (round % 5 == 4) {
			collect(s, &m);
			compare(s, &m, space, "collected");
		}
		if (round % 4 == 3) {
			store_close(s);
			s = open_store(folder, 1 << 20, "r", NULL);
			if (!CHECK(s != NULL))
				return;
			compare(s, &m, space, "opened again");
		}
	}
	CHECK(store_generation(s) > generation);
	CHECK(!store_damaged(s));
	store_close(s);
	free(ops);
	model_remove(folder);
}

/* --- collecting many ----------------------------------------------------------------------------------------------- */

enum { MANY = 700, MANY_CHUNKS = 13, SPARSE_FROM = 500, SPARSE_TO = 520 };

/* Document i of 1..13 chunks; one word of its own class, one of all. Vectors in space 1; in space 2 only documents of one stretch.
 */
struct many {
	uint32_t first, last;
	bool remove; /* two of three */
};

static bool is_removed(uint32_t i)
{
	return i % 3 != 1 && i / 40 % 4 != 2;
}

static void many_vectors(uint32_t i, uint32_t dims, uint32_t chunks, uint8_t *rows, float *scales, uint64_t *bits)
{
	memset(rows, (int)(i % 251), (size_t)chunks * dims);
	for (uint32_t c = 0; c < chunks; c++) {
		scales[c] = (float)(i * 100 + c);
		for (uint32_t k = 0; k < dims / 64; k++)
			bits[c * (dims / 64) + k] = (uint64_t)i << 32 | c << 8 | k;
	}
}

static int put_many(struct store_write *w, void *context)
{
	const struct many *m = context;
	static uint8_t rows[MANY_CHUNKS * 128];
	static float scales[MANY_CHUNKS];
	static uint64_t bits[MANY_CHUNKS * 2];
	for (uint32_t i = m->first; i < m->last; i++) {
		char name[32], word[32];
		uint32_t chunks = 1 + i % MANY_CHUNKS, orphan = 0, lengths[MANY_CHUNKS], id;
		struct store_file file = {.stamp = {.ino = i}, .state = STORE_OK};
		struct term_posting postings[2 * MANY_CHUNKS];
		(void)snprintf(name, sizeof(name), "many-%u", i);
		(void)snprintf(word, sizeof(word), "class-%u", i % 10);
		struct term terms[2] = {{word, (uint32_t)strlen(word)}, {"all", 3}};
		for (uint32_t c = 0; c < chunks; c++) {
			postings[2 * c] = (struct term_posting){c, 0, 1 + c};
			postings[2 * c + 1] = (struct term_posting){c, 1, 1};
			lengths[c] = i + c;
		}
		const struct term_postings t = {terms, 2, postings, 2 * chunks, lengths, chunks};
		struct hash clean = hash_bytes(span_of(name));
		int error;
		if (m->remove) {
			if (!is_removed(i))
				continue;
			error = store_remove_file(w, span_of(name), &orphan);
			if (error == 0)
				error = store_unindex_doc(w, orphan, &t);
		} else {
			error = store_put_doc(w, &clean, 2, span_of(name), span_of(word), chunks, span_of("t"), &id);
			file.doc = id;
			if (error == 0)
				error = store_put_file(w, span_of(name), &file, &orphan);
			if (error == 0)
				error = store_index_doc(w, id, &t);
			many_vectors(i, MODEL_DIMS, chunks, rows, scales, bits);
			if (error == 0)
				error = store_put_vectors(w, 1, id, rows, scales, bits, NULL);
			many_vectors(i, 128, chunks, rows, scales, bits);
			if (error == 0 && i >= SPARSE_FROM && i < SPARSE_TO)
				error = store_put_vectors(w, 2, id, rows, scales, bits, NULL);
		}
		if (error < 0)
			return error;
	}
	return 0;
}

static bool vectors_are_right(struct store_read *r, uint32_t space, uint32_t dims, uint32_t i, uint32_t base, uint32_t chunks,
                              bool there)
{
	uint8_t rows[MANY_CHUNKS * 128];
	float scales[MANY_CHUNKS];
	uint64_t bits[MANY_CHUNKS * 2];
	many_vectors(i, dims, chunks, rows, scales, bits);
	for (uint32_t c = 0; c < chunks; c++) {
		struct store_vectors v;
		uint32_t at = (base + c) % STORE_SEGMENT_CHUNKS;
		bool found =
		        store_vectors(r, space, (base + c) / STORE_SEGMENT_CHUNKS, &v) == 0 && at < v.count && !isnan(v.scales[at]);
		if (found != there)
			return false;
		if (found && (v.scales[at] != scales[c] || memcmp(v.rows + (size_t)at * dims, rows, dims) != 0 ||
		              memcmp(v.bits + (size_t)at * (dims / 64), bits + c * (dims / 64), dims / 8) != 0))
			return false;
	}
	return true;
}

static unsigned wrong_many(struct store_read *r)
{
	unsigned wrong = 0;
	uint32_t df[10] = {0};
	for (uint32_t i = 0; i < MANY; i++) {
		char name[32];
		struct store_doc d;
		struct span text;
		uint32_t id, chunks = 1 + i % MANY_CHUNKS;
		(void)snprintf(name, sizeof(name), "many-%u", i);
		struct hash clean = hash_bytes(span_of(name));
		int error = store_find_doc(r, &clean, 2, &id);
		if (is_removed(i)) {
			wrong += error != -ENOENT;
			continue;
		}
		df[i % 10] += chunks;
		wrong += error != 0 || store_get_doc(r, id, &d) != 0 || d.chunk_count != chunks ||
		         store_doc_text(r, id, &text) != 0 || !span_equal(text, span_of(name)) ||
		         store_doc_chunks(r, id, &text) != 0 || text.size != 7 ||
		         !vectors_are_right(r, 1, MODEL_DIMS, i, d.chunk_base, chunks, true) ||
		         !vectors_are_right(r, 2, 128, i, d.chunk_base, chunks, i >= SPARSE_FROM && i < SPARSE_TO);
	}
	for (uint32_t k = 0; k < 10; k++) {
		char word[32];
		struct store_cursor *c;
		struct store_block block;
		struct store_segment g;
		uint32_t live = 0;
		(void)snprintf(word, sizeof(word), "class-%u", k);
		if (store_cursor_open(r, span_of(word), &c) != 0)
			return wrong + 1000;
		while (store_cursor_next(c, &block) == 1)
			for (uint32_t j = 0; j < block.count; j++) {
				uint32_t at = block.chunks[j] % STORE_SEGMENT_CHUNKS;
				struct store_doc d = {0};
				wrong += store_segment(r, block.chunks[j] / STORE_SEGMENT_CHUNKS, &g) != 0 ||
				         !(g.live[at / 64] >> (at % 64) & 1) || store_get_doc(r, g.docs[at], &d) != 0 ||
				         block.counts[j] != 1 + block.chunks[j] - d.chunk_base;
				live++;
			}
		store_cursor_close(c);
		wrong += live != df[k];
	}
	return wrong;
}

static int two_spaces(struct store_write *w, void *context)
{
	uint32_t number;
	struct hash one = hash_bytes(span_of("one")), two = hash_bytes(span_of("two"));
	(void)context;
	int error = store_put_space(w, &one, span_of("one"), MODEL_DIMS, &number);
	return error < 0 ? error : store_put_space(w, &two, span_of("two"), 128, &number);
}

static void collect_many(void)
{
	char folder[256];
	struct store_read *r;
	struct store_index_stats stats;
	int dropped = 0;
	model_folder(folder);
	struct store *s = open_store(folder, 0, "r", NULL);
	if (!CHECK(s && model_call(s, two_spaces, NULL) == 0))
		return;
	CHECK(model_call(s, put_many, &(struct many){0, MANY / 2, false}) == 0);
	CHECK(model_call(s, put_many, &(struct many){MANY / 2, MANY, false}) == 0);
	CHECK(model_call(s, put_many, &(struct many){0, MANY, true}) == 0);
	CHECK(model_call(s, run_collect, &dropped) == 0 && dropped == 1);
	CHECK(store_read_begin(s, &r) == 0 && store_index_stats(r, &stats) == 0);
	CHECK(stats.chunk_limit == stats.live_chunks && stats.chunk_limit > STORE_SEGMENT_CHUNKS);
	unsigned wrong = wrong_many(r);
	CHECK_NAMED(wrong == 0, "what a collection leaves is right (%u wrong)", wrong);
	store_read_end(r);
	CHECK(model_call(s, put_many, &(struct many){0, MANY, false}) == 0);
	CHECK(model_call(s, put_many, &(struct many){0, MANY, true}) == 0);
	CHECK(store_read_begin(s, &r) == 0);
	store_read_end(r);
	CHECK(model_call(s, run_collect, &dropped) == 0 && dropped == 1);
	store_close(s);
	s = open_store(folder, 0, "r", NULL);
	if (CHECK(s != NULL && store_read_begin(s, &r) == 0)) {
		wrong = wrong_many(r);
		CHECK_NAMED(wrong == 0 && !store_damaged(s), "and after a second one, opened again (%u wrong)", wrong);
		store_read_end(r);
		store_close(s);
	}
	model_remove(folder);
}

int main(void)
{
	random_operations();
	collect_many();
	return tap_done();
}
