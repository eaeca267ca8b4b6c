/* Unpacking any bytes: what is accepted packs to the same bytes, and every reference in it is inside. */
#include "chunk/chunk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chunk_list *list = NULL;
	struct span packed = {(const char *)data, size};
	if (chunk_list_unpack(packed, &list) != 0)
		return 0;
	struct buf again, path;
	buf_init(&again, size + 64);
	buf_init(&path, 1 << 24);
	if (chunk_list_pack(list, &again) != 0 || !span_equal(buf_span(&again), packed))
		abort();
	for (size_t i = 0; i < list->count; i++)
		(void)chunk_heading_path(list, list->chunks[i].heading, &path);
	for (uint32_t i = 1; i <= list->heading_count; i++)
		(void)chunk_heading_path(list, i, &path);
	buf_release(&again);
	buf_release(&path);
	chunk_list_free(list);
	return 0;
}
