/* Chunking: coverage, structure, limits, packing; with the arguments `golden FOLDER`, golden documents. */
#include "golden.h"
#include "tap.h"

#include "chunk/chunk.h"
#include "chunk/measure.h"

#include <errno.h>
#include <stdlib.h>

static const struct chunk_recipe small = {.version = 1, .target_words = 10, .max_words = 16, .min_words = 4};

static struct chunk_list *split(const char *text, enum chunk_syntax syntax, const struct chunk_recipe *recipe)
{
	struct chunk_list *list = NULL;
	int r = chunk_split(span_of(text), syntax, recipe, &list);
	if (r)
		CHECK_NAMED(0, "splitting failed with %d", r);
	return list;
}

/* Compares the chunks with `expected`, its chunks divided by "|". */
static void check_chunks(const char *name, enum chunk_syntax syntax, const char *expected)
{
	char text[2000];
	size_t size = 0, cuts[64], count = 0;
	for (const char *c = expected; *c; c++) {
		if (*c == '|')
			cuts[count++] = size;
		else
			text[size++] = *c == '~' ? '|' : *c;
	}
	text[size] = '\0';
	cuts[count++] = size;
	struct chunk_list *list = split(text, syntax, &small);
	bool good = list->count == count;
	for (size_t i = 0; good && i < count; i++)
		good = list->chunks[i].end == cuts[i];
	CHECK_NAMED(good, "%s", name);
	if (!good)
		for (size_t i = 0; i < list->count; i++)
			printf("# [%.*s]\n", (int)(list->chunks[i].end - list->chunks[i].first), text + list->chunks[i].first);
	chunk_list_free(list);
}

static void structure(void)
{
	check_chunks("nothing", CHUNK_PLAIN, "a\n");
	check_chunks("short paragraphs are packed", CHUNK_PLAIN,
	             "one two three.\n\none two three four.\n\none two three.\n\n|one two three four.\n");
	check_chunks("long ones stand alone", CHUNK_PLAIN,
	             "one two three four five six.\n\n|one two three four five six.\n\none two three four.\n");
	check_chunks("what is nearer to the target", CHUNK_PLAIN,
	             "one two three four.\n\none two three four.\n\n|one two three four five six seven.\n\none two.\n\none two "
	             "three four.\n");
	check_chunks("a section begins a chunk", CHUNK_MARKDOWN,
	             "# A\n\none two three four five\n\n|# B\n\none two three four five\n");
	check_chunks("short sections are joined", CHUNK_MARKDOWN,
	             "# A\n\n## B\n\none\n\n## C\n\ntwo three\n\n|# D\n\none two three four five\n");
	check_chunks("setext headings", CHUNK_MARKDOWN, "A\n===\none two three four five\n\n|B\n---\none two three four five\n");
	check_chunks("a heading stays with its text", CHUNK_MARKDOWN,
	             "one two three four five six seven\n\n|# Head\n\none two three four five six seven eight nine ten eleven\n");
	check_chunks("a hash in code is no heading", CHUNK_MARKDOWN, "one two three four five\n\n```\n# no\n```\n");
	check_chunks("front matter", CHUNK_MARKDOWN, "---\ntitle: a b c d e\n---\n\n|# A\n\none two three four five\n");
	check_chunks("list items", CHUNK_MARKDOWN,
	             "these are:\n\n- one two three four five\n- one two three four five\n|- one two three four five\n- one two "
	             "three\n  and four\n");
	check_chunks("table rows", CHUNK_MARKDOWN,
	             "~ a ~ b ~\n~---~---~\n~ one two three ~ four five ~\n~ one two three ~ four five ~\n|~ one two three ~ four "
	             "five ~\n");
	check_chunks("pages", CHUNK_MARKDOWN,
	             "<!-- page 1 -->\n\none two three four five six seven eight\n\n|<!-- page 2 -->\n\none\n\n<!-- page 3 "
	             "-->\n\none two three\n");
	check_chunks("sentences of a long paragraph", CHUNK_PLAIN,
	             "One two three four\nfive six seven, e.g. eight nine. |Ten eleven twelve thirteen fourteen\nfifteen sixteen "
	             "seventeen eighteen\n");
	check_chunks(
	        "clauses", CHUNK_PLAIN,
	        "one two three four five six seven eight nine, |ten eleven twelve thirteen fourteen fifteen sixteen seventeen\n");
	check_chunks("lines of code", CHUNK_CODE,
	             "int f(void)\n{\n\tone(two, three);\n}\n\n|int g(void)\n{\n\treturn four(five);\n}\n\nint "
	             "h(void)\n{\n\treturn 0;\n}\n");
	check_chunks("rows", CHUNK_TABLE, "a,b,c\n1,2,3\n4,5,6\n7,8,9\n1,2,3\n|4,5,6\n7,8,9\n");
	check_chunks("reStructuredText", CHUNK_RST,
	             "Title\n=====\n\none two three four::\n\n  five\n\n|Next\n----\n\none two three four five\n");
}

