/* Mail: one message (RFC 5322 and MIME, RFC 2045 to 2049) or a mailbox of them (RFC 4155) -> Markdown. Own code: gmime and the GLib under it
 * are far larger than the part of MIME that text needs, and would be loaded into every start of the program. */
#include "extract/mail.h"
#include "extract/decode.h"
#include "extract/format.h"
#include "extract/markdown.h"

#include "base/utf8.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <strings.h>

enum { MAIL_DEPTH = 12, MAIL_PARTS = 2000, MAIL_MESSAGES = 100000, VALUE_SIZE = 2000, BOUNDARY_SIZE = 72 };

struct mail {
	struct buf *text;
	unsigned parts; /* so far, of one message */
	struct extract_result *page; /* NULL: mail; else a saved web page */
};

/* What the header of a message or of a part says. Values are decoded UTF-8. */
struct header {
	char type[64], boundary[BOUNDARY_SIZE], set[DECODE_NAME_SIZE], encoding[24], file[256];
	bool attachment;
	char subject[VALUE_SIZE], from[VALUE_SIZE], to[VALUE_SIZE], cc[VALUE_SIZE], date[128];
};

/* --- encodings ----------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void decode_quoted(struct span s, bool header, struct buf *out)
{
	for (size_t i = 0; i < s.size; i++) {
		if (header && s.data[i] == '_') {
			buf_add_char(out, ' ');
		} else if (s.data[i] != '=') {
			buf_add_char(out, s.data[i]);
		} else if (i + 2 < s.size && hex_digit(s.data[i + 1]) >= 0 && hex_digit(s.data[i + 2]) >= 0) {
			buf_add_char(out, (char)(hex_digit(s.data[i + 1]) * 16 + hex_digit(s.data[i + 2])));
			i += 2;
		} else {
			/* A soft line break; blanks before its end do not count. Anything else is a mistake and stays. */
			size_t end = i + 1;
			while (end < s.size && (s.data[end] == ' ' || s.data[end] == '\t' || s.data[end] == '\r'))
				end++;
			if (end < s.size && s.data[end] == '\n')
				i = end;
			else
				buf_add_char(out, '=');
		}
	}
}

static void decode_base64(struct span s, struct buf *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	unsigned count = 0;
	for (size_t i = 0; i < s.size && s.data[i] != '='; i++) {
		const char *at = s.data[i] ? strchr(digits, s.data[i]) : NULL;
		if (!at)
			continue;
		bits = bits << 6 | (uint32_t)(at - digits);
		if (++count % 4 != 1)
			buf_add_char(out, (char)(bits >> (6 - 2 * ((count - 1) % 4)) & 0xff));
	}
}

/* Bytes in a named set -> UTF-8, appended. */
static void add_decoded(const char *set, struct span bytes, struct buf *out)
{
	struct buf store;
	struct span utf8;
	buf_init(&store, LIMIT_SOURCE_BYTES);
	int r = *set && !utf8_is_valid(bytes) ? decode_from_preloaded(set, bytes, &store) : -EINVAL;
	if (r == 0)
		utf8 = buf_span(&store);
	else
		r = decode_unicode(bytes, &store, &utf8);
	if (r == 0)
		buf_add_span(out, utf8);
	else
		out->error = r;
	buf_release(&store);
}

/* --- header -------------------------------------------------------------------------------------------------------- */

/* "=?charset?Q?text?=" at the beginning of `s`: decodes it and returns its size, else 0 (RFC 2047). */
static size_t decode_word(struct span s, struct buf *out)
{
	const char *set = s.data + 2, *end = s.data + s.size;
	const char *q1 = s.size > 2 ? memchr(set, '?', s.size - 2) : NULL;
	if (!q1 || end - q1 < 4 || q1[2] != '?')
		return 0;
	const char *text = q1 + 3, *close = memmem(text, (size_t)(end - text), "?=", 2);
	char name[DECODE_NAME_SIZE];
	size_t set_size = (size_t)(q1 - set);
	const char *star = memchr(set, '*', set_size); /* a language may follow */
	if (!close || decode_label((struct span){set, star ? (size_t)(star - set) : set_size}, name) < 0)
		return 0;
	struct buf bytes;
	buf_init(&bytes, VALUE_SIZE * 4);
	struct span encoded = {text, (size_t)(close - text)};
	if ((q1[1] | 0x20) == 'b')
		decode_base64(encoded, &bytes);
	else
		decode_quoted(encoded, true, &bytes);
	add_decoded(name, buf_span(&bytes), out);
	buf_release(&bytes);
	return (size_t)(close - s.data) + 2;
}

