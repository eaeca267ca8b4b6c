/* Splitting any text in every syntax: the chunks cover it, no cut falls inside a sequence or grapheme, sizes keep to the recipe,
 * and the list survives packing. */
#include "chunk/chunk.h"
#include "chunk/measure.h"
#include "clean/clean.h"

#include <stdlib.h>
#include <utf8proc.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* cuts[i] is set where a grapheme begins. */
static bool *find_graphemes(struct span text)
{
	bool *cuts = calloc(text.size + 1, sizeof(*cuts));
	require(cuts != NULL);
	utf8proc_int32_t state = 0, previous = 0, c;
	for (size_t at = 0; at < text.size;) {
		utf8proc_ssize_t n =
		        utf8proc_iterate((const utf8proc_uint8_t *)text.data + at, (utf8proc_ssize_t)(text.size - at), &c);
		require(n > 0);
		cuts[at] = at == 0 || utf8proc_grapheme_break_stateful(previous, c, &state);
		previous = c;
		at += (size_t)n;
	}
	cuts[text.size] = true;
	return cuts;
}

static void check_sizes(struct span text, const struct chunk *c, const struct chunk_recipe *recipe, const bool *cuts)
{
	struct cursor whole = {0}, bytewise = {0};
	struct span chunk = {text.data + c->first, c->end - c->first};
	measure_to(&whole, chunk, chunk.size);
	while (bytewise.at < chunk.size)
		measure_byte(&bytewise, (unsigned char)chunk.data[bytewise.at]);
	require(memcmp(&whole, &bytewise, sizeof(whole)) == 0);
	/* A run that was cut counts in both parts. */
	if (measure_words((struct measure){0}, whole.total) <= recipe->max_words + 1)
		return;
	for (size_t i = c->first + 1; i < c->end; i++)
		require(!cuts[i]);
}

/* What is indexed of each chunk ends with its text and is not much longer. */
static void check_passages(struct span text, const struct chunk_list *list)
{
	struct chunk_passages p;
	require(chunk_passages_init(&p, text, list) == 0 && p.count == list->count);
	for (size_t i = 0; i < p.count; i++) {
		const struct chunk *c = &list->chunks[i];
		size_t size = c->end - c->first;
		require(p.texts[i].size >= size && p.texts[i].size <= size + CHUNK_PASSAGE_EXTRA);
		require(memcmp(p.texts[i].data + p.texts[i].size - size, text.data + c->first, size) == 0);
	}
	chunk_passages_release(&p);
}

static void check_list(struct span text, const struct chunk_list *list, const struct chunk_recipe *recipe)
{
	bool *cuts = find_graphemes(text);
	uint32_t end = 0, line = 1, heading = 0;
	for (size_t i = 0; i < list->count; i++) {
		const struct chunk *c = &list->chunks[i];
		require(c->first == end && c->end > c->first && c->end <= text.size && cuts[c->first]);
		require(c->line_first == line && c->heading >= heading && c->heading <= list->heading_count);
		check_sizes(text, c, recipe, cuts);
		for (uint32_t k = c->first; k < c->end - 1; k++)
			line += text.data[k] == '\n';
		require(c->line_last == line);
		line += text.data[c->end - 1] == '\n';
		heading = c->heading;
		end = c->end;
	}
	require(end == text.size);
	free(cuts);
}

static void check_packing(const struct chunk_list *list)
{
	struct buf packed, again;
	buf_init(&packed, 1 << 24);
	buf_init(&again, 1 << 24);
	struct chunk_list *copy = NULL;
	require(chunk_list_pack(list, &packed) == 0);
	require(chunk_list_unpack(buf_span(&packed), &copy) == 0);
	require(chunk_list_pack(copy, &again) == 0);
	require(span_equal(buf_span(&packed), buf_span(&again)));
	require(copy->count == list->count &&
	        (list->count == 0 || memcmp(copy->chunks, list->chunks, list->count * sizeof(*list->chunks)) == 0));
	for (uint32_t i = 1; i <= list->heading_count; i++) {
		require(span_equal(chunk_heading_text(list, i), chunk_heading_text(copy, i)));
		require(list->headings[i - 1].parent == copy->headings[i - 1].parent && list->headings[i - 1].parent < i);
	}
	chunk_list_free(copy);
	buf_release(&packed);
	buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct clean_options code = {.code = true};
	const struct chunk_recipe small = {.version = 1, .target_words = 6, .max_words = 10, .min_words = 3};
	if (size < 1)
		return 0;
	enum chunk_syntax syntax = (enum chunk_syntax)(data[0] % 5);
	const struct chunk_recipe *recipe = data[0] & 0x80 ? &chunk_default_recipe : &small;
	struct buf clean;
	buf_init(&clean, 1 << 24);
	require(clean_text((struct span){(const char *)data + 1, size - 1}, &code, &clean) == 0);
	struct chunk_list *list = NULL;
	require(chunk_split(buf_span(&clean), syntax, recipe, &list) == 0);
	check_list(buf_span(&clean), list, recipe);
	check_packing(list);
	check_passages(buf_span(&clean), list);
	(void)chunk_title(buf_span(&clean), list);
	chunk_list_free(list);
	buf_release(&clean);
	return 0;
}
