/* HTML (gumbo, a complete HTML5 parser) -> Markdown. docs/formats.md says what is kept and what goes.
 *
 * The calling thread finds the encoding and passes UTF-8 on: iconv loads modules from files, which a parser child may not. The child parses
 * with an arena for memory and walks the tree without recursion, since a document decides how deep it is. */
#include "extract/decode.h"
#include "extract/format.h"
#include "extract/html_depth.h"
#include "extract/table.h"

#include <errno.h>
#include <gumbo.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* --- memory -------------------------------------------------------------------------------------------------------- */

/* gumbo does not check its allocations and frees its tree by recursion. All of it comes from an arena, which ends the parse by a jump when
 * it is full and is freed at once. */
enum { ARENA_BLOCK = 256 << 10 };
#define ARENA_LIMIT ((size_t)768 << 20)

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) char data[];
};

struct arena {
	struct arena_block *blocks;
	size_t used, size; /* of the newest block */
	size_t total;
	jmp_buf full;
};

static void *arena_allocate(void *context, size_t size)
{
	struct arena *a = context;
	size = (size + 15) & ~(size_t)15;
	if (!a->blocks || size > a->size - a->used) {
		size_t block = size > ARENA_BLOCK ? size : ARENA_BLOCK;
		if (block > ARENA_LIMIT - a->total)
			longjmp(a->full, 1);
		struct arena_block *b = malloc(sizeof(*b) + block);
		if (!b)
			longjmp(a->full, 1);
		b->next = a->blocks;
		a->blocks = b;
		a->used = 0;
		a->size = block;
		a->total += block;
	}
	void *at = a->blocks->data + a->used;
	a->used += size;
	return at;
}

static void arena_deallocate(void *context, void *at)
{
	(void)context;
	(void)at;
}

static void arena_release(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;
		free(a->blocks);
		a->blocks = next;
	}
}

/* --- encoding ------------------------------------------------------------------------------------------------------ */

static bool equals(struct span s, size_t at, const char *word)
{
	size_t n = strlen(word);
	return s.size - at >= n && strncasecmp(s.data + at, word, n) == 0;
}

/* The value after "charset" in <meta charset=x> or <meta ... content="text/html; charset=x">, in the first 1024 bytes as the HTML standard has it
 * (2048 here: real pages are late), or in an XML declaration's encoding="x". */
static struct span declared_set(struct span bytes)
{
	struct span head = {bytes.data, bytes.size < 2048 ? bytes.size : 2048};
	for (size_t at = 0; at < head.size; at++) {
		size_t key = equals(head, at, "charset") ? 7 : at < 256 && equals(head, at, "encoding") ? 8 : 0;
		if (key == 0)
			continue;
		size_t start = at + key;
		while (start < head.size && strchr(" \t\r\n", head.data[start]) && head.data[start])
			start++;
		if (start == head.size || head.data[start] != '=')
			continue;
		start++;
		while (start < head.size && strchr(" \t\r\n\"'", head.data[start]) && head.data[start])
			start++;
		size_t end = start;
		while (end < head.size && !strchr(" \t\r\n\"';>/?", head.data[end]))
			end++;
		return (struct span){head.data + start, end - start};
	}
	return (struct span){"", 0};
}

int html_prepare(struct span bytes, struct buf *store, struct extract_result *about, struct span *ret)
{
	char set[DECODE_NAME_SIZE];
	bool declared = decode_label(declared_set(bytes), set) == 0;
	return decode_text(bytes, declared ? set : "", store, about->encoding, ret);
}

/* --- what is left out ---------------------------------------------------------------------------------------------- */

struct html {
	struct markdown md;
	bool keep_all; /* second try: keep navigation, since without it nothing is left */
	unsigned pre, heading;
	unsigned list_depth;
	struct {
		bool ordered;
		long next;
	} lists[MARKDOWN_DEPTH];
	const GumboNode *link;	  /* the one whose text is being written */
	const GumboNode *code;	  /* inline code being written */
	size_t code_start;
};

static const char *attribute(const GumboNode *node, const char *name)
{
	const GumboAttribute *a = gumbo_get_attribute(&node->v.element.attributes, name);
	return a ? a->value : NULL;
}

static bool attribute_is(const GumboNode *node, const char *name, const char *value)
{
	const char *v = attribute(node, name);
	return v && strcasecmp(v, value) == 0;
}

static GumboTag tag_of(const GumboNode *node)
{
	return node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE ? node->v.element.tag : GUMBO_TAG_LAST;
}

