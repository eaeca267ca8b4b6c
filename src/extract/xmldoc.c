/* XML of any vocabulary as text, and OPML. What is a paragraph and what stands inside one, the document itself tells: an element is inside a line
 * when elements of its parent's name have text of their own beside it somewhere. So the document is parsed twice: to learn that, and to write. */
#include "extract/decode.h"
#include "extract/format.h"
#include "extract/markdown.h"
#include "extract/xml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* PROSE: bytes of text beyond which an element is a paragraph and not a value. DATA: a word that long is encoded data. */
enum { NAMES = 4096, SLOTS = 8192, NAME_SIZE = 48, PROSE = 80, DATA = 200 };

enum role { PLAIN, SECTION, TITLE, ITEM, CODE, INLINE, DROPPED };

struct kind_of {
	char name[NAME_SIZE];
	enum role role;
	bool mixed; /* has text beside elements somewhere */
	bool prose; /* or has long text */
};

struct element {
	unsigned kind;
	enum role role;	   /* what it is here */
	size_t own_text;   /* bytes, blanks aside */
	bool has_children;
};

struct xmldoc {
	struct kind_of *kinds; /* the first stands for all that find no place */
	unsigned count;
	unsigned short slots[SLOTS];
	struct element open[XML_DEPTH + 1];
	unsigned depth;
	bool opml, in_head;
	struct markdown md;
	struct buf title, word; /* word: the end of what expat gave, which may go on */
	unsigned sections, dropped, items, title_depth;
	bool title_known;
};

/* Names that mean the same in DocBook, JATS, TEI, DITA, XHTML and WordprocessingML. */
static enum role role_of(const char *name)
{
	static const struct {
		enum role role;
		const char *names; /* each between blanks */
	} roles[] = {
		{SECTION, " book part article chapter preface appendix section simplesect sect1 sect2 sect3 sect4 sect5 "
			  "refsect1 refsect2 refsect3 sec topic concept task div div1 div2 div3 div4 div5 channel feed "},
		{TITLE, " title head article-title "},
		{ITEM, " listitem list-item li "},
		{CODE, " programlisting screen literallayout codeblock pre "},
		{INLINE, " emphasis b i u em strong sub sup span a link ulink xref literal hi ref r t "},
		{DROPPED, " binData binaryData instrText delText script style "},
	};
	char word[NAME_SIZE + 2];
	(void)snprintf(word, sizeof(word), " %s ", name);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strstr(roles[i].names, word))
			return roles[i].role;
	return PLAIN;
}

static unsigned find_kind(struct xmldoc *d, const char *name)
{
	unsigned hash = 2166136261u;
	size_t size = strlen(name);
	if (size >= NAME_SIZE)
		return 0;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	for (unsigned at = hash % SLOTS;; at = (at + 1) % SLOTS) {
		if (d->slots[at] == 0) {
			if (d->count == NAMES)
				return 0;
			(void)snprintf(d->kinds[d->count].name, NAME_SIZE, "%s", name);
			d->kinds[d->count].role = role_of(name);
			return d->slots[at] = (unsigned short)d->count++;
		}
		if (strcmp(d->kinds[d->slots[at]].name, name) == 0)
			return d->slots[at];
	}
}

static size_t count_text(struct span s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.size; i++)
		n += (unsigned char)s.data[i] > ' ';
	return n;
}

/* --- first pass ---------------------------------------------------------------------------------------------------- */

static void learn_start(void *context, const char *name, const char **attributes)
{
	(void)attributes;
	struct xmldoc *d = context;
	if (d->depth > 0)
		d->open[d->depth - 1].has_children = true;
	else
		d->opml = strcmp(name, "opml") == 0;
	if (d->depth <= XML_DEPTH)
		d->open[d->depth++] = (struct element){.kind = find_kind(d, name)};
}

static void learn_end(void *context, const char *name)
{
	(void)name;
	struct xmldoc *d = context;
	if (d->depth == 0)
		return;
	const struct element *e = &d->open[--d->depth];
	struct kind_of *k = &d->kinds[e->kind];
	k->mixed = k->mixed || (e->own_text > 0 && e->has_children);
	k->prose = k->prose || e->own_text > PROSE;
}

static void learn_text(void *context, struct span text)
{
	struct xmldoc *d = context;
	if (d->depth > 0)
		d->open[d->depth - 1].own_text += count_text(text);
}

/* --- second pass --------------------------------------------------------------------------------------------------- */

