/* DOC (Word 97 to 2003, [MS-DOC]; the older Word 6 and 95 as far as their plain text) -> Markdown. The text lies in pieces that the piece table
 * puts in order; what a paragraph is (heading, item, row of a table) lies in pages of properties found by file position. */
#include "extract/ole.h"
#include "extract/table.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FKP_PAGE = 512, FIELD_DEPTH = 32, STYLES = 4096, NOTES_WAITING = 256, FIELD_CODE = 300 };

/* Places in the file information block ([MS-DOC] 2.5.6): position and size of a structure in the table stream. */
enum {
	FIB_STYLES = 0xa2, FIB_FOOTNOTE_REFS = 0xaa, FIB_FOOTNOTES = 0xb2, FIB_COMMENT_REFS = 0xba, FIB_COMMENTS = 0xc2, FIB_CHARACTERS = 0xfa,
	FIB_PARAGRAPHS = 0x102, FIB_PIECES = 0x1a2, FIB_ENDNOTE_REFS = 0x20a, FIB_ENDNOTES = 0x212
};

/* Marks in the text of a paragraph being gathered, which the document itself cannot hold: links. */
enum { LINK_BEGIN = 1, LINK_TARGET = 2, LINK_END = 3 };

struct piece {
	uint32_t from, to; /* characters */
	uint64_t at;	   /* bytes in the document stream */
	bool wide;
};

struct paragraph {
	unsigned style, outline, list, level; /* outline: 1 to 9, 0: none */
	bool in_table, row_end, outline_set;
};

struct field {
	bool in_result, link;
	char code[FIELD_CODE];
	size_t code_size;
};

struct note {
	char kind; /* 'n'ote or 'c'omment */
	unsigned number;
	uint32_t from, to;
	char author[16];
};

struct doc {
	struct span main, tables;
	struct markdown md;
	struct markdown *out; /* md, or a cell of the table */
	struct table *table;
	bool cell_begun, item_open;
	struct piece *pieces;
	size_t piece_count;
	int code_page; /* of 8-bit text */
	bool modern;   /* Word 97 and later: properties are read */
	unsigned char levels[STYLES]; /* heading level by style */
	unsigned char lists[STYLES];  /* list level + 1 by style */
	struct span page; /* of properties, found last */
	struct buf text;  /* of the paragraph */
	struct field fields[FIELD_DEPTH];
	size_t field_depth;
	struct note notes[NOTES_WAITING];
	size_t note_count;
	uint32_t starts[6]; /* where the main text, footnotes, headers, (macros), comments, endnotes begin; see read_lengths */
	bool in_note;
};

enum { PART_MAIN, PART_FOOTNOTES, PART_COMMENTS, PART_ENDNOTES, PART_BOXES, PART_BOXES_END };

static struct span structure(const struct doc *d, size_t fib)
{
	return d->modern ? cfb_part(d->tables, cfb_u32(d->main, fib), cfb_u32(d->main, fib + 4)) : (struct span){"", 0};
}

/* --- properties ---------------------------------------------------------------------------------------------------- */

/* The page of properties that covers a file position: a table of n + 1 positions and n page numbers (2.8.5). */
static struct span find_page(const struct doc *d, size_t fib, uint64_t position)
{
	struct span plc = structure(d, fib);
	size_t count = plc.size >= 4 ? (plc.size - 4) / 8 : 0, low = 0, high = count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (cfb_u32(plc, middle * 4) <= position)
			low = middle;
		else
			high = middle;
	}
	if (count == 0 || position < cfb_u32(plc, low * 4) || position >= cfb_u32(plc, low * 4 + 4))
		return (struct span){"", 0};
	return cfb_part(d->main, (uint64_t)(cfb_u32(plc, (count + 1) * 4 + low * 4) & 0x3fffff) * FKP_PAGE, FKP_PAGE);
}

