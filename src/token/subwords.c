/* Text to WordPiece ids, equal to the `tokenizers` library's BertNormalizer + BertPreTokenizer + WordPiece without unknowns.
 *
 * Nearly all words are runs of ASCII letters and digits between ASCII spaces and punctuation. Those are lower-cased in registers
 * and looked up in a cache of words seen before; everything else goes code point by code point through the rules as they are
 * written. Both roads end in encode_word(). */
#include "token/subwords.h"

#include "base/cleanup.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum {
	MAX_ENTRIES = 1 << 20,
	MAX_ENTRY_BYTES = 255,
	MAX_WORD_CHARACTERS = 100,                /* max_input_chars_per_word of WordPiece */
	MAX_WORD_BYTES = MAX_WORD_CHARACTERS * 4, /* also the most ids that one word can give */
	CACHED_WORD_BYTES = 16,
	CACHED_WORD_IDS = 3, /* makes an entry half a cache line; holds 98 words in 100 */
	CACHE_BITS = 14,
	CACHE_SLOTS = 1 << CACHE_BITS, /* 512 KiB: what a core's own cache holds beside the text */
	MAX_DECOMPOSITION = 32,
};

static const uint32_t NO_ID = UINT32_MAX;
/* Any odd numbers with well mixed bits will do (these are 2^64 over the golden ratio, and SplitMix64's second one). */
static const uint64_t HASH_BASE = 0x9E3779B97F4A7C15u, HASH_MIX = 0xBF58476D1CE4E5B9u;

enum byte_class { BYTE_WORD, BYTE_SPACE, BYTE_PUNCTUATION, BYTE_OTHER };

struct entry {
	const char *text;
	uint32_t id;
	uint16_t size;
	bool continues; /* was written with "##" */
};

/* Slots are open-addressed; the tag decides most misses without touching the entry. */
struct slot {
	uint32_t tag;
	uint32_t entry; /* index + 1; 0 is free */
};

struct subwords {
	struct entry *entries;
	size_t entry_count;
	struct slot *slots;
	size_t slot_mask;
	size_t longest;                       /* bytes of the longest entry, "##" not counted */
	uint64_t powers[MAX_ENTRY_BYTES + 1]; /* of HASH_BASE */
	uint8_t classes[256];
	uint32_t punctuation[128]; /* id of the character as a word of its own, or NO_ID */
};

struct cached_word {
	uint64_t text[2]; /* the word's bytes as loaded, zero-padded; a word holds no NUL */
	uint32_t ids[CACHED_WORD_IDS];
	uint32_t count; /* of ids */
};

struct subword_scratch {
	uint32_t *ids;
	size_t count, capacity;
	char word[MAX_WORD_BYTES]; /* the word being gathered on the slow road */
	size_t word_bytes, word_characters;
	struct cached_word cache[CACHE_SLOTS];
};

/* --- vocabulary --- */

static uint64_t hash_finish(uint64_t h, bool continues)
{
	h = (h + continues) * HASH_MIX;
	return h ^ h >> 32;
}

/* Polynomial, so that a prefix table gives the hash of any part of a word in one step. */
static uint64_t hash_text(const char *text, size_t size)
{
	uint64_t h = 0;
	for (size_t i = 0; i < size; i++)
		h = h * HASH_BASE + (unsigned char)text[i] + 1;
	return h;
}

static const struct entry *find_entry(const struct subwords *s, uint64_t hash, const char *text, size_t size, bool continues)
{
	for (size_t at = hash & s->slot_mask; s->slots[at].entry; at = (at + 1) & s->slot_mask) {
		if (s->slots[at].tag != (uint32_t)(hash >> 32))
			continue;
		const struct entry *e = &s->entries[s->slots[at].entry - 1];
		if (e->size == size && e->continues == continues && memcmp(e->text, text, size) == 0)
			return e;
	}
	return NULL;
}

static int add_entry(struct subwords *s, const char *text, size_t size, uint32_t id)
{
	bool continues = size > 2 && text[0] == '#' && text[1] == '#';
	if (size == 0 || size > MAX_ENTRY_BYTES || !utf8_is_valid((struct span){text, size}))
		return -EINVAL;
	text += continues ? 2 : 0;
	size -= continues ? 2 : 0;
	uint64_t hash = hash_finish(hash_text(text, size), continues);
	if (find_entry(s, hash, text, size, continues))
		return -EINVAL;
	s->entries[s->entry_count++] = (struct entry){text, id, (uint16_t)size, continues};
	size_t at = hash & s->slot_mask;
	while (s->slots[at].entry)
		at = (at + 1) & s->slot_mask;
	s->slots[at] = (struct slot){(uint32_t)(hash >> 32), (uint32_t)s->entry_count};
	if (size > s->longest)
		s->longest = size;
	return 0;
}

