/* corpusfs eval: asks every query of a judged set, measures the rankings, and compares them with a baseline. This is how the probabilistic half is kept
 * in check: a change of model, chunker or corpus that makes answers worse is seen, and can fail a build. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/ask.h"
#include "cli/judgements.h"
#include "cli/measures.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/where.h"
#include "corpusfs.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MODES = 3, MAX_FILE_BYTES = 256 << 20, LOSSES_SHOWN = 10, DEPTH = 100 };

static const char *const mode_names[MODES] = {"hybrid", "keyword", "vector"};

struct run {
	const char *mode;
	double *values[MEASURE_COUNT]; /* one a query that has relevant documents */
};

struct evaluation {
	const struct config *config;
	struct where where;
	struct corpus *corpus; /* NULL: through the mount */
	struct judged_queries queries;
	size_t *asked; /* indexes of the queries that count */
	size_t count;
};

/* --- one query ----------------------------------------------------------------------------------------------------- */

/* A ranking of documents: the first chunk of each decides its place, and a document counts once under whatever path. */
struct ranking {
	const struct judged_query *query;
	int gains[DEPTH];
	size_t count;
	bool *seen; /* by judgement */
};

static void add_document(void *context, const char *path)
{
	struct ranking *r = context;
	size_t index;
	int gain = judgements_gain(r->query, path, &index);
	if (r->count == DEPTH || (index != SIZE_MAX && r->seen[index]))
		return;
	if (index != SIZE_MAX)
		r->seen[index] = true;
	r->gains[r->count++] = gain;
}

static int rank_in_process(struct evaluation *e, const char *mode, struct ranking *r)
{
	char option[32], error[256];
	struct corpus_query *q;
	struct corpus_results *results = NULL;
	int result = corpus_query_new(&q);
	if (result < 0)
		return result;
	(void)snprintf(option, sizeof(option), "@mode=%s", mode);
	result = corpus_query_option(q, option, error, sizeof(error));
	(void)snprintf(option, sizeof(option), "@k=%d", DEPTH);
	if (result == 0)
		result = corpus_query_option(q, option, error, sizeof(error));
	if (result == 0)
		result = corpus_query_option(q, "@per=1", error, sizeof(error));
	if (result == 0)
		result = corpus_query_text(q, r->query->text, strlen(r->query->text));
	if (result == 0)
		result = ask_corpus(e->corpus, q, &results);
	for (uint32_t i = 0; result == 0 && i < corpus_results_count(results); i++)
		add_document(r, corpus_results_hit(results, i)->path);
	corpus_results_unref(results);
	corpus_query_free(q);
	return result;
}

static int rank_through_mount(struct evaluation *e, const char *mode, struct ranking *r)
{
	struct buf path, text;
	buf_init(&path, 2 * PATH_MAX);
	buf_init(&text, LIMIT_JSON_BYTES);
	buf_addf(&path, "%s/search/@mode=%s/@k=%d/@per=1/", e->where.mountpoint, mode, DEPTH);
	ask_add_query(&path, r->query->text);
	buf_add_string(&path, "/.results.jsonl");
	int result = buf_error(&path);
	if (result == 0)
		result = out_read_file(path.data, &text);
	if (result == 0)
		result = report_each_path(buf_span(&text), add_document, r);
	buf_release(&path);
	buf_release(&text);
	return result;
}

static int compare_falling(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return (x < y) - (x > y);
}

static int measure_query(struct evaluation *e, const char *mode, const struct judged_query *q, double ret[MEASURE_COUNT])
{
	struct ranking r = {.query = q};
	int *CLEANUP_FREE ideal = calloc(q->count + 1, sizeof(*ideal));
	bool *CLEANUP_FREE seen = calloc(q->count + 1, sizeof(*seen));
	if (!ideal || !seen)
		return -ENOMEM;
	r.seen = seen;
	int result = e->corpus ? rank_in_process(e, mode, &r) : rank_through_mount(e, mode, &r);
	if (result < 0)
		return result;
	size_t relevant = 0;
	for (size_t i = 0; i < q->count; i++)
		if (q->judgements[i].gain > 0)
			ideal[relevant++] = q->judgements[i].gain;
	qsort(ideal, relevant, sizeof(*ideal), compare_falling);
	measures_of_query(r.gains, r.count, ideal, relevant, ret);
	return 0;
}

