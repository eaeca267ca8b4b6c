/* Org (Emacs) and AsciiDoc -> Markdown, line by line: headings, lists, blocks, tables, links. Both mark their structure at the beginning of lines,
 * and whatever else stands there is text. */
#include "extract/format.h"
#include "extract/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { LEVELS = 12, ADDRESS = 512, LANGUAGE = 32 };

struct lines {
	struct span rest;
	struct markdown md;
	struct table *table;
	struct extract_result *about;
	size_t indents[LEVELS]; /* of the items that are open */
	unsigned numbers[LEVELS];
	unsigned items;
	char language[LANGUAGE]; /* said before an AsciiDoc block */
	bool in_table;		 /* of AsciiDoc */
	int error;
};

static struct span next_line(struct lines *l)
{
	const char *newline = memchr(l->rest.data, '\n', l->rest.size);
	size_t size = newline ? (size_t)(newline - l->rest.data) : l->rest.size;
	struct span line = {l->rest.data, size};
	size += newline != NULL;
	l->rest.data += size, l->rest.size -= size;
	while (line.size > 0 && (unsigned char)line.data[line.size - 1] <= ' ')
		line.size--;
	return line;
}

static struct span part(struct span s, size_t from)
{
	return from < s.size ? (struct span){s.data + from, s.size - from} : (struct span){"", 0};
}

static struct span trim(struct span s)
{
	while (s.size > 0 && (unsigned char)s.data[0] <= ' ')
		s.data++, s.size--;
	while (s.size > 0 && (unsigned char)s.data[s.size - 1] <= ' ')
		s.size--;
	return s;
}

static bool begins(struct span s, const char *word)
{
	return s.size >= strlen(word) && strncasecmp(s.data, word, strlen(word)) == 0;
}

static size_t indent_of(struct span s)
{
	size_t n = 0;
	while (n < s.size && (s.data[n] == ' ' || s.data[n] == '\t'))
		n++;
	return n;
}

static size_t run_of(struct span s, char c)
{
	size_t n = 0;
	while (n < s.size && s.data[n] == c)
		n++;
	return n;
}

/* --- what both have ------------------------------------------------------------------------------------------------ */

static void write_link(struct markdown *out, struct span address, struct span text)
{
	char target[ADDRESS];
	(void)snprintf(target, sizeof(target), "%.*s", (int)(address.size < ADDRESS ? address.size : ADDRESS - 1), address.data);
	markdown_link_begin(out);
	markdown_text(out, text.size > 0 ? text : address);
	markdown_link_end(out, target);
}

/* Org: [[address][text]]. AsciiDoc: https://address[text], link:address[text], <<name,text>>. */
static void write_text(struct markdown *out, struct span s, bool org)
{
	size_t from = 0;
	for (size_t i = 0; i < s.size; i++) {
		struct span here = part(s, i);
		const char *middle = NULL, *end = NULL;
		size_t skip = 0, tail = 0;
		if (org && begins(here, "[[")) {
			end = memmem(here.data, here.size, "]]", 2);
			middle = end ? memmem(here.data, (size_t)(end - here.data), "][", 2) : NULL;
			skip = 2, tail = 2;
		} else if (!org && (begins(here, "http://") || begins(here, "https://") || begins(here, "link:") || begins(here, "mailto:"))) {
			size_t address = 0;
			while (address < here.size && (unsigned char)here.data[address] > ' ' && here.data[address] != '[')
				address++;
			if (address < here.size && here.data[address] == '[') {
				middle = here.data + address;
				end = memchr(middle, ']', here.size - address);
			}
			skip = begins(here, "link:") ? 5 : 0, tail = 1;
		} else if (!org && begins(here, "<<")) {
			end = memmem(here.data, here.size, ">>", 2);
			middle = end ? memchr(here.data, ',', (size_t)(end - here.data)) : NULL;
			skip = 2, tail = 2;
		}
		if (!end)
			continue;
		markdown_text(out, (struct span){s.data + from, i - from});
		size_t gap = org ? 2 : 1;
		const char *address_end = middle ? middle : end;
		struct span text = {middle ? middle + gap : "", middle ? (size_t)(end - middle) - gap : 0};
		write_link(out, (struct span){here.data + skip, (size_t)(address_end - here.data) - skip}, text);
		i += (size_t)(end - here.data) + tail - 1;
		from = i + 1;
	}
	markdown_text(out, part(s, from));
}

