/* The structure of a text line by line: see outline.h.
 *
 * This is deliberately no parser of Markdown or reStructuredText: cutting needs to know where blocks begin, and a wrong guess costs
 * a less good cut, never a byte. Each line is looked at once, with at most two lines of lookahead, so that no text is slow. */
#include "chunk/outline.h"

#include "base/page_marker.h"

enum {
	FRONT_MATTER_MAX = 16384,
	/* A line longer than this was not wrapped: the next one is a paragraph of its own. */
	WRAPPED_LINE_MAX = 160,
	/* A heading longer than this is a paragraph. */
	HEADING_LINE_MAX = 200,
	FENCE_MIN = 3,
};

static bool is_blank_line(struct span line)
{
	for (size_t i = 0; i < line.size; i++)
		if (line.data[i] != ' ' && line.data[i] != '\t')
			return false;
	return true;
}

static size_t indentation(struct span line)
{
	size_t columns = 0;
	for (size_t i = 0; i < line.size; i++) {
		if (line.data[i] == ' ')
			columns++;
		else if (line.data[i] == '\t')
			columns += 4 - columns % 4;
		else
			break;
	}
	return columns;
}

static struct span trimmed(struct span s)
{
	while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
		s.data++, s.size--;
	while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
		s.size--;
	return s;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static struct span line_at(struct span text, size_t at)
{
	if (at >= text.size)
		return (struct span){text.data + text.size, 0};
	const char *end = memchr(text.data + at, '\n', text.size - at);
	return (struct span){text.data + at, (end ? (size_t)(end - text.data) : text.size) - at};
}

/* Only as much of the line as deciding needs: a heading's underline is short, and peeking must not be quadratic. */
static struct span peek(const struct outline *o, size_t at)
{
	size_t left = at < o->text.size ? o->text.size - at : 0;
	if (left == 0)
		return (struct span){o->text.data + o->text.size, 0};
	size_t limit = left < HEADING_LINE_MAX + 64 ? left : HEADING_LINE_MAX + 64;
	return line_at((struct span){o->text.data, at + limit}, at);
}

/* The bytes of `s` are all `c`, at least `min` of them. */
static bool is_run_of(struct span s, char c, size_t min)
{
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] != c)
			return false;
	return s.size >= min;
}

/* "- x", "* x", "+ x", "12. x", "3) x", "#. x"; `s` begins at its first character. */
static bool is_list_item(struct span s)
{
	size_t i = 0;
	if (s.size > 0 && (s.data[0] == '-' || s.data[0] == '*' || s.data[0] == '+')) {
		i = 1;
	} else {
		while (i < s.size && i < 9 && is_digit(s.data[i]))
			i++;
		if (i == 0 && s.size > 0 && s.data[0] == '#')
			i = 1;
		if (i == 0 || i >= s.size || (s.data[i] != '.' && s.data[i] != ')'))
			return false;
		i++;
	}
	return i == s.size || s.data[i] == ' ' || s.data[i] == '\t';
}

/* --- what the syntaxes share --------------------------------------------------------------------------------------- */

static struct mark make_mark(enum boundary before)
{
	return (struct mark){.before = before};
}

static struct mark heading_mark(struct outline *o, unsigned level, struct span text)
{
	o->in_list = o->in_table = o->in_quote = o->in_literal = false;
	return (struct mark){.before = BOUNDARY_SECTION, .level = level, .heading = text};
}

/* A block begins: weaker where the line before introduces it. */
static enum boundary block_boundary(const struct outline *o)
{
	return o->after_colon ? BOUNDARY_LINE : BOUNDARY_BLOCK;
}

static struct mark list_item(struct outline *o, size_t indent)
{
	bool nested = indent >= 2 && o->in_list;
	enum boundary before = o->in_list       ? (nested ? BOUNDARY_LINE : BOUNDARY_ITEM)
	                       : o->after_blank ? block_boundary(o)
	                                        : BOUNDARY_ITEM;
	o->in_list = true;
	return make_mark(before);
}

/* A line of prose that begins nothing special. */
static struct mark prose_line(struct outline *o, size_t indent)
{
	if (o->in_list && o->after_blank) {
		if (indent >= 2)
			return make_mark(BOUNDARY_LINE);
		o->in_list = false;
	}
	if (o->after_blank || o->after_block)
		return make_mark(block_boundary(o));
	return make_mark(o->last_size > WRAPPED_LINE_MAX ? BOUNDARY_ITEM : BOUNDARY_WRAP);
}

/* --- Markdown ------------------------------------------------------------------------------------------------------ */

