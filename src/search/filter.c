/* Which chunks may appear: those of documents that the caller admits, that have every quoted phrase and no excluded word. */
#include "base/cleanup.h"
#include "chunk/chunk.h"
#include "search/stages.h"
#include "token/phrase.h"
#include "token/words.h"

#include <errno.h>
#include <stdlib.h>

/* --- documents of chunks ------------------------------------------------------------------------------------------- */

/* An empty bitmap with a bit for every document of the index. */
static int clear_docs(struct searcher *s)
{
	uint32_t last = 0;
	for (uint32_t i = 0; i < s->segment_count; i++)
		for (uint32_t k = 0; k < s->segments[i].count; k++)
			last = s->segments[i].docs[k] > last ? s->segments[i].docs[k] : last;
	size_t words = (size_t)last / 64 + 1;
	if (words > s->doc_words) {
		free(s->docs);
		s->docs = malloc(words * sizeof(*s->docs));
		s->doc_words = s->docs ? words : 0;
	}
	if (!s->docs)
		return -ENOMEM;
	memset(s->docs, 0, s->doc_words * sizeof(*s->docs));
	return 0;
}

/* Sets the bits of the documents of these chunks. */
static void mark_docs(struct searcher *s, const uint64_t *chunks)
{
	for (uint32_t word = 0; word < s->capacity / 64; word++)
		for (uint64_t bits = chunks[word]; bits; bits &= bits - 1) {
			uint32_t doc = doc_of(s, word * 64 + (uint32_t)__builtin_ctzll(bits));
			s->docs[doc / 64] |= (uint64_t)1 << doc % 64;
		}
}

/* Leaves the bits of documents that may appear. Asks in the order of ids. */
static void ask_docs(struct searcher *s, const struct search_request *request)
{
	for (size_t word = 0; word < s->doc_words; word++)
		for (uint64_t bits = s->docs[word]; bits; bits &= bits - 1) {
			uint32_t doc = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits);
			if (!request->eligible(request->context, doc))
				s->docs[word] &= ~((uint64_t)1 << doc % 64);
		}
}

/* Keeps the chunks of documents whose bit is `keep`. */
static void keep_chunks(struct searcher *s, bool keep)
{
	for (uint32_t word = 0; word < s->capacity / 64; word++)
		for (uint64_t bits = s->eligible[word]; bits; bits &= bits - 1) {
			uint32_t i = (uint32_t)__builtin_ctzll(bits), doc = doc_of(s, word * 64 + i);
			if ((s->docs[doc / 64] >> doc % 64 & 1) != keep)
				s->eligible[word] &= ~((uint64_t)1 << i);
		}
}

static int filter_docs(struct searcher *s, const struct search_request *request)
{
	if (!request->eligible)
		return 0;
	int result = clear_docs(s);
	if (result)
		return result;
	mark_docs(s, s->eligible);
	ask_docs(s, request);
	keep_chunks(s, true);
	return 0;
}

static void free_phrase(struct phrase **phrase)
{
	phrase_free(*phrase);
}

/* --- words and phrases --------------------------------------------------------------------------------------------- */

/* Sets the bits of chunks that have the term; dead ones may be among them. */
static int mark_term(const struct searcher *s, struct store_read *r, const struct term *term, uint64_t *chunks)
{
	struct store_cursor *cursor;
	struct store_block block;
	int result = store_cursor_open(r, (struct span){term->text, term->size}, &cursor);
	if (result)
		return result == -ENOENT ? 0 : result;
	while ((result = store_cursor_next(cursor, &block)) > 0)
		for (uint32_t i = 0; i < block.count; i++)
			if (block.chunks[i] < s->capacity)
				chunks[block.chunks[i] / 64] |= (uint64_t)1 << block.chunks[i] % 64;
	store_cursor_close(cursor);
	return result;
}

/* Leaves in `chunks` those that have all terms of `text`, themselves or, with `pairs`, together with the chunk after them; leaves all when
 * it has none, being made of stop words. */
static int keep_chunks_with(struct searcher *s, struct store_read *r, struct span text, bool pairs, uint64_t *chunks, bool *ret_any)
{
	const struct term_postings *terms;
	int result = words_of_chunks(s->words, &text, 1, &terms);
	if (result)
		return result;
	uint32_t words = s->capacity / 64;
	uint64_t *CLEANUP_FREE having = malloc(((size_t)words + 1) * sizeof(*having));
	if (!having)
		return -ENOMEM;
	for (uint32_t t = 0; !result && t < terms->term_count; t++) {
		memset(having, 0, ((size_t)words + 1) * sizeof(*having));
		result = mark_term(s, r, &terms->terms[t], having);
		for (uint32_t i = 0; i < words; i++)
			chunks[i] &= pairs ? having[i] | having[i] >> 1 | having[i + 1] << 63 : having[i];
	}
	if (!result)
		*ret_any = terms->term_count > 0;
	return result;
}

