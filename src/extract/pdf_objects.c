/* The objects of a PDF: see pdf_objects.h. */
#include "extract/pdf_objects.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <zlib.h>

/* References that lead to references. */
enum { CHAIN = 16 };

struct object {
	uint32_t number, order; /* order: of finding */
	struct span content;	/* from its first byte to the end of what holds it */
};

struct pdf {
	struct span bytes;
	struct object *objects; /* by number once opened, each number once */
	size_t count, room;
	char **unpacked; /* object streams */
	size_t unpacked_count, unpacked_size;
	struct pdf_value root, catalog; /* as a trailer says; the last one seen */
	bool encrypted, failed;
	int64_t budget;
};

/* --- syntax -------------------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == '\0';
}

static bool is_delimiter(char c)
{
	return c == '(' || c == ')' || c == '<' || c == '>' || c == '[' || c == ']' || c == '{' || c == '}' || c == '/' || c == '%';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t skip_blank(struct span s, size_t at)
{
	while (at < s.size && (is_blank(s.data[at]) || s.data[at] == '%')) {
		if (s.data[at] == '%')
			while (at < s.size && s.data[at] != '\n' && s.data[at] != '\r')
				at++;
		else
			at++;
	}
	return at;
}

static size_t end_of_word(struct span s, size_t at)
{
	while (at < s.size && !is_blank(s.data[at]) && !is_delimiter(s.data[at]))
		at++;
	return at;
}

/* Behind the string that begins at s[at], a parenthesis. */
static size_t end_of_string(struct span s, size_t at)
{
	size_t depth = 0;
	for (; at < s.size; at++) {
		if (s.data[at] == '\\')
			at++;
		else if (s.data[at] == '(')
			depth++;
		else if (s.data[at] == ')' && --depth == 0)
			return at + 1;
	}
	return s.size;
}

static size_t end_of_hex(struct span s, size_t at)
{
	const char *end = memchr(s.data + at, '>', s.size - at);
	return end ? (size_t)(end - s.data) + 1 : s.size;
}

static bool is_double(struct span s, size_t at, char c)
{
	return at + 1 < s.size && s.data[at] == c && s.data[at + 1] == c;
}

/* Behind the container that begins at s[at]. What is nested is counted, not followed, and the kinds of brackets need not match. */
static size_t end_of_container(struct span s, size_t at)
{
	size_t depth = 0;
	while (at < s.size) {
		char c = s.data[at];
		if (c == '(') {
			at = end_of_string(s, at);
		} else if (c == '%') {
			at = skip_blank(s, at);
		} else if (c == '[' || is_double(s, at, '<')) {
			depth++;
			at += c == '[' ? 1 : 2;
		} else if (c == ']' || is_double(s, at, '>')) {
			at += c == ']' ? 1 : 2;
			if (--depth == 0)
				return at;
		} else {
			at = c == '<' ? end_of_hex(s, at) : at + 1;
		}
	}
	return s.size;
}

/* A whole number; the place behind it, or 0 when there is none or it is too large. */
static size_t read_number(struct span s, size_t at, uint32_t *ret)
{
	size_t start = at;
	uint64_t value = 0;
	while (at < s.size && is_digit(s.data[at]) && value <= UINT32_MAX)
		value = value * 10 + (unsigned)(s.data[at++] - '0');
	if (at == start || value > UINT32_MAX || (at < s.size && !is_blank(s.data[at]) && !is_delimiter(s.data[at])))
		return 0;
	*ret = (uint32_t)value;
	return at;
}

/* "12 0 R" after its first number, which ends at `at`: the place behind it, or 0. */
static size_t end_of_reference(struct span s, size_t at)
{
	uint32_t generation;
	size_t end = read_number(s, skip_blank(s, at), &generation);
	if (end == 0)
		return 0;
	end = skip_blank(s, end);
	return end < s.size && s.data[end] == 'R' && end_of_word(s, end) == end + 1 ? end + 1 : 0;
}