/* The end of "---" or "+++" front matter at the beginning of the text, 0 when there is none. */
static size_t front_matter_end(struct span text)
{
	struct span first = line_at(text, 0);
	if (first.size != 3 || (memcmp(first.data, "---", 3) != 0 && memcmp(first.data, "+++", 3) != 0))
		return 0;
	size_t limit = text.size < FRONT_MATTER_MAX ? text.size : FRONT_MATTER_MAX;
	for (size_t at = first.size + 1; at < limit;) {
		struct span line = line_at((struct span){text.data, limit}, at);
		size_t end = at + line.size;
		if (span_equal(line, first) || (line.size == 3 && memcmp(line.data, "...", 3) == 0))
			return end < text.size ? end + 1 : end;
		at = end + 1;
	}
	return 0;
}

static unsigned atx_level(struct span s)
{
	unsigned level = 0;
	while (level < s.size && level < 7 && s.data[level] == '#')
		level++;
	if (level == 0 || level > 6 || (level < s.size && s.data[level] != ' ' && s.data[level] != '\t'))
		return 0;
	return level;
}

static struct span atx_text(struct span s, unsigned level)
{
	struct span text = trimmed((struct span){s.data + level, s.size - level});
	size_t end = text.size;
	while (end > 0 && text.data[end - 1] == '#')
		end--;
	if (end == 0 || text.data[end - 1] == ' ' || text.data[end - 1] == '\t')
		text.size = end;
	return trimmed(text);
}

/* Level of a heading whose underline `line` is: 1 for "===", 2 for "---", else 0. */
static unsigned setext_level(struct span line)
{
	struct span s = trimmed(line);
	if (s.size == 0 || indentation(line) > 3)
		return 0;
	return is_run_of(s, '=', 1) ? 1 : is_run_of(s, '-', 2) ? 2 : 0;
}

static bool is_thematic_break(struct span s)
{
	size_t marks = 0;
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] == s.data[0])
			marks++;
		else if (s.data[i] != ' ' && s.data[i] != '\t')
			return false;
	}
	return marks >= 3 && (s.data[0] == '-' || s.data[0] == '*' || s.data[0] == '_');
}

static size_t fence_size(struct span s)
{
	size_t n = 0;
	if (s.size == 0 || (s.data[0] != '`' && s.data[0] != '~'))
		return 0;
	while (n < s.size && s.data[n] == s.data[0])
		n++;
	if (n < FENCE_MIN || (s.data[0] == '`' && memchr(s.data + n, '`', s.size - n)))
		return 0;
	return n;
}

/* "|---|:--:|" and the like. */
static bool is_table_rule(struct span line)
{
	bool dash = false, bar = false;
	for (size_t i = 0; i < line.size; i++) {
		char c = line.data[i];
		dash = dash || c == '-';
		bar = bar || c == '|';
		if (c != '-' && c != '|' && c != ':' && c != ' ' && c != '\t')
			return false;
	}
	return dash && bar;
}

static struct mark fenced_line(struct outline *o, struct span s)
{
	size_t n = s.size > 0 && s.data[0] == o->fence ? fence_size(s) : 0;
	bool begins = o->fence_begins;
	o->fence_begins = false;
	if (n >= o->fence_size && n == s.size) {
		o->fence = 0;
		o->ends_block = true;
		return make_mark(BOUNDARY_GLUE);
	}
	return make_mark(begins ? BOUNDARY_GLUE : o->after_blank ? BOUNDARY_ITEM : BOUNDARY_LINE);
}

static struct mark table_row(struct outline *o)
{
	/* The head, its rule and the first row stay together. */
	return make_mark(++o->table_rows <= 2 ? BOUNDARY_GLUE : BOUNDARY_ITEM);
}

static struct mark quote_line(struct outline *o, struct span s)
{
	bool was = o->in_quote && !o->after_blank;
	o->in_quote = true;
	/* ">" alone is the blank line of a quote. */
	o->ends_block = s.size == 1;
	return make_mark(!was ? block_boundary(o) : o->after_block ? BOUNDARY_ITEM : BOUNDARY_WRAP);
}

static struct mark markdown_block(struct outline *o, struct span s, size_t indent, size_t after)
{
	size_t fence = fence_size(s);
	if (fence > 0) {
		enum boundary before = o->in_list && indent >= 2 ? BOUNDARY_LINE : block_boundary(o);
		o->fence = s.data[0];
		o->fence_size = fence;
		o->fence_begins = true;
		return make_mark(before);
	}
	if (s.data[0] == '>')
		return quote_line(o, s);
	o->in_quote = false;
	if (is_thematic_break(s)) {
		o->in_list = false;
		o->ends_block = true;
		return make_mark(BOUNDARY_BLOCK);
	}
	if (is_list_item(s))
		return list_item(o, indent);
	if (memchr(s.data, '|', s.size) && is_table_rule(peek(o, after))) {
		o->in_table = true;
		o->table_rows = 0;
		return make_mark(block_boundary(o));
	}
	if (indent >= 4 && !o->in_list && (o->after_blank || o->in_literal)) {
		bool was = o->in_literal;
		o->in_literal = true;
		return make_mark(!was ? block_boundary(o) : o->after_blank ? BOUNDARY_ITEM : BOUNDARY_LINE);
	}
	o->in_literal = false;
	return prose_line(o, indent);
}

