/* Normalisation form C: see nfc.h. */
#include "clean/nfc.h"

#include "base/utf8.h"

#include <pthread.h>
#include <utf8proc.h>

enum { DECOMPOSITION_MAX = 8, COMBINING_GRAPHEME_JOINER = 0x034f };

static int decompose(uint32_t c, int32_t out[DECOMPOSITION_MAX])
{
	int boundary = 0;
	utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, out, DECOMPOSITION_MAX, UTF8PROC_DECOMPOSE, &boundary);
	if (n >= 1 && n <= DECOMPOSITION_MAX)
		return (int)n;
	out[0] = (int32_t)c;
	return 1;
}

static uint8_t combining_class(int32_t c)
{
	return (uint8_t)utf8proc_get_property(c)->combining_class;
}

/* Composes in place a sequence in canonical order; returns its new length. */
static unsigned compose(int32_t *sequence, unsigned count)
{
	if (count < 2)
		return count;
	utf8proc_ssize_t n = utf8proc_normalize_utf32(sequence, (utf8proc_ssize_t)count, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
	return n > 0 && (unsigned)n <= count ? (unsigned)n : count;
}

/* The one piece of static state: written once under pthread_once, read-only afterwards. */
static struct {
	uint8_t entries[0x10000];
	bool (*is_special)(uint32_t code_point);
	pthread_mutex_t lock;
	bool built;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Quick check values by definition rather than from a copy of the Unicode files, so that they agree with the library in use:
 * a code point stays if decomposing and composing gives it back, and may combine with what stands before it if it is the last
 * part of such a decomposition. */
static void build_table(void)
{
	for (uint32_t c = 0x80; c < 0x10000; c++) {
		int32_t parts[DECOMPOSITION_MAX];
		if (c >= 0xd800 && c <= 0xdfff) {
			table.entries[c] = NFC_LOOK;
			continue;
		}
		int n = decompose(c, parts);
		int32_t last = parts[n - 1];
		bool stays = n > 1 ? compose(parts, (unsigned)n) == 1 && parts[0] == (int32_t)c : last == (int32_t)c;
		if (!stays || table.is_special(c))
			table.entries[c] = NFC_LOOK;
		else if (table.entries[c] != NFC_LOOK)
			table.entries[c] = combining_class((int32_t)c);
		if (stays && n > 1 && last < 0x10000)
			table.entries[last] = NFC_LOOK;
	}
}

const uint8_t *nfc_table(bool (*is_special)(uint32_t code_point))
{
	(void)pthread_mutex_lock(&table.lock);
	if (!table.built) {
		table.is_special = is_special;
		build_table();
		table.built = true;
	}
	(void)pthread_mutex_unlock(&table.lock);
	return table.entries;
}

bool nfc_is_plain_supplementary(uint32_t c)
{
	return (c >= 0x20000 && c < 0x2f800) || (c >= 0x1f000 && c < 0x1fb00) || (c >= 0x1d400 && c < 0x1d800);
}

static void emit(struct nfc_composer *c, struct buf *out)
{
	for (unsigned i = 0; i < c->count; i++) {
		char bytes[4];
		buf_add(out, bytes, utf8_encode((uint32_t)c->code_points[i], bytes));
	}
	c->count = 0;
}

void nfc_flush(struct nfc_composer *c, struct buf *out)
{
	c->count = compose(c->code_points, c->count);
	emit(c, out);
	c->marks = 0;
}

static void add_starter(struct nfc_composer *c, int32_t starter, struct buf *out)
{
	/* Starters combine too (Hangul, Indic vowels), but only with a starter that nothing separates from them. */
	c->count = compose(c->code_points, c->count);
	if (c->count == 1) {
		int32_t pair[2] = {c->code_points[0], starter};
		if (compose(pair, 2) == 1) {
			c->code_points[0] = pair[0];
			return;
		}
	}
	emit(c, out);
	c->code_points[0] = starter;
	c->classes[0] = 0;
	c->count = 1;
}

/* Canonical ordering as an insertion sort: the sequence is short by construction. */
static void add_mark(struct nfc_composer *c, int32_t mark, uint8_t class)
{
	unsigned i = c->count++;
	for (; i > 0 && c->classes[i - 1] > class; i--) {
		c->code_points[i] = c->code_points[i - 1];
		c->classes[i] = c->classes[i - 1];
	}
	c->code_points[i] = mark;
	c->classes[i] = class;
}

void nfc_feed(struct nfc_composer *c, uint32_t code_point, struct buf *out)
{
	int32_t parts[DECOMPOSITION_MAX];
	uint8_t classes[DECOMPOSITION_MAX];
	unsigned n = (unsigned)decompose(code_point, parts), leading = 0;
	for (unsigned i = 0; i < n; i++)
		classes[i] = combining_class(parts[i]);
	while (leading < n && classes[leading])
		leading++;
	if (c->marks + leading > NFC_MARKS_MAX) {
		add_starter(c, COMBINING_GRAPHEME_JOINER, out);
		c->marks = 0;
	}
	for (unsigned i = 0; i < n; i++) {
		if (classes[i] == 0) {
			add_starter(c, parts[i], out);
			c->marks = 0;
			if (parts[i] != COMBINING_GRAPHEME_JOINER)
				c->starter = (uint32_t)parts[i];
		} else {
			add_mark(c, parts[i], classes[i]);
			c->marks++;
		}
	}
}
