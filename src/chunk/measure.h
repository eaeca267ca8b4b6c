/* How long a text is, in words. Private to chunk/.
 *
 * A word is a run of letters and digits. Text that is not written in such runs (Chinese, a line of base64, a path) would come out
 * far too short by that, so every started 12 units of weight count as one word too: a character weighs 1, an Indic, Thai or Lao one
 * 3, a Han, Kana or Hangul one 6. The two counts are kept apart and added up; the larger one is the number of words. */
#ifndef CORPUSFS_CHUNK_MEASURE_H
#define CORPUSFS_CHUNK_MEASURE_H

#include "base/span.h"

#include <stdint.h>

enum { MEASURE_WORD_WEIGHT = 12 };

struct measure {
	uint32_t runs;
	uint32_t weight;
};

/* How far a text has been measured from its beginning, where all is zero. */
struct cursor {
	uint32_t at;     /* offset */
	uint32_t in_run; /* 1 if the byte before belongs to a run */
	struct measure total;
};

/* Goes on to offset `end`. A run is counted where it begins. About 2 GB/s over ASCII. */
void measure_to(struct cursor *c, struct span text, size_t end);

/* The weight of each byte, with MEASURE_RUN added for those of letters and digits. Bytes of UTF-8 sequences count as letters; the
 * weight of the character is on its first byte. */
enum { MEASURE_RUN = 0x80 };
extern const uint8_t measure_bytes[256];

/* Goes on by one byte. */
static inline void measure_byte(struct cursor *c, unsigned char byte)
{
	unsigned entry = measure_bytes[byte], run = entry / MEASURE_RUN;
	c->total.runs += run & ~c->in_run;
	c->total.weight += entry % MEASURE_RUN;
	c->in_run = run;
	c->at++;
}

/* Words between two measures of one text. */
static inline uint32_t measure_words(struct measure from, struct measure to)
{
	uint32_t runs = to.runs - from.runs, by_weight = (to.weight - from.weight) / MEASURE_WORD_WEIGHT;
	return runs > by_weight ? runs : by_weight;
}

#endif
