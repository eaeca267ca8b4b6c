/* MSG (Outlook's messages, [MS-OXMSG]): a compound file with a stream a property -> the Markdown that mail becomes. The body is the plain one, else
 * the HTML, else the compressed RTF ([MS-OXRTFCP]). */
#include "extract/cell.h"
#include "extract/mail.h"
#include "extract/ole.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MSG_DEPTH = 8, ATTACHMENTS = 2000, VALUE_SIZE = 2000, DICTIONARY = 4096 };

/* Property identifiers ([MS-OXPROPS]). */
enum {
	SUBJECT = 0x0037, SENT_AT = 0x0039, SENT_NAME = 0x0042, SENT_ADDRESS = 0x0065, SENDER_NAME = 0x0c1a, SENDER_ADDRESS = 0x0c1f, CC = 0x0e03,
	TO = 0x0e04, ARRIVED_AT = 0x0e06, BODY = 0x1000, BODY_RTF = 0x1009, BODY_HTML = 0x1013, NAME = 0x3001, FILE_NAME = 0x3704, LONG_NAME = 0x3707,
	MIME_TYPE = 0x370e, INTERNET_PAGE = 0x3fde, MESSAGE_PAGE = 0x3ffd, SENDER_SMTP = 0x5d01, SENT_SMTP = 0x5d02
};

struct msg {
	const struct cfb *c;
	struct buf *text;
	int page; /* code page of 8-bit strings */
	unsigned attachments;
};

/* Properties that fit 8 bytes lie in one stream, 16 bytes each after a header. */
static uint64_t fixed(struct span properties, size_t header, uint32_t id, uint32_t type)
{
	for (size_t at = header; at + 16 <= properties.size; at += 16)
		if (cfb_u32(properties, at) == (id << 16 | type))
			return cfb_u64(properties, at + 8);
	return 0;
}

static int read_property(const struct msg *m, const struct cfb_entry *storage, uint32_t id, const char *type, struct buf *out)
{
	char name[CFB_NAME];
	(void)snprintf(name, sizeof(name), "__substg1.0_%04X%s", id, type);
	return ole_read(m->c, storage, name, out);
}

/* A string, in UTF-16 or in the message's code page; nothing when there is none. */
static void add_string(const struct msg *m, const struct cfb_entry *storage, uint32_t id, struct buf *out)
{
	struct buf raw;
	buf_init(&raw, m->c->bytes.size + 1);
	if (read_property(m, storage, id, "001F", &raw) == 0)
		ole_add_utf16(buf_span(&raw), out);
	else if (read_property(m, storage, id, "001E", &raw) == 0)
		ole_add_bytes(m->page, buf_span(&raw), out);
	buf_release(&raw);
	while (out->size > 0 && out->data[out->size - 1] == '\0')
		buf_truncate(out, out->size - 1);
}

/* A value of one line. */
static void read_value(const struct msg *m, const struct cfb_entry *storage, uint32_t id, char value[VALUE_SIZE])
{
	struct buf utf8;
	struct extract_result squeezed = {0};
	buf_init(&utf8, 1 << 20);
	add_string(m, storage, id, &utf8);
	format_set_title(&squeezed, buf_span(&utf8));
	(void)snprintf(value, VALUE_SIZE, "%s", squeezed.title);
	buf_release(&utf8);
}

static void first_value(const struct msg *m, const struct cfb_entry *storage, const uint32_t *ids, size_t count, char value[VALUE_SIZE])
{
	value[0] = '\0';
	for (size_t i = 0; i < count && !value[0]; i++)
		read_value(m, storage, ids[i], value);
}

/* --- the body ------------------------------------------------------------------------------------------------------ */

/* Words that every RTF holds, with which the dictionary begins (2.1.2.1). */
static const char common[] = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans "
			     "SerifSymbolArialTimes New RomanCourier"
			     "{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

