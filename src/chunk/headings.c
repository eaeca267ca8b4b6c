/* Headings: see headings.h. */
#include "chunk/headings.h"

#include "chunk/cut.h"

#include <errno.h>
#include <stdlib.h>

enum { LEVEL_MAX = 255, TAG_MAX = 200 };

void headings_init(struct headings *h)
{
	*h = (struct headings){0};
	buf_init(&h->text, LIMIT_HEADINGS * LIMIT_HEADING_BYTES);
}

void headings_release(struct headings *h)
{
	free(h->headings);
	free(h->places);
	buf_release(&h->text);
}

static bool is_word_byte(char c)
{
	unsigned char u = (unsigned char)c;
	return u >= 0x80 || (u >= '0' && u <= '9') || ((u | 0x20) >= 'a' && (u | 0x20) <= 'z');
}

/* Bytes from s[at] to behind the next `close`, 0 when there is none near. */
static size_t enclosed(struct span s, size_t at, char close)
{
	size_t limit = s.size - at < TAG_MAX ? s.size - at : TAG_MAX;
	const char *end = memchr(s.data + at, close, limit);
	return end ? (size_t)(end + 1 - s.data) - at : 0;
}

/* True where an emphasis mark can open or close something: not between blanks, nor, for '_', inside a word. */
static bool is_emphasis(struct span s, size_t at)
{
	char before = at > 0 ? s.data[at - 1] : ' ', after = at + 1 < s.size ? s.data[at + 1] : ' ';
	if (before == ' ' && after == ' ')
		return false;
	return s.data[at] == '*' || !is_word_byte(before) || !is_word_byte(after);
}

/* Bytes of markup at s[at] that say nothing: "](target)", "{#id}", "<a name=x>", "**", quotes of code. */
static size_t markup_size(struct span s, size_t at)
{
	char c = s.data[at], next = at + 1 < s.size ? s.data[at + 1] : '\0';
	switch (c) {
	case '`':
		return 1;
	case '*':
	case '_':
		return is_emphasis(s, at);
	case '\\':
		return next != '\0' && !is_word_byte(next) ? 1 : 0;
	case '[':
		return memmem(s.data + at, s.size - at, "](", 2) ? 1 : 0;
	case ']':
		return next == '(' ? 1 + enclosed(s, at + 1, ')') : 0;
	case '{':
		return next == '#' || next == '.' ? enclosed(s, at, '}') : 0;
	case '<':
		return next == '/' || (next >= 'a' && next <= 'z') ? enclosed(s, at, '>') : 0;
	default:
		return 0;
	}
}

void headings_plain_text(struct span s, struct buf *out)
{
	size_t begin = out->size;
	bool blank = false;
	for (size_t at = 0; at < s.size;) {
		size_t markup = markup_size(s, at);
		if (markup > 0) {
			/* An escaped character stays whatever it is. */
			at += markup;
			if (s.data[at - 1] != '\\' || markup != 1 || at >= s.size)
				continue;
		}
		if (s.data[at] == ' ' || s.data[at] == '\t') {
			blank = out->size > begin;
		} else {
			if (blank)
				buf_add_char(out, ' ');
			blank = false;
			buf_add_char(out, s.data[at]);
		}
		at++;
	}
}

static int reserve(struct headings *h)
{
	if (h->count < h->capacity)
		return 0;
	size_t capacity = h->capacity ? h->capacity * 2 : 32;
	struct chunk_heading *headings = reallocarray(h->headings, capacity, sizeof(*headings));
	if (!headings)
		return -ENOMEM;
	h->headings = headings;
	struct heading_place *places = reallocarray(h->places, capacity, sizeof(*places));
	if (!places)
		return -ENOMEM;
	h->places = places;
	h->capacity = capacity;
	return 0;
}

int headings_add(struct headings *h, unsigned level, struct span markup, struct heading_place place)
{
	if (h->count >= LIMIT_HEADINGS)
		return 0;
	int r = reserve(h);
	if (r)
		return r;
	if (level > LEVEL_MAX)
		level = LEVEL_MAX;
	size_t begin = h->text.size;
	headings_plain_text(markup, &h->text);
	if (buf_error(&h->text))
		return buf_error(&h->text);
	struct span text = {h->text.data ? h->text.data + begin : "", h->text.size - begin};
	text.size = cut_at_grapheme(text, LIMIT_HEADING_BYTES);
	buf_truncate(&h->text, begin + text.size);
	uint32_t parent = 0;
	for (unsigned above = level; above-- > 1 && parent == 0;)
		parent = h->open[above];
	h->places[h->count] = place;
	h->headings[h->count++] = (struct chunk_heading){(uint32_t)begin, (uint16_t)text.size, (uint8_t)level, 0, parent};
	h->open[level] = (uint32_t)h->count;
	memset(h->open + level + 1, 0, (LEVEL_MAX - level) * sizeof(*h->open));
	return 0;
}