static void decode_value(struct span raw, char *out, size_t size)
{
	struct buf words, utf8;
	buf_init(&words, VALUE_SIZE * 8);
	buf_init(&utf8, VALUE_SIZE * 8);
	bool after_word = false;
	for (size_t i = 0; i < raw.size && i < (size_t)VALUE_SIZE * 4;) {
		struct span rest = {raw.data + i, raw.size - i};
		size_t n = rest.size > 6 && rest.data[0] == '=' && rest.data[1] == '?' ? decode_word(rest, &words) : 0;
		/* Blanks between two encoded words are part of neither. */
		size_t blank = 0;
		while (after_word && i + blank < raw.size && strchr(" \t\r\n", raw.data[i + blank]) && raw.data[i + blank])
			blank++;
		if (n == 0 && blank > 0 && i + blank + 1 < raw.size && raw.data[i + blank] == '=' && raw.data[i + blank + 1] == '?')
			n = blank;
		else if (n == 0)
			buf_add_char(&words, rest.data[0]);
		after_word = n > 0;
		i += n ? n : 1;
	}
	add_decoded("", buf_span(&words), &utf8);
	struct extract_result squeezed = {0};
	format_set_title(&squeezed, buf_span(&utf8));
	(void)snprintf(out, size, "%s", squeezed.title);
	buf_release(&words);
	buf_release(&utf8);
}

/* A parameter of a structured value: name=token or name="quoted"; empty when there is none. */
static void parameter(struct span value, const char *name, char *out, size_t size)
{
	size_t length = strlen(name);
	out[0] = '\0';
	for (size_t at = 0; at + length + 1 < value.size; at++) {
		bool boundary = at > 0 && strchr("; \t\r\n", value.data[at - 1]);
		if (!boundary || strncasecmp(value.data + at, name, length) != 0)
			continue;
		size_t i = at + length;
		/* RFC 2231's name*=utf-8''x: good enough for the name of a file. */
		if (value.data[i] == '*')
			i++;
		if (i >= value.size || value.data[i] != '=')
			continue;
		i++;
		char quote = i < value.size && value.data[i] == '"' ? '"' : 0;
		i += quote != 0;
		size_t end = i;
		while (end < value.size && (quote ? value.data[end] != '"' : !strchr("; \t\r\n", value.data[end])))
			end++;
		(void)snprintf(out, size, "%.*s", (int)(end - i < size ? end - i : size - 1), value.data + i);
		return;
	}
}

