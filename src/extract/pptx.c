/* PPTX (PresentationML, ECMA-376 part 1, chapter 19) -> Markdown: a page marker before each slide, its title as a heading, bullets, tables, the
 * speaker's notes. */
#include "extract/package.h"
#include "extract/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLIDES = 20000, ID_SIZE = 64 };

struct pptx {
	struct markdown md;
	struct markdown *out;
	int error;
	char (*slides)[ID_SIZE]; /* relationship ids, in order */
	size_t slide_count;
	struct relations relations; /* of the slide being read */

	bool notes; /* the part is a notes page: only its body counts */
	unsigned skip;
	bool text_wanted, begun, item_open, after_item;
	enum { SHAPE_OTHER, SHAPE_TITLE, SHAPE_BODY, SHAPE_LEFT_OUT } shape;
	int level;
	bool no_bullet;
	const char *link;
	struct table *table;
	unsigned across, down;
};

static bool is(const char *name, const char *what)
{
	return strcmp(name, what) == 0;
}

static unsigned count_of(const char **attributes, const char *name)
{
	const char *v = xml_attribute(attributes, name);
	long n = v ? strtol(v, NULL, 10) : 1;
	return n < 1 ? 1 : n > 10000 ? 10000 : (unsigned)n;
}

/* --- order of slides ----------------------------------------------------------------------------------------------- */

static void order_start(void *context, const char *name, const char **attributes)
{
	struct pptx *p = context;
	/* sldId has an id of its own and one of its relationship; the latter begins with a letter. Both end up without a namespace. */
	if (!is(name, "sldId") || p->slide_count == SLIDES || p->error)
		return;
	for (size_t i = 0; attributes[i]; i += 2) {
		if (!is(attributes[i], "id") || (attributes[i + 1][0] >= '0' && attributes[i + 1][0] <= '9'))
			continue;
		size_t n = p->slide_count;
		if ((n & (n - 1)) == 0) {
			void *grown = realloc(p->slides, (n ? n * 2 : 1) * sizeof(*p->slides));
			if (!grown) {
				p->error = -ENOMEM;
				return;
			}
			p->slides = grown;
		}
		(void)snprintf(p->slides[p->slide_count++], ID_SIZE, "%s", attributes[i + 1]);
		return;
	}
}

static void ignore_end(void *context, const char *name)
{
	(void)context, (void)name;
}

/* --- a slide ------------------------------------------------------------------------------------------------------- */

static void placeholder(struct pptx *p, const char *type)
{
	static const char *const left_out[] = {"sldNum", "dt", "ftr", "hdr", "sldImg"};
	if (!type)
		type = "body";
	p->shape = is(type, "title") || is(type, "ctrTitle") ? SHAPE_TITLE : SHAPE_BODY;
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (is(type, left_out[i]))
			p->shape = SHAPE_LEFT_OUT;
	if (is(type, "subTitle") || p->notes)
		p->no_bullet = true;
}

static void begin_paragraph(struct pptx *p)
{
	if (p->begun)
		return;
	p->begun = true;
	bool item = p->shape == SHAPE_BODY && !p->no_bullet && !p->table && !p->notes;
	if (p->table) {
		markdown_break(p->out, 1);
	} else if (p->shape == SHAPE_TITLE) {
		markdown_heading(p->out, 2);
	} else if (item) {
		char marker[40];
		(void)snprintf(marker, sizeof(marker), "%*s- ", 2 * (p->level < 9 ? p->level : 9), "");
		if (!p->after_item)
			markdown_break(p->out, 2);
		markdown_push_item(p->out, marker);
		p->item_open = true;
	} else {
		markdown_break(p->out, 2);
	}
}

static void end_paragraph(struct pptx *p)
{
	if (p->item_open)
		markdown_pop(p->out);
	if (p->begun)
		p->after_item = p->item_open;
	if (p->shape == SHAPE_TITLE && p->begun && !p->table)
		markdown_break(p->out, 2);
	else
		markdown_break(p->out, 1);
	p->item_open = p->begun = false;
	p->level = 0;
}

static void start_table(struct pptx *p)
{
	p->table = p->table ? p->table : malloc(sizeof(*p->table));
	if (p->table)
		table_begin(p->table, &p->md, 0);
	else
		p->error = -ENOMEM;
}

static void end_table(struct pptx *p)
{
	if (!p->table)
		return;
	table_end(p->table);
	free(p->table);
	p->table = NULL;
	p->out = &p->md;
	p->after_item = false;
}

