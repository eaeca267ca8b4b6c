/* DOCX, main part (WordprocessingML, ECMA-376 part 1, chapter 17) -> Markdown. One pass over each part, nothing kept but styles, list
 * definitions, footnotes and comments. docs/formats.md says what is kept. */
#include "extract/package.h"
#include "extract/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { STYLES = 4000, NUMBERINGS = 4000, LEVELS = 9, NOTES = 20000, ID_SIZE = 64, PENDING = 64, LEVEL_TEXT = 32 };

enum number_format { FORMAT_DECIMAL, FORMAT_BULLET, FORMAT_LOWER_LETTER, FORMAT_UPPER_LETTER, FORMAT_LOWER_ROMAN, FORMAT_UPPER_ROMAN, FORMAT_NONE };

struct style {
	char id[ID_SIZE], based_on[ID_SIZE];
	unsigned heading; /* 1..6, 0: none */
	int numbering, level; /* -1: none */
};

struct level {
	enum number_format format;
	unsigned start;
	char text[LEVEL_TEXT]; /* "%1.%2" */
};

struct abstract_numbering {
	int id;
	struct level levels[LEVELS];
	unsigned counts[LEVELS]; /* of the last item, 0: none yet */
};

/* A footnote, an endnote or a comment. */
struct note {
	char kind; /* 'f', 'e', 'c' */
	int id;
	size_t at, size; /* its text, in notes_text */
	char author[ID_SIZE];
};

struct docx {
	struct markdown md;
	struct markdown *out; /* md, or a table's cell */
	int error;

	struct style *styles;
	size_t style_count;
	struct abstract_numbering *abstracts;
	size_t abstract_count;
	struct {
		int id, abstract;
	} *numberings;
	size_t numbering_count;
	struct note *notes;
	size_t note_count;
	struct buf notes_text;
	struct relations relations;

	/* Where the walk is. */
	unsigned skip;	    /* depth inside something left out */
	bool text_wanted;   /* inside w:t */
	bool in_properties; /* inside w:pPr */
	bool begun;	    /* the paragraph's mark has been written */
	bool item_open, after_item;
	unsigned heading;
	int numbering, level;
	const char *link; /* target, owned by relations */
	struct table *table;
	unsigned table_depth; /* only the outermost is a table, inner ones are text in its cells */
	unsigned across;
	enum { MERGE_NONE, MERGE_FIRST, MERGE_CONTINUED } merge;
	const struct note *pending[PENDING]; /* referred to in this paragraph */
	size_t pending_count;

	/* While lists of styles, numberings and notes are read. */
	struct style *style;
	struct abstract_numbering *abstract;
	struct level *definition;
	char note_kind;
	struct note *note;
	struct markdown note_md;
};

static bool is(const char *name, const char *what)
{
	return strcmp(name, what) == 0;
}

static int integer(const char *s, int otherwise)
{
	char *end;
	long n = s ? strtol(s, &end, 10) : 0;
	return s && end != s && n > -1000000000 && n < 1000000000 ? (int)n : otherwise;
}

static void copy_id(char to[ID_SIZE], const char *from)
{
	(void)snprintf(to, ID_SIZE, "%s", from ? from : "");
}

/* Appends a zeroed item to an array that doubles; NULL when it is full or memory is. */
static void *append(struct docx *d, void **array, size_t *count, size_t size, size_t most)
{
	if (*count == most)
		return NULL;
	if ((*count & (*count - 1)) == 0) {
		void *grown = realloc(*array, (*count ? *count * 2 : 1) * size);
		if (!grown) {
			d->error = -ENOMEM;
			return NULL;
		}
		*array = grown;
	}
	void *item = (char *)*array + size * (*count)++;
	memset(item, 0, size);
	return item;
}

#define APPEND(d, array, count, most) append(d, (void **)&(array), &(count), sizeof(*(array)), most)

/* --- styles -------------------------------------------------------------------------------------------------------- */