/* In a page: how many runs there are stands in its last byte, their positions at its beginning. -1 when none covers the position. */
static int find_run(struct span page, uint64_t position)
{
	uint32_t count = page.size == FKP_PAGE ? cfb_u8(page, FKP_PAGE - 1) : 0;
	for (uint32_t i = 0; i < count; i++)
		if (position >= cfb_u32(page, (size_t)i * 4) && position < cfb_u32(page, (size_t)i * 4 + 4))
			return (int)i;
	return -1;
}

/* The operand's size stands in the operation's upper bits (2.2.5.1). */
static size_t operand_size(struct span s, size_t at)
{
	static const unsigned char sizes[] = {1, 1, 2, 4, 2, 2, 0, 3};
	uint32_t operation = cfb_u16(s, at), kind = operation >> 13;
	if (kind != 6)
		return sizes[kind];
	if (operation == 0xd608) /* a table's definition: two bytes of size, one too many */
		return 1 + (size_t)cfb_u16(s, at + 2);
	return 1 + (size_t)cfb_u8(s, at + 2);
}

static void apply_paragraph(struct span operations, struct paragraph *p)
{
	for (size_t at = 0; at + 2 < operations.size; at += 2 + operand_size(operations, at)) {
		uint32_t value = cfb_u8(operations, at + 2);
		switch (cfb_u16(operations, at)) {
		case 0x2416:
			p->in_table = value != 0;
			break;
		case 0x2417:
			p->row_end = value != 0;
			break;
		case 0x2640:
			p->outline = value < 9 ? value + 1 : 0;
			p->outline_set = true;
			break;
		case 0x260a:
			p->level = value;
			break;
		case 0x460b:
			p->list = cfb_u16(operations, at + 2);
			if (p->list == 0)
				p->level = 0;
			break;
		case 0x4600: /* the style, changed by a later save */
			p->style = cfb_u16(operations, at + 2);
			break;
		default:
			break;
		}
	}
}

static void read_paragraph(struct doc *d, uint64_t position, struct paragraph *p)
{
	*p = (struct paragraph){0};
	struct span page = find_page(d, FIB_PARAGRAPHS, position);
	int run = find_run(page, position);
	if (run < 0)
		return;
	size_t at = (size_t)cfb_u8(page, ((size_t)cfb_u8(page, FKP_PAGE - 1) + 1) * 4 + (size_t)run * 13) * 2;
	if (at == 0)
		return;
	size_t words = cfb_u8(page, at++), size;
	if (words == 0)
		size = (size_t)cfb_u8(page, at++) * 2;
	else
		size = words * 2 - 1;
	struct span properties = cfb_part(page, at, size);
	p->style = cfb_u16(properties, 0);
	p->list = p->style < STYLES && d->lists[p->style] > 0;
	p->level = p->list ? d->lists[p->style] - 1u : 0;
	apply_paragraph(cfb_part(properties, 2, SIZE_MAX), p);
	if (!p->outline_set && p->style < STYLES)
		p->outline = d->levels[p->style];
}

/* Hidden or deleted: the run of characters at a position and where it ends. */
static bool is_dropped(const struct doc *d, uint64_t position, uint64_t *ret_end)
{
	struct span page = find_page(d, FIB_CHARACTERS, position);
	int run = find_run(page, position);
	*ret_end = run < 0 ? position + 1 : cfb_u32(page, (size_t)run * 4 + 4);
	if (run < 0)
		return false;
	size_t at = (size_t)cfb_u8(page, ((size_t)cfb_u8(page, FKP_PAGE - 1) + 1) * 4 + (size_t)run) * 2;
	struct span operations = at ? cfb_part(page, at + 1, cfb_u8(page, at)) : (struct span){"", 0};
	bool dropped = false;
	for (at = 0; at + 2 < operations.size; at += 2 + operand_size(operations, at)) {
		uint32_t operation = cfb_u16(operations, at);
		if (operation == 0x0800 || operation == 0x083c)
			dropped = (cfb_u8(operations, at + 2) & 1) != 0;
	}
	return dropped;
}

