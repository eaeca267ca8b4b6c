/* Typing errors: a word of the query that no document has is searched for as the known word one edit away that most chunks have.
 *
 * A caller who may not read everything must not learn from a correction what stands in the rest: for him a word is known when a document has it
 * that he may read. */
#include "asked.h"

#include "base/cleanup.h"
#include "base/utf8.h"
#include "token/edits.h"
#include "token/phrase.h"
#include "token/word_forms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Documents that are looked at for one which the caller may read. */
enum { VISIBLE_LOOKS = 256 };
/* Words of a query that are looked into: each costs some thousand look-ups, and a query in which more are unknown is in another language. */
enum { UNKNOWN_WORDS = 12 };
/* Words that may be none, each with the documents that are looked through for it, and bytes of text in all. */
enum { DOUBTFUL_WORDS = 8, DOUBTFUL_LOOKS = 8, DOUBTFUL_BYTES = 4 << 20 };

struct speller {
	struct store_read *read;
	struct access *access;
	struct embedder *embedder; /* or NULL */
	struct word_forms *forms;
	struct stem {
		char text[LIMIT_TERM_BYTES];
		size_t size;
		unsigned count; /* terms that the word has: 1 for a plain one */
	} stem;
	struct guess {
		char word[ASKED_WORD_BYTES];
		uint32_t chunks; /* that have it */
	} best, doubtful[DOUBTFUL_WORDS];
	uint32_t doubtful_count;
	struct phrase *phrase; /* of a doubtful word, while documents are looked at */
	size_t bytes_left;     /* of documents' text to look through */
	uint32_t last;	       /* document looked at last */
	bool has_lower;	       /* the query has small letters */
	unsigned unknown;      /* words for which edits were tried */
};

static void free_forms(struct word_forms **forms)
{
	word_forms_free(*forms);
}

/* --- known words --------------------------------------------------------------------------------------------------- */

static int keep_stem(void *context, struct span term)
{
	struct stem *s = context;
	if (!s->count++ && term.size <= sizeof(s->text)) {
		memcpy(s->text, term.data, term.size);
		s->size = term.size;
	}
	return 0;
}

/* A word that is indexed as one term, which is left in s->stem; not so are stop words, words that questions consist of, and names with parts. */
static int find_stem(struct speller *s, struct span word, bool *ret_plain)
{
	s->stem.count = 0;
	int r = word_forms_of_word(s->forms, word, keep_stem, &s->stem);
	*ret_plain = r == 0 && s->stem.count == 1 && !word_forms_is_filler(s->forms, (struct span){s->stem.text, s->stem.size});
	return r;
}

static int may_read(void *context, struct span path)
{
	struct speller *s = context;
	struct stat st;
	char text[LIMIT_PATH_BYTES + 1];
	if (path.size > LIMIT_PATH_BYTES)
		return 0;
	memcpy(text, path.data, path.size);
	text[path.size] = '\0';
	return access_may_read(s->access, text, &st);
}

/* Something about a document that has the word of s->stem and that the caller may read: 1 for yes, which ends the walk, 0, or -errno. */
typedef int look_fn(struct speller *s, uint32_t doc);

