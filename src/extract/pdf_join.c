/* Joins the text of a PDF's pages with what the document says beside it: see pdf_extras.h.
 *
 * A title of the outline becomes a heading only where it is certain: it stands on the page that its item leads to, as whole lines, and once.
 * On a page without text it is put there. Everything else stands behind the last page, so that running lines are still found at the
 * edges of pages and sentences go on over them, under a word and not under a heading, which would be taken for the document's. */
#include "extract/pdf_extras.h"

#include "base/page_marker.h"
#include "extract/format.h"
#include "extract/markdown.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	RECORDS = 200000,
	PAGE_HEADINGS = 64,  /* of one page: more are a list */
	TITLE_LINES = 3,     /* a title may be broken into so many */
	LINKS = 1000,
	TARGET_SIZE = 256,
};
/* A page larger than this is data. */
#define PAGE_BYTES ((size_t)1 << 20)
/* Bytes looked through for what a page says already. When they are spent, it counts as not said. */
#define LOOK_BYTES ((size_t)256 << 20)

struct record {
	enum pdf_record kind;
	unsigned page, level;
	size_t order;
	struct span label, text;
};

struct line {
	struct span raw;
	size_t plain_end; /* in the page's plain form */
	int heading;	  /* index among the page's, or -1 */
	bool inside;	  /* belongs to the heading begun before */
};

struct join {
	struct record *records; /* by page */
	size_t count;
	struct buf out, comments, links, fields, attachments;
	struct buf plain; /* letters and digits of the page being worked on */
	size_t look_left, link_count;
	bool headings;
};

/* --- records ------------------------------------------------------------------------------------------------------- */

static struct span take_until(struct span *rest, char end)
{
	const char *at = rest->size ? memchr(rest->data, end, rest->size) : NULL;
	size_t size = at ? (size_t)(at - rest->data) : rest->size, skip = at ? size + 1 : size;
	struct span part = {rest->data, size};
	rest->data += skip, rest->size -= skip;
	return part;
}

static unsigned take_number(struct span *rest)
{
	struct span digits = take_until(rest, '\t');
	unsigned value = 0;
	for (size_t i = 0; i < digits.size && i < 9 && digits.data[i] >= '0' && digits.data[i] <= '9'; i++)
		value = value * 10 + (unsigned)(digits.data[i] - '0');
	return value;
}

static int by_page(const void *a, const void *b)
{
	const struct record *r = a, *s = b;
	if (r->page != s->page)
		return r->page < s->page ? -1 : 1;
	return r->order < s->order ? -1 : r->order > s->order;
}

static int read_records(struct join *j, struct span from)
{
	size_t lines = 0;
	for (size_t i = 0; i < from.size; i++)
		lines += from.data[i] == '\n';
	lines = lines < RECORDS ? lines : RECORDS;
	j->records = calloc(lines + 1, sizeof(*j->records));
	if (!j->records)
		return -ENOMEM;
	while (from.size > 0 && j->count < lines) {
		struct span line = take_until(&from, '\n'), kind = take_until(&line, '\t');
		struct record r = {.kind = kind.size == 1 ? (enum pdf_record)kind.data[0] : 0, .order = j->count};
		r.page = take_number(&line);
		r.level = take_number(&line);
		r.label = take_until(&line, '\t');
		r.text = line;
		if (r.text.size > 0)
			j->records[j->count++] = r;
	}
	qsort(j->records, j->count, sizeof(*j->records), by_page);
	return 0;
}

/* --- comparing ----------------------------------------------------------------------------------------------------- */

/* Letters and digits, small: what is left of a text when spaces, line ends, dots and brackets do not matter. */
static void add_plain(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.size; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if (c >= 'A' && c <= 'Z')
			buf_add_char(out, (char)(c - 'A' + 'a'));
		else if (c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			buf_add_char(out, (char)c);
	}
}

static struct span without_number(struct span plain)
{
	while (plain.size > 0 && plain.data[0] >= '0' && plain.data[0] <= '9')
		plain.data++, plain.size--;
	return plain;
}

/* The number before a title may be missing in one of the two. */
static bool same_title(struct span a, struct span b)
{
	struct span a_word = without_number(a), b_word = without_number(b);
	if (b_word.size < 2)
		return false;
	return span_equal(a, b) || (span_equal(a_word, b_word) && (a_word.size == a.size || b_word.size == b.size));
}

/* Whether the page whose plain form is at hand says this. */
static bool is_said(struct join *j, struct span text)
{
	struct buf plain;
	buf_init(&plain, text.size + 1);
	add_plain(&plain, text);
	struct span page = buf_span(&j->plain);
	bool said = plain.size > 0 && page.size <= j->look_left && memmem(page.data, page.size, plain.data, plain.size);
	j->look_left -= page.size <= j->look_left ? page.size : 0;
	buf_release(&plain);
	return said;
}

/* --- headings ------------------------------------------------------------------------------------------------------ */

static void add_break(struct buf *out)
{
	if (out->size > 0 && out->data[out->size - 1] != '\n')
		buf_add_char(out, '\n');
	if (out->size > 1 && out->data[out->size - 2] != '\n')
		buf_add_char(out, '\n');
}