/* The style sheet (2.9.271): built-in headings have the numbers 1 to 9, in every language. */
static void read_styles(struct doc *d)
{
	struct span sheet = structure(d, FIB_STYLES);
	size_t header = cfb_u16(sheet, 0), count = cfb_u16(sheet, 2), fixed = cfb_u16(sheet, 4), at = header + 2;
	for (size_t i = 0; i < count && i < STYLES && at + 2 <= sheet.size; i++) {
		size_t size = cfb_u16(sheet, at);
		struct span style = cfb_part(sheet, at + 2, size);
		uint32_t number = cfb_u16(style, 0) & 0xfff, based = cfb_u16(style, 2) >> 4, kind = cfb_u16(style, 2) & 15;
		if (size > 0 && kind == 1) {
			if (number >= 1 && number <= 9)
				d->levels[i] = (unsigned char)number;
			else if (number == 62) /* Title */
				d->levels[i] = 1;
			else if (based < i)
				d->levels[i] = d->levels[based];
			/* After the name come the style's own operations: their size, the style's number, then they. */
			size_t name = fixed + 2 + ((size_t)cfb_u16(style, fixed) + 1) * 2;
			struct paragraph p = {.outline = d->levels[i]};
			apply_paragraph(cfb_part(style, name + 4, cfb_u16(style, name) >= 2 ? cfb_u16(style, name) - 2u : 0), &p);
			d->levels[i] = (unsigned char)p.outline;
			if (p.list)
				d->lists[i] = (unsigned char)(p.level < 9 ? p.level + 1 : 1);
		}
		at += 2 + size + (size & 1);
	}
}

/* --- paragraphs out ------------------------------------------------------------------------------------------------ */

static void end_item(struct doc *d)
{
	if (d->item_open)
		markdown_pop(&d->md);
	d->item_open = false;
}

static void end_table(struct doc *d)
{
	if (!d->table)
		return;
	if (d->cell_begun) {
		table_cell_end(d->table, 1, 1);
		table_row_end(d->table);
	}
	table_end(d->table);
	free(d->table);
	d->table = NULL;
	d->cell_begun = false;
	d->out = &d->md;
}

/* The gathered text with its links. */
static void write_text(struct doc *d)
{
	struct span s = buf_span(&d->text);
	size_t from = 0, target = 0;
	char address[FIELD_CODE];
	for (size_t i = 0; i <= s.size; i++) {
		char c = i < s.size ? s.data[i] : LINK_BEGIN;
		if (c != LINK_BEGIN && c != LINK_TARGET && c != LINK_END && c != '\v')
			continue;
		if (c == LINK_END) {
			(void)snprintf(address, sizeof(address), "%.*s", (int)(i - target), s.data + target);
			markdown_link_end(d->out, address);
		} else {
			markdown_text(d->out, (struct span){s.data + from, i - from});
		}
		if (c == LINK_BEGIN && i < s.size)
			markdown_link_begin(d->out);
		if (c == '\v')
			markdown_line_break(d->out);
		target = i + 1;
		from = i + 1;
		if (c == LINK_TARGET) {
			while (i + 1 < s.size && s.data[i + 1] != LINK_END)
				i++;
			from = i + 1;
		}
	}
	buf_reset(&d->text);
}

static bool has_text(const struct doc *d)
{
	struct span s = buf_span(&d->text);
	for (size_t i = 0; i < s.size; i++)
		if ((unsigned char)s.data[i] > ' ')
			return true;
	return false;
}

static int begin_cell(struct doc *d)
{
	if (!d->table) {
		end_item(d);
		d->table = malloc(sizeof(*d->table));
		if (!d->table)
			return -ENOMEM;
		table_begin(d->table, &d->md, 0);
	}
	if (!d->cell_begun) {
		d->out = table_cell_begin(d->table);
		d->cell_begun = true;
	} else {
		markdown_break(d->out, 1);
	}
	return 0;
}