static void style_start(void *context, const char *name, const char **attributes)
{
	struct docx *d = context;
	const char *value = xml_attribute(attributes, "val");
	if (is(name, "style")) {
		d->style = APPEND(d, d->styles, d->style_count, STYLES);
		if (d->style) {
			copy_id(d->style->id, xml_attribute(attributes, "styleId"));
			d->style->numbering = d->style->level = -1;
		}
	} else if (!d->style || !value) {
		return;
	} else if (is(name, "name")) {
		/* Names of built-in styles are English in every language version. */
		if (strncasecmp(value, "heading ", 8) == 0 && value[8] >= '1' && value[8] <= '9')
			d->style->heading = value[8] <= '6' ? (unsigned)(value[8] - '0') : 6;
		else if (strcasecmp(value, "title") == 0)
			d->style->heading = 1;
	} else if (is(name, "basedOn")) {
		copy_id(d->style->based_on, value);
	} else if (is(name, "outlineLvl")) {
		int level = integer(value, 9);
		if (d->style->heading == 0 && level >= 0 && level < 9)
			d->style->heading = level < 6 ? (unsigned)level + 1 : 6;
	} else if (is(name, "numId")) {
		d->style->numbering = integer(value, -1);
	} else if (is(name, "ilvl")) {
		d->style->level = integer(value, -1);
	}
}

static void style_end(void *context, const char *name)
{
	struct docx *d = context;
	if (is(name, "style"))
		d->style = NULL;
}

static const struct style *find_style(const struct docx *d, const char *id)
{
	for (size_t i = 0; id && *id && i < d->style_count; i++)
		if (is(d->styles[i].id, id))
			return &d->styles[i];
	return NULL;
}

/* What a paragraph inherits; the chain of styles is bounded, for it may be a circle. */
static void apply_style(struct docx *d, const char *id)
{
	const struct style *s = find_style(d, id);
	for (int i = 0; s && i < 10; i++, s = find_style(d, s->based_on)) {
		if (d->heading == 0)
			d->heading = s->heading;
		if (d->numbering < 0)
			d->numbering = s->numbering;
		if (d->level < 0)
			d->level = s->level;
	}
}

/* --- numbering ----------------------------------------------------------------------------------------------------- */

static enum number_format format_of_word(const char *word)
{
	static const struct {
		const char *word;
		enum number_format format;
	} words[] = {{"bullet", FORMAT_BULLET},		{"lowerLetter", FORMAT_LOWER_LETTER}, {"upperLetter", FORMAT_UPPER_LETTER},
		     {"lowerRoman", FORMAT_LOWER_ROMAN}, {"upperRoman", FORMAT_UPPER_ROMAN},   {"none", FORMAT_NONE}};
	for (size_t i = 0; word && i < sizeof(words) / sizeof(words[0]); i++)
		if (is(word, words[i].word))
			return words[i].format;
	return FORMAT_DECIMAL;
}

static void numbering_start(void *context, const char *name, const char **attributes)
{
	struct docx *d = context;
	const char *value = xml_attribute(attributes, "val");
	if (is(name, "abstractNum")) {
		d->abstract = APPEND(d, d->abstracts, d->abstract_count, NUMBERINGS);
		if (d->abstract)
			d->abstract->id = integer(xml_attribute(attributes, "abstractNumId"), -1);
	} else if (is(name, "lvl")) {
		int level = integer(xml_attribute(attributes, "ilvl"), -1);
		d->definition = d->abstract && level >= 0 && level < LEVELS ? &d->abstract->levels[level] : NULL;
		if (d->definition)
			d->definition->start = 1;
	} else if (is(name, "num")) {
		d->abstract = NULL;
		void *item = APPEND(d, d->numberings, d->numbering_count, NUMBERINGS);
		if (item)
			d->numberings[d->numbering_count - 1].id = integer(xml_attribute(attributes, "numId"), -1);
	} else if (is(name, "abstractNumId") && d->numbering_count > 0) {
		d->numberings[d->numbering_count - 1].abstract = integer(value, -1);
	} else if (d->definition && value) {
		if (is(name, "numFmt"))
			d->definition->format = format_of_word(value);
		else if (is(name, "start"))
			d->definition->start = (unsigned)integer(value, 1);
		else if (is(name, "lvlText"))
			(void)snprintf(d->definition->text, sizeof(d->definition->text), "%s", value);
	}
}

