/* What search sees of documents and queries under a chunking recipe, for scripts/eval-chunking/run.
 *
 *   features TARGET MAX MIN OVERLAP HEADINGS VECTORS <requests >lines
 *
 * What is indexed of a chunk can be more than the chunk: OVERLAP words of the text before it, and with HEADINGS 1 the path of its
 * headings.
 *
 * A request is a line: a letter for the syntax (P plain, M Markdown, R reStructuredText) and the path of a document, or Q and a
 * query. For each chunk it prints "first end words" and its terms with their counts, for a query its terms, after a document an
 * empty line. VECTORS gets the vectors of chunks and queries in the same order, float32. */
#include "chunk/chunk.h"
#include "chunk/measure.h"
#include "clean/clean.h"
#include "embed/embed.h"
#include "token/words.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned overlap, headings;
static struct words *words;
static struct embedder *embedder;
static FILE *vectors;

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void read_file(const char *path, struct buf *ret)
{
	char block[65536];
	size_t n;
	FILE *f = fopen(path, "rb");
	if (!f)
		fail(path);
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(ret, block, n);
	(void)fclose(f);
}

/* Postings are in the order of chunks: *at goes on from one chunk to the next. */
static void print_terms(const struct term_postings *t, uint32_t chunk, uint32_t *at)
{
	for (; *at < t->posting_count && t->postings[*at].chunk == chunk; ++*at) {
		const struct term *term = &t->terms[t->postings[*at].term];
		printf("\t%.*s %u", (int)term->size, term->text, t->postings[*at].count);
	}
	printf("\n");
}

static void write_vectors(enum embed_side side, const struct span *texts, size_t count)
{
	size_t dims = embed_space(embedder)->dims;
	float *x = calloc(count * dims + 1, sizeof(float));
	struct err err;
	if (!x || embed_texts(embedder, side, texts, count, x, &err) ||
	    fwrite(x, sizeof(float), count * dims, vectors) != count * dims)
		fail("embedding");
	free(x);
}

/* Where the `overlap` words before a chunk begin, at a blank. */
static uint32_t overlap_begin(struct span text, uint32_t first)
{
	uint32_t at = first, found = 0;
	while (at > 0 && found < overlap)
		found += text.data[--at] == ' ' || text.data[at] == '\n';
	return at;
}

/* The chunk as it is indexed, in memory of its own. */
static struct span indexed_text(struct span text, const struct chunk_list *list, const struct chunk *c)
{
	struct buf out;
	buf_init(&out, LIMIT_CLEAN_BYTES);
	if (headings && chunk_heading_path(list, c->heading, &out) == 0 && out.size > 0)
		buf_add_char(&out, '\n');
	uint32_t first = overlap_begin(text, c->first);
	buf_add(&out, text.data + first, c->end - first);
	size_t size;
	char *data = buf_take(&out, &size);
	return (struct span){data, size};
}

static void print_document(const char *path, enum chunk_syntax syntax, const struct chunk_recipe *recipe)
{
	static const struct clean_options options = {0};
	struct buf raw, clean;
	buf_init(&raw, LIMIT_SOURCE_BYTES);
	buf_init(&clean, LIMIT_CLEAN_BYTES);
	read_file(path, &raw);
	struct chunk_list *list = NULL;
	if (clean_text(buf_span(&raw), &options, &clean) || chunk_split(buf_span(&clean), syntax, recipe, &list))
		fail(path);
	struct span *texts = calloc(list->count + 1, sizeof(*texts));
	for (size_t i = 0; texts && i < list->count; i++)
		texts[i] = indexed_text(buf_span(&clean), list, &list->chunks[i]);
	const struct term_postings *terms;
	if (!texts || words_of_chunks(words, texts, list->count, &terms))
		fail(path);
	for (uint32_t i = 0, at = 0; i < list->count; i++) {
		struct cursor c = {0};
		measure_to(&c, (struct span){clean.data + list->chunks[i].first, list->chunks[i].end - list->chunks[i].first},
		           list->chunks[i].end - list->chunks[i].first);
		printf("%u %u %u", list->chunks[i].first, list->chunks[i].end, measure_words((struct measure){0}, c.total));
		print_terms(terms, i, &at);
	}
	printf("\n");
	write_vectors(EMBED_PASSAGE, texts, list->count);
	for (size_t i = 0; i < list->count; i++)
		free((void *)(uintptr_t)texts[i].data);
	free(texts);
	chunk_list_free(list);
	buf_release(&raw);
	buf_release(&clean);
}

static void print_query(const char *text)
{
	struct span query = span_of(text);
	const struct term_postings *terms;
	if (words_of_query(words, query, &terms))
		fail(text);
	uint32_t at = 0;
	printf("Q");
	print_terms(terms, 0, &at);
	write_vectors(EMBED_QUERY, &query, 1);
}

int main(int argc, char **argv)
{
	struct err err;
	if (argc != 7 || words_new(&words) || embed_static_new(&embedder, &err) || !(vectors = fopen(argv[6], "wb")))
		return 2;
	struct chunk_recipe recipe = {CHUNK_VERSION, (unsigned)strtoul(argv[1], NULL, 10), (unsigned)strtoul(argv[2], NULL, 10),
	                              (unsigned)strtoul(argv[3], NULL, 10)};
	overlap = (unsigned)strtoul(argv[4], NULL, 10);
	headings = (unsigned)strtoul(argv[5], NULL, 10);
	char line[8192];
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == 'Q')
			print_query(line + 2);
		else
			print_document(line + 2,
			               line[0] == 'M'   ? CHUNK_MARKDOWN
			               : line[0] == 'R' ? CHUNK_RST
			                                : CHUNK_PLAIN,
			               &recipe);
	}
	words_free(words);
	embedder_free(embedder);
	return fclose(vectors) ? 2 : 0;
}
