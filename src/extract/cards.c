/* Calendars (iCalendar, RFC 5545) and address cards (vCard, RFC 6350 and the older 2.1 and 3.0) -> Markdown: each event, task or person a
 * heading with what people read of it. Both are lines "NAME;PARAMETER=VALUE:TEXT" in nested BEGIN and END. */
#include "extract/decode.h"
#include "extract/format.h"
#include "extract/markdown.h"

#include <stdio.h>
#include <strings.h>

enum { VALUE_BYTES = 1 << 20 };

struct line {
	struct span name, parameters;
	struct buf value; /* unescaped */
};

struct cards {
	struct span rest;
	struct markdown md;
	struct buf fields; /* of the entry: Markdown lines */
	struct buf summary, description;
	unsigned depth, alarm; /* alarm: depth of one, which repeats the event's text */
};

static bool is(struct span s, const char *word)
{
	return s.size == strlen(word) && strncasecmp(s.data, word, s.size) == 0;
}

static bool has_parameter(struct span parameters, const char *what)
{
	size_t n = strlen(what);
	for (size_t i = 0; i + n <= parameters.size; i++)
		if (strncasecmp(parameters.data + i, what, n) == 0)
			return true;
	return false;
}

/* --- lines --------------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* Appends a line without its end. Returns whether the next one goes on with it. */
static bool add_physical(struct cards *c, struct buf *out)
{
	const char *newline = memchr(c->rest.data, '\n', c->rest.size);
	size_t size = newline ? (size_t)(newline - c->rest.data) : c->rest.size, shown = size;
	while (shown > 0 && c->rest.data[shown - 1] == '\r')
		shown--;
	buf_add(out, c->rest.data, shown);
	size += newline != NULL;
	c->rest.data += size, c->rest.size -= size;
	bool folded = c->rest.size > 0 && (c->rest.data[0] == ' ' || c->rest.data[0] == '\t');
	if (folded)
		c->rest.data++, c->rest.size--;
	return folded;
}

/* A logical line; folded ones are joined, in quoted-printable those too that end with "=". */
static void read_line(struct cards *c, struct buf *out)
{
	while (add_physical(c, out))
		;
	const char *colon = out->data ? memchr(out->data, ':', out->size) : NULL;
	if (!colon || !has_parameter((struct span){out->data, (size_t)(colon - out->data)}, "QUOTED-PRINTABLE"))
		return;
	while (out->size > 0 && out->data[out->size - 1] == '=' && c->rest.size > 0) {
		buf_truncate(out, out->size - 1);
		(void)add_physical(c, out);
	}
}

static void unescape(struct span s, bool quoted, struct buf *out)
{
	for (size_t i = 0; i < s.size; i++) {
		char c = s.data[i];
		if (quoted && c == '=' && i + 2 < s.size && hex_digit(s.data[i + 1]) >= 0 && hex_digit(s.data[i + 2]) >= 0) {
			buf_add_char(out, (char)(hex_digit(s.data[i + 1]) * 16 + hex_digit(s.data[i + 2])));
			i += 2;
		} else if (c == '\\' && i + 1 < s.size) {
			i++;
			buf_add_char(out, (s.data[i] | 0x20) == 'n' ? '\n' : s.data[i]);
		} else {
			buf_add_char(out, c);
		}
	}
}

/* A ":" inside quotes belongs to a parameter. A name may come after the name of a group ("item1.EMAIL"). */
static bool split(struct span s, struct line *l)
{
	size_t colon = 0;
	for (bool in_quotes = false; colon < s.size && (in_quotes || s.data[colon] != ':'); colon++)
		in_quotes = in_quotes != (s.data[colon] == '"');
	if (colon == s.size)
		return false;
	const char *semicolon = memchr(s.data, ';', colon);
	size_t name = semicolon ? (size_t)(semicolon - s.data) : colon;
	const char *dot = memchr(s.data, '.', name);
	size_t group = dot ? (size_t)(dot - s.data) + 1 : 0;
	l->name = (struct span){s.data + group, name - group};
	l->parameters = (struct span){s.data + name, colon - name};
	bool quoted = has_parameter(l->parameters, "QUOTED-PRINTABLE");
	struct buf raw, store;
	struct span utf8;
	buf_init(&raw, VALUE_BYTES);
	buf_init(&store, VALUE_BYTES);
	unescape((struct span){s.data + colon + 1, s.size - colon - 1}, quoted, &raw);
	/* What quoted-printable hides need not be UTF-8. */
	if (decode_unicode(buf_span(&raw), &store, &utf8) == 0)
		buf_add_span(&l->value, utf8);
	buf_release(&raw);
	buf_release(&store);
	return true;
}