static void numbering_end(void *context, const char *name)
{
	struct docx *d = context;
	if (is(name, "lvl"))
		d->definition = NULL;
}

static struct abstract_numbering *find_numbering(struct docx *d, int id)
{
	for (size_t i = 0; i < d->numbering_count; i++) {
		if (d->numberings[i].id != id)
			continue;
		for (size_t k = 0; k < d->abstract_count; k++)
			if (d->abstracts[k].id == d->numberings[i].abstract)
				return &d->abstracts[k];
	}
	return NULL;
}

static void print_roman(unsigned n, bool upper, char out[24])
{
	static const struct {
		unsigned value;
		const char *letters;
	} steps[] = {{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"}, {90, "xc"}, {50, "l"}, {40, "xl"}, {10, "x"}, {9, "ix"}, {5, "v"}, {4, "iv"}, {1, "i"}};
	size_t size = 0;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		for (; n >= steps[i].value && size < 20; n -= steps[i].value)
			for (const char *c = steps[i].letters; *c; c++)
				out[size++] = upper ? (char)(*c - 'a' + 'A') : *c;
	out[size] = '\0';
}

static void print_number(enum number_format format, unsigned n, char out[24])
{
	bool upper = format == FORMAT_UPPER_LETTER || format == FORMAT_UPPER_ROMAN;
	if ((format == FORMAT_LOWER_ROMAN || format == FORMAT_UPPER_ROMAN) && n > 0 && n < 4000) {
		print_roman(n, upper, out);
	} else if ((format == FORMAT_LOWER_LETTER || format == FORMAT_UPPER_LETTER) && n > 0 && n <= 26 * 8) {
		/* After z come aa, bb, ... */
		unsigned count = (n - 1) / 26 + 1;
		memset(out, (upper ? 'A' : 'a') + (int)((n - 1) % 26), count);
		out[count] = '\0';
	} else {
		(void)snprintf(out, 24, "%u", n);
	}
}

/* Counts this item and prints its number as Word shows it: "2.", "(a)", "1.2.3". */
static void next_number(struct abstract_numbering *a, int level, char *out, size_t size)
{
	unsigned *counts = a->counts;
	counts[level] = counts[level] ? counts[level] + 1 : a->levels[level].start;
	for (int i = level + 1; i < LEVELS; i++)
		counts[i] = 0;
	size_t used = 0;
	out[0] = '\0';
	for (const char *c = a->levels[level].text; *c && used + 24 < size; c++) {
		int of = c[0] == '%' && c[1] >= '1' && c[1] <= '9' ? c[1] - '1' : -1;
		if (of < 0) {
			out[used++] = *c;
			out[used] = '\0';
			continue;
		}
		c++;
		print_number(a->levels[of].format, counts[of] ? counts[of] : a->levels[of].start, out + used);
		used += strlen(out + used);
	}
}

/* --- notes and comments -------------------------------------------------------------------------------------------- */

static void note_start(void *context, const char *name, const char **attributes)
{
	struct docx *d = context;
	if (is(name, "footnote") || is(name, "endnote") || is(name, "comment")) {
		/* Separators between text and notes are notes too, by type. */
		if (xml_attribute(attributes, "type"))
			return;
		d->note = APPEND(d, d->notes, d->note_count, NOTES);
		if (!d->note)
			return;
		*d->note = (struct note){.kind = d->note_kind, .id = integer(xml_attribute(attributes, "id"), -1), .at = d->notes_text.size};
		copy_id(d->note->author, xml_attribute(attributes, "author"));
		markdown_init(&d->note_md, &d->notes_text, true);
	}
	d->text_wanted = d->note && is(name, "t");
	if (d->note && (is(name, "p") || is(name, "tab") || is(name, "br")))
		markdown_break(&d->note_md, 1);
}

static void note_end(void *context, const char *name)
{
	struct docx *d = context;
	d->text_wanted = false;
	if (d->note && (is(name, "footnote") || is(name, "endnote") || is(name, "comment"))) {
		d->note->size = buf_error(&d->notes_text) ? 0 : d->notes_text.size - d->note->at;
		d->note = NULL;
	}
}

static void note_text(void *context, struct span text)
{
	struct docx *d = context;
	if (d->text_wanted && d->note)
		markdown_text(&d->note_md, text);
}

static void refer(struct docx *d, char kind, int id)
{
	for (size_t i = 0; i < d->note_count && d->pending_count < PENDING; i++) {
		const struct note *n = &d->notes[i];
		if (n->kind != kind || n->id != id || n->size == 0)
			continue;
		d->pending[d->pending_count++] = n;
		if (kind != 'c') {
			char mark[32];
			(void)snprintf(mark, sizeof(mark), "[^%s%d]", kind == 'e' ? "e" : "", id);
			markdown_mark(d->out, mark);
		}
		return;
	}
}

/* Notes stand after the paragraph, or the table, that refers to them. */
static void write_notes(struct docx *d)
{
	for (size_t i = 0; i < d->pending_count && !buf_error(&d->notes_text); i++) {
		const struct note *n = d->pending[i];
		char mark[ID_SIZE + 32];
		markdown_break(&d->md, 2);
		if (n->kind == 'c')
			(void)snprintf(mark, sizeof(mark), "> Comment%s%s: ", n->author[0] ? " by " : "", n->author);
		else
			(void)snprintf(mark, sizeof(mark), "[^%s%d]: ", n->kind == 'e' ? "e" : "", n->id);
		markdown_mark(&d->md, mark);
		markdown_text(&d->md, (struct span){d->notes_text.data + n->at, n->size});
		markdown_break(&d->md, 2);
	}
	d->pending_count = 0;
}

/* --- paragraphs ---------------------------------------------------------------------------------------------------- */

static bool is_numbered(const struct abstract_numbering *a, int level)
{
	return a && level < LEVELS && a->levels[level].format != FORMAT_BULLET && a->levels[level].format != FORMAT_NONE;
}

/* Word's lists are flat: a level is an indentation, not a list inside an item. */
static void begin_item(struct docx *d, struct abstract_numbering *a)
{
	int level = d->level < 0 ? 0 : d->level >= LEVELS ? LEVELS - 1 : d->level;
	char number[128] = "", marker[64];
	if (is_numbered(a, level))
		next_number(a, level, number, sizeof(number));
	size_t digits = strspn(number, "0123456789");
	/* "(a)" and "1.2" are no list marks in Markdown and stand after one. */
	bool simple = digits > 0 && digits < 10 && (is(number + digits, ".") || is(number + digits, ")"));
	(void)snprintf(marker, sizeof(marker), "%*s%.12s ", level * 3, "", simple ? number : "-");
	if (!d->after_item)
		markdown_break(d->out, 2);
	markdown_push_item(d->out, marker);
	d->item_open = true;
	if (number[0] && !simple) {
		markdown_text(d->out, span_of(number));
		markdown_text(d->out, span_of(" "));
	}
}

/* Writes what the paragraph's properties ask for, once there is text. */
static void begin_paragraph(struct docx *d)
{
	if (d->begun)
		return;
	d->begun = true;
	struct abstract_numbering *a = d->numbering > 0 ? find_numbering(d, d->numbering) : NULL;
	int level = d->level < 0 ? 0 : d->level;
	char number[128] = "";
	if (d->table) {
		markdown_break(d->out, 1);
	} else if (d->heading > 0) {
		markdown_heading(d->out, d->heading);
		if (is_numbered(a, level)) {
			next_number(a, level, number, sizeof(number));
			markdown_text(d->out, span_of(number));
			markdown_text(d->out, span_of(" "));
		}
	} else if (a) {
		begin_item(d, a);
	} else {
		markdown_break(d->out, 2);
	}
}

static void end_paragraph(struct docx *d)
{
	if (d->item_open)
		markdown_pop(d->out);
	if (d->begun)
		d->after_item = d->item_open;
	d->item_open = false;
	markdown_break(d->out, 1);
	if (!d->table && d->pending_count > 0)
		write_notes(d);
	d->begun = false;
	d->heading = 0;
	d->numbering = d->level = -1;
}

static void add_text(struct docx *d, struct span s)
{
	begin_paragraph(d);
	markdown_text(d->out, s);
}

static void begin_link(struct docx *d, const char **attributes)
{
	const struct relation *r = relations_by_id(&d->relations, xml_attribute(attributes, "id"));
	if (!r || !r->external || d->link || d->heading)
		return;
	begin_paragraph(d);
	d->link = r->target;
	markdown_link_begin(d->out);
}

static void end_link(struct docx *d)
{
	if (d->link)
		markdown_link_end(d->out, d->link);
	d->link = NULL;
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static void begin_table(struct docx *d)
{
	end_paragraph(d);
	if (d->table_depth++ > 0)
		return;
	d->table = malloc(sizeof(*d->table));
	if (d->table)
		table_begin(d->table, &d->md, 0);
	else
		d->error = -ENOMEM;
	d->after_item = false;
}

static void end_table(struct docx *d)
{
	if (--d->table_depth > 0 || !d->table)
		return;
	table_end(d->table);
	free(d->table);
	d->table = NULL;
	d->out = &d->md;
	write_notes(d);
}

static void end_cell(struct docx *d)
{
	if (d->merge == MERGE_NONE)
		table_cell_end(d->table, d->across, 1);
	else
		table_cell_end_merged(d->table, d->across, d->merge == MERGE_FIRST);
	d->out = &d->md;
}

/* Elements of the outermost table; true when it was one. */
static bool table_start(struct docx *d, const char *name, const char **attributes)
{
	if (is(name, "tbl")) {
		begin_table(d);
		return true;
	}
	if (!d->table || d->table_depth != 1)
		return false;
	const char *value = xml_attribute(attributes, "val");
	if (is(name, "gridCol")) {
		d->table->width += d->table->width < TABLE_COLUMNS;
	} else if (is(name, "tc")) {
		d->out = table_cell_begin(d->table);
		d->across = 1;
		d->merge = MERGE_NONE;
	} else if (is(name, "gridSpan")) {
		int n = integer(value, 1);
		d->across = n > 1 ? (unsigned)n : 1;
	} else if (is(name, "vMerge")) {
		d->merge = value && is(value, "restart") ? MERGE_FIRST : MERGE_CONTINUED;
	} else {
		return false;
	}
	return true;
}

static bool table_element_end(struct docx *d, const char *name)
{
	if (is(name, "tbl") && d->table_depth > 0) {
		end_table(d);
		return true;
	}
	if (!d->table || d->table_depth != 1)
		return false;
	if (is(name, "tc"))
		end_cell(d);
	else if (is(name, "tr"))
		table_row_end(d->table);
	else
		return false;
	return true;
}

/* --- the document -------------------------------------------------------------------------------------------------- */

/* Deleted and moved text, field codes, and the second form in which Word writes what old versions cannot read. */
static bool is_left_out(const char *name)
{
	static const char *const names[] = {"del", "moveFrom", "delText", "instrText", "Fallback", "pPrChange", "rPrChange", "tcPrChange", "sectPrChange"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is(name, names[i]))
			return true;
	return false;
}

static void property(struct docx *d, const char *name, const char *value)
{
	if (is(name, "pStyle")) {
		apply_style(d, value);
	} else if (is(name, "numId")) {
		d->numbering = integer(value, -1);
	} else if (is(name, "ilvl")) {
		d->level = integer(value, -1);
	} else if (is(name, "outlineLvl")) {
		int level = integer(value, 9);
		if (level >= 0 && level < 9 && d->heading == 0)
			d->heading = level < 6 ? (unsigned)level + 1 : 6;
	}
}

static void run_start(struct docx *d, const char *name, const char **attributes)
{
	if (is(name, "tab"))
		markdown_text(d->out, span_of(" "));
	else if ((is(name, "br") || is(name, "cr")) && d->begun)
		d->heading || d->table ? markdown_text(d->out, span_of(" ")) : markdown_break(d->out, 1);
	else if (is(name, "noBreakHyphen"))
		add_text(d, span_of("-"));
	else if (is(name, "footnoteReference"))
		refer(d, 'f', integer(xml_attribute(attributes, "id"), -1));
	else if (is(name, "endnoteReference"))
		refer(d, 'e', integer(xml_attribute(attributes, "id"), -1));
	else if (is(name, "commentReference"))
		refer(d, 'c', integer(xml_attribute(attributes, "id"), -1));
	else if (is(name, "docPr") && xml_attribute(attributes, "descr") && xml_attribute(attributes, "descr")[0]) {
		add_text(d, span_of(xml_attribute(attributes, "descr")));
		markdown_text(d->out, span_of(" "));
	}
}

static void body_start(void *context, const char *name, const char **attributes)
{
	struct docx *d = context;
	d->text_wanted = false;
	if (d->skip > 0 || is_left_out(name)) {
		d->skip++;
		return;
	}
	if (table_start(d, name, attributes))
		return;
	if (is(name, "p"))
		end_paragraph(d); /* of the paragraph around a text box */
	else if (is(name, "pPr"))
		d->in_properties = true;
	else if (is(name, "hyperlink"))
		begin_link(d, attributes);
	else if (is(name, "t"))
		d->text_wanted = true;
	else if (d->in_properties)
		property(d, name, xml_attribute(attributes, "val"));
	else
		run_start(d, name, attributes);
}

static void body_end(void *context, const char *name)
{
	struct docx *d = context;
	d->text_wanted = false;
	if (d->skip > 0) {
		d->skip--;
		return;
	}
	if (table_element_end(d, name))
		return;
	if (is(name, "p"))
		end_paragraph(d);
	else if (is(name, "pPr"))
		d->in_properties = false;
	else if (is(name, "hyperlink"))
		end_link(d);
}

static void body_text(void *context, struct span text)
{
	struct docx *d = context;
	if (d->text_wanted && d->skip == 0)
		add_text(d, text);
}

/* Parts that a document may have beside its text. */
static int read_side_parts(struct docx *d, struct zip *z)
{
	static const struct xml_events styles = {style_start, style_end, NULL}, numbering = {numbering_start, numbering_end, NULL},
				       notes = {note_start, note_end, note_text};
	static const struct {
		const char *type;
		const struct xml_events *events;
		char note_kind;
	} parts[] = {{"styles", &styles, 0}, {"numbering", &numbering, 0}, {"footnotes", &notes, 'f'}, {"endnotes", &notes, 'e'}, {"comments", &notes, 'c'}};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct relation *r = relations_by_type(&d->relations, parts[i].type);
		d->note_kind = parts[i].note_kind;
		int code = r ? package_parse(z, r->target, parts[i].events, d) : 0;
		if (code < 0 || d->error)
			return code < 0 ? code : d->error;
		d->style = NULL;
		d->note = NULL;
		d->definition = NULL;
	}
	return 0;
}

int docx_extract(struct zip *z, const char *part, struct buf *text, struct extract_result *about)
{
	(void)about;
	static const struct xml_events body = {body_start, body_end, body_text};
	struct docx d = {.numbering = -1, .level = -1};
	d.out = &d.md;
	markdown_init(&d.md, text, false);
	buf_init(&d.notes_text, text->limit);
	int r = relations_read(z, part, &d.relations);
	if (r == 0)
		r = read_side_parts(&d, z);
	if (r == 0)
		r = package_parse(z, part, &body, &d);
	while (d.table_depth > 0) /* a document that was cut off */
		end_table(&d);
	end_paragraph(&d);
	if (text->size > 0)
		buf_add_char(text, '\n');
	relations_release(&d.relations);
	buf_release(&d.notes_text);
	free(d.styles);
	free(d.abstracts);
	free(d.numberings);
	free(d.notes);
	return r < 0 ? r : d.error;
}
