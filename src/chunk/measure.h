/* How long a text is, in words. Private to chunk/.
 *
 * A word is a run of letters and digits. Text that is not written in such runs (Chinese, a line of base64, a path) would come out far too
 * short by that, so every started 12 units of weight count as one word too: a character weighs 1, an Indic, Thai or Lao one 3, a Han,
 * Kana or Hangul one 6. The two counts are kept apart and added up; the larger one is the number of words. */
#ifndef CORPUSFS_CHUNK_MEASURE_H
#define CORPUSFS_CHUNK_MEASURE_H

#include "base/span.h"

#include <stdint.h>

enum { MEASURE_WORD_WEIGHT = 12 };

struct measure {
	uint32_t runs;
	uint32_t weight;
};

/* Adds bytes of `s` to *m, a run being counted where it begins in `s`. About 1 GB/s. */
void measure_add(struct measure *m, struct span s);

/* What one byte adds; *in_run is carried from byte to byte, false at the beginning. */
void measure_byte(struct measure *m, unsigned char byte, unsigned *in_run);

/* Words between two measures of one text. */
static inline uint32_t measure_words(struct measure from, struct measure to)
{
	uint32_t runs = to.runs - from.runs, by_weight = (to.weight - from.weight) / MEASURE_WORD_WEIGHT;
	return runs > by_weight ? runs : by_weight;
}

#endif
