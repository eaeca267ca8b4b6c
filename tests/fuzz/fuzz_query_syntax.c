/* Query syntax, phrases and edits: any query, its phrases looked for in any text, and what it becomes by one edit. First half query, second half text. */
#include "search/syntax.h"
#include "token/edits.h"
#include "token/phrase.h"

#include <errno.h>
#include <stdlib.h>

static unsigned edit_count;

static void check_items(struct span query, const struct syntax_item *items, uint32_t count)
{
	if (count > SYNTAX_ITEMS)
		abort();
	for (uint32_t i = 0; i < count; i++)
		if (items[i].text.data < query.data || items[i].text.data + items[i].text.size > query.data + query.size)
			abort();
}

static void find(struct span phrase, struct span text)
{
	struct phrase *p;
	bool found;
	int result = phrase_new(phrase, &p);
	if (result == -EINVAL)
		return;
	if (result || phrase_find(p, text, &found) || phrase_find(p, phrase, &found))
		abort();
	phrase_free(p);
}

static int check_edit(void *context, struct span edited)
{
	const struct span *word = context;
	if (edited.size + 4 < word->size || edited.size > word->size + 4 || ++edit_count > 10000)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span query = {(const char *)data, size / 2}, text = {(const char *)data + size / 2, size - size / 2};
	struct syntax x;
	if (syntax_parse(query, &x) || x.words.size != query.size)
		abort();
	check_items(query, x.required, x.required_count);
	check_items(query, x.excluded, x.excluded_count);
	for (uint32_t i = 0; i < x.field_count; i++)
		check_items(query, &x.fields[i].value, 1);
	if (x.field_count > SYNTAX_ITEMS || x.rest.size != query.size)
		abort();
	for (uint32_t i = 0; i < x.required_count; i++)
		find(x.required[i].text, text);
	find(query, text);
	edit_count = 0;
	if (edits_each(query, check_edit, &query))
		abort();
	syntax_release(&x);
	return 0;
}