/* A paragraph is over: `end` is the character that ended it, 7 at the end of a cell or a row. */
static int end_paragraph(struct doc *d, const struct paragraph *p, uint32_t end)
{
	if (p->row_end) {
		buf_reset(&d->text);
		if (d->table)
			table_row_end(d->table);
		return 0;
	}
	if (p->in_table || end == 7) {
		int r = begin_cell(d);
		if (r < 0)
			return r;
		write_text(d);
		if (end == 7) {
			table_cell_end(d->table, 1, 1);
			d->cell_begun = false;
		}
		return 0;
	}
	end_table(d);
	if (!has_text(d)) {
		buf_reset(&d->text);
		return 0;
	}
	bool item = p->list > 0 && p->outline == 0, after_item = d->item_open;
	end_item(d);
	if (item) {
		char marker[24];
		(void)snprintf(marker, sizeof(marker), "%*s- ", (int)(p->level < 9 ? p->level : 9) * 2, "");
		if (!after_item)
			markdown_break(d->out, 2);
		markdown_push_item(d->out, marker);
		d->item_open = true;
	} else if (p->outline > 0 && !d->in_note) {
		markdown_heading(d->out, p->outline);
	} else {
		markdown_break(d->out, 2);
	}
	write_text(d);
	return 0;
}

/* --- fields -------------------------------------------------------------------------------------------------------- */

/* HYPERLINK "http://..." has its target in its code. */
static bool link_target(const struct field *f, struct span *ret)
{
	const char *word = strstr(f->code, "HYPERLINK"), *from = word ? strchr(word, '"') : NULL, *to = from ? strchr(from + 1, '"') : NULL;
	if (!to || memmem(word, (size_t)(from - word), "\\l", 2))
		return false;
	*ret = (struct span){from + 1, (size_t)(to - from - 1)};
	return true;
}

static void take_field(struct doc *d, uint32_t c)
{
	struct field *f = d->field_depth > 0 && d->field_depth <= FIELD_DEPTH ? &d->fields[d->field_depth - 1] : NULL;
	struct span target;
	if (c == 0x13) {
		if (d->field_depth < FIELD_DEPTH)
			d->fields[d->field_depth] = (struct field){0};
		d->field_depth++;
	} else if (c == 0x14 && f) {
		f->in_result = true;
		f->code[f->code_size] = '\0';
		f->link = link_target(f, &target);
		if (f->link)
			buf_add_char(&d->text, LINK_BEGIN);
	} else if (c == 0x15 && d->field_depth > 0) {
		if (f && f->link && link_target(f, &target)) {
			buf_add_char(&d->text, LINK_TARGET);
			buf_add_span(&d->text, target);
			buf_add_char(&d->text, LINK_END);
		}
		d->field_depth--;
	}
}

/* Whether the character belongs to a field's code, which is kept apart. */
static bool in_field_code(struct doc *d, uint32_t c)
{
	for (size_t i = 0; i < d->field_depth && i < FIELD_DEPTH; i++) {
		struct field *f = &d->fields[i];
		if (f->in_result)
			continue;
		if (f->code_size + 1 < FIELD_CODE && c < 0x80)
			f->code[f->code_size++] = (char)c;
		return true;
	}
	return d->field_depth > FIELD_DEPTH;
}

/* --- notes --------------------------------------------------------------------------------------------------------- */

