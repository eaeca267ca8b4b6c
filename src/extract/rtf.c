/* RTF (Rich Text Format specification 1.9.1) -> Markdown. A stream of groups, control words and bytes in the code page of the current font;
 * what is not text is in destinations, most of which are passed by. */
#include "extract/decode.h"
#include "extract/format.h"
#include "extract/table.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { RTF_DEPTH = 1000, RTF_FONTS = 4096, RTF_STYLES = 4096, WORD_SIZE = 32, LINE_BYTES = 1 << 20 };

enum destination { TO_TEXT, TO_NOTE, TO_NOTHING, TO_FONTS, TO_STYLES, TO_TITLE, TO_LIST_MARK, TO_LINK };

struct group {
	enum destination destination;
	bool hidden;
	int font, unicode_skip;
};

struct rtf {
	struct span in;
	size_t at;
	struct buf *text;
	struct extract_result *about;
	struct markdown md;
	struct markdown *out; /* md or a table's cell */
	struct group groups[RTF_DEPTH];
	size_t depth;		 /* of the current group */
	size_t too_deep;	 /* groups open beyond RTF_DEPTH: left out */
	bool star;		 /* "\*": an unknown destination may be passed by */
	bool group_begins;	 /* a destination's word comes first in its group */
	int code_page, skip;	 /* skip: characters that stand in for a \u */
	uint32_t high_surrogate;
	unsigned short font_sets[RTF_FONTS]; /* code page of each font, 0: the document's */
	unsigned char headings[RTF_STYLES];  /* level of each paragraph style */
	int font, style;		     /* being defined */
	struct buf bytes;		     /* not decoded yet */
	struct buf title, mark, link;
	struct table *table;
	bool row_begun, cell_begun;
	/* The paragraph. */
	unsigned heading;
	bool begun, item_open, after_item, link_open;
	int error;
};

/* Code pages of \fcharset (spec, font table). */
static unsigned short page_of_charset(int charset)
{
	static const struct {
		int charset;
		unsigned short page;
	} pages[] = {{0, 1252},	  {77, 10000}, {128, 932}, {129, 949}, {134, 936}, {136, 950}, {161, 1253}, {162, 1254},
		     {163, 1258}, {177, 1255}, {178, 1256}, {186, 1257}, {204, 1251}, {222, 874}, {238, 1250}, {255, 437}};
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (pages[i].charset == charset)
			return pages[i].page;
	return 0;
}

static struct group *group(struct rtf *r)
{
	return &r->groups[r->depth];
}

/* --- text out ------------------------------------------------------------------------------------------------------ */

static void begin_item(struct rtf *r)
{
	struct span mark = buf_span(&r->mark);
	size_t digits = 0;
	while (digits < mark.size && mark.data[digits] >= '0' && mark.data[digits] <= '9')
		digits++;
	bool number = digits > 0 && digits < 9 && digits < mark.size && (mark.data[digits] == '.' || mark.data[digits] == ')');
	char marker[24];
	(void)snprintf(marker, sizeof(marker), number ? "%.*s " : "- ", number ? (int)digits + 1 : 0, mark.data);
	if (!r->after_item)
		markdown_break(r->out, 2);
	markdown_push_item(r->out, marker);
	r->item_open = true;
}

static void begin_paragraph(struct rtf *r)
{
	if (r->begun)
		return;
	r->begun = true;
	if (r->table)
		markdown_break(r->out, 1);
	else if (r->heading > 0)
		markdown_heading(r->out, r->heading);
	else if (r->mark.size > 0)
		begin_item(r);
	else
		markdown_break(r->out, 2);
	buf_reset(&r->mark);
}

static void end_table(struct rtf *r)
{
	if (!r->table)
		return;
	if (r->cell_begun) {
		table_cell_end(r->table, 1, 1);
		table_row_end(r->table);
	}
	table_end(r->table);
	free(r->table);
	r->table = NULL;
	r->cell_begun = r->begun = r->row_begun = false;
	r->out = &r->md;
}

/* Text outside a row ends the table. */
static void begin_cell(struct rtf *r)
{
	if (r->table && !r->row_begun)
		end_table(r);
	if (r->table && !r->cell_begun) {
		r->out = table_cell_begin(r->table);
		r->cell_begun = true;
	}
}

