/* Jupyter notebooks (nbformat 4) -> Markdown: text cells as they are, code cells and their textual output in fences. The JSON is read by a small
 * scanner that gives events, since a notebook's pictures make it large and its text small. */
#include "extract/format.h"
#include "extract/markdown.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>

enum { JSON_DEPTH = 64, KEY_SIZE = 32 };

struct notebook {
	struct span in;
	size_t at;
	bool bad;
	char keys[JSON_DEPTH][KEY_SIZE]; /* of the objects that are open; "" in an array */
	unsigned depth;
	struct buf *text;
	bool looking; /* first pass: the language stands behind the cells */
	char language[KEY_SIZE];
	char type[KEY_SIZE]; /* of the cell */
	struct buf source, output;
};

static void skip_blank(struct notebook *n)
{
	while (n->at < n->in.size && strchr(" \t\r\n", n->in.data[n->at]) && n->in.data[n->at])
		n->at++;
}

static bool take(struct notebook *n, char c)
{
	skip_blank(n);
	if (n->at >= n->in.size || n->in.data[n->at] != c)
		return false;
	n->at++;
	return true;
}

static uint32_t four_digits(struct notebook *n)
{
	uint32_t value = 0;
	for (int i = 0; i < 4 && n->at < n->in.size; i++, n->at++) {
		char c = n->in.data[n->at];
		uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (uint32_t)((c | 0x20) - 'a') + 10 : 0;
		value = value * 16 + digit;
	}
	return value;
}

static void read_escape(struct notebook *n, struct buf *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	char c = n->at < n->in.size ? n->in.data[n->at++] : '"';
	const char *known = c ? strchr(from, c) : NULL;
	if (c != 'u') {
		buf_add_char(out, known ? to[known - from] : c);
		return;
	}
	uint32_t point = four_digits(n);
	if (point >= 0xd800 && point < 0xdc00 && n->at + 6 <= n->in.size && memcmp(n->in.data + n->at, "\\u", 2) == 0) {
		n->at += 2;
		uint32_t low = four_digits(n);
		point = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
	}
	char bytes[4];
	buf_add(out, bytes, utf8_encode(point, bytes));
}

/* A string, after its opening quote. `out` may be NULL. */
static void read_string(struct notebook *n, struct buf *out)
{
	struct buf nowhere;
	buf_init(&nowhere, 8);
	while (n->at < n->in.size) {
		size_t start = n->at;
		while (n->at < n->in.size && n->in.data[n->at] != '"' && n->in.data[n->at] != '\\')
			n->at++;
		if (out)
			buf_add(out, n->in.data + start, n->at - start);
		if (n->at >= n->in.size)
			break;
		if (n->in.data[n->at++] == '"') {
			buf_release(&nowhere);
			return;
		}
		buf_reset(&nowhere);
		read_escape(n, out ? out : &nowhere);
	}
	buf_release(&nowhere);
	n->bad = true;
}

/* --- what the values mean ------------------------------------------------------------------------------------------ */

static bool key_is(const struct notebook *n, unsigned level, const char *key)
{
	return level < n->depth && strcmp(n->keys[level], key) == 0;
}

/* Where a string goes: {"cells": [{"source": [...], "outputs": [{"text": [...], "data": {"text/plain": [...]}}]}]}. Level 0 is the
 * document, 1 the array of cells, 2 a cell. */
static struct buf *place_of(struct notebook *n)
{
	if (n->looking || !key_is(n, 0, "cells") || n->depth < 3)
		return NULL;
	if (key_is(n, 2, "source"))
		return &n->source;
	if (!key_is(n, 2, "outputs"))
		return NULL;
	return key_is(n, 4, "text") || (key_is(n, 4, "data") && key_is(n, 5, "text/plain")) ? &n->output : NULL;
}

static void take_short(struct notebook *n, char to[KEY_SIZE])
{
	struct buf value;
	buf_init(&value, 1 << 16);
	read_string(n, &value);
	(void)snprintf(to, KEY_SIZE, "%s", value.data ? value.data : "");
	buf_release(&value);
}

