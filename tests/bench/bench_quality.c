/* Retrieval quality of the library on judged sets: nDCG@10 of each, by documents, a document standing where its best chunk does.
 *
 *     bench_quality [--words N] SET...
 *
 * A set is a folder with docs/<id>.txt, queries.tsv (id, text) and qrels.tsv (query, document, gain). Documents are cut into pieces of
 * N words (default 120, 0: whole). Prints one "set <TAB> mode <TAB> nDCG@10 * 100 <TAB> queries" a line, then the means. */
#include "base/buf.h"
#include "base/limits.h"
#include "search/search.h"
#include "token/words.h"

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
	struct span pieces[PIECES_MAX];
	uint32_t piece_count;
	uint32_t doc; /* in the store */
};

struct set {
	const char *folder;
	struct store *store;
	struct words *words;
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

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Pieces of `words` words; a rest of less than a whole piece stays with the last. */
static void cut(struct document *d, uint32_t words)
{
	const char *text = d->text.data;
	size_t size = d->text.size - 1, at = 0;
	while (words && at < size && d->piece_count < PIECES_MAX - 1) {
		size_t first = at;
		for (uint32_t i = 0; i < words && at < size; i++) {
			while (at < size && is_blank(text[at]))
				at++;
			while (at < size && !is_blank(text[at]))
				at++;
		}
		if (at >= size && d->piece_count)
			d->pieces[d->piece_count - 1].size += size - first;
		else
			d->pieces[d->piece_count++] = (struct span){text + first, at - first};
	}
	if (!d->piece_count || (at < size && d->piece_count == PIECES_MAX - 1))
		d->pieces[d->piece_count++] = (struct span){text + at, size - at};
}

static void load_documents(struct set *set, uint32_t words)
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
		cut(d, words);
		set->documents[set->count++] = d;
	}
	(void)closedir(folder);
}

struct task {
	struct store_op op;
	struct set *set;
	struct document *document;
};

static int put_document(struct store_write *w, struct store_op *op)
{
	struct task *t = (struct task *)op;
	struct document *d = t->document;
	struct span text = {d->text.data, d->text.size - 1};
	/* The id is part of the identity, because a set may judge two equal texts apart. */
	struct hash clean = hash_parts((struct span[]){span_of(d->id), text}, 2);
	const struct term_postings *terms;
	int result = store_put_doc(w, &clean, 0, text, span_of("-"), d->piece_count, span_of(d->id), &d->doc);
	if (!result)
		result = words_of_chunks(t->set->words, d->pieces, d->piece_count, &terms);
	return result ? result : store_index_doc(w, d->doc, terms);
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
		tasks[i] = (struct task){.op = {.run = put_document, .done = task_done, .bytes = 4000}, .set = set, .document = set->documents[i]};
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
	struct search_request request = {.mode = mode, .text = text, .keyword_weight = .6f, .limit = RANKS, .per_document = 1, .min_score = -INFINITY};
	struct search_results results;
	struct store_read *r;
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

static double measure_set(const char *folder, uint32_t words)
{
	struct set set = {.folder = folder};
	char directory[] = "/tmp/bench_qualityXXXXXX", path[4096], reset[256];
	struct err err;
	if (!mkdtemp(directory) || words_new(&set.words))
		die("cannot begin", folder);
	struct store_options options = {.directory = directory, .mode = STORE_WRITE};
	if (store_open(&options, &set.store, reset, &err))
		die(err.text, directory);
	load_documents(&set, words);
	index_set(&set);
	(void)snprintf(path, sizeof(path), "%s/queries.tsv", folder);
	read_file(path, &set.queries);
	(void)snprintf(path, sizeof(path), "%s/qrels.tsv", folder);
	read_file(path, &set.judgements);
	double score = measure(&set, SEARCH_KEYWORD, "keyword");
	store_close(set.store);
	words_free(set.words);
	for (uint32_t i = 0; i < set.count; i++) {
		buf_release(&set.documents[i]->text);
		free(set.documents[i]->id);
		free(set.documents[i]);
	}
	free(set.documents);
	buf_release(&set.queries);
	buf_release(&set.judgements);
	(void)nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return score;
}

int main(int argc, char **argv)
{
	uint32_t words = 120;
	int first = 1, sets = 0;
	if (argc > 2 && strcmp(argv[1], "--words") == 0) {
		words = (uint32_t)strtoul(argv[2], NULL, 10);
		first = 3;
	}
	double sum = 0;
	for (int i = first; i < argc; i++, sets++)
		sum += measure_set(argv[i], words);
	if (sets)
		printf("mean\tkeyword\t%.2f\t%d\n", sum / sets, sets);
	return sets ? 0 : 2;
}
