/* See edits.h. The words are made and looked up, rather than the index's words walked and compared: that is some hundred look-ups whatever
 * the size of the index (Norvig, "How to Write a Spelling Corrector", 2007), and it goes through the stemmer like every other word. */
#include "token/edits.h"

#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

enum { LETTER_BYTES = 4, WORD_ROOM = (EDITS_LETTERS_MAX + 1) * LETTER_BYTES };

struct letters {
	struct {
		char text[LETTER_BYTES];
		uint8_t size;
	} at[EDITS_LETTERS_MAX];
	uint32_t count;
};

struct editor {
	struct letters letters;
	int (*each)(void *context, struct span edited);
	void *context;
	bool greek, cyrillic;
};

static bool read_letters(struct span word, struct editor *e)
{
	uint32_t c;
	size_t size;
	for (size_t at = 0; at < word.size; at += size) {
		struct letters *l = &e->letters;
		size = utf8_decode(word, at, &c);
		if (!size || l->count == EDITS_LETTERS_MAX)
			return false;
		memcpy(l->at[l->count].text, word.data + at, size);
		l->at[l->count++].size = (uint8_t)size;
		e->greek = e->greek || (c >= 0x370 && c < 0x400);
		e->cyrillic = e->cyrillic || (c >= 0x400 && c < 0x460);
	}
	return e->letters.count >= EDITS_LETTERS_MIN;
}

/* Puts the letters from `first` to before `end` at the end of what is in `out`. */
static size_t put_letters(const struct letters *l, uint32_t first, uint32_t end, char *out, size_t used)
{
	for (uint32_t i = first; i < end; i++) {
		memcpy(out + used, l->at[i].text, l->at[i].size);
		used += l->at[i].size;
	}
	return used;
}

/* The word with its letters from `at` on, `taken` of them, given up for `put`. */
static int edit(const struct editor *e, uint32_t at, uint32_t taken, struct span put)
{
	char out[WORD_ROOM];
	size_t used = put_letters(&e->letters, 0, at, out, 0);
	if (put.size)
		memcpy(out + used, put.data, put.size);
	used = put_letters(&e->letters, at + taken, e->letters.count, out, used + put.size);
	return e->each(e->context, (struct span){out, used});
}

static int exchange(const struct editor *e)
{
	const struct letters *l = &e->letters;
	int result = 0;
	for (uint32_t i = 0; i + 1 < l->count && !result; i++) {
		char two[2 * LETTER_BYTES];
		size_t used = put_letters(l, i + 1, i + 2, two, 0);
		used = put_letters(l, i, i + 1, two, used);
		result = edit(e, i, 2, (struct span){two, used});
	}
	return result;
}

/* At every place each letter of a range of code points, in the place of `taken` letters. */
static int put_range(const struct editor *e, uint32_t taken, uint32_t first, uint32_t last)
{
	int result = 0;
	for (uint32_t at = 0; at + taken <= e->letters.count && !result; at++)
		for (uint32_t c = first; c <= last && !result; c++) {
			char two[2] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))}, one = (char)c;
			result = edit(e, at, taken, c < 0x80 ? (struct span){&one, 1} : (struct span){two, 2});
		}
	return result;
}

static int put_letter(const struct editor *e, uint32_t taken)
{
	int result = put_range(e, taken, 'a', 'z');
	if (!result)
		result = put_range(e, taken, 0xe0, 0xf6); /* 0xf7 is a sign of division */
	if (!result)
		result = put_range(e, taken, 0xf8, 0xff);
	if (!result && e->greek)
		result = put_range(e, taken, 0x3ac, 0x3ce);
	if (!result && e->cyrillic)
		result = put_range(e, taken, 0x430, 0x45f);
	return result;
}

int edits_each(struct span word, int (*each)(void *context, struct span edited), void *context)
{
	struct editor e = {.each = each, .context = context};
	if (!read_letters(word, &e))
		return 0;
	int result = exchange(&e);
	if (!result)
		result = put_letter(&e, 0);
	if (!result)
		result = put_letter(&e, 1);
	for (uint32_t i = 0; i < e.letters.count && !result; i++)
		result = edit(&e, i, 1, (struct span){"", 0});
	return result;
}
