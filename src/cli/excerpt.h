/* Which lines of a chunk to show for a query, and which bytes of them to highlight. It works on the query's letters alone and has no
 * part in ranking: a chunk found by its meaning may hold none of the words. */
#ifndef CORPUSFS_CLI_EXCERPT_H
#define CORPUSFS_CLI_EXCERPT_H

#include "base/span.h"

#include <stddef.h>

enum { EXCERPT_WORDS = 64, EXCERPT_LINES = 3 };

/* The words of a query; they point into it. */
struct excerpt_words {
	struct span words[EXCERPT_WORDS];
	size_t count;
};
void excerpt_split(struct span query, struct excerpt_words *ret);

/* Up to EXCERPT_LINES lines of the text that hold most of the words, in their order, without blanks at either end; the first ones that are
 * not blank when no line holds any. Returns how many. */
size_t excerpt_lines(struct span text, const struct excerpt_words *words, struct span ret[EXCERPT_LINES]);

/* Bytes at text[at] that match one of the words, 0 for none. A word matches where a word of the text begins with it, its last letters aside. */
size_t excerpt_match(struct span text, size_t at, const struct excerpt_words *words);

#endif
