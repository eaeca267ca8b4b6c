/* Exclusion rules: single patterns, files of secrets, and random rules in random trees against git itself. */
#include "tap.h"

#include "source/ignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/corpusfs-ignore-XXXXXX";

static void patterns(void)
{
	static const struct {
		const char *pattern, *path;
		bool match;
	} cases[] = {
		{"a", "a", true}, {"a", "b", false}, {"*", "abc", true}, {"*", "a/b", false}, {"a*c", "abc", true}, {"a*c", "ac", true},
		{"a*c", "ab", false}, {"a?c", "abc", true}, {"a?c", "a/c", false}, {"[a-c]x", "bx", true}, {"[!a-c]x", "bx", false},
		{"[^a-c]x", "dx", true}, {"[]]", "]", true}, {"[a", "[a", false}, {"\\*", "*", true}, {"\\*", "a", false}, {"**", "a/b", true},
		{"**/x", "x", true}, {"**/x", "a/b/x", true}, {"**/x", "a/bx", false}, {"a/**", "a/b/c", true}, {"a/**", "a", false},
		{"a/**/b", "a/b", true}, {"a/**/b", "a/x/y/b", true}, {"a/**/b", "a/xb", false}, {"a**b", "axxb", true}, {"a**b", "a/b", false},
		{"*/x", "a/x", true}, {"*/x", "a/b/x", false}, {"*.o", ".o", true}, {"", "", true}, {"", "a", false}, {"**/*.c", "a/b.c", true},
		{"a/*/c*d", "a/b/cxxd", true}, {"a/*/c*d", "a/b/cx/d", false}, {"**/a/**/b", "x/a/y/a/b", true}, {"[a-c-e]", "-", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		CHECK_NAMED(ignore_match(cases[i].pattern, cases[i].path) == cases[i].match, "%s %s %s", cases[i].pattern,
			    cases[i].match ? "matches" : "does not match", cases[i].path);
	char slow[2001], text[2001];
	for (int i = 0; i < 2000; i += 2)
		memcpy(slow + i, "*a", 2);
	memset(text, 'a', 2000);
	slow[2000] = text[2000] = '\0';
	text[1999] = 'b';
	CHECK_NAMED(!ignore_match(slow, text), "a thousand stars end");
}

static void put(const char *path, const char *text)
{
	char full[4096];
	(void)snprintf(full, sizeof(full), "%s/%s", folder, path);
	FILE *f = fopen(full, "w");
	if (!f || fputs(text, f) < 0)
		abort();
	(void)fclose(f);
}

static void run(const char *command)
{
	char full[4096];
	(void)snprintf(full, sizeof(full), "cd '%s' && %s", folder, command);
	if (system(full) != 0)
		abort();
}

static void secrets(struct ignore *g)
{
	run("mkdir -p keys .aws .git/objects sub/.git");
	put(".corpusfsignore", "!keys/public.pem\nprivate/\n# a comment\n\n/only-here\n");
	CHECK(ignore_check(g, ".env", false) == IGNORE_SECRET);
	CHECK(ignore_check(g, "a/.env.local", false) == IGNORE_SECRET);
	CHECK(ignore_check(g, "id_rsa", false) == IGNORE_SECRET);
	CHECK(ignore_check(g, "id_rsa.pub", false) == IGNORE_NO);
	CHECK(ignore_check(g, "home/.aws/credentials", false) == IGNORE_SECRET);
	CHECK(ignore_check(g, "home/credentials", false) == IGNORE_NO);
	CHECK(ignore_check(g, "keys/server.pem", false) == IGNORE_SECRET);
	CHECK(ignore_check(g, "keys/public.pem", false) == IGNORE_NO);
	CHECK(ignore_check(g, ".git", true) == IGNORE_VCS);
	CHECK(ignore_check(g, "sub/.git/config", false) == IGNORE_VCS);
	CHECK(ignore_check(g, "private", true) == IGNORE_RULE);
	CHECK(ignore_check(g, "x/private/y/z", false) == IGNORE_RULE);
	CHECK(ignore_check(g, "private", false) == IGNORE_NO);
	CHECK(ignore_check(g, "only-here", false) == IGNORE_RULE);
	CHECK(ignore_check(g, "x/only-here", false) == IGNORE_NO);
	CHECK(ignore_check(g, "", true) == IGNORE_NO);
	put(".corpusfsignore", "");
	ignore_changed(g, ".corpusfsignore");
	CHECK(ignore_check(g, "only-here", false) == IGNORE_NO);
	run("rm -rf .corpusfsignore keys .aws .git sub");
	ignore_changed(g, "");
}

static uint32_t state = 12345;

static uint32_t pick(uint32_t n)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % n;
}

/* Well-formed rules only: git itself answers patterns like "ab**" + "/x" by what a short cut of its own makes of them. */
static void random_rules(char *out, size_t size)
{
	static const char *const parts[] = {"a", "b", "c", "*", "?", "**", "**", "[ab]", "[!a]", "a*", "*b", "ab", "?b", "a?"};
	size_t n = 0;
	for (uint32_t line = pick(5); line < 6; line++) {
		n += (size_t)snprintf(out + n, size - n, "%s%s", pick(4) == 0 ? "!" : "", pick(4) == 0 ? "/" : "");
		for (uint32_t i = 0, count = 1 + pick(3); i < count; i++)
			n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "/" : "", parts[pick(sizeof(parts) / sizeof(*parts))]);
		n += (size_t)snprintf(out + n, size - n, "%s\n", pick(4) == 0 ? "/" : "");
	}
}

