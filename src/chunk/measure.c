/* Counting words: see measure.h. */
#include "chunk/measure.h"

#include <endian.h>

#define TIMES4(x) x, x, x, x
#define TIMES16(x) TIMES4(x), TIMES4(x), TIMES4(x), TIMES4(x)
#define L (MEASURE_RUN | 1)
/* clang-format off */
const uint8_t measure_bytes[256] = {
	/* controls and the blank weigh nothing */
	TIMES16(0), TIMES16(0),
	/* 0x20 */ 0, 1, 1, 1, TIMES4(1), TIMES4(1), TIMES4(1),
	/* 0x30 */ L, L, L, L, L, L, L, L, L, L, 1, 1, TIMES4(1),
	/* 0x40 */ 1, L, L, L, TIMES4(L), TIMES4(L), TIMES4(L),
	/* 0x50 */ TIMES4(L), TIMES4(L), L, L, L, 1, TIMES4(1),
	/* 0x60 */ 1, L, L, L, TIMES4(L), TIMES4(L), TIMES4(L),
	/* 0x70 */ TIMES4(L), TIMES4(L), L, L, L, 1, 1, 1, 1, 1,
	/* following bytes */
	TIMES16(MEASURE_RUN), TIMES16(MEASURE_RUN), TIMES16(MEASURE_RUN), TIMES16(MEASURE_RUN),
	/* first bytes of two */
	TIMES16(L), TIMES16(L),
	/* 0xe0: Indic, Thai, Lao; 0xe1, 0xe2: scripts with spaces, punctuation; from 0xe3: Kana, Han, Hangul, emoji */
	MEASURE_RUN | 3, L, L, MEASURE_RUN | 6, TIMES4(MEASURE_RUN | 6), TIMES4(MEASURE_RUN | 6), TIMES4(MEASURE_RUN | 6),
	TIMES16(MEASURE_RUN | 6),
};
/* clang-format on */

/* Of eight ASCII bytes, the top bit of each that is >= low, for 1 <= low <= 0x7f. */
static uint64_t at_least(uint64_t bytes, unsigned low)
{
	return (bytes + (0x80 - low) * 0x0101010101010101u) & 0x8080808080808080u;
}

/* The number of top bits set. */
static unsigned count_top_bits(uint64_t bits)
{
	return (unsigned)((bits >> 7) * 0x0101010101010101u >> 56);
}

/* The same as measure_byte() for `count` ASCII bytes, the first one lowest and zeros behind the last. */
static void measure_ascii(struct cursor *c, uint64_t bytes, size_t count)
{
	uint64_t lower = bytes | 0x2020202020202020u;
	uint64_t letters = at_least(lower, 'a') & ~at_least(lower, 'z' + 1);
	uint64_t digits = at_least(bytes, '0') & ~at_least(bytes, '9' + 1);
	uint64_t run = letters | digits;
	c->total.runs += count_top_bits(run & ~(run << 8 | (uint64_t)c->in_run << 7));
	c->total.weight += count_top_bits(at_least(bytes, '!'));
	c->in_run = run >> (8 * count - 1) & 1;
	c->at += (uint32_t)count;
}

void measure_to(struct cursor *c, struct span text, size_t end)
{
	struct cursor here = *c;
	while (here.at < end) {
		const char *from = text.data + here.at;
		uint64_t bytes = 0;
		size_t left = end - here.at, count = left < sizeof(bytes) ? left : sizeof(bytes);
		/* The constant size lets the compiler make one load of it. */
		if (count == sizeof(bytes))
			memcpy(&bytes, from, sizeof(bytes));
		else
			memcpy(&bytes, from, count);
		if ((bytes & 0x8080808080808080u) == 0) {
			measure_ascii(&here, le64toh(bytes), count);
		} else {
			for (size_t i = 0; i < count; i++)
				measure_byte(&here, (unsigned char)from[i]);
		}
	}
	*c = here;
}