static struct span between(struct span s, size_t start, size_t end)
{
	return start < end ? (struct span){s.data + start, end - start} : (struct span){"", 0};
}

/* `closing`: bytes that end the value when it is complete. */
static struct span inside(struct span s, size_t start, size_t end, const char *closing)
{
	size_t n = strlen(closing);
	bool complete = end >= start + n && memcmp(s.data + end - n, closing, n) == 0;
	return between(s, start, complete ? end - n : end);
}

static size_t read_value(struct span s, size_t at, struct pdf_value *ret)
{
	char c = s.data[at];
	size_t end = at + 1;
	*ret = (struct pdf_value){.kind = PDF_WORD};
	if (c == '/') {
		end = end_of_word(s, at + 1);
		*ret = (struct pdf_value){.kind = PDF_NAME, .raw = between(s, at + 1, end)};
	} else if (c == '(') {
		end = end_of_string(s, at);
		*ret = (struct pdf_value){.kind = PDF_STRING, .raw = inside(s, at + 1, end, ")")};
	} else if (c == '[' || is_double(s, at, '<')) {
		end = end_of_container(s, at);
		*ret = c == '[' ? (struct pdf_value){.kind = PDF_ARRAY, .raw = inside(s, at + 1, end, "]")}
				: (struct pdf_value){.kind = PDF_DICTIONARY, .raw = inside(s, at + 2, end, ">>")};
	} else if (c == '<') {
		end = end_of_hex(s, at);
		*ret = (struct pdf_value){.kind = PDF_HEX_STRING, .raw = inside(s, at + 1, end, ">")};
	} else if (!is_delimiter(c)) {
		uint32_t number;
		size_t word = read_number(s, at, &number), reference = word ? end_of_reference(s, word) : 0;
		end = reference ? reference : end_of_word(s, at);
		*ret = (struct pdf_value){
			.kind = reference ? PDF_REFERENCE : is_digit(c) || c == '-' || c == '+' || c == '.' ? PDF_NUMBER : PDF_WORD,
			.raw = between(s, at, end),
			.number = word ? number : 0,
		};
	}
	return end;
}

bool pdf_next(struct pdf *p, struct span *rest, struct pdf_value *ret)
{
	size_t start = skip_blank(*rest, 0);
	size_t end = start < rest->size && p->budget > 0 ? read_value(*rest, start, ret) : 0;
	p->budget -= (int64_t)(end > start ? end : start) + 1;
	if (end == 0)
		return false;
	rest->data += end, rest->size -= end;
	return true;
}

bool pdf_is_name(struct pdf_value v, const char *name)
{
	return v.kind == PDF_NAME && span_equal(v.raw, span_of(name));
}

/* --- lookup -------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const struct object *x = a, *y = b;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static const struct object *find_object(const struct pdf *p, uint32_t number)
{
	size_t low = 0, high = p->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p->objects[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->count && p->objects[low].number == number ? &p->objects[low] : NULL;
}

struct pdf_value pdf_resolve(struct pdf *p, struct pdf_value v)
{
	static const struct pdf_value none = {0};
	for (unsigned i = 0; v.kind == PDF_REFERENCE; i++) {
		const struct object *o = i < CHAIN ? find_object(p, v.number) : NULL;
		struct span content = o ? o->content : (struct span){"", 0};
		if (!o || !pdf_next(p, &content, &v))
			return none;
	}
	return v;
}

struct pdf_value pdf_entry(struct pdf *p, struct pdf_value dictionary, const char *key)
{
	static const struct pdf_value none = {0};
	dictionary = pdf_resolve(p, dictionary);
	if (dictionary.kind != PDF_DICTIONARY)
		return none;
	struct span rest = dictionary.raw;
	struct pdf_value name, value;
	while (pdf_next(p, &rest, &name)) {
		if (name.kind != PDF_NAME)
			continue; /* a value too many: go on with the next name */
		struct span after = rest;
		if (!pdf_next(p, &after, &value))
			return none;
		if (pdf_is_name(name, key))
			return value;
		rest = after;
	}
	return none;
}

