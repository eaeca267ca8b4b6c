/* Folding: see fold.h. */
#include "token/fold.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <utf8proc.h>

static void add_collapsed(struct span text, struct buf *out)
{
	size_t begin = out->size;
	bool blank = false;
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c <= ' ') {
			blank = out->size > begin;
			continue;
		}
		if (blank)
			buf_add_char(out, ' ');
		blank = false;
		buf_add_char(out, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
	}
}

int fold_text(struct span text, struct buf *out)
{
	uint8_t *folded = NULL;
	if (utf8_ascii_prefix(text) != text.size && utf8_is_valid(text)) {
		utf8proc_ssize_t n = utf8proc_map((const uint8_t *)text.data, (utf8proc_ssize_t)text.size, &folded,
						  UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_STABLE | UTF8PROC_IGNORE);
		if (n < 0)
			return n == UTF8PROC_ERROR_NOMEM ? -ENOMEM : -EFBIG;
		text = (struct span){(const char *)folded, (size_t)n};
	}
	add_collapsed(text, out);
	free(folded);
	return buf_error(out);
}