static int walk_block(struct speller *s, const struct store_block *block, look_fn *look, unsigned *looks)
{
	for (uint32_t i = 0; i < block->count && *looks; i++) {
		struct store_segment segment;
		uint32_t at = block->chunks[i] % STORE_SEGMENT_CHUNKS;
		int r = store_segment(s->read, block->chunks[i] / STORE_SEGMENT_CHUNKS, &segment);
		if (r < 0 || at >= segment.count)
			return -EIO;
		if (!(segment.live[at / 64] >> (at % 64) & 1) || segment.docs[at] == s->last)
			continue;
		s->last = segment.docs[at];
		--*looks;
		bool readable = access_sees_everything(s->access) || store_each_doc_path(s->read, s->last, may_read, s) == 1;
		r = readable ? look(s, s->last) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* Looks at no more than so many documents. */
static int walk_documents(struct speller *s, look_fn *look, unsigned looks)
{
	struct store_cursor *cursor;
	struct store_block block;
	int r = store_cursor_open(s->read, (struct span){s->stem.text, s->stem.size}, &cursor);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	s->last = 0;
	int found = 0;
	while (found == 0 && looks && (r = store_cursor_next(cursor, &block)) > 0)
		found = walk_block(s, &block, look, &looks);
	store_cursor_close(cursor);
	return r < 0 ? r : found;
}

static int is_there(struct speller *s, uint32_t doc)
{
	(void)s;
	(void)doc;
	return 1;
}

/* How many chunks have the word of s->stem; 0 for none that the caller may know of. */
static int count_chunks(struct speller *s, uint32_t *ret)
{
	struct store_term found = {0};
	int r = store_find_term(s->read, (struct span){s->stem.text, s->stem.size}, &found);
	if (r == -ENOENT || (r == 0 && !found.live_chunks)) {
		*ret = 0;
		return 0;
	}
	if (r == 0 && !access_sees_everything(s->access)) {
		r = walk_documents(s, is_there, VISIBLE_LOOKS);
		found.live_chunks = r > 0 ? found.live_chunks : 0;
	}
	*ret = found.live_chunks;
	return r < 0 ? r : 0;
}

/* --- corrections --------------------------------------------------------------------------------------------------- */

static bool knows_word(struct speller *s, struct span word)
{
	return s->embedder && embed_knows(s->embedder, word);
}

static void keep_guess(struct guess *g, struct span word, uint32_t chunks)
{
	memcpy(g->word, word.data, word.size);
	g->word[word.size] = '\0';
	g->chunks = chunks;
}

/* Among doubtful words the ones that most chunks have, in that order. */
static void keep_doubtful(struct speller *s, struct span word, uint32_t chunks)
{
	uint32_t at = s->doubtful_count;
	for (uint32_t i = 0; i < s->doubtful_count; i++)
		if (span_equal(span_of(s->doubtful[i].word), word))
			return;
	if (at == DOUBTFUL_WORDS && s->doubtful[--at].chunks >= chunks)
		return;
	s->doubtful_count = at + 1;
	for (; at > 0 && s->doubtful[at - 1].chunks < chunks; at--)
		s->doubtful[at] = s->doubtful[at - 1];
	keep_guess(&s->doubtful[at], word, chunks);
}

/* The index knows stems, not words: "contracteal" is as good to it as "contracts". What the model has as one token is a word, and so, nearly
 * always, is what equals its stem; anything else is looked for in the documents later. A word that nearly every text has is meant by far the most
 * often, whether it is indexed or not. */
static int try_edit(void *context, struct span edited)
{
	struct speller *s = context;
	uint32_t chunks = UINT32_MAX;
	bool plain = false;
	int r = edited.size < ASKED_WORD_BYTES ? find_stem(s, edited, &plain) : 0;
	if (r < 0 || s->stem.count > 1)
		return r;
	if (plain)
		r = count_chunks(s, &chunks);
	if (r < 0 || !chunks)
		return r;
	bool certain = !plain || span_equal(edited, (struct span){s->stem.text, s->stem.size}) || knows_word(s, edited);
	if (!certain)
		keep_doubtful(s, edited, chunks);
	else if (chunks > s->best.chunks)
		keep_guess(&s->best, edited, chunks);
	return 0;
}

static int has_guess(struct speller *s, uint32_t doc)
{
	struct span text;
	bool found = false;
	int r = store_doc_text(s->read, doc, &text);
	if (r < 0 || text.size > s->bytes_left)
		return r;
	s->bytes_left -= text.size;
	r = phrase_find(s->phrase, text, &found);
	return r < 0 ? r : found;
}

/* The first of the doubtful words that stands in one of the first documents with its stem. */
static int check_doubtful(struct speller *s)
{
	int found = 0;
	for (uint32_t i = 0; i < s->doubtful_count && found == 0; i++) {
		bool plain;
		struct span word = span_of(s->doubtful[i].word);
		found = find_stem(s, word, &plain);
		if (found == 0)
			found = phrase_new(word, &s->phrase);
		if (found == 0)
			found = walk_documents(s, has_guess, DOUBTFUL_LOOKS);
		phrase_free(s->phrase);
		s->phrase = NULL;
		if (found > 0)
			s->best = s->doubtful[i];
	}
	return found < 0 ? found : 0;
}

/* Letters alone: what has digits in it is a name or a number, which is meant as it stands. */
static bool is_letters(struct span word)
{
	uint32_t c;
	size_t size;
	for (size_t at = 0; at < word.size; at += size) {
		size = utf8_decode(word, at, &c);
		enum word_class class = size ? word_class(c) : WORD_BREAK;
		if (class != WORD_LOWER && class != WORD_UPPER)
			return false;
	}
	return true;
}

/* In a query that is not all in capitals such a word is an abbreviation. */
static bool is_upper(struct span word)
{
	for (size_t i = 0; i < word.size; i++)
		if (word.data[i] < 'A' || word.data[i] > 'Z')
			return false;
	return true;
}

static bool has_lower(struct span text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] >= 'a' && text.data[i] <= 'z')
			return true;
	return false;
}

