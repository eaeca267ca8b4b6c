/* Joining broken words: see hyphens.h. */
#include "clean/hyphens.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <utf8proc.h>

enum {
	/* Words noted; a document with more broken words than a quarter of this joins the rest without looking. */
	NOTED_MAX = 1 << 20,
	NOTED_MIN = 1 << 10,
	/* Bytes of the parts of a broken word. The upper bound keeps a chain of breaks ("ab-" on every line) from being quadratic.
	 */
	FRAGMENT_MIN = 2,
	FRAGMENT_MAX = 64,
	/* A longer line is no line of a page. */
	LINE_MAX_BYTES = 1000,
};

struct noted {
	uint64_t key; /* 0: free */
	uint32_t count;
};

/* An open-addressing table of word hashes. */
struct hyphens {
	struct noted *table;
	size_t capacity; /* a power of two */
	size_t used;
};

/* A break that may be joined; all spans point into the two lines. */
struct word_break {
	struct span head;   /* the letters before the hyphen */
	struct span tail;   /* the letters that go on */
	struct span moved;  /* tail and what is attached to it */
	struct span rest;   /* of the second line, after moved and blanks */
	size_t hyphen_size; /* bytes of the hyphen at the end of the first line */
	size_t indent;      /* blanks before tail */
	bool compound;      /* a hyphen stands before head too: "state-of-the-" */
};

int hyphens_new(struct hyphens **ret)
{
	struct hyphens *CLEANUP_FREE h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->table = calloc(NOTED_MIN, sizeof(*h->table));
	if (!h->table)
		return -ENOMEM;
	h->capacity = NOTED_MIN;
	*ret = STEAL(h);
	return 0;
}

void hyphens_free(struct hyphens *h)
{
	if (!h)
		return;
	free(h->table);
	free(h);
}

void hyphens_cleanup(struct hyphens **h)
{
	hyphens_free(*h);
}

/* --- the table ----------------------------------------------------------------------------------------------------- */

static struct noted *find_slot(struct noted *table, size_t capacity, uint64_t key)
{
	size_t i = key & (capacity - 1);
	while (table[i].key != 0 && table[i].key != key)
		i = (i + 1) & (capacity - 1);
	return &table[i];
}

static int grow(struct hyphens *h)
{
	struct noted *table = calloc(h->capacity * 2, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < h->capacity; i++)
		if (h->table[i].key != 0)
			*find_slot(table, h->capacity * 2, h->table[i].key) = h->table[i];
	free(h->table);
	h->table = table;
	h->capacity *= 2;
	return 0;
}

static int note(struct hyphens *h, uint64_t key)
{
	if (h->used * 2 >= h->capacity) {
		if (h->capacity >= NOTED_MAX)
			return 0;
		int r = grow(h);
		if (r)
			return r;
	}
	struct noted *slot = find_slot(h->table, h->capacity, key);
	h->used += slot->key == 0;
	slot->key = key;
	return 0;
}

static void count_key(struct hyphens *h, uint64_t key)
{
	struct noted *slot = find_slot(h->table, h->capacity, key);
	if (slot->key != 0)
		slot->count++;
}

static uint32_t count_of(const struct hyphens *h, uint64_t key)
{
	return find_slot(h->table, h->capacity, key)->count;
}

/* The same for "Long" and "long"; a word of more bytes than any real one is taken as it stands. */
static uint64_t word_key(struct span word)
{
	char lower[64];
	if (word.size > sizeof(lower))
		return checksum64(word.data, word.size) | 1;
	for (size_t i = 0; i < word.size; i++)
		lower[i] = (char)(word.data[i] >= 'A' && word.data[i] <= 'Z' ? word.data[i] | 0x20 : word.data[i]);
	return checksum64(lower, word.size) | 1;
}

/* A mix of the hashes of the parts, so that nothing has to be concatenated to look it up. */
static uint64_t compound_key(struct span head, struct span tail)
{
	return (word_key(head) * 0x9e3779b97f4a7c15u ^ word_key(tail)) | 1;
}

/* --- finding breaks ------------------------------------------------------------------------------------------------ */

