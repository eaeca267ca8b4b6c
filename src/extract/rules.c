/* Extractors by configuration: see rules.h. */
#include "extract/rules.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "extract/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A file of rules is written by hand. */
enum { FILE_BYTES = 64 << 10 };

struct rule {
	char *line; /* what the words below point into */
	const char *pattern;
	char path[PATH_MAX]; /* "" when the program is not installed */
	char name[48], media_type[80], revision[HASH_HEX_SIZE];
	const char *arguments[RULE_ARGUMENTS + 1];
	struct format_program program;
	struct format format;
};

static struct rule *rules;
static size_t count;

size_t rules_count(void)
{
	return count;
}

const struct format *rules_format(size_t i)
{
	return &rules[i].format;
}

const char *rules_pattern(size_t i)
{
	return rules[i].pattern;
}

const char *rules_program(size_t i)
{
	return rules[i].path[0] ? rules[i].path : NULL;
}

void rules_release(void)
{
	for (size_t i = 0; i < count; i++)
		free(rules[i].line);
	free(rules);
	rules = NULL;
	count = 0;
}

/* --- choosing ------------------------------------------------------------------------------------------------------ */

static bool ends_with(struct span name, const char *suffix)
{
	size_t n = strlen(suffix);
	return name.size > n && strncasecmp(name.data + name.size - n, suffix, n) == 0;
}

/* ".tar.gz" is the end of a name; "image/ *" is every kind of picture. */
static bool matches(const char *pattern, struct span name, const char *media_type)
{
	size_t n = strlen(pattern);
	if (pattern[0] == '.')
		return ends_with(name, pattern);
	return pattern[n - 1] == '*' ? strncasecmp(pattern, media_type, n - 1) == 0 : strcasecmp(pattern, media_type) == 0;
}

const struct format *rules_choose(struct span name, const char *media_type)
{
	for (size_t i = 0; i < count; i++)
		if (matches(rules[i].pattern, name, media_type))
			return &rules[i].format;
	return NULL;
}

/* --- what a program gives ------------------------------------------------------------------------------------------ */

