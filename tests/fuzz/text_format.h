/* What the fuzz targets of formats that are text do alike. */
#ifndef CORPUSFS_TESTS_FUZZ_TEXT_FORMAT_H
#define CORPUSFS_TESTS_FUZZ_TEXT_FORMAT_H

#include "base/utf8.h"
#include "extract/format.h"

#include <stdlib.h>

/* Whatever comes in, what comes out is UTF-8. The parser is only given what has been decoded. */
static inline void fuzz_text_format(format_extract_fn *extract, struct span in)
{
	struct buf text;
	buf_init(&text, 16 << 20);
	struct extract_result about = {0};
	if (utf8_is_valid(in) && extract(in, (struct span){"", 0}, &text, &about) == 0 && about.state == EXTRACT_OK)
		if (!utf8_is_valid(buf_span(&text)) || !utf8_is_valid(span_of(about.title)))
			abort();
	buf_release(&text);
}

#endif
