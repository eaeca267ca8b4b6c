/* XML of any vocabulary, and OPML. */
#include "fuzz/text_format.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_text_format(xml_extract, (struct span){(const char *)data, size});
	return 0;
}