static void take_field(struct header *h, struct span name, struct span value)
{
	static const struct {
		const char *name;
		size_t offset, size;
	} fields[] = {{"subject", offsetof(struct header, subject), VALUE_SIZE},
		      {"from", offsetof(struct header, from), VALUE_SIZE},
		      {"to", offsetof(struct header, to), VALUE_SIZE},
		      {"cc", offsetof(struct header, cc), VALUE_SIZE},
		      {"date", offsetof(struct header, date), sizeof(h->date)}};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (name.size == strlen(fields[i].name) && strncasecmp(name.data, fields[i].name, name.size) == 0)
			decode_value(value, (char *)h + fields[i].offset, fields[i].size);
	char raw[300];
	if (name.size == 12 && strncasecmp(name.data, "content-type", 12) == 0) {
		size_t n = 0;
		while (n < value.size && n < sizeof(h->type) - 1 && !strchr("; \t\r\n", value.data[n]))
			n++;
		(void)snprintf(h->type, sizeof(h->type), "%.*s", (int)n, value.data);
		parameter(value, "boundary", h->boundary, sizeof(h->boundary));
		parameter(value, "charset", raw, sizeof(raw));
		if (decode_label(span_of(raw), h->set) < 0)
			h->set[0] = '\0';
		if (!h->file[0])
			parameter(value, "name", h->file, sizeof(h->file));
	} else if (name.size == 25 && strncasecmp(name.data, "content-transfer-encoding", 25) == 0) {
		(void)snprintf(h->encoding, sizeof(h->encoding), "%.*s", (int)(value.size < 20 ? value.size : 20), value.data);
	} else if (name.size == 19 && strncasecmp(name.data, "content-disposition", 19) == 0) {
		h->attachment = value.size >= 10 && strncasecmp(value.data, "attachment", 10) == 0;
		parameter(value, "filename", raw, sizeof(raw));
		if (raw[0])
			decode_value(span_of(raw), h->file, sizeof(h->file));
	}
}

static struct span trim(struct span s)
{
	while (s.size > 0 && (unsigned char)s.data[0] <= ' ')
		s.data++, s.size--;
	while (s.size > 0 && (unsigned char)s.data[s.size - 1] <= ' ')
		s.size--;
	return s;
}

/* Reads the header and gives the body. Fields may go on in lines that begin with a blank. */
static struct span read_header(struct span s, struct header *h)
{
	*h = (struct header){0};
	size_t at = 0;
	while (at < s.size) {
		size_t end = at;
		do {
			const char *newline = memchr(s.data + end, '\n', s.size - end);
			end = newline ? (size_t)(newline - s.data) + 1 : s.size;
		} while (end < s.size && (s.data[end] == ' ' || s.data[end] == '\t'));
		struct span field = trim((struct span){s.data + at, end - at});
		if (field.size == 0) {
			at = end;
			break;
		}
		const char *colon = memchr(field.data, ':', field.size);
		if (colon) {
			struct span name = trim((struct span){field.data, (size_t)(colon - field.data)});
			take_field(h, name, trim((struct span){colon + 1, field.size - (size_t)(colon - field.data) - 1}));
		}
		at = end;
	}
	return (struct span){s.data + at, s.size - at};
}

/* --- parts --------------------------------------------------------------------------------------------------------- */

static bool type_is(const struct header *h, const char *type)
{
	return strncasecmp(h->type[0] ? h->type : "text/plain", type, strlen(type)) == 0;
}

static int read_entity(struct mail *m, struct span entity, unsigned depth);

/* One empty line before what follows. */
static void paragraph(struct buf *text)
{
	size_t n = text->size;
	if (n > 0 && text->data[n - 1] != '\n')
		buf_add_char(text, '\n');
	if (n > 0 && !(n > 1 && text->data[n - 1] == '\n' && text->data[n - 2] == '\n'))
		buf_add_char(text, '\n');
}

/* Lines as they are; what Markdown would take for markup at their beginning is escaped. */
void mail_add_plain(struct span s, struct buf *text)
{
	s = trim(s);
	if (s.size == 0)
		return;
	paragraph(text);
	while (s.size > 0) {
		const char *newline = memchr(s.data, '\n', s.size);
		size_t size = newline ? (size_t)(newline - s.data) : s.size, shown = size;
		if (shown > 0 && s.data[shown - 1] == '\r')
			shown--;
		if (markdown_line_needs_escape((struct span){s.data, shown}))
			buf_add_char(text, '\\');
		buf_add(text, s.data, shown);
		buf_add_char(text, '\n');
		size += newline != NULL;
		s.data += size, s.size -= size;
	}
}

void mail_add_markdown(struct span s, struct buf *text)
{
	paragraph(text);
	buf_add_span(text, s);
}