static size_t count_lines(struct span text)
{
	size_t lines = 0;
	for (size_t at = 0; at < text.size; at++)
		lines += text.data[at] == '\n' || at + 1 == text.size;
	return lines;
}

static int add_lines(struct subwords *s, struct span vocabulary)
{
	for (size_t at = 0; at < vocabulary.size;) {
		const char *line = vocabulary.data + at;
		const char *end = memchr(line, '\n', vocabulary.size - at);
		size_t size = end ? (size_t)(end - line) : vocabulary.size - at;
		int rc = add_entry(s, line, size, (uint32_t)s->entry_count);
		if (rc < 0)
			return rc;
		at += size + 1;
	}
	return 0;
}

static bool is_ascii_punctuation(unsigned c)
{
	return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
}

static void fill_tables(struct subwords *s)
{
	s->powers[0] = 1;
	for (size_t i = 1; i <= MAX_ENTRY_BYTES; i++)
		s->powers[i] = s->powers[i - 1] * HASH_BASE;
	memset(s->classes, BYTE_OTHER, sizeof s->classes);
	for (unsigned c = 0; c < 128; c++) {
		char byte = (char)c;
		const struct entry *e = find_entry(s, hash_finish(hash_text(&byte, 1), false), &byte, 1, false);
		s->punctuation[c] = e ? e->id : NO_ID;
		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
			s->classes[c] = BYTE_WORD;
		else if (is_ascii_punctuation(c))
			s->classes[c] = BYTE_PUNCTUATION;
		else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			s->classes[c] = BYTE_SPACE;
	}
}

static void free_subwords(struct subwords **s)
{
	subwords_free(*s);
}

int subwords_new(struct span vocabulary, struct subwords **ret)
{
	size_t lines = count_lines(vocabulary), slots = 1024;
	if (lines == 0 || lines > MAX_ENTRIES)
		return -EINVAL;
	while (slots < 2 * lines)
		slots *= 2;
	struct subwords *CLEANUP(free_subwords) s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->entries = calloc(lines, sizeof *s->entries);
	s->slots = calloc(slots, sizeof *s->slots);
	if (!s->entries || !s->slots)
		return -ENOMEM;
	s->slot_mask = slots - 1;
	int rc = add_lines(s, vocabulary);
	if (rc < 0)
		return rc;
	fill_tables(s);
	*ret = STEAL(s);
	return 0;
}

void subwords_free(struct subwords *s)
{
	if (!s)
		return;
	free(s->entries);
	free(s->slots);
	free(s);
}

/* --- scratch --- */

int subword_scratch_new(const struct subwords *s, struct subword_scratch **ret)
{
	(void)s; /* a cache is filled from one vocabulary only; the parameter keeps callers from sharing one between two */
	struct subword_scratch *scratch = calloc(1, sizeof *scratch);
	if (!scratch)
		return -ENOMEM;
	*ret = scratch;
	return 0;
}

void subword_scratch_free(struct subword_scratch *scratch)
{
	if (!scratch)
		return;
	free(scratch->ids);
	free(scratch);
}

static int reserve_ids(struct subword_scratch *scratch, size_t extra)
{
	if (scratch->capacity - scratch->count >= extra)
		return 0;
	size_t capacity = 2 * (scratch->count + extra);
	uint32_t *ids = reallocarray(scratch->ids, capacity, sizeof *ids);
	if (!ids)
		return -ENOMEM;
	scratch->ids = ids;
	scratch->capacity = capacity;
	return 0;
}

/* --- words to ids --- */

/* Greedy longest match of a lower-cased word. Returns the number of ids written, 0 when a part of the word has no match. */
static size_t match_word(const struct subwords *s, const char *word, size_t size, uint32_t ids[MAX_WORD_BYTES])
{
	uint64_t prefix[MAX_WORD_BYTES + 1];
	prefix[0] = 0;
	for (size_t i = 0; i < size; i++)
		prefix[i + 1] = prefix[i] * HASH_BASE + (unsigned char)word[i] + 1;
	size_t count = 0;
	for (size_t start = 0; start < size;) {
		const struct entry *e = NULL;
		size_t part = size - start < s->longest ? size - start : s->longest;
		/* Entries are whole characters, so a match that starts at a character ends at one. */
		for (; part > 0 && !e; part -= !e) {
			uint64_t hash = hash_finish(prefix[start + part] - prefix[start] * s->powers[part], start > 0);
			e = find_entry(s, hash, word + start, part, start > 0);
		}
		if (!e)
			return 0;
		ids[count++] = e->id;
		start += part;
	}
	return count;
}