/* The places of a phrase in one document. */
struct places {
	const struct chunk_list *chunks;
	uint32_t base, limit; /* id of its first chunk; ids are below */
	size_t chunk;	      /* the one in which the last place began: places come in order */
	uint64_t *marks;
};

/* Marks the chunks that a place touches: one as a rule, two where it goes over a cut. */
static int mark_place(void *context, size_t first, size_t end)
{
	struct places *p = context;
	while (p->chunk < p->chunks->count && p->chunks->chunks[p->chunk].end <= first)
		p->chunk++;
	for (size_t i = p->chunk; i < p->chunks->count && p->chunks->chunks[i].first < end; i++) {
		size_t id = p->base + i;
		if (id < p->limit)
			p->marks[id / 64] |= (uint64_t)1 << id % 64;
	}
	return 0;
}

static int mark_places(struct searcher *s, struct store_read *r, uint32_t id, struct phrase *phrase, uint64_t *marks)
{
	struct store_doc doc;
	struct span text, packed;
	struct chunk_list *chunks = NULL;
	int result = store_get_doc(r, id, &doc);
	if (!result)
		result = store_doc_text(r, id, &text);
	if (!result)
		result = store_doc_chunks(r, id, &packed);
	if (!result)
		result = chunk_list_unpack(packed, &chunks);
	if (!result) {
		struct places places = {.chunks = chunks, .base = doc.chunk_base, .limit = s->capacity, .marks = marks};
		result = phrase_each(phrase, text, mark_place, &places);
	}
	chunk_list_free(chunks);
	return result == -ENOENT ? -EIO : result;
}

/* Sets the bits of the chunks in which the phrase stands, those among which it begins being `candidates`. */
static int mark_phrase(struct searcher *s, struct store_read *r, struct span text, const uint64_t *candidates, uint64_t *marks)
{
	struct phrase *CLEANUP(free_phrase) phrase = NULL;
	int result = clear_docs(s);
	if (!result)
		result = phrase_new(text, &phrase);
	if (!result)
		mark_docs(s, candidates);
	for (size_t word = 0; !result && word < s->doc_words; word++)
		for (uint64_t bits = s->docs[word]; !result && bits; bits &= bits - 1)
			result = mark_places(s, r, (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits), phrase, marks);
	return result;
}

/* Leaves the chunks in which the phrase stands, wholly or in part. */
static int require_phrase(struct searcher *s, struct store_read *r, struct span phrase)
{
	uint32_t words = s->capacity / 64;
	uint64_t *CLEANUP_FREE candidates = malloc(words * sizeof(*candidates));
	uint64_t *CLEANUP_FREE marks = calloc(words, sizeof(*marks));
	bool any;
	if (!candidates || !marks)
		return -ENOMEM;
	/* It may begin in the chunk before one that is eligible. */
	for (uint32_t i = 0; i < words; i++)
		candidates[i] = s->eligible[i] | s->eligible[i] >> 1 | (i + 1 < words ? s->eligible[i + 1] << 63 : 0);
	int result = keep_chunks_with(s, r, phrase, true, candidates, &any);
	if (result || !any)
		return result;
	result = mark_phrase(s, r, phrase, candidates, marks);
	for (uint32_t i = 0; i < words; i++)
		s->eligible[i] &= marks[i];
	return result;
}

/* Documents that have the word, or the phrase, are left out whole. */
static int exclude(struct searcher *s, struct store_read *r, const struct syntax_item *item)
{
	size_t size = s->capacity / 64 * sizeof(*s->eligible);
	uint64_t *CLEANUP_FREE chunks = malloc(size);
	uint64_t *CLEANUP_FREE marks = calloc(1, size);
	bool any;
	if (!chunks || !marks)
		return -ENOMEM;
	memcpy(chunks, s->eligible, size);
	int result = keep_chunks_with(s, r, item->text, item->quoted, chunks, &any);
	if (result || !any)
		return result;
	if (item->quoted)
		result = mark_phrase(s, r, item->text, chunks, marks);
	if (!result)
		result = clear_docs(s);
	if (result)
		return result;
	mark_docs(s, item->quoted ? marks : chunks);
	keep_chunks(s, false);
	return 0;
}

int filter_chunks(struct searcher *s, struct store_read *r, const struct search_request *request, const struct syntax *syntax)
{
	if (!s->segment_count)
		return 0;
	int result = filter_docs(s, request);
	for (uint32_t i = 0; !result && i < syntax->excluded_count; i++)
		result = exclude(s, r, &syntax->excluded[i]);
	for (uint32_t i = 0; !result && i < syntax->required_count; i++)
		result = require_phrase(s, r, syntax->required[i].text);
	return result;
}
