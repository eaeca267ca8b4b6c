/* XLS (BIFF8 of Excel 97 to 2003, [MS-XLS]; BIFF5 of Excel 5 and 95 as far as its cells) -> Markdown: each sheet a heading and a table of the
 * values as they were last computed. A stream of records: the workbook's own with names, strings and formats, then a run of them a sheet. */
#include "extract/cell.h"
#include "extract/ole.h"
#include "extract/table.h"

#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHEETS = 1000, STYLES = 65536, FORMATS = 4000, STRINGS = 4000000, CELLS = 8000000, COMMENTS = 10000 };

enum record {
	R_FORMULA = 0x06, R_EOF = 0x0a, R_NOTE = 0x1c, R_DATEMODE = 0x22, R_FILEPASS = 0x2f, R_CONTINUE = 0x3c, R_CODEPAGE = 0x42, R_OBJ = 0x5d,
	R_BOUNDSHEET = 0x85, R_MULRK = 0xbd, R_RSTRING = 0xd6, R_XF = 0xe0, R_SST = 0xfc, R_LABELSST = 0xfd, R_TXO = 0x1b6, R_NUMBER = 0x203,
	R_LABEL = 0x204, R_BOOLERR = 0x205, R_STRING = 0x207, R_RK = 0x27e, R_FORMAT = 0x41e, R_BOF = 0x809
};

/* A cell's text lies in `texts`; rows and columns may come in any order, so cells are gathered and sorted. */
struct xls_cell {
	uint32_t row, column, from, size;
};

struct xls {
	struct span in;
	size_t at;
	struct markdown md;
	int error;
	int code_page;
	bool wide; /* BIFF8: strings say how they are written */
	bool date1904;
	struct {
		uint32_t at;
		char name[256];
	} *sheets;
	size_t sheet_count;
	unsigned char *styles; /* enum cell_format */
	size_t style_count;
	struct {
		uint32_t id;
		enum cell_format format;
	} *formats;
	size_t format_count;
	struct buf strings; /* the shared ones */
	uint32_t *ends;	    /* of each in `strings` */
	size_t string_count;
	/* The sheet. */
	struct xls_cell *cells;
	size_t cell_count;
	struct buf texts, notes;
	uint32_t formula_row, formula_column; /* of a formula whose text comes in the next record */
	bool formula_waits;
};

static bool next_record(struct xls *x, uint32_t *ret_type, struct span *ret)
{
	if (x->at + 4 > x->in.size)
		return false;
	*ret_type = cfb_u16(x->in, x->at);
	*ret = cfb_part(x->in, x->at + 4, cfb_u16(x->in, x->at + 2));
	x->at += 4 + (size_t)cfb_u16(x->in, x->at + 2);
	return true;
}

/* --- strings ------------------------------------------------------------------------------------------------------- */

/* A run of characters of one or two bytes; one byte is the lower half of UTF-16 in BIFF8. */
static void add_characters(const struct xls *x, struct span s, bool two, struct buf *out)
{
	if (two) {
		ole_add_utf16(s, out);
	} else if (!x->wide) {
		ole_add_bytes(x->code_page, s, out);
	} else {
		for (size_t i = 0; i < s.size; i++) {
			char bytes[4];
			buf_add(out, bytes, utf8_encode((unsigned char)s.data[i], bytes));
		}
	}
}

/* A string inside one record, with a count of `width` bytes. */
static void add_string(const struct xls *x, struct span s, size_t width, struct buf *out)
{
	size_t count = width == 1 ? cfb_u8(s, 0) : cfb_u16(s, 0), at = width;
	uint32_t flags = x->wide ? cfb_u8(s, at++) : 0;
	at += (flags & 8 ? 2u : 0) + (flags & 4 ? 4u : 0);
	add_characters(x, cfb_part(s, at, count * (flags & 1 ? 2 : 1)), flags & 1, out);
}

/* The shared strings go on over continuations; a string cut inside its characters says anew how these are written (2.5.293). */
struct sst {
	struct xls *x;
	struct span part;
	size_t at;
	bool over;
};

static bool more(struct sst *s)
{
	while (s->at >= s->part.size && !s->over) {
		size_t before = s->x->at;
		uint32_t type;
		s->over = !next_record(s->x, &type, &s->part) || type != R_CONTINUE;
		if (s->over)
			s->x->at = before;
		s->at = 0;
	}
	return !s->over;
}

static uint32_t sst_number(struct sst *s, size_t bytes)
{
	uint32_t n = 0;
	for (size_t i = 0; i < bytes && more(s); i++)
		n |= cfb_u8(s->part, s->at++) << (8 * i);
	return n;
}

