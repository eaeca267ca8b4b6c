/* Phrase search in text: words are mapped to numbers and matched by Knuth, Morris and Pratt's algorithm (SIAM J. Comput. 6, 1977), so
 * that no text and no phrase takes more than linear time. */
#include "token/phrase.h"

#include "token/word_forms.h"

#include <errno.h>
#include <stdlib.h>

enum { PHRASE_WORDS = 64, WORD_KEPT = 128, NO_WORD = 255 };

struct phrase {
	struct word_forms *forms;
	uint32_t count;
	uint8_t words[PHRASE_WORDS]; /* numbers of the words in order: the place where each stands first */
	uint8_t back[PHRASE_WORDS];  /* how much of the phrase still matches when the next word does not */
	struct {
		char text[WORD_KEPT];
		uint8_t size;
	} distinct[PHRASE_WORDS];
};

static struct span trim_joiners(struct span word)
{
	while (word.size && word.data[0] == '_')
		word.data++, word.size--;
	while (word.size && word.data[word.size - 1] == '_')
		word.size--;
	return word;
}

/* The number of a word, NO_WORD for one that is not in the phrase. */
static uint8_t number_of(const struct phrase *p, struct span folded)
{
	for (uint32_t i = 0; i < p->count; i++)
		if (p->words[i] == i && p->distinct[i].size == folded.size && memcmp(p->distinct[i].text, folded.data, folded.size) == 0)
			return (uint8_t)i;
	return NO_WORD;
}

/* A longer word than is kept has its beginning compared. */
static int fold(struct phrase *p, struct span word, struct span *ret)
{
	int result = word_forms_fold(p->forms, trim_joiners(word), ret);
	if (!result && ret->size > WORD_KEPT)
		ret->size = WORD_KEPT;
	return result;
}

static void compute_back(struct phrase *p)
{
	uint8_t matched = 0;
	p->back[0] = 0;
	for (uint32_t i = 1; i < p->count; i++) {
		while (matched && p->words[i] != p->words[matched])
			matched = p->back[matched - 1];
		matched += p->words[i] == p->words[matched];
		p->back[i] = matched;
	}
}

static int add_words(struct phrase *p, struct span text)
{
	struct span word, folded;
	for (size_t at = 0; p->count < PHRASE_WORDS && word_forms_next(text, &at, &word);) {
		int result = fold(p, word, &folded);
		if (result)
			return result;
		if (!folded.size)
			continue;
		uint8_t number = number_of(p, folded);
		uint32_t i = p->count++;
		p->words[i] = number == NO_WORD ? (uint8_t)i : number;
		if (number == NO_WORD) {
			memcpy(p->distinct[i].text, folded.data, folded.size);
			p->distinct[i].size = (uint8_t)folded.size;
		}
	}
	return p->count ? 0 : -EINVAL;
}

int phrase_new(struct span text, struct phrase **ret)
{
	struct phrase *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	int result = word_forms_new(&p->forms);
	if (!result)
		result = add_words(p, text);
	if (result) {
		phrase_free(p);
		return result;
	}
	compute_back(p);
	*ret = p;
	return 0;
}

void phrase_free(struct phrase *p)
{
	if (!p)
		return;
	word_forms_free(p->forms);
	free(p);
}

int phrase_each(struct phrase *p, struct span text, int (*each)(void *context, size_t first, size_t end), void *context)
{
	struct span word, folded;
	size_t firsts[PHRASE_WORDS]; /* of the last words, in turn */
	uint32_t matched = 0, seen = 0;
	for (size_t at = 0; word_forms_next(text, &at, &word);) {
		int result = fold(p, word, &folded);
		if (result)
			return result;
		if (!folded.size)
			continue;
		uint8_t number = number_of(p, folded);
		while (matched && number != p->words[matched])
			matched = p->back[matched - 1];
		matched += number == p->words[matched];
		firsts[seen++ % PHRASE_WORDS] = (size_t)(word.data - text.data);
		if (matched < p->count)
			continue;
		result = each(context, firsts[(seen - p->count) % PHRASE_WORDS], at);
		if (result)
			return result;
		matched = p->back[matched - 1];
	}
	return 0;
}

static int note_found(void *context, size_t first, size_t end)
{
	(void)first;
	(void)end;
	*(bool *)context = true;
	return 1;
}

int phrase_find(struct phrase *p, struct span text, bool *ret_found)
{
	bool found = false;
	int result = phrase_each(p, text, note_found, &found);
	if (result < 0)
		return result;
	*ret_found = found;
	return 0;
}