static int encode_uncached(const struct subwords *s, struct subword_scratch *scratch, const char *word, size_t size)
{
	int rc = reserve_ids(scratch, MAX_WORD_BYTES);
	if (rc < 0)
		return rc;
	scratch->count += match_word(s, word, size, scratch->ids + scratch->count);
	return 0;
}

static int fill_cached(const struct subwords *s, struct subword_scratch *scratch, const uint64_t text[2], size_t size,
                       struct cached_word *cached)
{
	char word[CACHED_WORD_BYTES];
	memcpy(word, text, sizeof word);
	size_t before = scratch->count;
	int rc = encode_uncached(s, scratch, word, size);
	if (rc < 0)
		return rc;
	size_t count = scratch->count - before;
	if (count > CACHED_WORD_IDS)
		return 0;
	*cached = (struct cached_word){.text = {text[0], text[1]}, .count = (uint32_t)count};
	memcpy(cached->ids, scratch->ids + before, count * sizeof *cached->ids);
	return 0;
}

/* `text` is a lower-cased word of `size` <= CACHED_WORD_BYTES bytes, zero-padded. */
static int encode_cached(const struct subwords *s, struct subword_scratch *scratch, const uint64_t text[2], size_t size)
{
	uint64_t hash = (text[0] ^ text[1] * HASH_BASE) * HASH_MIX;
	struct cached_word *cached = &scratch->cache[hash >> (64 - CACHE_BITS)];
	/* A zeroed slot cannot be taken for a word: no word is empty. */
	if (cached->text[0] != text[0] || cached->text[1] != text[1])
		return fill_cached(s, scratch, text, size, cached);
	int rc = reserve_ids(scratch, CACHED_WORD_IDS);
	if (rc < 0)
		return rc;
	memcpy(scratch->ids + scratch->count, cached->ids, sizeof cached->ids);
	scratch->count += cached->count;
	return 0;
}

/* A normalised word of any kind. */
static int encode_word(const struct subwords *s, struct subword_scratch *scratch, const char *word, size_t size)
{
	if (size > CACHED_WORD_BYTES)
		return encode_uncached(s, scratch, word, size);
	uint64_t text[2] = {0, 0};
	memcpy(text, word, size);
	return encode_cached(s, scratch, text, size);
}

/* A run of ASCII letters and digits at text[at]. In such bytes, bit 5 is set in digits and small letters already. */
static int encode_ascii_word(const struct subwords *s, struct subword_scratch *scratch, struct span text, size_t at, size_t size)
{
	static const uint64_t lower = 0x2020202020202020u;
	if (size > MAX_WORD_CHARACTERS)
		return 0;
	if (size > CACHED_WORD_BYTES) {
		char word[MAX_WORD_CHARACTERS];
		for (size_t i = 0; i < size; i++)
			word[i] = (char)(text.data[at + i] | 0x20);
		return encode_uncached(s, scratch, word, size);
	}
	uint64_t word[2] = {0, 0};
	memcpy(word, text.data + at, size);
	word[0] |= lower;
	word[1] |= lower;
	static const uint8_t ones[2 * CACHED_WORD_BYTES] = {255, 255, 255, 255, 255, 255, 255, 255,
	                                                    255, 255, 255, 255, 255, 255, 255, 255};
	uint64_t mask[2];
	memcpy(mask, ones + CACHED_WORD_BYTES - size, sizeof mask);
	word[0] &= mask[0];
	word[1] &= mask[1];
	return encode_cached(s, scratch, word, size);
}

/* --- the slow road: any code point --- */