static void add_mark(struct join *j, unsigned level)
{
	j->headings = true;
	add_break(&j->out);
	buf_addf(&j->out, "%.*s ", (int)(level < 1 ? 1 : level > 6 ? 6 : level), "######");
}

/* The lines of a page that have letters or digits; j->plain becomes its plain form. NULL: out of memory. */
static struct line *split_lines(struct join *j, struct span body, size_t *ret_count)
{
	size_t most = 1, count = 0;
	for (size_t i = 0; i < body.size; i++)
		most += body.data[i] == '\n';
	struct line *lines = calloc(most, sizeof(*lines));
	while (lines && body.size > 0) {
		size_t before = j->plain.size;
		struct span raw = take_until(&body, '\n');
		add_plain(&j->plain, raw);
		if (j->plain.size > before)
			lines[count++] = (struct line){.raw = raw, .plain_end = j->plain.size, .heading = -1};
	}
	*ret_count = count;
	return lines;
}

/* How many lines from lines[i] on are this title; 0: they are not. */
static size_t match_title(const struct join *j, const struct line *lines, size_t count, size_t i, struct span title)
{
	size_t start = i > 0 ? lines[i - 1].plain_end : 0;
	for (size_t n = 1; n <= TITLE_LINES && i + n <= count && !lines[i + n - 1].inside && lines[i + n - 1].heading < 0; n++)
		if (same_title((struct span){j->plain.data + start, lines[i + n - 1].plain_end - start}, title))
			return n;
	return 0;
}

/* Marks the lines that are the title, if they are certain. */
static void find_title(const struct join *j, struct line *lines, size_t count, struct span title, int heading)
{
	size_t found = 0, at = 0, size = 0;
	for (size_t i = 0; i < count && found < 2; i++) {
		size_t n = match_title(j, lines, count, i, title);
		/* A match with a number of its own line before it is found again without it. */
		if (n == 0 || (found == 1 && i < at + size))
			continue;
		found++;
		at = i;
		size = n;
	}
	if (found != 1)
		return;
	lines[at].heading = heading;
	for (size_t i = at + 1; i < at + size; i++)
		lines[i].inside = true;
}

static struct span trim(struct span s)
{
	while (s.size > 0 && (unsigned char)s.data[0] <= ' ')
		s.data++, s.size--;
	while (s.size > 0 && (unsigned char)s.data[s.size - 1] <= ' ')
		s.size--;
	return s;
}

static void write_lines(struct join *j, struct span body, const struct line *lines, size_t count, const struct record *const *headings)
{
	const char *at = body.data;
	for (size_t i = 0; i < count; i++) {
		if (lines[i].heading < 0)
			continue;
		buf_add(&j->out, at, (size_t)(lines[i].raw.data - at));
		add_mark(j, headings[lines[i].heading]->level);
		buf_add_span(&j->out, trim(lines[i].raw));
		while (i + 1 < count && lines[i + 1].inside) {
			buf_add_char(&j->out, ' ');
			buf_add_span(&j->out, trim(lines[++i].raw));
		}
		buf_add_string(&j->out, "\n\n");
		at = lines[i].raw.data + lines[i].raw.size;
		at += at < body.data + body.size;
	}
	buf_add(&j->out, at, (size_t)(body.data + body.size - at));
}

static int write_page(struct join *j, struct span body, const struct record *const *headings, size_t heading_count)
{
	size_t count;
	struct line *lines = split_lines(j, body, &count);
	if (!lines)
		return -ENOMEM;
	for (size_t h = 0; h < heading_count; h++) {
		struct buf title;
		buf_init(&title, headings[h]->text.size + 1);
		add_plain(&title, headings[h]->text);
		if (count > 0)
			find_title(j, lines, count, buf_span(&title), (int)h);
		buf_release(&title);
		if (count == 0) {
			add_mark(j, headings[h]->level);
			buf_add_span(&j->out, headings[h]->text);
			buf_add_char(&j->out, '\n');
		}
	}
	write_lines(j, body, lines, count, headings);
	free(lines);
	return 0;
}

/* --- what stands behind the pages ---------------------------------------------------------------------------------- */

static void add_item(struct buf *out, unsigned page, struct span label, struct span text)
{
	buf_add_string(out, "- ");
	if (page > 0)
		buf_addf(out, label.size > 0 ? "page %u, " : "page %u", page);
	buf_add_span(out, label);
	if (page > 0 || label.size > 0)
		buf_add_string(out, ": ");
	buf_add_span(out, text);
	buf_add_char(out, '\n');
}

/* A target that the page does not show, once a document. */
static void add_link(struct join *j, struct span target)
{
	char text[TARGET_SIZE], item[TARGET_SIZE + 8];
	if (target.size >= sizeof(text) || j->link_count == LINKS)
		return;
	memcpy(text, target.data, target.size);
	text[target.size] = '\0';
	const char *colon = strchr(text, ':');
	if (!markdown_is_useful_target(text) || (colon && is_said(j, span_of(colon))))
		return;
	(void)snprintf(item, sizeof(item), "- <%s>\n", text);
	if (j->links.data && strstr(j->links.data, item))
		return;
	j->link_count++;
	buf_add_string(&j->links, item);
}

