/* LaTeX: commands, arguments, environments. */
#include "base/utf8.h"
#include "extract/format.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = {(const char *)data, size};
	struct buf text;
	buf_init(&text, 16 << 20);
	struct extract_result about = {0};
	/* What the parser is given has been decoded. */
	if (utf8_is_valid(in) && latex_extract(in, (struct span){"", 0}, &text, &about) == 0 && about.state == EXTRACT_OK)
		if (!utf8_is_valid(buf_span(&text)) || !utf8_is_valid(span_of(about.title)))
			abort();
	buf_release(&text);
	return 0;
}
