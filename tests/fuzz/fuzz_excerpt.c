/* The command's choice of lines and what it lets through to a terminal, with hostile text: "query NUL text". */
#include "cli/excerpt.c"
#include "cli/output.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *input = (const char *)data, *end = size ? memchr(input, '\0', size) : NULL;
	size_t query_size = end ? (size_t)(end - input) : 0;
	struct span query = {input, query_size}, text = {input + query_size, size - query_size}, lines[EXCERPT_LINES];
	if (size == 0 || size > 4096)
		return 0;
	struct excerpt_words words;
	excerpt_split(query, &words);
	size_t count = excerpt_lines(text, &words, lines);
	check(count <= EXCERPT_LINES);
	for (size_t i = 0; i < count; i++) {
		check(lines[i].size > 0 && lines[i].data >= text.data && lines[i].data + lines[i].size <= text.data + text.size);
		check(!memchr(lines[i].data, '\n', lines[i].size));
		for (size_t at = 0; at < lines[i].size; at++)
			check(excerpt_match(lines[i], at, &words) <= lines[i].size - at);
		size_t fit = out_fit(lines[i].data, lines[i].size, 20);
		check(fit <= lines[i].size && out_columns(lines[i].data, fit) <= 20);
	}
	return 0;
}