/* What was held back for a word that might go on. */
static void flush(struct xmldoc *d)
{
	if (d->word.size > 0 && d->word.size <= DATA)
		markdown_text(&d->md, buf_span(&d->word));
	if (d->word.size > 0 && d->title_depth > 0)
		buf_add_span(&d->title, buf_span(&d->word));
	buf_reset(&d->word);
}

static enum role role_here(const struct xmldoc *d, unsigned kind, const struct element *parent)
{
	enum role role = d->kinds[kind].role;
	enum role parent_role = parent ? d->kinds[parent->kind].role : PLAIN;
	if (parent && (parent->role == TITLE || parent->role == CODE || parent->role == INLINE || d->kinds[parent->kind].mixed) && role != DROPPED)
		return INLINE;
	/* A title is a heading only of something that is a section, or of what introduces one. */
	const char *above = parent ? d->kinds[parent->kind].name : "";
	bool introduces = strstr(above, "info") || strcmp(above, "title-group") == 0 || strcmp(above, "titleStmt") == 0;
	if (role == TITLE && parent_role != SECTION && !(introduces && d->sections > 0))
		return PLAIN;
	return role;
}

static void write_outline(struct xmldoc *d, const char **attributes)
{
	const char *text = xml_attribute(attributes, "text"), *title = xml_attribute(attributes, "title"), *note = xml_attribute(attributes, "_note");
	const char *target = xml_attribute(attributes, "htmlUrl");
	if (!target)
		target = xml_attribute(attributes, "url");
	if (!target)
		target = xml_attribute(attributes, "xmlUrl");
	markdown_push_item(&d->md, "- ");
	if (target)
		markdown_link_begin(&d->md);
	markdown_text(&d->md, span_of(text && *text ? text : title ? title : ""));
	if (target)
		markdown_link_end(&d->md, target);
	if (note) {
		markdown_line_break(&d->md);
		markdown_text(&d->md, span_of(note));
	}
}

static void write_start(void *context, const char *name, const char **attributes)
{
	struct xmldoc *d = context;
	struct element *parent = d->depth > 0 ? &d->open[d->depth - 1] : NULL;
	unsigned kind = find_kind(d, name);
	enum role role = d->dropped > 0 ? INLINE : role_here(d, kind, parent);
	if (d->depth <= XML_DEPTH)
		d->open[d->depth++] = (struct element){.kind = kind, .role = role};
	if (role != INLINE)
		flush(d);
	if (d->opml) {
		if (strcmp(name, "outline") == 0)
			write_outline(d, attributes);
		else if (strcmp(name, "head") == 0)
			d->in_head = true;
		return;
	}
	bool line = !d->kinds[kind].mixed && !d->kinds[kind].prose;
	switch (role) {
	case SECTION:
		d->sections++;
		markdown_break(&d->md, 2);
		break;
	case TITLE:
		markdown_heading(&d->md, d->sections);
		d->title_depth = d->title_known ? 0 : d->depth;
		break;
	case ITEM:
		markdown_push_item(&d->md, "- ");
		d->items++;
		break;
	case CODE:
		markdown_code_begin(&d->md, (struct span){"", 0});
		break;
	case DROPPED:
		d->dropped++;
		break;
	case PLAIN:
		markdown_break(&d->md, line ? 1 : 2);
		break;
	case INLINE:
		break;
	}
}

static void end_title(struct xmldoc *d, struct extract_result *about)
{
	format_set_title(about, buf_span(&d->title));
	d->title_known = about->title[0] != '\0';
	d->title_depth = 0;
	buf_reset(&d->title);
}

struct writing {
	struct xmldoc doc;
	struct extract_result *about;
};

static void write_end(void *context, const char *name)
{
	struct xmldoc *d = context;
	struct extract_result *about = ((struct writing *)context)->about;
	if (d->depth == 0)
		return;
	struct element e = d->open[d->depth - 1];
	if (e.role != INLINE)
		flush(d);
	if (d->opml) {
		if (strcmp(name, "outline") == 0)
			markdown_pop(&d->md);
		else if (strcmp(name, "head") == 0)
			d->in_head = false, markdown_break(&d->md, 2);
		else if (strcmp(name, "title") == 0 && d->in_head)
			end_title(d, about);
		d->depth--;
		return;
	}
	bool line = !d->kinds[e.kind].mixed && !d->kinds[e.kind].prose;
	if (e.role == TITLE) {
		if (d->title_depth == d->depth)
			end_title(d, about);
		markdown_break(&d->md, 2);
	} else if (e.role == SECTION && d->sections > 0) {
		d->sections--;
	} else if (e.role == ITEM) {
		markdown_pop(&d->md);
		markdown_break(&d->md, --d->items > 0 ? 1 : 2);
	} else if (e.role == CODE) {
		markdown_code_end(&d->md);
	} else if (e.role == DROPPED) {
		d->dropped--;
	} else if (e.role == PLAIN) {
		/* Values stand a line each; what holds them ends a paragraph. */
		markdown_break(&d->md, line && !e.has_children ? 1 : 2);
	}
	d->depth--;
	if (d->depth > 0)
		d->open[d->depth - 1].has_children = true;
}