static void add_beside(struct join *j, const struct record *r)
{
	switch (r->kind) {
	case PDF_RECORD_COMMENT:
		/* Level 1: its text is drawn on the page. */
		if (r->level == 0 || !is_said(j, r->text))
			add_item(&j->comments, r->page, r->label, r->text);
		break;
	case PDF_RECORD_LINK:
		add_link(j, r->text);
		break;
	case PDF_RECORD_FIELD:
		add_item(&j->fields, 0, r->label, r->text);
		break;
	case PDF_RECORD_ATTACHMENT:
		add_item(&j->attachments, 0, (struct span){"", 0}, r->text);
		if (r->label.size > 0 && !span_equal(r->label, r->text)) {
			buf_truncate(&j->attachments, j->attachments.size - 1);
			buf_add_string(&j->attachments, ": ");
			buf_add_span(&j->attachments, r->label);
			buf_add_char(&j->attachments, '\n');
		}
		break;
	case PDF_RECORD_HEADING:
		break;
	}
}

static void add_section(struct join *j, const char *word, const struct buf *items)
{
	if (items->size == 0)
		return;
	add_break(&j->out);
	buf_addf(&j->out, "%s:\n\n", word);
	buf_add_span(&j->out, buf_span(items));
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

/* The text of one page, and the records that are its own. */
static int join_page(struct join *j, struct span body, const struct record *records, size_t count)
{
	const struct record *headings[PAGE_HEADINGS];
	size_t heading_count = 0;
	for (size_t i = 0; i < count && heading_count < PAGE_HEADINGS; i++)
		if (records[i].kind == PDF_RECORD_HEADING && records[i].page > 0)
			headings[heading_count++] = &records[i];
	buf_reset(&j->plain);
	int r = 0;
	if (count > 0 && body.size <= PAGE_BYTES)
		r = write_page(j, body, headings, heading_count);
	else
		buf_add_span(&j->out, body);
	for (size_t i = 0; i < count; i++)
		add_beside(j, &records[i]);
	return r;
}

/* Up to the next page's marker, which is the only line that can begin so: others were escaped. */
static struct span take_page(struct span *rest)
{
	struct span page = *rest;
	const char *found = memmem(page.data, page.size, "\n<!-- page ", 11);
	page.size = found ? (size_t)(found - page.data) + 1 : page.size;
	rest->data += page.size, rest->size -= page.size;
	return page;
}

static int join_pages(struct join *j, struct span text)
{
	size_t at = 0;
	/* Records without a page come first. */
	for (; at < j->count && j->records[at].page == 0; at++)
		add_beside(j, &j->records[at]);
	int r = 0;
	while (text.size > 0 && r == 0 && buf_error(&j->out) == 0) {
		struct span page = take_page(&text), body = page, marker = take_until(&body, '\n');
		uint32_t number = 0;
		if (!page_marker_parse(marker, &number))
			body = page;
		else
			buf_add(&j->out, page.data, (size_t)(body.data - page.data));
		size_t first = at;
		while (at < j->count && j->records[at].page <= number)
			at++;
		while (first < at && j->records[first].page < number)
			first++;
		r = join_page(j, body, j->records + first, at - first);
	}
	return r;
}

/* With headings, the first of them would pass for the title of a document that names none; its first line is the better guess. */
static void guess_title(const struct join *j, struct span text, struct extract_result *about)
{
	struct buf plain;
	buf_init(&plain, LIMIT_TITLE_BYTES);
	while (text.size > 0 && about->title[0] == '\0' && j->headings) {
		struct span line = take_until(&text, '\n');
		buf_reset(&plain);
		add_plain(&plain, line);
		if (!span_starts_with(line, "<!-- page ") && without_number(buf_span(&plain)).size > 2)
			format_set_title(about, line);
	}
	buf_release(&plain);
}

int pdf_extras_join(struct span records, struct buf *text, struct extract_result *about)
{
	struct join j = {.look_left = LOOK_BYTES};
	struct buf *const parts[] = {&j.out, &j.comments, &j.links, &j.fields, &j.attachments};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		buf_init(parts[i], text->limit);
	buf_init(&j.plain, PAGE_BYTES);
	int r = read_records(&j, records);
	if (r == 0)
		r = join_pages(&j, buf_span(text));
	add_section(&j, "Form fields", &j.fields);
	add_section(&j, "Comments", &j.comments);
	add_section(&j, "Links", &j.links);
	add_section(&j, "Attachments", &j.attachments);
	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		r = buf_error(parts[i]);
	if (r == 0 && (j.headings || j.fields.size + j.comments.size + j.links.size + j.attachments.size > 0)) {
		guess_title(&j, buf_span(text), about);
		about->state = EXTRACT_OK; /* its code goes on telling that the pages themselves have no text */
		struct buf old = *text;
		*text = j.out;
		j.out = old;
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		buf_release(parts[i]);
	buf_release(&j.plain);
	free(j.records);
	return r;
}
