/* The built-in embedder on one thread.
 *
 * Commands: texts FILE | encode BATCH | write FILE PIECES
 * `encode` embeds all texts. `write` embeds PIECES windows of 40 to 120 words, at random places of the texts, to a file of float
 * rows. */
#include "bench.h"

#include "embed/embed.h"

static struct embedder *embedder;
static struct texts texts;
static struct span *spans;

static void texts_command(int count, char **argument)
{
	if (count != 2)
		fail("texts FILE");
	texts = texts_read(argument[1]);
	spans = allocate(texts.count * sizeof(*spans));
	for (size_t i = 0; i < texts.count; i++)
		spans[i] = (struct span){texts.text[i], texts.size[i]};
	printf("{\"texts\": %zu, \"bytes\": %zu, \"dims\": %u}\n", texts.count, texts.bytes, embed_space(embedder)->dims);
}

static void embed(const struct span *some, size_t count, float *out)
{
	struct err err = {""};
	if (embed_texts(embedder, EMBED_PASSAGE, some, count, out, &err) != 0)
		fail("%s", err.text);
}

static void encode_command(int count, char **argument)
{
	if (count != 2)
		fail("encode BATCH");
	size_t batch = strtoull(argument[1], NULL, 10), dims = embed_space(embedder)->dims;
	float *rows = allocate(batch * dims * sizeof(*rows));
	double start = wall_seconds(), cpu = cpu_seconds();
	for (size_t i = 0; i < texts.count; i += batch)
		embed(spans + i, texts.count - i < batch ? texts.count - i : batch, rows);
	double took = wall_seconds() - start;
	char more[96];
	(void)snprintf(more, sizeof(more), "\"cpu_s\": %.4f, \"texts\": %zu, \"bytes\": %zu", cpu_seconds() - cpu, texts.count,
	               texts.bytes);
	print_ms(&took, 1, more);
	free(rows);
}

/* From a random place of a random text, over as many words. */
static struct span window(uint64_t *state)
{
	struct span s = spans[random_next(state) % texts.count];
	size_t at = s.size ? (size_t)(random_next(state) % (s.size / 2 + 1)) : 0, words = 40 + (size_t)(random_next(state) % 81),
	       end;
	while (at > 0 && at < s.size && s.data[at - 1] != ' ')
		at++;
	for (end = at; end < s.size && words > 0; end++)
		words -= s.data[end] == ' ';
	return (struct span){s.data + at, end - at};
}

static void write_command(int count, char **argument)
{
	if (count != 3)
		fail("write FILE PIECES");
	size_t pieces = strtoull(argument[2], NULL, 10), dims = embed_space(embedder)->dims;
	FILE *f = fopen(argument[1], "wb");
	float *row = allocate(dims * sizeof(*row));
	uint64_t state = 1;
	for (size_t i = 0; f && i < pieces; i++) {
		struct span piece = window(&state);
		embed(&piece, 1, row);
		if (fwrite(row, sizeof(*row), dims, f) != dims)
			fail("%s: cannot be written", argument[1]);
	}
	if (!f || fclose(f) != 0)
		fail("%s: cannot be written", argument[1]);
	free(row);
	printf("{\"rows\": %zu}\n", pieces);
}

int main(void)
{
	static const struct command commands[] = {{"texts", texts_command}, {"encode", encode_command}, {"write", write_command}};
	struct err err = {""};
	if (embed_static_new(&embedder, &err) != 0)
		fail("%s", err.text);
	int status = serve(commands, sizeof(commands) / sizeof(*commands));
	embedder_free(embedder);
	return status;
}
