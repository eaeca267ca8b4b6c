/* A name under search/: decoding, options, text, filters. */
#include "corpus/corpus_impl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 8192)
		return 0;
	char *text = malloc(size + 1);
	struct corpus_query *q;
	if (!text || corpus_query_new(&q) < 0)
		abort();
	size_t n = corpus_decode_component((const char *)data, size, text);
	if (n > size || text[n] != '\0')
		abort();
	char error[200];
	if (corpus_query_option(q, text, error, sizeof(error)) == 0)
		(void)query_matches_path(q, "folder/name.pdf");
	if (corpus_query_text(q, text, n) == 0) {
		struct corpus_query *copy = corpus_query_copy(q);
		if (!copy || copy->text.size != q->text.size)
			abort();
		corpus_query_free(copy);
	}
	corpus_query_free(q);
	free(text);
	return 0;
}