int mail_add_html(struct span utf8, struct buf *text, struct extract_result *page)
{
	struct extract_result about = {0};
	struct buf written;
	buf_init(&written, text->limit);
	int r = html_extract(utf8, (struct span){"", 0}, &written, &about);
	if (r == 0 && about.state == EXTRACT_OK) {
		mail_add_markdown(buf_span(&written), text);
		if (page && !page->title[0])
			memcpy(page->title, about.title, sizeof(page->title));
	}
	buf_release(&written);
	return r;
}

static int add_text_part(struct mail *m, const struct header *h, struct span body)
{
	struct buf bytes, utf8;
	buf_init(&bytes, LIMIT_SOURCE_BYTES);
	buf_init(&utf8, LIMIT_SOURCE_BYTES);
	if (strcasecmp(h->encoding, "base64") == 0)
		decode_base64(body, &bytes);
	else if (strcasecmp(h->encoding, "quoted-printable") == 0)
		decode_quoted(body, false, &bytes);
	else
		buf_add_span(&bytes, body);
	add_decoded(h->set, buf_span(&bytes), &utf8);
	int r = buf_error(&bytes) ? buf_error(&bytes) : buf_error(&utf8);
	if (r == 0 && type_is(h, "text/html"))
		r = mail_add_html(buf_span(&utf8), m->text, m->page);
	else if (r == 0)
		mail_add_plain(buf_span(&utf8), m->text);
	buf_release(&bytes);
	buf_release(&utf8);
	return r;
}

/* The next part between two lines "--boundary"; false after the last. `rest` begins after a boundary line. */
static bool next_part(struct span *rest, const char *boundary, struct span *ret)
{
	size_t length = strlen(boundary);
	const char *from = rest->data, *end = rest->data + rest->size;
	for (const char *at = from; at && at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		if ((size_t)(end - at) >= length + 2 && at[0] == '-' && at[1] == '-' && memcmp(at + 2, boundary, length) == 0) {
			bool last = (size_t)(end - at) >= length + 4 && memcmp(at + 2 + length, "--", 2) == 0;
			*ret = (struct span){from, (size_t)(at - from)};
			rest->data = newline && !last ? newline + 1 : end;
			rest->size = (size_t)(end - rest->data);
			return true;
		}
		at = newline ? newline + 1 : NULL;
	}
	*ret = *rest;
	*rest = (struct span){end, 0};
	return ret->size > 0;
}

/* Of several forms of the same text, the plain one, else the last, which is the richest. */
static int read_alternative(struct mail *m, const struct header *h, struct span body, unsigned depth)
{
	struct span part, chosen = {"", 0};
	bool plain = false;
	(void)next_part(&body, h->boundary, &part);
	while (!plain && m->parts++ < MAIL_PARTS && next_part(&body, h->boundary, &part)) {
		struct header inner;
		struct span content = read_header(part, &inner);
		plain = type_is(&inner, "text/plain") && trim(content).size > 0;
		if (plain || !type_is(&inner, "text/calendar"))
			chosen = part;
	}
	return read_entity(m, chosen, depth + 1);
}

static int read_multipart(struct mail *m, const struct header *h, struct span body, unsigned depth)
{
	struct span part;
	int r = 0;
	(void)next_part(&body, h->boundary, &part); /* what stands before the first boundary is for readers without MIME */
	while (r == 0 && m->parts++ < MAIL_PARTS && next_part(&body, h->boundary, &part))
		r = read_entity(m, part, depth + 1);
	return r;
}

void mail_add_attachment(const char *name, const char *type, struct buf *text)
{
	paragraph(text);
	buf_addf(text, "Attachment: %s", *name ? name : "without a name");
	if (*type)
		buf_addf(text, " (%s)", type);
	buf_add_char(text, '\n');
}

static void add_field(struct buf *text, const char *name, const char *value)
{
	if (*value)
		buf_addf(text, "%s: %s\n", name, value);
}

void mail_add_head(const struct mail_fields *f, unsigned depth, struct buf *text)
{
	paragraph(text);
	if (f->subject[0] || f->from[0])
		buf_addf(text, "%.*s %s\n\n", (int)(depth < 5 ? depth + 1 : 6), "######", f->subject[0] ? f->subject : "(no subject)");
	add_field(text, "From", f->from);
	add_field(text, "To", f->to);
	add_field(text, "Cc", f->cc);
	add_field(text, "Date", f->date);
}

