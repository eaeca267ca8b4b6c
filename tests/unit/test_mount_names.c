/* The names of the derived views are one-to-one. The mount is no part of the library, so its pure half is compiled in here. */
#include "tap.h"

#include "mount/names.c"

#include <stdlib.h>

/* One folder of a source: what is there decides how a folder is shown. */
struct folder {
	const char *documents[8], *folders[8];
};

static bool has(const char *const *list, const char *name, size_t size)
{
	for (size_t i = 0; list[i]; i++)
		if (strlen(list[i]) == size && memcmp(list[i], name, size) == 0)
			return true;
	return false;
}

/* As the view of clean/ does it, with the predicate from the source. */
static void show_folder(const struct folder *f, const char *name, char out[64])
{
	size_t rival = names_rival(name, ".txt");
	(void)snprintf(out, 64, "%s%s", name, rival && has(f->documents, name, rival) ? ".d" : "");
}

/* 'd' and the name for a document, 'f' and the name for a folder, '-' when nothing is shown under that name. */
static void find(const struct folder *f, const char *shown, char out[64])
{
	size_t n = names_document(shown, ".txt"), rival = names_rival(shown, ".txt"), size = strlen(shown);
	if (n && has(f->documents, shown, n)) {
		(void)snprintf(out, 64, "d%.*s", (int)n, shown);
		return;
	}
	if (rival && has(f->documents, shown, rival))
		size = names_pushed_aside(shown) ? size - 2 : 0;
	(void)snprintf(out, 64, "-");
	if (size && has(f->folders, shown, size))
		(void)snprintf(out, 64, "f%.*s", (int)size, shown);
}

static void check_folder(const char *name, const struct folder *f)
{
	char shown[16][64], back[64], expected[64];
	size_t count = 0;
	for (size_t i = 0; f->documents[i]; i++) {
		(void)snprintf(shown[count], 64, "%s.txt", f->documents[i]);
		find(f, shown[count++], back);
		(void)snprintf(expected, sizeof(expected), "d%s", f->documents[i]);
		CHECK_NAMED(strcmp(back, expected) == 0, "%s: document %s", name, f->documents[i]);
	}
	for (size_t i = 0; f->folders[i]; i++) {
		show_folder(f, f->folders[i], shown[count]);
		find(f, shown[count++], back);
		(void)snprintf(expected, sizeof(expected), "f%s", f->folders[i]);
		CHECK_NAMED(strcmp(back, expected) == 0, "%s: folder %s", name, f->folders[i]);
	}
	bool unique = true;
	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++)
			unique = unique && strcmp(shown[i], shown[k]) != 0;
	CHECK_NAMED(unique, "%s: no two names are equal", name);
}

static void test_folders(void)
{
	check_folder("plain", &(struct folder){{"a", "a.txt", "a.txt.txt", ".txt", "x.d"}, {"b", "b.txt", "b.txt.d", "c.d"}});
	check_folder("rivals", &(struct folder){{"x", "y.txt", "x.txt.d"}, {"x.txt", "x.txt.d.d", "y.txt.txt", "y.txt"}});
	check_folder("a family", &(struct folder){{"x"}, {"x.txt", "x.txt.d", "x.txt.d.d", "x.txt.txt", ".d", ".txt", ".txt.d"}});
	char out[64];
	show_folder(&(struct folder){{"y"}, {"x.txt"}}, "x.txt", out);
	CHECK_NAMED(strcmp(out, "x.txt") == 0, "a folder without a rival keeps its name");
	find(&(struct folder){{"x"}, {"x.txt"}}, "x.txt", out);
	CHECK_NAMED(strcmp(out, "dx") == 0, "beside a rival the plain name is the document's");
	find(&(struct folder){{"y"}, {"x"}}, "x.txt", out);
	CHECK_NAMED(strcmp(out, "-") == 0, "a folder is not a document");
}

static void test_documents(void)
{
	CHECK(names_document("a.txt", ".txt") == 1);
	CHECK(names_document("a.txt.txt", ".txt") == 5);
	CHECK(names_document(".txt", ".txt") == 0);
	CHECK(names_document("txt", ".txt") == 0);
	CHECK(names_document("a.npy", ".txt") == 0);
	CHECK(names_document("", ".txt") == 0);
	CHECK(names_document("\xff\n.json", ".json") == 2);
	CHECK(names_rival("x.txt", ".txt") == 1);
	CHECK(names_rival("x.txt.d.d", ".txt") == 1);
	CHECK(names_rival("x.d", ".txt") == 0);
	CHECK(names_rival(".d", ".txt") == 0);
	CHECK(names_rival(".txt.d", ".txt") == 0);
}

static void test_chunks(void)
{
	static const uint32_t numbers[] = {1, 9, 10, 9999, 10000, 123456, 1048576};
	char name[NAMES_CHUNK_SIZE];
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		names_chunk(numbers[i], name);
		CHECK_NAMED(names_chunk_number(name) == numbers[i], "chunk %u is %s", numbers[i], name);
	}
	names_chunk(7, name);
	CHECK(strcmp(name, "0007.txt") == 0);
	names_chunk(UINT32_MAX, name);
	CHECK(strcmp(name, "4294967295.txt") == 0);
	static const char *const wrong[] = {"", "7.txt", "007.txt", "00007.txt", "010000.txt", "0000.txt", "0001", "0001.tx", "0001.txt.txt", "-001.txt",
					    "+001.txt", " 0001.txt", "4294967297.txt", "99999999999999999999.txt", "0x01.txt"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CHECK_NAMED(names_chunk_number(wrong[i]) == 0, "\"%s\" is no chunk", wrong[i]);
}

static void test_hits(void)
{
	CHECK(names_may_be_hit("01-leave.pdf-0003.txt"));
	CHECK(names_may_be_hit("1000-x"));
	CHECK(!names_may_be_hit(".git"));
	CHECK(!names_may_be_hit("-x"));
	CHECK(!names_may_be_hit("01"));
	CHECK(!names_may_be_hit(""));
	CHECK(!names_may_be_hit("HEAD"));
}

int main(void)
{
	test_documents();
	test_folders();
	test_chunks();
	test_hits();
	return tap_done();
}
