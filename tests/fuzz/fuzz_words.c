/* Words: any bytes as chunks and as a query; the result must keep the promises of words.h and base/terms.h. */
#include "base/limits.h"
#include "token/words.h"

#include <stdlib.h>

static void check_terms(const struct term_postings *p)
{
	uint64_t total = 0, lengths = 0;
	for (uint32_t i = 0; i < p->term_count; i++)
		if (p->terms[i].size == 0 || p->terms[i].size > LIMIT_TERM_BYTES || memchr(p->terms[i].text, '\0', p->terms[i].size))
			abort();
	for (uint32_t i = 0; i < p->posting_count; i++) {
		const struct term_posting *x = &p->postings[i];
		if (x->term >= p->term_count || x->chunk >= p->chunk_count || x->count == 0 || (i && x->chunk < x[-1].chunk))
			abort();
		total += x->count;
	}
	for (uint32_t i = 0; i < p->chunk_count; i++)
		lengths += p->chunk_lengths[i];
	if (total != lengths)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct words *words; /* kept over inputs, as a thread keeps it over documents */
	if (!words && words_new(&words))
		abort();
	const char *text = (const char *)data;
	struct span chunks[2] = {{text, size / 2}, {text + size / 2, size - size / 2}};
	const struct term_postings *p;
	if (words_of_chunks(words, chunks, 2, &p))
		abort();
	check_terms(p);
	if (words_of_query(words, (struct span){text, size}, &p) || p->term_count > LIMIT_QUERY_TERMS)
		abort();
	check_terms(p);
	return 0;
}