static void add_utf8(struct rtf *r, struct span s)
{
	switch (group(r)->destination) {
	case TO_TEXT:
	case TO_NOTE:
		if (group(r)->hidden)
			return;
		if (r->row_begun)
			begin_cell(r);
		for (size_t i = 0; i < s.size; i++)
			if ((unsigned char)s.data[i] > ' ') {
				begin_cell(r);
				begin_paragraph(r);
				break;
			}
		markdown_text(r->out, s);
		return;
	case TO_TITLE:
		buf_add_span(&r->title, s);
		return;
	case TO_LIST_MARK:
		buf_add_span(&r->mark, s);
		return;
	case TO_LINK:
		buf_add_span(&r->link, s);
		return;
	default:
		return;
	}
}

static void flush_bytes(struct rtf *r)
{
	if (r->bytes.size == 0)
		return;
	struct span bytes = buf_span(&r->bytes);
	if (utf8_ascii_prefix(bytes) == bytes.size) {
		add_utf8(r, bytes);
	} else {
		char set[DECODE_NAME_SIZE];
		int font = group(r)->font, page = font >= 0 && font < RTF_FONTS && r->font_sets[font] ? r->font_sets[font] : r->code_page;
		struct buf utf8;
		buf_init(&utf8, LINE_BYTES * 4);
		decode_code_page(page, set);
		if (decode_from_preloaded(set, bytes, &utf8) == 0)
			add_utf8(r, buf_span(&utf8));
		buf_release(&utf8);
	}
	buf_reset(&r->bytes);
}

static void add_byte(struct rtf *r, char c)
{
	if (r->skip > 0) {
		r->skip--;
		return;
	}
	if (group(r)->destination == TO_NOTHING)
		return;
	buf_add_char(&r->bytes, c);
	if (r->bytes.size >= LINE_BYTES / 2)
		flush_bytes(r);
}

static void add_code_point(struct rtf *r, uint32_t c)
{
	char bytes[4];
	flush_bytes(r);
	if (c >= 0xd800 && c < 0xdc00) {
		r->high_surrogate = c;
		return;
	}
	if (c >= 0xdc00 && c < 0xe000 && r->high_surrogate)
		c = 0x10000 + ((r->high_surrogate - 0xd800) << 10) + (c - 0xdc00);
	r->high_surrogate = 0;
	add_utf8(r, (struct span){bytes, utf8_encode(c, bytes)});
}

