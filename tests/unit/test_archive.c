/* Catalogues of archives: names, collisions, records; and batches that are not what they should be. */
#include "tap.h"

#include "extract/archive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names ----------------------------------------------------------------------------------------------------------- */

static void cleans(const char *raw, const char *expected)
{
	struct buf out;
	buf_init(&out, 1 << 16);
	bool good = catalogue_clean_name(span_of(raw), &out);
	CHECK_NAMED(expected ? good && span_equal(buf_span(&out), span_of(expected)) : !good, "%.40s becomes %.60s", raw, expected ? expected : "nothing");
	buf_release(&out);
}

static void names(void)
{
	char text[3000];
	cleans("a/b.txt", "a/b.txt");
	cleans("/etc/passwd", "etc/passwd");
	cleans("../../a/../b", "a/b");
	cleans("./a//./b/", "a/b");
	cleans("", NULL);
	cleans("..", NULL);
	cleans("///./..", NULL);
	cleans("a\\b\xff", "a\\b\xff");
	cleans("...", "...");
	memset(text, 'a', sizeof(text));
	text[255] = '\0';
	cleans(text, text);
	struct buf out;
	buf_init(&out, 1 << 16);
	memcpy(text + 255, "b.pdf", 6);
	CHECK(catalogue_clean_name(span_of(text), &out) && out.size == 200 + 9 + 4 && memcmp(out.data + out.size - 4, ".pdf", 4) == 0 && out.data[200] == '~');
	/* Cut between characters. */
	for (size_t i = 0; i < 300; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	text[300] = '\0';
	CHECK(catalogue_clean_name(span_of(text), &out) && out.size == 198 + 9 && out.data[198] == '~');
	for (size_t i = 0; i < 200; i += 2)
		memcpy(text + i, "a/", 2);
	text[200] = '\0';
	CHECK(!catalogue_clean_name(span_of(text), &out));
	for (size_t i = 0; i < 2100; i++)
		text[i] = i % 100 == 99 ? '/' : 'x';
	text[2100] = '\0';
	CHECK(!catalogue_clean_name(span_of(text), &out));
	buf_release(&out);
}

/* --- collisions ------------------------------------------------------------------------------------------------------ */

/* Writes members called `names` ("raw" tells equal names of the archive apart by their first letter) and gives "path ordinal;" of each. */
static void settles(const char *const *paths, const char *raws, const char *expected, size_t expected_left_out)
{
	struct catalogue_entry entries[16];
	struct buf out, got;
	size_t count = strlen(raws), left_out = 0, at = 0;
	buf_init(&out, 1 << 16);
	buf_init(&got, 1 << 16);
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct catalogue_entry){strdup(paths[i]), (uint64_t)raws[i], 10 + i, (uint32_t)i, MEMBER_OK};
	int r = catalogue_write(entries, count, &out, &left_out);
	struct member m = {.path = {"", 0}};
	while (r == 0 && catalogue_next(buf_span(&out), &at, m.path, &m) == 1)
		buf_addf(&got, "%.*s %u;", (int)m.path.size, m.path.data, m.ordinal);
	CHECK_NAMED(r == 0 && at == out.size && left_out == expected_left_out && span_equal(buf_span(&got), span_of(expected)), "%s (%s, %zu)", expected,
		    got.data ? got.data : "", left_out);
	buf_release(&out);
	buf_release(&got);
}

static void collisions(void)
{
	settles((const char *const[]){"b", "a/c", "a"}, "abc", "a/c 1;a~2 2;b 0;", 0);
	settles((const char *const[]){"x.txt", "x.txt"}, "aa", "x.txt 1;", 1);
	settles((const char *const[]){"d/x.txt", "d/x.txt", "d/x.txt"}, "abc", "d/x.txt 0;d/x~2.txt 1;d/x~3.txt 2;", 0);
	settles((const char *const[]){"x", "x", "x"}, "aba", "x 1;x~2 2;", 1);
	/* The numbered name is taken. */
	settles((const char *const[]){"x", "x", "x~2"}, "abc", "x 0;x~2 1;", 1);
	/* "a-b" stands between "a" and "a/b". */
	settles((const char *const[]){"a", "a-b", "a/b"}, "abc", "a-b 1;a/b 2;a~2 0;", 0);
	settles((const char *const[]){".hidden", ".hidden"}, "ab", ".hidden 0;.hidden~2 1;", 0);
	settles((const char *const[]){""}, "", "", 0);
}

/* --- what a child that was taken over may say ------------------------------------------------------------------------ */

static int read_all(const char *data, size_t size)
{
	struct member m = {.path = {"", 0}};
	size_t at = 0;
	int r;
	while ((r = catalogue_next((struct span){data, size}, &at, m.path, &m)) == 1)
		;
	return r;
}

static void refuses(const char *const *paths, size_t count, const char *what)
{
	struct buf out;
	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < count; i++) {
		char head[16] = {0};
		uint16_t size = (uint16_t)strlen(paths[i]);
		memcpy(head + 12, &size, sizeof(size));
		buf_add(&out, head, sizeof(head));
		buf_add(&out, paths[i], size);
	}
	CHECK_NAMED(read_all(out.data, out.size) == -EIO, "%s is refused", what);
	buf_release(&out);
}

static void hostile(void)
{
	refuses((const char *const[]){"../x"}, 1, "a name that leads out");
	refuses((const char *const[]){"/x"}, 1, "an absolute name");
	refuses((const char *const[]){"a//x"}, 1, "an empty component");
	refuses((const char *const[]){"a/./x"}, 1, "a dot");
	refuses((const char *const[]){"a/"}, 1, "a folder");
	refuses((const char *const[]){""}, 1, "an empty name");
	refuses((const char *const[]){"b", "a"}, 2, "a wrong order");
	refuses((const char *const[]){"a", "a"}, 2, "a name twice");
	char head[17] = {0};
	head[12] = 2;
	CHECK(read_all(head, 17) == -EIO && read_all(head, 3) == -EIO && read_all(head, 0) == 0);
	head[12] = 1;
	head[16] = 'x';
	CHECK(read_all(head, 17) == 0);
	head[14] = MEMBER_DAMAGED;
	CHECK(read_all(head, 17) == -EIO);
	uint8_t state;
	struct span bytes;
	uint64_t frame[3] = {9, 7, 0};
	CHECK(archive_find_in_batch((struct span){(const char *)frame, sizeof(frame)}, 7, &state, &bytes) == -EIO);
	frame[0] = 8;
	CHECK(archive_find_in_batch((struct span){(const char *)frame, sizeof(frame)}, 7, &state, &bytes) == 0 && bytes.size == 8 && state == MEMBER_OK);
	CHECK(archive_find_in_batch((struct span){(const char *)frame, sizeof(frame)}, 8, &state, &bytes) == -ENOENT);
	CHECK(archive_find_in_batch((struct span){(const char *)frame, 10}, 7, &state, &bytes) == -EIO);
}

int main(void)
{
	names();
	collisions();
	hostile();
	return tap_done();
}