/* --- what is said -------------------------------------------------------------------------------------------------- */

/* "20240503T100000Z" -> "2024-05-03 10:00 UTC"; anything else as it is. */
static void add_time(struct span s, struct span parameters, struct buf *out)
{
	bool digits = s.size == 8 || (s.size >= 15 && s.size <= 16 && s.data[8] == 'T');
	for (size_t i = 0; digits && i < s.size && i < 15; i++)
		digits = i == 8 || (s.data[i] >= '0' && s.data[i] <= '9');
	if (!digits) {
		buf_add_span(out, s);
		return;
	}
	buf_addf(out, "%.4s-%.2s-%.2s", s.data, s.data + 4, s.data + 6);
	if (s.size < 15)
		return;
	buf_addf(out, " %.2s:%.2s", s.data + 9, s.data + 11);
	const char *zone = memmem(parameters.data, parameters.size, "TZID=", 5);
	if (s.size == 16 && s.data[15] == 'Z') {
		buf_add_string(out, " UTC");
	} else if (zone) {
		size_t from = (size_t)(zone - parameters.data) + 5, to = from;
		while (to < parameters.size && parameters.data[to] != ';')
			to++;
		buf_add_char(out, ' ');
		buf_add(out, parameters.data + from, to - from);
	}
}

static void add_field(struct cards *c, const char *label, struct span value)
{
	struct buf *out = &c->fields;
	buf_addf(out, "%s: ", label);
	for (size_t i = 0; i < value.size; i++)
		buf_add_char(out, value.data[i] == '\n' ? ' ' : value.data[i]);
	buf_add_char(out, '\n');
}

/* Parts between ";" become a list; empty ones vanish. */
static void add_parts(struct cards *c, const char *label, struct span value)
{
	struct buf joined;
	buf_init(&joined, VALUE_BYTES);
	for (size_t at = 0; at <= value.size;) {
		const char *end = at < value.size ? memchr(value.data + at, ';', value.size - at) : NULL;
		size_t size = end ? (size_t)(end - value.data) - at : value.size - at;
		if (size > 0) {
			buf_add_string(&joined, joined.size > 0 ? ", " : "");
			buf_add(&joined, value.data + at, size);
		}
		at += size + 1;
	}
	if (joined.size > 0)
		add_field(c, label, buf_span(&joined));
	buf_release(&joined);
}

static struct span without_scheme(struct span s)
{
	static const char *const schemes[] = {"mailto:", "tel:"};
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);
		if (s.size > n && strncasecmp(s.data, schemes[i], n) == 0)
			return (struct span){s.data + n, s.size - n};
	}
	return s;
}

/* An attendee's name stands in a parameter, the address is the value. */
static void add_person(struct cards *c, const char *label, const struct line *l)
{
	struct buf person;
	const char *name = memmem(l->parameters.data, l->parameters.size, "CN=", 3);
	buf_init(&person, VALUE_BYTES);
	if (name) {
		size_t at = (size_t)(name - l->parameters.data) + 3;
		char end = at < l->parameters.size && l->parameters.data[at] == '"' ? '"' : ';';
		for (at += end == '"'; at < l->parameters.size && l->parameters.data[at] != end; at++)
			buf_add_char(&person, l->parameters.data[at]);
	}
	struct span address = without_scheme(buf_span(&l->value));
	if (person.size > 0) {
		buf_add_string(&person, " <");
		buf_add_span(&person, address);
		buf_add_char(&person, '>');
	}
	add_field(c, label, person.size > 0 ? buf_span(&person) : address);
	buf_release(&person);
}

