/* The parts of the command that can be tried without running it: options, sizes, the progress line, excerpts. */
#include "cli/config.c"
#include "cli/excerpt.c"
#include "cli/output.c"
#include "cli/progress.c"
#include "tap.h"

/* argv is not constant, but nothing writes to it. */
static int parse(struct config *c, enum verb verb, const char **words)
{
	int count = 0;
	while (words[count])
		count++;
	return config_parse(c, verb, "verb", count, (char **)(uintptr_t)words);
}
#define WORDS(...) ((const char *[]){__VA_ARGS__, NULL})

static void test_precedence(void)
{
	struct config c;
	(void)setenv("CORPUSFS_STORE", "/environment", 1);
	CHECK(parse(&c, VERB_MOUNT, WORDS("a", "b")) == 0 && strcmp(c.store, "/environment") == 0);
	config_release(&c);
	CHECK(parse(&c, VERB_MOUNT, WORDS("a", "b", "-o", "store=/option")) == 0 && strcmp(c.store, "/option") == 0);
	config_release(&c);
	CHECK(parse(&c, VERB_MOUNT, WORDS("--store=/line", "a", "b", "-ostore=/option")) == 0 && strcmp(c.store, "/line") == 0);
	CHECK(c.argument_count == 2 && strcmp(c.arguments[1], "b") == 0);
	config_release(&c);
	CHECK(parse(&c, VERB_DOCTOR, WORDS("x")) == 0 && !c.store);
	config_release(&c);
	(void)unsetenv("CORPUSFS_STORE");
}

static void test_mount_options(void)
{
	struct config c;
	CHECK(parse(&c, VERB_MOUNT, WORDS("-o", "rw,nosuid,,noatime,log=/a\\,b\\\\c,x-note,allow-other,fail_fast=no", "-fonoindex")) == -EINVAL);
	config_release(&c);
	CHECK(parse(&c, VERB_MOUNT, WORDS("-f", "-o", "rw,nosuid,,noatime,log=/a\\,b\\\\c,x-note=1,allow-other,fail_fast=no", "--", "-dash")) == 0);
	CHECK(strcmp(c.log, "/a,b\\c") == 0);
	CHECK(strcmp(c.kernel_options, "nosuid,noatime") == 0);
	CHECK(c.foreground && c.allow_other && !c.fail_fast && !c.noindex);
	CHECK(c.argument_count == 1 && strcmp(c.arguments[0], "-dash") == 0);
	config_release(&c);
	CHECK(parse(&c, VERB_MOUNT, WORDS("-o", "colour=red")) == -EINVAL);
	config_release(&c);
	CHECK(parse(&c, VERB_MOUNT, WORDS("-o")) == -EINVAL);
	config_release(&c);
}

static void test_values(void)
{
	struct config c;
	CHECK(parse(&c, VERB_SEARCH, WORDS("-k5", "-k", "7", "--mode=keyword", "w", "q")) == 0 && c.query_option_count == 2);
	CHECK(strcmp(c.query_options[0], "@k=7") == 0 && strcmp(c.query_options[1], "@mode=keyword") == 0);
	config_release(&c);
	CHECK(parse(&c, VERB_MOUNT, WORDS("--deadline", "30", "--threads=2")) == 0 && c.deadline == 30 && c.threads == 2);
	CHECK(config_corpus_options(&c, "/x").deadline_ms == 30000);
	config_release(&c);
	const char *const bad[] = {"--deadline=", "--deadline=-1", "--deadline=1x", "--deadline=99999999999999999999", "--noindex=maybe", "--store=", "-k", "-x", "--"};
	for (size_t i = 0; i + 1 < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_NAMED(parse(&c, VERB_MOUNT, WORDS(bad[i])) == -EINVAL, "%s is refused", bad[i]);
		config_release(&c);
	}
	CHECK(parse(&c, VERB_SEARCH, WORDS("-k")) == -EINVAL);
	config_release(&c);
}

