/* JSON output into a buffer (RFC 8259). Only what this program writes itself; reading foreign JSON is jansson's work.
 *
 * The prefix keeps these names apart from jansson's.
 *
 * Why not jansson here too: file names are bytes, not text. A byte that is not valid UTF-8 is written as the lone
 * surrogate U+DC80 + (byte - 0x80), which Python's os.fsencode() turns back into the byte (PEP 383); jansson refuses such
 * strings. The writer keeps the comma state of up to 31 levels; deeper nesting is a bug of the caller. */
#ifndef CORPUSFS_BASE_JSON_H
#define CORPUSFS_BASE_JSON_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct jsonw {
	struct buf *out; /* borrowed; check buf_error(out) at the end */
	uint32_t has_item; /* bit per level: something was written there */
	unsigned depth;
	bool after_key;
};

void jsonw_init(struct jsonw *j, struct buf *out);
void jsonw_object(struct jsonw *j);
void jsonw_object_end(struct jsonw *j);
void jsonw_array(struct jsonw *j);
void jsonw_array_end(struct jsonw *j);
void jsonw_key(struct jsonw *j, const char *key);
void jsonw_span(struct jsonw *j, struct span s);
void jsonw_string(struct jsonw *j, const char *s);
void jsonw_uint(struct jsonw *j, uint64_t value);
void jsonw_int(struct jsonw *j, int64_t value);
/* Seven significant digits, which is what a float holds; NaN and infinities become null. */
void jsonw_float(struct jsonw *j, double value);
void jsonw_bool(struct jsonw *j, bool value);
void jsonw_null(struct jsonw *j);

/* Members: a key with a number, or with a list of two. */
void jsonw_uint_member(struct jsonw *j, const char *key, uint64_t value);
void jsonw_pair_member(struct jsonw *j, const char *key, uint64_t a, uint64_t b);

#endif
