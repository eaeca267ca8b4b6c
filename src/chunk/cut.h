/* Places to cut inside a text that has no better ones. Private to chunk/. */
#ifndef CORPUSFS_CHUNK_CUT_H
#define CORPUSFS_CHUNK_CUT_H

#include "base/span.h"
#include "chunk/chunk.h"

/* How far the search for a grapheme boundary got, so that a grapheme of a million marks is walked once. Zeroed at the beginning of
 * every chunk. */
struct grapheme_walk {
	size_t at; /* everything before is one grapheme so far */
	int32_t state;
	int32_t previous;
};

/* The best cut of `text`, which is longer than a chunk may be: a sentence end, line end, clause end or word end between min_words and
 * max_words, the one nearest to target_words; else the last grapheme boundary below max_words. Returns an offset in 1..size - 1,
 * or 0 when all of `text` is one grapheme. */
size_t cut_choose(struct span text, const struct chunk_recipe *recipe, struct grapheme_walk *walk);

/* The largest grapheme boundary of `text` that is at most `limit`. */
size_t cut_at_grapheme(struct span text, size_t limit);

/* No chunk has more bytes than this for each word of max_words, whatever they are (blanks have no words). */
enum { CUT_BYTES_PER_WORD = 24 };

#endif
