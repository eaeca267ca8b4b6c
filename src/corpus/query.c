/* A question and its options, as they stand in names on the mount and on the command line. */
#include "corpus_impl.h"

#include "base/utf8.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { DEFAULT_RESULTS = 10, DEFAULT_PER_DOCUMENT = 3, DEFAULT_BUDGET = 4000, MAX_BUDGET = 1000000 };

int corpus_query_new(struct corpus_query **ret)
{
	struct corpus_query *q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	buf_init(&q->text, 3 * LIMIT_QUERY_BYTES); /* an invalid byte becomes three */
	q->k = DEFAULT_RESULTS;
	q->per = DEFAULT_PER_DOCUMENT;
	q->budget = DEFAULT_BUDGET;
	q->min = -INFINITY;
	*ret = q;
	return 0;
}

void corpus_query_free(struct corpus_query *q)
{
	if (!q)
		return;
	for (unsigned i = 0; i < q->in_count; i++)
		free(q->in[i]);
	for (unsigned i = 0; i < q->type_count; i++)
		free(q->type[i]);
	buf_release(&q->text);
	free(q);
}

static int add_filter(char **list, unsigned *count, const char *value)
{
	char *copy = *count < QUERY_FILTERS ? strdup(value) : NULL;
	if (!copy)
		return *count < QUERY_FILTERS ? -ENOMEM : -EINVAL;
	list[(*count)++] = copy;
	return 0;
}

struct corpus_query *corpus_query_copy(const struct corpus_query *q)
{
	struct corpus_query *copy;
	if (corpus_query_new(&copy) < 0)
		return NULL;
	copy->mode = q->mode;
	copy->k = q->k;
	copy->per = q->per;
	copy->budget = q->budget;
	copy->min = q->min;
	copy->since = q->since;
	copy->as_link = q->as_link;
	buf_add_span(&copy->text, buf_span(&q->text));
	int r = buf_error(&copy->text);
	for (unsigned i = 0; i < q->in_count && r == 0; i++)
		r = add_filter(copy->in, &copy->in_count, q->in[i]);
	for (unsigned i = 0; i < q->type_count && r == 0; i++)
		r = add_filter(copy->type, &copy->type_count, q->type[i]);
	if (r == 0)
		return copy;
	corpus_query_free(copy);
	return NULL;
}

/* --- options ------------------------------------------------------------------------------------------------------- */

static int parse_count(const char *value, uint32_t least, uint32_t most, uint32_t *ret)
{
	char *end;
	if (value[0] < '0' || value[0] > '9')
		return -EINVAL;
	errno = 0;
	unsigned long n = strtoul(value, &end, 10);
	if (errno || *end || n < least || n > most)
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

static int set_k(struct corpus_query *q, const char *value)
{
	return parse_count(value, 1, LIMIT_RESULTS, &q->k);
}

static int set_per(struct corpus_query *q, const char *value)
{
	return parse_count(value, 1, LIMIT_RESULTS, &q->per);
}

static int set_budget(struct corpus_query *q, const char *value)
{
	return parse_count(value, 1, MAX_BUDGET, &q->budget);
}

static int set_mode(struct corpus_query *q, const char *value)
{
	static const char *const names[] = {[CORPUS_HYBRID] = "hybrid", [CORPUS_KEYWORD] = "keyword", [CORPUS_VECTOR] = "vector"};
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(value, names[i]) == 0) {
			q->mode = (enum corpus_mode)i;
			return 0;
		}
	return -EINVAL;
}

static int set_in(struct corpus_query *q, const char *value)
{
	size_t n = strlen(value);
	while (n && value[n - 1] == '/')
		n--;
	char *trimmed = n ? strndup(value, n) : NULL;
	int r = trimmed ? add_filter(q->in, &q->in_count, trimmed) : n ? -ENOMEM : -EINVAL;
	free(trimmed);
	return r;
}

static int set_type(struct corpus_query *q, const char *value)
{
	value += *value == '.';
	return *value ? add_filter(q->type, &q->type_count, value) : -EINVAL;
}

static int set_min(struct corpus_query *q, const char *value)
{
	char *end;
	errno = 0;
	double x = strtod(value, &end); /* the program never calls setlocale, so the point is a point */
	if (end == value || *end || errno || !isfinite(x))
		return -EINVAL;
	q->min = x;
	return 0;
}

