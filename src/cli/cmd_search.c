/* corpusfs search: asks the mount that has the source, or the library itself, and prints what was found as grep prints lines. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "cli/ask.h"
#include "cli/excerpt.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/where.h"
#include "corpusfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

struct question {
	const struct config *config;
	struct where where;
	struct buf text;    /* the query's words */
	struct buf folder;  /* "@in=..." or empty: --in and the folder that WHERE names */
	struct excerpt_words words; /* they point into `text` and `explanation` */
	struct report_explanation explanation;
	bool colour;
	bool terminal;
};

/* --- printing ------------------------------------------------------------------------------------------------------ */

/* grep's colours. */
#define COLOUR_PATH "\033[35m"
#define COLOUR_LINE "\033[32m"
#define COLOUR_SCORE "\033[36m"
#define COLOUR_MATCH "\033[1;31m"
#define COLOUR_OFF "\033[m"

static void print_coloured(const struct question *q, const char *colour, const char *text, size_t size)
{
	if (q->colour)
		(void)fputs(colour, stdout);
	if (q->terminal)
		out_clean(stdout, text, size);
	else
		(void)fwrite(text, 1, size, stdout);
	if (q->colour)
		(void)fputs(COLOUR_OFF, stdout);
}

static void print_marked(const struct question *q, struct span line)
{
	size_t plain = 0;
	for (size_t at = 0; at < line.size;) {
		size_t match = excerpt_match(line, at, &q->words);
		if (match > 0) {
			out_clean(stdout, line.data + plain, at - plain);
			print_coloured(q, COLOUR_MATCH, line.data + at, match);
			plain = at += match;
		} else {
			at++;
		}
	}
	out_clean(stdout, line.data + plain, line.size - plain);
}

/* A paragraph is one line in clean text; a terminal shows the part of it around the first word of the query. */
static struct span clip_line(const struct question *q, struct span line, unsigned columns)
{
	size_t match = 0, start = 0;
	while (match < line.size && !excerpt_match(line, match, &q->words))
		match++;
	if (match < line.size && out_columns(line.data, match) > columns * 3 / 4) {
		start = match > columns / 4 ? match - columns / 4 : 1;
		while (start < match && line.data[start - 1] != ' ')
			start++;
	}
	return (struct span){line.data + start, out_fit(line.data + start, line.size - start, columns)};
}

static void print_hit(const struct question *q, const struct corpus_hit *hit)
{
	char text[64];
	print_coloured(q, COLOUR_PATH, hit->path, strlen(hit->path));
	(void)fputc(':', stdout);
	int size = snprintf(text, sizeof(text), "%u-%u", hit->line_first, hit->line_last);
	print_coloured(q, COLOUR_LINE, text, (size_t)size);
	(void)fputs(": ", stdout);
	size = snprintf(text, sizeof(text), "%.3f", (double)hit->score);
	print_coloured(q, COLOUR_SCORE, text, (size_t)size);
	if (hit->page)
		(void)printf("  page %u", hit->page);
	if (*hit->heading) {
		(void)fputs("  ", stdout);
		out_clean(stdout, hit->heading, strlen(hit->heading));
	}
	(void)fputc('\n', stdout);
	struct span lines[EXCERPT_LINES];
	size_t count = excerpt_lines((struct span){hit->text, hit->text_size}, &q->words, lines);
	for (size_t i = 0; i < count; i++) {
		(void)fputs("    ", stdout);
		print_marked(q, q->terminal ? clip_line(q, lines[i], config_width(stdout) - 5) : lines[i]);
		(void)fputc('\n', stdout);
	}
}

/* Before the hits are printed: which words were taken for typing errors, so that the others are marked in what was found. */
static void explain(struct question *q, struct span json)
{
	report_read_explanation(json, &q->explanation);
	for (unsigned i = 0; i < q->explanation.correction_count; i++) {
		const char *typed = q->explanation.corrections[i].typed, *searched = q->explanation.corrections[i].searched;
		out_error("searched for \"%s\" instead of \"%s\", which is in no document", searched, typed);
		for (size_t k = 0; k < q->words.count; k++)
			if (span_equal(q->words.words[k], span_of(typed)))
				q->words.words[k] = span_of(searched);
	}
	if (q->explanation.degraded)
		out_error("the search is degraded: a part of the index was not available; `corpusfs status` tells more");
}

/* --- through a mount ----------------------------------------------------------------------------------------------- */

/* "@k=5/@in=handbook/parental leave" */
static void build_search_path(const struct question *q, struct buf *path)
{
	for (size_t i = 0; i < q->config->query_option_count; i++) {
		if (q->folder.size > 0 && strncmp(q->config->query_options[i], "@in=", 4) == 0)
			continue;
		ask_add_component(path, q->config->query_options[i]);
		buf_add_char(path, '/');
	}
	if (q->folder.size > 0) {
		ask_add_component(path, q->folder.data);
		buf_add_char(path, '/');
	}
	ask_add_query(path, buf_span(&q->text).data);
}

