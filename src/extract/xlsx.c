/* XLSX (SpreadsheetML, ECMA-376 part 1, chapter 18) -> Markdown: each sheet a heading and a table of the values as they were last computed, then
 * comments and the text of drawings. */
#include "extract/cell.h"
#include "extract/package.h"
#include "extract/table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHEETS = 1000, STYLES = 65536, FORMATS = 4000, STRINGS = 4000000, NAME_SIZE = 128, ID_SIZE = 64, VALUE_SIZE = 32768 };

struct sheet {
	char name[NAME_SIZE], id[ID_SIZE];
};

struct xlsx {
	struct markdown md;
	int error;
	bool date1904;
	struct sheet *sheets;
	size_t sheet_count;
	unsigned char *styles; /* enum cell_format by style index */
	size_t style_count;
	struct {
		int id;
		enum cell_format format;
	} *formats;
	size_t format_count;
	struct buf strings_text;
	uint32_t *strings; /* where each ends in strings_text */
	size_t string_count;

	bool in_styles, text_wanted;
	unsigned skip;
	struct table *table;
	size_t first_column, column;
	char type; /* of the cell: 's'hared, 'i'nline or formula's string, 'b'oolean, 'e'rror, 'n'umber */
	size_t style;
	struct buf value;
	struct buf note; /* a comment or a drawing's paragraph */
};

static bool is(const char *name, const char *what)
{
	return strcmp(name, what) == 0;
}

static long integer(const char *s, long otherwise)
{
	char *end;
	long n = s ? strtol(s, &end, 10) : 0;
	return s && end != s ? n : otherwise;
}

static void ignore_end(void *context, const char *name)
{
	(void)context, (void)name;
}

/* --- workbook, styles, strings ------------------------------------------------------------------------------------- */

static void workbook_start(void *context, const char *name, const char **attributes)
{
	struct xlsx *x = context;
	const char *date1904 = xml_attribute(attributes, "date1904");
	if (is(name, "workbookPr"))
		x->date1904 = date1904 && (is(date1904, "1") || is(date1904, "true"));
	if (!is(name, "sheet"))
		return;
	struct sheet *s = cell_append(&x->error, (void **)&x->sheets, &x->sheet_count, sizeof(*s), SHEETS);
	const char *title = xml_attribute(attributes, "name"), *id = xml_attribute(attributes, "id");
	if (s) {
		(void)snprintf(s->name, sizeof(s->name), "%s", title ? title : "");
		(void)snprintf(s->id, sizeof(s->id), "%s", id ? id : "");
	}
}

static void styles_start(void *context, const char *name, const char **attributes)
{
	struct xlsx *x = context;
	if (is(name, "cellXfs")) {
		x->in_styles = true;
	} else if (is(name, "numFmt")) {
		const char *code = xml_attribute(attributes, "formatCode");
		if (code && cell_append(&x->error, (void **)&x->formats, &x->format_count, sizeof(*x->formats), FORMATS)) {
			x->formats[x->format_count - 1].id = (int)integer(xml_attribute(attributes, "numFmtId"), -1);
			x->formats[x->format_count - 1].format = cell_format_of_code(code);
		}
	} else if (is(name, "xf") && x->in_styles) {
		long id = integer(xml_attribute(attributes, "numFmtId"), 0);
		enum cell_format format = cell_format_built_in(id);
		for (size_t i = 0; i < x->format_count; i++)
			if (x->formats[i].id == id)
				format = x->formats[i].format;
		unsigned char *style = cell_append(&x->error, (void **)&x->styles, &x->style_count, 1, STYLES);
		if (style)
			*style = (unsigned char)format;
	}
}

static void styles_end(void *context, const char *name)
{
	struct xlsx *x = context;
	if (is(name, "cellXfs"))
		x->in_styles = false;
}

static void strings_start(void *context, const char *name, const char **attributes)
{
	(void)attributes;
	struct xlsx *x = context;
	/* rPh: how a Japanese word is pronounced. */
	if (x->skip > 0 || is(name, "rPh"))
		x->skip++;
	x->text_wanted = x->skip == 0 && is(name, "t");
}