static void sst_skip(struct sst *s, size_t size)
{
	while (size > 0 && more(s)) {
		size_t n = s->part.size - s->at < size ? s->part.size - s->at : size;
		s->at += n, size -= n;
	}
}

static void sst_characters(struct sst *s, size_t count, bool two)
{
	while (count > 0) {
		if (s->at >= s->part.size) {
			if (!more(s))
				return;
			two = cfb_u8(s->part, s->at++) & 1;
		}
		size_t width = two ? 2 : 1, here = (s->part.size - s->at) / width, n = here < count ? here : count;
		add_characters(s->x, cfb_part(s->part, s->at, n * width), two, &s->x->strings);
		s->at = n == here ? s->part.size : s->at + n * width;
		count -= n;
	}
}

static void read_strings(struct xls *x, struct span first)
{
	struct sst s = {.x = x, .part = first, .at = 8};
	uint32_t count = cfb_u32(first, 4);
	for (uint32_t i = 0; i < count && more(&s) && !buf_error(&x->strings); i++) {
		uint32_t characters = sst_number(&s, 2), flags = sst_number(&s, 1);
		size_t after = (flags & 8 ? (size_t)sst_number(&s, 2) * 4 : 0);
		after += flags & 4 ? sst_number(&s, 4) : 0;
		sst_characters(&s, characters, flags & 1);
		sst_skip(&s, after);
		uint32_t *end = cell_append(&x->error, (void **)&x->ends, &x->string_count, sizeof(*end), STRINGS);
		if (!end)
			return;
		*end = (uint32_t)x->strings.size;
	}
}

/* --- the workbook -------------------------------------------------------------------------------------------------- */

static void take_format(struct xls *x, struct span s)
{
	struct buf code;
	buf_init(&code, 4096);
	add_string(x, cfb_part(s, 2, SIZE_MAX), x->wide ? 2 : 1, &code);
	if (code.data && cell_append(&x->error, (void **)&x->formats, &x->format_count, sizeof(*x->formats), FORMATS)) {
		x->formats[x->format_count - 1].id = cfb_u16(s, 0);
		x->formats[x->format_count - 1].format = cell_format_of_code(code.data);
	}
	buf_release(&code);
}

static void take_style(struct xls *x, struct span s)
{
	uint32_t id = cfb_u16(s, 2);
	enum cell_format format = cell_format_built_in(id);
	for (size_t i = 0; i < x->format_count; i++)
		if (x->formats[i].id == id)
			format = x->formats[i].format;
	unsigned char *style = cell_append(&x->error, (void **)&x->styles, &x->style_count, 1, STYLES);
	if (style)
		*style = (unsigned char)format;
}

static void take_sheet(struct xls *x, struct span s)
{
	struct buf name;
	buf_init(&name, 255);
	add_string(x, cfb_part(s, 6, SIZE_MAX), 1, &name);
	/* Only worksheets: charts and macro sheets have no cells of their own. */
	if (cfb_u8(s, 5) == 0 && cell_append(&x->error, (void **)&x->sheets, &x->sheet_count, sizeof(*x->sheets), SHEETS)) {
		x->sheets[x->sheet_count - 1].at = cfb_u32(s, 0);
		(void)snprintf(x->sheets[x->sheet_count - 1].name, sizeof(x->sheets->name), "%s", name.data ? name.data : "");
	}
	buf_release(&name);
}

/* The records of the workbook itself. False when it is encrypted. */
static bool read_globals(struct xls *x)
{
	uint32_t type;
	struct span s;
	while (next_record(x, &type, &s) && type != R_EOF && !x->error) {
		switch (type) {
		case R_BOF:
			x->wide = cfb_u16(s, 0) >= 0x600;
			break;
		case R_FILEPASS:
			return false;
		case R_CODEPAGE:
			x->code_page = (int)cfb_u16(s, 0) == 0x8000 ? 10000 : (int)cfb_u16(s, 0) == 0x8001 ? 1252 : (int)cfb_u16(s, 0);
			break;
		case R_DATEMODE:
			x->date1904 = cfb_u16(s, 0) != 0;
			break;
		case R_FORMAT:
			take_format(x, s);
			break;
		case R_XF:
			take_style(x, s);
			break;
		case R_BOUNDSHEET:
			take_sheet(x, s);
			break;
		case R_SST:
			read_strings(x, s);
			break;
		default:
			break;
		}
	}
	return true;
}

/* --- cells --------------------------------------------------------------------------------------------------------- */

/* A new cell; its text is what is appended to `texts` until end_cell. */
static size_t begin_cell(struct xls *x)
{
	return x->texts.size;
}

static void end_cell(struct xls *x, uint32_t row, uint32_t column, size_t from)
{
	if (buf_error(&x->texts) || x->texts.size == from)
		return;
	struct xls_cell *c = cell_append(&x->error, (void **)&x->cells, &x->cell_count, sizeof(*c), CELLS);
	if (c)
		*c = (struct xls_cell){row, column, (uint32_t)from, (uint32_t)(x->texts.size - from)};
}

