/* Cutting inside paragraphs, sentences, words: see cut.h. */
#include "chunk/cut.h"

#include "base/utf8.h"
#include "chunk/measure.h"

#include <utf8proc.h>

/* How good a place inside a paragraph is, weakest first. */
enum place { PLACE_NONE, PLACE_WORD, PLACE_CLAUSE, PLACE_LINE, PLACE_SENTENCE, PLACE_COUNT };

/* Goes as far, and at most to `end`, as there are at most `words` words behind *from: by blocks, then by bytes. */
static void advance(struct cursor *c, struct span text, size_t end, const struct cursor *from, uint32_t words)
{
	enum { BLOCK = 64 };
	struct cursor next = *c;
	while (c->at < end) {
		measure_to(&next, text, end - c->at < BLOCK ? end : c->at + BLOCK);
		if (measure_words(from->total, next.total) > words)
			break;
		*c = next;
	}
	next = *c;
	while (c->at < end) {
		measure_byte(&next, (unsigned char)text.data[next.at]);
		if (measure_words(from->total, next.total) > words)
			return;
		*c = next;
	}
}

static struct cut_window find_window(struct span text, const struct cursor *begin, size_t end, const struct cut_window *known,
                                     const struct chunk_recipe *recipe)
{
	struct cut_window w = *known;
	size_t bytes_max = (size_t)recipe->max_words * CUT_BYTES_PER_WORD;
	if (end - begin->at > bytes_max)
		end = begin->at + bytes_max;
	advance(&w.min, text, end, begin, recipe->min_words);
	advance(&w.target, text, end, begin, recipe->target_words);
	advance(&w.max, text, end, begin, recipe->max_words);
	/* Blanks fill the bytes before there are words enough. */
	if (w.min.at >= w.target.at)
		w.min = *begin;
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
	static const char *const words[] = {"al", "cf", "dr",  "eq", "etc",  "fig", "figs", "mr",  "mrs",
	                                    "ms", "no", "nos", "pp", "prof", "sec", "st",   "vol", "vs"};
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

/* Ideographic and full-width marks, after which no blank is needed; they all are U+3xxx or U+FFxx. */
static enum place wide_mark(struct span s, size_t end)
{
	static const char sentence[][4] = {"\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f", "\xef\xbd\xa1"};
	static const char clause[][4] = {"\xe3\x80\x81", "\xef\xbc\x8c", "\xef\xbc\x9b", "\xef\xbc\x9a"};
	if (end < 3 || (s.data[end - 3] != '\xe3' && s.data[end - 3] != '\xef'))
		return PLACE_NONE;
	for (size_t i = 0; i < 4; i++) {
		if (memcmp(s.data + end - 3, sentence[i], 3) == 0)
			return PLACE_SENTENCE;
		if (memcmp(s.data + end - 3, clause[i], 3) == 0)
			return PLACE_CLAUSE;
	}
	return PLACE_NONE;
}

/* The place at `next`, where text goes on after the blanks that follow s[0..end). */
static enum place after_blank(struct span s, size_t end, size_t next, bool line_end)
{
	size_t last = end;
	while (last > 0 && end - last < 4 && is_closer(s.data[last - 1]))
		last--;
	char c = last > 0 ? s.data[last - 1] : '\0';
	bool goes_on = is_lower(s.data[next]);
	if ((c == '!' || c == '?') && !goes_on)
		return PLACE_SENTENCE;
	if (c == '.' && !goes_on && !is_abbreviation(s, last - 1))
		return PLACE_SENTENCE;
	enum place wide = wide_mark(s, end);
	if (wide == PLACE_SENTENCE)
		return wide;
	if (line_end)
		return PLACE_LINE;
	return c == ',' || c == ';' || c == ':' || wide == PLACE_CLAUSE ? PLACE_CLAUSE : PLACE_WORD;
}

/* True when a grapheme ends before s[at]; enough where what stands before is no regional indicator and joins to nothing: a blank, a
 * punctuation mark, an ASCII character. Clean text has no carriage returns. */
static bool is_grapheme_start(struct span s, size_t at)
{
	uint32_t before, after;
	size_t first = at;
	if ((unsigned char)s.data[at - 1] < 0x80 && (unsigned char)s.data[at] < 0x80)
		return true;
	do
		first--;
	while (first > 0 && at - first < 4 && ((unsigned char)s.data[first] & 0xc0) == 0x80);
	if (utf8_decode(s, first, &before) == 0 || utf8_decode(s, at, &after) == 0)
		return false;
	return utf8proc_grapheme_break((utf8proc_int32_t)before, (utf8proc_int32_t)after);
}

static enum place kind_of_place(struct span s, size_t at)
{
	unsigned char before = (unsigned char)s.data[at - 1];
	/* First what settles it for most bytes. */
	if (before > ' ' && (before < 0x80 || wide_mark(s, at) == PLACE_NONE))
		return PLACE_NONE;
	if (is_blank(s.data[at]) || ((unsigned char)s.data[at] & 0xc0) == 0x80)
		return PLACE_NONE;
	if (!is_blank((char)before))
		return wide_mark(s, at);
	size_t end = at;
	bool line_end = false;
	while (end > 0 && is_blank(s.data[end - 1]))
		line_end |= s.data[--end] == '\n';
	return after_blank(s, end, at, line_end);
}

/* Looks at the places behind `min` and not behind `max` from the target outwards, so that the first of a kind is the nearest, and
 * the first sentence end settles it. Returns 0 when there is none. */
static size_t choose_place(struct span s, size_t min, size_t target, size_t max)
{
	size_t best[PLACE_COUNT] = {0};
	size_t reach = target - min > max - target ? target - min : max - target;
	for (size_t distance = 0; distance <= reach; distance++) {
		for (int side = 0; side < 2; side++) {
			size_t at = side ? target + distance : target - distance;
			if (side ? at > max || at >= s.size : distance > target || at <= min)
				continue;
			enum place kind = kind_of_place(s, at);
			if (kind == PLACE_NONE || best[kind] > 0 || !is_grapheme_start(s, at))
				continue;
			if (kind == PLACE_SENTENCE)
				return at;
			best[kind] = at;
		}
	}
	for (int kind = PLACE_LINE; kind > PLACE_NONE; kind--)
		if (best[kind] > 0)
			return best[kind];
	return 0;
}

/* The last grapheme boundary in 1..max, or the first one behind it, or 0 when there is none. */
static size_t choose_grapheme(struct span s, size_t max, struct grapheme_walk *walk)
{
	size_t found = 0;
	/* Between two ASCII characters there is no need to know what came before. */
	if (walk->at == 0 && max > 0 && max < s.size && (unsigned char)s.data[max - 1] < 0x80 && (unsigned char)s.data[max] < 0x80)
		return max;
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

bool cut_choose(struct span text, const struct cursor *begin, size_t end, const struct cut_window *known,
                const struct chunk_recipe *recipe, struct grapheme_walk *walk, struct cursor *ret_cut)
{
	const struct span chunk = {text.data + begin->at, end - begin->at};
	struct cursor cut = *begin;
	size_t at = 0;
	if (walk->at > 0) {
		at = choose_grapheme(chunk, 0, walk);
	} else {
		struct cut_window w = find_window(text, begin, end, known, recipe);
		at = choose_place((struct span){text.data, end}, w.min.at, w.target.at, w.max.at);
		cut = at == 0 ? *begin : at >= w.target.at ? w.target : w.min;
		at = at > 0 ? at - begin->at : choose_grapheme(chunk, w.max.at - begin->at, walk);
	}
	if (at == 0)
		return false;
	measure_to(&cut, text, begin->at + at);
	*ret_cut = cut;
	return true;
}

size_t cut_at_grapheme(struct span text, size_t limit)
{
	struct grapheme_walk walk = {0};
	if (text.size <= limit)
		return text.size;
	size_t cut = choose_grapheme(text, limit, &walk);
	return cut <= limit ? cut : 0;
}