/* The note whose reference stands at a character: a list of n + 1 characters and n records of `record` bytes; another of where texts begin. */
static bool find_note(const struct doc *d, uint32_t cp, size_t refs_fib, size_t record, size_t texts_fib, unsigned part, struct note *ret)
{
	struct span refs = structure(d, refs_fib), texts = structure(d, texts_fib);
	size_t count = refs.size >= 4 ? (refs.size - 4) / (4 + record) : 0;
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (cfb_u32(refs, middle * 4) < cp)
			low = middle + 1;
		else
			high = middle;
	}
	if (low >= count || cfb_u32(refs, low * 4) != cp || low * 4 + 8 > texts.size)
		return false;
	uint32_t limit = d->starts[part + 1] - d->starts[part], from = cfb_u32(texts, low * 4), to = cfb_u32(texts, low * 4 + 4);
	if (from > to || to > limit)
		return false;
	*ret = (struct note){.kind = part == PART_COMMENTS ? 'c' : 'n', .number = (unsigned)low + 1};
	ret->from = d->starts[part] + from;
	ret->to = d->starts[part] + to;
	if (part == PART_COMMENTS) {
		/* The record begins with the author's initials: their number, at most nine, then they. */
		struct span initials = cfb_part(refs, (count + 1) * 4 + low * record, record);
		for (size_t i = 0; i < cfb_u16(initials, 0) && i < 9; i++) {
			uint32_t unit = cfb_u16(initials, 2 + i * 2);
			ret->author[i] = (char)(unit < 0x7f && unit >= ' ' ? unit : '?');
		}
	}
	return true;
}

static void take_reference(struct doc *d, uint32_t cp)
{
	struct note n;
	if (d->in_note || d->note_count == NOTES_WAITING)
		return;
	bool foot = find_note(d, cp, FIB_FOOTNOTE_REFS, 2, FIB_FOOTNOTES, PART_FOOTNOTES, &n);
	bool end = !foot && find_note(d, cp, FIB_ENDNOTE_REFS, 2, FIB_ENDNOTES, PART_ENDNOTES, &n);
	if (!foot && !end && !find_note(d, cp, FIB_COMMENT_REFS, 30, FIB_COMMENTS, PART_COMMENTS, &n))
		return;
	if (n.kind == 'n')
		buf_addf(&d->text, end ? "[^e%u]" : "[^%u]", n.number);
	if (end)
		n.kind = 'e';
	d->notes[d->note_count++] = n;
}

static int write_range(struct doc *d, uint32_t from, uint32_t to);

/* What the paragraph refers to follows it; a table is not interrupted. NOLINTNEXTLINE(misc-no-recursion): notes have none */
static int write_notes(struct doc *d)
{
	int r = 0;
	if (d->note_count == 0 || d->table || d->in_note)
		return 0;
	end_item(d);
	d->in_note = true;
	for (size_t i = 0; r == 0 && i < d->note_count; i++) {
		struct note *n = &d->notes[i];
		if (n->kind == 'c') {
			markdown_push_quote(&d->md);
			buf_addf(&d->text, "Comment%s%s: ", n->author[0] ? " by " : "", n->author);
		} else {
			markdown_break(&d->md, 2);
			buf_addf(&d->text, n->kind == 'e' ? "[^e%u]: " : "[^%u]: ", n->number);
		}
		r = write_range(d, n->from, n->to);
		end_item(d);
		if (n->kind == 'c')
			markdown_pop(&d->md);
	}
	d->note_count = 0;
	d->in_note = false;
	markdown_break(&d->md, 2);
	return r;
}

/* --- text ---------------------------------------------------------------------------------------------------------- */

static void add_point(struct doc *d, uint32_t c, bool wide)
{
	char bytes[4];
	if (!wide && c >= 0x80) {
		bytes[0] = (char)c;
		ole_add_bytes(d->code_page, (struct span){bytes, 1}, &d->text);
	} else {
		buf_add(&d->text, bytes, utf8_encode(c, bytes));
	}
}