/* A word, with or without an ending, that the model has as one token. */
static bool is_word(struct speller *s, struct span word)
{
	static const char *const endings[] = {"", "s", "es", "d", "ed", "ing", "ly"};
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		size_t n = strlen(endings[i]);
		if (word.size >= n + EDITS_LETTERS_MIN && memcmp(word.data + word.size - n, endings[i], n) == 0 &&
		    knows_word(s, (struct span){word.data, word.size - n}))
			return true;
	}
	return false;
}

/* Sets s->best, or leaves it empty where the word is known or nothing near to it is. A word that the model knows is one, although no document has it:
 * what is near to it is something else. */
static int correct(struct speller *s, struct span word)
{
	struct span folded;
	char copy[ASKED_WORD_BYTES];
	uint32_t chunks;
	bool plain = false;
	s->best = (struct guess){0};
	s->doubtful_count = 0;
	if (word.size >= sizeof(copy) || !is_letters(word) || (s->has_lower && is_upper(word)))
		return 0;
	int r = find_stem(s, word, &plain);
	if (r == 0 && plain)
		r = count_chunks(s, &chunks);
	if (r < 0 || !plain || chunks)
		return r;
	r = word_forms_fold(s->forms, word, &folded);
	if (r < 0 || folded.size >= sizeof(copy))
		return r;
	memcpy(copy, folded.data, folded.size);
	if (is_word(s, (struct span){copy, folded.size}) || s->unknown++ >= UNKNOWN_WORDS)
		return 0;
	r = edits_each((struct span){copy, folded.size}, try_edit, s);
	return r < 0 || s->best.chunks ? r : check_doubtful(s);
}

/* The words that may be mended: those outside of quotation marks, at their places in the text. The caller frees. */
static char *loose_words(const struct asked *a)
{
	struct span words = a->syntax.words, text = buf_span(&a->text);
	char *copy = malloc(words.size + 1);
	if (!copy)
		return NULL;
	memcpy(copy, words.data, words.size);
	for (uint32_t i = 0; i < a->syntax.required_count; i++) {
		struct span quoted = a->syntax.required[i].text;
		memset(copy + (quoted.data - text.data), ' ', quoted.size);
	}
	return copy;
}

static void note_mend(struct asked *a, struct span typed, const char *searched)
{
	struct asked_mend *m = &a->mends[a->mend_count++];
	memcpy(m->typed, typed.data, typed.size);
	m->typed[typed.size] = '\0';
	(void)snprintf(m->searched, sizeof(m->searched), "%s", searched);
}

/* Writes the text anew with what is mended. */
static int mend_words(struct speller *s, struct asked *a, struct span loose, struct buf *out)
{
	struct span text = buf_span(&a->text), word;
	size_t copied = 0;
	int r = 0;
	for (size_t at = 0; r == 0 && a->mend_count < ASKED_MENDED && word_forms_next(loose, &at, &word);) {
		r = correct(s, word);
		if (r < 0 || !s->best.chunks)
			continue;
		size_t first = (size_t)(word.data - loose.data);
		note_mend(a, word, s->best.word);
		buf_add(out, text.data + copied, first - copied);
		buf_add_string(out, s->best.word);
		copied = first + word.size;
	}
	buf_add(out, text.data + copied, text.size - copied);
	return r < 0 ? r : buf_error(out);
}

int asked_mend(struct asked *a, struct embedder *embedder, struct store_read *read, struct access *access)
{
	struct word_forms *CLEANUP(free_forms) forms = NULL;
	char *CLEANUP_FREE loose = loose_words(a);
	struct speller s = {.read = read, .access = access, .embedder = embedder, .bytes_left = DOUBTFUL_BYTES};
	int r = loose ? word_forms_new(&forms) : -ENOMEM;
	if (r < 0)
		return r;
	s.forms = forms;
	s.has_lower = has_lower(buf_span(&a->text));
	struct buf mended;
	buf_init(&mended, a->text.limit);
	r = mend_words(&s, a, (struct span){loose, a->syntax.words.size}, &mended);
	if (r < 0 || !a->mend_count) {
		buf_release(&mended);
		return r;
	}
	struct syntax syntax;
	r = syntax_parse(buf_span(&mended), &syntax);
	if (r < 0) {
		buf_release(&mended);
		return r;
	}
	syntax_release(&a->syntax);
	buf_release(&a->text);
	a->text = mended;
	a->syntax = syntax;
	return 0;
}
