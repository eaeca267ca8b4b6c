/* The terms of one document, chunk by chunk: what the tokenizer hands to the index. A plain struct without an owner of its own;
 * whoever returns one says how long it lives. */
#ifndef CORPUSFS_BASE_TERMS_H
#define CORPUSFS_BASE_TERMS_H

#include <stdint.h>

struct term {
	const char *text; /* not NUL-terminated, 1..LIMIT_TERM_BYTES bytes, no NUL byte inside */
	uint32_t size;
};

struct term_posting {
	uint32_t chunk; /* ordinal of the chunk in its document */
	uint32_t term;	/* index into terms */
	uint32_t count; /* occurrences in that chunk, >= 1 */
};

struct term_postings {
	struct term *terms; /* distinct, in order of first occurrence */
	uint32_t term_count;
	struct term_posting *postings; /* by chunk; within a chunk in order of first occurrence */
	uint32_t posting_count;
	uint32_t *chunk_lengths; /* BM25 length of each chunk: the sum of its counts */
	uint32_t chunk_count;
};

#endif