struct pdf_value pdf_get(struct pdf *p, struct pdf_value dictionary, const char *key)
{
	return pdf_resolve(p, pdf_entry(p, dictionary, key));
}

struct pdf_value pdf_root(struct pdf *p)
{
	struct pdf_value root = pdf_resolve(p, p->root);
	return root.kind == PDF_DICTIONARY ? root : p->catalog;
}

bool pdf_is_encrypted(const struct pdf *p)
{
	return p->encrypted;
}

/* --- finding objects ----------------------------------------------------------------------------------------------- */

static void add_object(struct pdf *p, uint32_t number, struct span content)
{
	if (p->count == p->room) {
		size_t room = p->room ? p->room * 2 : 256;
		struct object *grown = p->count < PDF_OBJECTS ? realloc(p->objects, room * sizeof(*grown)) : NULL;
		p->failed = p->failed || (!grown && p->count < PDF_OBJECTS);
		if (!grown)
			return;
		p->objects = grown;
		p->room = room;
	}
	p->objects[p->count] = (struct object){number, (uint32_t)p->count, content};
	p->count++;
}

/* Unpacks into memory that lives as long as the document. What is cut off or damaged gives what there is. */
static struct span inflate_stream(struct pdf *p, struct span packed)
{
	struct span result = {"", 0};
	size_t left = PDF_UNPACKED_BYTES - p->unpacked_size, room = packed.size < left / 4 ? packed.size * 4 + 64 : left;
	z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.data, .avail_in = (uInt)packed.size};
	char *out = NULL;
	if (packed.size == 0 || room == 0 || inflateInit(&z) != Z_OK)
		return result;
	for (int status = Z_OK; status == Z_OK && z.total_out < left;) {
		char *grown = realloc(out, room);
		if (!grown)
			break;
		out = grown;
		z.next_out = (Bytef *)out + z.total_out;
		z.avail_out = (uInt)(room - z.total_out);
		status = inflate(&z, Z_NO_FLUSH);
		room = room < left / 2 ? room * 2 : left;
	}
	size_t size = z.total_out;
	(void)inflateEnd(&z);
	char **list = out ? realloc(p->unpacked, (p->unpacked_count + 1) * sizeof(*list)) : NULL;
	if (!list) {
		free(out);
		return result;
	}
	p->unpacked = list;
	list[p->unpacked_count++] = out;
	p->unpacked_size += size;
	return (struct span){out, size};
}

/* What is looked for in the dictionary of every object that is found. */
struct summary {
	struct pdf_value type, length, filter, parameters, first, root;
};

static struct summary summarise(struct pdf *p, struct span rest)
{
	struct summary s = {0};
	struct {
		const char *name;
		struct pdf_value *value;
	} keys[] = {{"Type", &s.type},	 {"Length", &s.length}, {"Filter", &s.filter}, {"DecodeParms", &s.parameters},
		    {"First", &s.first}, {"Root", &s.root}};
	struct pdf_value name, value, encrypt = {0};
	while (pdf_next(p, &rest, &name)) {
		if (name.kind != PDF_NAME || !pdf_next(p, &rest, &value))
			continue;
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (pdf_is_name(name, keys[i].name))
				*keys[i].value = value;
		if (pdf_is_name(name, "Encrypt"))
			encrypt = value;
	}
	p->encrypted = p->encrypted || (s.root.kind == PDF_REFERENCE && (encrypt.kind == PDF_REFERENCE || encrypt.kind == PDF_DICTIONARY));
	return s;
}

