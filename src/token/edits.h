/* The spellings that are one edit away from a word: what somebody may have meant who typed it. Pure. */
#ifndef CORPUSFS_TOKEN_EDITS_H
#define CORPUSFS_TOKEN_EDITS_H

#include "base/span.h"

/* Words of fewer letters are not asked about: nearly everything is one edit away from them. */
enum { EDITS_LETTERS_MIN = 4, EDITS_LETTERS_MAX = 24 };

/* Calls `each` with every word that `word` (UTF-8, folded) becomes by exchanging two neighbouring letters, putting in a letter, changing a letter or
 * leaving out a letter, in this order, until it returns non-zero, which is then returned; else 0. Letters put in are a to z, the accented ones of Latin-1
 * and, for a word that has such, Greek or Cyrillic ones; so at most a few thousand calls. A spelling may come twice. The span lives during the call. A word
 * that is too short or too long, or is not UTF-8, has none. */
int edits_each(struct span word, int (*each)(void *context, struct span edited), void *context);

#endif
