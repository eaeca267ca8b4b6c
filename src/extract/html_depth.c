/* Deeply nested HTML: see html_depth.h. Not a parser: it only has to count about as one would, and what it gets wrong is a tag less among those
 * beyond the limit. */
#include "extract/html_depth.h"

#include <stdint.h>
#include <strings.h>

struct scan {
	struct span page;
	size_t at;
	uint32_t open[HTML_DEPTH]; /* hashes of the names of open elements, outermost first */
	size_t depth, dropped;	   /* dropped: open elements beyond the limit, whose tags were left out */
	size_t copied;		   /* up to where the page is in `out` */
	struct buf *out;
};

static bool is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_one_of(struct span name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(names[i]) == name.size && strncasecmp(names[i], name.data, name.size) == 0)
			return true;
	return false;
}

/* Elements that end by themselves, or with the next of their kind: they do not nest, whether or not they are closed. */
static bool ends_by_itself(struct span name)
{
	static const char *const names[] = {"area", "base", "br",  "col",  "embed", "hr",    "img",   "input", "link",	    "meta",	"param",  "source", "track", "wbr",
					    "p",    "li",   "dt",  "dd",   "td",    "th",    "tr",    "tbody", "thead",	    "tfoot",	"option", "html",   "head",  "body",
					    "rb",   "rp",   "rt",  "rtc",  "caption", "colgroup", "optgroup"};
	return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

/* Elements whose content is not markup. */
static bool holds_text(struct span name)
{
	static const char *const names[] = {"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"};
	return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

static uint32_t hash_name(struct span name)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < name.size; i++)
		h = (h ^ (unsigned char)(name.data[i] | 0x20)) * 16777619u;
	return h;
}

/* To the end of what begins at s->at, or of the page. */
static void pass(struct scan *s, const char *end)
{
	size_t size = strlen(end);
	const char *at = memmem(s->page.data + s->at, s->page.size - s->at, end, size);
	s->at = at ? (size_t)(at - s->page.data) + size : s->page.size;
}

/* To the closing tag of `name`. Without one everything that follows is its content. */
static void pass_content(struct scan *s, struct span name)
{
	while (s->at < s->page.size) {
		pass(s, "</");
		if (s->page.size - s->at >= name.size && strncasecmp(s->page.data + s->at, name.data, name.size) == 0) {
			s->at -= 2;
			return;
		}
	}
}

static void drop(struct scan *s, size_t start)
{
	buf_add(s->out, s->page.data + s->copied, start - s->copied);
	s->copied = s->at;
}

static void begin_element(struct scan *s, struct span name, size_t start)
{
	if (ends_by_itself(name))
		return;
	if (holds_text(name)) {
		pass_content(s, name);
	} else if (s->depth < HTML_DEPTH) {
		s->open[s->depth++] = hash_name(name);
	} else {
		s->dropped++;
		drop(s, start);
	}
}

static void end_element(struct scan *s, struct span name, size_t start)
{
	if (ends_by_itself(name) || holds_text(name))
		return;
	if (s->dropped > 0) {
		s->dropped--;
		drop(s, start);
		return;
	}
	uint32_t hash = hash_name(name);
	for (size_t i = s->depth; i > 0; i--)
		if (s->open[i - 1] == hash) {
			s->depth = i - 1;
			return;
		}
}

static void read_tag(struct scan *s)
{
	size_t start = s->at++;
	if (span_starts_with((struct span){s->page.data + start, s->page.size - start}, "<!--")) {
		pass(s, "-->");
		return;
	}
	bool closing = s->at < s->page.size && s->page.data[s->at] == '/';
	size_t from = s->at + closing, to = from;
	if (from >= s->page.size || !is_letter(s->page.data[from]))
		return;
	while (to < s->page.size && !strchr(" \t\r\n\f/>", s->page.data[to]))
		to++;
	struct span name = {s->page.data + from, to - from};
	pass(s, ">");
	if (closing)
		end_element(s, name, start);
	else
		begin_element(s, name, start);
}

int html_limit_depth(struct span page, struct buf *store, struct span *ret)
{
	struct scan s = {.page = page, .out = store};
	while (s.at < page.size) {
		const char *tag = memchr(page.data + s.at, '<', page.size - s.at);
		if (!tag)
			break;
		s.at = (size_t)(tag - page.data);
		read_tag(&s);
	}
	if (s.copied > 0)
		buf_add(store, page.data + s.copied, page.size - s.copied);
	if (buf_error(store))
		return buf_error(store);
	*ret = s.copied > 0 ? buf_span(store) : page;
	return 0;
}