/* Objects in a stream: pairs of number and offset, then, from /First on, the objects. Predictors are not undone: nobody uses them here. */
static void add_packed_objects(struct pdf *p, const struct summary *s, struct span packed)
{
	struct span content = packed;
	struct span filters = s->filter.raw;
	struct pdf_value filter = s->filter;
	if (filter.kind == PDF_ARRAY && !pdf_next(p, &filters, &filter))
		filter.kind = PDF_NONE;
	if (pdf_is_name(filter, "FlateDecode") || pdf_is_name(filter, "Fl"))
		content = inflate_stream(p, packed);
	else if (filter.kind != PDF_NONE)
		return;
	if (s->first.number > content.size || s->parameters.kind != PDF_NONE)
		return;
	struct span head = {content.data, s->first.number};
	struct pdf_value number, offset;
	while (pdf_next(p, &head, &number) && pdf_next(p, &head, &offset))
		if (number.kind == PDF_NUMBER && offset.kind == PDF_NUMBER && offset.number < content.size - s->first.number)
			add_object(p, number.number, between(content, s->first.number + offset.number, content.size));
}

static bool has_word(struct span s, size_t at, const char *word)
{
	size_t n = strlen(word);
	return at <= s.size && s.size - at >= n && memcmp(s.data + at, word, n) == 0;
}

/* The data of the stream whose keyword stands at `at`; *ret_end: where to go on. A length that does not lead to the end of a stream is wrong. */
static struct span find_stream(struct span s, size_t at, struct pdf_value length, size_t *ret_end)
{
	at += strlen("stream");
	if (at < s.size && s.data[at] == '\r')
		at++;
	if (at < s.size && s.data[at] == '\n')
		at++;
	size_t end = length.kind == PDF_NUMBER && length.number <= s.size - at ? at + length.number : s.size, word = end;
	while (word < s.size && word < end + 2 && is_blank(s.data[word]))
		word++;
	if (!has_word(s, word, "endstream")) {
		const char *found = memmem(s.data + at, s.size - at, "endstream", 9);
		end = word = found ? (size_t)(found - s.data) : s.size;
	}
	*ret_end = word;
	return between(s, at, end);
}

/* The object whose keyword "obj" ends at `at`. Returns where to go on. */
static size_t take_object(struct pdf *p, uint32_t number, size_t at)
{
	struct span s = p->bytes, rest = between(s, at, s.size);
	struct pdf_value value;
	add_object(p, number, rest);
	if (!pdf_next(p, &rest, &value) || value.kind != PDF_DICTIONARY || rest.size == 0)
		return at;
	struct summary summary = summarise(p, value.raw);
	if (pdf_is_name(summary.type, "Catalog"))
		p->catalog = value;
	if (summary.root.kind == PDF_REFERENCE && pdf_is_name(summary.type, "XRef"))
		p->root = summary.root;
	size_t end = (size_t)(rest.data - s.data), word = skip_blank(s, end);
	if (!has_word(s, word, "stream"))
		return end;
	struct span data = find_stream(s, word, summary.length, &end);
	if (pdf_is_name(summary.type, "ObjStm"))
		add_packed_objects(p, &summary, data);
	return end;
}

/* The number before " G obj", whose last word begins at `at`. */
static bool number_before(struct span s, size_t at, uint32_t *ret)
{
	size_t part[2];
	for (int i = 0; i < 2; i++) {
		size_t end = at;
		while (at > 0 && is_blank(s.data[at - 1]) && end - at < 8)
			at--;
		size_t stop = at;
		while (at > 0 && is_digit(s.data[at - 1]) && stop - at < 10)
			at--;
		/* "12 0obj" is taken, "120 obj" is not. */
		if (at == stop || (i == 1 && stop == end))
			return false;
		part[i] = at;
	}
	return read_number(s, part[1], ret) != 0;
}

static void find_objects(struct pdf *p)
{
	struct span s = p->bytes;
	for (size_t at = 0; at < s.size && p->budget > 0;) {
		const char *found = memmem(s.data + at, s.size - at, "obj", 3);
		if (!found)
			break;
		uint32_t number;
		size_t word = (size_t)(found - s.data);
		at = number_before(s, word, &number) ? take_object(p, number, word + 3) : word + 3;
	}
}

