/* Where words end: see word_cut.h. */
#include "token/word_cut.h"

#include "base/utf8.h"
#include "token/word_forms.h"

/* Letters, digits and the underscore; bytes of longer sequences are looked at one code point at a time. */
const uint8_t word_bytes[256] = {
#define DIGIT(c) [c] = BYTE_WORD | BYTE_DIGIT
	DIGIT('0'), DIGIT('1'), DIGIT('2'), DIGIT('3'), DIGIT('4'), DIGIT('5'), DIGIT('6'), DIGIT('7'), DIGIT('8'), DIGIT('9'),
#undef DIGIT
#define FOUR(c) [c] = BYTE_WORD, [(c) + 1] = BYTE_WORD, [(c) + 2] = BYTE_WORD, [(c) + 3] = BYTE_WORD
	FOUR('A'), FOUR('E'), FOUR('I'), FOUR('M'), FOUR('Q'), FOUR('U'), ['Y'] = BYTE_WORD, ['Z'] = BYTE_WORD,
	FOUR('a'), FOUR('e'), FOUR('i'), FOUR('m'), FOUR('q'), FOUR('u'), ['y'] = BYTE_WORD, ['z'] = BYTE_WORD, ['_'] = BYTE_WORD,
#undef FOUR
#define FOUR(c) [c] = BYTE_HIGH, [(c) + 1] = BYTE_HIGH, [(c) + 2] = BYTE_HIGH, [(c) + 3] = BYTE_HIGH
#define SIXTEEN(c) FOUR(c), FOUR((c) + 4), FOUR((c) + 8), FOUR((c) + 12)
	SIXTEEN(0x80), SIXTEEN(0x90), SIXTEEN(0xa0), SIXTEEN(0xb0), SIXTEEN(0xc0), SIXTEEN(0xd0), SIXTEEN(0xe0), SIXTEEN(0xf0),
#undef SIXTEEN
#undef FOUR
};

/* After an apostrophe that ends at `at`: one or two letters and then no more word, as in "don't", "we'll", "John's". */
static bool is_contraction(struct span text, size_t at)
{
	const unsigned char *p = (const unsigned char *)text.data;
	size_t letters = 0;
	while (letters < 3 && at + letters < text.size && (word_bytes[p[at + letters]] & (BYTE_WORD | BYTE_DIGIT)) == BYTE_WORD)
		letters++;
	return (letters == 1 || letters == 2) && (at + letters == text.size || !(word_bytes[p[at + letters]] & BYTE_WORD));
}

size_t word_cut_goes_on(struct span text, size_t start, size_t at)
{
	const unsigned char *p = (const unsigned char *)text.data;
	bool after_digit = at > start && word_bytes[p[at - 1]] & BYTE_DIGIT;
	if (p[at] == '.')
		return after_digit && at + 1 < text.size && word_bytes[p[at + 1]] & BYTE_DIGIT;
	if (p[at] == '\'')
		return !after_digit && is_contraction(text, at + 1);
	if (!(word_bytes[p[at]] & BYTE_HIGH))
		return 0;
	uint32_t c;
	size_t size = utf8_decode(text, at, &c);
	if (!size)
		return 0;
	if (c == 0x2019)
		return !after_digit && is_contraction(text, at + size) ? size : 0;
	enum word_class class = word_class(c);
	return class == WORD_BREAK || class == WORD_UNSPACED ? 0 : size;
}
