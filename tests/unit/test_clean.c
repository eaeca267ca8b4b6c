/* Cleaning: characters, lines, normal form, pages; with the arguments `golden FOLDER`, golden documents. */
#include "golden.h"
#include "tap.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "clean/clean.h"

#include <errno.h>
#include <stdlib.h>

static const struct clean_options prose = {0}, code = {.code = true}, paged = {.paged = true};

/* Cleans, compares, and cleans the result again, which must change nothing. */
static void check_clean(const struct clean_options *options, const char *name, struct span in, const char *expected)
{
	struct buf once, twice;
	buf_init(&once, LIMIT_CLEAN_BYTES);
	buf_init(&twice, LIMIT_CLEAN_BYTES);
	int r = clean_text(in, options, &once);
	bool good = r == 0 && span_equal(buf_span(&once), span_of(expected));
	CHECK_NAMED(good, "%s", name);
	if (!good)
		printf("# got: %s\n# expected: %s\n", once.data ? once.data : "", expected);
	r = clean_text(buf_span(&once), options, &twice);
	CHECK_NAMED(r == 0 && span_equal(buf_span(&once), buf_span(&twice)), "%s, again", name);
	buf_release(&once);
	buf_release(&twice);
}

#define PROSE(name, in, expected) check_clean(&prose, name, (struct span){in, sizeof(in) - 1}, expected)
#define CODE(name, in, expected) check_clean(&code, name, (struct span){in, sizeof(in) - 1}, expected)
#define PAGED(name, in, expected) check_clean(&paged, name, (struct span){in, sizeof(in) - 1}, expected)

static void lines(void)
{
	PROSE("nothing", "", "");
	PROSE("only blanks", " \t \r\n\n  \n", "");
	PROSE("one line without an end", "a", "a\n");
	PROSE("line ends of all kinds",
	      "a\r\nb\rc\nd\xe2\x80\xa8"
	      "e\xe2\x80\xa9"
	      "f\xc2\x85g\x0bh\x0ci",
	      "a\nb\nc\nd\ne\nf\ng\nh\ni\n");
	PROSE("trailing blanks of all kinds", "a \t\nb\xc2\xa0\nc\xe3\x80\x80 \nd", "a\nb\nc\nd\n");
	PROSE("empty lines", "\n\na\n\n\n\n\n\nb\n \n\t\n\n\n", "a\n\n\nb\n");
	PROSE("indentation stays", "  a\n\tb\n", "  a\n\tb\n");
	CODE("empty lines of code", "\n\na\n\n\n\n  b\n\n", "\n\na\n\n\n\n  b\n");
	CODE("a form feed before a line of code", "a\n\x0c\nclass b\x0c:\n", "a\n\nclass b :\n");
	CODE("a blank that is a character of code", "s = '\xc2\xa0'\n", "s = '\xc2\xa0'\n");
}

