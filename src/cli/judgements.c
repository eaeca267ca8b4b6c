/* Queries and judgements: see judgements.h. */
#include "cli/judgements.h"

#include "base/path.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_QUERIES = 1000000, MAX_GAIN = 1000 };

static struct span trim(struct span s)
{
	while (s.size && strchr(" \t\r\n", s.data[s.size - 1]))
		s.size--;
	while (s.size && strchr(" \t\r\n", s.data[0])) {
		s.data++;
		s.size--;
	}
	return s;
}

/* Takes the next line off; false at the end. */
static bool next_line(struct span *rest, struct span *ret_line)
{
	if (rest->size == 0)
		return false;
	const char *end = memchr(rest->data, '\n', rest->size);
	size_t n = end ? (size_t)(end - rest->data) : rest->size;
	*ret_line = (struct span){rest->data, n};
	n += end != NULL;
	rest->data += n;
	rest->size -= n;
	return true;
}

/* Takes the next word off. */
static struct span next_word(struct span *rest)
{
	*rest = trim(*rest);
	size_t n = 0;
	while (n < rest->size && !strchr(" \t", rest->data[n]))
		n++;
	struct span word = {rest->data, n};
	rest->data += n;
	rest->size -= n;
	return word;
}

static int add_query(struct judged_queries *q, struct span id, struct span text)
{
	if (q->count == q->capacity) {
		size_t capacity = q->capacity ? q->capacity * 2 : 64;
		struct judged_query *queries = q->count < MAX_QUERIES ? reallocarray(q->queries, capacity, sizeof(*queries)) : NULL;
		if (!queries)
			return -ENOMEM;
		q->queries = queries;
		q->capacity = capacity;
	}
	struct judged_query *x = &q->queries[q->count];
	*x = (struct judged_query){.id = strndup(id.data, id.size), .text = strndup(text.data, text.size)};
	q->count++;
	return x->id && x->text ? 0 : -ENOMEM;
}

static bool tag(struct span line, const char *name, struct span *ret_rest)
{
	if (!span_starts_with(line, name))
		return false;
	size_t n = strlen(name);
	*ret_rest = trim((struct span){line.data + n, line.size - n});
	return true;
}

static struct span without_label(struct span s, const char *label)
{
	return span_starts_with(s, label) ? trim((struct span){s.data + strlen(label), s.size - strlen(label)}) : s;
}

static struct span without_end_tag(struct span s)
{
	const char *end = memchr(s.data, '<', s.size);
	return end ? trim((struct span){s.data, (size_t)(end - s.data)}) : s;
}

static int parse_topics(struct span text, struct judged_queries *q)
{
	struct span line, rest, id = {0}, title = {0};
	bool title_follows = false;
	int r = 0;
	while (r == 0 && next_line(&text, &line)) {
		line = trim(line);
		if (tag(line, "<num>", &rest)) {
			id = without_end_tag(without_label(rest, "Number:"));
		} else if (tag(line, "<title>", &rest)) {
			title = without_end_tag(without_label(rest, "Topic:"));
			title_follows = title.size == 0;
		} else if (tag(line, "</top>", &rest)) {
			r = id.size && title.size ? add_query(q, id, title) : 0;
			id = title = (struct span){0};
		} else if (title_follows && line.size) {
			title = line;
			title_follows = false;
		}
	}
	return r;
}

int judgements_parse_queries(struct span text, const char *name, struct judged_queries *q, struct err *err)
{
	if (span_starts_with(trim(text), "<top>"))
		return parse_topics(text, q);
	struct span line;
	for (unsigned long number = 1; next_line(&text, &line); number++) {
		if (trim(line).size == 0)
			continue;
		const char *tab = memchr(line.data, '\t', line.size);
		struct span id = trim((struct span){line.data, tab ? (size_t)(tab - line.data) : 0});
		struct span query = tab ? trim((struct span){tab + 1, line.size - (size_t)(tab + 1 - line.data)}) : (struct span){0};
		if (id.size == 0 || query.size == 0)
			return err_fail(err, -EINVAL, "%s:%lu: not \"ID<TAB>QUERY\"", name, number);
		int r = add_query(q, id, query);
		if (r < 0)
			return r;
	}
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp((*(struct judged_query *const *)a)->id, (*(struct judged_query *const *)b)->id);
}

