/* Cleaning any bytes: the result is what clean.h promises, and cleaning it again changes nothing. */
#include "base/limits.h"
#include "base/utf8.h"
#include "clean/clean.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_lines(struct span text, bool code)
{
	require(utf8_is_valid(text));
	require(text.size == 0 || (text.data[text.size - 1] == '\n' && (text.size < 2 || text.data[text.size - 2] != '\n')));
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		require((c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t');
		if (c == '\n' && i > 0)
			require(text.data[i - 1] != ' ' && text.data[i - 1] != '\t');
		if (c == '\n' && i > 3 && !code)
			require(memcmp(text.data + i - 3, "\n\n\n", 3) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct clean_options modes[] = {{0}, {.code = true}, {.paged = true}};
	for (size_t i = 0; i < 3; i++) {
		struct buf once, twice;
		buf_init(&once, LIMIT_CLEAN_BYTES);
		buf_init(&twice, LIMIT_CLEAN_BYTES);
		require(clean_text((struct span){(const char *)data, size}, &modes[i], &once) == 0);
		check_lines(buf_span(&once), modes[i].code);
		require(clean_text(buf_span(&once), &modes[i], &twice) == 0);
		require(span_equal(buf_span(&once), buf_span(&twice)));
		buf_release(&once);
		buf_release(&twice);
	}
	return 0;
}