static void slide_start(void *context, const char *name, const char **attributes)
{
	struct pptx *p = context;
	p->text_wanted = false;
	if (p->skip > 0 || is(name, "Fallback")) {
		p->skip++;
	} else if (is(name, "sp") || is(name, "graphicFrame") || is(name, "pic")) {
		p->shape = SHAPE_OTHER;
		p->no_bullet = p->after_item = false;
	} else if (is(name, "ph")) {
		placeholder(p, xml_attribute(attributes, "type"));
	} else if (is(name, "cNvPr") && xml_attribute(attributes, "descr") && xml_attribute(attributes, "descr")[0] && !p->notes) {
		markdown_break(p->out, 2);
		markdown_text(p->out, span_of(xml_attribute(attributes, "descr")));
	} else if (is(name, "tbl") && !p->table) {
		start_table(p);
	} else if (is(name, "gridCol") && p->table) {
		p->table->width += p->table->width < TABLE_COLUMNS;
	} else if (is(name, "tc") && p->table) {
		/* Cells covered by a merged one are there, empty, and say so. */
		if (!xml_attribute(attributes, "hMerge") && !xml_attribute(attributes, "vMerge")) {
			p->out = table_cell_begin(p->table);
			p->across = count_of(attributes, "gridSpan");
			p->down = count_of(attributes, "rowSpan");
		} else {
			p->skip = 1;
		}
	} else if (is(name, "pPr")) {
		p->level = (int)count_of(attributes, "lvl") * (xml_attribute(attributes, "lvl") != NULL);
	} else if (is(name, "buNone")) {
		p->no_bullet = true;
	} else if (is(name, "hlinkClick") && !p->link) {
		const struct relation *r = relations_by_id(&p->relations, xml_attribute(attributes, "id"));
		p->link = r && r->external && p->shape != SHAPE_TITLE ? r->target : NULL;
	} else if (is(name, "br") && p->begun) {
		p->shape == SHAPE_TITLE || p->table ? markdown_text(p->out, span_of(" ")) : markdown_break(p->out, 1);
	} else if (is(name, "t") && p->shape != SHAPE_LEFT_OUT && (!p->notes || p->shape == SHAPE_BODY)) {
		p->text_wanted = true;
		begin_paragraph(p);
		if (p->link)
			markdown_link_begin(p->out);
	}
}

static void slide_end(void *context, const char *name)
{
	struct pptx *p = context;
	p->text_wanted = false;
	if (p->skip > 0) {
		p->skip--;
	} else if (is(name, "p")) {
		end_paragraph(p);
	} else if (is(name, "t") && p->link) {
		if (p->begun)
			markdown_link_end(p->out, p->link);
		p->link = NULL;
	} else if (is(name, "tc") && p->table) {
		table_cell_end(p->table, p->across, p->down);
		p->out = &p->md;
	} else if (is(name, "tr") && p->table) {
		table_row_end(p->table);
	} else if (is(name, "tbl")) {
		end_table(p);
	}
}

static void slide_text(void *context, struct span text)
{
	struct pptx *p = context;
	if (p->text_wanted && p->skip == 0)
		markdown_text(p->out, text);
}

/* --- comments ------------------------------------------------------------------------------------------------------ */

static void comment_start(void *context, const char *name, const char **attributes)
{
	(void)attributes;
	struct pptx *p = context;
	p->text_wanted = is(name, "text") || is(name, "t");
	if (!p->text_wanted)
		return;
	markdown_break(&p->md, 2);
	markdown_mark(&p->md, "> Comment: ");
}

static void comment_end(void *context, const char *name)
{
	(void)name;
	struct pptx *p = context;
	p->text_wanted = false;
}

static int read_part(struct pptx *p, struct zip *z, const char *part, bool notes)
{
	static const struct xml_events events = {slide_start, slide_end, slide_text};
	p->notes = notes;
	p->skip = 0;
	p->shape = SHAPE_OTHER;
	p->link = NULL;
	p->after_item = p->begun = p->item_open = false;
	int r = package_parse(z, part, &events, p);
	end_paragraph(p);
	end_table(p);
	return r < 0 ? r : p->error;
}

static int read_slide(struct pptx *p, struct zip *z, const char *part, unsigned number)
{
	char marker[48];
	(void)snprintf(marker, sizeof(marker), TEXT_PAGE_MARKER, number);
	markdown_break(&p->md, 2);
	markdown_mark(&p->md, marker);
	markdown_break(&p->md, 1);
	int r = relations_read(z, part, &p->relations);
	if (r < 0)
		return r;
	r = read_part(p, z, part, false);
	const struct relation *notes = relations_by_type(&p->relations, "notesSlide");
	if (r == 0 && notes) {
		char name[PACKAGE_NAME];
		(void)snprintf(name, sizeof(name), "%s", notes->target);
		markdown_push_quote(&p->md);
		r = read_part(p, z, name, true);
		markdown_break(&p->md, 2);
		markdown_pop(&p->md);
	}
	static const struct xml_events comments = {comment_start, comment_end, slide_text};
	const struct relation *related = relations_by_type(&p->relations, "comments");
	if (r == 0 && related) {
		p->skip = 0;
		r = package_parse(z, related->target, &comments, p);
	}
	relations_release(&p->relations);
	return r;
}

int pptx_extract(struct zip *z, const char *part, struct buf *text, struct extract_result *about)
{
	static const struct xml_events order = {order_start, ignore_end, NULL};
	struct pptx p = {0};
	struct relations slides;
	p.out = &p.md;
	markdown_init(&p.md, text, false);
	int r = relations_read(z, part, &slides);
	if (r == 0)
		r = package_parse(z, part, &order, &p);
	for (size_t i = 0; r == 0 && i < p.slide_count && !buf_error(text); i++) {
		const struct relation *slide = relations_by_id(&slides, p.slides[i]);
		if (slide)
			r = read_slide(&p, z, slide->target, ++about->pages);
	}
	if (text->size > 0)
		buf_add_char(text, '\n');
	relations_release(&slides);
	free(p.slides);
	return r < 0 ? r : p.error;
}