/* A day in UTC: 2026-01-31. */
static int set_since(struct corpus_query *q, const char *value)
{
	struct tm day = {0};
	const char *end = strlen(value) == 10 ? strptime(value, "%Y-%m-%d", &day) : NULL;
	if (!end || *end)
		return -EINVAL;
	struct tm wanted = day;
	q->since = timegm(&day);
	/* timegm turns the 31st of February into a day of March; such a date is a typing error. */
	return day.tm_mday == wanted.tm_mday && day.tm_mon == wanted.tm_mon ? 0 : -EINVAL;
}

static int set_as(struct corpus_query *q, const char *value)
{
	q->as_link = strcmp(value, "link") == 0;
	return q->as_link || strcmp(value, "file") == 0 ? 0 : -EINVAL;
}

static const struct option {
	const char *name;
	int (*set)(struct corpus_query *q, const char *value);
	const char *values;
} options[] = {
	{"k", set_k, "1..1000"},
	{"mode", set_mode, "hybrid, keyword or vector"},
	{"in", set_in, "a folder or a glob"},
	{"type", set_type, "a file name extension"},
	{"min", set_min, "a number"},
	{"since", set_since, "a date, YYYY-MM-DD"},
	{"per", set_per, "1..1000 chunks of one document"},
	{"as", set_as, "file or link"},
	{"budget", set_budget, "1..1000000 tokens of .context.md"},
};

int corpus_query_option(struct corpus_query *q, const char *option, char *error, size_t error_size)
{
	const char *equals = strchr(option, '=');
	if (option[0] == '@' && equals) {
		size_t n = (size_t)(equals - option - 1);
		for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
			if (strlen(options[i].name) != n || memcmp(options[i].name, option + 1, n) != 0)
				continue;
			int r = options[i].set(q, equals + 1);
			if (r == -EINVAL)
				(void)snprintf(error, error_size, "@%s wants %s", options[i].name, options[i].values);
			return r;
		}
	}
	(void)snprintf(error, error_size, "unknown option; there are @k= @mode= @in= @type= @min= @since= @per= @as= @budget=");
	return -EINVAL;
}

int corpus_query_text(struct corpus_query *q, const char *text, size_t size)
{
	if (size > LIMIT_QUERY_BYTES)
		return -ENAMETOOLONG;
	struct span s = {text, size};
	buf_reset(&q->text);
	bool blank = true;
	for (size_t at = 0; at < size;) {
		uint32_t code_point;
		size_t n = utf8_decode(s, at, &code_point);
		if (n == 0) {
			buf_add_string(&q->text, "\xef\xbf\xbd");
			blank = false;
			at++;
			continue;
		}
		blank = blank && code_point <= ' ';
		buf_add(&q->text, text + at, n);
		at += n;
	}
	return blank ? -EINVAL : buf_error(&q->text);
}

bool corpus_query_as_link(const struct corpus_query *q)
{
	return q->as_link;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t corpus_decode_component(const char *component, size_t size, char *out)
{
	size_t n = 0;
	for (size_t i = 0; i < size; i++) {
		int high = i + 2 < size && component[i] == '%' ? hex_digit(component[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(component[i + 2]) : -1;
		if (low >= 0 && (high || low)) {
			out[n++] = (char)(high << 4 | low);
			i += 2;
		} else {
			out[n++] = component[i];
		}
	}
	out[n] = '\0';
	return n;
}

/* --- filters ------------------------------------------------------------------------------------------------------- */

bool query_path_matches(const char *filter, const char *path)
{
	if (strpbrk(filter, "*?["))
		return fnmatch(filter, path, 0) == 0 || (!strchr(filter, '/') && fnmatch(filter, path_base_name(path).data, 0) == 0);
	size_t n = strlen(filter);
	return strncmp(filter, path, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool matches_type(const char *type, const char *path)
{
	struct span name = path_base_name(path);
	size_t n = strlen(type);
	return name.size > n + 1 && name.data[name.size - n - 1] == '.' && strcasecmp(name.data + name.size - n, type) == 0;
}

bool query_matches_path(const struct corpus_query *q, const char *path)
{
	bool good = q->in_count == 0;
	for (unsigned i = 0; i < q->in_count && !good; i++)
		good = query_path_matches(q->in[i], path);
	if (!good || q->type_count == 0)
		return good;
	good = false;
	for (unsigned i = 0; i < q->type_count && !good; i++)
		good = matches_type(q->type[i], path);
	return good;
}