static int read_attribute(int fd, const char *name, char *value, size_t size)
{
	ssize_t n = fgetxattr(fd, name, value, size - 1);
	value[n < 0 ? 0 : n] = '\0';
	return n < 0 ? -errno : 0;
}

/* Everything about a result but its text stands in its extended attributes. */
static int print_result_file(const struct question *q, int folder, const char *name)
{
	char path[PATH_MAX + 1], score[64], lines[64], page[32], heading[4096];
	int CLEANUP_FD fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = read_attribute(fd, "user.corpusfs.path", path, sizeof(path));
	if (r < 0)
		return r;
	(void)read_attribute(fd, "user.corpusfs.score", score, sizeof(score));
	(void)read_attribute(fd, "user.corpusfs.lines", lines, sizeof(lines));
	(void)read_attribute(fd, "user.corpusfs.page", page, sizeof(page));
	(void)read_attribute(fd, "user.corpusfs.heading", heading, sizeof(heading));
	struct buf text;
	buf_init(&text, LIMIT_CLEAN_BYTES);
	r = out_read_fd(fd, &text);
	if (r == 0) {
		char *dash = NULL;
		struct corpus_hit hit = {.path = path, .score = strtof(score, NULL), .page = (uint32_t)strtoul(page, NULL, 10), .heading = heading};
		hit.line_first = (uint32_t)strtoul(lines, &dash, 10);
		hit.line_last = *dash == '-' ? (uint32_t)strtoul(dash + 1, NULL, 10) : hit.line_first;
		hit.text = text.data ? text.data : "";
		hit.text_size = text.size;
		print_hit(q, &hit);
	}
	buf_release(&text);
	return r;
}

static int by_rank(const struct dirent **a, const struct dirent **b)
{
	unsigned long first = strtoul((*a)->d_name, NULL, 10), second = strtoul((*b)->d_name, NULL, 10);
	return first < second ? -1 : first > second;
}

