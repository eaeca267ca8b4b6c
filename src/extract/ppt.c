/* PPT (PowerPoint 97 to 2003, [MS-PPT]) -> Markdown: slides in their order with titles as headings, then each one's notes. A stream of nested
 * records; the newest version of each is found by the directory of persistent objects, which every save extends. */
#include "extract/ole.h"
#include "extract/markdown.h"

#include "base/page_marker.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECORD_DEPTH = 32, SLIDES = 20000, OBJECTS = 1 << 20, EDITS = 1000 };

enum record {
	P_DOCUMENT = 1000, P_SLIDE = 1006, P_NOTES = 1008, P_NOTES_ATOM = 1009, P_SLIDE_PERSIST = 1011, P_TAG_DATA = 5003, P_COMMENT = 12000,
	P_OUTLINE_REF = 3998, P_TEXT_HEADER = 3999, P_TEXT_WIDE = 4000, P_TEXT = 4008, P_STRING = 4026, P_SLIDE_LIST = 4080, P_USER_EDIT = 4085,
	P_PERSIST = 6002, P_TEXTBOX = 0xf00d
};

/* What a text is for (2.13.33). */
enum { FOR_TITLE = 0, FOR_BODY = 1, FOR_NOTES = 2, FOR_CENTRE_BODY = 5, FOR_CENTRE_TITLE = 6, FOR_HALF = 7, FOR_QUARTER = 8 };

struct record_head {
	uint32_t version, instance, type;
	struct span body;
};

/* A slide's texts in the document's outline, to which boxes on the slide refer by their number. */
struct slide {
	uint32_t object, id;
	struct span outline;
};

struct ppt {
	struct span in;
	struct markdown md;
	uint32_t *objects; /* position by number, 0: none */
	struct slide *slides, *notes;
	size_t slide_count, note_count;
	/* The walk over a slide. */
	const struct slide *slide;
	uint32_t purpose;
	bool in_notes;
};

static bool next_record(struct span *rest, struct record_head *ret)
{
	if (rest->size < 8)
		return false;
	uint32_t first = cfb_u16(*rest, 0);
	*ret = (struct record_head){first & 15, first >> 4, cfb_u16(*rest, 2), cfb_part(*rest, 8, cfb_u32(*rest, 4))};
	*rest = cfb_part(*rest, 8 + (uint64_t)cfb_u32(*rest, 4), SIZE_MAX);
	return true;
}

static bool record_at(const struct ppt *p, uint32_t at, struct record_head *ret)
{
	struct span rest = cfb_part(p->in, at, SIZE_MAX);
	return next_record(&rest, ret);
}

/* --- where things are ---------------------------------------------------------------------------------------------- */

/* Runs of positions, each after the number of its first object and how many there are. What a later save says was read before. */
static void read_persist(struct ppt *p, struct span s)
{
	for (size_t at = 0; at + 4 <= s.size;) {
		uint32_t head = cfb_u32(s, at), first = head & 0xfffff, count = head >> 20;
		at += 4;
		for (uint32_t i = 0; i < count && at + 4 <= s.size; i++, at += 4)
			if (first + i < OBJECTS && p->objects[first + i] == 0)
				p->objects[first + i] = cfb_u32(s, at);
	}
}

/* From the newest save backwards. Returns the number of the document's object, 0 when damaged. */
static uint32_t read_edits(struct ppt *p, uint32_t at)
{
	uint32_t document = 0;
	for (unsigned i = 0; i < EDITS && at > 0; i++) {
		struct record_head edit, persist;
		if (!record_at(p, at, &edit) || edit.type != P_USER_EDIT)
			break;
		if (record_at(p, cfb_u32(edit.body, 12), &persist) && persist.type == P_PERSIST)
			read_persist(p, persist.body);
		if (document == 0)
			document = cfb_u32(edit.body, 16);
		uint32_t before = cfb_u32(edit.body, 8);
		if (before >= at)
			break;
		at = before;
	}
	return document;
}