static struct mark markdown_line(struct outline *o, struct span line, size_t after)
{
	struct span s = trimmed(line);
	size_t indent = indentation(line);
	if (o->fence)
		return fenced_line(o, s);
	unsigned level = indent < 4 ? atx_level(s) : 0;
	if (level)
		return heading_mark(o, level, atx_text(s, level));
	if (o->in_table && !o->after_blank && memchr(s.data, '|', s.size))
		return table_row(o);
	o->in_table = false;
	bool paragraph_begins = o->after_blank || o->first || o->after_block || o->after_heading;
	if (paragraph_begins && indent < 4 && s.size <= HEADING_LINE_MAX && !is_list_item(s) && s.data[0] != '>' &&
	    s.data[0] != '<' && (level = setext_level(peek(o, after))) > 0 && setext_level(line) == 0) {
		o->skip = 1;
		return heading_mark(o, level, s);
	}
	return markdown_block(o, s, indent, after);
}

/* --- reStructuredText and plain text ------------------------------------------------------------------------------- */

/* The character of a line made of one punctuation character repeated (docutils: a section title adornment), else 0. */
static char adornment(struct span line)
{
	static const char allowed[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
	if (line.size < 2 || line.data[0] == '\0' || !strchr(allowed, line.data[0]) || !is_run_of(line, line.data[0], 2))
		return 0;
	return line.data[0];
}

/* Characters, near enough for comparing a title's width with its underline's. */
static size_t width(struct span s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.size; i++)
		n += ((unsigned char)s.data[i] & 0xc0) != 0x80;
	return n;
}

static unsigned adornment_level(struct outline *o, uint8_t style)
{
	for (unsigned i = 0; i < o->adornment_count; i++)
		if (o->adornments[i] == style)
			return i + 1;
	if (o->adornment_count < ADORNMENTS_MAX)
		o->adornments[o->adornment_count++] = style;
	return o->adornment_count;
}

static bool is_title(struct span line)
{
	return line.size > 0 && line.size <= HEADING_LINE_MAX && line.data[0] != ' ' && !is_blank_line(line) && !adornment(line);
}

/* A title with a line of punctuation under it, or over and under it. */
static bool adorned_heading(struct outline *o, struct span line, size_t after, struct mark *ret)
{
	struct span next = peek(o, after);
	char c = adornment(line);
	if (c) {
		struct span title = trimmed(next), under = peek(o, after + next.size + 1);
		if (is_blank_line(next) || next.size > HEADING_LINE_MAX || adornment(next) || !span_equal(line, under) ||
		    width(title) > line.size)
			return false;
		o->skip = 2;
		*ret = heading_mark(o, adornment_level(o, (uint8_t)c | 0x80), title);
		return true;
	}
	c = is_title(line) ? adornment(next) : 0;
	if (!c || next.size < 3 || width(trimmed(line)) > next.size)
		return false;
	o->skip = 1;
	*ret = heading_mark(o, adornment_level(o, (uint8_t)c), trimmed(line));
	return true;
}

static bool ends_with_double_colon(struct span s)
{
	return s.size >= 2 && s.data[s.size - 1] == ':' && s.data[s.size - 2] == ':';
}

static struct mark rst_line(struct outline *o, struct span line, size_t after)
{
	struct span s = trimmed(line);
	size_t indent = indentation(line);
	struct mark mark;
	if (o->in_literal && indent > 0)
		return make_mark(o->after_blank ? BOUNDARY_ITEM : BOUNDARY_LINE);
	o->in_literal = false;
	if ((o->after_blank || o->first || o->after_heading) && indent == 0 && adorned_heading(o, line, after, &mark))
		return mark;
	bool directive = span_starts_with(s, ".. ");
	if (directive || ends_with_double_colon(s))
		o->in_literal = true;
	if (directive) {
		o->in_list = o->in_list && indent > 0;
		return make_mark(block_boundary(o));
	}
	if (s.data[0] == '|' || s.data[0] == '+' || adornment(s))
		return make_mark(o->after_blank ? block_boundary(o) : BOUNDARY_LINE);
	return is_list_item(s) ? list_item(o, indent) : prose_line(o, indent);
}

/* A heading of plain text that can hardly be anything else: "3.1 Title" on a line of its own at the margin, or a short line in
 * capitals (manual pages). */