static void take_value(struct notebook *n)
{
	if (n->depth == 3 && key_is(n, 0, "cells") && key_is(n, 2, "cell_type"))
		take_short(n, n->type);
	else if (n->depth == 3 && key_is(n, 0, "metadata") && key_is(n, 1, "language_info") && key_is(n, 2, "name"))
		take_short(n, n->language);
	else if (n->depth == 2 && key_is(n, 0, "metadata") && key_is(n, 1, "language"))
		take_short(n, n->language);
	else
		read_string(n, place_of(n));
}

static void add_fence(struct notebook *n, struct span content, const char *language)
{
	struct markdown md;
	markdown_init(&md, n->text, false);
	markdown_code_begin(&md, span_of(language));
	markdown_text(&md, content);
	markdown_code_end(&md);
	buf_add_char(n->text, '\n');
}

static struct span trim_lines(struct span s)
{
	while (s.size > 0 && (s.data[s.size - 1] == '\n' || s.data[s.size - 1] == ' '))
		s.size--;
	return s;
}

static void end_cell(struct notebook *n)
{
	struct span source = trim_lines(buf_span(&n->source)), output = trim_lines(buf_span(&n->output));
	if (n->text->size > 0 && (source.size > 0 || output.size > 0))
		buf_add_char(n->text, '\n');
	if (source.size > 0 && strcmp(n->type, "code") == 0) {
		add_fence(n, source, n->language[strspn(n->language, "abcdefghijklmnopqrstuvwxyz0123456789+#-")] ? "" : n->language);
	} else if (source.size > 0) {
		buf_add_span(n->text, source);
		buf_add_char(n->text, '\n');
	}
	if (output.size > 0) {
		if (source.size > 0)
			buf_add_char(n->text, '\n');
		add_fence(n, output, "");
	}
	buf_reset(&n->source);
	buf_reset(&n->output);
	n->type[0] = '\0';
}

/* --- the document -------------------------------------------------------------------------------------------------- */

static void read_value(struct notebook *n);

static void read_members(struct notebook *n, bool object)
{
	char end = object ? '}' : ']';
	if (n->depth >= JSON_DEPTH) {
		n->bad = true;
		return;
	}
	unsigned level = n->depth++;
	bool cell = object && level == 2 && key_is(n, 0, "cells");
	n->keys[level][0] = '\0';
	for (bool first = true; !n->bad && !take(n, end); first = false) {
		if (!first && !take(n, ','))
			n->bad = true;
		if (object && !n->bad) {
			n->bad = !take(n, '"');
			if (!n->bad)
				take_short(n, n->keys[level]);
			n->bad = n->bad || !take(n, ':');
		}
		if (!n->bad)
			read_value(n);
	}
	n->depth = level;
	if (cell)
		end_cell(n);
}

/* Depth is bounded by JSON_DEPTH, so this may recurse. NOLINTNEXTLINE(misc-no-recursion) */
static void read_value(struct notebook *n)
{
	skip_blank(n);
	char c = n->at < n->in.size ? n->in.data[n->at] : '\0';
	if (c == '{' || c == '[') {
		n->at++;
		read_members(n, c == '{');
	} else if (c == '"') {
		n->at++;
		take_value(n);
	} else {
		size_t start = n->at;
		while (n->at < n->in.size && !strchr(",]} \t\r\n", n->in.data[n->at]))
			n->at++;
		n->bad = n->bad || n->at == start;
	}
}

int notebook_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct notebook n = {.in = bytes, .text = text};
	if (span_starts_with(bytes, "\xef\xbb\xbf"))
		n.at = 3;
	buf_init(&n.source, text->limit);
	buf_init(&n.output, text->limit);
	n.looking = true;
	size_t start = n.at;
	read_value(&n);
	n.looking = n.bad = false;
	n.at = start;
	n.depth = 0;
	read_value(&n);
	int r = buf_error(&n.source) ? buf_error(&n.source) : buf_error(&n.output);
	buf_release(&n.source);
	buf_release(&n.output);
	if (r < 0 || buf_error(text))
		return r < 0 ? r : buf_error(text);
	if (text->size > 0)
		return 0;
	return n.bad ? format_fail(about, "damaged", "the notebook's JSON is damaged") : format_fail(about, "no-text", "the notebook has no cells with text");
}

const struct format format_notebook = {
	.extractor = {"notebook", 1, "application/x-ipynb+json", TEXT_MARKDOWN, true, NULL},
	.extract = notebook_extract,
};