static void strings_end(void *context, const char *name)
{
	struct xlsx *x = context;
	x->text_wanted = false;
	if (x->skip > 0) {
		x->skip--;
		return;
	}
	uint32_t *end = is(name, "si") ? cell_append(&x->error, (void **)&x->strings, &x->string_count, sizeof(*end), STRINGS) : NULL;
	if (end)
		*end = (uint32_t)x->strings_text.size;
}

static void strings_text(void *context, struct span text)
{
	struct xlsx *x = context;
	if (x->text_wanted)
		buf_add_span(&x->strings_text, text);
}

/* --- values -------------------------------------------------------------------------------------------------------- */

static void print_number(const struct xlsx *x, const char *value, char *out, size_t size)
{
	enum cell_format format = x->style < x->style_count ? (enum cell_format)x->styles[x->style] : CELL_GENERAL;
	char *end;
	double number = strtod(value, &end);
	if (end == value || *end || !isfinite(number)) {
		(void)snprintf(out, size, "%s", value);
	} else if (cell_print(number, format, x->date1904, out, size)) {
		return;
	} else {
		/* Fifteen digits are what Excel keeps: 0.1 + 0.2 is 0.3. Long integers, account numbers, stay as they are. */
		bool plain = strlen(value) <= 15 || !strpbrk(value, ".eE");
		if (plain)
			(void)snprintf(out, size, "%s", value);
		else
			(void)snprintf(out, size, "%.15g", number);
	}
}

static void write_value(struct xlsx *x, struct markdown *cell)
{
	const char *value = x->value.data ? x->value.data : "";
	char printed[512];
	switch (x->type) {
	case 's': {
		long i = integer(value, -1);
		if (i < 0 || (size_t)i >= x->string_count || buf_error(&x->strings_text))
			return;
		size_t start = i > 0 ? x->strings[i - 1] : 0;
		markdown_text(cell, (struct span){x->strings_text.data ? x->strings_text.data + start : "", x->strings[i] - start});
		return;
	}
	case 'b':
		markdown_text(cell, span_of(is(value, "1") ? "TRUE" : "FALSE"));
		return;
	case 'n':
		print_number(x, value, printed, sizeof(printed));
		markdown_text(cell, span_of(printed));
		return;
	default:
		markdown_text(cell, buf_span(&x->value));
		return;
	}
}

/* --- a sheet ------------------------------------------------------------------------------------------------------- */

/* "BC12" -> 54; `otherwise` when there are no letters. */
static size_t column_of(const char *reference, size_t otherwise)
{
	size_t n = 0;
	for (; reference && *reference >= 'A' && *reference <= 'Z' && n < 100000; reference++)
		n = n * 26 + (size_t)(*reference - 'A') + 1;
	return n > 0 ? n - 1 : otherwise;
}

static char type_of(const char *type)
{
	if (!type || is(type, "n"))
		return 'n';
	return is(type, "s") ? 's' : is(type, "b") ? 'b' : 'i';
}

static void sheet_start(void *context, const char *name, const char **attributes)
{
	struct xlsx *x = context;
	const char *reference = xml_attribute(attributes, "r");
	x->text_wanted = false;
	if (x->skip > 0 || is(name, "rPh") || is(name, "f")) {
		x->skip++;
	} else if (is(name, "dimension")) {
		const char *range = xml_attribute(attributes, "ref"), *colon = range ? strchr(range, ':') : NULL;
		size_t first = column_of(range, 0), last = column_of(colon ? colon + 1 : NULL, first);
		x->first_column = first;
		x->table->width = last < first ? 1 : last - first + 1 < TABLE_COLUMNS ? last - first + 1 : TABLE_COLUMNS;
	} else if (is(name, "row")) {
		x->column = x->first_column;
	} else if (is(name, "c")) {
		x->column = column_of(reference, x->column);
		x->type = type_of(xml_attribute(attributes, "t"));
		long style = integer(xml_attribute(attributes, "s"), 0);
		x->style = style < 0 ? 0 : (size_t)style;
		buf_reset(&x->value);
	} else if (is(name, "v") || is(name, "t")) {
		x->text_wanted = true;
	}
}

static void sheet_end(void *context, const char *name)
{
	struct xlsx *x = context;
	x->text_wanted = false;
	if (x->skip > 0) {
		x->skip--;
	} else if (is(name, "c")) {
		if (x->value.size > 0) {
			table_skip(x->table, x->column > x->first_column ? x->column - x->first_column : 0);
			write_value(x, table_cell_begin(x->table));
			table_cell_end(x->table, 1, 1);
		}
		x->column++;
	} else if (is(name, "row")) {
		table_row_end(x->table);
	}
}

