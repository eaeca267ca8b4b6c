/* Org and AsciiDoc: the first byte says which. */
#include "fuzz/text_format.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		fuzz_text_format(data[0] == 'o' ? org_extract : asciidoc_extract, (struct span){(const char *)data + 1, size - 1});
	return 0;
}
