/* From one word as written to the terms it is found by: folding, parts of identifiers, stop words, stems. Part of words.c,
 * which cuts text into words and remembers the answers. Not thread-safe; one struct a thread. */
#ifndef CORPUSFS_TOKEN_WORD_FORMS_H
#define CORPUSFS_TOKEN_WORD_FORMS_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* What a code point does to the words around it. */
enum word_class {
	WORD_BREAK,    /* between words */
	WORD_LOWER,    /* letters without case count as lower case */
	WORD_UPPER,
	WORD_DIGIT,
	WORD_JOINER,   /* underscore and its kind: inside a word, between its parts */
	WORD_EXTEND,   /* marks and format characters: belong to what stands before, and begin no word */
	WORD_UNSPACED, /* scripts that put no blanks between words: CJK, Hangul, Thai, Lao, Khmer, Myanmar */
};

enum word_class word_class(uint32_t code_point);

/* The next word of a text at or after *at, which moves past it; a character of WORD_UNSPACED is a word by itself. False at the end. */
bool word_forms_next(struct span text, size_t *at, struct span *ret);

struct word_forms;
int word_forms_new(struct word_forms **ret);
void word_forms_free(struct word_forms *f);

/* Receives a term of 1..LIMIT_TERM_BYTES bytes, valid during the call. A non-zero return ends the calls and is passed on. */
typedef int word_form_fn(void *context, struct span term);

/* The terms of one word (no WORD_BREAK and no WORD_UNSPACED inside): the whole and, where it has several, its parts. */
int word_forms_of_word(struct word_forms *f, struct span word, word_form_fn *each, void *context);
/* The terms of a run of WORD_UNSPACED: every pair of neighbours, or the character itself when it stands alone. */
int word_forms_of_run(struct span run, word_form_fn *each, void *context);
/* A word's spelling for comparison: folded, not stemmed, not parted. *ret is borrowed from f until its next use. 0 or -ENOMEM. */
int word_forms_fold(struct word_forms *f, struct span word, struct span *ret);
/* True when a term is the stem of one of the words that questions consist of beside their subject. */
bool word_forms_is_filler(const struct word_forms *f, struct span term);

#endif