static void headings(void)
{
	struct chunk_list *list =
	        split("# The `code` of [a link](http://x) {#id}\n\ntext one two three four five\n\n## *Second* level ##\n\n"
	              "text one two three four five\n\n### Third\n\none two three four five\n\n## Fourth\n\n",
	              CHUNK_MARKDOWN, &small);
	CHECK(list->heading_count == 4 && list->count == 4);
	struct buf path;
	buf_init(&path, 1000);
	CHECK(chunk_heading_path(list, 3, &path) == 0 &&
	      span_equal(buf_span(&path), span_of("The code of a link > Second level > Third")));
	CHECK(list->chunks[0].heading == 1 && list->chunks[2].heading == 3 && list->headings[3].parent == 1);
	buf_reset(&path);
	CHECK(chunk_heading_path(list, 0, &path) == 0 && chunk_heading_path(list, 9, &path) == 0 && path.size == 0);
	CHECK(span_equal(chunk_title(span_of("x"), list), span_of("The code of a link")));
	buf_release(&path);
	chunk_list_free(list);

	list = split("====\nBook\n====\n\nPart\n====\n\na\n\nSection\n-------\n\nb\n\nPart 2\n======\n\nc\n", CHUNK_RST, &small);
	CHECK(list->heading_count == 4);
	CHECK(list->headings[0].level == 1 && list->headings[1].level == 2 && list->headings[2].level == 3 &&
	      list->headings[3].level == 2);
	chunk_list_free(list);

	list = split("---\n\n  \n  the first line\nsecond\n", CHUNK_PLAIN, &small);
	CHECK(span_equal(chunk_title(span_of("---\n\n  \n  the first line\nsecond\n"), list), span_of("the first line")));
	chunk_list_free(list);

	list = split("<!-- page 4 -->\n\n# Title\n\n## Part\n\none two three four five six seven eight nine\n\nmore of it than "
	             "fits in one piece of text\n",
	             CHUNK_MARKDOWN, &small);
	CHECK(list->count == 2 && list->chunks[0].page == 4 && list->chunks[0].heading == 2 && list->chunks[1].heading == 2);
	CHECK(list->chunks[1].line_first == 9 && list->chunks[1].line_last == 9);
	chunk_list_free(list);
}

