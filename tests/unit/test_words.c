/* Words of the keyword index: folding, identifiers, numbers, scripts without blanks, stop words, and the counts of a document. */
#include "tap.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "token/edits.h"
#include "token/phrase.h"
#include "token/words.h"

#include <stdbool.h>
#include <stdlib.h>

static struct words *words;

/* The terms of `p`, blank between, each with its count when above 1: "a b*2". */
static const char *show(const struct term_postings *p)
{
	static char out[8192];
	size_t size = 0;
	out[0] = '\0';
	for (uint32_t i = 0; i < p->posting_count && size < sizeof(out) - 100; i++) {
		const struct term *t = &p->terms[p->postings[i].term];
		size += (size_t)snprintf(out + size, sizeof(out) - size, "%s%.*s", i ? " " : "", (int)t->size, t->text);
		if (p->postings[i].count > 1)
			size += (size_t)snprintf(out + size, sizeof(out) - size, "*%u", p->postings[i].count);
	}
	return out;
}

static void check_text(const char *text, const char *expected)
{
	struct span chunk = span_of(text);
	const struct term_postings *p;
	int result = words_of_chunks(words, &chunk, 1, &p);
	if (!CHECK_NAMED(result == 0 && strcmp(show(p), expected) == 0, "text '%s' has the terms '%s'", text, expected) && !result)
		printf("# got '%s'\n", show(p));
}

static void check_query(const char *text, const char *expected)
{
	const struct term_postings *p;
	int result = words_of_query(words, span_of(text), &p);
	if (!CHECK_NAMED(result == 0 && strcmp(show(p), expected) == 0, "query '%s' has the terms '%s'", text, expected) && !result)
		printf("# got '%s'\n", show(p));
}

static void folding(void)
{
	check_text("", "");
	check_text("  .,;-()[]{}'\"", "");
	check_text("The cats and the CAT were running.", "cat*2 were run");
	check_text("well-known state-of-the-art", "well known state art");
	check_text("don't we'll John's dogs' 'quoted' rock'n'roll", "don't we'll john dog quot rock'n roll");
	check_text("don\xe2\x80\x99t John\xe2\x80\x99s \xe2\x80\x9cwe\xe2\x80\x99ll\xe2\x80\x9d", "don't john we'll");
	check_text("\xc3\x89T\xc3\x89 \xc3\xa9t\xc3\xa9 e\xcc\x81t\xc3\xa9", "\xc3\xa9t\xc3\xa9*3"); /* upper, lower, decomposed */
	check_text("\xef\xbc\xa1\xef\xbc\xa2\xef\xbc\xa3 abc \xef\xac\x81re fire", "abc*2 fire*2");	  /* full width, ligature */
	check_text("Stra\xc3\x9f" "e STRASSE \xce\xa3\xce\x8a\xce\xa3\xce\xa5\xce\xa6\xce\x9f\xce\xa3",
		   "strass*2 \xcf\x83\xce\xaf\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x83");
	check_text("bad \xff\xfe\xc3 bytes\xe2\x82", "bad byte");
	check_text("a\xc2\xad" "b re\xc2\xad" "port", "ab report"); /* soft hyphen */
}

static void identifiers(void)
{
	check_text("camelCaseName", "camelcasenam camel case name");
	check_text("HTTPServer parseURL PDFs", "httpserver http server parseurl pars url pdfs");
	check_text("snake_case_names __init__ _emphasis_ ____", "snake_case_names snake case name init emphasi");
	check_text("sha256sum utf8 x86_64", "sha256sum sha 256 sum utf8 utf x86_64 86 64");
	check_text("max_retries MAX_RETRIES", "max_retries*2 max*2 retri*2");
	check_text("report.pdf foo.bar()", "report pdf foo bar");
	check_text("a_b_c_d_e_f_g_h_i_j_k_l_m_n_o_p_qq_rr", "a_b_c_d_e_f_g_h_i_j_k_l_m_n_o_p_qq_rr");
	check_text("\xc3\x84rgerGrund", "\xc3\xa4rgergrund \xc3\xa4rger grund");
}

static void numbers(void)
{
	check_text("3.11.7 0.05 1,000 12.", "3.11.7 3.11 0.05 1 000 12");
	check_text("v3.11.7 10.0.0.1", "v3.11.7 v3.11 3.11.7 3.11 10.0.0.1 10.0");
	check_text("2024-01-31 19th", "2024 01 31 19th 19 th");
}

