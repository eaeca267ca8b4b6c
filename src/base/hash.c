/* SHA-256 for identity, XXH3 for checksums: see hash.h. */
#include "base/hash.h"

/* SHA256() looks its algorithm up by name each time, under locks, which takes longer than hashing a key does; the functions that do not are
 * deprecated, not gone. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static void sha256(struct span s, unsigned char out[HASH_SIZE])
{
	SHA256_CTX context;
	(void)SHA256_Init(&context);
	(void)SHA256_Update(&context, s.data, s.size);
	(void)SHA256_Final(out, &context);
}

struct hash hash_bytes(struct span s)
{
	struct hash h;
	sha256(s, h.bytes);
	return h;
}

struct hash hash_parts(const struct span *parts, size_t count)
{
	/* The list is short (a key made of a few fields), so hashing the concatenated hashes keeps this free of contexts
	 * that can fail to allocate. */
	enum { MAX_PARTS = 16 };
	unsigned char all[MAX_PARTS * (8 + HASH_SIZE)];
	size_t used = 0;
	for (size_t i = 0; i < count && i < MAX_PARTS; i++) {
		for (int b = 0; b < 8; b++)
			all[used++] = (unsigned char)((uint64_t)parts[i].size >> (8 * b));
		sha256(parts[i], all + used);
		used += HASH_SIZE;
	}
	return hash_bytes((struct span){(const char *)all, used});
}

bool hash_equal(const struct hash *a, const struct hash *b)
{
	return memcmp(a->bytes, b->bytes, HASH_SIZE) == 0;
}

void hash_hex(const struct hash *h, char out[HASH_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 0; i < HASH_SIZE; i++) {
		out[2 * i] = digits[h->bytes[i] >> 4];
		out[2 * i + 1] = digits[h->bytes[i] & 15];
	}
	out[2 * HASH_SIZE] = '\0';
}

uint64_t checksum64(const void *data, size_t size)
{
	return XXH3_64bits(data, size);
}
