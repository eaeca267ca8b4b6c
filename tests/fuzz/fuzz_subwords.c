/* WordPiece: any bytes as a text under a fixed vocabulary, and as a vocabulary (up to a NUL byte) with a text after it. */
#include "token/subwords.h"

#include <stdlib.h>

static const char fixed[] = "a\nb\nab\n##a\n##b\nthe\n##the\n##ing\n.\n,\n-\n\xe4\xb8\xad\n\xc3\x9f\n0\n1\n##0\n##1\ne\n##"
                            "e\n\xd0\xb9\n\xd0\xb8\n##\xd0\xb8\n";

/* What a text gives the first time, when its words enter the cache, it must give again, and a lower limit the first of the same
 * ids. */
static void check_encode(const struct subwords *s, struct subword_scratch *scratch, size_t entries, struct span text)
{
	const uint32_t *ids;
	size_t count, again;
	if (subwords_encode(s, scratch, text, SIZE_MAX, &ids, &count))
		abort();
	uint32_t *first = malloc(count * sizeof *ids + 1);
	if (!first)
		abort();
	memcpy(first, ids, count * sizeof *ids);
	for (size_t i = 0; i < count; i++)
		if (ids[i] >= entries)
			abort();
	if (subwords_encode(s, scratch, text, SIZE_MAX, &ids, &again) || again != count || memcmp(ids, first, count * sizeof *ids))
		abort();
	if (subwords_encode(s, scratch, text, count / 2, &ids, &again) || again != count / 2 ||
	    memcmp(ids, first, again * sizeof *ids))
		abort();
	free(first);
}

static void check_vocabulary(struct span vocabulary, struct span text)
{
	struct subwords *s;
	struct subword_scratch *scratch;
	if (subwords_new(vocabulary, &s))
		return;
	if (subword_scratch_new(s, &scratch))
		abort();
	check_encode(s, scratch, vocabulary.size, text);
	subword_scratch_free(scratch);
	subwords_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct subwords *s; /* kept over inputs, as a thread keeps them over documents */
	static struct subword_scratch *scratch;
	if (!s && (subwords_new((struct span){fixed, sizeof fixed - 1}, &s) || subword_scratch_new(s, &scratch)))
		abort();
	const char *text = (const char *)data;
	check_encode(s, scratch, sizeof fixed, (struct span){text, size});
	const char *end = size ? memchr(text, '\0', size) : NULL;
	size_t split = end ? (size_t)(end - text) : size / 2;
	check_vocabulary((struct span){text, split}, (struct span){text + split, size - split});
	return 0;
}
