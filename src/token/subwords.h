/* WordPiece for the built-in static model: text -> token ids (EMBEDDING.md: BertNormalizer semantics, greedy longest match).
 *
 * "Basic" normalising (clean text, CJK spacing, strip accents, lower case), split on white space and punctuation, greedy
 * longest match with "##" continuation; a word over 100 characters or without a match is dropped, as are special tokens. */
#ifndef CORPUSFS_TOKEN_SUBWORDS_H
#define CORPUSFS_TOKEN_SUBWORDS_H

#include "base/span.h"

#include <stdint.h>

/* An immutable vocabulary; shared between threads. */
struct subwords;
/* Scratch and word cache of one thread. */
struct subword_scratch;

/* `vocabulary`: one entry a line, the line number is the id. Kept by reference: must outlive the result. Checked: refuses
 * (-EINVAL) duplicate or over-long lines. */
int subwords_new(struct span vocabulary, struct subwords **ret);
void subwords_free(struct subwords *s);
int subword_scratch_new(const struct subwords *s, struct subword_scratch **ret);
void subword_scratch_free(struct subword_scratch *scratch);

/* Token ids of `text`, at most `max_ids` (the rest of the text is not looked at). The array is borrowed from scratch until its
 * next use. Returns 0 or -ENOMEM. */
int subwords_encode(const struct subwords *s, struct subword_scratch *scratch, struct span text, size_t max_ids,
		    const uint32_t **ret_ids, size_t *ret_count);

#endif