static void end_items(struct lines *l, unsigned keep)
{
	while (l->items > keep) {
		markdown_pop(&l->md);
		l->items--;
	}
}

static void end_table(struct lines *l)
{
	if (!l->table)
		return;
	table_row_end(l->table);
	table_end(l->table);
	free(l->table);
	l->table = NULL;
}

static void end_block(struct lines *l)
{
	end_table(l);
	end_items(l, 0);
	markdown_break(&l->md, 2);
}

static void write_heading(struct lines *l, size_t level, struct span text, bool org)
{
	end_block(l);
	markdown_heading(&l->md, (unsigned)(level < 6 ? level : 6));
	write_text(&l->md, trim(text), org);
	markdown_break(&l->md, 2);
}

/* An item at that depth: deeper ones than it are over. Without a marker it is counted. */
static void write_item(struct lines *l, size_t indent, const char *marker, struct span text, bool org)
{
	char counted[16];
	end_table(l);
	unsigned keep = 0;
	while (keep < l->items && keep < LEVELS - 1 && l->indents[keep] < indent)
		keep++;
	if (l->items == 0)
		markdown_break(&l->md, 2);
	l->numbers[keep] = l->items > keep ? l->numbers[keep] + 1 : 1;
	(void)snprintf(counted, sizeof(counted), "%u. ", l->numbers[keep]);
	end_items(l, keep);
	markdown_push_item(&l->md, marker ? marker : counted);
	l->indents[l->items++] = indent;
	write_text(&l->md, trim(text), org);
	markdown_text(&l->md, span_of(" "));
}

/* "1." or "12)" with a blank after it: how many digits; 0 for none. */
static size_t number_of(struct span s)
{
	size_t n = 0;
	while (n < s.size && n < 9 && s.data[n] >= '0' && s.data[n] <= '9')
		n++;
	return n > 0 && n + 1 < s.size && (s.data[n] == '.' || s.data[n] == ')') && s.data[n + 1] == ' ' ? n : 0;
}

static struct table *open_table(struct lines *l)
{
	if (!l->table) {
		end_items(l, 0);
		l->table = malloc(sizeof(*l->table));
		if (l->table)
			table_begin(l->table, &l->md, 0);
		else
			l->error = -ENOMEM;
	}
	return l->table;
}

static void write_cells(struct lines *l, struct span row, bool org)
{
	while (row.size > 0 && open_table(l)) {
		const char *bar = memchr(row.data, '|', row.size);
		size_t size = bar ? (size_t)(bar - row.data) : row.size;
		write_text(table_cell_begin(l->table), trim((struct span){row.data, size}), org);
		table_cell_end(l->table, 1, 1);
		row = part(row, size + 1);
	}
}

/* Lines to the one that ends the block, kept as they are; a block that nothing ends goes on to the end of the file, as both formats have it. */
static void write_code(struct lines *l, const char *end, bool prefix, struct span language)
{
	end_block(l);
	markdown_code_begin(&l->md, language);
	while (l->rest.size > 0) {
		struct span line = next_line(l);
		if (prefix ? begins(trim(line), end) : line.size == strlen(end) && memcmp(line.data, end, line.size) == 0)
			break;
		markdown_text(&l->md, line);
		markdown_text(&l->md, span_of("\n"));
	}
	markdown_code_end(&l->md);
}

static void skip_to(struct lines *l, const char *end)
{
	while (l->rest.size > 0 && !begins(trim(next_line(l)), end))
		;
}

static void write_plain(struct lines *l, struct span line, bool org)
{
	end_table(l);
	if (line.size == 0) {
		markdown_break(&l->md, 2);
		return;
	}
	/* Text that is not indented is no part of a list. */
	if (l->items > 0 && indent_of(line) == 0 && org)
		end_block(l);
	write_text(&l->md, trim(line), org);
	markdown_text(&l->md, span_of(" "));
}

/* --- Org ----------------------------------------------------------------------------------------------------------- */