static int add_slide(struct slide **list, size_t *count, struct slide s)
{
	if (*count == SLIDES)
		return 0;
	if ((*count & (*count - 1)) == 0) {
		struct slide *grown = realloc(*list, (*count ? *count * 2 : 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*list = grown;
	}
	(*list)[(*count)++] = s;
	return 0;
}

/* The document lists its slides, each followed by its texts, and its notes. */
static int read_lists(struct ppt *p, struct span document)
{
	struct record_head list, r;
	int error = 0;
	while (error == 0 && next_record(&document, &list)) {
		if (list.type != P_SLIDE_LIST || list.instance == 1)
			continue;
		struct slide **into = list.instance == 0 ? &p->slides : &p->notes;
		size_t *count = list.instance == 0 ? &p->slide_count : &p->note_count;
		for (struct span rest = list.body; error == 0 && next_record(&rest, &r);) {
			if (r.type == P_SLIDE_PERSIST)
				error = add_slide(into, count, (struct slide){cfb_u32(r.body, 0), cfb_u32(r.body, 12), {rest.data, 0}});
			else if (*count > 0)
				(*into)[*count - 1].outline.size = (size_t)(rest.data - (*into)[*count - 1].outline.data);
		}
	}
	return error;
}

/* --- text ---------------------------------------------------------------------------------------------------------- */

static void write_paragraph(struct ppt *p, struct span s)
{
	bool title = (p->purpose == FOR_TITLE || p->purpose == FOR_CENTRE_TITLE) && !p->in_notes;
	bool item = !p->in_notes && (p->purpose == FOR_BODY || p->purpose == FOR_HALF || p->purpose == FOR_QUARTER);
	bool text = false;
	for (size_t i = 0; i < s.size; i++)
		text = text || (unsigned char)s.data[i] > ' ';
	if (!text)
		return;
	if (title)
		markdown_heading(&p->md, 2);
	else if (item)
		markdown_push_item(&p->md, "- ");
	else
		markdown_break(&p->md, 2);
	for (const char *tab; (tab = memchr(s.data, '\v', s.size));) {
		markdown_text(&p->md, (struct span){s.data, (size_t)(tab - s.data)});
		if (title)
			markdown_text(&p->md, span_of(" "));
		else
			markdown_line_break(&p->md);
		s = cfb_part(s, (size_t)(tab - s.data) + 1, SIZE_MAX);
	}
	markdown_text(&p->md, s);
	if (item)
		markdown_pop(&p->md);
}

/* Paragraphs end with a carriage return, lines with a vertical tab. The second half of Latin-1 has one byte, all else two. */
static void write_text(struct ppt *p, const struct record_head *r)
{
	struct buf text;
	buf_init(&text, p->md.out->limit);
	if (r->type == P_TEXT) {
		for (size_t i = 0; i < r->body.size; i++) {
			char bytes[4];
			buf_add(&text, bytes, utf8_encode((unsigned char)r->body.data[i], bytes));
		}
	} else {
		ole_add_utf16(r->body, &text);
	}
	markdown_break(&p->md, 2);
	struct span rest = buf_span(&text);
	while (rest.size > 0) {
		const char *end = memchr(rest.data, '\r', rest.size);
		size_t size = end ? (size_t)(end - rest.data) : rest.size;
		write_paragraph(p, (struct span){rest.data, size});
		rest = cfb_part(rest, size + 1, SIZE_MAX);
	}
	if (buf_error(&text) && !p->md.out->error)
		p->md.out->error = buf_error(&text);
	buf_release(&text);
}

/* The text of that number in the slide's outline. */
static void write_outline(struct ppt *p, uint32_t number)
{
	struct record_head r;
	uint32_t at = 0;
	bool wanted = false;
	if (!p->slide)
		return;
	for (struct span rest = p->slide->outline; next_record(&rest, &r);) {
		if (r.type == P_TEXT_HEADER) {
			wanted = at++ == number;
			if (wanted)
				p->purpose = cfb_u32(r.body, 0);
		} else if (wanted && (r.type == P_TEXT || r.type == P_TEXT_WIDE)) {
			write_text(p, &r);
			return;
		}
	}
}

/* A comment: author, text and initials are its three strings. */
static void write_comment(struct ppt *p, struct span s)
{
	struct record_head r;
	struct buf author, text;
	buf_init(&author, 1024);
	buf_init(&text, 1 << 20);
	while (next_record(&s, &r))
		if (r.type == P_STRING && r.instance <= 1)
			ole_add_utf16(r.body, r.instance == 0 ? &author : &text);
	if (text.size > 0) {
		markdown_push_quote(&p->md);
		markdown_text(&p->md, span_of("Comment"));
		if (author.size > 0) {
			markdown_text(&p->md, span_of(" by "));
			markdown_text(&p->md, buf_span(&author));
		}
		markdown_mark(&p->md, ": ");
		markdown_text(&p->md, buf_span(&text));
		markdown_pop(&p->md);
		markdown_break(&p->md, 2);
	}
	buf_release(&author);
	buf_release(&text);
}

/* Texts stand in boxes on the slide; what a box without text of its own shows is in the outline.
 * NOLINTNEXTLINE(misc-no-recursion): depth is bounded */
static void walk(struct ppt *p, struct span s, unsigned depth, bool in_box)
{
	struct record_head r;
	while (next_record(&s, &r) && !buf_error(p->md.out)) {
		if (r.type == P_COMMENT) {
			write_comment(p, r.body);
		} else if (r.version == 15 || r.type == P_TEXTBOX || r.type == P_TAG_DATA) {
			if (r.type == P_TEXTBOX)
				p->purpose = 4;
			if (depth < RECORD_DEPTH)
				walk(p, r.body, depth + 1, in_box || r.type == P_TEXTBOX);
		} else if (in_box && r.type == P_TEXT_HEADER) {
			p->purpose = cfb_u32(r.body, 0);
		} else if (in_box && r.type == P_OUTLINE_REF) {
			write_outline(p, cfb_u32(r.body, 0));
		} else if (in_box && (r.type == P_TEXT || r.type == P_TEXT_WIDE)) {
			/* The fields of the page's number, its date and its footer hold a star each. */
			if (r.body.size > 2 || !memchr(r.body.data, '*', r.body.size))
				write_text(p, &r);
		}
	}
}

static void write_notes(struct ppt *p, uint32_t slide_id)
{
	for (size_t i = 0; i < p->note_count; i++) {
		struct record_head notes, atom;
		uint32_t object = p->notes[i].object;
		if (object >= OBJECTS || !record_at(p, p->objects[object], &notes) || notes.type != P_NOTES)
			continue;
		struct span rest = notes.body;
		if (!next_record(&rest, &atom) || atom.type != P_NOTES_ATOM || cfb_u32(atom.body, 0) != slide_id)
			continue;
		markdown_push_quote(&p->md);
		p->in_notes = true;
		p->slide = NULL;
		walk(p, notes.body, 0, false);
		p->in_notes = false;
		markdown_pop(&p->md);
		markdown_break(&p->md, 2);
		return;
	}
}

static void write_marker(struct ppt *p, unsigned number)
{
	char marker[40];
	(void)snprintf(marker, sizeof(marker), TEXT_PAGE_MARKER, number);
	markdown_break(&p->md, 2);
	markdown_mark(&p->md, marker);
	markdown_break(&p->md, 2);
}

static void write_slides(struct ppt *p, struct extract_result *about)
{
	for (size_t i = 0; i < p->slide_count && !buf_error(p->md.out); i++) {
		const struct slide *s = &p->slides[i];
		struct record_head slide;
		write_marker(p, (unsigned)i + 1);
		about->pages = (unsigned)i + 1;
		p->slide = s;
		if (s->object < OBJECTS && p->objects[s->object] && record_at(p, p->objects[s->object], &slide) && slide.type == P_SLIDE)
			walk(p, slide.body, 0, false);
		else
			walk(p, s->outline, 0, true);
		write_notes(p, s->id);
	}
}

/* Without a directory: every slide in the order in which the file has them. */
static void write_all(struct ppt *p, struct extract_result *about)
{
	struct record_head r;
	for (struct span rest = p->in; next_record(&rest, &r);) {
		if (r.type != P_SLIDE)
			continue;
		write_marker(p, ++about->pages);
		walk(p, r.body, 0, false);
	}
}

static int read_show(struct ppt *p, const struct cfb *c, struct extract_result *about)
{
	struct buf user;
	struct record_head document;
	buf_init(&user, 1 << 16);
	int r = ole_read(c, NULL, "Current User", &user);
	uint32_t mark = cfb_u32(buf_span(&user), 12), edit = r == 0 ? cfb_u32(buf_span(&user), 16) : 0;
	buf_release(&user);
	if (r == -ENOMEM)
		return r;
	if (mark == 0xf3d1c4df)
		return format_fail(about, "encrypted", "the document is protected with a password");
	uint32_t number = read_edits(p, edit);
	if (number > 0 && number < OBJECTS && record_at(p, p->objects[number], &document) && document.type == P_DOCUMENT) {
		r = read_lists(p, document.body);
		if (r < 0)
			return r;
	}
	if (p->slide_count > 0)
		write_slides(p, about);
	else
		write_all(p, about);
	return 0;
}

int ppt_extract(const struct cfb *c, struct buf *text, struct extract_result *about)
{
	struct buf show;
	buf_init(&show, c->bytes.size + 1);
	struct ppt *p = calloc(1, sizeof(*p));
	int r = p ? ole_read(c, NULL, "PowerPoint Document", &show) : -ENOMEM;
	if (r == 0) {
		p->in = buf_span(&show);
		p->objects = calloc(OBJECTS, sizeof(*p->objects));
		markdown_init(&p->md, text, false);
		r = p->objects ? read_show(p, c, about) : -ENOMEM;
		if (r == 0 && text->size > 0)
			buf_add_char(text, '\n');
		free(p->objects);
		free(p->slides);
		free(p->notes);
	}
	free(p);
	buf_release(&show);
	return r == -ENOENT ? format_fail(about, "damaged", "the document has no slides") : r;
}