static void find_trailers(struct pdf *p)
{
	struct span s = p->bytes;
	for (size_t at = 0; at < s.size && p->budget > 0;) {
		const char *found = memmem(s.data + at, s.size - at, "trailer", 7);
		if (!found)
			break;
		at = (size_t)(found - s.data) + 7;
		struct span rest = between(s, at, s.size);
		struct pdf_value value;
		if (skip_blank(rest, 0) >= rest.size || !has_word(rest, skip_blank(rest, 0), "<<") || !pdf_next(p, &rest, &value))
			continue;
		struct summary summary = summarise(p, value.raw);
		if (summary.root.kind == PDF_REFERENCE)
			p->root = summary.root;
	}
}

/* Sorts, and keeps the last of those with one number. */
static void settle_objects(struct pdf *p)
{
	size_t count = 0;
	if (p->count > 0)
		qsort(p->objects, p->count, sizeof(*p->objects), by_number);
	for (size_t i = 0; i < p->count; i++)
		if (i + 1 == p->count || p->objects[i + 1].number != p->objects[i].number)
			p->objects[count++] = p->objects[i];
	p->count = count;
}

struct pdf *pdf_open(struct span bytes)
{
	struct pdf *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->bytes = bytes;
	int64_t budget = PDF_BUDGET_ANY + (int64_t)bytes.size * PDF_BUDGET_EACH;
	p->budget = budget < PDF_BUDGET_MOST ? budget : PDF_BUDGET_MOST;
	find_objects(p);
	find_trailers(p);
	settle_objects(p);
	if (!p->failed)
		return p;
	pdf_close(p);
	return NULL;
}

void pdf_close(struct pdf *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->unpacked_count; i++)
		free(p->unpacked[i]);
	free(p->unpacked);
	free(p->objects);
	free(p);
}

/* --- text ---------------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that an escape at s[*at], behind the backslash, stands for; -1: none, a line goes on. */
static int read_escape(struct span s, size_t *at)
{
	static const char letters[] = "nrtbf", meanings[] = "\n\r\t\b\f";
	char c = s.data[(*at)++];
	const char *letter = c ? strchr(letters, c) : NULL;
	if (letter)
		return meanings[letter - letters];
	if (c == '\r' && *at < s.size && s.data[*at] == '\n')
		++*at;
	if (c == '\r' || c == '\n')
		return -1;
	if (c < '0' || c > '7')
		return (unsigned char)c;
	int value = c - '0';
	for (int i = 0; i < 2 && *at < s.size && s.data[*at] >= '0' && s.data[*at] <= '7'; i++)
		value = value * 8 + (s.data[(*at)++] - '0');
	return value & 0xff;
}

static void decode_string(struct span s, struct buf *out)
{
	for (size_t at = 0; at < s.size;) {
		int c = (unsigned char)s.data[at++];
		if (c == '\\' && at < s.size)
			c = read_escape(s, &at);
		if (c >= 0)
			buf_add_char(out, (char)c);
	}
}

/* Hexadecimal digits; blanks between them do not count. In a name, digits follow a "#". */
static void decode_hex(struct span s, struct buf *out)
{
	int high = -1;
	for (size_t at = 0; at < s.size; at++) {
		int digit = hex_digit(s.data[at]);
		if (digit < 0)
			continue;
		if (high >= 0)
			buf_add_char(out, (char)(high * 16 + digit));
		high = high >= 0 ? -1 : digit;
	}
	if (high >= 0)
		buf_add_char(out, (char)(high * 16));
}

static void decode_name(struct span s, struct buf *out)
{
	for (size_t at = 0; at < s.size; at++) {
		bool coded = s.data[at] == '#' && s.size - at > 2 && hex_digit(s.data[at + 1]) >= 0 && hex_digit(s.data[at + 2]) >= 0;
		buf_add_char(out, coded ? (char)(hex_digit(s.data[at + 1]) * 16 + hex_digit(s.data[at + 2])) : s.data[at]);
		at += coded ? 2 : 0;
	}
}

