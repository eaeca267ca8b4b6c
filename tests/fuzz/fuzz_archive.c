/* An archive: its catalogue is proper whatever it holds, and every member that a batch has was asked for by it. */
#include "extract/archive.h"
#include "extract/format.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span archive = {(const char *)data, size}, bytes;
	struct buf catalogue, batch;
	struct extract_result about = {0}, unpacked = {0};
	struct member m = {.path = {"", 0}};
	uint8_t state;
	buf_init(&catalogue, 16 << 20);
	buf_init(&batch, LIMIT_CLEAN_BYTES);
	if (archive_extract(archive, (struct span){"", 0}, &catalogue, &about) == 0 && about.state == EXTRACT_OK &&
	    format_members.extract(archive, span_of("0"), &batch, &unpacked) == 0) {
		size_t at = 0;
		int r;
		while ((r = catalogue_next(buf_span(&catalogue), &at, m.path, &m)) == 1)
			if (archive_find_in_batch(buf_span(&batch), m.ordinal, &state, &bytes) == -EIO)
				abort();
		if (r < 0)
			abort();
	}
	buf_release(&batch);
	buf_release(&catalogue);
	/* Also as what a child that was taken over might say. */
	m = (struct member){.path = {"", 0}};
	for (size_t at = 0; catalogue_next(archive, &at, m.path, &m) == 1;)
		;
	(void)archive_find_in_batch(archive, UINT32_MAX, &state, &bytes);
	return 0;
}
