/* HTML: encoding, parser and writer, as the calling thread and the child do them. What comes out must be what every later stage relies on. */
#include "base/utf8.h"
#include "extract/format.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf store, text;
	buf_init(&store, 16 << 20);
	buf_init(&text, 16 << 20);
	struct extract_result about = {0};
	struct span page, bytes = {(const char *)data, size};
	if (html_prepare(bytes, &store, &about, &page) == 0 && html_extract(page, (struct span){"", 0}, &text, &about) == 0 &&
	    about.state == EXTRACT_OK)
		if (text.size == 0 || text.data[text.size - 1] != '\n' || !utf8_is_valid(span_of(about.title)))
			abort();
	buf_release(&store);
	buf_release(&text);
	return 0;
}
