/* Office documents: the input holds parts "NAME\nCONTENT" separated by NUL bytes, which are packed into a container. */
#include "base/utf8.h"
#include "extract/format.h"
#include "stored_zip.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf file, directory, text;
	buf_init(&file, 4 << 20);
	buf_init(&directory, 1 << 20);
	buf_init(&text, 16 << 20);
	unsigned count = 0;
	for (struct span rest = {(const char *)data, size}; rest.size > 0 && count < 20;) {
		const char *nul = memchr(rest.data, 0, rest.size);
		size_t part = nul ? (size_t)(nul - rest.data) : rest.size;
		const char *line = memchr(rest.data, '\n', part);
		char name[64];
		if (line && (size_t)(line - rest.data) < sizeof(name)) {
			size_t length = (size_t)(line - rest.data);
			memcpy(name, rest.data, length);
			name[length] = '\0';
			stored_zip_add(&file, &directory, name, (struct span){line + 1, part - length - 1});
			count++;
		}
		part += nul != NULL;
		rest.data += part, rest.size -= part;
	}
	stored_zip_end(&file, &directory, count);
	struct extract_result about = {0};
	struct span name = {"", 0};
	if (format_docx.extract(buf_span(&file), name, &text, &about) == 0 && about.state == EXTRACT_OK)
		if (text.size == 0 || !utf8_is_valid(buf_span(&text)) || !utf8_is_valid(span_of(about.title)))
			abort();
	buf_release(&file);
	buf_release(&text);
	return 0;
}
