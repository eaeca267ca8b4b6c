/* Query syntax: see syntax.h. */
#include "search/syntax.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Bytes of the quotation mark at `at`: the plain one, or a typographic one (U+201C to U+201F); 0 for none. */
static size_t quote_size(struct span s, size_t at)
{
	if (at < s.size && s.data[at] == '"')
		return 1;
	if (s.size - at >= 3 && memcmp(s.data + at, "\xe2\x80", 2) == 0 && (unsigned char)s.data[at + 2] >= 0x9c && (unsigned char)s.data[at + 2] <= 0x9f)
		return 3;
	return 0;
}

/* The text between the quotation mark at `at` and the next, and where that ends. False when none follows. */
static bool quoted_text(struct span s, size_t at, struct span *ret, size_t *ret_end)
{
	size_t first = at + quote_size(s, at);
	for (size_t end = first; end < s.size; end++) {
		size_t size = quote_size(s, end);
		if (!size)
			continue;
		*ret = (struct span){s.data + first, end - first};
		*ret_end = end + size;
		return true;
	}
	return false;
}

static bool begins_word(struct span s, size_t at)
{
	unsigned char c = at < s.size ? (unsigned char)s.data[at] : ' ';
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static const struct {
	const char *prefix;
	bool title;
} fields[] = {{"path:", false}, {"title:", true}};

/* Takes path:x or title:x at `first`; returns its end, or `first`. */
static size_t take_field(struct syntax *x, struct span query, size_t first, bool without)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		size_t size = strlen(fields[i].prefix), begin = first + size, end = begin;
		if (query.size - first <= size || memcmp(query.data + first, fields[i].prefix, size) != 0 || x->field_count == SYNTAX_ITEMS)
			continue;
		struct syntax_field field = {.title = fields[i].title, .without = without, .value.quoted = quote_size(query, begin) > 0};
		if (field.value.quoted && quoted_text(query, begin, &field.value.text, &end)) {
			if (!field.value.text.size)
				return first;
		} else {
			while (end < query.size && !is_blank(query.data[end]))
				end++;
			if (end == begin)
				return first;
			field.value = (struct syntax_item){.text = {query.data + begin, end - begin}};
		}
		x->fields[x->field_count++] = field;
		return end;
	}
	return first;
}

/* Takes what stands at `at`, the beginning of an item, when it is syntax; returns its end, or `at` when it is not. */
static size_t take_item(struct syntax *x, struct span query, size_t at)
{
	bool minus = query.data[at] == '-';
	struct syntax_item item = {.quoted = quote_size(query, at + minus) > 0};
	size_t first = at + minus, end = take_field(x, query, first, minus);
	if (end > first)
		return end;
	if (item.quoted) {
		if (!quoted_text(query, first, &item.text, &end))
			return at;
	} else {
		while (minus && end < query.size && !is_blank(query.data[end]))
			end++;
		if (end < first + 2 || !begins_word(query, first))
			return at;
		item.text = (struct span){query.data + first, end - first};
	}
	if (minus ? x->excluded_count == SYNTAX_ITEMS : x->required_count == SYNTAX_ITEMS)
		return at;
	if (minus)
		x->excluded[x->excluded_count++] = item;
	else
		x->required[x->required_count++] = item;
	return end;
}

static bool is_letter(unsigned char c)
{
	return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* The neighbours a, b inside one word, with `before` in front of a, as nobody writes them in prose. "PDFs" is prose. */
static bool is_seam(unsigned char before, unsigned char a, unsigned char b)
{
	if (is_letter(a) && is_letter(b))
		return (!is_upper(a) && is_upper(b)) || (is_upper(before) && is_upper(a) && !is_upper(b) && b != 's');
	return (is_letter(a) && (is_digit(b) || b == '_')) || (is_letter(b) && (is_digit(a) || a == '_'));
}

static bool find_name(struct span query)
{
	const unsigned char *p = (const unsigned char *)query.data;
	for (size_t i = 1; i < query.size; i++)
		if (is_seam(i >= 2 ? p[i - 2] : ' ', p[i - 1], p[i]))
			return true;
	return false;
}

static bool begins_item(struct span query, size_t at)
{
	return !is_blank(query.data[at]) && (at == 0 || is_blank(query.data[at - 1]));
}

static bool is_prose(struct span query)
{
	uint32_t words = 0;
	for (size_t at = 0; at < query.size; at++)
		words += begins_item(query, at);
	return words > SYNTAX_WORDS;
}

int syntax_parse(struct span query, struct syntax *ret)
{
	struct syntax x = {.memory = malloc(2 * query.size + 1)};
	if (!x.memory)
		return -ENOMEM;
	char *words = x.memory, *rest = x.memory + query.size;
	if (query.size) {
		memcpy(words, query.data, query.size);
		memcpy(rest, query.data, query.size);
	}
	for (size_t at = is_prose(query) ? query.size : 0; at < query.size; at++) {
		if (!begins_item(query, at))
			continue;
		uint32_t excluded = x.excluded_count, field_count = x.field_count;
		size_t end = take_item(&x, query, at);
		if (x.excluded_count > excluded || x.field_count > field_count)
			memset(words + at, ' ', end - at);
		if (x.field_count > field_count)
			memset(rest + at, ' ', end - at);
		if (end > at)
			at = end - 1;
	}
	x.words = (struct span){words, query.size};
	x.rest = (struct span){rest, query.size};
	x.has_name = find_name(x.rest);
	*ret = x;
	return 0;
}

void syntax_release(struct syntax *s)
{
	free(s->memory);
	*s = (struct syntax){0};
}
