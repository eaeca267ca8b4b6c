/* Builds a ZIP file of stored entries in memory, so that a fuzzer reaches the XML inside without having to invent a container. */
#ifndef CORPUSFS_TESTS_STORED_ZIP_H
#define CORPUSFS_TESTS_STORED_ZIP_H

#include "base/buf.h"

static void put(struct buf *b, uint32_t value, unsigned bytes)
{
	for (; bytes > 0; bytes--, value >>= 8)
		buf_add_char(b, (char)(value & 0xff));
}

/* `directory` collects the central directory until stored_zip_end. */
static void stored_zip_add(struct buf *b, struct buf *directory, const char *name, struct span content)
{
	uint32_t header = (uint32_t)b->size, size = (uint32_t)content.size, length = (uint32_t)strlen(name);
	buf_add(b, "PK\3\4", 4);
	put(b, 20, 2), put(b, 0, 2), put(b, 0, 2), put(b, 0, 4), put(b, 0, 4), put(b, size, 4), put(b, size, 4), put(b, length, 2), put(b, 0, 2);
	buf_add_string(b, name);
	buf_add_span(b, content);
	buf_add(directory, "PK\1\2", 4);
	put(directory, 20, 2), put(directory, 20, 2), put(directory, 0, 2), put(directory, 0, 2), put(directory, 0, 4), put(directory, 0, 4);
	put(directory, size, 4), put(directory, size, 4), put(directory, length, 2), put(directory, 0, 2), put(directory, 0, 2);
	put(directory, 0, 2), put(directory, 0, 2), put(directory, 0, 4), put(directory, header, 4);
	buf_add_string(directory, name);
}

static void stored_zip_end(struct buf *b, struct buf *directory, unsigned count)
{
	uint32_t offset = (uint32_t)b->size;
	buf_add_span(b, buf_span(directory));
	buf_add(b, "PK\5\6", 4);
	put(b, 0, 2), put(b, 0, 2), put(b, count, 2), put(b, count, 2), put(b, (uint32_t)directory->size, 4), put(b, offset, 4), put(b, 0, 2);
	buf_release(directory);
}

#endif
