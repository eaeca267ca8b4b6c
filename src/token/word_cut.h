/* Where words end in text. Part of words.c and phrase.c, which must agree. Pure functions. */
#ifndef CORPUSFS_TOKEN_WORD_CUT_H
#define CORPUSFS_TOKEN_WORD_CUT_H

#include "base/span.h"

#include <stdint.h>

enum { BYTE_WORD = 1, BYTE_DIGIT = 2, BYTE_HIGH = 4 };

/* The class of each byte: letter or underscore, digit (BYTE_WORD too), part of a longer sequence, or 0 for what stands between words. */
extern const uint8_t word_bytes[256];

/* How many bytes at `at`, where the table says that the word from `start` ends, belong to it all the same. */
size_t word_cut_goes_on(struct span text, size_t start, size_t at);

/* The end of the word that begins at `start` and holds at least the bytes before `at`. */
static inline size_t word_cut_end(struct span text, size_t start, size_t at)
{
	const unsigned char *p = (const unsigned char *)text.data;
	for (;;) {
		while (at < text.size && word_bytes[p[at]] & BYTE_WORD)
			at++;
		size_t more = at < text.size ? word_cut_goes_on(text, start, at) : 0;
		if (!more)
			return at;
		at += more;
	}
}

#endif
