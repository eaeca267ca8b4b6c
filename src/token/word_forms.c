/* Terms of a word: see word_forms.h; docs/ranking.md has the rules with their reasons and figures. */
#include "token/word_forms.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "token/word_cut.h"

#include <errno.h>
#include <libstemmer.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

enum {
	WORD_BYTES_MAX = 255, /* longer runs are encoded data, and nobody types them: dropped */
	PARTS_MAX = 16,	      /* an identifier with more parts is encoded data: indexed whole only */
	RUN_PIECE = 256,      /* code points of an unspaced run folded at a time */
};

/* The 33 English stop words of Lucene's StandardAnalyzer (EnglishAnalyzer.ENGLISH_STOP_WORDS_SET), sorted. */
static const char *const stop_words[] = {
	"a",	"an",	"and",	"are",	"as",	 "at",	  "be",	   "but",  "by",   "for",  "if",   "in",   "into", "is",   "it",   "no",  "not",
	"of",	"on",	"or",	"such", "that", "the",	  "their", "then", "there", "these", "they", "this", "to",   "was", "will", "with",
};

/* Words by which a question asks, as against what it asks about: question words, pronouns, auxiliary verbs and adverbs of degree,
 * and the verbs and nouns of requests ("find papers concerning..."). Dropped from queries only. Nouns that are as often the subject
 * ("information", "document") are not among them, although dropping those too scores as well. */
static const char *const filler_words[] = {
	"what", "which", "who", "whom", "whose", "when", "where", "why", "how", "do", "does", "did", "can", "could", "should",
	"would", "may", "might", "must", "shall", "has", "have", "had", "been", "being", "were", "am", "i", "me", "my", "we",
	"us", "our", "you", "your", "he", "she", "his", "her", "him", "it's", "its", "itself", "them", "also", "too", "very",
	"more", "most", "other", "than", "only", "from", "any", "some", "about", "please", "find", "give", "tell", "show",
	"describe", "explain", "discuss", "list", "know", "want", "need", "paper", "article", "concerning", "regarding",
	"dealing", "related", "interested", "available", "exist", "anyone", "there's",
};

enum { STOP_COUNT = sizeof(stop_words) / sizeof(*stop_words), FILLER_COUNT = sizeof(filler_words) / sizeof(*filler_words) };

struct word_forms {
	struct sb_stemmer *stemmer;
	char *unicode_fold; /* what word_forms_fold gave last, where the word was not ASCII */
	char ascii_fold[WORD_BYTES_MAX];
	struct {
		char text[24];
		uint8_t size;
	} fillers[FILLER_COUNT]; /* stems, sorted */
};

static const struct range {
	uint32_t first, last;
} unspaced[] = {
	{0x0e01, 0x0e3a},   {0x0e40, 0x0e4e},	/* Thai without its digits */
	{0x0e81, 0x0ecf},   {0x0edc, 0x0edf},	/* Lao */
	{0x1000, 0x103f},   {0x104c, 0x109f},	/* Myanmar */
	{0x1100, 0x11ff},			/* Hangul Jamo */
	{0x1780, 0x17d3},			/* Khmer */
	{0x3005, 0x3007},   {0x3021, 0x3029}, {0x3031, 0x3035}, {0x3038, 0x303c}, {0x3041, 0x3096}, {0x3099, 0x309f},
	{0x30a1, 0x30fa},   {0x30fc, 0x30ff}, {0x3105, 0x312f}, {0x3131, 0x318e}, {0x31a0, 0x31bf}, {0x31f0, 0x31ff},
	{0x3400, 0x4dbf},   {0x4e00, 0x9fff}, {0xa960, 0xa97c}, {0xac00, 0xd7fb}, {0xf900, 0xfaff}, {0xff66, 0xffdc},
	{0x1b000, 0x1b16f}, {0x20000, 0x3fffd},
};

