/* Counting words: see measure.h. */
#include "chunk/measure.h"

/* Weight of each byte, with RUN added for the bytes of letters and digits. Bytes of UTF-8 sequences count as letters; their weight is
 * on the first byte. */
enum { RUN = 0x80 };
#define TIMES4(x) x, x, x, x
#define TIMES16(x) TIMES4(x), TIMES4(x), TIMES4(x), TIMES4(x)
#define L (RUN | 1)
static const uint8_t byte_weight[256] = {
	/* controls and the blank weigh nothing */
	TIMES16(0), TIMES16(0),
	/* 0x20 */ 0, 1, 1, 1, TIMES4(1), TIMES4(1), TIMES4(1),
	/* 0x30 */ L, L, L, L, L, L, L, L, L, L, 1, 1, TIMES4(1),
	/* 0x40 */ 1, L, L, L, TIMES4(L), TIMES4(L), TIMES4(L),
	/* 0x50 */ TIMES4(L), TIMES4(L), L, L, L, 1, TIMES4(1),
	/* 0x60 */ 1, L, L, L, TIMES4(L), TIMES4(L), TIMES4(L),
	/* 0x70 */ TIMES4(L), TIMES4(L), L, L, L, 1, 1, 1, 1, 0,
	/* following bytes */
	TIMES16(RUN), TIMES16(RUN), TIMES16(RUN), TIMES16(RUN),
	/* first bytes of two */
	TIMES16(L), TIMES16(L),
	/* 0xe0: Indic, Thai, Lao; 0xe1, 0xe2: scripts with spaces, punctuation; from 0xe3: Kana, Han, Hangul, emoji */
	RUN | 3, L, L, RUN | 6, TIMES4(RUN | 6), TIMES4(RUN | 6), TIMES4(RUN | 6),
	TIMES16(RUN | 6),
};

void measure_byte(struct measure *m, unsigned char byte, unsigned *in_run)
{
	unsigned entry = byte_weight[byte], run = entry >> 7;
	m->runs += run & ~*in_run;
	m->weight += entry & 0x7f;
	*in_run = run;
}

void measure_add(struct measure *m, struct span s)
{
	struct measure sum = *m;
	unsigned in_run = 0;
	for (size_t i = 0; i < s.size; i++)
		measure_byte(&sum, (unsigned char)s.data[i], &in_run);
	*m = sum;
}
