/* JSON output into a buffer (RFC 8259). Only what this program writes itself; reading foreign JSON is jansson's work.
 *
 * Why not jansson here too: file names are bytes, not text. A byte that is not valid UTF-8 is written as the lone
 * surrogate U+DC80 + (byte - 0x80), which Python's os.fsencode() turns back into the byte (PEP 383); jansson refuses such
 * strings. The writer keeps the comma state of up to 31 levels; deeper nesting is a bug of the caller. */
#ifndef CORPUSFS_BASE_JSON_H
#define CORPUSFS_BASE_JSON_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct json {
	struct buf *out; /* borrowed; check buf_error(out) at the end */
	uint32_t has_item; /* bit per level: something was written there */
	unsigned depth;
	bool after_key;
};

void json_init(struct json *j, struct buf *out);
void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
void json_key(struct json *j, const char *key);
void json_span(struct json *j, struct span s);
void json_string(struct json *j, const char *s);
void json_uint(struct json *j, uint64_t value);
void json_int(struct json *j, int64_t value);
/* Seven significant digits, which is what a float holds; NaN and infinities become null. */
void json_float(struct json *j, double value);
void json_bool(struct json *j, bool value);
void json_null(struct json *j);

#endif