static void scripts(void)
{
	check_text("\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd", "\xe6\x9d\xb1\xe4\xba\xac \xe4\xba\xac\xe9\x83\xbd");
	check_text("\xe7\x8c\xab", "\xe7\x8c\xab");
	check_text("T\xe3\x82\xb7\xe3\x83\xa3\xe3\x83\x84 red", "t \xe3\x82\xb7\xe3\x83\xa3 \xe3\x83\xa3\xe3\x83\x84 red");
	check_text("\xef\xbd\xb6\xef\xbe\x9e\xef\xbd\xbd", "\xe3\x82\xac\xe3\x82\xb9"); /* half-width ka, voiced mark, su */
	check_text("\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82");
}

static void queries(void)
{
	check_query("What is there about the parental leave of employees?", "parent leav employe");
	check_query("describe papers on boundary layers", "boundari layer");
	check_query("what is this about", "what about"); /* nothing else is left */
	check_query("to be or not to be", "");
	check_query("leave LEAVE leaves", "leav*3");
	char many[1000] = "";
	for (int i = 0; i < 120; i++)
		(void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "w%dx ", i + 100);
	const struct term_postings *p;
	CHECK(words_of_query(words, span_of(many), &p) == 0 && p->term_count == LIMIT_QUERY_TERMS && p->posting_count == p->term_count);
}

static void documents(void)
{
	struct span chunks[] = {span_of("red red green"), span_of(""), span_of("green blue the blue red")};
	const struct term_postings *p;
	CHECK(words_of_chunks(words, chunks, 3, &p) == 0);
	CHECK(p->term_count == 3 && p->posting_count == 5 && p->chunk_count == 3);
	CHECK(p->chunk_lengths[0] == 3 && p->chunk_lengths[1] == 0 && p->chunk_lengths[2] == 4);
	CHECK(p->postings[0].chunk == 0 && p->postings[0].term == 0 && p->postings[0].count == 2);
	CHECK(p->postings[2].chunk == 2 && p->postings[2].term == 1 && p->postings[2].count == 1);
	CHECK(p->postings[3].term == 2 && p->postings[3].count == 2 && p->postings[4].term == 0);
	CHECK(words_of_chunks(words, NULL, 0, &p) == 0 && p->chunk_count == 0 && p->posting_count == 0);
}

static void long_words(void)
{
	char text[3000];
	memset(text, 'x', sizeof(text));
	struct span chunk = {text, 200};
	const struct term_postings *p;
	CHECK(words_of_chunks(words, &chunk, 1, &p) == 0 && p->term_count == 1 && p->terms[0].size == LIMIT_TERM_BYTES);
	chunk.size = sizeof(text);
	CHECK(words_of_chunks(words, &chunk, 1, &p) == 0 && p->term_count == 0);
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	chunk.size = 201 / 2 * 2;
	memcpy(text, "xa", 2);
	CHECK(words_of_chunks(words, &chunk, 1, &p) == 0 && p->term_count == 1);
	CHECK(utf8_is_valid((struct span){p->terms[0].text, p->terms[0].size}) && p->terms[0].size <= LIMIT_TERM_BYTES);
}

/* More distinct words than every cache holds: the counts must be those of a fresh struct words. */
static void caches(void)
{
	enum { COUNT = 300000 };
	char *text = malloc(COUNT * 20);
	size_t size = 0;
	for (uint32_t i = 0; text && i < COUNT; i++)
		size += (size_t)sprintf(text + size, i % 3 ? "w%xCase " : "plain%c%c%cword ", i % 3 ? i * 2654435761u >> 12 : 'a' + i % 26,
					'a' + i / 26 % 26, 'a' + i / 676 % 26);
	struct span chunk = {text, size};
	const struct term_postings *used, *fresh;
	struct words *other;
	CHECK(text && words_new(&other) == 0 && words_of_chunks(other, &chunk, 1, &fresh) == 0);
	bool equal = true;
	for (int round = 0; round < 2; round++) {
		CHECK(words_of_chunks(words, &chunk, 1, &used) == 0 && used->term_count == fresh->term_count &&
		      used->posting_count == fresh->posting_count);
		for (uint32_t i = 0; equal && i < fresh->term_count && i < used->term_count; i++)
			equal = used->postings[i].count == fresh->postings[i].count && used->terms[i].size == fresh->terms[i].size &&
				memcmp(used->terms[i].text, fresh->terms[i].text, fresh->terms[i].size) == 0;
	}
	CHECK_NAMED(equal, "a document beyond the caches' size is counted as by a fresh tokenizer, twice");
	words_free(other);
	free(text);
	check_text("The cats and the CAT were running.", "cat*2 were run");
}

