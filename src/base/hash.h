/* Hashes. Identity is SHA-256: contents are hostile and keys are shared between users, so a cheap hash would let one
 * document pass for another. Checksums of our own records are XXH3, which only has to notice accidents. */
#ifndef CORPUSFS_BASE_HASH_H
#define CORPUSFS_BASE_HASH_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum { HASH_SIZE = 32, HASH_HEX_SIZE = 65 };

struct hash {
	uint8_t bytes[HASH_SIZE];
};

/* SHA-256 (FIPS 180-4) of `s`. Thread-safe; cannot fail. */
struct hash hash_bytes(struct span s);
/* SHA-256 over (length as 8 bytes little endian, SHA-256) of each part in turn, so that no two lists collide. At most 16 parts. */
struct hash hash_parts(const struct span *parts, size_t count);
bool hash_equal(const struct hash *a, const struct hash *b);
/* Writes 64 lower-case hex digits and a NUL. */
void hash_hex(const struct hash *h, char out[HASH_HEX_SIZE]);
/* XXH3 64-bit. */
uint64_t checksum64(const void *data, size_t size);

#endif
