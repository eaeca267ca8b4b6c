/* A ZIP file: listing, finding, unpacking. */
#include "extract/zip.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zip z;
	if (zip_open((struct span){(const char *)data, size}, &z) < 0)
		return 0;
	for (size_t i = 0; i < z.count && i < 50; i++) {
		struct buf content;
		buf_init(&content, 1 << 20);
		if (!zip_find(&z, z.entries[i].name))
			abort();
		(void)zip_read_all(&z, &z.entries[i], &content);
		buf_release(&content);
	}
	zip_release(&z);
	return 0;
}
