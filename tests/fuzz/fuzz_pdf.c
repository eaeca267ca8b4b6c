/* What pdftotext gives, or somebody who took it over. */
#include "base/utf8.h"
#include "extract/format.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text;
	buf_init(&text, 16 << 20);
	struct extract_result about = {0};
	struct span output = {(const char *)data, size};
	if (format_pdf.finish((struct span){"", 0}, 0, output, &text, &about) == 0 && !utf8_is_valid(span_of(about.title)))
		abort();
	buf_release(&text);
	return 0;
}