/* The next node of the subtree in document order; NULL at its end. Without `into`, passes the node's children by. */
static const GumboNode *next_node(const GumboNode *node, const GumboNode *root, bool into)
{
	if (into && node->type == GUMBO_NODE_ELEMENT && node->v.element.children.length > 0)
		return node->v.element.children.data[0];
	while (node != root) {
		const GumboVector *siblings = &node->parent->v.element.children;
		if (node->index_within_parent + 1 < siblings->length)
			return siblings->data[node->index_within_parent + 1];
		node = node->parent;
	}
	return NULL;
}

/* How far a question about a subtree looks: pages where the answer lies deeper are not worth quadratic time. */
enum { LOOK_AHEAD = 4000 };

static bool contains(const GumboNode *root, GumboTag tag)
{
	unsigned seen = 0;
	for (const GumboNode *n = next_node(root, root, true); n && seen < LOOK_AHEAD; n = next_node(n, root, true), seen++)
		if (tag_of(n) == tag)
			return true;
	return false;
}

/* Text mostly inside links is a menu. */
static bool is_mostly_links(const GumboNode *root)
{
	size_t all = 0, linked = 0;
	unsigned seen = 0;
	const GumboNode *link_end = NULL;
	for (const GumboNode *n = next_node(root, root, true); n && seen < LOOK_AHEAD; n = next_node(n, root, true), seen++) {
		if (n == link_end)
			link_end = NULL;
		if (!link_end && tag_of(n) == GUMBO_TAG_A && n->v.element.children.length > 0) {
			for (const GumboNode *t = next_node(n, n, true); t && seen < LOOK_AHEAD; t = next_node(t, n, true), seen++)
				if (t->type == GUMBO_NODE_TEXT)
					linked += strlen(t->v.text.text);
		}
		if (n->type == GUMBO_NODE_TEXT)
			all += strlen(n->v.text.text);
	}
	return linked * 10 >= all * 6;
}

static bool style_hides(const char *style)
{
	static const char *const hiding[][2] = {{"display", "none"}, {"visibility", "hidden"}};
	for (size_t i = 0; style && i < 2; i++) {
		const char *at = strcasestr(style, hiding[i][0]);
		if (!at)
			continue;
		at += strlen(hiding[i][0]);
		at += strspn(at, " \t");
		if (*at == ':' && strncasecmp(at + 1 + strspn(at + 1, " \t"), hiding[i][1], strlen(hiding[i][1])) == 0)
			return true;
	}
	return false;
}

static bool is_hidden(const GumboNode *node)
{
	if (node->v.element.attributes.length == 0)
		return false;
	return attribute(node, "hidden") || attribute_is(node, "aria-hidden", "true") || style_hides(attribute(node, "style"));
}

/* A header or footer of the page, not of an article or a section in it. */
static bool belongs_to_page(const GumboNode *node)
{
	unsigned up = 0;
	for (const GumboNode *n = node->parent; n && up < 64; n = n->parent, up++)
		switch (tag_of(n)) {
		case GUMBO_TAG_ARTICLE:
		case GUMBO_TAG_SECTION:
		case GUMBO_TAG_MAIN:
		case GUMBO_TAG_BLOCKQUOTE:
		case GUMBO_TAG_TD:
			return false;
		default:
			break;
		}
	return true;
}

static bool has_navigation_role(const GumboNode *node)
{
	static const char *const roles[] = {"navigation", "menu", "menubar", "search", "banner", "contentinfo"};
	const char *role = node->v.element.attributes.length > 0 ? attribute(node, "role") : NULL;
	for (size_t i = 0; role && i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcasecmp(role, roles[i]) == 0)
			return !contains(node, GUMBO_TAG_H1);
	return false;
}

static bool is_navigation(const GumboNode *node)
{
	switch (tag_of(node)) {
	case GUMBO_TAG_NAV:
		return true;
	case GUMBO_TAG_HEADER:
		return belongs_to_page(node) && !contains(node, GUMBO_TAG_H1);
	case GUMBO_TAG_FOOTER:
		return belongs_to_page(node);
	case GUMBO_TAG_ASIDE:
		return attribute_is(node, "role", "navigation") || is_mostly_links(node);
	default:
		return has_navigation_role(node);
	}
}