static struct span first_word(struct span s)
{
	size_t n = 0;
	s = trim(s);
	while (n < s.size && (unsigned char)s.data[n] > ' ')
		n++;
	return (struct span){s.data, n};
}

/* "#+NAME: value" and "#+BEGIN_SRC". */
static void take_keyword(struct lines *l, struct span line)
{
	if (begins(line, "#+TITLE:")) {
		format_set_title(l->about, part(line, 8));
		write_heading(l, 1, part(line, 8), true);
	} else if (begins(line, "#+BEGIN_SRC")) {
		write_code(l, "#+END_SRC", true, first_word(part(line, 11)));
	} else if (begins(line, "#+BEGIN_EXAMPLE")) {
		write_code(l, "#+END_EXAMPLE", true, (struct span){"", 0});
	} else if (begins(line, "#+BEGIN_COMMENT")) {
		skip_to(l, "#+END_COMMENT");
	} else if (begins(line, "#+BEGIN_QUOTE")) {
		end_block(l);
		markdown_push_quote(&l->md);
	} else if (begins(line, "#+END_QUOTE")) {
		end_block(l);
		markdown_pop(&l->md);
		markdown_break(&l->md, 2);
	} else if (begins(line, "#+CAPTION:")) {
		end_block(l);
		write_text(&l->md, trim(part(line, 10)), true);
		markdown_break(&l->md, 2);
	}
	/* Other keywords are for the program. */
}

/* The tags at the end of a heading, ":work:home:", are dropped. */
static struct span without_tags(struct span s)
{
	s = trim(s);
	size_t at = s.size;
	while (at > 0 && (unsigned char)s.data[at - 1] > ' ')
		at--;
	return at > 0 && s.size - at > 2 && s.data[at] == ':' && s.data[s.size - 1] == ':' ? trim((struct span){s.data, at}) : s;
}

static void take_org_line(struct lines *l, struct span line)
{
	size_t indent = indent_of(line), stars = run_of(line, '*');
	struct span text = part(line, indent);
	size_t digits = number_of(text);
	if (stars > 0 && stars < line.size && line.data[stars] == ' ') {
		write_heading(l, stars, without_tags(part(line, stars)), true);
	} else if (begins(text, "#+")) {
		take_keyword(l, text);
	} else if (begins(text, ":PROPERTIES:") || begins(text, ":LOGBOOK:")) {
		skip_to(l, ":END:");
	} else if (begins(text, "# ") || (text.size == 1 && text.data[0] == '#')) {
		return; /* a comment */
	} else if (begins(text, "|")) {
		if (begins(text, "|-"))
			return;
		write_cells(l, part(text, 1), true);
		if (l->table)
			table_row_end(l->table);
	} else if (begins(text, "- ") || begins(text, "+ ") || (indent > 0 && begins(text, "* "))) {
		write_item(l, indent, "- ", part(text, 2), true);
	} else if (digits > 0) {
		char marker[16];
		(void)snprintf(marker, sizeof(marker), "%.*s. ", (int)digits, text.data);
		write_item(l, indent, marker, part(text, digits + 1), true);
	} else {
		write_plain(l, line, true);
	}
}

/* --- AsciiDoc ------------------------------------------------------------------------------------------------------ */

/* "[source,python]": the language of the block to come; other attributes in brackets are dropped. */
static bool take_attributes(struct lines *l, struct span line)
{
	if (line.size < 2 || line.data[0] != '[' || line.data[line.size - 1] != ']')
		return false;
	const char *comma = begins(line, "[source,") ? line.data + 8 : NULL;
	size_t size = 0;
	for (; comma && comma[size] > ' ' && comma[size] < 0x7f && comma[size] != ',' && comma[size] != ']' && size < LANGUAGE - 1; size++)
		;
	(void)snprintf(l->language, sizeof(l->language), "%.*s", (int)size, comma ? comma : "");
	return true;
}

static bool is_fence(struct span line, char c)
{
	return line.size >= 4 && run_of(line, c) == line.size;
}