/* Every path of three levels of a, b, c and ab; git says which are excluded. */
static void against_git(struct ignore *g)
{
	if (system("git --version >/dev/null 2>&1") != 0) {
		tap_skip("git is not installed");
		return;
	}
	static const char *const names[] = {"a", "b", "c", "ab"};
	run("git init -q . && for x in a b c ab; do for y in a b c ab; do mkdir -p $x/$y; for z in a b c ab; do : >$x/$y/$z; done; done; done");
	int different = 0;
	for (int round = 0; round < 150 && !different; round++) {
		char rules[500], line[100], expected[8192] = "";
		random_rules(rules, sizeof(rules));
		put(".gitignore", rules);
		random_rules(line, sizeof(line));
		put("a/.gitignore", line);
		run("find . -path ./.git -prune -o -mindepth 1 -print | sed 's|^./||' | git check-ignore --no-index --stdin >.git/ignored || :");
		char ignored[200];
		(void)snprintf(ignored, sizeof(ignored), "%s/.git/ignored", folder);
		FILE *f = fopen(ignored, "r");
		size_t n = f ? fread(expected + 1, 1, sizeof(expected) - 2, f) : 0;
		expected[0] = '\n';
		expected[n + 1] = '\0';
		if (f)
			(void)fclose(f);
		ignore_changed(g, "");
		for (int i = 0; i < 4 + 16 + 64; i++) {
			char path[64], marked[70];
			if (i < 4)
				(void)snprintf(path, sizeof(path), "%s", names[i]);
			else if (i < 20)
				(void)snprintf(path, sizeof(path), "%s/%s", names[(i - 4) / 4], names[i % 4]);
			else
				(void)snprintf(path, sizeof(path), "%s/%s/%s", names[(i - 20) / 16], names[(i - 20) / 4 % 4], names[i % 4]);
			(void)snprintf(marked, sizeof(marked), "\n%s\n", path);
			bool ours = ignore_check(g, path, i < 20) == IGNORE_RULE, theirs = strstr(expected, marked) != NULL;
			if (ours != theirs) {
				different++;
				printf("# %s: git says %d; rules:\n# ---\n%s# --- a/:\n%s", path, theirs, rules, line);
				break;
			}
		}
	}
	CHECK(different == 0);
}

int main(void)
{
	struct source *s;
	struct ignore *g;
	if (!mkdtemp(folder) || source_open(folder, &s, NULL) < 0 || ignore_new(s, &g) < 0)
		return 2;
	patterns();
	secrets(g);
	against_git(g);
	ignore_free(g);
	source_close(s);
	char command[100];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	CHECK(system(command) == 0);
	return tap_done();
}
