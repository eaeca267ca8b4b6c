/* The Markdown writer: see markdown.h. */
#include "extract/markdown.h"

#include <stdio.h>
#include <strings.h>

void markdown_init(struct markdown *m, struct buf *out, bool cell)
{
	*m = (struct markdown){.out = out, .cell = cell};
}

bool markdown_line_needs_escape(struct span line)
{
	size_t n = 0;
	while (n < line.size && line.data[n] == '#')
		n++;
	if (n > 0)
		return n <= 6 && (n == line.size || line.data[n] == ' ' || line.data[n] == '\t' || line.data[n] == '\n');
	return span_starts_with(line, "```") || span_starts_with(line, "~~~") || span_starts_with(line, "<!--");
}

void markdown_break(struct markdown *m, unsigned lines)
{
	m->pending_blank = m->cell && m->written;
	if (m->cell || !m->written)
		return;
	/* The first paragraph of an item stands beside its mark. */
	if (m->pending_breaks < lines && m->marker_size == 0)
		m->pending_breaks = lines;
	m->line_open = false;
}

void markdown_line_break(struct markdown *m)
{
	/* The second in a row makes a paragraph, which is what people who write two mean. */
	markdown_break(m, m->pending_breaks > 0 ? 2 : 1);
}

static void add_blank_prefix(struct markdown *m)
{
	size_t size = m->blank_size < m->prefix_size ? m->blank_size : m->prefix_size;
	while (size > 0 && m->prefix[size - 1] == ' ')
		size--;
	buf_add(m->out, m->prefix, size);
}

/* Everything that is due before a word: line ends, the line's prefix or marker, a blank. */
static void begin_word(struct markdown *m)
{
	if (!m->line_open && !m->cell) {
		for (unsigned i = 0; i < m->pending_breaks; i++) {
			if (i > 0)
				add_blank_prefix(m);
			buf_add_char(m->out, '\n');
		}
		m->pending_breaks = 0;
		m->pending_blank = false;
		if (m->marker_size > 0) {
			buf_add(m->out, m->prefix, m->marker_at);
			buf_add(m->out, m->marker, m->marker_size);
		} else {
			buf_add(m->out, m->prefix, m->prefix_size);
		}
		m->marker_size = 0;
		m->blank_size = m->prefix_size;
	}
	if (m->pending_blank)
		buf_add_char(m->out, ' ');
	m->pending_blank = false;
	m->line_open = m->written = true;
	if (m->link_waits) {
		m->link_waits = false;
		m->link_start = m->out->size;
	}
}

/* Bytes of the blank at s[at], 0 when there is none. A no-break space is one: pages are full of paragraphs made of nothing else. */
static size_t blank_at(struct span s, size_t at)
{
	char c = s.data[at];
	if (c == ' ' || (c >= '\t' && c <= '\r'))
		return 1;
	return c == '\xc2' && at + 1 < s.size && s.data[at + 1] == '\xa0' ? 2 : 0;
}

static void add_word(struct markdown *m, const char *word, size_t size)
{
	bool first = !m->line_open;
	begin_word(m);
	if (m->cell) {
		for (size_t i = 0; i < size; i++) {
			if (word[i] == '|')
				buf_add_char(m->out, '\\');
			buf_add_char(m->out, word[i]);
		}
		return;
	}
	if (first && markdown_line_needs_escape((struct span){word, size}))
		buf_add_char(m->out, '\\');
	buf_add(m->out, word, size);
}

static void add_code(struct markdown *m, struct span s)
{
	while (s.size > 0) {
		const char *newline = memchr(s.data, '\n', s.size);
		size_t size = newline ? (size_t)(newline - s.data) : s.size;
		if (size > 0) {
			begin_word(m);
			buf_add(m->out, s.data, size);
		}
		if (newline) {
			/* Blank lines inside a block are kept, each with its prefix. */
			m->pending_breaks++;
			m->line_open = false;
			size++;
		}
		s.data += size, s.size -= size;
	}
}

void markdown_text(struct markdown *m, struct span s)
{
	if (m->code) {
		add_code(m, s);
		return;
	}
	for (size_t at = 0; at < s.size;) {
		size_t start = at, blank;
		while (at < s.size && blank_at(s, at) == 0)
			at++;
		if (at > start)
			add_word(m, s.data + start, at - start);
		if (at < s.size)
			m->pending_blank = m->line_open || (m->cell && m->written);
		while (at < s.size && (blank = blank_at(s, at)) > 0)
			at += blank;
	}
	if (m->cell && !m->written)
		m->pending_blank = false;
}

void markdown_mark(struct markdown *m, const char *s)
{
	begin_word(m);
	buf_add_string(m->out, s);
}

void markdown_heading(struct markdown *m, unsigned level)
{
	markdown_break(m, 2);
	if (m->cell)
		return;
	char mark[8];
	(void)snprintf(mark, sizeof(mark), "%.*s ", (int)(level < 1 ? 1 : level > 6 ? 6 : level), "######");
	markdown_mark(m, mark);
}