/* What is indexed of a chunk. */
static void passages(void)
{
	const char *text = "# Book\n\n## Second\n\none two three four five six seven eight nine\n\n## Third\n\none two three four five six seven eight nine\n";
	struct chunk_list *list = split(text, CHUNK_MARKDOWN, &small);
	struct chunk_passages p;
	CHECK(chunk_passages_init(&p, span_of(text), list) == 0 && p.count == 2 && list->count == 2);
	CHECK(span_equal(p.texts[0], span_of("Book > Second\n# Book\n\n## Second\n\none two three four five six seven eight nine\n\n")));
	CHECK(span_equal(p.texts[1], span_of("Book > Third\n## Third\n\none two three four five six seven eight nine\n")));
	struct buf one;
	buf_init(&one, 1000);
	CHECK(chunk_passage(span_of(text), list, 1, &one) == 0 && span_equal(buf_span(&one), p.texts[1]));
	buf_release(&one);
	chunk_passages_release(&p);
	chunk_list_free(list);

	text = "no heading is above this\n";
	list = split(text, CHUNK_PLAIN, &small);
	CHECK(chunk_passages_init(&p, span_of(text), list) == 0 && p.count == 1 && p.texts[0].data == text && p.texts[0].size == strlen(text));
	chunk_passages_release(&p);
	chunk_list_free(list);

	/* Headings as long as they can be, in forty levels of a list made by hand: the innermost that fits remains. */
	enum { DEPTH = 40 };
	static char names[DEPTH * 240];
	static struct chunk_heading levels[DEPTH];
	memset(names, 'x', sizeof(names));
	for (uint32_t i = 0; i < DEPTH; i++)
		levels[i] = (struct chunk_heading){i * 240, 240, (uint8_t)(i + 1), 0, i};
	struct chunk chunk = {0, 4, 1, 1, 0, DEPTH};
	struct chunk_list deep = {&chunk, 1, levels, DEPTH, names, sizeof(names)};
	CHECK(chunk_passages_init(&p, span_of("text"), &deep) == 0 && p.texts[0].size == 240 + 1 + 4);
	CHECK(p.texts[0].size <= 4 + CHUNK_PASSAGE_EXTRA);
	chunk_passages_release(&p);
}

/* The chunks of any text join to it again and keep to the limit. */
static void check_cover(const char *name, struct span text, enum chunk_syntax syntax, const struct chunk_recipe *recipe,
                        size_t size_max)
{
	struct chunk_list *list = NULL;
	int r = chunk_split(text, syntax, recipe, &list);
	CHECK_NAMED(r == 0, "%s: split", name);
	if (r)
		return;
	uint32_t end = 0;
	bool good = true;
	for (size_t i = 0; i < list->count; i++) {
		const struct chunk *c = &list->chunks[i];
		good = good && c->first == end && c->end > c->first && c->end - c->first <= size_max;
		end = c->end;
	}
	CHECK_NAMED(good && end == text.size, "%s: %zu chunks cover it", name, list->count);
	struct buf packed;
	buf_init(&packed, (size_t)1 << 28);
	CHECK_NAMED(chunk_list_pack(list, &packed) == 0 && packed.size <= 24 * list->count + 260 * list->heading_count + 16,
	            "%s: packed size", name);
	chunk_list_free(list);
	buf_release(&packed);
}

static void hostile(void)
{
	enum { SIZE = 1 << 20 };
	static const struct {
		const char *name, *unit;
	} cases[] = {{"no blank", "x"},
	             {"blanks", " "},
	             {"empty lines", "\n"},
	             {"headings", "# a\n"},
	             {"deep headings", "# a\n## b\n### c\n"},
	             {"list markers", "- "},
	             {"quotes", "> "},
	             {"fences", "```\n"},
	             {"table rules", "|-|\n"},
	             {"underlines", "a\n=\n"},
	             {"one CJK sentence", "\xe4\xba\xba"},
	             {"sentences", "a. "},
	             {"open links", "# [](\n"},
	             {"tags", "# <a\n"},
	             {"pages", "<!-- page 1 -->\n"},
	             {"regional indicators", "\xf0\x9f\x87\xa6"}};
	char *text = malloc(SIZE + 16);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t unit = strlen(cases[i].unit), size = SIZE / unit * unit;
		for (size_t at = 0; at < size; at += unit)
			memcpy(text + at, cases[i].unit, unit);
		for (int syntax = CHUNK_PLAIN; syntax <= CHUNK_TABLE; syntax++)
			check_cover(cases[i].name, (struct span){text, size}, (enum chunk_syntax)syntax, &chunk_default_recipe,
			            220 * 24);
	}
	/* One grapheme may be longer than anything. */
	text[0] = 'e';
	for (size_t at = 1; at + 2 <= SIZE; at += 2)
		memcpy(text + at, "\xcc\x81", 2);
	check_cover("marks", (struct span){text, SIZE - 1}, CHUNK_PLAIN, &chunk_default_recipe, SIZE);
	free(text);
}

