/* Text -> counted terms: see words.h. This is the hot loop of indexing. Text is cut into words by a table of byte classes; what a
 * word stands for (folding, parts, stem: word_forms.c) is remembered under its bytes, so that most words cost one look into
 * a cache and one into the counts. */
#include "token/words.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "token/term_pool.h"
#include "token/word_cut.h"
#include "token/word_forms.h"

#include <errno.h>
#include <stdlib.h>

enum {
	MEMO_KEY = 16,		  /* bytes of a word that is remembered; longer ones are rare and worked out each time */
	MEMO_WAYS = 4,		  /* a set-associative cache: bounded in size and, whatever the words, in the length of a probe */
	MEMO_SETS = 8192,
	MEMO_LIST_MAX = 64,	  /* terms of a word; word_forms gives at most 2 * (16 + 1) */
	MEMO_LISTS_MAX = 1 << 16, /* numbers kept for words with several terms */
	POOL_TERMS_MAX = 1 << 17, /* terms kept from one document to the next */
	KEEP_POSTINGS = 1 << 20,  /* memory for more is given back after the document that needed it */
};

struct memo_key {
	uint64_t low, high; /* the word's bytes, zero-padded; 0, 0 for an empty place */
};

struct memo_value {
	uint32_t first; /* the number of its only term, or where its numbers begin in `lists` */
	uint32_t count; /* terms: none for a stop word */
};

struct memo {
	struct memo_key keys[MEMO_SETS][MEMO_WAYS];
	struct memo_value values[MEMO_SETS][MEMO_WAYS];
	uint8_t victim[MEMO_SETS];
	uint32_t list_count;
	uint32_t lists[MEMO_LISTS_MAX];
};

struct words {
	struct word_forms *forms;
	struct memo *memo;
	struct term_pool pool;
	/* What the document has so far. A pooled term is in the document when numbers[its local] is its own number, so nothing has to be
	 * cleared between documents. */
	uint32_t *numbers; /* local -> number */
	uint32_t term_count, term_capacity;
	struct term_posting *postings;
	uint32_t posting_count, posting_capacity;
	uint32_t chunk, chunk_first; /* the current chunk and its first posting */
	uint64_t chunk_length;
	struct term *terms; /* of the result, made at the end because the pool's bytes move */
	uint32_t *lengths;
	struct term_postings result;
};