static int take_output(struct span bytes, int status, struct span output, struct buf *text, struct extract_result *about)
{
	(void)bytes;
	if (status != 0) {
		(void)format_fail(about, "program-failed", "");
		(void)snprintf(about->message, sizeof(about->message), "the program that is configured for this kind ended with status %d", status);
		return 0;
	}
	if (!utf8_is_valid(output) || memchr(output.data, '\0', output.size))
		return format_fail(about, "no-utf8", "the program that is configured for this kind wrote something that is not UTF-8 text");
	size_t blank = 0;
	while (blank < output.size && (unsigned char)output.data[blank] <= ' ')
		blank++;
	if (blank == output.size)
		return format_fail(about, "no-text", "the program that is configured for this kind wrote no text");
	buf_add_span(text, output);
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static void hash_file(const char *path, struct hash *ret)
{
	struct stat st;
	int CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return;
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return;
	*ret = hash_bytes((struct span){map, (size_t)st.st_size});
	(void)munmap(map, (size_t)st.st_size);
}

/* Whatever decides what the program makes of a document: its own file, its arguments, and the files that these name, as a script's. */
static void make_revision(struct rule *r)
{
	struct hash files[RULE_ARGUMENTS + 1] = {{{0}}};
	struct span parts[2 * (RULE_ARGUMENTS + 1) + 1];
	size_t n = 0;
	hash_file(r->path, &files[0]);
	for (size_t i = 0; r->arguments[i]; i++) {
		if (i > 0 && r->arguments[i][0] == '/')
			hash_file(r->arguments[i], &files[i]);
		parts[n++] = (struct span){(const char *)files[i].bytes, HASH_SIZE};
		parts[n++] = span_of(r->arguments[i]);
	}
	struct hash all = hash_parts(parts, n);
	hash_hex(&all, r->revision);
}

/* The next word of a line, ended by a NUL; NULL at its end. */
static char *take_word(char **line)
{
	char *word = *line + strspn(*line, " \t\r");
	size_t size = strcspn(word, " \t\r");
	*line = word + size;
	if (**line)
		*(*line)++ = '\0';
	return size > 0 ? word : NULL;
}

static bool is_pattern(const char *s)
{
	const char *slash = strchr(s, '/'), *star = strchr(s, '*');
	if (s[0] == '.')
		return s[1] && !slash && !star;
	return slash && slash > s && slash[1] && !strchr(slash + 1, '/') && (!star || (star == slash + 1 && !star[1])) && strlen(s) < 64;
}

static int parse_words(struct rule *r, char *line, const char *where, struct err *err)
{
	r->pattern = take_word(&line);
	const char *output = take_word(&line);
	size_t n = 0;
	for (const char *word; (word = take_word(&line));) {
		if (n == RULE_ARGUMENTS)
			return err_fail(err, -EINVAL, "%s: has more than %d arguments; put them into a script", where, RULE_ARGUMENTS - 1);
		r->arguments[n++] = word;
	}
	if (!is_pattern(r->pattern))
		return err_fail(err, -EINVAL, "%s: %s: write an extension (.djvu) or a media type (image/png, image/*)", where, r->pattern);
	bool markdown = output && strcmp(output, "markdown") == 0;
	if (n == 0 || (!markdown && strcmp(output, "text") != 0))
		return err_fail(err, -EINVAL, "%s: write PATTERN text PROGRAM [ARGUMENT...] or PATTERN markdown PROGRAM [ARGUMENT...]", where);
	const char *program = r->arguments[0], *slash = strrchr(program, '/');
	if (slash && program[0] != '/')
		return err_fail(err, -EINVAL, "%s: %s: write the program's whole path, or its name alone", where, program);
	(void)snprintf(r->name, sizeof(r->name), "program:%.38s", slash ? slash + 1 : program);
	(void)snprintf(r->media_type, sizeof(r->media_type), "%s%.63s", r->pattern[0] == '.' ? "application/x-" : "", r->pattern + (r->pattern[0] == '.'));
	r->format.extractor.syntax = markdown ? TEXT_MARKDOWN : TEXT_PLAIN;
	return 0;
}

static int add_rule(char *text, const char *where, struct err *err)
{
	if (count == RULES)
		return err_fail(err, -EINVAL, "%s: is one rule too many; %d are possible", where, RULES);
	struct rule *r = &rules[count];
	*r = (struct rule){.line = strdup(text)};
	if (!r->line)
		return err_fail(err, -ENOMEM, "out of memory");
	count++;
	int result = parse_words(r, r->line, where, err);
	if (result < 0)
		return result;
	(void)programs_find(r->arguments[0], r->path);
	make_revision(r);
	r->program = (struct format_program){.name = r->path[0] ? r->path : r->arguments[0], .arguments = r->arguments};
	r->format.extractor = (struct extractor){r->name, 1, r->media_type, r->format.extractor.syntax, true, r->revision};
	r->format.program = &r->program;
	r->format.finish = take_output;
	return 0;
}

static int read_lines(const char *file, FILE *from, struct err *err)
{
	static const char *const blank = " \t\r\n";
	char line[4096], where[PATH_MAX + 32];
	size_t size = 0;
	for (unsigned number = 1; fgets(line, sizeof(line), from); number++) {
		size_t n = strlen(line);
		(void)snprintf(where, sizeof(where), "%s:%u", file, number);
		size += n;
		if (n == sizeof(line) - 1 || size > FILE_BYTES)
			return err_fail(err, -EINVAL, "%s: is too long", where);
		line[strcspn(line, "\n")] = '\0';
		const char *start = line + strspn(line, blank);
		int r = *start && *start != '#' ? add_rule(line, where, err) : 0;
		if (r < 0)
			return r;
	}
	return ferror(from) ? err_fail(err, -EIO, "%s: %s", file, strerror(errno)) : 0;
}

int rules_read(const char *file, struct err *err)
{
	FILE *from = fopen(file, "re");
	if (!from)
		return err_fail(err, -errno, "%s: %s; name a file of extractors with --extractors", file, strerror(errno));
	/* Never moved: formats point into their rules. */
	rules = calloc(RULES, sizeof(*rules));
	int r = rules ? read_lines(file, from, err) : err_fail(err, -ENOMEM, "out of memory");
	(void)fclose(from);
	if (r < 0)
		rules_release();
	return r;
}
