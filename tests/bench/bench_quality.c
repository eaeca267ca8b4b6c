/* Retrieval quality of chunks, built-in model and ranking on judged sets, without mount or extraction: nDCG@10 of each, by documents, a
 * document standing where its best chunk does.
 *
 *     bench_quality [--whole] [--weight W] SET...
 *
 * A set is a folder with docs/<id>.txt, queries.tsv (id, text) and qrels.tsv (query, document, gain). --whole takes a document as one
 * chunk; --weight gives BM25 another share of the fusion. Prints "set <TAB> mode <TAB> nDCG@10 * 100 <TAB> queries", then means. */
#include "base/buf.h"
#include "base/limits.h"
#include "chunk/chunk.h"
#include "embed/embed.h"
#include "search/search.h"
#include "token/words.h"
#include "vec/vec.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RANKS = 10, PIECES_MAX = 512, GAINS_MAX = 10000 };

static void die(const char *what, const char *name)
{
	(void)fprintf(stderr, "bench_quality: %s: %s\n", name, what);
	exit(2);
}

struct document {
	char *id;
	struct buf text;
	struct buf list; /* packed */
	struct chunk_passages passages;
	uint32_t piece_count;
	float *vectors;
	uint32_t doc; /* in the store */
};

struct set {
	const char *folder;
	struct store *store;
	struct words *words;
	struct embedder *embedder;
	struct store_space space;
	float keyword_weight;
	struct document **documents;
	uint32_t count;
	struct buf queries, judgements;
};

