/* Org and AsciiDoc: the first byte says which. */
#include "base/utf8.h"
#include "extract/format.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span in = {(const char *)data + 1, size - 1};
	format_extract_fn *extract = data[0] == 'o' ? org_extract : asciidoc_extract;
	struct buf text;
	buf_init(&text, 16 << 20);
	struct extract_result about = {0};
	/* What the parser is given has been decoded. */
	if (utf8_is_valid(in) && extract(in, (struct span){"", 0}, &text, &about) == 0 && about.state == EXTRACT_OK)
		if (!utf8_is_valid(buf_span(&text)) || !utf8_is_valid(span_of(about.title)))
			abort();
	buf_release(&text);
	return 0;
}