/* Bytes of letters, near enough: what is not ASCII counts as one. */
static bool is_word_byte(char c)
{
	unsigned char u = (unsigned char)c;
	return u >= 0x80 || ((u | 0x20) >= 'a' && (u | 0x20) <= 'z');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_lower(struct span s, size_t at)
{
	uint32_t c;
	return utf8_decode(s, at, &c) > 0 && utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_LL;
}

/* Lines of tables and columns: what stands below need not be what goes on. */
static bool is_columns(struct span line)
{
	for (size_t i = 0; i < line.size; i++) {
		if (line.data[i] == '|' || line.data[i] == '\t')
			return true;
		if (i > 0 && i + 2 < line.size && !is_blank(line.data[i - 1]) && memcmp(line.data + i, "   ", 3) == 0)
			return true;
	}
	return false;
}

static size_t hyphen_at_end(struct span line)
{
	if (line.size >= 1 && line.data[line.size - 1] == '-')
		return 1;
	/* U+2010 HYPHEN */
	return line.size >= 3 && memcmp(line.data + line.size - 3, "\xe2\x80\x90", 3) == 0 ? 3 : 0;
}

/* Characters that join words to addresses, paths, formulas and identifiers, in which a hyphen is a hyphen. */
static bool is_joining(char c)
{
	return (c >= '0' && c <= '9') || (c != '\0' && strchr("/\\@._:=#&~%+", c) != NULL);
}

/* U+3000 or U+200B, which may stand inside a line but not at its end. */
static bool ends_in_wide_blank(struct span s)
{
	const char *end = s.data + s.size - 3;
	return s.size >= 3 && (memcmp(end, "\xe3\x80\x80", 3) == 0 || memcmp(end, "\xe2\x80\x8b", 3) == 0);
}

static bool find_head(struct span line, struct word_break *b)
{
	b->hyphen_size = hyphen_at_end(line);
	if (b->hyphen_size == 0)
		return false;
	size_t end = line.size - b->hyphen_size, first = end;
	while (first > 0 && end - first <= FRAGMENT_MAX && is_word_byte(line.data[first - 1]))
		first--;
	b->head = (struct span){line.data + first, end - first};
	if (b->head.size < FRAGMENT_MIN || b->head.size > FRAGMENT_MAX || (first > 0 && is_joining(line.data[first - 1])))
		return false;
	b->compound = first > 1 && line.data[first - 1] == '-' && is_word_byte(line.data[first - 2]);
	size_t last = end - 1;
	while (last > first && ((unsigned char)line.data[last] & 0xc0) == 0x80)
		last--;
	return is_lower(line, last);
}

static bool find_tail(struct span line, struct word_break *b)
{
	size_t first = 0;
	while (first < line.size && line.data[first] == ' ')
		first++;
	size_t end = first;
	while (end < line.size && is_word_byte(line.data[end]))
		end++;
	size_t stop = end;
	while (stop < line.size && !is_blank(line.data[stop]))
		stop++;
	b->indent = first;
	b->tail = (struct span){line.data + first, end - first};
	b->moved = (struct span){line.data + first, stop - first};
	if (b->tail.size < FRAGMENT_MIN || b->tail.size > FRAGMENT_MAX || !is_lower(line, first))
		return false;
	/* "bar.html", "bar/", "bar2" belong to something else than prose; "bar." and "bar:" end a word. */
	if (end < stop && is_joining(line.data[end]) && !(stop == end + 1 && strchr(".:", line.data[end])))
		return false;
	while (stop < line.size && is_blank(line.data[stop]))
		stop++;
	b->rest = (struct span){line.data + stop, line.size - stop};
	/* "inter- and intra-": moving such a word up would make a break of what is none. */
	return !ends_in_wide_blank(b->moved) && (b->rest.size == 0 || hyphen_at_end(b->moved) == 0);
}

static bool find_break(struct span first, struct span second, struct word_break *ret)
{
	struct word_break b = {0};
	if (first.size > LINE_MAX_BYTES || second.size > LINE_MAX_BYTES)
		return false;
	if (!find_head(first, &b) || !find_tail(second, &b) || is_columns(first) || is_columns(second))
		return false;
	*ret = b;
	return true;
}

/* Takes the next line off `s`, without its line end. */
static struct span take_line(struct span *s)
{
	const char *end = s->size ? memchr(s->data, '\n', s->size) : NULL;
	struct span line = {s->data, end ? (size_t)(end - s->data) : s->size};
	size_t used = line.size + (end ? 1 : 0);
	s->data += used;
	s->size -= used;
	return line;
}

static int note_break(struct hyphens *h, const struct word_break *b)
{
	char solid[2 * FRAGMENT_MAX];
	memcpy(solid, b->head.data, b->head.size);
	memcpy(solid + b->head.size, b->tail.data, b->tail.size);
	uint64_t keys[] = {word_key(b->head), word_key(b->tail), compound_key(b->head, b->tail),
	                   word_key((struct span){solid, b->head.size + b->tail.size})};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		int r = note(h, keys[i]);
		if (r)
			return r;
	}
	return 0;
}

