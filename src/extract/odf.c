/* OpenDocument text, spreadsheets and presentations (ODF 1.3 part 3) -> Markdown, in one pass over content.xml. */
#include "extract/package.h"
#include "extract/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIST_STYLES = 20000, NAME_SIZE = 64, LIST_DEPTH = 10, REPEATS = 1000 };

struct list_style {
	char name[NAME_SIZE];
	unsigned ordered; /* bit per level */
};

struct odf {
	struct markdown md, note;
	struct markdown *out; /* md, a table's cell, or note */
	int error;

	struct list_style *styles;
	size_t style_count;
	bool in_list_style;

	unsigned skip, paragraph; /* depths inside something left out, inside a paragraph */
	bool heading;
	struct {
		unsigned ordered;
		long next;
	} lists[LIST_DEPTH];
	unsigned list_depth, item_depth; /* item_depth: marks pushed */
	struct table *table;
	unsigned table_depth;
	unsigned across, down, repeat, empty_cells, row_repeat;
	bool in_spreadsheet, in_cell;
	const char *link;
	char link_target[256];
	bool title_frame;
	unsigned pages, notes_made;
	struct buf notes; /* footnotes and comments of the current paragraph */
	struct markdown *before_note;
	unsigned paragraph_before_note;
	bool in_note_mark, in_author;
};

static bool is(const char *name, const char *what)
{
	return strcmp(name, what) == 0;
}

static unsigned count_of(const char **attributes, const char *name)
{
	const char *v = xml_attribute(attributes, name);
	long n = v ? strtol(v, NULL, 10) : 1;
	return n < 1 ? 1 : n > 1000000 ? 1000000 : (unsigned)n;
}

/* --- list styles --------------------------------------------------------------------------------------------------- */

static void add_list_style(struct odf *o, const char *name)
{
	size_t n = o->style_count;
	if (!name || n == LIST_STYLES || o->error)
		return;
	if ((n & (n - 1)) == 0) {
		struct list_style *grown = realloc(o->styles, (n ? n * 2 : 1) * sizeof(*grown));
		if (!grown) {
			o->error = -ENOMEM;
			return;
		}
		o->styles = grown;
	}
	o->styles[n] = (struct list_style){0};
	(void)snprintf(o->styles[n].name, NAME_SIZE, "%s", name);
	o->style_count++;
	o->in_list_style = true;
}

static void list_style_start(struct odf *o, const char *name, const char **attributes)
{
	if (is(name, "list-style"))
		add_list_style(o, xml_attribute(attributes, "name"));
	unsigned level = count_of(attributes, "level");
	if (o->in_list_style && is(name, "list-level-style-number") && level <= LIST_DEPTH)
		o->styles[o->style_count - 1].ordered |= 1U << (level - 1);
}

static unsigned ordered_levels(const struct odf *o, const char *name)
{
	for (size_t i = o->style_count; name && i > 0; i--)
		if (is(o->styles[i - 1].name, name))
			return o->styles[i - 1].ordered;
	return 0;
}

/* --- lists --------------------------------------------------------------------------------------------------------- */

static void begin_list(struct odf *o, const char **attributes)
{
	unsigned d = o->list_depth++;
	if (d >= LIST_DEPTH)
		return;
	const char *style = xml_attribute(attributes, "style-name");
	o->lists[d].ordered = style ? ordered_levels(o, style) : d > 0 ? o->lists[d - 1].ordered : 0;
	o->lists[d].next = 1;
	if (o->out == &o->md && !o->table)
		markdown_break(o->out, d > 0 ? 1 : 2);
}

static void begin_item(struct odf *o, const char **attributes)
{
	char marker[24] = "- ";
	unsigned d = o->list_depth < LIST_DEPTH ? o->list_depth : LIST_DEPTH;
	if (d > 0 && (o->lists[d - 1].ordered & (1U << (d - 1)))) {
		if (xml_attribute(attributes, "start-value"))
			o->lists[d - 1].next = count_of(attributes, "start-value");
		(void)snprintf(marker, sizeof(marker), "%ld. ", o->lists[d - 1].next++);
	}
	/* Titles of slides are one-item lists in some files. */
	if (o->out != &o->md || o->title_frame)
		return;
	markdown_push_item(o->out, marker);
	o->item_depth++;
}

