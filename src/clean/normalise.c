/* Encoding, characters, line ends and blank lines: see normalise.h and the rules in clean.h.
 *
 * Text that is already clean is only looked at and copied, by lines. Where something needs a decision, the code points from the
 * last starter on go one by one through clean_character() and the NFC composer until the text is plain again. */
#include "clean/normalise.h"

#include "base/utf8.h"
#include "clean/nfc.h"

enum {
	/* Fewer than NFC_MARKS_MAX: a precomposed starter counts for up to four when decomposed. */
	QUICK_MARKS_MAX = NFC_MARKS_MAX - 4,
	/* An escape sequence of a terminal that is longer than this is none. */
	ESCAPE_MAX = 64,
	EMPTY_LINES_MAX = 2,
};

enum character_verdict { KEEP, DROP, BLANK, LINE_END };

struct normaliser {
	const struct clean_options *options;
	const uint8_t *table;
	struct buf *out;
	size_t start;   /* where our text begins in out */
	size_t line;    /* where the current line begins in out */
	unsigned empty; /* empty lines written in a row */
	struct nfc_composer composer;
};

static bool is_zero_width(uint32_t c)
{
	return c == 0x00ad || c == 0x061c || (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
}

static bool is_unicode_blank(uint32_t c)
{
	return c == 0x00a0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool is_noncharacter(uint32_t c)
{
	return (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

static bool is_variation_selector(uint32_t c)
{
	return (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef);
}

static bool is_tag(uint32_t c)
{
	return c >= 0xe0000 && c <= 0xe007f;
}

static bool is_latin_ligature(uint32_t c)
{
	return c >= 0xfb00 && c <= 0xfb06;
}

/* Everything on the basic plane that clean_character() may not simply keep. */
static bool is_special(uint32_t c)
{
	return (c >= 0x80 && c <= 0x9f) || c == 0x2028 || c == 0x2029 || is_zero_width(c) || is_unicode_blank(c) ||
	       is_noncharacter(c) || is_variation_selector(c) || is_latin_ligature(c);
}

/* Thai, Lao, Myanmar, Khmer: written without spaces, so that U+200B marks where a word ends. */
static bool is_spaceless_script(uint32_t c)
{
	return (c >= 0x0e00 && c <= 0x0eff) || (c >= 0x1000 && c <= 0x109f) || (c >= 0x1780 && c <= 0x17ff);
}

/* After these a joiner says something: Arabic, Indic and other joining scripts, emoji. */
static bool may_be_joined(uint32_t c)
{
	return c >= 0x0600 && !(c >= 0x2000 && c <= 0x206f) && !is_unicode_blank(c);
}

/* Judged by the starter before it rather than by the code point before it, so that equivalent texts are judged alike. */
static enum character_verdict judge_zero_width(const struct normaliser *n, uint32_t c)
{
	if (c == 0x200b)
		return is_spaceless_script(n->composer.starter) ? KEEP : DROP;
	if (c == 0x200c || c == 0x200d)
		return may_be_joined(n->composer.starter) ? KEEP : DROP;
	return DROP;
}

static enum character_verdict judge_control(const struct normaliser *n, uint32_t c)
{
	if (c == '\n' || c == '\r' || c == 0x85)
		return LINE_END;
	if (c == '\t')
		return KEEP;
	if (c == '\v' || c == '\f') {
		if (!n->options->code)
			return LINE_END;
		return n->out->size == n->line && n->composer.count == 0 ? DROP : BLANK;
	}
	return c >= 0x1c && c <= 0x1f ? BLANK : DROP;
}

static enum character_verdict judge_character(const struct normaliser *n, uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
		return judge_control(n, c);
	if (c == 0x2028 || c == 0x2029)
		return LINE_END;
	if (is_unicode_blank(c))
		return n->options->code || c == 0x3000 ? KEEP : BLANK;
	if (is_zero_width(c))
		return judge_zero_width(n, c);
	if (is_variation_selector(c))
		return n->composer.starter <= ' ' || is_variation_selector(n->composer.starter) ? DROP : KEEP;
	if (is_tag(c))
		return n->composer.starter == 0x1f3f4 || is_tag(n->composer.starter) ? KEEP : DROP;
	return KEEP;
}

static bool ends_with(const struct buf *b, const char *bytes, size_t size)
{
	return b->size >= size && memcmp(b->data + b->size - size, bytes, size) == 0;
}

/* Bytes of the blank at the end of the line being written, 0 for none. */
static size_t trailing_blank(const struct normaliser *n)
{
	const struct buf *out = n->out;
	if (out->size == n->line)
		return 0;
	char last = out->data[out->size - 1];
	if (last == ' ' || last == '\t')
		return 1;
	if ((unsigned char)last < 0x80)
		return 0;
	if (ends_with(out, "\xc2\xa0", 2))
		return 2;
	if (out->size - n->line < 3)
		return 0;
	uint32_t c;
	if (utf8_decode((struct span){out->data, out->size}, out->size - 3, &c) == 3 && (is_unicode_blank(c) || c == 0x200b))
		return 3;
	return 0;
}

static void end_line(struct normaliser *n)
{
	nfc_flush(&n->composer, n->out);
	if (buf_error(n->out))
		return;
	size_t blank;
	while ((blank = trailing_blank(n)) > 0)
		buf_truncate(n->out, n->out->size - blank);
	bool is_empty = n->out->size == n->line;
	n->empty = is_empty ? n->empty + 1 : 0;
	bool write = !is_empty || n->options->code || (n->empty <= EMPTY_LINES_MAX && n->line > n->start);
	if (write)
		buf_add_char(n->out, '\n');
	n->line = n->out->size;
	n->composer.starter = 0;
}

/* Bytes of an escape sequence "ESC [ ... letter" (ECMA-48, 5.4) at s[at], 1 for a lone ESC. */
static size_t escape_size(struct span s, size_t at)
{
	size_t end = s.size - at < ESCAPE_MAX ? s.size : at + ESCAPE_MAX;
	if (at + 2 >= end || s.data[at + 1] != '[')
		return 1;
	size_t i = at + 2;
	while (i < end && s.data[i] >= 0x20 && s.data[i] <= 0x3f)
		i++;
	return i < end && s.data[i] >= 0x40 && s.data[i] <= 0x7e ? i + 1 - at : 1;
}

/* Bytes of the ill-formed sequence at s[at] that one U+FFFD stands for: the longest beginning of a well-formed one, or one byte
 * (Unicode 15, 3.9, "U+FFFD substitution of maximal subparts"). */
static size_t invalid_size(struct span s, size_t at)
{
	const unsigned char *p = (const unsigned char *)s.data + at;
	size_t left = s.size - at;
	size_t length = p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : 1;
	if (length == 1 || left < 2)
		return 1;
	unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high)
		return 1;
	size_t n = 2;
	while (n < length - 1 && n < left && (p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static void keep_character(struct normaliser *n, uint32_t c)
{
	static const char *const ligatures[] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};
	if (is_latin_ligature(c) && !n->options->code) {
		for (const char *letter = ligatures[c - 0xfb00]; *letter; letter++)
			nfc_feed(&n->composer, (uint32_t)(unsigned char)*letter, n->out);
		return;
	}
	nfc_feed(&n->composer, is_noncharacter(c) ? 0xfffd : c, n->out);
}

/* True for a soft hyphen that breaks a word at the end of a line of a page. */
static bool is_breaking_hyphen(const struct normaliser *n, struct span line, size_t after, uint32_t c)
{
	return c == 0xad && n->options->paged && after == line.size;
}

/* Takes one code point of the line off at `at`; returns the bytes it had. */
static size_t take_character(struct normaliser *n, struct span line, size_t at)
{
	uint32_t c;
	size_t size = utf8_decode(line, at, &c);
	if (size == 0) {
		keep_character(n, 0xfffd);
		return invalid_size(line, at);
	}
	if (c == 0x1b)
		return escape_size(line, at);
	if (is_breaking_hyphen(n, line, at + size, c))
		c = '-';
	switch (judge_character(n, c)) {
	case KEEP:
		keep_character(n, c);
		break;
	case BLANK:
		keep_character(n, ' ');
		break;
	case LINE_END:
		end_line(n);
		if (c == '\r' && at + size < line.size && line.data[at + size] == '\n')
			size++;
		break;
	case DROP:
		break;
	}
	return size;
}

/* Bytes from the start of `s` in which every byte is a printable ASCII character or a tab. */
static size_t printable_prefix(struct span s)
{
	const uint64_t ones = 0x0101010101010101u;
	size_t i = 0;
	for (;;) {
		for (; i + 8 <= s.size; i += 8) {
			uint64_t w;
			memcpy(&w, s.data + i, 8);
			/* Top bit of a byte: of the byte itself, of 0x7f + 1, or borrowed from a byte below 0x20. */
			if ((w | (w + ones) | (w - 0x20 * ones)) & (0x80 * ones))
				break;
		}
		while (i < s.size && ((s.data[i] >= 0x20 && s.data[i] < 0x7f) || s.data[i] == '\t')) {
			i++;
			if (i % 8 == 0 && i + 8 <= s.size)
				break;
		}
		if (i >= s.size || !((s.data[i] >= 0x20 && s.data[i] < 0x7f) || s.data[i] == '\t'))
			return i;
	}
}

/* Quick check (UAX 15, section 9) of what is not ASCII, from s[at] to the next ASCII character. Returns the bytes that may stay;
 * *ret_safe is the offset of the last starter among them, `at` when there is none. */
static size_t stable_run(const uint8_t *table, struct span s, size_t at, size_t *ret_safe)
{
	uint8_t class = 0;
	unsigned marks = 0;
	while (at < s.size && (unsigned char)s.data[at] >= 0x80) {
		uint32_t c;
		size_t size = utf8_decode(s, at, &c);
		if (size == 0)
			break;
		uint8_t next = c < 0x10000 ? table[c] : nfc_is_plain_supplementary(c) ? 0 : NFC_LOOK;
		if (next == NFC_LOOK || (next && (next < class || ++marks > QUICK_MARKS_MAX)))
			break;
		if (next == 0) {
			*ret_safe = at;
			marks = 0;
		}
		class = next;
		at += size;
	}
	return at;
}

/* Copies the bytes of `line` from `at` that need no decision; returns where the slow path has to begin, line.size at the end. */
static size_t copy_stable(struct normaliser *n, struct span line, size_t at)
{
	size_t from = at, safe = at;
	for (;;) {
		size_t plain = printable_prefix((struct span){line.data + at, line.size - at});
		if (plain > 0)
			safe = at + plain - 1;
		at += plain;
		if (at >= line.size)
			break;
		if ((unsigned char)line.data[at] < 0x80)
			break;
		size_t end = stable_run(n->table, line, at, &safe);
		at = end;
		if (end >= line.size)
			break;
		if ((unsigned char)line.data[end] >= 0x80)
			break;
	}
	size_t stop = at >= line.size ? line.size : safe;
	buf_add(n->out, line.data + from, stop - from);
	return stop;
}

/* True where the code point at `at` neither needs a decision nor can combine with what stands before it. */
static bool is_plain_starter(const struct normaliser *n, struct span s, size_t at)
{
	unsigned char byte = (unsigned char)s.data[at];
	if (byte < 0x80)
		return (byte >= 0x20 && byte < 0x7f) || byte == '\t';
	uint32_t c;
	if (utf8_decode(s, at, &c) == 0)
		return false;
	return c < 0x10000 ? n->table[c] == 0 : nfc_is_plain_supplementary(c);
}

static void add_line(struct normaliser *n, struct span line)
{
	size_t at = 0;
	while (at < line.size && !buf_error(n->out)) {
		at = copy_stable(n, line, at);
		size_t from = at;
		/* The first code point is the starter that the trouble may belong to; then on to the next one that is plain. */
		while (at < line.size && (at == from || !is_plain_starter(n, line, at)))
			at += take_character(n, line, at);
		nfc_flush(&n->composer, n->out);
		n->composer.starter = 0;
	}
	end_line(n);
}

void normalise_text(struct span text, const struct clean_options *options, struct buf *out)
{
	struct normaliser n = {
	        .options = options, .table = nfc_table(is_special), .out = out, .start = out->size, .line = out->size};
	size_t at = 0;
	while (at < text.size && !buf_error(out)) {
		const char *end = memchr(text.data + at, '\n', text.size - at);
		size_t next = end ? (size_t)(end - text.data) : text.size;
		size_t size = next - at;
		if (size > 0 && text.data[at + size - 1] == '\r')
			size--;
		add_line(&n, (struct span){text.data + at, size});
		at = next + 1;
	}
	if (buf_error(out))
		return;
	while (out->size > n.start && out->data[out->size - 1] == '\n' &&
	       (out->size - 1 == n.start || out->data[out->size - 2] == '\n'))
		buf_truncate(out, out->size - 1);
}