/* Appends characters to one line. */
struct line {
	struct buf *out;
	size_t start;
	bool blank; /* one is due before the next character */
};

static void line_add(struct line *l, uint32_t c)
{
	if (c <= 0x20 || c == 0x7f || (c >= 0x80 && c <= 0xa0) || c == 0x2028 || c == 0x2029) {
		l->blank = l->out->size > l->start;
		return;
	}
	char bytes[4];
	if (l->blank)
		buf_add_char(l->out, ' ');
	l->blank = false;
	buf_add(l->out, bytes, utf8_encode(c, bytes));
}

static void line_add_utf16(struct line *l, struct span s, bool little)
{
	for (size_t at = 0; at + 1 < s.size;) {
		const unsigned char *u = (const unsigned char *)s.data + at;
		uint32_t c = little ? u[0] | (uint32_t)u[1] << 8 : u[1] | (uint32_t)u[0] << 8;
		at += 2;
		if (c == 0x1b) { /* a language code between two escapes */
			while (at + 1 < s.size && !(s.data[at] + s.data[at + 1] == 0x1b))
				at += 2;
			at += 2;
			continue;
		}
		if (c >= 0xd800 && c < 0xdc00 && at + 1 < s.size) {
			u += 2;
			uint32_t low = little ? u[0] | (uint32_t)u[1] << 8 : u[1] | (uint32_t)u[0] << 8;
			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
				at += 2;
			}
		}
		line_add(l, c);
	}
}

static void line_add_utf8(struct line *l, struct span s)
{
	for (size_t at = 0; at < s.size;) {
		uint32_t c = 0xfffd;
		size_t n = utf8_decode(s, at, &c);
		at += n ? n : 1;
		line_add(l, c);
	}
}

/* PDFDocEncoding (ISO 32000-1, D.2): Latin-1 but for these. */
static uint32_t document_character(unsigned char c)
{
	static const uint16_t low[] = {0x02d8, 0x02c7, 0x02c6, 0x02d9, 0x02dd, 0x02db, 0x02da, 0x02dc};
	static const uint16_t high[] = {0x2022, 0x2020, 0x2021, 0x2026, 0x2014, 0x2013, 0x0192, 0x2044, 0x2039, 0x203a, 0x2212,
					0x2030, 0x201e, 0x201c, 0x201d, 0x2018, 0x2019, 0x201a, 0x2122, 0xfb01, 0xfb02, 0x0141,
					0x0152, 0x0160, 0x0178, 0x017d, 0x0131, 0x0142, 0x0153, 0x0161, 0x017e, 0xfffd, 0x20ac};
	if (c >= 0x18 && c < 0x20)
		return low[c - 0x18];
	return c >= 0x80 && c <= 0xa0 ? high[c - 0x80] : c;
}

void pdf_add_text(struct pdf_value v, struct buf *out)
{
	struct buf bytes;
	buf_init(&bytes, v.raw.size + 1);
	if (v.kind == PDF_STRING)
		decode_string(v.raw, &bytes);
	else if (v.kind == PDF_HEX_STRING)
		decode_hex(v.raw, &bytes);
	else if (v.kind == PDF_NAME)
		decode_name(v.raw, &bytes);
	struct span s = buf_span(&bytes);
	struct line l = {.out = out, .start = out->size};
	if (span_starts_with(s, "\xfe\xff") || span_starts_with(s, "\xff\xfe"))
		line_add_utf16(&l, between(s, 2, s.size), s.data[0] == '\xff');
	else if (span_starts_with(s, "\xef\xbb\xbf") || v.kind == PDF_NAME)
		line_add_utf8(&l, between(s, v.kind == PDF_NAME ? 0 : 3, s.size));
	else
		for (size_t i = 0; i < s.size; i++)
			line_add(&l, document_character((unsigned char)s.data[i]));
	buf_release(&bytes);
}
