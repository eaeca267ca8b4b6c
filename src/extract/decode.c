/* Character sets: see decode.h. */
#include "extract/decode.h"

#include "base/cleanup.h"
#include "base/utf8.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>
#include <uchardet/uchardet.h>

/* uchardet reads about 20 MB/s; this much is as good as all of it. */
enum { DETECT_SAMPLE = 32 << 10, PATTERN_SAMPLE = 4096 };

/* Names that documents use, and the set that reads all of them: old standards are read as the superset that people really
 * write (WHATWG Encoding, section 4.2, for those that matter). */
static const struct {
	const char *label, *set;
} labels[] = {
	{"ascii", "WINDOWS-1252"},	   {"us-ascii", "WINDOWS-1252"},   {"iso-8859-1", "WINDOWS-1252"}, {"iso8859-1", "WINDOWS-1252"},
	{"latin1", "WINDOWS-1252"},	   {"l1", "WINDOWS-1252"},	   {"cp1252", "WINDOWS-1252"},	   {"x-cp1252", "WINDOWS-1252"},
	{"iso-8859-9", "WINDOWS-1254"},	   {"latin5", "WINDOWS-1254"},	   {"iso-8859-11", "CP874"},	   {"tis-620", "CP874"},
	{"windows-874", "CP874"},	   {"shift_jis", "CP932"},	   {"shift-jis", "CP932"},	   {"sjis", "CP932"},
	{"x-sjis", "CP932"},		   {"windows-31j", "CP932"},	   {"gb2312", "GB18030"},	   {"gbk", "GB18030"},
	{"x-gbk", "GB18030"},		   {"gb_2312-80", "GB18030"},	   {"euc-kr", "CP949"},		   {"ks_c_5601-1987", "CP949"},
	{"ksc5601", "CP949"},		   {"windows-949", "CP949"},	   {"uhc", "CP949"},		   {"big5", "BIG5-HKSCS"},
	{"x-x-big5", "BIG5-HKSCS"},	   {"cn-big5", "BIG5-HKSCS"},	   {"utf8", "UTF-8"},		   {"utf-16", "UTF-8"},
	{"utf-16le", "UTF-8"},		   {"utf-16be", "UTF-8"},	   {"unicode", "UTF-8"},	   {"x-mac-roman", "MACINTOSH"},
	{"mac", "MACINTOSH"},		   {"x-mac-cyrillic", "MAC-CYRILLIC"}, {"iso-8859-8-i", "ISO-8859-8"}, {"x-windows-1251", "WINDOWS-1251"},
};

int decode_label(struct span label, char set[DECODE_NAME_SIZE])
{
	char name[DECODE_NAME_SIZE];
	if (label.size == 0 || label.size >= sizeof(name))
		return -EINVAL;
	for (size_t i = 0; i < label.size; i++) {
		char c = label.data[i];
		/* No slash: to iconv that would begin an option such as //TRANSLIT. */
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.:", c)) || !c)
			return -EINVAL;
		name[i] = c;
	}
	name[label.size] = '\0';
	const char *found = name;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strcasecmp(labels[i].label, name) == 0)
			found = labels[i].set;
	(void)snprintf(set, DECODE_NAME_SIZE, "%s", found);
	return 0;
}

enum decode_form decode_bom(struct span s, size_t *ret_skip)
{
	static const struct {
		char bytes[5];
		size_t size;
		enum decode_form form;
	} marks[] = {
		{"\xef\xbb\xbf", 3, DECODE_UTF8},	{"\xff\xfe\0\0", 4, DECODE_UTF32LE}, {"\0\0\xfe\xff", 4, DECODE_UTF32BE},
		{"\xff\xfe", 2, DECODE_UTF16LE},	{"\xfe\xff", 2, DECODE_UTF16BE},
	};
	*ret_skip = 0;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (s.size < marks[i].size || memcmp(s.data, marks[i].bytes, marks[i].size) != 0)
			continue;
		*ret_skip = marks[i].size;
		return marks[i].form;
	}
	return DECODE_BYTES;
}

static uint32_t unit(const char *at, enum decode_form form)
{
	const unsigned char *p = (const unsigned char *)at;
	switch (form) {
	case DECODE_UTF16LE:
		return (uint32_t)p[0] | (uint32_t)p[1] << 8;
	case DECODE_UTF16BE:
		return (uint32_t)p[1] | (uint32_t)p[0] << 8;
	case DECODE_UTF32LE:
		return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	default:
		return (uint32_t)p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
	}
}

static size_t unit_size(enum decode_form form)
{
	return form == DECODE_UTF16LE || form == DECODE_UTF16BE ? 2 : 4;
}

