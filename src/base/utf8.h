/* UTF-8: decoding that never reads past the end and never accepts what the standard forbids. Pure functions. */
#ifndef CORPUSFS_BASE_UTF8_H
#define CORPUSFS_BASE_UTF8_H

#include "base/span.h"

#include <stdint.h>

/* Decodes one code point at s[at]. Returns its length in bytes (1..4) and sets *ret, or 0 when the bytes there are not
 * valid UTF-8 (overlong, surrogate, above U+10FFFF, cut off) or at == size. Unicode 15, table 3-7. */
size_t utf8_decode(struct span s, size_t at, uint32_t *ret);
/* Writes the code point's bytes (1..4) to out and returns how many; U+FFFD for one that has no encoding. */
size_t utf8_encode(uint32_t code_point, char out[4]);
/* Bytes from the start of `s` that are valid UTF-8; s.size when all of it is. Runs at memory speed over ASCII. */
size_t utf8_valid_prefix(struct span s);
bool utf8_is_valid(struct span s);
/* Bytes from the start of `s` that are ASCII. */
size_t utf8_ascii_prefix(struct span s);

#endif