static unsigned plain_heading_level(const struct outline *o, struct span line, size_t after)
{
	if (!(o->after_blank || o->first) || line.size > 80 || line.size < 4)
		return 0;
	char last = line.data[line.size - 1];
	if (strchr(".,;:-", last))
		return 0;
	struct span next = peek(o, after);
	unsigned dots = 0;
	size_t i = 0;
	while (i < line.size && (is_digit(line.data[i]) || (line.data[i] == '.' && i > 0)))
		dots += line.data[i++] == '.';
	if (dots > 0 && i + 1 < line.size && line.data[i - 1] != '.' && line.data[i] == ' ' && is_blank_line(next)) {
		while (i < line.size && line.data[i] == ' ')
			i++;
		return i < line.size && is_upper(line.data[i]) ? dots + 1 : 0;
	}
	unsigned letters = 0;
	for (i = 0; i < line.size; i++) {
		letters += is_upper(line.data[i]);
		if (!is_upper(line.data[i]) && line.data[i] != ' ' && line.data[i] != '-' && line.data[i] != '/')
			return 0;
	}
	return letters >= 4 && is_upper(line.data[0]) && indentation(next) > 0 ? 1 : 0;
}

static struct mark plain_line(struct outline *o, struct span line, size_t after)
{
	struct span s = trimmed(line);
	size_t indent = indentation(line);
	struct mark mark;
	if ((o->after_blank || o->first) && indent == 0) {
		unsigned level = plain_heading_level(o, line, after);
		if (level)
			return heading_mark(o, level, s);
		struct span next = peek(o, after);
		if ((adornment(next) == '=' || adornment(next) == '-') && width(s) == next.size &&
		    adorned_heading(o, line, after, &mark))
			return mark;
	}
	return is_list_item(s) ? list_item(o, indent) : prose_line(o, indent);
}

/* --- code and tables ----------------------------------------------------------------------------------------------- */

static bool is_closing(struct span s)
{
	return s.data[0] == '}' || s.data[0] == ')' || s.data[0] == ']' || span_starts_with(s, "end") ||
	       span_starts_with(s, "else");
}

static struct mark code_line(struct outline *o, struct span line)
{
	struct span s = trimmed(line);
	size_t indent = indentation(line);
	if (is_closing(s))
		return make_mark(o->after_blank ? BOUNDARY_LINE : BOUNDARY_WRAP);
	if (o->after_blank)
		return make_mark(indent == 0 ? BOUNDARY_BLOCK : indent <= 4 ? BOUNDARY_ITEM : BOUNDARY_LINE);
	return make_mark(indent == 0 && o->last_indent > 0 ? BOUNDARY_ITEM : BOUNDARY_LINE);
}

static struct mark table_line(struct outline *o)
{
	return make_mark(++o->table_rows <= 2 ? BOUNDARY_GLUE : BOUNDARY_ITEM);
}

/* --- all ----------------------------------------------------------------------------------------------------------- */

void outline_init(struct outline *o, enum chunk_syntax syntax, struct span text)
{
	*o = (struct outline){.syntax = syntax, .text = text, .first = true};
	if (syntax == CHUNK_MARKDOWN)
		o->front_matter_end = front_matter_end(text);
}

static struct mark line_of_syntax(struct outline *o, struct span line, size_t after)
{
	switch (o->syntax) {
	case CHUNK_MARKDOWN:
		return markdown_line(o, line, after);
	case CHUNK_RST:
		return rst_line(o, line, after);
	case CHUNK_CODE:
		return code_line(o, line);
	case CHUNK_TABLE:
		return table_line(o);
	case CHUNK_PLAIN:
		break;
	}
	return plain_line(o, line, after);
}

struct mark outline_line(struct outline *o, struct span line, size_t after)
{
	if (o->skip > 0) {
		o->skip--;
		return (struct mark){.before = BOUNDARY_GLUE, .filler = true};
	}
	if (is_blank_line(line)) {
		o->after_blank = true;
		return (struct mark){.before = BOUNDARY_GLUE, .filler = true};
	}
	uint32_t page;
	if (!o->fence && (o->syntax == CHUNK_MARKDOWN || o->syntax == CHUNK_PLAIN) && page_marker_parse(line, &page)) {
		o->after_blank = true;
		return (struct mark){.before = BOUNDARY_PAGE, .filler = true, .page = page};
	}
	o->ends_block = after <= o->front_matter_end;
	struct mark mark = o->ends_block ? make_mark(BOUNDARY_LINE) : line_of_syntax(o, line, after);
	if (o->after_heading && mark.level == 0)
		mark.before = BOUNDARY_GLUE;
	o->after_block = o->ends_block;
	o->after_heading = mark.level != 0;
	o->after_colon = line.data[line.size - 1] == ':';
	o->after_blank = o->first = false;
	o->last_size = line.size;
	o->last_indent = indentation(line);
	return mark;
}