/* Whether a code point is one that ordinary text is made of: what tells UTF-16 text from other data full of NUL bytes. */
static bool is_common(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r' || c == '\f';
	return c != 0x7f && (c < 0x80 || (c >= 0xa0 && c < 0x0700) || (c >= 0x0900 && c < 0x1200) || (c >= 0x1e00 && c < 0x2070) ||
			     c == 0x20ac || (c >= 0x2190 && c < 0x2200) || (c >= 0x2500 && c < 0x2600) || (c >= 0x3000 && c < 0x3400) ||
			     (c >= 0x4e00 && c < 0xa000) || (c >= 0xac00 && c < 0xd7b0) || (c >= 0xd800 && c < 0xe000) ||
			     (c >= 0xff00 && c < 0xfff0) || (c >= 0x1f300 && c < 0x1fb00) || (c >= 0x20000 && c < 0x30000));
}

/* The NUL bytes of UTF-16 text are high bytes, nearly all of them; elsewhere they lie anywhere. Two ASCII letters make an ideograph. */
static bool zeros_are_high(struct span s, enum decode_form form)
{
	size_t zeros[2] = {0, 0}, size = s.size < PATTERN_SAMPLE ? s.size : PATTERN_SAMPLE;
	for (size_t i = 0; i < size; i++)
		zeros[i % 2] += s.data[i] == 0;
	size_t high = form == DECODE_UTF16LE;
	return unit_size(form) == 4 || zeros[!high] * 10 <= zeros[high];
}

static bool looks_like(struct span s, enum decode_form form)
{
	size_t step = unit_size(form), units = (s.size < PATTERN_SAMPLE ? s.size : PATTERN_SAMPLE) / step;
	size_t common = 0, ascii = 0;
	for (size_t i = 0; i < units; i++) {
		uint32_t c = unit(s.data + i * step, form);
		if (c == 0 || c == 0xfffe || c == 0xffff || c > 0x10ffff)
			return false;
		common += is_common(c);
		ascii += c == ' ' || c == '\n' || (c >= '0' && c <= 'z');
	}
	/* Two units are too few to tell; text without one blank, line end, digit or letter of ASCII is not plausible. */
	return units >= 3 && ascii > 0 && common * 20 >= units * 19 && zeros_are_high(s, form);
}

enum decode_form decode_guess_form(struct span s, size_t *ret_skip)
{
	enum decode_form form = decode_bom(s, ret_skip);
	size_t sample = s.size < PATTERN_SAMPLE ? s.size : PATTERN_SAMPLE;
	if (form != DECODE_BYTES || !memchr(s.data, 0, sample))
		return form;
	static const enum decode_form forms[] = {DECODE_UTF32LE, DECODE_UTF32BE, DECODE_UTF16LE, DECODE_UTF16BE};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (s.size % unit_size(forms[i]) == 0 && looks_like(s, forms[i]))
			return forms[i];
	return DECODE_BYTES;
}

/* Code point at s[at] in a 16 or 32 bit form and the bytes it takes; U+FFFD for what is not one. */
static size_t wide_decode(struct span s, size_t at, enum decode_form form, uint32_t *ret)
{
	size_t step = unit_size(form);
	*ret = 0xfffd;
	if (s.size - at < step)
		return s.size - at;
	uint32_t c = unit(s.data + at, form);
	if (step == 2 && c >= 0xd800 && c < 0xdc00 && s.size - at >= 4) {
		uint32_t low = unit(s.data + at + 2, form);
		if (low >= 0xdc00 && low < 0xe000) {
			*ret = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			return 4;
		}
	}
	if (c <= 0x10ffff && (c < 0xd800 || c > 0xdfff))
		*ret = c;
	return step;
}

static int decode_wide(struct span s, enum decode_form form, struct buf *out)
{
	size_t size = 0;
	char bytes[4];
	uint32_t c;
	for (size_t at = 0; at < s.size;) {
		at += wide_decode(s, at, form, &c);
		size += utf8_encode(c, bytes);
	}
	int r = buf_reserve(out, size);
	if (r < 0)
		return r;
	for (size_t at = 0; at < s.size;) {
		at += wide_decode(s, at, form, &c);
		buf_add(out, bytes, utf8_encode(c, bytes));
	}
	return buf_error(out);
}

/* Copies UTF-8 and replaces what is not: one U+FFFD for each run of bytes that belong to no character. */
static int copy_repaired(struct span s, struct buf *out)
{
	int r = buf_reserve(out, s.size);
	if (r < 0)
		return r;
	for (size_t at = 0; at < s.size;) {
		size_t good = utf8_valid_prefix((struct span){s.data + at, s.size - at});
		buf_add(out, s.data + at, good);
		at += good;
		uint32_t c;
		size_t bad = at;
		while (at < s.size && utf8_decode(s, at, &c) == 0)
			at++;
		if (at > bad)
			buf_add_string(out, "\xef\xbf\xbd");
	}
	return buf_error(out);
}