static void end_paragraph(struct rtf *r)
{
	flush_bytes(r);
	if (group(r)->destination != TO_TEXT)
		return;
	if (r->item_open)
		markdown_pop(r->out);
	if (r->begun)
		r->after_item = r->item_open;
	r->item_open = r->begun = false;
	markdown_break(r->out, r->heading ? 2 : 1);
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static void begin_row(struct rtf *r)
{
	r->row_begun = true;
	if (r->table || r->error)
		return;
	end_paragraph(r);
	r->table = malloc(sizeof(*r->table));
	if (r->table)
		table_begin(r->table, &r->md, 0);
	else
		r->error = -ENOMEM;
	r->after_item = false;
}

static void end_cell(struct rtf *r)
{
	flush_bytes(r);
	if (!r->table) { /* a cell of no row: what follows must not stick to it */
		end_paragraph(r);
		return;
	}
	begin_cell(r);
	if (!r->table) /* the cell's end stood outside of a row, which ended the table */
		return;
	table_cell_end(r->table, 1, 1);
	r->cell_begun = r->begun = false;
	r->out = &r->md;
}

static void end_row(struct rtf *r)
{
	flush_bytes(r);
	if (r->table && !r->cell_begun)
		table_row_end(r->table);
}

/* --- links --------------------------------------------------------------------------------------------------------- */

static void begin_result(struct rtf *r)
{
	struct span field = buf_span(&r->link);
	if (!memmem(field.data, field.size, "HYPERLINK", 9) || r->heading || r->link_open)
		return;
	r->link_open = true;
	markdown_link_begin(r->out);
}

/* The target stands in quotes: HYPERLINK "https://..." . */
static void end_field(struct rtf *r)
{
	flush_bytes(r);
	const char *open = r->link.data ? strchr(r->link.data, '"') : NULL;
	const char *close = open ? strchr(open + 1, '"') : NULL;
	char target[256];
	if (r->link_open && close && close - open < (long)sizeof(target)) {
		(void)snprintf(target, sizeof(target), "%.*s", (int)(close - open - 1), open + 1);
		markdown_link_end(r->out, target);
	}
	r->link_open = false;
	buf_reset(&r->link);
}

/* --- control words ------------------------------------------------------------------------------------------------- */

/* Words that begin a destination and where it goes. Footnotes and comments stay where they are referred to. */
static const struct {
	const char *word;
	enum destination destination;
} destinations[] = {
	{"fonttbl", TO_FONTS},	    {"stylesheet", TO_STYLES},	 {"title", TO_TITLE},	    {"listtext", TO_LIST_MARK}, {"pntext", TO_LIST_MARK},
	{"fldinst", TO_LINK},	    {"info", TO_NOTHING},	 {"colortbl", TO_NOTHING},  {"pict", TO_NOTHING},	{"objdata", TO_NOTHING},
	{"header", TO_NOTHING},	    {"headerl", TO_NOTHING},	 {"headerr", TO_NOTHING},   {"headerf", TO_NOTHING},	{"footer", TO_NOTHING},
	{"footerl", TO_NOTHING},    {"footerr", TO_NOTHING},	 {"footerf", TO_NOTHING},   {"nonshppict", TO_NOTHING}, {"bkmkstart", TO_NOTHING},
	{"bkmkend", TO_NOTHING},    {"themedata", TO_NOTHING},	 {"datastore", TO_NOTHING}, {"xe", TO_NOTHING},		{"tc", TO_NOTHING},
	{"filetbl", TO_NOTHING},    {"revtbl", TO_NOTHING},	 {"rsidtbl", TO_NOTHING},   {"generator", TO_NOTHING},	{"listtable", TO_NOTHING},
	{"author", TO_NOTHING},	    {"operator", TO_NOTHING},	 {"annotation", TO_NOTE},   {"footnote", TO_NOTE},	{"shptxt", TO_TEXT},
	{"ud", TO_TEXT},	    {"upr", TO_TEXT},
};

static bool begin_destination(struct rtf *r, const char *word)
{
	if (!r->group_begins)
		return false;
	for (size_t i = 0; i < sizeof(destinations) / sizeof(destinations[0]); i++) {
		if (strcmp(destinations[i].word, word) != 0)
			continue;
		/* What is inside something left out stays so, but for the title inside info. */
		bool title = destinations[i].destination == TO_TITLE;
		if (group(r)->destination != TO_NOTHING || title)
			group(r)->destination = destinations[i].destination;
		if (group(r)->destination == TO_NOTE)
			add_utf8(r, span_of(" "));
		return true;
	}
	if (r->star)
		group(r)->destination = TO_NOTHING;
	return r->star;
}

static bool symbol(struct rtf *r, const char *word)
{
	static const struct {
		const char *word;
		unsigned short code_point;
	} symbols[] = {{"tab", ' '},	     {"emdash", 0x2014},    {"endash", 0x2013},	   {"lquote", 0x2018}, {"rquote", 0x2019},
		       {"ldblquote", 0x201c}, {"rdblquote", 0x201d}, {"bullet", 0x2022},	   {"emspace", ' '},   {"enspace", ' '}};
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (strcmp(symbols[i].word, word) == 0) {
			add_code_point(r, symbols[i].code_point);
			return true;
		}
	return false;
}

static void define(struct rtf *r, const char *word, long value)
{
	if (group(r)->destination == TO_FONTS) {
		if (strcmp(word, "f") == 0)
			r->font = value >= 0 && value < RTF_FONTS ? (int)value : -1;
		else if (strcmp(word, "fcharset") == 0 && r->font >= 0)
			r->font_sets[r->font] = page_of_charset((int)value);
	} else if (group(r)->destination == TO_STYLES) {
		if (strcmp(word, "s") == 0)
			r->style = value >= 0 && value < RTF_STYLES ? (int)value : -1;
		else if (strcmp(word, "outlinelevel") == 0 && r->style >= 0 && value >= 0 && value < 9)
			r->headings[r->style] = (unsigned char)(value < 6 ? value + 1 : 6);
	}
}

static void paragraph_word(struct rtf *r, const char *word, long value)
{
	if (strcmp(word, "par") == 0 || strcmp(word, "sect") == 0 || strcmp(word, "page") == 0) {
		if (r->table && !r->row_begun)
			end_table(r);
		end_paragraph(r);
	} else if (strcmp(word, "line") == 0) {
		flush_bytes(r);
		if (r->begun)
			r->heading || r->table ? markdown_text(r->out, span_of(" ")) : markdown_break(r->out, 1);
	} else if (strcmp(word, "pard") == 0) {
		flush_bytes(r);
		if (!r->begun)
			r->heading = 0;
		if (r->table && !r->cell_begun)
			r->row_begun = false; /* unless \intbl follows */
	} else if (strcmp(word, "intbl") == 0 || strcmp(word, "trowd") == 0) {
		begin_row(r);
	} else if (strcmp(word, "cell") == 0 || strcmp(word, "nestcell") == 0) {
		end_cell(r);
	} else if (strcmp(word, "row") == 0 || strcmp(word, "nestrow") == 0) {
		end_row(r);
	} else if (strcmp(word, "s") == 0 && value >= 0 && value < RTF_STYLES && !r->begun) {
		r->heading = r->headings[value];
	} else if (strcmp(word, "outlinelevel") == 0 && value >= 0 && value < 9 && !r->begun) {
		r->heading = value < 6 ? (unsigned)value + 1 : 6;
	}
}

static void control_word(struct rtf *r, const char *word, bool has_value, long value)
{
	bool destination = begin_destination(r, word);
	r->star = r->group_begins = false;
	if (strcmp(word, "fldrslt") == 0)
		begin_result(r);
	if (destination)
		return;
	if (strcmp(word, "u") == 0 && has_value) {
		add_code_point(r, (uint32_t)(value < 0 ? value + 65536 : value) & 0x1fffff);
		r->skip = group(r)->unicode_skip;
		return;
	}
	if (symbol(r, word))
		return;
	if (strcmp(word, "uc") == 0) {
		group(r)->unicode_skip = value >= 0 && value < 16 ? (int)value : 1;
	} else if (strcmp(word, "ansicpg") == 0) {
		r->code_page = (int)value;
	} else if (group(r)->destination == TO_FONTS || group(r)->destination == TO_STYLES) {
		define(r, word, value);
	} else if (strcmp(word, "f") == 0) {
		flush_bytes(r);
		group(r)->font = (int)value;
	} else if (strcmp(word, "v") == 0 || strcmp(word, "deleted") == 0) {
		flush_bytes(r);
		group(r)->hidden = !has_value || value != 0;
	} else if (strcmp(word, "plain") == 0) {
		flush_bytes(r);
		group(r)->hidden = false;
	} else if (strcmp(word, "bin") == 0 && value > 0) {
		size_t left = r->in.size - r->at;
		r->at += (size_t)value < left ? (size_t)value : left;
	} else if (group(r)->destination == TO_TEXT) {
		paragraph_word(r, word, value);
	} else if (group(r)->destination == TO_NOTE && strcmp(word, "par") == 0) {
		add_byte(r, ' '); /* a note stands in its paragraph */
	}
}

/* --- the stream ---------------------------------------------------------------------------------------------------- */

static void open_group(struct rtf *r)
{
	flush_bytes(r);
	r->skip = 0;
	if (r->depth + 1 >= RTF_DEPTH) {
		r->too_deep++;
		return;
	}
	r->groups[r->depth + 1] = r->groups[r->depth];
	r->depth++;
	r->group_begins = true;
	r->star = false;
}

static void close_group(struct rtf *r)
{
	flush_bytes(r);
	r->skip = 0;
	if (r->too_deep > 0) {
		r->too_deep--;
		return;
	}
	if (r->depth == 0)
		return;
	enum destination ended = group(r)->destination;
	r->depth--;
	if (ended == TO_NOTE && group(r)->destination != TO_NOTE)
		add_utf8(r, span_of(" "));
	/* A field is its instruction and its result, in groups of their own: the link ends where the group around both does. */
	if (r->link_open && ended == TO_TEXT)
		end_field(r);
}

static void hex_byte(struct rtf *r)
{
	unsigned value = 0;
	for (int i = 0; i < 2 && r->at < r->in.size; i++, r->at++) {
		char c = r->in.data[r->at];
		int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
		if (digit < 0)
			return;
		value = value * 16 + (unsigned)digit;
	}
	if (value > 0)
		add_byte(r, (char)value);
}

static void control(struct rtf *r)
{
	char c = r->at < r->in.size ? r->in.data[r->at] : '\0';
	if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) {
		r->at += r->at < r->in.size;
		if (c == '\'')
			hex_byte(r);
		else if (c == '*')
			r->star = r->group_begins; /* elsewhere it is a mistake of the writer's */
		else if (c == '~' || c == '_')
			add_code_point(r, c == '~' ? ' ' : '-');
		else if (c == '\\' || c == '{' || c == '}')
			add_byte(r, c);
		else if (c == '\n' || c == '\r')
			paragraph_word(r, "par", 0);
		return;
	}
	char word[WORD_SIZE];
	size_t size = 0;
	for (; r->at < r->in.size && (r->in.data[r->at] | 0x20) >= 'a' && (r->in.data[r->at] | 0x20) <= 'z'; r->at++)
		if (size < sizeof(word) - 1)
			word[size++] = r->in.data[r->at];
	word[size] = '\0';
	bool negative = r->at < r->in.size && r->in.data[r->at] == '-', has_value = false;
	r->at += negative;
	long value = 0;
	for (; r->at < r->in.size && r->in.data[r->at] >= '0' && r->in.data[r->at] <= '9'; r->at++, has_value = true)
		value = value < 100000000 ? value * 10 + (r->in.data[r->at] - '0') : value;
	r->at += r->at < r->in.size && r->in.data[r->at] == ' ';
	control_word(r, word, has_value, negative ? -value : value);
}