/* The text comes in pieces; a word is written when its end is known, so that encoded data can be told by its size. */
static void write_text(void *context, struct span text)
{
	struct xmldoc *d = context;
	bool title = d->opml && d->in_head && d->depth > 0 && strcmp(d->kinds[d->open[d->depth - 1].kind].name, "title") == 0;
	if (title) {
		buf_add_span(&d->title, text);
		if (!d->md.written)
			markdown_heading(&d->md, 1);
	}
	if (d->dropped > 0 || (d->opml && !title))
		return;
	for (size_t i = 0; i < text.size;) {
		size_t start = i;
		while (i < text.size && (unsigned char)text.data[i] > ' ')
			i++;
		if (d->word.size <= DATA)
			buf_add(&d->word, text.data + start, i - start);
		start = i;
		while (i < text.size && (unsigned char)text.data[i] <= ' ')
			i++;
		if (i == start)
			continue;
		flush(d);
		markdown_text(&d->md, (struct span){text.data + start, i - start});
		if (d->title_depth > 0)
			buf_add_char(&d->title, ' ');
	}
}

/* --- the document -------------------------------------------------------------------------------------------------- */

static int read_twice(struct writing *w, struct span bytes)
{
	static const struct xml_events learn = {learn_start, learn_end, learn_text}, write = {write_start, write_end, write_text};
	int r = xml_parse_utf8(bytes, &learn, &w->doc);
	w->doc.depth = 0;
	return r < 0 ? r : xml_parse_utf8(bytes, &write, &w->doc);
}

int xml_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct writing *w = calloc(1, sizeof(*w));
	struct kind_of *kinds = calloc(NAMES, sizeof(*kinds));
	int r = w && kinds ? 0 : -ENOMEM;
	if (r == 0) {
		w->about = about;
		w->doc.kinds = kinds;
		w->doc.count = 1;
		buf_init(&w->doc.title, 4096);
		buf_init(&w->doc.word, 1 << 20);
		markdown_init(&w->doc.md, text, false);
		r = read_twice(w, bytes);
		flush(&w->doc);
		buf_release(&w->doc.title);
		buf_release(&w->doc.word);
	}
	free(w);
	free(kinds);
	if (r == 0 && text->size > 0) {
		buf_add_char(text, '\n');
		return buf_error(text);
	}
	/* Not well-formed, or all it says is in attributes: a program's data, kept as it stands. */
	if (r == 0 || r == -EBADMSG) {
		buf_reset(text);
		about->title[0] = '\0';
		about->syntax = TEXT_CODE;
		buf_add_span(text, bytes);
		r = buf_error(text);
	}
	return r;
}

/* encoding="..." in the first line. */
static void declared_set(struct span s, char set[DECODE_NAME_SIZE])
{
	set[0] = '\0';
	struct span head = {s.data, s.size < 200 ? s.size : 200};
	const char *end = memmem(head.data, head.size, "?>", 2), *at = end ? memmem(head.data, (size_t)(end - head.data), "encoding=", 9) : NULL;
	if (!at || end - at < 12)
		return;
	const char *close = memchr(at + 10, at[9], (size_t)(end - at - 10));
	if (!close || decode_label((struct span){at + 10, (size_t)(close - at - 10)}, set) < 0)
		set[0] = '\0';
}

int xml_prepare(struct span bytes, struct buf *store, struct extract_result *about, struct span *ret)
{
	char declared[DECODE_NAME_SIZE];
	declared_set(bytes, declared);
	return decode_text(bytes, declared, store, about->encoding, ret);
}

const struct format format_xml = {
	.extractor = {"xml", 1, "application/xml", TEXT_MARKDOWN, true, NULL},
	.prepare = xml_prepare,
	.extract = xml_extract,
};