static bool is_left_out(const struct html *h, const GumboNode *node)
{
	switch (tag_of(node)) {
	case GUMBO_TAG_HEAD:
	case GUMBO_TAG_SCRIPT:
	case GUMBO_TAG_STYLE:
	case GUMBO_TAG_NOSCRIPT:
	case GUMBO_TAG_TEMPLATE:
	case GUMBO_TAG_IFRAME:
	case GUMBO_TAG_NOFRAMES:
	case GUMBO_TAG_CANVAS:
	case GUMBO_TAG_AUDIO:
	case GUMBO_TAG_VIDEO:
	case GUMBO_TAG_SVG:
	case GUMBO_TAG_BUTTON:
	case GUMBO_TAG_SELECT:
	case GUMBO_TAG_DATALIST:
	case GUMBO_TAG_ANNOTATION_XML:
	case GUMBO_TAG_TITLE:
		return true;
	case GUMBO_TAG_UNKNOWN:
		/* MathML's TeX beside its presentation, and dialogs that a click would open. */
		if (equals((struct span){node->v.element.original_tag.data, node->v.element.original_tag.length}, 0, "<annotation"))
			return true;
		break;
	default:
		break;
	}
	return is_hidden(node) || (!h->keep_all && is_navigation(node));
}

/* --- links, images, inline code ------------------------------------------------------------------------------------ */

static void enter_link(struct html *h, const GumboNode *node)
{
	if (h->link || h->heading || h->pre || !attribute(node, "href"))
		return;
	h->link = node;
	markdown_link_begin(&h->md);
}

static void leave_link(struct html *h, const GumboNode *node)
{
	if (h->link != node)
		return;
	h->link = NULL;
	markdown_link_end(&h->md, attribute(node, "href"));
}

static void enter_code(struct html *h, const GumboNode *node)
{
	if (h->code || h->pre || h->heading)
		return;
	markdown_mark(&h->md, "`");
	h->code = node;
	h->code_start = h->md.out->size;
}

static void leave_code(struct html *h, const GumboNode *node)
{
	if (h->code != node)
		return;
	h->code = NULL;
	struct buf *out = h->md.out;
	if (out->size == h->code_start)
		buf_truncate(out, h->code_start - 1);
	else
		buf_add_char(out, '`');
}

static void add_alternative(struct html *h, const GumboNode *node)
{
	const char *alternative = attribute(node, "alt");
	if (!alternative || !*alternative)
		return;
	markdown_text(&h->md, span_of(" "));
	markdown_text(&h->md, span_of(alternative));
	markdown_text(&h->md, span_of(" "));
}

/* --- lists, code blocks -------------------------------------------------------------------------------------------- */

static long number_of(const char *value, long otherwise)
{
	char *end;
	long n = value ? strtol(value, &end, 10) : 0;
	return value && end != value && n >= 0 && n < 1000000000 ? n : otherwise;
}

static void enter_list(struct html *h, const GumboNode *node, bool ordered)
{
	markdown_break(&h->md, h->list_depth > 0 ? 1 : 2);
	if (h->list_depth < MARKDOWN_DEPTH) {
		h->lists[h->list_depth].ordered = ordered;
		h->lists[h->list_depth].next = ordered ? number_of(attribute(node, "start"), 1) : 1;
	}
	h->list_depth++;
}

static void leave_list(struct html *h)
{
	h->list_depth--;
	markdown_break(&h->md, h->list_depth > 0 ? 1 : 2);
}

static void enter_item(struct html *h, const GumboNode *node)
{
	char marker[24] = "- ";
	unsigned depth = h->list_depth < MARKDOWN_DEPTH ? h->list_depth : MARKDOWN_DEPTH;
	if (depth > 0 && h->lists[depth - 1].ordered) {
		long n = number_of(attribute(node, "value"), h->lists[depth - 1].next);
		(void)snprintf(marker, sizeof(marker), "%ld. ", n);
		h->lists[depth - 1].next = n + 1;
	}
	markdown_push_item(&h->md, marker);
}

