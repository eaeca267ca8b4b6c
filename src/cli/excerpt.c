#include "cli/excerpt.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <utf8proc.h>

/* One character as words see it: lower case, 0 for one that separates words. Returns its length. */
static size_t letter_at(struct span text, size_t at, uint32_t *ret)
{
	size_t size = utf8_decode(text, at, ret);
	if (size == 0) {
		*ret = 0;
		return 1;
	}
	switch (utf8proc_category((utf8proc_int32_t)*ret)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LT:
		*ret = (uint32_t)utf8proc_tolower((utf8proc_int32_t)*ret);
		break;
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ND:
		break;
	default:
		*ret = 0;
	}
	return size;
}

/* Length in bytes of the word at text[at]; *ret_letters counts its characters. */
static size_t word_size(struct span text, size_t at, size_t *ret_letters)
{
	size_t end = at;
	*ret_letters = 0;
	while (end < text.size) {
		uint32_t letter = 0;
		size_t size = letter_at(text, end, &letter);
		if (!letter)
			break;
		end += size;
		++*ret_letters;
	}
	return end - at;
}

void excerpt_split(struct span query, struct excerpt_words *ret)
{
	ret->count = 0;
	for (size_t at = 0; at < query.size && ret->count < EXCERPT_WORDS;) {
		size_t letters = 0, size = word_size(query, at, &letters);
		if (size > 0) {
			ret->words[ret->count++] = (struct span){query.data + at, size};
			at += size;
		} else {
			uint32_t letter = 0;
			at += letter_at(query, at, &letter);
		}
	}
}

/* Long words may end otherwise: "policies" finds "policy", "employed" finds "employee". */
static bool begins_with(struct span text, size_t at, struct span word)
{
	size_t letters = 0, text_letters = 0;
	(void)word_size(word, 0, &letters);
	(void)word_size(text, at, &text_letters);
	size_t needed = letters <= 4 ? letters : letters <= 6 ? letters - 1 : letters - 3;
	if (letters <= 4 ? text_letters != letters : text_letters > letters + 3)
		return false;
	for (size_t w = 0; needed > 0; needed--) {
		uint32_t a = 0, b = 0;
		if (at >= text.size || w >= word.size)
			return false;
		at += letter_at(text, at, &a);
		w += letter_at(word, w, &b);
		if (a != b)
			return false;
	}
	return true;
}

static bool word_begins(struct span text, size_t at)
{
	uint32_t letter = 0;
	size_t before = at;
	while (before > 0 && before + 4 > at && ((unsigned char)text.data[--before] & 0xc0) == 0x80)
		;
	return at == 0 || (letter_at(text, before, &letter), letter == 0);
}

size_t excerpt_match(struct span text, size_t at, const struct excerpt_words *words)
{
	size_t letters = 0;
	if (!word_begins(text, at))
		return 0;
	for (size_t i = 0; i < words->count; i++)
		if (begins_with(text, at, words->words[i]))
			return word_size(text, at, &letters);
	return 0;
}

/* Longer words say more than "the" and "is"; each counts once. */
static size_t line_weight(struct span line, const struct excerpt_words *words)
{
	size_t weight = 0;
	for (size_t i = 0; i < words->count; i++) {
		for (size_t at = 0; at < line.size; at++) {
			size_t letters = 0;
			if (((unsigned char)line.data[at] & 0xc0) == 0x80 || !word_begins(line, at) || !begins_with(line, at, words->words[i]))
				continue;
			(void)word_size(words->words[i], 0, &letters);
			weight += letters * letters;
			break;
		}
	}
	return weight;
}

static struct span trim(struct span line)
{
	while (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
		line.data++;
		line.size--;
	}
	while (line.size > 0 && (line.data[line.size - 1] == ' ' || line.data[line.size - 1] == '\t' || line.data[line.size - 1] == '\r'))
		line.size--;
	return line;
}

/* Puts a line of weight `weight` in, pushing out the lightest (of equals the latest), if there is one lighter. Order is kept. */
static size_t insert_line(struct span *lines, size_t *weights, size_t count, struct span line, size_t weight)
{
	if (count == EXCERPT_LINES) {
		size_t lightest = 0;
		for (size_t i = 1; i < count; i++)
			if (weights[i] <= weights[lightest])
				lightest = i;
		if (weights[lightest] >= weight)
			return count;
		for (size_t i = lightest; i + 1 < count; i++) {
			lines[i] = lines[i + 1];
			weights[i] = weights[i + 1];
		}
		count--;
	}
	lines[count] = line;
	weights[count] = weight;
	return count + 1;
}

/* Lines without any of the words go when another has some. */
static size_t drop_weightless(struct span *lines, const size_t *weights, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (weights[i] > 0)
			lines[kept++] = lines[i];
	return kept > 0 ? kept : count;
}

size_t excerpt_lines(struct span text, const struct excerpt_words *words, struct span ret[EXCERPT_LINES])
{
	size_t weights[EXCERPT_LINES] = {0}, count = 0;
	for (size_t at = 0; at < text.size;) {
		const char *end = memchr(text.data + at, '\n', text.size - at);
		size_t size = end ? (size_t)(end - text.data) - at : text.size - at;
		struct span line = trim((struct span){text.data + at, size});
		if (line.size > 0)
			count = insert_line(ret, weights, count, line, line_weight(line, words));
		at += size + 1;
	}
	return drop_weightless(ret, weights, count);
}
