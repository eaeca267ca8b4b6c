/* Plain text in any encoding and everything that is text as it stands: prose, Markdown, reStructuredText, source code, tables.
 * Runs in the calling thread at the speed of memory: valid UTF-8 is checked and copied once. */
#include "extract/decode.h"
#include "extract/format.h"

static int text_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct span decoded;
	int r = decode_text(bytes, "", text, about->encoding, &decoded);
	if (r < 0)
		return r;
	/* Text that was UTF-8 already has not been copied by the decoder. */
	if (text->size == 0)
		buf_add_span(text, decoded);
	return buf_error(text);
}

int text_prepare(struct span bytes, struct buf *store, struct extract_result *about, struct span *ret)
{
	return decode_text(bytes, "", store, about->encoding, ret);
}

#define TEXT_FORMAT(media_type, syntax)                                                                                                    \
	{                                                                                                                                  \
		.extractor = {"text", 1, media_type, syntax, false, NULL}, .extract = text_extract                                               \
	}

const struct format format_text_plain = TEXT_FORMAT("text/plain", TEXT_PLAIN);
const struct format format_text_markdown = TEXT_FORMAT("text/markdown", TEXT_MARKDOWN);
const struct format format_text_rst = TEXT_FORMAT("text/x-rst", TEXT_RST);
const struct format format_text_code = TEXT_FORMAT("text/x-source", TEXT_CODE);
const struct format format_text_table = TEXT_FORMAT("text/csv", TEXT_TABLE);