/* --- a run --------------------------------------------------------------------------------------------------------- */

static void run_release(struct run *run)
{
	for (int m = 0; m < MEASURE_COUNT; m++)
		free(run->values[m]);
}

static int run_queries(struct evaluation *e, struct run *run)
{
	for (int m = 0; m < MEASURE_COUNT; m++) {
		run->values[m] = calloc(e->count + 1, sizeof(double));
		if (!run->values[m])
			return -ENOMEM;
	}
	for (size_t i = 0; i < e->count; i++) {
		const struct judged_query *q = &e->queries.queries[e->asked[i]];
		double values[MEASURE_COUNT];
		int r = measure_query(e, run->mode, q, values);
		if (r < 0) {
			out_error("query %s: %s", q->id, strerror(-r));
			return r;
		}
		for (int m = 0; m < MEASURE_COUNT; m++)
			run->values[m][i] = values[m];
	}
	return 0;
}

static void print_run(const struct evaluation *e, const struct run *run)
{
	(void)printf("%-8s", run->mode);
	for (int m = 0; m < MEASURE_COUNT; m++) {
		double low, high;
		measure_interval(run->values[m], e->count, &low, &high);
		(void)printf("  %.4f [%.4f %.4f]", measure_mean(run->values[m], e->count), low, high);
	}
	(void)putchar('\n');
}

static void print_table(const struct evaluation *e, const struct run *runs, size_t count)
{
	char text[OUT_COUNT_TEXT];
	(void)printf("%s judged; means with 95 %% bootstrap intervals\n%-8s", out_count(e->count, "query", "queries", text), "mode");
	for (int m = 0; m < MEASURE_COUNT; m++)
		(void)printf("  %-22s", measure_name((enum measure)m));
	(void)putchar('\n');
	for (size_t i = 0; i < count; i++)
		print_run(e, &runs[i]);
}

/* The file that --save writes and --baseline reads. */
static void run_json(const struct evaluation *e, const struct run *run, struct buf *out)
{
	struct jsonw j;
	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_key(&j, "mode");
	jsonw_string(&j, run->mode);
	jsonw_key(&j, "mean");
	jsonw_object(&j);
	for (int m = 0; m < MEASURE_COUNT; m++) {
		jsonw_key(&j, measure_name((enum measure)m));
		jsonw_float(&j, measure_mean(run->values[m], e->count));
	}
	jsonw_object_end(&j);
	jsonw_key(&j, "queries");
	jsonw_object(&j);
	for (size_t i = 0; i < e->count; i++) {
		jsonw_key(&j, e->queries.queries[e->asked[i]].id);
		jsonw_array(&j);
		for (int m = 0; m < MEASURE_COUNT; m++)
			jsonw_float(&j, run->values[m][i]);
		jsonw_array_end(&j);
	}
	jsonw_object_end(&j);
	jsonw_object_end(&j);
	buf_add_char(out, '\n');
}

static int save_run(const struct evaluation *e, const struct run *run, const char *path)
{
	struct buf text;
	buf_init(&text, LIMIT_JSON_BYTES);
	run_json(e, run, &text);
	int r = buf_error(&text);
	int CLEANUP_FD fd = r ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (r == 0 && (fd < 0 || write(fd, text.data, text.size) != (ssize_t)text.size))
		r = -errno;
	buf_release(&text);
	if (r < 0)
		out_error("%s: %s", path, strerror(-r));
	return r;
}

/* --- against a baseline -------------------------------------------------------------------------------------------- */

struct loss {
	size_t query; /* index into asked */
	double before, after;
};

static int compare_losses(const void *a, const void *b)
{
	const struct loss *x = a, *y = b;
	double dx = x->before - x->after, dy = y->before - y->after;
	return dx != dy ? (dx < dy) - (dx > dy) : (x->query > y->query) - (x->query < y->query);
}