static struct judged_query *find_query(struct judged_query **sorted, size_t count, struct span id)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = strncmp(sorted[middle]->id, id.data, id.size);
		c = c ? c : sorted[middle]->id[id.size] != '\0';
		if (c == 0)
			return sorted[middle];
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int add_judgement(struct judged_query *q, struct span document, int gain)
{
	if (q->count == q->capacity) {
		size_t capacity = q->capacity ? q->capacity * 2 : 8;
		struct judgement *judgements = reallocarray(q->judgements, capacity, sizeof(*judgements));
		if (!judgements)
			return -ENOMEM;
		q->judgements = judgements;
		q->capacity = capacity;
	}
	char *copy = strndup(document.data, document.size);
	if (!copy)
		return -ENOMEM;
	q->judgements[q->count++] = (struct judgement){copy, gain};
	return 0;
}

/* A whole number from -MAX_GAIN to MAX_GAIN; TREC has negative ones for junk, which count as not relevant. */
static bool parse_gain(struct span word, int *ret)
{
	bool negative = word.size > 1 && word.data[0] == '-';
	int value = 0;
	if (word.size == (size_t)negative)
		return false;
	for (size_t i = negative; i < word.size; i++) {
		if (word.data[i] < '0' || word.data[i] > '9' || value > MAX_GAIN)
			return false;
		value = value * 10 + (word.data[i] - '0');
	}
	*ret = negative ? 0 : value;
	return value <= MAX_GAIN;
}

static int parse_qrels_line(struct span line, struct judged_query **sorted, struct judged_queries *q)
{
	struct span words[4] = {{0}}, rest = line;
	size_t count = 0;
	while (count < 4 && (words[count] = next_word(&rest)).size)
		count++;
	int gain;
	if (count < 3 || trim(rest).size || !parse_gain(words[count - 1], &gain))
		return -EINVAL;
	struct judged_query *query = find_query(sorted, q->count, words[0]);
	if (query)
		return add_judgement(query, words[count - 2], gain);
	q->unknown++;
	return 0;
}

static int compare_judgements(const void *a, const void *b)
{
	return strcmp(((const struct judgement *)a)->document, ((const struct judgement *)b)->document);
}

int judgements_parse_qrels(struct span text, const char *name, struct judged_queries *q, struct err *err)
{
	struct judged_query **sorted = calloc(q->count + 1, sizeof(struct judged_query *));
	struct span line;
	int r = sorted ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < q->count; i++)
		sorted[i] = &q->queries[i];
	if (r == 0 && q->count)
		qsort(sorted, q->count, sizeof(struct judged_query *), compare_ids);
	for (unsigned long number = 1; r == 0 && next_line(&text, &line); number++) {
		r = trim(line).size ? parse_qrels_line(line, sorted, q) : 0;
		if (r == -EINVAL)
			r = err_fail(err, r, "%s:%lu: not \"QUERY DOCUMENT GAIN\" or \"QUERY ITERATION DOCUMENT GAIN\"", name, number);
	}
	free(sorted);
	for (size_t i = 0; i < q->count; i++)
		if (q->queries[i].count)
			qsort(q->queries[i].judgements, q->queries[i].count, sizeof(struct judgement), compare_judgements);
	return r;
}

void judgements_release(struct judged_queries *q)
{
	for (size_t i = 0; i < q->count; i++) {
		for (size_t k = 0; k < q->queries[i].count; k++)
			free(q->queries[i].judgements[k].document);
		free(q->queries[i].judgements);
		free(q->queries[i].id);
		free(q->queries[i].text);
	}
	free(q->queries);
	*q = (struct judged_queries){0};
}

static bool find_document(const struct judged_query *q, struct span id, size_t *ret)
{
	size_t low = 0, high = q->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *document = q->judgements[middle].document;
		int c = strncmp(document, id.data, id.size);
		c = c ? c : document[id.size] != '\0';
		if (c == 0) {
			*ret = middle;
			return true;
		}
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static struct span without_extension(struct span s)
{
	for (size_t n = s.size; n > 1 && s.data[n - 1] != '/'; n--)
		if (s.data[n - 1] == '.')
			return (struct span){s.data, n - 1};
	return s;
}

int judgements_gain(const struct judged_query *q, const char *path, size_t *ret_index)
{
	struct span whole = span_of(path), name = path_base_name(path);
	struct span forms[] = {whole, without_extension(whole), name, without_extension(name)};
	size_t index = SIZE_MAX;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms) && index == SIZE_MAX; i++)
		if (!find_document(q, forms[i], &index))
			index = SIZE_MAX;
	if (ret_index)
		*ret_index = index;
	return index == SIZE_MAX ? 0 : q->judgements[index].gain;
}