/* Each bit of a control byte says whether a byte or a reference into the last 4096 bytes follows. One that points at the end ends the text. */
static void expand_rtf(struct span s, struct buf *out)
{
	char ring[DICTIONARY] = {0};
	size_t write = sizeof(common) - 1, at = 16;
	if (cfb_u32(s, 8) == 0x414c454d) { /* "MELA": not compressed */
		buf_add_span(out, cfb_part(s, 16, cfb_u32(s, 4)));
		return;
	}
	memcpy(ring, common, write);
	while (at < s.size && !buf_error(out)) {
		uint32_t control = cfb_u8(s, at++);
		for (unsigned bit = 0; bit < 8 && at < s.size; bit++) {
			if (!(control >> bit & 1)) {
				ring[write++ % DICTIONARY] = s.data[at];
				buf_add_char(out, s.data[at++]);
				continue;
			}
			uint32_t reference = cfb_u8(s, at) << 8 | cfb_u8(s, at + 1), from = reference >> 4, length = (reference & 15) + 2;
			at += 2;
			if (from == write % DICTIONARY)
				return;
			for (uint32_t i = 0; i < length; i++) {
				char c = ring[(from + i) % DICTIONARY];
				ring[write++ % DICTIONARY] = c;
				buf_add_char(out, c);
			}
		}
	}
}

static int add_rtf(const struct msg *m, struct span packed)
{
	struct buf rtf, written;
	struct extract_result about = {0};
	buf_init(&rtf, LIMIT_CLEAN_BYTES);
	buf_init(&written, m->text->limit);
	expand_rtf(packed, &rtf);
	int r = buf_error(&rtf) == -ENOMEM ? -ENOMEM : 0;
	if (r == 0 && rtf.size > 0)
		r = rtf_extract(buf_span(&rtf), (struct span){"", 0}, &written, &about);
	if (r == 0 && about.state == EXTRACT_OK && written.size > 0)
		mail_add_markdown(buf_span(&written), m->text);
	buf_release(&rtf);
	buf_release(&written);
	return r;
}

static bool has_text(struct span s)
{
	for (size_t i = 0; i < s.size; i++)
		if ((unsigned char)s.data[i] > ' ')
			return true;
	return false;
}

static int add_body(const struct msg *m, const struct cfb_entry *storage, int html_page)
{
	struct buf raw, utf8;
	int r = 0;
	buf_init(&raw, m->c->bytes.size + 1);
	buf_init(&utf8, LIMIT_SOURCE_BYTES);
	add_string(m, storage, BODY, &utf8);
	if (has_text(buf_span(&utf8))) {
		mail_add_plain(buf_span(&utf8), m->text);
	} else if (read_property(m, storage, BODY_HTML, "0102", &raw) == 0 && has_text(buf_span(&raw))) {
		buf_reset(&utf8);
		ole_add_bytes(html_page, buf_span(&raw), &utf8);
		r = mail_add_html(buf_span(&utf8), m->text, NULL);
	} else if (read_property(m, storage, BODY_RTF, "0102", &raw) == 0) {
		r = add_rtf(m, buf_span(&raw));
	}
	if (r == 0)
		r = buf_error(&utf8);
	buf_release(&raw);
	buf_release(&utf8);
	return r;
}

/* --- the message --------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	const struct cfb_entry *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static int read_message(struct msg *m, const struct cfb_entry *storage, unsigned depth, char subject[VALUE_SIZE]);

/* A message that is attached is read, of other attachments the name is kept. NOLINTNEXTLINE(misc-no-recursion): depth is bounded */
static int add_attachment(struct msg *m, const struct cfb_entry *storage, unsigned depth)
{
	static const uint32_t names[] = {LONG_NAME, FILE_NAME, NAME};
	char name[VALUE_SIZE], type[VALUE_SIZE], subject[VALUE_SIZE];
	const struct cfb_entry *message = cfb_find(m->c, storage, "__substg1.0_3701000D");
	if (message && cfb_find(m->c, message, "__properties_version1.0") && depth < MSG_DEPTH)
		return read_message(m, message, depth + 1, subject);
	first_value(m, storage, names, sizeof(names) / sizeof(names[0]), name);
	read_value(m, storage, MIME_TYPE, type);
	mail_add_attachment(name, type, m->text);
	return 0;
}