static void print_losses(const struct evaluation *e, struct loss *losses, size_t count)
{
	qsort(losses, count, sizeof(*losses), compare_losses);
	if (count)
		(void)printf("worse, by ndcg@10%s\n", count > LOSSES_SHOWN ? " (the worst)" : "");
	for (size_t i = 0; i < count && i < LOSSES_SHOWN; i++) {
		const struct judged_query *q = &e->queries.queries[e->asked[losses[i].query]];
		(void)printf("  %.4f -> %.4f  %s  ", losses[i].before, losses[i].after, q->id);
		out_clean(stdout, q->text, strlen(q->text));
		(void)putchar('\n');
	}
}

/* 1 when nDCG@10 fell by more than the tolerance or by so much that chance does not explain it, else 0, or -errno with one line printed. */
static int compare_with_baseline(const struct evaluation *e, const struct run *run, const char *path)
{
	struct buf text;
	buf_init(&text, LIMIT_JSON_BYTES);
	struct loss *CLEANUP_FREE losses = calloc(e->count + 1, sizeof(*losses));
	double *CLEANUP_FREE before = calloc(e->count + 1, sizeof(*before)), *CLEANUP_FREE after = calloc(e->count + 1, sizeof(*after));
	if (!losses || !before || !after)
		return -ENOMEM;
	int r = out_read_file(path, &text);
	if (r < 0) {
		out_error("%s: %s; --save writes one", path, strerror(-r));
		return r;
	}
	struct report_baseline *baseline = NULL;
	r = report_baseline_open(buf_span(&text), &baseline);
	size_t common = 0, lost = 0;
	for (size_t i = 0; r == 0 && i < e->count; i++) {
		double value;
		r = report_baseline_value(baseline, e->queries.queries[e->asked[i]].id, &value);
		if (r == -ENOENT) {
			r = 0;
			continue;
		}
		if (r < 0)
			break;
		before[common] = value;
		after[common] = run->values[MEASURE_NDCG10][i];
		if (after[common] < value - 1e-6)
			losses[lost++] = (struct loss){i, value, after[common]};
		common++;
	}
	report_baseline_close(baseline);
	buf_release(&text);
	if (r < 0 || common == 0) {
		out_error("%s: %s", path, r < 0 ? "is not a file that --save wrote" : "has no query of this set");
		return r < 0 ? r : -EINVAL;
	}
	double difference = measure_mean(after, common) - measure_mean(before, common), p = measure_p_value(after, before, common);
	(void)printf("baseline %s: ndcg@10 %.4f -> %.4f, difference %+.4f, p = %.4f (paired randomisation, %zu queries)\n", path,
		     measure_mean(before, common), measure_mean(after, common), difference, p, common);
	print_losses(e, losses, lost);
	return difference < -0.01 || (difference < 0 && p < 0.05);
}

/* --- the verb ------------------------------------------------------------------------------------------------------ */

static int read_input(const char *path, struct buf *text)
{
	buf_init(text, MAX_FILE_BYTES);
	int r = out_read_file(path, text);
	if (r < 0)
		out_error("%s: %s", path, strerror(-r));
	return r;
}

static int read_judgements(struct evaluation *e)
{
	struct buf queries, qrels;
	struct err err = {{0}};
	buf_init(&qrels, 0);
	int r = read_input(e->config->arguments[1], &queries);
	if (r == 0)
		r = read_input(e->config->arguments[2], &qrels);
	if (r == 0) {
		r = judgements_parse_queries(buf_span(&queries), e->config->arguments[1], &e->queries, &err);
		if (r == 0)
			r = judgements_parse_qrels(buf_span(&qrels), e->config->arguments[2], &e->queries, &err);
		if (r < 0)
			out_error("%s", *err.text ? err.text : strerror(-r));
	}
	buf_release(&queries);
	buf_release(&qrels);
	return r;
}

static bool has_relevant(const struct judged_query *q)
{
	for (size_t i = 0; i < q->count; i++)
		if (q->judgements[i].gain > 0)
			return true;
	return false;
}