/* The word after "language-" or "lang-" in a class, here or on the one element inside. */
static struct span language_of(const GumboNode *node)
{
	for (unsigned i = 0; i < 2; i++) {
		const char *class = node->type == GUMBO_NODE_ELEMENT ? attribute(node, "class") : NULL;
		const char *at = class ? strstr(class, "lang") : NULL;
		const char *dash = at ? strchr(at, '-') : NULL;
		if (dash && (dash == at + 4 || dash == at + 8)) {
			size_t size = strspn(dash + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+#-");
			if (size > 0 && size <= 20)
				return (struct span){dash + 1, size};
		}
		if (node->type != GUMBO_NODE_ELEMENT || node->v.element.children.length == 0)
			break;
		node = node->v.element.children.data[0];
	}
	return (struct span){"", 0};
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static void walk(struct html *h, const GumboNode *root);

static bool is_cell(const GumboNode *n)
{
	return tag_of(n) == GUMBO_TAG_TD || tag_of(n) == GUMBO_TAG_TH;
}

static unsigned cells_in(const GumboNode *row)
{
	unsigned count = 0;
	for (unsigned i = 0; i < row->v.element.children.length; i++)
		count += is_cell(row->v.element.children.data[i]);
	return count;
}

/* A table of data, not of layout: two rows, two columns somewhere, and nothing inside that one line cannot hold. */
static bool is_data_table(const GumboNode *table)
{
	if (attribute_is(table, "role", "presentation") || attribute_is(table, "role", "none"))
		return false;
	unsigned columns = 0, rows = 0;
	for (const GumboNode *n = next_node(table, table, true); n; n = next_node(n, table, true)) {
		GumboTag tag = tag_of(n);
		if (tag == GUMBO_TAG_TABLE || tag == GUMBO_TAG_PRE || (tag >= GUMBO_TAG_H1 && tag <= GUMBO_TAG_H6) || tag == GUMBO_TAG_BLOCKQUOTE)
			return false;
		unsigned cells = tag == GUMBO_TAG_TR ? cells_in(n) : 0;
		rows += cells > 0;
		columns = cells > columns ? cells : columns;
	}
	return rows >= 2 && columns >= 2;
}

static unsigned span_of_cell(const GumboNode *cell, const char *name, unsigned most)
{
	long n = number_of(attribute(cell, name), 1);
	return n < 1 ? 1 : n < (long)most ? (unsigned)n : most;
}

static void add_row(struct html *h, const GumboNode *row, struct table *t)
{
	const GumboVector *children = &row->v.element.children;
	for (unsigned i = 0; i < children->length; i++) {
		const GumboNode *cell = children->data[i];
		if (!is_cell(cell))
			continue;
		struct markdown outer = h->md;
		h->md = *table_cell_begin(t);
		walk(h, cell);
		h->md = outer;
		table_cell_end(t, span_of_cell(cell, "colspan", TABLE_SPAN), span_of_cell(cell, "rowspan", 65535));
	}
	table_row_end(t);
}

static size_t widest_row(const GumboNode *table)
{
	size_t widest = 0;
	for (const GumboNode *n = next_node(table, table, true); n; n = next_node(n, table, tag_of(n) != GUMBO_TAG_TR)) {
		if (tag_of(n) != GUMBO_TAG_TR)
			continue;
		size_t width = 0;
		for (unsigned i = 0; i < n->v.element.children.length && width < TABLE_COLUMNS; i++) {
			const GumboNode *cell = n->v.element.children.data[i];
			width += is_cell(cell) ? span_of_cell(cell, "colspan", TABLE_SPAN) : 0;
		}
		widest = width > widest ? width : widest;
	}
	return widest;
}

/* Rows and the caption; what else a table may hold has been excluded. */
static bool is_table_part(GumboTag tag)
{
	return tag == GUMBO_TAG_TR || tag == GUMBO_TAG_CAPTION;
}

static void add_table(struct html *h, const GumboNode *table)
{
	struct table *t = malloc(sizeof(*t));
	if (!t) {
		h->md.out->error = -ENOMEM;
		return;
	}
	table_begin(t, &h->md, widest_row(table));
	for (const GumboNode *n = next_node(table, table, true); n; n = next_node(n, table, !is_table_part(tag_of(n)))) {
		if (tag_of(n) == GUMBO_TAG_CAPTION && !is_left_out(h, n)) {
			walk(h, n);
			markdown_break(&h->md, 2);
		}
		if (tag_of(n) == GUMBO_TAG_TR && !is_hidden(n))
			add_row(h, n, t);
		if (buf_error(h->md.out))
			break;
	}
	table_end(t);
	free(t);
}

/* --- the walk ------------------------------------------------------------------------------------------------------ */

/* Line breaks around an element: 2 a paragraph, 1 a line, 0 inline. */
static unsigned breaks_around(GumboTag tag)
{
	switch (tag) {
	case GUMBO_TAG_P:
	case GUMBO_TAG_DIV:
	case GUMBO_TAG_SECTION:
	case GUMBO_TAG_ARTICLE:
	case GUMBO_TAG_MAIN:
	case GUMBO_TAG_ASIDE:
	case GUMBO_TAG_HEADER:
	case GUMBO_TAG_FOOTER:
	case GUMBO_TAG_NAV:
	case GUMBO_TAG_BODY:
	case GUMBO_TAG_CENTER:
	case GUMBO_TAG_FIGURE:
	case GUMBO_TAG_FORM:
	case GUMBO_TAG_FIELDSET:
	case GUMBO_TAG_DETAILS:
	case GUMBO_TAG_DL:
	case GUMBO_TAG_HR:
	case GUMBO_TAG_TABLE:
	case GUMBO_TAG_CAPTION:
	case GUMBO_TAG_HGROUP:
		return 2;
	case GUMBO_TAG_ADDRESS:
	case GUMBO_TAG_DT:
	case GUMBO_TAG_FIGCAPTION:
	case GUMBO_TAG_LEGEND:
	case GUMBO_TAG_SUMMARY:
	case GUMBO_TAG_TR:
	case GUMBO_TAG_TD:
	case GUMBO_TAG_TH:
	case GUMBO_TAG_OPTION:
	case GUMBO_TAG_TEXTAREA:
		return 1;
	default:
		return 0;
	}
}

static bool is_inline_code(GumboTag tag)
{
	return tag == GUMBO_TAG_CODE || tag == GUMBO_TAG_KBD || tag == GUMBO_TAG_SAMP || tag == GUMBO_TAG_TT;
}

/* A heading is one line, whatever stands in it. */
static void break_around(struct html *h, unsigned lines)
{
	if (lines == 0)
		return;
	if (h->pre)
		markdown_text(&h->md, span_of("\n"));
	else if (h->heading)
		markdown_text(&h->md, span_of(" "));
	else
		markdown_break(&h->md, lines);
}

/* Says whether to go on to the children; then leave() is called after them. */
static bool enter(struct html *h, const GumboNode *node)
{
	GumboTag tag = tag_of(node);
	if (tag >= GUMBO_TAG_H1 && tag <= GUMBO_TAG_H6 && !h->pre) {
		if (h->heading++ == 0)
			markdown_heading(&h->md, (unsigned)(tag - GUMBO_TAG_H1) + 1);
		return true;
	}
	switch (tag) {
	case GUMBO_TAG_UL:
	case GUMBO_TAG_OL:
	case GUMBO_TAG_MENU:
	case GUMBO_TAG_DIR:
		enter_list(h, node, tag == GUMBO_TAG_OL);
		return true;
	case GUMBO_TAG_LI:
	case GUMBO_TAG_DD:
		enter_item(h, node);
		return true;
	case GUMBO_TAG_BLOCKQUOTE:
		markdown_push_quote(&h->md);
		return true;
	case GUMBO_TAG_PRE:
	case GUMBO_TAG_LISTING:
	case GUMBO_TAG_XMP:
	case GUMBO_TAG_PLAINTEXT:
		if (h->pre++ == 0)
			markdown_code_begin(&h->md, language_of(node));
		return true;
	case GUMBO_TAG_A:
		enter_link(h, node);
		return true;
	case GUMBO_TAG_BR:
		if (h->pre || h->heading)
			break_around(h, 1);
		else
			markdown_line_break(&h->md);
		return false;
	case GUMBO_TAG_IMG:
	case GUMBO_TAG_AREA:
		add_alternative(h, node);
		return false;
	case GUMBO_TAG_TABLE:
		if (!h->md.cell && !h->pre && !h->heading && is_data_table(node)) {
			add_table(h, node);
			return false;
		}
		break;
	default:
		if (is_inline_code(tag))
			enter_code(h, node);
		break;
	}
	break_around(h, breaks_around(tag));
	return true;
}

static void leave(struct html *h, const GumboNode *node)
{
	GumboTag tag = tag_of(node);
	if (tag >= GUMBO_TAG_H1 && tag <= GUMBO_TAG_H6 && !h->pre) {
		if (--h->heading == 0)
			markdown_break(&h->md, 2);
		return;
	}
	switch (tag) {
	case GUMBO_TAG_UL:
	case GUMBO_TAG_OL:
	case GUMBO_TAG_MENU:
	case GUMBO_TAG_DIR:
		leave_list(h);
		return;
	case GUMBO_TAG_LI:
	case GUMBO_TAG_DD:
		markdown_break(&h->md, 1);
		markdown_pop(&h->md);
		return;
	case GUMBO_TAG_BLOCKQUOTE:
		markdown_break(&h->md, 2);
		markdown_pop(&h->md);
		return;
	case GUMBO_TAG_PRE:
	case GUMBO_TAG_LISTING:
	case GUMBO_TAG_XMP:
	case GUMBO_TAG_PLAINTEXT:
		if (--h->pre == 0)
			markdown_code_end(&h->md);
		return;
	case GUMBO_TAG_A:
		leave_link(h, node);
		return;
	default:
		if (is_inline_code(tag))
			leave_code(h, node);
		break;
	}
	if (!h->pre)
		break_around(h, breaks_around(tag));
}

static bool enter_node(struct html *h, const GumboNode *node)
{
	if (node->type == GUMBO_NODE_ELEMENT)
		return enter(h, node);
	if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE || node->type == GUMBO_NODE_CDATA)
		markdown_text(&h->md, span_of(node->v.text.text));
	return false;
}

/* The contents of `root`, without root itself. */
static void walk(struct html *h, const GumboNode *root)
{
	const GumboNode *node = next_node(root, root, true);
	while (node && buf_error(h->md.out) == 0) {
		bool element = node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE;
		bool into = !(element && is_left_out(h, node)) && enter_node(h, node);
		if (into && node->v.element.children.length > 0) {
			node = node->v.element.children.data[0];
			continue;
		}
		if (into)
			leave(h, node);
		/* Up until there is a next sibling. */
		for (;;) {
			const GumboNode *parent = node->parent;
			const GumboVector *siblings = &parent->v.element.children;
			if (node->index_within_parent + 1 < siblings->length) {
				node = siblings->data[node->index_within_parent + 1];
				break;
			}
			if (parent == root)
				return;
			leave(h, parent);
			node = parent;
		}
	}
}

/* --- the document -------------------------------------------------------------------------------------------------- */

static void add_title(const GumboNode *root, struct extract_result *about)
{
	const GumboNode *title = NULL;
	unsigned seen = 0;
	for (const GumboNode *n = next_node(root, root, true); n && !title && seen < LOOK_AHEAD; n = next_node(n, root, true), seen++)
		if (tag_of(n) == GUMBO_TAG_TITLE && n->v.element.tag_namespace == GUMBO_NAMESPACE_HTML)
			title = n;
	if (title && title->v.element.children.length > 0) {
		const GumboNode *text = title->v.element.children.data[0];
		if (text->type == GUMBO_NODE_TEXT)
			format_set_title(about, span_of(text->v.text.text));
	}
}

static void convert(const GumboNode *root, struct buf *text, bool keep_all)
{
	struct html h = {.keep_all = keep_all};
	buf_reset(text);
	markdown_init(&h.md, text, false);
	walk(&h, root);
	if (text->size > 0)
		buf_add_char(text, '\n');
}

static int convert_document(const GumboNode *root, struct buf *text, struct extract_result *about)
{
	add_title(root, about);
	convert(root, text, false);
	if (text->size == 0 && buf_error(text) == 0)
		convert(root, text, true);
	if (text->size == 0 && about->title[0])
		buf_addf(text, "# %s\n", about->title);
	if (text->size == 0 && buf_error(text) == 0)
		return format_fail(about, "no-text", "the page has no text: it is probably made by a script");
	return buf_error(text);
}

/* In a function of its own: the jump back must not meet locals that changed meanwhile. */
static int parse_and_convert(struct arena *arena, struct span bytes, struct buf *text, struct extract_result *about)
{
	GumboOptions options = kGumboDefaultOptions;
	options.allocator = arena_allocate;
	options.deallocator = arena_deallocate;
	options.userdata = arena;
	options.max_errors = 0;
	if (setjmp(arena->full) != 0)
		return -ENOMEM;
	const GumboOutput *parsed = gumbo_parse_with_options(&options, bytes.data, bytes.size);
	return convert_document(parsed->root, text, about);
}

int html_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct arena arena = {0};
	struct buf shallow;
	buf_init(&shallow, LIMIT_SOURCE_BYTES);
	int r = html_limit_depth(bytes, &shallow, &bytes);
	if (r == 0)
		r = parse_and_convert(&arena, bytes, text, about);
	arena_release(&arena);
	buf_release(&shallow);
	return r;
}

const struct format format_html = {
	.extractor = {"html", 2, "text/html", TEXT_MARKDOWN, true, NULL},
	.extract = html_extract,
	.prepare = html_prepare,
};