static void end_item(struct odf *o)
{
	if (o->out != &o->md || o->title_frame || o->item_depth == 0)
		return;
	markdown_break(o->out, 1);
	markdown_pop(o->out);
	o->item_depth--;
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static void begin_table(struct odf *o, const char **attributes)
{
	if (o->table_depth++ > 0)
		return;
	const char *name = xml_attribute(attributes, "name");
	if (o->in_spreadsheet && name) {
		markdown_heading(&o->md, 2);
		markdown_text(&o->md, span_of(name));
	}
	o->table = malloc(sizeof(*o->table));
	if (o->table)
		table_begin(o->table, &o->md, 0);
	else
		o->error = -ENOMEM;
}

static void flush_notes(struct odf *o)
{
	if (o->notes.size == 0 || o->out != &o->md || o->table)
		return;
	for (struct span rest = buf_span(&o->notes); rest.size > 0;) {
		const char *end = memchr(rest.data, '\n', rest.size);
		size_t size = end ? (size_t)(end - rest.data) : rest.size;
		markdown_break(&o->md, 2);
		markdown_text(&o->md, (struct span){rest.data, size});
		size += end != NULL;
		rest.data += size, rest.size -= size;
	}
	markdown_break(&o->md, 2);
	buf_reset(&o->notes);
}

static void end_table(struct odf *o)
{
	if (--o->table_depth > 0 || !o->table)
		return;
	table_end(o->table);
	free(o->table);
	o->table = NULL;
	o->out = &o->md;
	o->in_cell = false;
	flush_notes(o);
}

/* An empty cell counts only when another follows: rows end with thousands of them. */
static void end_cell(struct odf *o)
{
	struct table *t = o->table;
	o->out = &o->md;
	o->in_cell = false;
	size_t column = t->column < TABLE_COLUMNS ? t->column : TABLE_COLUMNS - 1;
	size_t start = t->starts[column], size = t->text.size > start ? t->text.size - start : 0;
	table_cell_end(t, o->across, o->down);
	for (unsigned i = 1; i < o->repeat && size > 0 && t->column < TABLE_COLUMNS && buf_reserve(&t->text, size) == 0; i++) {
		(void)table_cell_begin(t);
		buf_add(&t->text, t->text.data + start, size);
		table_cell_end(t, 1, 1);
	}
	/* Taken back until a cell with text makes it count. */
	if (size == 0 && o->across == 1 && o->down == 1) {
		t->column = t->column > 0 ? t->column - 1 : 0;
		o->empty_cells += o->repeat;
	}
}

static void begin_cell(struct odf *o, const char **attributes)
{
	o->across = count_of(attributes, "number-columns-spanned");
	o->down = count_of(attributes, "number-rows-spanned");
	o->repeat = count_of(attributes, "number-columns-repeated");
	o->in_cell = true;
	o->out = table_cell_begin(o->table);
}

/* The first text of a cell: the empty ones before it are real. */
static void count_empty_cells(struct odf *o)
{
	if (!o->in_cell || o->empty_cells == 0 || o->table_depth != 1)
		return;
	size_t target = o->table->column + o->empty_cells;
	o->empty_cells = 0;
	table_skip(o->table, target < TABLE_COLUMNS ? target : TABLE_COLUMNS - 1);
	o->out = table_cell_begin(o->table);
}

static void end_row(struct odf *o)
{
	struct buf *out = o->md.out;
	size_t start = out->size;
	bool header = !o->table->header_written;
	table_row_end(o->table);
	o->empty_cells = 0;
	size_t size = out->size - start;
	for (unsigned i = 1; i < o->row_repeat && i < REPEATS && size > 0 && !header && buf_reserve(out, size) == 0; i++)
		buf_add(out, out->data + start, size);
}

static bool table_start(struct odf *o, const char *name, const char **attributes)
{
	if (is(name, "table") && xml_attribute(attributes, "name")) {
		begin_table(o, attributes);
		return true;
	}
	if (is(name, "table")) {
		o->table_depth += o->table_depth > 0;
		if (o->table_depth == 0)
			begin_table(o, attributes);
		return true;
	}
	if (!o->table || o->table_depth != 1)
		return false;
	if (is(name, "table-column"))
		o->table->width += !o->in_spreadsheet ? count_of(attributes, "number-columns-repeated") : 0;
	else if (is(name, "table-row"))
		o->row_repeat = count_of(attributes, "number-rows-repeated");
	else if (is(name, "table-cell"))
		begin_cell(o, attributes);
	else
		return false;
	if (o->table->width > TABLE_COLUMNS)
		o->table->width = TABLE_COLUMNS;
	return true;
}

static bool table_element_end(struct odf *o, const char *name)
{
	if (is(name, "table") && o->table_depth > 0) {
		end_table(o);
		return true;
	}
	if (!o->table || o->table_depth != 1)
		return false;
	if (is(name, "table-cell"))
		end_cell(o);
	else if (is(name, "table-row"))
		end_row(o);
	else
		return false;
	return true;
}

/* --- notes and comments -------------------------------------------------------------------------------------------- */

static void begin_note(struct odf *o, bool comment)
{
	if (o->before_note)
		return;
	if (!comment) {
		char mark[24];
		(void)snprintf(mark, sizeof(mark), "[^%u]", ++o->notes_made);
		markdown_mark(o->out, mark);
		buf_addf(&o->notes, "%s: ", mark);
	} else {
		buf_add_string(&o->notes, "> Comment: ");
	}
	o->before_note = o->out;
	o->paragraph_before_note = o->paragraph;
	o->paragraph = 0;
	markdown_init(&o->note, &o->notes, true);
	o->out = &o->note;
}

static void end_note(struct odf *o)
{
	if (!o->before_note)
		return;
	o->out = o->before_note;
	o->before_note = NULL;
	o->paragraph = o->paragraph_before_note;
	buf_add_char(&o->notes, '\n');
}

/* --- the document -------------------------------------------------------------------------------------------------- */

static bool is_left_out(const char *name)
{
	static const char *const names[] = {"tracked-changes", "scripts", "forms", "sequence-decls", "note-citation", "ruby-text", "creator",
					    "date",	       "date-string", "covered-table-cell", "master-styles", "label-ranges", "event-listeners"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is(name, names[i]))
			return true;
	return false;
}

static void begin_page(struct odf *o)
{
	char marker[48];
	(void)snprintf(marker, sizeof(marker), TEXT_PAGE_MARKER, ++o->pages);
	markdown_break(&o->md, 2);
	markdown_mark(&o->md, marker);
	markdown_break(&o->md, 2);
}

static void begin_paragraph(struct odf *o, bool heading, const char **attributes)
{
	if (o->paragraph++ > 0)
		return;
	const char *style = xml_attribute(attributes, "style-name");
	bool title = o->title_frame || (style && is(style, "Title"));
	o->heading = (heading || title) && o->out == &o->md && !o->table && o->item_depth == 0;
	if (o->heading)
		markdown_heading(o->out, o->title_frame ? 2 : title ? 1 : count_of(attributes, "outline-level"));
	else
		markdown_break(o->out, o->item_depth > 0 ? 1 : 2);
}

static void end_paragraph(struct odf *o)
{
	if (o->paragraph == 0 || --o->paragraph > 0)
		return;
	markdown_break(o->out, o->heading ? 2 : 1);
	o->heading = false;
	flush_notes(o);
}

static void begin_link(struct odf *o, const char **attributes)
{
	const char *target = xml_attribute(attributes, "href");
	if (!target || o->link || o->heading || strlen(target) >= sizeof(o->link_target))
		return;
	(void)snprintf(o->link_target, sizeof(o->link_target), "%s", target);
	o->link = o->link_target;
	markdown_link_begin(o->out);
}

static void inline_start(struct odf *o, const char *name, const char **attributes)
{
	if (is(name, "tab") || is(name, "s"))
		markdown_text(o->out, span_of(" "));
	else if (is(name, "line-break"))
		o->heading || o->out != &o->md ? markdown_text(o->out, span_of(" ")) : markdown_break(o->out, 1);
	else if (is(name, "a"))
		begin_link(o, attributes);
	else if (is(name, "note"))
		begin_note(o, false);
	else if (is(name, "annotation"))
		begin_note(o, true);
	else if (is(name, "desc") || is(name, "title"))
		begin_paragraph(o, false, attributes); /* what a picture shows */
}

static void content_start(void *context, const char *name, const char **attributes)
{
	struct odf *o = context;
	if (o->skip > 0 || is_left_out(name)) {
		o->skip++;
		return;
	}
	list_style_start(o, name, attributes);
	if (is(name, "spreadsheet"))
		o->in_spreadsheet = true;
	if (table_start(o, name, attributes))
		return;
	const char *class = xml_attribute(attributes, "class");
	if (is(name, "p") || is(name, "h"))
		begin_paragraph(o, is(name, "h"), attributes);
	else if (is(name, "list"))
		begin_list(o, attributes);
	else if (is(name, "list-item") || is(name, "list-header"))
		begin_item(o, attributes);
	else if (is(name, "page"))
		begin_page(o);
	else if (is(name, "frame"))
		o->title_frame = class && is(class, "title");
	else if (is(name, "notes"))
		markdown_push_quote(&o->md);
	else
		inline_start(o, name, attributes);
}

static void content_end(void *context, const char *name)
{
	struct odf *o = context;
	if (o->skip > 0) {
		o->skip--;
		return;
	}
	if (is(name, "list-style"))
		o->in_list_style = false;
	if (table_element_end(o, name))
		return;
	if (is(name, "p") || is(name, "h") || is(name, "desc") || is(name, "title")) {
		end_paragraph(o);
	} else if (is(name, "list")) {
		o->list_depth -= o->list_depth > 0;
		if (o->out == &o->md && !o->table)
			markdown_break(o->out, o->list_depth > 0 ? 1 : 2);
	} else if (is(name, "list-item") || is(name, "list-header")) {
		end_item(o);
	} else if (is(name, "frame")) {
		o->title_frame = false;
	} else if (is(name, "notes")) {
		markdown_break(&o->md, 2);
		markdown_pop(&o->md);
	} else if (is(name, "a") && o->link) {
		markdown_link_end(o->out, o->link);
		o->link = NULL;
	} else if (is(name, "note") || is(name, "annotation")) {
		end_note(o);
	}
}

static void content_text(void *context, struct span text)
{
	struct odf *o = context;
	if (o->skip > 0 || o->paragraph == 0)
		return;
	count_empty_cells(o);
	markdown_text(o->out, text);
}

/* styles.xml: only its list styles. */
static void styles_start(void *context, const char *name, const char **attributes)
{
	list_style_start(context, name, attributes);
}

static void styles_end(void *context, const char *name)
{
	struct odf *o = context;
	if (is(name, "list-style"))
		o->in_list_style = false;
}

static bool is_encrypted(struct zip *z)
{
	const struct zip_entry *e = zip_find(z, span_of("META-INF/manifest.xml"));
	struct buf manifest;
	buf_init(&manifest, 4 << 20);
	bool found = e && zip_read_all(z, e, &manifest) == 0 && manifest.size > 0 && memmem(manifest.data, manifest.size, "encryption-data", 15);
	buf_release(&manifest);
	return found;
}

static int read_content(struct zip *z, struct buf *text, struct extract_result *about)
{
	static const struct xml_events styles = {styles_start, styles_end, NULL}, content = {content_start, content_end, content_text};
	struct odf o = {0};
	o.out = &o.md;
	markdown_init(&o.md, text, false);
	buf_init(&o.notes, text->limit);
	int r = package_parse(z, "styles.xml", &styles, &o);
	o.in_list_style = false;
	if (r == 0)
		r = package_parse(z, "content.xml", &content, &o);
	while (o.table_depth > 0) /* a document that was cut off */
		end_table(&o);
	if (text->size > 0)
		buf_add_char(text, '\n');
	about->pages = o.pages;
	buf_release(&o.notes);
	free(o.styles);
	return r < 0 ? r : o.error;
}

static int odf_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct zip z;
	int r = zip_open(bytes, &z);
	if (r == -EBADMSG)
		return format_fail(about, "damaged", "the document's ZIP container is damaged");
	if (r < 0)
		return r;
	bool encrypted = is_encrypted(&z), missing = !zip_find(&z, span_of("content.xml"));
	package_title(&z, "meta.xml", about);
	r = encrypted || missing ? 0 : read_content(&z, text, about);
	bool damaged = z.damaged || missing;
	zip_release(&z);
	if (encrypted)
		return format_fail(about, "encrypted", "the document is encrypted and needs a password");
	if (r != 0 || text->size > 0 || buf_error(text))
		return r;
	if (damaged)
		return format_fail(about, "damaged", "the document's content is missing or damaged");
	return format_fail(about, "no-text", "the document has no text");
}

#define ODF(name, media_type)                                                                                                              \
	{                                                                                                                                  \
		.extractor = {name, 1, "application/vnd.oasis.opendocument." media_type, TEXT_MARKDOWN, true, NULL}, .extract = odf_extract     \
	}

const struct format format_odt = ODF("odt", "text");
const struct format format_ods = ODF("ods", "spreadsheet");
const struct format format_odp = ODF("odp", "presentation");