/* UTF-8 with a cut or a foreign byte here and there: multi-byte sequences that are valid outnumber those that are not. In a
 * legacy encoding it is the other way round. */
static bool is_damaged_utf8(struct span s)
{
	size_t valid = 0, invalid = 0;
	for (size_t at = 0; at < s.size;) {
		at += utf8_ascii_prefix((struct span){s.data + at, s.size - at});
		while (at < s.size && (unsigned char)s.data[at] >= 0x80) {
			uint32_t c;
			size_t n = utf8_decode(s, at, &c);
			valid += n > 0;
			invalid += n == 0;
			at += n ? n : 1;
		}
	}
	return valid > 2 * invalid;
}

int decode_from(const char *set, struct span s, struct buf *out)
{
	iconv_t cd = iconv_open("UTF-8", set);
	if (cd == (iconv_t)-1)
		return errno == ENOMEM ? -ENOMEM : -EINVAL;
	char piece[16 << 10];
	/* iconv takes a pointer to non-const for historical reasons and does not write. */
	union {
		const char *in;
		char *out;
	} from = {.in = s.data};
	size_t left = s.size;
	bool more = true;
	/* The usual growth from one byte a character to two; a run of appends grows it further. */
	(void)buf_reserve(out, s.size < out->limit - out->size ? s.size : 0);
	while (more && buf_error(out) == 0) {
		char *to = piece;
		size_t room = sizeof(piece);
		more = left > 0;
		size_t r = more ? iconv(cd, &from.out, &left, &to, &room) : iconv(cd, NULL, NULL, &to, &room);
		int problem = r == (size_t)-1 ? errno : 0;
		buf_add(out, piece, sizeof(piece) - room);
		if (problem != EILSEQ && problem != EINVAL)
			continue;
		buf_add_string(out, "\xef\xbf\xbd");
		if (left > 0)
			from.in++, left--;
		if (problem == EINVAL)
			left = 0;
	}
	(void)iconv_close(cd);
	return buf_error(out);
}

/* The part of a text that says most about its encoding: from the line of the first byte that is not ASCII. */
static struct span sample_of(struct span s)
{
	size_t at = utf8_ascii_prefix(s);
	if (at == s.size)
		at = 0; /* a stateful 7-bit encoding */
	size_t start = at;
	while (start > 0 && at - start < 256 && s.data[start - 1] != '\n')
		start--;
	size_t size = s.size - start;
	return (struct span){s.data + start, size < DETECT_SAMPLE ? size : DETECT_SAMPLE};
}

/* Quotes, dashes, the euro and other marks of windows-1252: typographic Western text has them without a single accented letter. */
static bool is_western_mark(unsigned char c)
{
	return c == 0x80 || (c >= 0x91 && c <= 0x97) || memchr("\x82\x84\x85\x99\xa0\xa7\xa9\xab\xae\xb0\xb1\xb7\xbb", c, 13);
}

/* Three bytes above ASCII are accents of Western text more often than not; detectors, made for more, see Cyrillic or Chinese in them. */
static bool is_too_short_to_detect(struct span sample)
{
	size_t letters = 0;
	for (size_t i = 0; i < sample.size; i++)
		letters += (unsigned char)sample.data[i] >= 0x80 && !is_western_mark((unsigned char)sample.data[i]);
	return letters < 4;
}

static void detect_set(struct span s, char set[DECODE_NAME_SIZE])
{
	(void)snprintf(set, DECODE_NAME_SIZE, "WINDOWS-1252");
	struct span sample = sample_of(s);
	if (is_too_short_to_detect(sample) && !memchr(sample.data, 0x1b, sample.size))
		return;
	uchardet_t detector = uchardet_new();
	if (!detector)
		return;
	if (uchardet_handle_data(detector, sample.data, sample.size) == 0) {
		uchardet_data_end(detector);
		char found[DECODE_NAME_SIZE];
		const char *name = uchardet_get_charset(detector);
		/* ASCII and UTF-8 have been ruled out before, so such an answer says nothing. */
		if (decode_label(span_of(name), found) == 0 && strcasecmp(found, "UTF-8") != 0)
			memcpy(set, found, sizeof(found));
	}
	uchardet_delete(detector);
}

static int decode_legacy(struct span s, const char *declared, struct buf *store, char encoding[DECODE_NAME_SIZE])
{
	if (decode_label(span_of(declared), encoding) == 0 && strcasecmp(encoding, "UTF-8") != 0) {
		int r = decode_from(encoding, s, store);
		if (r != -EINVAL)
			return r;
	}
	detect_set(s, encoding);
	int r = decode_from(encoding, s, store);
	if (r != -EINVAL)
		return r;
	(void)snprintf(encoding, DECODE_NAME_SIZE, "WINDOWS-1252");
	return decode_from(encoding, s, store);
}

