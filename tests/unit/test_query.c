/* Queries as names: options, percent-decoding, bounds, filters. */
#include "tap.h"

#include "corpus/corpus_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int option(const char *text)
{
	struct corpus_query *q;
	char error[200] = "";
	if (corpus_query_new(&q) < 0)
		return -ENOMEM;
	int r = corpus_query_option(q, text, error, sizeof(error));
	if (r < 0 && !*error)
		r = 1; /* an error without words */
	corpus_query_free(q);
	return r;
}

static void options(void)
{
	static const char *const good[] = {"@k=1", "@k=1000", "@mode=hybrid", "@mode=keyword", "@mode=vector", "@in=a/b", "@in=a/", "@in=*.md",
					   "@type=pdf", "@type=.pdf", "@min=0.5", "@min=-1", "@since=2026-01-31", "@since=2024-02-29",
					   "@per=3", "@as=link", "@as=file", "@budget=2000"};
	static const char *const bad[] = {"@k=0", "@k=1001", "@k=", "@k=1x", "@k=-1", "@k=+1", "@k= 1", "@k=99999999999999999999", "@mode=Hybrid",
					  "@mode=", "@in=", "@in=/", "@type=", "@type=.", "@min=", "@min=x", "@min=nan", "@min=inf", "@since=2026",
					  "@since=2026-02-31", "@since=2026-13-01", "@since=26-01-01", "@per=0", "@as=", "@as=copy", "@budget=0",
					  "@", "@=", "@k", "@unknown=1", "@K=1", "k=1", "", "@kk=1"};
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		CHECK_NAMED(option(good[i]) == 0, "%s is taken", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_NAMED(option(bad[i]) == -EINVAL, "%s is refused with words", bad[i]);
}

static void too_many_filters(void)
{
	struct corpus_query *q;
	char error[200];
	int r = corpus_query_new(&q);
	for (int i = 0; i < QUERY_FILTERS && r == 0; i++)
		r = corpus_query_option(q, "@in=a", error, sizeof(error));
	CHECK(r == 0);
	CHECK(corpus_query_option(q, "@in=a", error, sizeof(error)) == -EINVAL);
	struct corpus_query *copy = corpus_query_copy(q);
	CHECK(copy && copy->in_count == QUERY_FILTERS);
	corpus_query_free(copy);
	corpus_query_free(q);
}

static void decoding(void)
{
	static const struct {
		const char *from, *to;
	} cases[] = {{"a%2Fb", "a/b"}, {"a%2fb", "a/b"}, {"%40x", "@x"}, {"%2E", "."}, {"100%", "100%"}, {"%", "%"}, {"%4", "%4"},
		     {"%zz", "%zz"},   {"%00", "%00"},	 {"%25", "%"},	 {"50% off", "50% off"}, {"%2", "%2"}, {"%%41", "%A"}, {"\xff%ff", "\xff\xff"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char out[64];
		size_t n = corpus_decode_component(cases[i].from, strlen(cases[i].from), out);
		CHECK_NAMED(n == strlen(cases[i].to) && strcmp(out, cases[i].to) == 0, "%s becomes %s", cases[i].from, cases[i].to);
	}
}

static void texts(void)
{
	struct corpus_query *q;
	if (corpus_query_new(&q) < 0)
		return;
	char longest[1002];
	memset(longest, 'a', sizeof(longest));
	CHECK(corpus_query_text(q, longest, 1000) == 0);
	CHECK(corpus_query_text(q, longest, 1001) == -ENAMETOOLONG);
	CHECK(corpus_query_text(q, "", 0) == -EINVAL);
	CHECK(corpus_query_text(q, " \n\t", 3) == -EINVAL);
	CHECK(corpus_query_text(q, "a\xff" "b", 3) == 0 && strcmp(q->text.data, "a\xef\xbf\xbd" "b") == 0);
	memset(longest, 0xff, sizeof(longest));
	CHECK(corpus_query_text(q, longest, 1000) == 0 && q->text.size == 3000);
	corpus_query_free(q);
}

static bool matches(const char *name, const char *path)
{
	struct corpus_query *q;
	char error[200];
	bool good = corpus_query_new(&q) == 0 && corpus_query_option(q, name, error, sizeof(error)) == 0 && query_matches_path(q, path);
	corpus_query_free(q);
	return good;
}

static void filters(void)
{
	CHECK(matches("@in=hand", "hand/a.txt"));
	CHECK(matches("@in=hand/", "hand/a.txt"));
	CHECK(!matches("@in=hand", "handbook/a.txt"));
	CHECK(matches("@in=hand/a.txt", "hand/a.txt"));
	CHECK(matches("@in=*.md", "x/y/z.md"));
	CHECK(matches("@in=x/*.md", "x/y/z.md"));
	CHECK(!matches("@in=y/*.md", "x/y/z.md"));
	CHECK(matches("@in=z.m?", "x/y/z.md"));
	CHECK(matches("@type=PDF", "a.pdf"));
	CHECK(matches("@type=tar.gz", "a.tar.gz"));
	CHECK(!matches("@type=pdf", "a.pdf.txt"));
	CHECK(!matches("@type=pdf", ".pdf"));
	CHECK(!matches("@type=pdf", "apdf"));
}

int main(void)
{
	options();
	too_many_filters();
	decoding();
	texts();
	filters();
	return tap_done();
}