static void read_file(const char *path, struct buf *out)
{
	char block[16384];
	size_t size;
	FILE *f = fopen(path, "rb");
	if (!f)
		die(strerror(errno), path);
	buf_init(out, (size_t)64 << 20);
	while ((size = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(out, block, size);
	buf_add_char(out, '\0');
	if (buf_error(out))
		die("too large", path);
	(void)fclose(f);
}

static void cut(struct document *d, bool whole)
{
	struct span text = {d->text.data, d->text.size - 1};
	struct chunk one = {0, (uint32_t)text.size, 1, 1, 0, 0};
	struct chunk_list all = {.chunks = &one, .count = 1}, *list = NULL;
	if (!whole && chunk_split(text, CHUNK_PLAIN, &chunk_default_recipe, &list))
		die("cannot be cut", d->id);
	if (list && list->count > PIECES_MAX)
		list->count = PIECES_MAX;
	const struct chunk_list *used = list && list->count ? list : &all;
	d->piece_count = (uint32_t)used->count;
	buf_init(&d->list, (size_t)1 << 24);
	if (chunk_passages_init(&d->passages, text, used) || chunk_list_pack(used, &d->list))
		die("out of memory", d->id);
	chunk_list_free(list);
}

static void load_documents(struct set *set, bool whole)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/docs", set->folder);
	DIR *folder = opendir(path);
	if (!folder)
		die(strerror(errno), path);
	for (struct dirent *e; (e = readdir(folder));) {
		char *dot = strrchr(e->d_name, '.');
		if (e->d_name[0] == '.' || !dot)
			continue;
		struct document *d = calloc(1, sizeof(*d));
		set->documents = realloc(set->documents, (set->count + 1) * sizeof(*set->documents));
		if (!d || !set->documents)
			die("out of memory", path);
		(void)snprintf(path, sizeof(path), "%s/docs/%s", set->folder, e->d_name);
		read_file(path, &d->text);
		d->id = strndup(e->d_name, (size_t)(dot - e->d_name));
		cut(d, whole);
		set->documents[set->count++] = d;
	}
	(void)closedir(folder);
}

struct task {
	struct store_op op;
	struct set *set;
	struct document *document;
};

static int put_vectors(struct store_write *w, const struct set *set, const struct document *d)
{
	uint32_t dims = set->space.dims;
	static uint8_t rows[PIECES_MAX * VEC_MAX_DIMS];
	static uint64_t bits[PIECES_MAX * VEC_MAX_DIMS / 64];
	float scales[PIECES_MAX];
	for (uint32_t i = 0; i < d->piece_count; i++) {
		const float *v = d->vectors + (size_t)i * dims;
		scales[i] = vec_quantise_row(v, dims, rows + (size_t)i * dims);
		vec_sign_bits(v, dims, SEARCH_BITS_SEED, bits + (size_t)i * dims / 64);
	}
	return store_put_vectors(w, set->space.number, d->doc, rows, scales, bits, NULL);
}

static int put_document(struct store_write *w, struct store_op *op)
{
	struct task *t = (struct task *)op;
	struct document *d = t->document;
	struct span text = {d->text.data, d->text.size - 1};
	/* The id is part of the identity, because a set may judge two equal texts apart. */
	struct hash clean = hash_parts((struct span[]){span_of(d->id), text}, 2);
	const struct term_postings *terms;
	struct store_space *space = &t->set->space;
	int result = space->number ? 0 : store_put_space(w, &space->fingerprint, span_of("static"), space->dims, &space->number);
	if (!result)
		result = store_put_doc(w, &clean, 0, text, buf_span(&d->list), d->piece_count, span_of(d->id), &d->doc);
	if (!result)
		result = words_of_chunks(t->set->words, d->passages.texts, d->piece_count, &terms);
	if (!result)
		result = store_index_doc(w, d->doc, terms);
	return result ? result : put_vectors(w, t->set, d);
}

static void task_done(struct store_op *op, int result)
{
	struct task *t = (struct task *)op;
	if (result)
		die(strerror(-result), t->document->id);
}

static void index_set(struct set *set)
{
	struct task *tasks = calloc(set->count + 1, sizeof(*tasks));
	if (!tasks)
		die("out of memory", set->folder);
	for (uint32_t i = 0; i < set->count; i++) {
		struct document *d = set->documents[i];
		struct err err;
		d->vectors = malloc(sizeof(float) * set->space.dims * d->piece_count);
		if (!d->vectors || embed_texts(set->embedder, EMBED_PASSAGE, d->passages.texts, d->piece_count, d->vectors, &err))
			die("cannot be embedded", d->id);
		tasks[i] = (struct task){.op = {.run = put_document, .done = task_done, .bytes = 4000}, .set = set, .document = d};
		store_submit(set->store, &tasks[i].op);
	}
	store_flush(set->store);
	free(tasks);
}

/* --- judging ------------------------------------------------------------------------------------------------------- */

/* The gain of a document for a query, or of all documents that have one, into `gains`. */
static uint32_t judged_gains(const struct set *set, const char *query, const char *document, int *gains)
{
	uint32_t count = 0;
	for (const char *line = set->judgements.data; *line;) {
		char q[64], d[64];
		int gain;
		if (sscanf(line, "%63s %63s %d", q, d, &gain) == 3 && gain > 0 && strcmp(q, query) == 0 && count < GAINS_MAX &&
		    (!document || strcmp(d, document) == 0))
			gains[count++] = gain;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return count;
}

static int compare_gains(const void *a, const void *b)
{
	return *(const int *)b - *(const int *)a;
}

static const char *id_of(const struct set *set, uint32_t doc)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (set->documents[i]->doc == doc)
			return set->documents[i]->id;
	return "";
}

/* nDCG@10 with linear gains (Järvelin and Kekäläinen 2002, as trec_eval's ndcg_cut); -1 for a query that nobody judged. */
static double judge(const struct set *set, const char *query, const struct search_results *results)
{
	static int gains[GAINS_MAX];
	uint32_t count = judged_gains(set, query, NULL, gains);
	double ideal = 0, found = 0;
	qsort(gains, count, sizeof(*gains), compare_gains);
	for (uint32_t i = 0; i < count && i < RANKS; i++)
		ideal += gains[i] / log2(i + 2);
	for (uint32_t i = 0; i < results->count && i < RANKS; i++) {
		int gain;
		if (judged_gains(set, query, id_of(set, results->hits[i].doc), &gain))
			found += gain / log2(i + 2);
	}
	return count ? found / ideal : -1;
}

static double ask(const struct set *set, struct searcher *s, enum search_mode mode, const char *query, struct span text)
{
	float vector[VEC_MAX_DIMS];
	struct search_request request = {.mode = mode,
					 .text = text,
					 .vector = vector,
					 .space = set->space,
					 .keyword_weight = set->keyword_weight,
					 .limit = RANKS,
					 .per_document = 1,
					 .min_score = -INFINITY};
	struct search_results results;
	struct store_read *r;
	struct err err;
	if (embed_texts(set->embedder, EMBED_QUERY, &text, 1, vector, &err))
		die(err.text, query);
	if (store_read_begin(set->store, &r) || search_run(s, r, &request, &results))
		die("a search failed", query);
	store_read_end(r);
	double score = judge(set, query, &results);
	search_results_release(&results);
	return score;
}

static double measure(const struct set *set, enum search_mode mode, const char *mode_name)
{
	struct searcher *s;
	double sum = 0;
	uint32_t count = 0;
	if (searcher_new(&s))
		die("out of memory", set->folder);
	for (const char *line = set->queries.data; *line;) {
		size_t size = strcspn(line, "\n"), id = strcspn(line, "\t");
		if (id < size) {
			char query[64];
			(void)snprintf(query, sizeof(query), "%.*s", (int)id, line);
			double score = ask(set, s, mode, query, (struct span){line + id + 1, size - id - 1});
			sum += score > 0 ? score : 0;
			count += score >= 0;
		}
		line += size + (line[size] == '\n');
	}
	searcher_free(s);
	const char *name = strrchr(set->folder, '/');
	printf("%s\t%s\t%.2f\t%u\n", name ? name + 1 : set->folder, mode_name, count ? 100 * sum / count : 0, count);
	return count ? 100 * sum / count : 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void measure_set(const char *folder, bool whole, float weight, double *sums)
{
	static const char *const modes[] = {[SEARCH_HYBRID] = "hybrid", [SEARCH_KEYWORD] = "keyword", [SEARCH_VECTOR] = "vector"};
	struct set set = {.folder = folder};
	char directory[] = "/tmp/bench_qualityXXXXXX", path[4096], reset[256];
	struct err err;
	if (!mkdtemp(directory) || words_new(&set.words) || embed_static_new(&set.embedder, &err))
		die("cannot begin", folder);
	const struct embed_space *space = embed_space(set.embedder);
	set.space = (struct store_space){.dims = space->dims, .fingerprint = space->fingerprint};
	set.keyword_weight = weight >= 0 ? weight : space->keyword_weight;
	struct store_options options = {.directory = directory, .mode = STORE_WRITE};
	if (store_open(&options, &set.store, reset, &err))
		die(err.text, directory);
	load_documents(&set, whole);
	index_set(&set);
	(void)snprintf(path, sizeof(path), "%s/queries.tsv", folder);
	read_file(path, &set.queries);
	(void)snprintf(path, sizeof(path), "%s/qrels.tsv", folder);
	read_file(path, &set.judgements);
	for (int mode = 0; mode < 3; mode++)
		sums[mode] += measure(&set, (enum search_mode)mode, modes[mode]);
	store_close(set.store);
	words_free(set.words);
	embedder_free(set.embedder);
	for (uint32_t i = 0; i < set.count; i++) {
		buf_release(&set.documents[i]->text);
		buf_release(&set.documents[i]->list);
		chunk_passages_release(&set.documents[i]->passages);
		free(set.documents[i]->vectors);
		free(set.documents[i]->id);
		free(set.documents[i]);
	}
	free(set.documents);
	buf_release(&set.queries);
	buf_release(&set.judgements);
	(void)nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
	bool whole = false;
	float weight = -1;
	double sums[3] = {0};
	int sets = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--whole") == 0)
			whole = true;
		else if (strcmp(argv[i], "--weight") == 0 && i + 1 < argc)
			weight = strtof(argv[++i], NULL);
		else
			measure_set(argv[i], whole, weight, sums), sets++;
	}
	if (!sets)
		die("no set given", "usage");
	printf("mean\thybrid\t%.2f\t%d\nmean\tkeyword\t%.2f\t%d\nmean\tvector\t%.2f\t%d\n", sums[SEARCH_HYBRID] / sets, sets,
	       sums[SEARCH_KEYWORD] / sets, sets, sums[SEARCH_VECTOR] / sets, sets);
	return 0;
}