int decode_text(struct span s, const char *declared, struct buf *store, char encoding[DECODE_NAME_SIZE], struct span *ret)
{
	size_t skip;
	enum decode_form form = decode_guess_form(s, &skip);
	struct span rest = {s.data + skip, s.size - skip};
	int r;
	if (form == DECODE_UTF8 || form == DECODE_BYTES) {
		bool valid = utf8_is_valid(rest);
		/* ISO-2022-JP and its kin are 7-bit: valid UTF-8 that is not meant so. "ESC $" begins each of them. */
		bool shifted = valid && form == DECODE_BYTES && memmem(rest.data, rest.size, "\x1b$", 2);
		(void)snprintf(encoding, DECODE_NAME_SIZE, "UTF-8");
		if (valid && !shifted) {
			*ret = rest;
			return 0;
		}
		if (form == DECODE_UTF8 || (!shifted && is_damaged_utf8(rest)))
			r = copy_repaired(rest, store);
		else
			r = decode_legacy(rest, declared, store, encoding);
	} else {
		static const char *const names[] = {"", "", "UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"};
		(void)snprintf(encoding, DECODE_NAME_SIZE, "%s", names[form]);
		r = decode_wide(rest, form, store);
	}
	if (r == 0)
		*ret = buf_span(store);
	return r;
}

int decode_unicode(struct span s, struct buf *store, struct span *ret)
{
	size_t skip;
	enum decode_form form = decode_guess_form(s, &skip);
	struct span rest = {s.data + skip, s.size - skip};
	*ret = rest;
	if (form <= DECODE_UTF8 && utf8_is_valid(rest))
		return 0;
	int r = form <= DECODE_UTF8 ? copy_repaired(rest, store) : decode_wide(rest, form, store);
	*ret = buf_span(store);
	return r;
}

static const char *const preloaded[] = {
	"WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258",
	"ISO-8859-2",	"ISO-8859-3",	"ISO-8859-4",	"ISO-8859-5",	"ISO-8859-6",	"ISO-8859-7",	"ISO-8859-8",	"ISO-8859-10",	"ISO-8859-13",
	"ISO-8859-14",	"ISO-8859-15",	"ISO-8859-16",	"KOI8-R",	"KOI8-U",	"CP866",	"CP437",	"CP850",	"CP852",
	"CP874",	"MACINTOSH",	"CP932",	"EUC-JP",	"ISO-2022-JP",	"CP949",	"GB18030",	"BIG5-HKSCS",	"UTF-16LE",
	"UTF-16BE",
};

void decode_code_page(int page, char set[DECODE_NAME_SIZE])
{
	static const struct {
		int page;
		const char *set;
	} names[] = {{437, "CP437"}, {850, "CP850"}, {852, "CP852"}, {866, "CP866"}, {874, "CP874"},
		     {932, "CP932"}, {936, "GB18030"}, {949, "CP949"}, {950, "BIG5-HKSCS"}, {1200, "UTF-16LE"},
		     {1201, "UTF-16BE"}, {10000, "MACINTOSH"}, {20866, "KOI8-R"}, {20932, "EUC-JP"}, {21866, "KOI8-U"},
		     {50220, "ISO-2022-JP"}, {51932, "EUC-JP"}, {51949, "CP949"}, {54936, "GB18030"}, {65001, "UTF-8"}};
	(void)snprintf(set, DECODE_NAME_SIZE, "WINDOWS-%d", page >= 1250 && page <= 1258 ? page : 1252);
	/* 28591 is ISO-8859-1, which people write as windows-1252; 28599 is Turkish, whose superset is 1254. */
	if (page == 28599)
		(void)snprintf(set, DECODE_NAME_SIZE, "WINDOWS-1254");
	else if (page > 28591 && page <= 28606)
		(void)snprintf(set, DECODE_NAME_SIZE, "ISO-8859-%d", page - 28590);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].page == page)
			(void)snprintf(set, DECODE_NAME_SIZE, "%s", names[i].set);
}

void decode_preload(void)
{
	/* Never closed: what is open stays loaded. */
	for (size_t i = 0; i < sizeof(preloaded) / sizeof(preloaded[0]); i++)
		(void)iconv_open("UTF-8", preloaded[i]);
}

int decode_from_preloaded(const char *set, struct span s, struct buf *out)
{
	for (size_t i = 0; i < sizeof(preloaded) / sizeof(preloaded[0]); i++)
		if (strcasecmp(preloaded[i], set) == 0)
			return decode_from(preloaded[i], s, out);
	return -EINVAL;
}