/* Some judged sets hold whole abstracts as queries: what is over the limit of a query is cut off, between characters. */
static void cut_long_queries(struct evaluation *e)
{
	size_t cut = 0;
	for (size_t i = 0; i < e->queries.count; i++) {
		char *text = e->queries.queries[i].text;
		size_t n = strlen(text);
		if (n <= LIMIT_QUERY_BYTES)
			continue;
		for (n = LIMIT_QUERY_BYTES; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
			;
		text[n] = '\0';
		cut++;
	}
	if (cut)
		out_error("%s: %zu queries are longer than %zu bytes and were cut", e->config->arguments[1], cut, LIMIT_QUERY_BYTES);
}

/* Queries without a relevant document say nothing and are left out, as trec_eval's users do. */
static int choose_queries(struct evaluation *e)
{
	e->asked = calloc(e->queries.count + 1, sizeof(*e->asked));
	if (!e->asked)
		return -ENOMEM;
	for (size_t i = 0; i < e->queries.count; i++)
		if (has_relevant(&e->queries.queries[i]))
			e->asked[e->count++] = i;
	if (e->count)
		return 0;
	out_error("%s: no query of %s has a relevant document here", e->config->arguments[2], e->config->arguments[1]);
	return -EINVAL;
}

static int open_where(struct evaluation *e)
{
	int r = where_find_source(e->config->arguments[0], e->config, &e->where);
	if (r < 0 || *e->where.mountpoint)
		return r;
	bool owned = false;
	r = open_source(e->config, e->where.source, OPEN_OR_READ, &e->corpus, &owned);
	return r == 0 && owned ? open_index(e->corpus, NULL) : r;
}

static const char *chosen_mode(const struct config *config)
{
	const char *mode = mode_names[0];
	for (size_t i = 0; i < config->query_option_count; i++)
		if (strncmp(config->query_options[i], "@mode=", 6) == 0)
			mode = config->query_options[i] + 6;
	return mode;
}

static bool is_mode(const char *name)
{
	for (size_t i = 0; i < MODES; i++)
		if (strcmp(mode_names[i], name) == 0)
			return true;
	return false;
}

static enum exit_code evaluate(struct evaluation *e)
{
	struct run runs[MODES] = {{.mode = chosen_mode(e->config)}};
	size_t count = 1;
	if (!is_mode(runs[0].mode)) {
		out_error("--mode=%s: wants hybrid, keyword or vector", runs[0].mode);
		return EXIT_ERROR;
	}
	for (size_t i = 0; i < MODES && e->config->modes; i++)
		if (strcmp(mode_names[i], runs[0].mode) != 0)
			runs[count++].mode = mode_names[i];
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = run_queries(e, &runs[i]);
	struct buf text;
	buf_init(&text, LIMIT_JSON_BYTES);
	if (r == 0 && e->config->json) {
		for (size_t i = 0; i < count; i++)
			run_json(e, &runs[i], &text);
		(void)fwrite(buf_span(&text).data, 1, text.size, stdout);
	} else if (r == 0) {
		print_table(e, runs, count);
	}
	if (r == 0 && e->config->save)
		r = save_run(e, &runs[0], e->config->save);
	if (r == 0 && e->config->baseline)
		r = compare_with_baseline(e, &runs[0], e->config->baseline);
	buf_release(&text);
	for (size_t i = 0; i < count; i++)
		run_release(&runs[i]);
	return r < 0 ? EXIT_ERROR : r > 0 ? EXIT_NOTHING : EXIT_FINE;
}

enum exit_code cmd_eval(const struct config *config)
{
	struct evaluation e = {.config = config};
	enum exit_code code = EXIT_ERROR;
	if (read_judgements(&e) == 0 && choose_queries(&e) == 0 && open_where(&e) == 0) {
		cut_long_queries(&e);
		code = evaluate(&e);
	}
	corpus_close(e.corpus);
	judgements_release(&e.queries);
	free(e.asked);
	return code;
}