static void add_number(struct xls *x, uint32_t row, uint32_t column, uint32_t style, double number)
{
	char printed[512];
	size_t from = begin_cell(x);
	if (!isfinite(number))
		return;
	if (!cell_print(number, style < x->style_count ? (enum cell_format)x->styles[style] : CELL_GENERAL, x->date1904, printed, sizeof(printed)))
		(void)snprintf(printed, sizeof(printed), "%.15g", number);
	buf_add_string(&x->texts, printed);
	end_cell(x, row, column, from);
}

static double as_double(uint64_t bits)
{
	double number;
	memcpy(&number, &bits, sizeof(number));
	return number;
}

/* Thirty bits of an integer or of a double's upper half; both may be a hundredfold (2.5.217). */
static double rk_number(uint32_t rk)
{
	double number = rk & 2 ? (double)((int32_t)rk >> 2) : as_double((uint64_t)(rk & 0xfffffffc) << 32);
	return rk & 1 ? number / 100 : number;
}

static void add_logic(struct xls *x, uint32_t row, uint32_t column, uint32_t value, bool error)
{
	static const struct {
		uint32_t code;
		const char *text;
	} errors[] = {{0x00, "#NULL!"}, {0x07, "#DIV/0!"}, {0x0f, "#VALUE!"}, {0x17, "#REF!"}, {0x1d, "#NAME?"}, {0x24, "#NUM!"}, {0x2a, "#N/A"}};
	size_t from = begin_cell(x);
	if (!error)
		buf_add_string(&x->texts, value ? "TRUE" : "FALSE");
	for (size_t i = 0; error && i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].code == value)
			buf_add_string(&x->texts, errors[i].text);
	end_cell(x, row, column, from);
}

static void take_formula(struct xls *x, struct span s)
{
	uint32_t row = cfb_u16(s, 0), column = cfb_u16(s, 2);
	if (cfb_u16(s, 12) != 0xffff) {
		add_number(x, row, column, cfb_u16(s, 4), as_double(cfb_u64(s, 6)));
	} else if (cfb_u8(s, 6) == 0) {
		x->formula_row = row, x->formula_column = column;
		x->formula_waits = true;
	} else if (cfb_u8(s, 6) == 1 || cfb_u8(s, 6) == 2) {
		add_logic(x, row, column, cfb_u8(s, 8), cfb_u8(s, 6) == 2);
	}
}

static void take_label(struct xls *x, uint32_t type, struct span s)
{
	uint32_t row = cfb_u16(s, 0), column = cfb_u16(s, 2);
	size_t from = begin_cell(x);
	if (type == R_LABELSST) {
		uint32_t i = cfb_u32(s, 6);
		if (i >= x->string_count || buf_error(&x->strings))
			return;
		size_t start = i > 0 ? x->ends[i - 1] : 0;
		buf_add(&x->texts, buf_span(&x->strings).data + start, x->ends[i] - start);
	} else if (type == R_STRING && x->formula_waits) {
		row = x->formula_row, column = x->formula_column;
		add_string(x, s, 2, &x->texts);
	} else if (type != R_STRING) {
		add_string(x, cfb_part(s, 6, SIZE_MAX), 2, &x->texts);
	}
	x->formula_waits = false;
	end_cell(x, row, column, from);
}

/* The text of a comment or of a drawing's box lies in the record after the one that announces it. */
static void take_box(struct xls *x, struct span s)
{
	uint32_t type, characters = cfb_u16(s, 10);
	size_t before = x->at;
	struct span text;
	if (characters == 0 || x->notes.size > (1 << 20) || !next_record(x, &type, &text) || type != R_CONTINUE) {
		x->at = before;
		return;
	}
	bool two = cfb_u8(text, 0) & 1;
	add_characters(x, cfb_part(text, 1, (uint64_t)characters * (two ? 2 : 1)), two, &x->notes);
	buf_add_char(&x->notes, '\0');
}

static void take_cell(struct xls *x, uint32_t type, struct span s)
{
	uint32_t row = cfb_u16(s, 0), column = cfb_u16(s, 2), style = cfb_u16(s, 4);
	switch (type) {
	case R_NUMBER:
		add_number(x, row, column, style, as_double(cfb_u64(s, 6)));
		break;
	case R_RK:
		add_number(x, row, column, style, rk_number(cfb_u32(s, 6)));
		break;
	case R_MULRK:
		for (size_t at = 4; at + 8 <= s.size; at += 6, column++)
			add_number(x, row, column, cfb_u16(s, at), rk_number(cfb_u32(s, at + 2)));
		break;
	case R_BOOLERR:
		add_logic(x, row, column, cfb_u8(s, 6), cfb_u8(s, 7) != 0);
		break;
	case R_FORMULA:
	case 0x206: /* BIFF3 to BIFF5 in some writers */
	case 0x406:
		take_formula(x, s);
		break;
	case R_LABEL:
	case R_RSTRING:
	case R_LABELSST:
	case R_STRING:
		take_label(x, type, s);
		break;
	case R_TXO:
		if (x->wide)
			take_box(x, s);
		break;
	default:
		break;
	}
}