static void take_table_line(struct lines *l, struct span line)
{
	if (begins(line, "|===")) {
		l->in_table = false;
		end_block(l);
	} else if (line.size == 0) {
		if (l->table)
			table_row_end(l->table);
	} else {
		if (line.data[0] == '|') {
			/* A line with several cells is a row; single ones gather until a blank line. */
			bool row = memchr(line.data + 1, '|', line.size - 1) != NULL;
			if (row && l->table)
				table_row_end(l->table);
			write_cells(l, part(line, 1), false);
			if (row && l->table)
				table_row_end(l->table);
		} else {
			write_cells(l, line, false);
		}
	}
}

static void take_asciidoc_line(struct lines *l, struct span line, bool first)
{
	size_t equals = run_of(line, '='), stars = run_of(line, '*'), dots = run_of(line, '.'), indent = indent_of(line);
	struct span text = part(line, indent);
	char fence[80];
	if (l->in_table) {
		take_table_line(l, line);
	} else if (equals > 0 && equals < 7 && equals < line.size && line.data[equals] == ' ') {
		if (equals == 1 && first)
			format_set_title(l->about, part(line, 2));
		write_heading(l, equals, part(line, equals), false);
	} else if (is_fence(line, '-') || is_fence(line, '.')) {
		(void)snprintf(fence, sizeof(fence), "%.*s", (int)(line.size < 79 ? line.size : 79), line.data);
		write_code(l, fence, false, span_of(l->language));
		l->language[0] = '\0';
	} else if (is_fence(line, '/')) {
		skip_to(l, "////");
	} else if (is_fence(line, '=') || is_fence(line, '_') || is_fence(line, '*') || (line.size == 2 && begins(line, "--"))) {
		end_block(l); /* what is between is text */
	} else if (begins(line, "//") || (line.size > 2 && line.data[0] == ':' && memchr(line.data + 1, ':', line.size - 1))) {
		return; /* a comment, an attribute of the document */
	} else if (begins(line, "|===")) {
		end_block(l);
		l->in_table = true;
	} else if (take_attributes(l, line) || begins(line, "include::") || begins(line, "image::") || begins(line, "toc::") ||
		   (line.size == 1 && line.data[0] == '+') || (line.size == 3 && begins(line, "'''"))) {
		return;
	} else if (stars > 0 && stars < line.size && line.data[stars] == ' ') {
		write_item(l, stars, "- ", part(line, stars), false);
	} else if (begins(text, "- ")) {
		write_item(l, 0, "- ", part(text, 2), false);
	} else if (dots > 0 && dots < line.size && line.data[dots] == ' ') {
		write_item(l, dots, NULL, part(line, dots), false);
	} else if (dots == 1 && line.size > 1) {
		/* The title of a block. */
		end_block(l);
		write_text(&l->md, part(line, 1), false);
		markdown_break(&l->md, 2);
	} else if (line.size == 0) {
		/* A list goes on after a blank line when another item follows; text then is a paragraph of its own. */
		struct span next = trim((struct span){l->rest.data, l->rest.size < 200 ? l->rest.size : 200});
		if (l->items > 0 && next.size > 0 && !strchr("*-.", next.data[0]))
			end_block(l);
		write_plain(l, line, false);
	} else {
		write_plain(l, line, false);
	}
}

/* --- the document -------------------------------------------------------------------------------------------------- */

static int read_lines(struct span bytes, struct buf *text, struct extract_result *about, bool org)
{
	struct lines l = {.rest = bytes, .about = about};
	markdown_init(&l.md, text, false);
	bool first = true;
	while (l.rest.size > 0 && !buf_error(text) && !l.error) {
		struct span line = next_line(&l);
		if (org)
			take_org_line(&l, line);
		else
			take_asciidoc_line(&l, line, first);
		first = first && line.size == 0;
	}
	end_block(&l);
	if (l.error)
		return l.error;
	if (text->size > 0)
		buf_add_char(text, '\n');
	return buf_error(text);
}

int org_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	return read_lines(bytes, text, about, true);
}

int asciidoc_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	return read_lines(bytes, text, about, false);
}

const struct format format_org = {
	.extractor = {"org", 1, "text/org", TEXT_MARKDOWN, true, NULL},
	.prepare = text_prepare,
	.extract = org_extract,
};

const struct format format_asciidoc = {
	.extractor = {"asciidoc", 1, "text/asciidoc", TEXT_MARKDOWN, true, NULL},
	.prepare = text_prepare,
	.extract = asciidoc_extract,
};
