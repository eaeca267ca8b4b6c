/* Cutting inside paragraphs, sentences, words: see cut.h. */
#include "chunk/cut.h"

#include "base/utf8.h"
#include "chunk/measure.h"

#include <utf8proc.h>

/* How good a place inside a paragraph is, weakest first. */
enum place { PLACE_NONE, PLACE_WORD, PLACE_CLAUSE, PLACE_LINE, PLACE_SENTENCE, PLACE_COUNT };

/* Offsets at which the text has as many words as the recipe says, or its size. */
struct window {
	size_t min, target, max;
};

static struct window find_window(struct span text, const struct chunk_recipe *recipe)
{
	const struct measure zero = {0};
	struct measure m = {0};
	struct window w = {text.size, text.size, text.size};
	size_t bytes_max = (size_t)recipe->max_words * CUT_BYTES_PER_WORD;
	size_t end = text.size < bytes_max ? text.size : bytes_max;
	unsigned in_run = 0;
	w.max = end;
	for (size_t i = 0; i < end; i++) {
		measure_byte(&m, (unsigned char)text.data[i], &in_run);
		uint32_t words = measure_words(zero, m);
		if (words > recipe->max_words) {
			w.max = i;
			break;
		}
		if (words >= recipe->min_words && w.min == text.size)
			w.min = i;
		if (words >= recipe->target_words && w.target == text.size)
			w.target = i;
	}
	if (w.target > w.max)
		w.target = w.max;
	if (w.min > w.target)
		w.min = w.target / 2;
	return w;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* What may stand between the mark that ends a sentence and the blank: quotes, brackets, emphasis. */
static bool is_closer(char c)
{
	return c == '"' || c == '\'' || c == ')' || c == ']' || c == '*' || c == '_' || c == '`';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

/* True when the full stop at s[at] belongs to an abbreviation: one letter, or a short word that seldom ends a sentence. */
static bool is_abbreviation(struct span s, size_t at)
{
	static const char *const words[] = {"al", "cf", "dr", "eq", "etc", "fig", "figs", "mr", "mrs", "ms", "no", "nos", "pp", "prof", "sec", "st", "vol", "vs"};
	size_t first = at;
	while (first > 0 && at - first < 8 && ((s.data[first - 1] | 0x20) >= 'a' && (s.data[first - 1] | 0x20) <= 'z'))
		first--;
	size_t size = at - first;
	if (size == 1)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t n = strlen(words[i]);
		bool equal = n == size;
		for (size_t k = 0; equal && k < n; k++)
			equal = (s.data[first + k] | 0x20) == words[i][k];
		if (equal)
			return true;
	}
	return false;
}

/* Ideographic and full-width marks, after which no blank is needed. */
static enum place wide_mark(struct span s, size_t end)
{
	static const char *const sentence[] = {"\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f", "\xef\xbd\xa1"};
	static const char *const clause[] = {"\xe3\x80\x81", "\xef\xbc\x8c", "\xef\xbc\x9b", "\xef\xbc\x9a"};
	if (end < 3 || (unsigned char)s.data[end - 3] < 0xe3)
		return PLACE_NONE;
	for (size_t i = 0; i < 4; i++) {
		if (memcmp(s.data + end - 3, sentence[i], 3) == 0)
			return PLACE_SENTENCE;
		if (memcmp(s.data + end - 3, clause[i], 3) == 0)
			return PLACE_CLAUSE;
	}
	return PLACE_NONE;
}

/* The place after the blanks that follow the text s[0..end). */
static enum place after_blank(struct span s, size_t end, size_t next, bool line_end)
{
	size_t last = end;
	while (last > 0 && end - last < 4 && is_closer(s.data[last - 1]))
		last--;
	if (last == 0)
		return line_end ? PLACE_LINE : PLACE_WORD;
	char c = s.data[last - 1];
	bool goes_on = next < s.size && is_lower(s.data[next]);
	if ((c == '!' || c == '?') && !goes_on)
		return PLACE_SENTENCE;
	if (c == '.' && !goes_on && !is_abbreviation(s, last - 1))
		return PLACE_SENTENCE;
	if (wide_mark(s, end) == PLACE_SENTENCE)
		return PLACE_SENTENCE;
	if (line_end)
		return PLACE_LINE;
	return c == ',' || c == ';' || c == ':' || wide_mark(s, end) == PLACE_CLAUSE ? PLACE_CLAUSE : PLACE_WORD;
}

/* True when a grapheme ends before s[at]; enough where what stands before is a blank or a punctuation mark. */
static bool is_grapheme_start(struct span s, size_t at)
{
	uint32_t before, after;
	size_t first = at;
	do
		first--;
	while (first > 0 && at - first < 4 && ((unsigned char)s.data[first] & 0xc0) == 0x80);
	if (utf8_decode(s, first, &before) == 0 || utf8_decode(s, at, &after) == 0)
		return false;
	return utf8proc_grapheme_break((utf8proc_int32_t)before, (utf8proc_int32_t)after);
}

static size_t distance(size_t a, size_t b)
{
	return a > b ? a - b : b - a;
}

/* Looks at every place in the window once and keeps the one nearest to the target of each kind. */
static size_t choose_place(struct span s, struct window w)
{
	size_t best[PLACE_COUNT] = {0};
	size_t text_end = 0; /* behind the last byte that is no blank */
	bool line_end = false;
	for (size_t at = w.min > 64 ? w.min - 64 : 0; at <= w.max && at < s.size; at++) {
		enum place place = PLACE_NONE;
		bool blank = is_blank(s.data[at]);
		if (!blank && at > 0 && is_blank(s.data[at - 1]))
			place = after_blank(s, text_end ? text_end : at, at, line_end);
		else if (!blank && ((unsigned char)s.data[at] & 0xc0) != 0x80)
			place = wide_mark(s, at);
		line_end = blank && (line_end || s.data[at] == '\n');
		if (!blank)
			text_end = at + 1;
		if (place == PLACE_NONE || at <= w.min || at == 0)
			continue;
		if ((best[place] == 0 || distance(at, w.target) < distance(best[place], w.target)) && is_grapheme_start(s, at))
			best[place] = at;
	}
	for (int place = PLACE_SENTENCE; place > PLACE_NONE; place--)
		if (best[place] > 0)
			return best[place];
	return 0;
}

/* The last grapheme boundary in 1..max, or the first one behind it, or 0 when there is none. */
static size_t choose_grapheme(struct span s, size_t max, struct grapheme_walk *walk)
{
	size_t found = 0;
	for (;;) {
		uint32_t c;
		size_t size = utf8_decode(s, walk->at, &c);
		/* Bytes that are no UTF-8 each stand alone: nothing is known about them. */
		if (size == 0 && walk->at < s.size)
			size = 1, c = 0xfffd;
		if (size == 0)
			return found;
		if (walk->at > 0) {
			bool is_break = utf8proc_grapheme_break_stateful(walk->previous, (utf8proc_int32_t)c, &walk->state);
			if (is_break && walk->at > max && found > 0)
				return found;
			if (is_break)
				found = walk->at;
			if (is_break && walk->at >= max)
				return found;
		}
		walk->previous = (int32_t)c;
		walk->at += size;
		if (found > 0 && walk->at > max)
			return found;
	}
}

size_t cut_choose(struct span text, const struct chunk_recipe *recipe, struct grapheme_walk *walk)
{
	if (walk->at > 0)
		return choose_grapheme(text, 0, walk);
	struct window w = find_window(text, recipe);
	size_t place = choose_place(text, w);
	return place > 0 ? place : choose_grapheme(text, w.max, walk);
}

size_t cut_at_grapheme(struct span text, size_t limit)
{
	struct grapheme_walk walk = {0};
	if (text.size <= limit)
		return text.size;
	size_t cut = choose_grapheme(text, limit, &walk);
	return cut <= limit ? cut : 0;
}