static void push(struct markdown *m, const char *prefix)
{
	if (m->depth < MARKDOWN_DEPTH) {
		m->levels[m->depth] = m->prefix_size;
		size_t size = strlen(prefix);
		if (m->prefix_size + size <= sizeof(m->prefix)) {
			memcpy(m->prefix + m->prefix_size, prefix, size);
			m->prefix_size += size;
		}
	}
	m->depth++;
}

void markdown_push_quote(struct markdown *m)
{
	markdown_break(m, 2);
	/* A marker that still waits belongs before the quote's own mark. */
	if (m->marker_size > 0 && m->marker_size + 2 <= sizeof(m->marker)) {
		memcpy(m->marker + m->marker_size, "> ", 2);
		m->marker_size += 2;
	}
	push(m, "> ");
}

void markdown_push_item(struct markdown *m, const char *marker)
{
	static const char blanks[] = "                                        ";
	markdown_break(m, 1);
	size_t size = strlen(marker);
	size_t width = size < sizeof(blanks) - 1 ? size : sizeof(blanks) - 1;
	bool fits = m->depth < MARKDOWN_DEPTH && m->prefix_size + width <= sizeof(m->prefix);
	if (m->marker_size == 0)
		m->marker_at = m->prefix_size;
	if (m->marker_size + size <= sizeof(m->marker) && (fits || m->marker_size == 0)) {
		memcpy(m->marker + m->marker_size, marker, size);
		m->marker_size += size;
	}
	push(m, blanks + (sizeof(blanks) - 1 - width));
}

void markdown_pop(struct markdown *m)
{
	if (m->depth == 0)
		return;
	m->depth--;
	if (m->depth < MARKDOWN_DEPTH)
		m->prefix_size = m->levels[m->depth];
	if (m->blank_size > m->prefix_size)
		m->blank_size = m->prefix_size;
	/* An item without text leaves no mark. */
	m->marker_size = 0;
}

bool markdown_is_useful_target(const char *target)
{
	static const char *const schemes[] = {"http://", "https://", "mailto:", "ftp://", "doi:"};
	size_t size = strlen(target);
	if (size > 200 || size != strcspn(target, " \t\r\n()<>|\""))
		return false;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

void markdown_link_begin(struct markdown *m)
{
	m->link_waits = true;
}

void markdown_link_end(struct markdown *m, const char *target)
{
	struct buf *out = m->out;
	bool empty = m->link_waits;
	m->link_waits = false;
	size_t start = m->link_start;
	if (empty || buf_error(out) || start >= out->size || !markdown_is_useful_target(target))
		return;
	struct span text = {out->data + start, out->size - start};
	if (memchr(text.data, '\n', text.size) || memmem(target, strlen(target), text.data, text.size) || buf_reserve(out, 1))
		return;
	memmove(out->data + start + 1, out->data + start, out->size - start + 1);
	out->data[start] = '[';
	out->size++;
	buf_addf(out, "](%s)", target);
}

void markdown_code_begin(struct markdown *m, struct span language)
{
	if (m->cell)
		return;
	markdown_break(m, 2);
	markdown_mark(m, "```");
	m->code_start = m->out->size;
	buf_add_span(m->out, language);
	m->line_open = false;
	m->pending_breaks = 1;
	m->code = true;
}

/* A block that holds a fence needs a longer one around it: returns by how many marks the opening one was lengthened. */
static size_t lengthen_fence(struct markdown *m)
{
	size_t longest = 0, run = 0;
	for (size_t i = m->code_start; i < m->out->size; i++) {
		run = m->out->data[i] == '`' ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	size_t extra = longest >= 3 ? longest - 2 : 0;
	if (extra == 0 || extra > 64 || buf_reserve(m->out, extra))
		return 0;
	char *start = m->out->data + m->code_start;
	memmove(start + extra, start, m->out->size - m->code_start + 1);
	memset(start, '`', extra);
	m->out->size += extra;
	return extra;
}

void markdown_code_end(struct markdown *m)
{
	if (!m->code)
		return;
	m->code = false;
	size_t extra = buf_error(m->out) ? 0 : lengthen_fence(m);
	m->pending_breaks = 1;
	m->line_open = false;
	markdown_mark(m, "```");
	for (size_t i = 0; i < extra; i++)
		buf_add_char(m->out, '`');
	markdown_break(m, 2);
}

void markdown_row(struct markdown *m, const struct span *cells, size_t count)
{
	markdown_break(m, 1);
	markdown_mark(m, "|");
	for (size_t i = 0; i < count; i++) {
		buf_add_char(m->out, ' ');
		buf_add_span(m->out, cells[i]);
		buf_add_string(m->out, cells[i].size > 0 ? " |" : "|");
	}
}

void markdown_row_rule(struct markdown *m, size_t count)
{
	markdown_break(m, 1);
	markdown_mark(m, "|");
	for (size_t i = 0; i < count; i++)
		buf_add_string(m->out, " --- |");
}
