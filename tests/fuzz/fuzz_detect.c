/* Choosing a format: the first byte is the size of the name, then the name, then the content. */
#include "extract/extract.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span all = {(const char *)data + 1, size - 1};
	size_t name_size = data[0] < all.size ? data[0] : all.size;
	struct span name = {all.data, name_size}, head = {all.data + name_size, all.size - name_size};
	const struct extractor *x = extract_choose(head, name);
	if (!x || !x->name || !x->media_type)
		abort();
	(void)extract_name_may_have_text(name);
	return 0;
}
