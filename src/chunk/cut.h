/* Places to cut inside a text that has no better ones. Private to chunk/. */
#ifndef CORPUSFS_CHUNK_CUT_H
#define CORPUSFS_CHUNK_CUT_H

#include "base/span.h"
#include "chunk/chunk.h"
#include "chunk/measure.h"

#include <stdbool.h>

/* How far the search for a grapheme boundary got, so that a grapheme of a million marks is walked once. Zeroed at the beginning of
 * every chunk. */
struct grapheme_walk {
	size_t at; /* everything before is one grapheme so far */
	int32_t state;
	int32_t previous;
};

/* Places known to have no more words before them, counted from the chunk's beginning, than the recipe says: where to start looking.
 */
struct cut_window {
	struct cursor min, target, max;
};

/* The best cut of the chunk text[begin->at .. end), which is longer than it may be: a sentence end, line end, clause end or word
 * end between min_words and max_words, the one nearest to target_words; else the last grapheme boundary below max_words. Returns
 * true with *ret_cut strictly between begin and end, or false when all of it is one grapheme. */
bool cut_choose(struct span text, const struct cursor *begin, size_t end, const struct cut_window *known,
                const struct chunk_recipe *recipe, struct grapheme_walk *walk, struct cursor *ret_cut);

/* The largest grapheme boundary of `text` that is at most `limit`. */
size_t cut_at_grapheme(struct span text, size_t limit);

/* No chunk has more bytes than this for each word of max_words, whatever they are (blanks have no words). */
enum { CUT_BYTES_PER_WORD = 24 };

#endif
