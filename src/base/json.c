/* JSON output: see json.h. */
#include "base/json.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>

void jsonw_init(struct jsonw *j, struct buf *out)
{
	*j = (struct jsonw){.out = out};
}

static void begin_value(struct jsonw *j)
{
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (j->has_item >> j->depth & 1)
		buf_add_char(j->out, ',');
	j->has_item |= 1u << j->depth;
}

static void open_level(struct jsonw *j, char bracket)
{
	begin_value(j);
	buf_add_char(j->out, bracket);
	j->depth = j->depth < 31 ? j->depth + 1 : 31;
	j->has_item &= ~(1u << j->depth);
}

static void close_level(struct jsonw *j, char bracket)
{
	buf_add_char(j->out, bracket);
	j->depth = j->depth > 0 ? j->depth - 1 : 0;
}

void jsonw_object(struct jsonw *j)
{
	open_level(j, '{');
}

void jsonw_object_end(struct jsonw *j)
{
	close_level(j, '}');
}

void jsonw_array(struct jsonw *j)
{
	open_level(j, '[');
}

void jsonw_array_end(struct jsonw *j)
{
	close_level(j, ']');
}

static void add_escaped(struct buf *out, struct span s)
{
	size_t at = 0;
	while (at < s.size) {
		unsigned char c = (unsigned char)s.data[at];
		uint32_t code_point;
		size_t n = utf8_decode(s, at, &code_point);
		if (n == 0) {
			buf_addf(out, "\\udc%02x", c);
			at++;
		} else if (c == '"' || c == '\\') {
			buf_add_char(out, '\\');
			buf_add_char(out, (char)c);
			at++;
		} else if (c == '\n') {
			buf_add_string(out, "\\n");
			at++;
		} else if (c == '\t') {
			buf_add_string(out, "\\t");
			at++;
		} else if (c < 0x20 || c == 0x7f) {
			buf_addf(out, "\\u%04x", c);
			at++;
		} else {
			buf_add(out, s.data + at, n);
			at += n;
		}
	}
}

void jsonw_span(struct jsonw *j, struct span s)
{
	begin_value(j);
	buf_add_char(j->out, '"');
	add_escaped(j->out, s);
	buf_add_char(j->out, '"');
}

void jsonw_string(struct jsonw *j, const char *s)
{
	jsonw_span(j, span_of(s));
}

void jsonw_key(struct jsonw *j, const char *key)
{
	jsonw_string(j, key);
	buf_add_char(j->out, ':');
	j->after_key = true;
}

void jsonw_uint(struct jsonw *j, uint64_t value)
{
	begin_value(j);
	buf_addf(j->out, "%" PRIu64, value);
}

void jsonw_int(struct jsonw *j, int64_t value)
{
	begin_value(j);
	buf_addf(j->out, "%" PRId64, value);
}

void jsonw_float(struct jsonw *j, double value)
{
	if (!isfinite(value)) {
		jsonw_null(j);
		return;
	}
	begin_value(j);
	buf_addf(j->out, "%.7g", value);
}

void jsonw_bool(struct jsonw *j, bool value)
{
	begin_value(j);
	buf_add_string(j->out, value ? "true" : "false");
}

void jsonw_null(struct jsonw *j)
{
	begin_value(j);
	buf_add_string(j->out, "null");
}

void jsonw_uint_member(struct jsonw *j, const char *key, uint64_t value)
{
	jsonw_key(j, key);
	jsonw_uint(j, value);
}

void jsonw_pair_member(struct jsonw *j, const char *key, uint64_t a, uint64_t b)
{
	jsonw_key(j, key);
	jsonw_array(j);
	jsonw_uint(j, a);
	jsonw_uint(j, b);
	jsonw_array_end(j);
}
