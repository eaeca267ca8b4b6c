/* What the benchmark programs share: a clock, a repeatable random source, and the loop that answers one command a line on standard
 * input with one line of JSON on standard output. scripts/bench keeps several programs running side by side and asks them in turn,
 * so that what is compared was measured within seconds of each other. */
#ifndef CORPUSFS_BENCH_BENCH_H
#define CORPUSFS_BENCH_BENCH_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline double seconds_of(clockid_t clock)
{
	struct timespec t;
	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline double wall_seconds(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

static inline double cpu_seconds(void)
{
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

static inline uint64_t random_next(uint64_t *state) /* splitmix64 */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* A benchmark that cannot go on says why and ends; scripts/bench reports the row as failed. */
__attribute__((noreturn, format(printf, 1, 2))) static inline void fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
	exit(1);
}

static inline void *allocate(size_t size)
{
	void *memory = malloc(size ? size : 1);
	if (!memory)
		fail("out of memory (%zu bytes)", size);
	return memory;
}

/* A whole file, NUL-terminated. */
static inline char *read_file(const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "rb");
	if (!f || fseek(f, 0, SEEK_END) != 0)
		fail("%s: cannot be read", path);
	long size = ftell(f);
	char *data = allocate((size_t)size + 1);
	rewind(f);
	if (fread(data, 1, (size_t)size, f) != (size_t)size)
		fail("%s: cannot be read", path);
	(void)fclose(f);
	data[size] = '\0';
	*ret_size = (size_t)size;
	return data;
}

/* Pieces of text in a file: each its size as four bytes in the machine's order, then its bytes. */
struct texts {
	char *data; /* owned */
	const char **text;
	uint32_t *size;
	size_t count, bytes;
};

static inline struct texts texts_read(const char *path)
{
	struct texts t = {0};
	size_t size;
	t.data = read_file(path, &size);
	for (size_t at = 0; at + 4 <= size; t.count++) {
		uint32_t n;
		memcpy(&n, t.data + at, 4);
		at += 4 + n;
	}
	t.text = allocate(t.count * sizeof(*t.text));
	t.size = allocate(t.count * sizeof(*t.size));
	size_t at = 0;
	for (size_t i = 0; i < t.count; i++) {
		memcpy(&t.size[i], t.data + at, 4);
		t.text[i] = t.data + at + 4;
		t.bytes += t.size[i];
		at += 4 + t.size[i];
	}
	return t;
}

/* Lines of a file, without their ends. */
struct lines {
	char *data; /* owned */
	char **line;
	size_t count;
};

static inline struct lines lines_read(const char *path)
{
	struct lines l = {0};
	size_t size, room = 0;
	l.data = read_file(path, &size);
	for (char *line = strtok(l.data, "\n"); line; line = strtok(NULL, "\n")) {
		if (l.count == room) {
			room = room ? 2 * room : 256;
			l.line = realloc(l.line, room * sizeof(*l.line));
			if (!l.line)
				fail("out of memory");
		}
		l.line[l.count++] = line;
	}
	return l;
}

static inline void lines_free(struct lines *l)
{
	free(l->data);
	free(l->line);
}

/* {"ms": [..], <more>} */
static inline void print_ms(const double *seconds, size_t count, const char *more)
{
	printf("{\"ms\": [");
	for (size_t i = 0; i < count; i++)
		printf("%s%.4f", i ? ", " : "", seconds[i] * 1e3);
	printf("]%s%s}\n", *more ? ", " : "", more);
}

struct command {
	const char *name;
	void (*run)(int count, char **argument); /* argument[0] is the name */
};

/* Serves until the end of input. Arguments are divided by tabs. */
static inline int serve(const struct command *commands, size_t count)
{
	static char line[1 << 16];
	while (fgets(line, sizeof(line), stdin)) {
		char *argument[16];
		int arguments = 0;
		line[strcspn(line, "\n")] = '\0';
		for (char *word = strtok(line, "\t"); word && arguments < 16; word = strtok(NULL, "\t"))
			argument[arguments++] = word;
		size_t i = 0;
		while (i < count && (arguments == 0 || strcmp(argument[0], commands[i].name) != 0))
			i++;
		if (i == count)
			fail("no such command: %s", arguments ? argument[0] : "");
		commands[i].run(arguments, argument);
		(void)fflush(stdout);
	}
	return 0;
}

#endif