/* In the order of their numbers. NOLINTNEXTLINE(misc-no-recursion) */
static int add_attachments(struct msg *m, const struct cfb_entry *storage, unsigned depth)
{
	const struct cfb_entry *list[256], *e = NULL;
	size_t count = 0;
	while (count < 256 && (e = cfb_next(m->c, storage, e)))
		if (e->storage && strncmp(e->name, "__attach_version1.0_#", 21) == 0)
			list[count++] = e;
	qsort(list, count, sizeof(list[0]), compare_names);
	int r = 0;
	for (size_t i = 0; r == 0 && i < count && m->attachments++ < ATTACHMENTS && !buf_error(m->text); i++)
		r = add_attachment(m, list[i], depth);
	return r;
}

/* Tenths of microseconds since 1601. */
static void print_time(uint64_t filetime, char *out, size_t size)
{
	uint64_t seconds = filetime / 10000000, first = 11644473600;
	out[0] = '\0';
	if (seconds < first || seconds > first + (uint64_t)253402300799)
		return;
	char day[32];
	seconds -= first;
	cell_print_day((long)(seconds / 86400), day, sizeof(day));
	unsigned second = (unsigned)(seconds % 86400);
	(void)snprintf(out, size, "%s %02u:%02u:%02u UTC", day, second / 3600, second / 60 % 60, second % 60);
}

static void read_sender(const struct msg *m, const struct cfb_entry *storage, char from[VALUE_SIZE])
{
	static const uint32_t names[] = {SENT_NAME, SENDER_NAME}, addresses[] = {SENT_SMTP, SENDER_SMTP, SENT_ADDRESS, SENDER_ADDRESS};
	char name[VALUE_SIZE], address[VALUE_SIZE];
	first_value(m, storage, names, 2, name);
	first_value(m, storage, addresses, 4, address);
	/* Exchange's own addresses, "/O=...", say nothing outside their house. */
	if (!strchr(address, '@') || strcmp(address, name) == 0)
		address[0] = '\0';
	(void)snprintf(from, VALUE_SIZE, *name && *address ? "%.900s <%.900s>" : "%.900s%.900s", name, address);
}

/* NOLINTNEXTLINE(misc-no-recursion): see add_attachment */
static int read_message(struct msg *m, const struct cfb_entry *storage, unsigned depth, char subject[VALUE_SIZE])
{
	char from[VALUE_SIZE], to[VALUE_SIZE], cc[VALUE_SIZE], date[64];
	struct buf raw;
	buf_init(&raw, 1 << 20);
	int r = ole_read(m->c, storage, "__properties_version1.0", &raw);
	struct span properties = buf_span(&raw);
	size_t header = storage ? 24 : 32;
	int page = (int)fixed(properties, header, MESSAGE_PAGE, 3), html = (int)fixed(properties, header, INTERNET_PAGE, 3);
	m->page = page ? page : html ? html : 1252;
	uint64_t at = fixed(properties, header, SENT_AT, 0x40);
	print_time(at ? at : fixed(properties, header, ARRIVED_AT, 0x40), date, sizeof(date));
	buf_release(&raw);
	if (r == -ENOMEM)
		return r;
	read_value(m, storage, SUBJECT, subject);
	read_sender(m, storage, from);
	read_value(m, storage, TO, to);
	read_value(m, storage, CC, cc);
	const struct mail_fields fields = {subject, from, to, cc, date};
	mail_add_head(&fields, depth, m->text);
	r = add_body(m, storage, html ? html : m->page);
	return r < 0 ? r : add_attachments(m, storage, depth);
}

int msg_extract(const struct cfb *c, struct buf *text, struct extract_result *about)
{
	struct msg m = {.c = c, .text = text};
	char subject[VALUE_SIZE];
	int r = read_message(&m, NULL, 0, subject);
	format_set_title(about, span_of(subject));
	return r;
}