static bool is_cjk(uint32_t c)
{
	/* The blocks of BertNormalizer, its gap at U+2B820..2B91F included. */
	return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
	       (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
	       (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static bool is_removed(uint32_t c, utf8proc_category_t category)
{
	if (c == '\t' || c == '\n' || c == '\r')
		return false;
	return c == 0 || c == 0xFFFD || category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
	       category == UTF8PROC_CATEGORY_CO;
}

static bool is_space(uint32_t c, utf8proc_category_t category)
{
	return (c >= 9 && c <= 13) || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
	       category == UTF8PROC_CATEGORY_ZP;
}

static bool is_punctuation(uint32_t c, utf8proc_category_t category)
{
	return (c < 128 && is_ascii_punctuation(c)) || (category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO);
}

static int end_word(const struct subwords *s, struct subword_scratch *scratch)
{
	size_t size = scratch->word_bytes, characters = scratch->word_characters;
	scratch->word_bytes = scratch->word_characters = 0;
	if (characters == 0 || characters > MAX_WORD_CHARACTERS)
		return 0;
	return encode_word(s, scratch, scratch->word, size);
}

static void add_character(struct subword_scratch *scratch, uint32_t c)
{
	/* A word that is too long is counted on, and dropped at its end. */
	if (scratch->word_characters++ < MAX_WORD_CHARACTERS)
		scratch->word_bytes += utf8_encode(c, scratch->word + scratch->word_bytes);
}

/* One code point after decomposition. */
static int take_decomposed(const struct subwords *s, struct subword_scratch *scratch, uint32_t c, bool alone)
{
	utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
	if (category == UTF8PROC_CATEGORY_MN)
		return 0;
	c = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
	if (is_space(c, category))
		return end_word(s, scratch);
	if (!alone && !is_punctuation(c, category)) {
		add_character(scratch, c);
		return 0;
	}
	int rc = end_word(s, scratch);
	if (rc < 0)
		return rc;
	add_character(scratch, c);
	return end_word(s, scratch);
}

/* One code point of the text: cleaned, CJK set apart, decomposed (NFD), accents dropped, lower-cased. The order of combining marks
 * need not be made canonical: those that stay are in no entry, so their word is unknown in any order. */
static int take_code_point(const struct subwords *s, struct subword_scratch *scratch, uint32_t c)
{
	if (is_removed(c, utf8proc_category((utf8proc_int32_t)c)))
		return 0;
	utf8proc_int32_t parts[MAX_DECOMPOSITION];
	int boundary = UTF8PROC_BOUNDCLASS_START;
	utf8proc_ssize_t count =
	        utf8proc_decompose_char((utf8proc_int32_t)c, parts, MAX_DECOMPOSITION, UTF8PROC_DECOMPOSE, &boundary);
	for (utf8proc_ssize_t i = 0; i < count && i < MAX_DECOMPOSITION; i++) {
		int rc = take_decomposed(s, scratch, (uint32_t)parts[i], is_cjk(c));
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* From text[at] up to the next ASCII space or punctuation, where no rule reaches across. Returns the end. */
static int encode_segment(const struct subwords *s, struct subword_scratch *scratch, struct span text, size_t at, size_t max_ids,
                          size_t *ret_end)
{
	int rc = 0;
	while (rc == 0 && at < text.size && scratch->count < max_ids) {
		uint8_t class = s->classes[(unsigned char)text.data[at]];
		if (class == BYTE_SPACE || class == BYTE_PUNCTUATION)
			break;
		uint32_t c;
		size_t bytes = utf8_decode(text, at, &c);
		if (bytes > 0)
			rc = take_code_point(s, scratch, c);
		at += bytes > 0 ? bytes : 1; /* what is not UTF-8 counts as U+FFFD, which is removed */
	}
	if (rc == 0)
		rc = end_word(s, scratch);
	if (rc == 0)
		*ret_end = at;
	return rc;
}

/* --- text --- */

static int encode_punctuation(const struct subwords *s, struct subword_scratch *scratch, unsigned char c)
{
	if (s->punctuation[c] == NO_ID)
		return 0;
	int rc = reserve_ids(scratch, 1);
	if (rc == 0)
		scratch->ids[scratch->count++] = s->punctuation[c];
	return rc;
}

/* The word or segment at text[at], which is neither a space nor punctuation. */
static int encode_run(const struct subwords *s, struct subword_scratch *scratch, struct span text, size_t at, size_t max_ids,
                      size_t *ret_end)
{
	size_t end = at;
	while (end < text.size && s->classes[(unsigned char)text.data[end]] == BYTE_WORD)
		end++;
	if (end < text.size && s->classes[(unsigned char)text.data[end]] == BYTE_OTHER)
		return encode_segment(s, scratch, text, at, max_ids, ret_end);
	int rc = encode_ascii_word(s, scratch, text, at, end - at);
	if (rc == 0)
		*ret_end = end;
	return rc;
}

int subwords_encode(const struct subwords *s, struct subword_scratch *scratch, struct span text, size_t max_ids,
                    const uint32_t **ret_ids, size_t *ret_count)
{
	scratch->count = 0;
	int rc = reserve_ids(scratch, 1);
	for (size_t at = 0; rc == 0 && at < text.size && scratch->count < max_ids;) {
		uint8_t class = s->classes[(unsigned char)text.data[at]];
		if (class == BYTE_SPACE)
			at++;
		else if (class == BYTE_PUNCTUATION)
			rc = encode_punctuation(s, scratch, (unsigned char)text.data[at++]);
		else
			rc = encode_run(s, scratch, text, at, max_ids, &at);
	}
	if (rc < 0)
		return rc;
	*ret_ids = scratch->ids;
	*ret_count = scratch->count < max_ids ? scratch->count : max_ids;
	return 0;
}
