/* A PDF as our own reader of its objects sees it; what that gives is joined with pages, and so is the input itself, as records from somebody who
 * took the reader over. */
#include "base/utf8.h"
#include "extract/format.h"
#include "extract/pdf_extras.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void join(struct span records)
{
	static const char pages[] = "<!-- page 1 -->\n1\nHow to apply\nfor a plot\nFees\n\nFees\n<!-- page 2 -->\n\n<!-- page 3 -->\n2.1 Fees\n\\# text";
	struct buf text;
	buf_init(&text, 16 << 20);
	buf_add_string(&text, pages);
	struct extract_result about = {.state = EXTRACT_FAILED, .code = "no-text"};
	int r = pdf_extras_join(records, &text, &about);
	if (r == 0 && (text.size < sizeof(pages) - 1 - 4 || !utf8_is_valid(span_of(about.title))))
		abort();
	buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = {(const char *)data, size};
	struct buf records;
	buf_init(&records, 16 << 20);
	struct extract_result about = {0};
	if (format_pdf_extras.extract(bytes, (struct span){"", 0}, &records, &about) == 0) {
		if (!utf8_is_valid(buf_span(&records)))
			abort();
		join(buf_span(&records));
	}
	join(bytes);
	(void)pdf_extras_wanted(bytes);
	buf_release(&records);
	return 0;
}