static int take_character(struct doc *d, uint32_t c, uint32_t cp, bool wide, uint64_t position)
{
	struct paragraph p = {0};
	if (c >= 0x13 && c <= 0x15) {
		take_field(d, c);
		return 0;
	}
	if (c != 0x0d && c != 7 && in_field_code(d, c))
		return 0;
	switch (c) {
	case 0x0d:
	case 0x0c:
	case 7:
		if (d->modern)
			read_paragraph(d, position, &p);
		/* Without properties: two marks in a row. */
		if (c == 7 && !p.in_table && !p.row_end)
			p.row_end = d->table && !d->cell_begun && d->text.size == 0;
		int r = end_paragraph(d, &p, c);
		return r == 0 ? write_notes(d) : r;
	case 2:
	case 5:
		take_reference(d, cp);
		return 0;
	case 0x0b:
		buf_add_char(&d->text, '\v');
		return 0;
	case 0x1e:
		buf_add_char(&d->text, '-');
		return 0;
	default:
		if (c == '\t' || c >= ' ')
			add_point(d, c, wide);
		else if (c == 0x0e)
			buf_add_char(&d->text, ' ');
		return 0;
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): see write_notes */
static int write_range(struct doc *d, uint32_t from, uint32_t to)
{
	int r = 0;
	size_t depth = d->field_depth;
	d->field_depth = 0;
	for (size_t i = 0; i < d->piece_count && r == 0 && !buf_error(d->md.out); i++) {
		const struct piece *piece = &d->pieces[i];
		if (piece->to <= from || piece->from >= to)
			continue;
		uint32_t first = piece->from > from ? piece->from : from, last = piece->to < to ? piece->to : to;
		uint64_t run_end = 0;
		bool dropped = false;
		for (uint32_t cp = first; cp < last && r == 0; cp++) {
			uint64_t position = piece->at + (uint64_t)(cp - piece->from) * (piece->wide ? 2 : 1);
			if (position >= d->main.size)
				break;
			if (position >= run_end)
				dropped = d->modern && is_dropped(d, position, &run_end);
			uint32_t c = piece->wide ? cfb_u16(d->main, position) : cfb_u8(d->main, position);
			if (piece->wide && c >= 0xd800 && c < 0xdc00 && cp + 1 < last && !dropped) {
				uint32_t low = cfb_u16(d->main, position + 2);
				c = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
				cp++;
			}
			if (!dropped || c == 7 || c == 0x0d)
				r = take_character(d, c, cp, piece->wide, position);
		}
	}
	const struct paragraph plain = {0};
	if (r == 0 && has_text(d))
		r = end_paragraph(d, &plain, 0);
	d->field_depth = depth;
	return r < 0 ? r : write_notes(d);
}

/* --- the document -------------------------------------------------------------------------------------------------- */

/* The lengths of the parts, which follow one another in the characters (2.5.5). */
static uint32_t read_lengths(struct doc *d)
{
	/* Main text, footnotes, headers, macros, comments, endnotes, boxes, the headers' boxes. */
	static const size_t order[] = {0x4c, 0x50, 0x54, 0x58, 0x5c, 0x60, 0x64, 0x68};
	uint32_t at[9] = {0};
	for (size_t i = 0; i < 8; i++) {
		uint32_t length = d->modern ? cfb_u32(d->main, order[i]) : i < 2 ? cfb_u32(d->main, 0x34 + i * 4) : 0;
		at[i + 1] = length < UINT32_MAX / 16 ? at[i] + length : at[i];
	}
	const uint32_t starts[] = {at[0], at[1], at[4], at[5], at[6], at[7]};
	memcpy(d->starts, starts, sizeof(starts));
	/* Boundaries between footnotes and headers do not matter: notes are read by their own ranges. */
	return at[1];
}

/* Without a table of pieces, or with an empty one. */
static int one_piece(struct doc *d, uint32_t length)
{
	free(d->pieces);
	d->pieces = calloc(1, sizeof(*d->pieces));
	if (!d->pieces)
		return -ENOMEM;
	uint32_t from = cfb_u32(d->main, 0x18), to = cfb_u32(d->main, 0x1c);
	d->pieces[0] = (struct piece){.to = length ? length : to > from ? to - from : 0, .at = from};
	d->piece_count = 1;
	return 0;
}

/* The piece table (2.9.38): after lists of changes, 2, its size, n + 1 characters and n records. */
static int read_pieces(struct doc *d, struct span clx)
{
	size_t at = 0;
	while (cfb_u8(clx, at) == 1 && at < clx.size)
		at += 3 + cfb_u16(clx, at + 1);
	struct span plc = cfb_part(clx, (uint64_t)at + 5, cfb_u32(clx, at + 1));
	size_t count = cfb_u8(clx, at) == 2 && plc.size >= 16 ? (plc.size - 4) / 12 : 0;
	d->pieces = calloc(count + 1, sizeof(*d->pieces));
	if (!d->pieces)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint32_t fc = cfb_u32(plc, (count + 1) * 4 + i * 8 + 2), from = cfb_u32(plc, i * 4), to = cfb_u32(plc, i * 4 + 4);
		if (to <= from || (i > 0 && from < cfb_u32(plc, i * 4 - 4)))
			continue;
		bool narrow = !d->modern || (fc & 0x40000000);
		uint64_t place = d->modern ? (narrow ? (fc & 0x3fffffff) / 2 : fc & 0x3fffffff) : fc;
		d->pieces[d->piece_count++] = (struct piece){from, to, place, !narrow};
	}
	return 0;
}