struct edits {
	unsigned count, wanted;
	size_t longest;
	const char *word;
};

static int count_edit(void *context, struct span edited)
{
	struct edits *e = context;
	e->count++;
	e->wanted += e->word && span_equal(edited, span_of(e->word));
	e->longest = edited.size > e->longest ? edited.size : e->longest;
	return 0;
}

static bool becomes(const char *word, const char *edited)
{
	struct edits e = {.word = edited};
	return edits_each(span_of(word), count_edit, &e) == 0 && e.wanted > 0;
}

static int stop_at_once(void *context, struct span edited)
{
	(void)edited;
	++*(int *)context;
	return -5;
}

static void edits(void)
{
	CHECK(becomes("recieve", "receive") && becomes("helo", "hello") && becomes("hellow", "hello") && becomes("hallo", "hello"));
	CHECK(becomes("ello", "hello") && becomes("hell", "hello") && becomes("hell", "ell"));
	CHECK(becomes("uber", "\xc3\xbc" "ber") && becomes("\xd0\xbc\xd0\xb8\xd1\x80", "x") == false);
	CHECK(becomes("\xd0\xbc\xd0\xb8\xd1\x80\xd0\xb0", "\xd0\xbc\xd0\xb8\xd1\x80\xd1\x8b"));
	CHECK(!becomes("recieve", "recieves x") && !becomes("abc", "abd") && !becomes("hello", "help"));
	struct edits e = {.word = NULL};
	CHECK(edits_each(span_of("abcdefghij"), count_edit, &e) == 0 && e.count < 1400 && e.count > 1000);
	e = (struct edits){.word = NULL};
	CHECK(edits_each(span_of("abcdefghijklmnopqrstuvwxy"), count_edit, &e) == 0 && e.count == 0);
	CHECK(edits_each(span_of("abc\xff\xfe"), count_edit, &e) == 0 && e.count == 0);
	char four[24 * 4 + 1] = "";
	for (int i = 0; i < 24; i++)
		memcpy(four + strlen(four), "\xf0\x90\x90\xa8", 5);
	CHECK(edits_each(span_of(four), count_edit, &e) == 0 && e.count > 0 && e.longest <= 25 * 4);
	int calls = 0;
	CHECK(edits_each(span_of("hello"), stop_at_once, &calls) == -5 && calls == 1);
}

static void check_phrase(const char *phrase, const char *text, bool expected)
{
	struct phrase *p = NULL;
	bool found = !expected;
	int result = phrase_new(span_of(phrase), &p);
	if (!result)
		result = phrase_find(p, span_of(text), &found);
	CHECK_NAMED(result == 0 && found == expected, "'%s' has %s the phrase '%s'", text, expected ? "" : "not", phrase);
	phrase_free(p);
}

static void phrases(void)
{
	struct phrase *p = NULL;
	CHECK(phrase_new(span_of(" ,.-__ "), &p) == -22 && p == NULL);
	check_phrase("the Parental Leave", "About the parental\nleave.", true);
	check_phrase("parental leave", "parental leaves", false);
	check_phrase("parental leave", "parental and leave", false);
	check_phrase("well known", "a Well-Known fact", true);
	check_phrase("a a b", "a a a b", true);
	check_phrase("a b a b c", "a b a b a b c", true);
	check_phrase("a b a b c", "a b a b a b", false);
	check_phrase("don't stop", "Don\xe2\x80\x99t _stop_", true);
	check_phrase("\xc3\x89T\xc3\x89 max_size", "l'\xc3\xa9t\xc3\xa9, \xc3\xa9t\xc3\xa9: MAX_SIZE", true);
	check_phrase("\xe4\xba\xac\xe9\x83\xbd", "\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd\xe3\x80\x82", true);
	check_phrase("\xe4\xba\xac\xe9\x83\xbd", "\xe6\x9d\xb1\xe9\x83\xbd\xe4\xba\xac", false);
	check_phrase("3.11", "version 3.11.7", false);
	char many[1000] = "";
	for (int i = 0; i < 100; i++)
		(void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "w%d ", i);
	check_phrase(many, many, true);
}

int main(void)
{
	CHECK(words_new(&words) == 0);
	folding();
	identifiers();
	numbers();
	scripts();
	queries();
	documents();
	long_words();
	caches();
	phrases();
	edits();
	words_free(words);
	words_free(NULL);
	return tap_done();
}