static int is_result(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Returns how many results there are, or -errno. */
static int print_result_folder(const struct question *q, int folder)
{
	struct dirent **entries = NULL;
	int count = scandirat(folder, ".", &entries, is_result, by_rank), r = count < 0 ? -errno : count;
	for (int i = 0; i < count; i++) {
		int printed = r >= 0 ? print_result_file(q, folder, entries[i]->d_name) : 0;
		if (printed < 0)
			r = printed;
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int print_result_json(int folder)
{
	struct buf text;
	buf_init(&text, LIMIT_JSON_BYTES);
	int CLEANUP_FD fd = openat(folder, ".results.jsonl", O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : out_read_fd(fd, &text);
	if (r == 0 && text.size > 0)
		r = fwrite(text.data, 1, text.size, stdout) > 0;
	buf_release(&text);
	return r;
}

static void explain_folder(struct question *q, int folder)
{
	struct buf text;
	buf_init(&text, LIMIT_JSON_BYTES);
	int CLEANUP_FD fd = openat(folder, ".explain.json", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && out_read_fd(fd, &text) == 0)
		explain(q, buf_span(&text));
	buf_release(&text);
}

static enum exit_code search_mount(struct question *q)
{
	char top[PATH_MAX + 8];
	(void)snprintf(top, sizeof(top), "%s/search", q->where.mountpoint);
	struct buf path;
	buf_init(&path, PATH_MAX);
	build_search_path(q, &path);
	int CLEANUP_FD search = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int CLEANUP_FD folder = search < 0 ? -1 : openat(search, buf_error(&path) ? "" : path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0)
		explain_folder(q, folder);
	int r = folder < 0 ? (buf_error(&path) ? -ENAMETOOLONG : -errno) : q->config->json ? print_result_json(folder) : print_result_folder(q, folder);
	buf_release(&path);
	if (r < 0) {
		where_explain(top, -r);
		return EXIT_ERROR;
	}
	return r > 0 ? EXIT_FINE : EXIT_NOTHING;
}

/* --- in this process ----------------------------------------------------------------------------------------------- */

static int print_results(const struct question *q, struct corpus_results *results)
{
	uint32_t count = corpus_results_count(results);
	if (!q->config->json) {
		for (uint32_t i = 0; i < count; i++)
			print_hit(q, corpus_results_hit(results, i));
		return 0;
	}
	struct corpus_blob *blob = NULL;
	int r = corpus_results_blob(results, CORPUS_RESULTS_JSONL, &blob);
	if (r < 0)
		return r;
	(void)fwrite(corpus_blob_data(blob), 1, corpus_blob_size(blob), stdout);
	corpus_blob_unref(blob);
	return 0;
}

static void explain_results(struct question *q, struct corpus_results *results)
{
	struct corpus_blob *blob = NULL;
	if (corpus_results_blob(results, CORPUS_EXPLAIN_JSON, &blob) < 0)
		return;
	explain(q, (struct span){corpus_blob_data(blob), corpus_blob_size(blob)});
	corpus_blob_unref(blob);
}

static enum exit_code search_corpus(struct question *q, struct corpus *corpus, const struct corpus_query *query)
{
	struct corpus_results *results = NULL;
	int r = ask_corpus(corpus, query, &results);
	if (r == 0) {
		explain_results(q, results);
		r = print_results(q, results);
	}
	enum exit_code code = r < 0 ? EXIT_ERROR : corpus_results_count(results) > 0 ? EXIT_FINE : EXIT_NOTHING;
	if (r < 0)
		out_error("%s: the search failed: %s", q->where.source, strerror(-r));
	corpus_results_unref(results);
	return code;
}

static enum exit_code search_source(struct question *q, const struct corpus_query *query)
{
	struct corpus *corpus = NULL;
	bool owned = false;
	if (open_source(q->config, q->where.source, OPEN_OR_READ, &corpus, &owned) < 0)
		return EXIT_ERROR;
	struct corpus_index_summary summary;
	enum exit_code code = EXIT_FINE;
	if (owned)
		code = open_index(corpus, &summary) < 0 ? EXIT_ERROR : EXIT_FINE;
	if (code == EXIT_FINE)
		code = search_corpus(q, corpus, query);
	corpus_close(corpus);
	return code;
}

/* --- the question -------------------------------------------------------------------------------------------------- */

static int set_query_option(struct corpus_query *query, const char *option)
{
	char error[512] = "";
	int r = corpus_query_option(query, option, error, sizeof(error));
	if (r < 0)
		out_error("--%s: %s", option + 1, r == -EINVAL ? error : strerror(-r));
	return r;
}

/* Both ways of asking check the options and the text here, with the library's own words. */
static int build_query(const struct question *q, struct corpus_query **ret)
{
	int r = corpus_query_new(ret);
	if (r < 0)
		out_error("out of memory");
	for (size_t i = 0; r == 0 && i < q->config->query_option_count; i++)
		if (q->folder.size == 0 || strncmp(q->config->query_options[i], "@in=", 4) != 0)
			r = set_query_option(*ret, q->config->query_options[i]);
	if (r == 0 && q->folder.size > 0)
		r = set_query_option(*ret, q->folder.data);
	if (r < 0)
		return r;
	struct span text = buf_span(&q->text);
	r = corpus_query_text(*ret, text.data, text.size);
	if (r == -ENAMETOOLONG)
		out_error("the query is too long: at most %zu bytes", LIMIT_QUERY_BYTES);
	else if (r < 0)
		out_error("the query is empty; give some words");
	return r;
}

/* A folder's name may hold what means something in a glob. */
static void add_escaped(struct buf *out, const char *name)
{
	for (; *name; name++) {
		if (strchr("*?[\\", *name))
			buf_add_char(out, '\\');
		buf_add_char(out, *name);
	}
}

/* --in is relative to the folder that WHERE names, so the two become one option. */
static void build_folder(struct question *q)
{
	const char *inside = q->where.inside, *in = NULL;
	for (size_t i = 0; i < q->config->query_option_count; i++)
		if (strncmp(q->config->query_options[i], "@in=", 4) == 0)
			in = q->config->query_options[i] + 4;
	bool literal = !strpbrk(inside, "*?[\\");
	if (!*inside)
		return;
	buf_add_string(&q->folder, "@in=");
	if (literal)
		buf_add_string(&q->folder, inside);
	else
		add_escaped(&q->folder, inside);
	if (in)
		buf_addf(&q->folder, "/%s", in);
	else if (!literal)
		buf_add_string(&q->folder, "/*");
}

static int build_question(struct question *q)
{
	const struct config *config = q->config;
	for (int i = 1; i < config->argument_count; i++) {
		if (i > 1)
			buf_add_char(&q->text, ' ');
		buf_add_string(&q->text, config->arguments[i]);
	}
	build_folder(q);
	int r = buf_error(&q->text) ? buf_error(&q->text) : buf_error(&q->folder);
	if (r < 0) {
		out_error("the query is too long: at most %zu bytes", LIMIT_QUERY_BYTES);
		return r;
	}
	excerpt_split(buf_span(&q->text), &q->words);
	return 0;
}

enum exit_code cmd_search(const struct config *config)
{
	struct question q = {.config = config, .colour = config_colour(stdout), .terminal = isatty(STDOUT_FILENO) != 0};
	struct corpus_query *query = NULL;
	enum exit_code code = EXIT_ERROR;
	buf_init(&q.text, PATH_MAX);
	buf_init(&q.folder, PATH_MAX);
	if (where_find(config->arguments[0], config, &q.where) == 0 && build_question(&q) == 0 && build_query(&q, &query) == 0)
		code = *q.where.mountpoint ? search_mount(&q) : search_source(&q, query);
	corpus_query_free(query);
	buf_release(&q.text);
	buf_release(&q.folder);
	return code;
}