static int read_message(struct mail *m, struct span message, unsigned depth)
{
	struct header h;
	(void)read_header(message, &h);
	const struct mail_fields fields = {h.subject, h.from, h.to, h.cc, h.date};
	if (!m->page)
		mail_add_head(&fields, depth, m->text);
	return read_entity(m, message, depth);
}

/* One part with its header. Depth is bounded, so this may recurse. NOLINTNEXTLINE(misc-no-recursion) */
static int read_entity(struct mail *m, struct span entity, unsigned depth)
{
	struct header h;
	struct span body = read_header(entity, &h);
	if (depth > MAIL_DEPTH || buf_error(m->text))
		return buf_error(m->text);
	if (type_is(&h, "multipart/alternative") && h.boundary[0])
		return read_alternative(m, &h, body, depth);
	if (type_is(&h, "multipart/") && h.boundary[0])
		return read_multipart(m, &h, body, depth);
	if (type_is(&h, "message/rfc822"))
		return read_message(m, body, depth + 1);
	if ((type_is(&h, "text/plain") || type_is(&h, "text/html")) && !h.attachment)
		return add_text_part(m, &h, body);
	/* A saved page is stored with its pictures and styles, of which nobody asks for a list. */
	if (!m->page && (h.file[0] || type_is(&h, "application/")))
		mail_add_attachment(h.file, h.type, m->text);
	return 0;
}

/* A mailbox's messages begin with a line "From ", after an empty one. */
static size_t message_size(struct span s)
{
	for (size_t at = 0; at < s.size;) {
		const char *found = memmem(s.data + at, s.size - at, "\nFrom ", 6);
		if (!found)
			break;
		at = (size_t)(found - s.data) + 1;
		if (at >= 2 && (s.data[at - 2] == '\n' || (at >= 3 && s.data[at - 2] == '\r' && s.data[at - 3] == '\n')))
			return at;
	}
	return s.size;
}

static int read_box(struct span bytes, struct buf *text, struct extract_result *about, struct extract_result *page)
{
	struct mail m = {.text = text, .page = page};
	bool mailbox = span_starts_with(bytes, "From ");
	struct header first;
	int r = 0;
	(void)read_header(bytes, &first);
	if (!mailbox)
		format_set_title(about, span_of(first.subject));
	for (unsigned i = 0; r == 0 && bytes.size > 0 && i < MAIL_MESSAGES; i++) {
		size_t size = mailbox ? message_size(bytes) : bytes.size;
		struct span message = {bytes.data, size};
		if (span_starts_with(message, "From ")) {
			const char *newline = memchr(message.data, '\n', message.size);
			size_t line = newline ? (size_t)(newline - message.data) + 1 : message.size;
			message = (struct span){message.data + line, message.size - line};
		}
		m.parts = 0;
		r = read_message(&m, message, 0);
		bytes.data += size, bytes.size -= size;
	}
	return r;
}

int mail_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	int r = read_box(bytes, text, about, NULL);
	if (r == 0 && text->size == 0 && !buf_error(text))
		return format_fail(about, "no-text", "the mail has no text");
	return r;
}

/* A web page saved with its parts (MHTML, RFC 2557) is a message whose parts are the page, its frames and its pictures. */
int mhtml_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	int r = read_box(bytes, text, about, about);
	if (r == 0 && text->size == 0 && !buf_error(text))
		return format_fail(about, "no-text", "the page has no text");
	return r;
}

const struct format format_mail = {
	.extractor = {"mail", 2, "message/rfc822", TEXT_MARKDOWN, true, NULL},
	.extract = mail_extract,
};

const struct format format_mhtml = {
	.extractor = {"mhtml", 1, "multipart/related", TEXT_MARKDOWN, true, NULL},
	.extract = mhtml_extract,
};