/* --- sheets out ---------------------------------------------------------------------------------------------------- */

static int compare_cells(const void *a, const void *b)
{
	const struct xls_cell *x = a, *y = b;
	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static int write_table(struct xls *x)
{
	struct table *t = malloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	qsort(x->cells, x->cell_count, sizeof(*x->cells), compare_cells);
	size_t first = SIZE_MAX, last = 0;
	for (size_t i = 0; i < x->cell_count; i++) {
		first = x->cells[i].column < first ? x->cells[i].column : first;
		last = x->cells[i].column > last ? x->cells[i].column : last;
	}
	table_begin(t, &x->md, last - first + 1);
	for (size_t i = 0; i < x->cell_count; i++) {
		const struct xls_cell *c = &x->cells[i];
		if (i > 0 && c->row != c[-1].row)
			table_row_end(t);
		else if (i > 0 && c->column == c[-1].column)
			continue;
		table_skip(t, c->column - first);
		markdown_text(table_cell_begin(t), cfb_part(buf_span(&x->texts), c->from, c->size));
		table_cell_end(t, 1, 1);
	}
	table_row_end(t);
	table_end(t);
	free(t);
	return 0;
}

static int write_sheet(struct xls *x, const char *name)
{
	int r = x->error ? x->error : buf_error(&x->texts);
	if (r < 0)
		return r;
	markdown_heading(&x->md, 2);
	markdown_text(&x->md, span_of(name));
	if (x->cell_count > 0)
		r = write_table(x);
	for (struct span rest = buf_span(&x->notes); rest.size > 0;) {
		const char *end = memchr(rest.data, 0, rest.size);
		size_t size = end ? (size_t)(end - rest.data) : rest.size;
		markdown_break(&x->md, 2);
		markdown_text(&x->md, (struct span){rest.data, size});
		rest = cfb_part(rest, size + 1, SIZE_MAX);
	}
	return r;
}

static int read_sheet(struct xls *x, size_t at, const char *name)
{
	uint32_t type;
	struct span s;
	unsigned depth = 0;
	x->cell_count = 0;
	x->formula_waits = false;
	buf_reset(&x->texts);
	buf_reset(&x->notes);
	x->at = at;
	/* Charts are whole streams of their own inside a sheet's. */
	while (next_record(x, &type, &s) && !x->error) {
		if ((type & 0xff) == (R_BOF & 0xff) && type >= 0x09 && (type & ~0xe09u) == 0)
			depth++;
		else if (type == R_EOF && --depth == 0)
			break;
		else if (depth <= 1)
			take_cell(x, type, s);
		if (depth == 0)
			break;
	}
	return write_sheet(x, name);
}

static int read_book(struct xls *x, struct extract_result *about)
{
	x->code_page = 1252;
	x->wide = true;
	if (!read_globals(x))
		return format_fail(about, "encrypted", "the document is protected with a password");
	int r = x->error;
	for (size_t i = 0; r == 0 && i < x->sheet_count && !buf_error(x->md.out); i++)
		r = read_sheet(x, x->sheets[i].at, x->sheets[i].name);
	return r < 0 ? r : buf_error(&x->strings);
}

int xls_extract(const struct cfb *c, struct buf *text, struct extract_result *about)
{
	struct buf book;
	struct xls x = {0};
	buf_init(&book, c->bytes.size + 1);
	buf_init(&x.strings, text->limit);
	buf_init(&x.texts, text->limit);
	buf_init(&x.notes, text->limit);
	int r = ole_read(c, NULL, "Workbook", &book);
	if (r == -ENOENT)
		r = ole_read(c, NULL, "Book", &book);
	x.in = buf_span(&book);
	markdown_init(&x.md, text, false);
	if (r == 0)
		r = read_book(&x, about);
	if (r == 0 && text->size > 0)
		buf_add_char(text, '\n');
	free(x.sheets);
	free(x.styles);
	free(x.formats);
	free(x.ends);
	free(x.cells);
	buf_release(&x.strings);
	buf_release(&x.texts);
	buf_release(&x.notes);
	buf_release(&book);
	return r == -ENOENT ? format_fail(about, "damaged", "the document has no workbook") : r;
}