int words_new(struct words **ret)
{
	struct words *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	term_pool_init(&w->pool);
	w->memo = calloc(1, sizeof(*w->memo));
	if (!w->memo || word_forms_new(&w->forms)) {
		words_free(w);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}

static void free_counts(struct words *w)
{
	free(w->numbers);
	free(w->postings);
	free(w->terms);
	w->numbers = NULL;
	w->postings = NULL;
	w->terms = NULL;
	w->term_capacity = w->posting_capacity = 0;
}

void words_free(struct words *w)
{
	if (!w)
		return;
	word_forms_free(w->forms);
	free(w->memo);
	term_pool_release(&w->pool);
	free_counts(w);
	free(w->lengths);
	free(w);
}

/* --- counting ------------------------------------------------------------------------------------------------------ */

static int grow_terms(struct words *w)
{
	uint32_t capacity = w->term_capacity ? w->term_capacity * 2 : 1024;
	uint32_t *numbers = realloc(w->numbers, capacity * sizeof(*numbers));
	if (!numbers)
		return -ENOMEM;
	w->numbers = numbers;
	w->term_capacity = capacity;
	return 0;
}

static int grow_postings(struct words *w)
{
	uint32_t capacity = w->posting_capacity ? w->posting_capacity * 2 : 4096;
	struct term_posting *postings = realloc(w->postings, capacity * sizeof(*postings));
	if (!postings)
		return -ENOMEM;
	w->postings = postings;
	w->posting_capacity = capacity;
	return 0;
}

static int count_new(struct words *w, uint32_t number)
{
	struct pooled_term *t = &w->pool.terms[number];
	if (w->posting_count == w->posting_capacity && grow_postings(w))
		return -ENOMEM;
	if (t->local >= w->term_count || w->numbers[t->local] != number) {
		if (w->term_count == w->term_capacity && grow_terms(w))
			return -ENOMEM;
		t->local = w->term_count++;
		w->numbers[t->local] = number;
	}
	t->posting = w->posting_count++;
	w->postings[t->posting] = (struct term_posting){.chunk = w->chunk, .term = t->local, .count = 1};
	w->chunk_length++;
	return 0;
}

static inline int count_term(struct words *w, uint32_t number)
{
	const struct pooled_term *t = &w->pool.terms[number];
	bool counted = t->local < w->term_count && w->numbers[t->local] == number && t->posting >= w->chunk_first;
	if (!counted)
		return count_new(w, number);
	w->postings[t->posting].count++;
	w->chunk_length++;
	return 0;
}

static int count_form(void *context, struct span term)
{
	struct words *w = context;
	uint32_t number;
	int result = term_pool_add(&w->pool, term, &number);
	return result ? result : count_term(w, number);
}

/* --- words already seen -------------------------------------------------------------------------------------------- */

/* The first `size` <= MEMO_KEY bytes at `s`, of which `readable` may be read. */
static inline struct memo_key memo_key(const char *s, size_t size, size_t readable)
{
	struct memo_key key = {0, 0};
	if (readable < MEMO_KEY) {
		memcpy(&key, s, size);
		return key;
	}
	memcpy(&key, s, sizeof(key));
	unsigned bits = 8 * (unsigned)size;
	if (bits < 64) {
		key.low &= ((uint64_t)1 << bits) - 1;
		key.high = 0;
	} else if (bits < 128) {
		key.high &= ((uint64_t)1 << (bits - 64)) - 1;
	}
	return key;
}

static inline uint32_t memo_set(const struct memo_key *key)
{
	/* Odd multipliers from the golden ratio; the high bits of a product depend on all bits below. */
	uint64_t h = (key->low ^ (key->high * 0x9e3779b97f4a7c15u)) * 0xd6e8feb86659fd93u;
	return (uint32_t)(h >> 32) & (MEMO_SETS - 1);
}

struct form_list {
	struct words *w;
	uint32_t count;
	uint32_t numbers[MEMO_LIST_MAX];
};

static int collect_form(void *context, struct span term)
{
	struct form_list *list = context;
	if (list->count == MEMO_LIST_MAX)
		return 0;
	return term_pool_add(&list->w->pool, term, &list->numbers[list->count++]);
}

static void memo_put(struct memo *m, const struct memo_key *key, uint32_t set, const struct form_list *list)
{
	struct memo_value value = {.first = list->numbers[0], .count = list->count};
	if (list->count > 1) {
		if (m->list_count + list->count > MEMO_LISTS_MAX)
			memset(m, 0, sizeof(*m));
		value.first = m->list_count;
		memcpy(m->lists + m->list_count, list->numbers, list->count * sizeof(list->numbers[0]));
		m->list_count += list->count;
	}
	unsigned way = m->victim[set]++ % MEMO_WAYS;
	m->keys[set][way] = *key;
	m->values[set][way] = value;
}

static int count_unseen(struct words *w, const struct memo_key *key, uint32_t set, struct span word)
{
	struct form_list list = {.w = w};
	int result = word_forms_of_word(w->forms, word, collect_form, &list);
	if (result)
		return result;
	memo_put(w->memo, key, set, &list);
	for (uint32_t i = 0; !result && i < list.count; i++)
		result = count_term(w, list.numbers[i]);
	return result;
}

static inline int count_word(struct words *w, struct span text, size_t start, size_t end)
{
	struct span word = {text.data + start, end - start};
	if (word.size > MEMO_KEY)
		return word_forms_of_word(w->forms, word, count_form, w);
	struct memo_key key = memo_key(word.data, word.size, text.size - start);
	uint32_t set = memo_set(&key);
	const struct memo *m = w->memo;
	for (unsigned way = 0; way < MEMO_WAYS; way++) {
		if (m->keys[set][way].low != key.low || m->keys[set][way].high != key.high)
			continue;
		struct memo_value value = m->values[set][way];
		if (value.count == 1)
			return count_term(w, value.first);
		int result = 0;
		for (uint32_t i = 0; !result && i < value.count; i++)
			result = count_term(w, m->lists[value.first + i]);
		return result;
	}
	return count_unseen(w, &key, set, word);
}

/* --- cutting text into words --------------------------------------------------------------------------------------- */

/* At the first byte of a code point beyond ASCII, outside a word: takes what begins there, and moves *at past it. */
static int take_unicode(struct words *w, struct span text, size_t *at)
{
	uint32_t c;
	size_t start = *at, size = utf8_decode(text, start, &c);
	enum word_class class = size ? word_class(c) : WORD_BREAK;
	*at += size ? size : 1;
	if (class == WORD_BREAK || class == WORD_EXTEND)
		return 0;
	if (class != WORD_UNSPACED) {
		*at = word_cut_end(text, start, *at);
		return count_word(w, text, start, *at);
	}
	while ((size = utf8_decode(text, *at, &c)) > 0 && word_class(c) == WORD_UNSPACED)
		*at += size;
	return word_forms_of_run((struct span){text.data + start, *at - start}, count_form, w);
}

static int count_text(struct words *w, struct span text)
{
	const unsigned char *p = (const unsigned char *)text.data;
	int result = 0;
	for (size_t at = 0; !result && at < text.size;) {
		uint8_t class = word_bytes[p[at]];
		if (class & BYTE_WORD) {
			size_t start = at;
			at = word_cut_end(text, start, at + 1);
			result = count_word(w, text, start, at);
		} else if (class & BYTE_HIGH) {
			result = take_unicode(w, text, &at);
		} else {
			at++;
		}
	}
	return result;
}

/* --- documents and queries ----------------------------------------------------------------------------------------- */

static int begin_document(struct words *w, size_t chunk_count)
{
	if (w->pool.count > POOL_TERMS_MAX) {
		term_pool_release(&w->pool);
		memset(w->memo, 0, sizeof(*w->memo));
	}
	if (w->posting_capacity > KEEP_POSTINGS)
		free_counts(w);
	w->term_count = w->posting_count = 0;
	uint32_t *lengths = realloc(w->lengths, (chunk_count ? chunk_count : 1) * sizeof(*lengths));
	if (!lengths)
		return -ENOMEM;
	w->lengths = lengths;
	return 0;
}

static int finish_document(struct words *w, size_t chunk_count)
{
	struct term *terms = realloc(w->terms, (w->term_count ? w->term_count : 1) * sizeof(*terms));
	if (!terms)
		return -ENOMEM;
	w->terms = terms;
	for (uint32_t i = 0; i < w->term_count; i++) {
		const struct pooled_term *t = &w->pool.terms[w->numbers[i]];
		terms[i] = (struct term){.text = w->pool.bytes + t->offset, .size = t->size};
	}
	w->result = (struct term_postings){.terms = terms,
					   .term_count = w->term_count,
					   .postings = w->postings,
					   .posting_count = w->posting_count,
					   .chunk_lengths = w->lengths,
					   .chunk_count = (uint32_t)chunk_count};
	return 0;
}

int words_of_chunks(struct words *w, const struct span *chunks, size_t count, const struct term_postings **ret)
{
	if (count > LIMIT_CHUNKS)
		return -EFBIG;
	int result = begin_document(w, count);
	for (size_t i = 0; !result && i < count; i++) {
		w->chunk = (uint32_t)i;
		w->chunk_first = w->posting_count;
		w->chunk_length = 0;
		result = count_text(w, chunks[i]);
		w->lengths[i] = w->chunk_length < UINT32_MAX ? (uint32_t)w->chunk_length : UINT32_MAX;
	}
	if (!result)
		result = finish_document(w, count);
	if (!result)
		*ret = &w->result;
	return result;
}

/* In the one chunk of a query, posting i is that of term i. Keeps those for which keep[i]. */
static void keep_terms(struct words *w, const bool *keep)
{
	struct term_postings *r = &w->result;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < r->term_count && kept < LIMIT_QUERY_TERMS; i++) {
		if (!keep[i])
			continue;
		r->terms[kept] = r->terms[i];
		r->postings[kept] = (struct term_posting){.term = kept, .count = r->postings[i].count};
		kept++;
	}
	r->term_count = r->posting_count = kept;
	r->chunk_lengths[0] = 0;
	for (uint32_t i = 0; i < kept; i++)
		r->chunk_lengths[0] += r->postings[i].count;
}

int words_of_query(struct words *w, struct span query, const struct term_postings **ret)
{
	const struct term_postings *all;
	int result = words_of_chunks(w, &query, 1, &all);
	if (result)
		return result;
	bool *keep = malloc(all->term_count + 1);
	if (!keep)
		return -ENOMEM;
	uint32_t left = 0;
	for (uint32_t i = 0; i < all->term_count; i++) {
		keep[i] = !word_forms_is_filler(w->forms, (struct span){all->terms[i].text, all->terms[i].size});
		left += keep[i];
	}
	if (!left)
		memset(keep, true, all->term_count);
	keep_terms(w, keep);
	free(keep);
	*ret = &w->result;
	return 0;
}
