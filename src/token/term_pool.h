/* Term strings of one thread, each stored once and known by a small number. Part of words.c, which counts by number. Not
 * thread-safe. */
#ifndef CORPUSFS_TOKEN_TERM_POOL_H
#define CORPUSFS_TOKEN_TERM_POOL_H

#include "base/span.h"

#include <stdint.h>

struct pooled_term {
	uint32_t offset; /* of its bytes */
	uint32_t size;
	uint32_t hash;
	/* Of the document being read, the owner's to interpret: where the term and its posting of the current chunk lie. They outlive the
	 * document, so the owner has to tell old values from new. */
	uint32_t local, posting;
};

struct term_pool {
	char *bytes;
	size_t byte_count, byte_capacity;
	struct pooled_term *terms;
	uint32_t count, capacity;
	uint32_t *slots; /* number + 1, 0 for empty; open addressing, at most half full */
	uint32_t slot_count;
	uint64_t seed; /* random, so that no document can choose its collisions */
};

/* An empty pool; allocates at the first term. */
void term_pool_init(struct term_pool *p);
void term_pool_release(struct term_pool *p);
/* The number of `term`, from 0 in order of first sight. 0 or -ENOMEM. */
int term_pool_add(struct term_pool *p, struct span term, uint32_t *ret_number);

#endif
