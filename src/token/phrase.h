/* Phrases: whether a text has given words one after another. What the keyword index cannot tell, because it keeps no positions, is
 * read off the text of the few documents that have all the words. */
#ifndef CORPUSFS_TOKEN_PHRASE_H
#define CORPUSFS_TOKEN_PHRASE_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct phrase;

/* The words of `text`, folded as for the index but neither stemmed nor thinned of stop words; punctuation between them does not
 * count. Scripts without blanks are taken character by character. Words after the 64th are ignored. 0 and a phrase that the caller
 * frees, -EINVAL when there is no word, -ENOMEM. */
int phrase_new(struct span text, struct phrase **ret);
void phrase_free(struct phrase *p);
/* Looks through `text` in linear time and calls `each` with every place of the phrase, from the first byte of its first word to behind its last,
 * in order, until it returns non-zero, which is then returned. Else 0, or -ENOMEM. Changes scratch memory of p: one thread at a time. */
int phrase_each(struct phrase *p, struct span text, int (*each)(void *context, size_t first, size_t end), void *context);
/* Whether it is there at all: 0 with *ret_found, or -ENOMEM. */
int phrase_find(struct phrase *p, struct span text, bool *ret_found);

#endif
