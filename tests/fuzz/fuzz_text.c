/* Plain text in any encoding. Text that the decoder calls UTF-8 or converted must be valid UTF-8. */
#include "base/utf8.h"
#include "extract/decode.h"
#include "extract/format.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text;
	buf_init(&text, 16 << 20);
	struct extract_result about = {0};
	struct span bytes = {(const char *)data, size};
	if (format_text_plain.extract(bytes, (struct span){"", 0}, &text, &about) == 0 && !utf8_is_valid(buf_span(&text)))
		abort();
	buf_release(&text);
	return 0;
}