static void read_all(struct rtf *r)
{
	while (r->at < r->in.size && !buf_error(r->text) && r->error == 0) {
		char c = r->in.data[r->at++];
		if (c == '{')
			open_group(r);
		else if (c == '}')
			close_group(r);
		else if (r->too_deep > 0)
			continue;
		else if (c == '\\')
			control(r);
		else if (c != '\r' && c != '\n' && c != '\0') {
			r->group_begins = false;
			/* The names of styles are English: "heading 1;". */
			if (group(r)->destination == TO_STYLES && r->style >= 0 && (c | 0x20) == 'h' &&
			    r->in.size - r->at > 8 && strncasecmp(r->in.data + r->at - 1, "heading ", 8) == 0) {
				char level = r->in.data[r->at + 7];
				if (level >= '1' && level <= '9')
					r->headings[r->style] = (unsigned char)(level <= '6' ? level - '0' : 6);
			}
			add_byte(r, c);
		}
	}
}

int rtf_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct rtf *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = (struct rtf){.in = bytes, .text = text, .about = about, .code_page = 1252, .font = -1, .style = -1};
	r->groups[0] = (struct group){.font = -1, .unicode_skip = 1};
	r->out = &r->md;
	markdown_init(&r->md, text, false);
	buf_init(&r->bytes, LINE_BYTES);
	buf_init(&r->title, 4096);
	buf_init(&r->mark, 256);
	buf_init(&r->link, 4096);
	read_all(r);
	r->depth = 0;
	flush_bytes(r);
	end_table(r);
	end_paragraph(r);
	if (text->size > 0)
		buf_add_char(text, '\n');
	format_set_title(about, buf_span(&r->title));
	buf_release(&r->bytes);
	buf_release(&r->title);
	buf_release(&r->mark);
	buf_release(&r->link);
	int error = r->error;
	free(r);
	if (error == 0 && text->size == 0 && !buf_error(text))
		return format_fail(about, "no-text", "the document has no text");
	return error;
}

const struct format format_rtf = {
	.extractor = {"rtf", 2, "application/rtf", TEXT_MARKDOWN, true, NULL},
	.extract = rtf_extract,
};