static int read_document(struct doc *d, struct extract_result *about)
{
	uint32_t flags = cfb_u16(d->main, 0x0a), magic = cfb_u16(d->main, 0), version = cfb_u16(d->main, 2);
	if (flags & 0x0100)
		return format_fail(about, "encrypted", "the document is protected with a password");
	if (d->main.size < 0x200 || (magic != 0xa5ec && magic != 0xa5dc))
		return format_fail(about, "damaged", "the document's header is damaged, or Word 2 wrote it");
	d->modern = magic == 0xa5ec && version >= 0xc0;
	d->code_page = 1252;
	uint32_t main_size = read_lengths(d);
	struct span old_clx = cfb_part(d->main, cfb_u32(d->main, 0x160), cfb_u32(d->main, 0x164));
	int r = d->modern ? read_pieces(d, structure(d, FIB_PIECES)) : (flags & 4) ? read_pieces(d, old_clx) : one_piece(d, main_size);
	if (r == 0 && d->piece_count == 0)
		r = one_piece(d, main_size);
	if (r < 0)
		return r;
	read_styles(d);
	r = write_range(d, 0, main_size ? main_size : UINT32_MAX);
	end_table(d);
	if (r == 0)
		r = write_notes(d);
	if (r == 0)
		r = write_range(d, d->starts[PART_BOXES], d->starts[PART_BOXES_END]);
	end_table(d);
	end_item(d);
	return r;
}

int doc_extract(const struct cfb *c, struct buf *text, struct extract_result *about)
{
	struct buf main, tables;
	buf_init(&main, c->bytes.size + 1);
	buf_init(&tables, c->bytes.size + 1);
	struct doc *d = calloc(1, sizeof(*d));
	int r = d ? ole_read(c, NULL, "WordDocument", &main) : -ENOMEM;
	if (r == 0 && ole_read(c, NULL, cfb_u16(buf_span(&main), 0x0a) & 0x0200 ? "1Table" : "0Table", &tables) == -ENOMEM)
		r = -ENOMEM;
	if (r == 0) {
		d->main = buf_span(&main);
		d->tables = buf_span(&tables);
		d->out = &d->md;
		markdown_init(&d->md, text, false);
		buf_init(&d->text, text->limit);
		r = read_document(d, about);
		if (r == 0 && text->size > 0)
			buf_add_char(text, '\n');
		if (r == 0)
			r = buf_error(&d->text);
		end_table(d);
		buf_release(&d->text);
		free(d->pieces);
	}
	free(d);
	buf_release(&main);
	buf_release(&tables);
	return r == -ENOENT ? format_fail(about, "damaged", "the document has no text stream") : r;
}