int hyphens_collect(struct hyphens *h, struct span body)
{
	struct span line = take_line(&body);
	while (body.size > 0) {
		struct span next = take_line(&body);
		struct word_break b;
		if (find_break(line, next, &b)) {
			int r = note_break(h, &b);
			if (r)
				return r;
		}
		line = next;
	}
	return 0;
}

/* --- counting ------------------------------------------------------------------------------------------------------ */

/* Counts the words of one line; the parts of a word that is broken at its beginning or end are not words. */
static void count_line(struct hyphens *h, struct span line, bool after_hyphen)
{
	struct span previous = {NULL, 0};
	bool first_word = true;
	for (size_t i = 0; i < line.size;) {
		if (!is_word_byte(line.data[i])) {
			if (line.data[i] != '-')
				previous = (struct span){NULL, 0};
			i++;
			continue;
		}
		size_t first = i;
		while (i < line.size && is_word_byte(line.data[i]))
			i++;
		struct span word = {line.data + first, i - first};
		bool after = first > 0 && line.data[first - 1] == '-', before = i < line.size && line.data[i] == '-';
		if (after && previous.size > 0 && previous.data + previous.size + 1 == word.data)
			count_key(h, compound_key(previous, word));
		if (!after && !before && !(first_word && after_hyphen))
			count_key(h, word_key(word));
		previous = word;
		first_word = false;
	}
}

void hyphens_count_words(struct hyphens *h, struct span body)
{
	bool after_hyphen = false;
	while (h->used > 0 && body.size > 0) {
		struct span line = take_line(&body);
		count_line(h, line, after_hyphen);
		after_hyphen = hyphen_at_end(line) > 0;
	}
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

static bool keeps_hyphen(const struct hyphens *h, const struct word_break *b, struct span solid)
{
	if (b->compound)
		return true;
	uint32_t with = count_of(h, compound_key(b->head, b->tail)), without = count_of(h, word_key(solid));
	if (with > 0 || without > 0)
		return with >= without;
	return count_of(h, word_key(b->head)) > 0 && count_of(h, word_key(b->tail)) > 0;
}

static void join(const struct hyphens *h, const struct word_break *b, struct buf *out)
{
	size_t head_at = out->size - b->hyphen_size - b->head.size;
	buf_truncate(out, out->size - b->hyphen_size);
	size_t hyphen_at = out->size;
	buf_add_span(out, b->moved);
	if (buf_error(out))
		return;
	struct span solid = {out->data + head_at, b->head.size + b->tail.size};
	struct word_break in_out = *b;
	in_out.head = (struct span){out->data + head_at, b->head.size};
	if (!keeps_hyphen(h, &in_out, solid))
		return;
	buf_add_char(out, '-');
	if (buf_error(out))
		return;
	memmove(out->data + hyphen_at + 1, out->data + hyphen_at, out->size - 1 - hyphen_at);
	out->data[hyphen_at] = '-';
}

/* Joins the following lines to the line in `out` that begins at `begin`, as long as it ends in a broken word. Returns what is left
 * of the last line taken, and its indentation. */
static struct span join_following(const struct hyphens *h, size_t begin, struct span *body, struct buf *out, size_t *ret_indent)
{
	while (body->size > 0 && !buf_error(out)) {
		struct span after = *body, next = take_line(&after);
		struct word_break b;
		if (!find_break((struct span){out->data + begin, out->size - begin}, next, &b))
			break;
		join(h, &b, out);
		*body = after;
		*ret_indent = b.indent;
		if (b.rest.size > 0)
			return b.rest;
	}
	return (struct span){NULL, 0};
}

void hyphens_write(const struct hyphens *h, struct span body, struct buf *out)
{
	while (body.size > 0 && !buf_error(out)) {
		struct span rest = take_line(&body);
		size_t indent = 0;
		bool more = true;
		while (more && !buf_error(out)) {
			size_t begin = out->size;
			for (size_t i = 0; i < indent; i++)
				buf_add_char(out, ' ');
			buf_add_span(out, rest);
			rest = join_following(h, begin, &body, out, &indent);
			buf_add_char(out, '\n');
			more = rest.size > 0;
		}
	}
}