static void test_sizes(void)
{
	char text[OUT_SIZE_TEXT];
	CHECK(strcmp(out_size(0, text), "0 B") == 0);
	CHECK(strcmp(out_size(999, text), "999 B") == 0);
	CHECK(strcmp(out_size(1000, text), "1.0 kB") == 0);
	CHECK(strcmp(out_size(99960, text), "100 kB") == 0);
	CHECK(strcmp(out_size(999999, text), "1.0 MB") == 0);
	CHECK(strcmp(out_size(1e30, text), "1000000000000000 PB") != 0 && strlen(text) < OUT_SIZE_TEXT);
	CHECK(out_columns("a\xe4\xb8\xad", 4) == 3);
	CHECK(out_fit("a\xe4\xb8\xad" "b", 5, 2) == 1 && out_fit("a\xe4\xb8\xad" "b", 5, 3) == 4);
	CHECK(out_columns("e\xcc\x81", 3) == 1);
	CHECK(out_columns("\xff\xff", 2) == 2);
}

static void test_progress_line(void)
{
	char line[1024];
	struct corpus_progress p = {.files_total = 1000, .files_done = 420, .bytes_total = 10000000, .bytes_done = 4200000,
				    .current = "handbook/\xe4\xb8\xad\xe6\x96\x87/a rather long name.txt"};
	progress_line(line, sizeof(line), "indexing", &p, 2, 200);
	CHECK_NAMED(strcmp(line, "indexing  420/1000+ files  2.1 MB/s  210 files/s  handbook/\xe4\xb8\xad\xe6\x96\x87/a rather long name.txt") == 0, "%s", line);
	p.walked = true;
	progress_line(line, sizeof(line), "indexing", &p, 2, 200);
	CHECK_NAMED(strstr(line, "indexing  42% [########------------]  420/1000 files  2.1 MB/s  210 files/s  0:03 left  hand") == line, "%s", line);
	for (unsigned width = 1; width < 140; width++) {
		progress_line(line, sizeof(line), "indexing", &p, 2, width);
		if (out_columns(line, strlen(line)) > width)
			CHECK_NAMED(false, "%u columns: %s", width, line);
	}
	p.files_done = 2000;
	p.bytes_done = 20000000;
	progress_line(line, sizeof(line), "indexing", &p, 7200, 200);
	CHECK_NAMED(strstr(line, "100% [####################]") != NULL, "more done than known: %s", line);
	p = (struct corpus_progress){.walked = true};
	progress_line(line, sizeof(line), "indexing", &p, 0, 200);
	CHECK_NAMED(strstr(line, "0/0 files") != NULL, "nothing to do: %s", line);
}

static void test_excerpts(void)
{
	struct excerpt_words words;
	struct span lines[EXCERPT_LINES];
	excerpt_split(span_of("How much Parental-leave, do policies?"), &words);
	CHECK(words.count == 6 && words.words[2].size == 8);
	struct span text = span_of("# Handbook\n\nsomething else\n  The policy on parental leave.\nMuch ado\nlast line\n");
	size_t count = excerpt_lines(text, &words, lines);
	CHECK(count == 2 && strncmp(lines[0].data, "The policy", 10) == 0 && strncmp(lines[1].data, "Much ado", 8) == 0);
	CHECK(excerpt_match(lines[0], 4, &words) == 6);
	CHECK(excerpt_match(lines[0], 5, &words) == 0);
	CHECK(excerpt_match(lines[0], 0, &words) == 0);
	excerpt_split(span_of("zebra"), &words);
	count = excerpt_lines(text, &words, lines);
	CHECK(count == 3 && span_equal(lines[0], span_of("# Handbook")));
	CHECK(excerpt_lines(span_of(" \n\n\t\n"), &words, lines) == 0);
	excerpt_split(span_of("CAF\xc3\x89"), &words);
	CHECK(excerpt_match(span_of("caf\xc3\xa9"), 0, &words) == 5);
	excerpt_split(span_of("!!"), &words);
	CHECK(words.count == 0);
}

int main(void)
{
	test_precedence();
	test_mount_options();
	test_values();
	test_sizes();
	test_progress_line();
	test_excerpts();
	return tap_done();
}