static void take_line(struct cards *c, const struct line *l)
{
	static const struct {
		const char *name, *label;
		enum { TEXT, TIME, PERSON, PARTS, ADDRESS } how;
	} fields[] = {{"DTSTART", "Start", TIME},	 {"DTEND", "End", TIME},	    {"DUE", "Due", TIME},	{"LOCATION", "Place", TEXT},
		      {"ORGANIZER", "Organizer", PERSON}, {"ATTENDEE", "Attendee", PERSON}, {"URL", "Address", TEXT},
		      {"CATEGORIES", "Categories", TEXT},
		      {"RRULE", "Repeats", TEXT},	 {"ORG", "Organization", PARTS},    {"TITLE", "Position", TEXT}, {"ROLE", "Role", TEXT},
		      {"EMAIL", "Mail", ADDRESS},	 {"TEL", "Phone", ADDRESS},	    {"ADR", "Postal address", PARTS},
		      {"NICKNAME", "Nickname", TEXT},
		      {"BDAY", "Birthday", TEXT}};
	struct span value = buf_span(&l->value);
	if (value.size == 0)
		return;
	if (is(l->name, "SUMMARY") || is(l->name, "FN")) {
		buf_reset(&c->summary);
		buf_add_span(&c->summary, value);
	} else if (is(l->name, "N") && c->summary.size == 0) {
		for (size_t i = 0; i < value.size; i++)
			buf_add_char(&c->summary, value.data[i] == ';' ? ' ' : value.data[i]);
	} else if (is(l->name, "DESCRIPTION") || is(l->name, "NOTE") || is(l->name, "COMMENT")) {
		buf_add_string(&c->description, c->description.size > 0 ? "\n\n" : "");
		buf_add_span(&c->description, value);
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!is(l->name, fields[i].name))
			continue;
		struct buf time;
		buf_init(&time, VALUE_BYTES);
		if (fields[i].how == TIME)
			add_time(value, l->parameters, &time);
		switch (fields[i].how) {
		case TEXT:
			add_field(c, fields[i].label, value);
			break;
		case TIME:
			add_field(c, fields[i].label, buf_span(&time));
			break;
		case PERSON:
			add_person(c, fields[i].label, l);
			break;
		case PARTS:
			add_parts(c, fields[i].label, value);
			break;
		case ADDRESS:
			add_field(c, fields[i].label, without_scheme(value));
			break;
		}
		buf_release(&time);
	}
}

/* --- entries out --------------------------------------------------------------------------------------------------- */

static void write_lines(struct markdown *md, struct span s)
{
	while (s.size > 0) {
		const char *newline = memchr(s.data, '\n', s.size);
		size_t size = newline ? (size_t)(newline - s.data) : s.size;
		markdown_text(md, (struct span){s.data, size});
		markdown_line_break(md);
		size += newline != NULL;
		s.data += size, s.size -= size;
	}
}

static void write_entry(struct cards *c)
{
	if (c->summary.size > 0) {
		markdown_heading(&c->md, 2);
		markdown_text(&c->md, buf_span(&c->summary));
	}
	markdown_break(&c->md, 2);
	write_lines(&c->md, buf_span(&c->fields));
	markdown_break(&c->md, 2);
	write_lines(&c->md, buf_span(&c->description));
	markdown_break(&c->md, 2);
	buf_reset(&c->summary);
	buf_reset(&c->fields);
	buf_reset(&c->description);
}

static void take(struct cards *c, const struct line *l, struct extract_result *about)
{
	struct span value = buf_span(&l->value);
	if (is(l->name, "BEGIN")) {
		c->depth++;
		/* A time zone's own rules, an alarm's own text. */
		if (c->alarm == 0 && (is(value, "VALARM") || is(value, "VTIMEZONE")))
			c->alarm = c->depth;
	} else if (is(l->name, "END")) {
		if (c->alarm == c->depth)
			c->alarm = 0;
		else if (c->alarm == 0 && !is(value, "VCALENDAR"))
			write_entry(c);
		c->depth -= c->depth > 0;
	} else if (c->alarm == 0 && is(l->name, "X-WR-CALNAME")) {
		format_set_title(about, value);
		markdown_heading(&c->md, 1);
		markdown_text(&c->md, value);
	} else if (c->alarm == 0) {
		take_line(c, l);
	}
}

int cards_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct cards c = {.rest = bytes};
	struct buf line;
	markdown_init(&c.md, text, false);
	buf_init(&c.fields, text->limit);
	buf_init(&c.summary, VALUE_BYTES);
	buf_init(&c.description, text->limit);
	buf_init(&line, VALUE_BYTES);
	while (c.rest.size > 0 && !buf_error(text)) {
		struct line l = {0};
		buf_init(&l.value, VALUE_BYTES);
		buf_reset(&line); /* a line that is too long, a picture, is no text */
		read_line(&c, &line);
		if (!buf_error(&line) && split(buf_span(&line), &l))
			take(&c, &l, about);
		buf_release(&l.value);
	}
	write_entry(&c);
	buf_release(&line);
	buf_release(&c.fields);
	buf_release(&c.summary);
	buf_release(&c.description);
	if (text->size == 0 && !buf_error(text))
		return format_fail(about, "no-text", "the file has no entries");
	buf_add_char(text, '\n');
	return buf_error(text);
}

#define CARDS(name, media_type)                                                                                                            \
	{                                                                                                                                  \
		.extractor = {name, 1, media_type, TEXT_MARKDOWN, true, NULL}, .prepare = text_prepare, .extract = cards_extract                 \
	}

const struct format format_ics = CARDS("ics", "text/calendar");
const struct format format_vcf = CARDS("vcf", "text/vcard");