static void sheet_text(void *context, struct span text)
{
	struct xlsx *x = context;
	if (x->text_wanted && x->value.size + text.size <= VALUE_SIZE)
		buf_add_span(&x->value, text);
}

/* --- comments and drawings ----------------------------------------------------------------------------------------- */

static void note_start(void *context, const char *name, const char **attributes)
{
	struct xlsx *x = context;
	if (is(name, "comment")) {
		const char *reference = xml_attribute(attributes, "ref");
		buf_addf(&x->note, "> Comment at %.10s: ", reference ? reference : "?");
	}
	x->text_wanted = is(name, "t");
}

static void note_end(void *context, const char *name)
{
	struct xlsx *x = context;
	x->text_wanted = false;
	if (!is(name, "comment") && !is(name, "p"))
		return;
	markdown_break(&x->md, 2);
	markdown_text(&x->md, buf_span(&x->note));
	buf_reset(&x->note);
}

static void note_text(void *context, struct span text)
{
	struct xlsx *x = context;
	if (x->text_wanted)
		buf_add_span(&x->note, text);
}

static int read_sheet(struct xlsx *x, struct zip *z, const struct sheet *sheet, const char *part)
{
	static const struct xml_events cells = {sheet_start, sheet_end, sheet_text}, notes = {note_start, note_end, note_text};
	struct relations relations;
	markdown_heading(&x->md, 2);
	markdown_text(&x->md, span_of(sheet->name));
	markdown_break(&x->md, 2);
	x->table = malloc(sizeof(*x->table));
	if (!x->table)
		return -ENOMEM;
	x->skip = 0;
	x->first_column = 0;
	table_begin(x->table, &x->md, 0);
	int r = package_parse(z, part, &cells, x);
	table_end(x->table);
	free(x->table);
	x->table = NULL;
	if (r == 0)
		r = relations_read(z, part, &relations);
	if (r < 0)
		return r;
	static const char *const types[] = {"comments", "drawing"};
	for (size_t i = 0; r == 0 && i < 2; i++) {
		const struct relation *related = relations_by_type(&relations, types[i]);
		if (related)
			r = package_parse(z, related->target, &notes, x);
	}
	relations_release(&relations);
	return r;
}

static int read_book(struct xlsx *x, struct zip *z, const char *part, const struct relations *relations)
{
	static const struct xml_events workbook = {workbook_start, ignore_end, NULL}, styles = {styles_start, styles_end, NULL},
				       strings = {strings_start, strings_end, strings_text};
	const struct relation *styles_part = relations_by_type(relations, "styles"), *strings_part = relations_by_type(relations, "sharedStrings");
	int r = package_parse(z, part, &workbook, x);
	if (r == 0 && styles_part)
		r = package_parse(z, styles_part->target, &styles, x);
	if (r == 0 && strings_part)
		r = package_parse(z, strings_part->target, &strings, x);
	for (size_t i = 0; r == 0 && x->error == 0 && i < x->sheet_count && !buf_error(x->md.out); i++) {
		const struct relation *sheet = relations_by_id(relations, x->sheets[i].id);
		if (sheet)
			r = read_sheet(x, z, &x->sheets[i], sheet->target);
	}
	return r < 0 ? r : x->error;
}

int xlsx_extract(struct zip *z, const char *part, struct buf *text, struct extract_result *about)
{
	(void)about;
	struct xlsx x = {0};
	struct relations relations;
	markdown_init(&x.md, text, false);
	buf_init(&x.strings_text, (size_t)256 << 20);
	buf_init(&x.value, VALUE_SIZE + 1);
	buf_init(&x.note, 1 << 20);
	int r = relations_read(z, part, &relations);
	if (r == 0) {
		r = read_book(&x, z, part, &relations);
		relations_release(&relations);
	}
	if (text->size > 0)
		buf_add_char(text, '\n');
	buf_release(&x.strings_text);
	buf_release(&x.value);
	buf_release(&x.note);
	free(x.sheets);
	free(x.styles);
	free(x.formats);
	free(x.strings);
	return r;
}