static void characters(void)
{
	PROSE("byte order mark", "\xef\xbb\xbfx", "x\n");
	PROSE("controls",
	      "a\0b\x07"
	      "c\x7f"
	      "d\xc2\x9f"
	      "e",
	      "abcde\n");
	PROSE("separators of records",
	      "a\x1e"
	      "b\x1f"
	      "c",
	      "a b c\n");
	PROSE("escape sequences", "\x1b[1;31mred\x1b[0m \x1bM", "red M\n");
	PROSE("blanks that are not U+0020",
	      "a\xc2\xa0"
	      "b\xe2\x80\xafg\xe2\x80\x83h",
	      "a b g h\n");
	PROSE("soft hyphens",
	      "in\xc2\xad"
	      "for\xc2\xadma\xc2\xadtion",
	      "information\n");
	PROSE("zero width and bidirectional controls",
	      "a\xe2\x80\x8b"
	      "b\xe2\x80\xaa"
	      "c\xe2\x81\xa6"
	      "d\xe2\x80\x8f",
	      "abcd\n");
	PROSE("invalid bytes, one mark each beginning", "\xff\xe2\x82x\xf0\x9f\x98y\xc3",
	      "\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbdy\xef\xbf\xbd\n");
	PROSE("surrogates are three invalid bytes", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\n");
	PROSE("ligatures", "\xef\xac\x81nd a\xef\xac\x83x", "find affix\n");
	PROSE("joiner of Persian", "\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae\xd9\x88",
	      "\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae\xd9\x88\n");
	PROSE("joiner in Latin",
	      "a\xe2\x80\x8c"
	      "b\xe2\x80\x8d"
	      "c",
	      "abc\n");
	PROSE("family and heart", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7 \xe2\x9d\xa4\xef\xb8\x8f",
	      "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7 \xe2\x9d\xa4\xef\xb8\x8f\n");
	PROSE("a flag of tags stays, hidden tags go",
	      "\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xbf x\xf3\xa0\x81\xa9\xf3\xa0\x81\xa7",
	      "\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xbf x\n");
	PROSE("word separators of Khmer", "\xe1\x9e\x80\xe2\x80\x8b\xe1\x9e\x81", "\xe1\x9e\x80\xe2\x80\x8b\xe1\x9e\x81\n");
}

static void normal_form(void)
{
	PROSE("a letter and its accent", "e\xcc\x81", "\xc3\xa9\n");
	PROSE("an accent after a hidden character", "e\xe2\x80\x8b\xcc\x81", "\xc3\xa9\n");
	PROSE("marks in canonical order", "q\xcc\x81\xcc\xa3", "q\xcc\xa3\xcc\x81\n");
	PROSE("Hangul", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", "\xea\xb0\x81\n");
	PROSE("singletons", "\xe2\x84\xab \xe2\x84\xa6", "\xc3\x85 \xce\xa9\n");
	PROSE("excluded from composition", "\xe0\xa4\x95\xe0\xa4\xbc", "\xe0\xa4\x95\xe0\xa4\xbc\n");
	enum { MARKS = 1000000 };
	char *many = malloc(2 * MARKS + 1);
	many[0] = 'e';
	for (int i = 0; i < MARKS; i++)
		memcpy(many + 1 + 2 * i, i % 2 ? "\xcc\x81" : "\xcc\xa3", 2);
	struct buf out;
	buf_init(&out, LIMIT_CLEAN_BYTES);
	CHECK(clean_text((struct span){many, 2 * MARKS + 1}, &prose, &out) == 0);
	/* U+1EB9, then U+0323 before U+0301 up to 30 marks, then U+034F. */
	CHECK(out.size > 100 && memcmp(out.data, "\xe1\xba\xb9\xcc\xa3", 5) == 0);
	const char *joiner = memmem(out.data, out.size, "\xcd\x8f", 2);
	CHECK(joiner && joiner - out.data == 3 + 29 * 2);
	buf_release(&out);
	free(many);
}

static void pages(void)
{
	PAGED("words broken at line ends", "The docu-\nment, and the in\xc2\xad\nforma\xe2\x80\x90\ntion.\n",
	      "The document,\nand the information.\n");
	PAGED("not broken words", "Anglo-\nSaxon 1-\nfold x-\nray www.foo-\nbar.org\na -\nb\n",
	      "Anglo-\nSaxon 1-\nfold x-\nray www.foo-\nbar.org\na -\nb\n");
	PAGED("a compound known from elsewhere", "a well-known fact\nis well-\nknown here\n",
	      "a well-known fact\nis well-known\nhere\n");
	PAGED("a compound of known words", "well, an established fact\nis well-\nestablished here\n",
	      "well, an established fact\nis well-established\nhere\n");
	PAGED("a chain", "state-of-the-\nart work\n", "state-of-the-art\nwork\n");
	PAGED("not across columns or pages", "foo-   bar\nab-\nle   x\n<!-- page 2 -->\nexam-\n<!-- page 3 -->\nple\n",
	      "foo-   bar\nab-\nle   x\n\n<!-- page 2 -->\n\nexam-\n\n<!-- page 3 -->\n\nple\n");
	PAGED("running header, footer and numbers",
	      "<!-- page 1 -->\nHandbook\nfirst\n1 of 4\n<!-- page 2 -->\nHandbook\nsecond\n\n2 of 4\n<!-- page 3 "
	      "-->\nHandbook\nthird\n3 of 4\n"
	      "<!-- page 4 -->\nHandbook\n4 of 4\n",
	      "<!-- page 1 -->\n\nHandbook\nfirst\n1 of 4\n\n<!-- page 2 -->\n\nsecond\n\n<!-- page 3 -->\n\nthird\n\n<!-- page 4 "
	      "-->\n");
	PAGED("numbers alone", "<!-- page 1 -->\na\n7\n<!-- page 2 -->\nb\n8\n<!-- page 3 -->\nc\n9\n",
	      "<!-- page 1 -->\n\na\n\n<!-- page 2 -->\n\nb\n\n<!-- page 3 -->\n\nc\n");
	PAGED("numbers that are content", "<!-- page 1 -->\na\n7\n<!-- page 2 -->\nb\n9\n<!-- page 3 -->\nc\n8\n",
	      "<!-- page 1 -->\n\na\n7\n\n<!-- page 2 -->\n\nb\n9\n\n<!-- page 3 -->\n\nc\n8\n");
	PAGED("a header of two lines",
	      "<!-- page 1 -->\nNorthwind\nHandbook\na\n<!-- page 2 -->\nNorthwind\nHandbook\nb\n<!-- page 3 "
	      "-->\nNorthwind\nHandbook\nc\n",
	      "<!-- page 1 -->\n\nNorthwind\nHandbook\na\n\n<!-- page 2 -->\n\nb\n\n<!-- page 3 -->\n\nc\n");
	PAGED("many equal lines are content",
	      "<!-- page 1 -->\na\nb\nc\nd\ne\n1.\n<!-- page 2 -->\na\nb\nc\nd\ne\n5.\n<!-- page 3 -->\na\nb\nc\nd\ne\n4.\n<!-- "
	      "page 4 -->\na\nb\nc\nd\ne\n9.\n",
	      "<!-- page 1 -->\n\na\nb\nc\nd\ne\n1.\n\n<!-- page 2 -->\n\na\nb\nc\nd\ne\n5.\n\n<!-- page 3 "
	      "-->\n\na\nb\nc\nd\ne\n4.\n\n<!-- page 4 -->\n\na\nb\nc\nd\ne\n9.\n");
	PAGED("two pages are too few", "<!-- page 1 -->\nH\na\n<!-- page 2 -->\nH\nb\n",
	      "<!-- page 1 -->\n\nH\na\n\n<!-- page 2 -->\n\nH\nb\n");
	PAGED("left and right pages",
	      "<!-- page 1 -->\nL\na\n<!-- page 2 -->\nR\nb\n<!-- page 3 -->\nL\nc\n<!-- page 4 -->\nR\nd\n<!-- page 5 "
	      "-->\nL\ne\n<!-- page 6 -->\nR\nf\n",
	      "<!-- page 1 -->\n\nL\na\n\n<!-- page 2 -->\n\nR\nb\n\n<!-- page 3 -->\n\nc\n\n<!-- page 4 -->\n\nd\n\n<!-- page 5 "
	      "-->\n\ne\n\n<!-- page 6 -->\n\nf\n");
}

static void limits(void)
{
	struct buf out;
	buf_init(&out, 10);
	CHECK(clean_text(span_of("0123456789abcdef"), &prose, &out) == -EFBIG);
	buf_reset(&out);
	CHECK(clean_text(span_of("0123456789abcdef"), &paged, &out) == -EFBIG);
	buf_release(&out);
	buf_init(&out, 100);
	buf_add_string(&out, "before \n\n");
	CHECK(clean_text(span_of("\n\nx \n\n"), &prose, &out) == 0);
	CHECK(span_equal(buf_span(&out), span_of("before \n\nx\n")));
	buf_release(&out);
}

/* Bytes chosen to meet each other: whatever they are, cleaning twice gives what cleaning once gave. */
static void idempotence(void)
{
	static const char *const parts[] = {"a",
	                                    "b-",
	                                    "-",
	                                    " ",
	                                    "\n",
	                                    "\n",
	                                    "\r",
	                                    "\t",
	                                    "\xcc\x81",
	                                    "\xcc\xa3",
	                                    "e",
	                                    "\xe2\x80\x8d",
	                                    "\xef\xb8\x8f",
	                                    "\xd9\x85",
	                                    "\xd9\x91",
	                                    "\xc2\xad",
	                                    "\xc2\xa0",
	                                    "\xe3\x80\x80",
	                                    "\x0c",
	                                    "\xff",
	                                    "\xe2\x84\xab",
	                                    "\xef\xac\x81",
	                                    "\xf0\x9f\x8f\xb4",
	                                    "\xf3\xa0\x81\xa7",
	                                    "<!-- page 1 -->\n",
	                                    "<!-- page 2 -->\n",
	                                    "<!-- page 3 -->\n",
	                                    "7",
	                                    "word",
	                                    "\xe1\x85\xa1",
	                                    "\xe1\x84\x80"};
	enum { PARTS = sizeof(parts) / sizeof(*parts), ROUNDS = 3000, LENGTH = 40 };
	const struct clean_options *modes[] = {&prose, &code, &paged};
	uint32_t random = 1;
	int bad = 0;
	for (int round = 0; round < ROUNDS; round++) {
		struct buf in, once, twice;
		buf_init(&in, 10000);
		buf_init(&once, 10000);
		buf_init(&twice, 10000);
		for (int i = 0; i < LENGTH; i++) {
			random = random * 1664525u + 1013904223u;
			buf_add_string(&in, parts[(random >> 8) % PARTS]);
		}
		if (clean_text(buf_span(&in), modes[round % 3], &once) || clean_text(buf_span(&once), modes[round % 3], &twice) ||
		    !span_equal(buf_span(&once), buf_span(&twice)) || !utf8_is_valid(buf_span(&once))) {
			bad++;
			printf("# in: %s\n# once: %s\n# twice: %s\n", in.data, once.data, twice.data);
		}
		buf_release(&in);
		buf_release(&once);
		buf_release(&twice);
	}
	CHECK_NAMED(bad == 0, "cleaning twice changes nothing in %d random texts (%d did)", ROUNDS, bad);
}

static void give_clean(const char *name, struct span in, struct buf *out)
{
	const char *extension = strrchr(name, '.');
	bool is_code = extension && strcmp(extension, ".code") == 0, is_paged = extension && strcmp(extension, ".pages") == 0;
	(void)clean_text(in, is_code ? &code : is_paged ? &paged : &prose, out);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "golden") == 0) {
		golden_folder(argv[2], give_clean);
		return tap_done();
	}
	lines();
	characters();
	normal_form();
	pages();
	limits();
	idempotence();
	return tap_done();
}