static bool is_unspaced(uint32_t c)
{
	size_t low = 0, high = sizeof(unspaced) / sizeof(*unspaced);
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (c > unspaced[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sizeof(unspaced) / sizeof(*unspaced) && c >= unspaced[low].first;
}

static enum word_class ascii_class(uint32_t c)
{
	if (c >= 'a' && c <= 'z')
		return WORD_LOWER;
	if (c >= 'A' && c <= 'Z')
		return WORD_UPPER;
	if (c >= '0' && c <= '9')
		return WORD_DIGIT;
	return c == '_' ? WORD_JOINER : WORD_BREAK;
}

enum word_class word_class(uint32_t c)
{
	if (c < 0x80)
		return ascii_class(c);
	if (is_unspaced(c))
		return WORD_UNSPACED;
	switch (utf8proc_category((utf8proc_int32_t)c)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LT:
		return WORD_UPPER;
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
		return WORD_LOWER;
	case UTF8PROC_CATEGORY_ND:
	case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_NO:
		return WORD_DIGIT;
	case UTF8PROC_CATEGORY_PC:
		return WORD_JOINER;
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME:
	case UTF8PROC_CATEGORY_CF:
		return WORD_EXTEND;
	default:
		return WORD_BREAK;
	}
}

/* --- stems and stop words ------------------------------------------------------------------------------------------ */

static int compare_texts(const char *a, size_t a_size, const char *b, size_t b_size)
{
	int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
	return order ? order : (a_size > b_size) - (a_size < b_size);
}

static bool is_stop_word(struct span s)
{
	size_t low = 0, high = STOP_COUNT;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_texts(s.data, s.size, stop_words[middle], strlen(stop_words[middle]));
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static int compare_fillers(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool word_forms_next(struct span text, size_t *at, struct span *ret)
{
	while (*at < text.size) {
		size_t start = *at, size;
		uint32_t c;
		uint8_t class = word_bytes[(unsigned char)text.data[start]];
		enum word_class word = WORD_BREAK;
		if (class & BYTE_WORD)
			word = WORD_LOWER, size = 1;
		else if (class & BYTE_HIGH && (size = utf8_decode(text, start, &c)) > 0)
			word = word_class(c);
		else
			size = 1;
		*at += size;
		if (word == WORD_BREAK || word == WORD_EXTEND)
			continue;
		if (word != WORD_UNSPACED)
			*at = word_cut_end(text, start, *at);
		*ret = (struct span){text.data + start, *at - start};
		return true;
	}
	return false;
}

int word_forms_new(struct word_forms **ret)
{
	struct word_forms *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->stemmer = sb_stemmer_new("english", "UTF_8"); /* Porter2 */
	if (!f->stemmer) {
		free(f);
		return -ENOMEM;
	}
	for (size_t i = 0; i < FILLER_COUNT; i++) {
		const sb_symbol *stem = sb_stemmer_stem(f->stemmer, (const sb_symbol *)filler_words[i], (int)strlen(filler_words[i]));
		if (!stem) {
			word_forms_free(f);
			return -ENOMEM;
		}
		(void)snprintf(f->fillers[i].text, sizeof(f->fillers[i].text), "%s", (const char *)stem);
		f->fillers[i].size = (uint8_t)strlen(f->fillers[i].text);
	}
	qsort(f->fillers, FILLER_COUNT, sizeof(f->fillers[0]), compare_fillers);
	*ret = f;
	return 0;
}

void word_forms_free(struct word_forms *f)
{
	if (!f)
		return;
	sb_stemmer_delete(f->stemmer);
	free(f->unicode_fold);
	free(f);
}

bool word_forms_is_filler(const struct word_forms *f, struct span term)
{
	for (size_t i = 0; i < FILLER_COUNT; i++)
		if (term.size == f->fillers[i].size && memcmp(term.data, f->fillers[i].text, term.size) == 0)
			return true;
	return false;
}

/* Cuts at the last whole code point that fits. */
static struct span cut_term(struct span s)
{
	if (s.size <= LIMIT_TERM_BYTES)
		return s;
	size_t size = LIMIT_TERM_BYTES;
	while (size && ((unsigned char)s.data[size] & 0xc0) == 0x80)
		size--;
	return (struct span){s.data, size};
}

static int emit(word_form_fn *each, void *context, struct span term)
{
	term = cut_term(term);
	return term.size ? each(context, term) : 0;
}

/* A folded word or part without digits. */
static int emit_stem(struct word_forms *f, struct span folded, word_form_fn *each, void *context)
{
	if (is_stop_word(folded))
		return 0;
	const sb_symbol *stem = sb_stemmer_stem(f->stemmer, (const sb_symbol *)folded.data, (int)folded.size);
	if (!stem)
		return -ENOMEM;
	return emit(each, context, (struct span){(const char *)stem, (size_t)sb_stemmer_length(f->stemmer)});
}

/* --- folding ------------------------------------------------------------------------------------------------------- */

/* NFKC with case folding (Unicode 3.13, R5) of a word that is not ASCII; the typographic apostrophe becomes the plain one. The
 * caller frees *ret with free(). */
static int fold_unicode(struct span s, char **ret, size_t *ret_size)
{
	utf8proc_uint8_t *out = NULL;
	utf8proc_ssize_t size = utf8proc_map((const utf8proc_uint8_t *)s.data, (utf8proc_ssize_t)s.size, &out,
					     UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
	if (size < 0)
		return size == UTF8PROC_ERROR_NOMEM ? -ENOMEM : -EINVAL;
	char *text = (char *)out, *to = text;
	for (utf8proc_ssize_t i = 0; i < size; i++) {
		if (size - i >= 3 && memcmp(text + i, "\xe2\x80\x99", 3) == 0)
			*to++ = '\'', i += 2;
		else if (text[i])
			*to++ = text[i];
	}
	*ret = text;
	*ret_size = (size_t)(to - text);
	return 0;
}

struct part {
	struct span text; /* as written */
	bool digits;	  /* digits with dots between */
	uint32_t length;  /* code points */
};

static int emit_folded(struct word_forms *f, const struct part *p, struct span folded, word_form_fn *each, void *context)
{
	if (!p->digits)
		return emit_stem(f, folded, each, context);
	int result = emit(each, context, folded);
	/* A version is also found by its first two numbers: 3.11.7 by 3.11. */
	const char *dot = memchr(folded.data, '.', folded.size);
	const char *second = dot ? memchr(dot + 1, '.', folded.size - (size_t)(dot + 1 - folded.data)) : NULL;
	if (!result && second)
		result = emit(each, context, (struct span){folded.data, (size_t)(second - folded.data)});
	return result;
}

int word_forms_fold(struct word_forms *f, struct span word, struct span *ret)
{
	if (word.size <= WORD_BYTES_MAX && utf8_ascii_prefix(word) == word.size) {
		for (size_t i = 0; i < word.size; i++) {
			char c = word.data[i];
			f->ascii_fold[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
		}
		*ret = (struct span){f->ascii_fold, word.size};
		return 0;
	}
	free(f->unicode_fold);
	f->unicode_fold = NULL;
	size_t size = 0;
	int result = word.size <= WORD_BYTES_MAX ? fold_unicode(word, &f->unicode_fold, &size) : 0;
	if (result == -ENOMEM)
		return result;
	*ret = (struct span){size ? f->unicode_fold : "", size};
	return 0;
}

static int emit_part(struct word_forms *f, const struct part *p, word_form_fn *each, void *context)
{
	struct span folded;
	int result = word_forms_fold(f, p->text, &folded);
	return result ? result : emit_folded(f, p, folded, each, context);
}

/* --- parts of identifiers ------------------------------------------------------------------------------------------ */

struct splitter {
	struct part parts[PARTS_MAX + 1];
	unsigned count;	  /* PARTS_MAX + 1: too many */
	bool has_digit, has_joiner;
	enum word_class previous; /* WORD_BREAK: no part is open */
	size_t upper_at;	  /* where the last upper-case letter of the open part stands */
	unsigned upper_run;	  /* upper-case letters in a row before the current one */
};

static void close_part(struct splitter *s, const char *end)
{
	if (s->previous == WORD_BREAK || s->count > PARTS_MAX)
		return;
	s->parts[s->count].text.size = (size_t)(end - s->parts[s->count].text.data);
	s->count++;
	s->previous = WORD_BREAK;
}

static void open_part(struct splitter *s, const char *at, enum word_class class)
{
	if (s->count <= PARTS_MAX)
		s->parts[s->count] = (struct part){.text = {at, 0}, .digits = class == WORD_DIGIT};
	s->upper_run = 0;
	s->previous = class;
}

/* "HTTPServer" is HTTP and Server: at the first lower-case letter after several capitals the last of them moves over to the new
 * part. A plural "PDFs" stays whole. */
static void split_capitals(struct splitter *s, struct span word, size_t at)
{
	bool plural = word.data[at] == 's' && (at + 1 == word.size || word_class((unsigned char)word.data[at + 1]) != WORD_LOWER);
	if (s->upper_run < 2 || plural || s->count > PARTS_MAX)
		return;
	uint32_t length = s->parts[s->count].length;
	s->parts[s->count].length = length - 1;
	close_part(s, word.data + s->upper_at);
	open_part(s, word.data + s->upper_at, WORD_LOWER);
	if (s->count <= PARTS_MAX)
		s->parts[s->count].length = 1;
}

static void split_step(struct splitter *s, struct span word, size_t at, enum word_class class)
{
	if (class == WORD_JOINER) {
		s->has_joiner = true;
		close_part(s, word.data + at);
		return;
	}
	if (class == WORD_EXTEND)
		class = s->previous == WORD_BREAK ? WORD_LOWER : s->previous;
	s->has_digit |= class == WORD_DIGIT;
	bool boundary = (class == WORD_DIGIT) != (s->previous == WORD_DIGIT) || (class == WORD_UPPER && s->previous == WORD_LOWER);
	if (s->previous != WORD_BREAK && boundary)
		close_part(s, word.data + at);
	if (s->previous == WORD_BREAK)
		open_part(s, word.data + at, class);
	else if (class == WORD_LOWER && s->previous == WORD_UPPER)
		split_capitals(s, word, at);
	s->upper_run = class == WORD_UPPER ? s->upper_run + 1 : 0;
	if (class == WORD_UPPER)
		s->upper_at = at;
	if (s->count <= PARTS_MAX)
		s->parts[s->count].length++;
	s->previous = class;
}

static void split_word(struct span word, struct splitter *s)
{
	*s = (struct splitter){.previous = WORD_BREAK};
	for (size_t at = 0; at < word.size && s->count <= PARTS_MAX;) {
		uint32_t c;
		size_t size = utf8_decode(word, at, &c);
		if (!size) {
			at++;
			continue;
		}
		/* A dot is in a word only between digits, an apostrophe only between letters. */
		enum word_class class = c == '.' ? WORD_DIGIT : c == '\'' || c == 0x2019 ? WORD_LOWER : word_class(c);
		split_step(s, word, at, class);
		at += size;
	}
	close_part(s, word.data + word.size);
}

int word_forms_of_word(struct word_forms *f, struct span word, word_form_fn *each, void *context)
{
	while (word.size && word.data[0] == '_')
		word.data++, word.size--;
	while (word.size && word.data[word.size - 1] == '_')
		word.size--;
	if (!word.size || word.size > WORD_BYTES_MAX)
		return 0;
	struct splitter s;
	split_word(word, &s);
	if (!s.count)
		return 0;
	/* A word with digits or underscores is a name: not stemmed, so that it stays exact. */
	struct part whole = {.text = word, .digits = s.has_digit || s.has_joiner};
	int result = emit_part(f, &whole, each, context);
	for (unsigned i = 0; !result && s.count > 1 && s.count <= PARTS_MAX && i < s.count; i++)
		if (s.parts[i].length >= 2)
			result = emit_part(f, &s.parts[i], each, context);
	return result;
}

/* --- scripts without blanks ---------------------------------------------------------------------------------------- */

struct pairs {
	word_form_fn *each;
	void *context;
	char text[8]; /* the character before, then the current one */
	size_t previous_size;
	bool any; /* a pair was emitted */
};

static int add_characters(struct pairs *p, struct span folded)
{
	uint32_t c;
	size_t size;
	for (size_t at = 0; (size = utf8_decode(folded, at, &c)) > 0; at += size) {
		memcpy(p->text + p->previous_size, folded.data + at, size);
		int result = p->previous_size ? p->each(p->context, (struct span){p->text, p->previous_size + size}) : 0;
		if (result)
			return result;
		p->any |= p->previous_size > 0;
		memmove(p->text, p->text + p->previous_size, size);
		p->previous_size = size;
	}
	return 0;
}

static int add_piece(struct pairs *p, struct span piece)
{
	char *folded = NULL;
	size_t size;
	int result = fold_unicode(piece, &folded, &size);
	if (result)
		return result == -ENOMEM ? result : 0;
	result = add_characters(p, (struct span){folded, size});
	free(folded);
	return result;
}

int word_forms_of_run(struct span run, word_form_fn *each, void *context)
{
	struct pairs p = {.each = each, .context = context};
	int result = 0;
	for (size_t at = 0; !result && at < run.size;) {
		size_t end = at, size;
		uint32_t c;
		for (unsigned n = 0; n < RUN_PIECE && (size = utf8_decode(run, end, &c)) > 0; n++)
			end += size;
		if (end == at)
			break;
		result = add_piece(&p, (struct span){run.data + at, end - at});
		at = end;
	}
	if (!result && !p.any && p.previous_size)
		result = each(context, (struct span){p.text, p.previous_size});
	return result;
}