static void packing(void)
{
	struct chunk_list *list = split("# A\n\none two three four five six seven eight nine ten eleven twelve thirteen fourteen "
	                                "fifteen sixteen seventeen\n\n## B\n\nc\n",
	                                CHUNK_MARKDOWN, &small),
	                  *copy = NULL;
	struct buf packed;
	buf_init(&packed, 1000);
	CHECK(chunk_list_pack(list, &packed) == 0 && chunk_list_unpack(buf_span(&packed), &copy) == 0);
	CHECK(copy->count == list->count && memcmp(copy->chunks, list->chunks, list->count * sizeof(*list->chunks)) == 0);
	CHECK(copy->heading_count == 2 && span_equal(chunk_heading_text(copy, 2), span_of("B")) && copy->headings[1].parent == 1);
	chunk_list_free(copy);
	int refused = 0;
	for (size_t size = 0; size < packed.size; size++)
		refused += chunk_list_unpack((struct span){packed.data, size}, &copy) == -EIO;
	CHECK_NAMED(refused == (int)packed.size, "every shortened list is refused");
	buf_add_char(&packed, 'x');
	CHECK(chunk_list_unpack(buf_span(&packed), &copy) == -EIO);
	CHECK(chunk_list_unpack((struct span){"\1\377\377\377\377\17\0", 7}, &copy) == -EIO);
	CHECK(chunk_list_unpack((struct span){"\1\0\0", 3}, &copy) == 0 && copy->count == 0);
	chunk_list_free(copy);
	buf_release(&packed);
	chunk_list_free(list);
}

static uint32_t words(const char *text)
{
	struct cursor c = {0};
	measure_to(&c, span_of(text), strlen(text));
	return measure_words((struct measure){0}, c.total);
}

static void measures(void)
{
	CHECK(words("") == 0 && words(" - \n") == 0);
	CHECK(words("one two-three don't f(x)") == 7);
	CHECK(words("0123456789abcdef0123456789abcdef") == 2);
	CHECK(words("\xe4\xba\xba\xe4\xba\xba\xe7\x94\x9f\xe8\x80\x8c") == 2);
}

static enum chunk_syntax syntax_of(const char *name)
{
	static const struct {
		const char *extension;
		enum chunk_syntax syntax;
	} known[] = {{".md", CHUNK_MARKDOWN}, {".rst", CHUNK_RST}, {".c", CHUNK_CODE}, {".py", CHUNK_CODE}, {".csv", CHUNK_TABLE}};
	const char *extension = strrchr(name, '.');
	for (size_t i = 0; extension && i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(extension, known[i].extension) == 0)
			return known[i].syntax;
	return CHUNK_PLAIN;
}

static void give_chunks(const char *name, struct span in, struct buf *out)
{
	struct chunk_list *list = NULL;
	if (chunk_split(in, syntax_of(name), &chunk_default_recipe, &list))
		return;
	struct span title = chunk_title(in, list);
	buf_addf(out, "title: %.*s\n", (int)title.size, title.data);
	for (size_t i = 0; i < list->count; i++) {
		const struct chunk *c = &list->chunks[i];
		buf_addf(out, "---- %zu, lines %u to %u, page %u, ", i + 1, c->line_first, c->line_last, c->page);
		(void)chunk_heading_path(list, c->heading, out);
		buf_addf(out, "\n%.*s%s", (int)(c->end - c->first), in.data + c->first,
		         in.data[c->end - 1] == '\n' ? "" : "<goes on>\n");
	}
	chunk_list_free(list);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "golden") == 0) {
		golden_folder(argv[2], give_chunks);
		return tap_done();
	}
	structure();
	headings();
	passages();
	hostile();
	packing();
	measures();
	return tap_done();
}
