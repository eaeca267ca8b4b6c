/* A borrowed run of bytes: pointer and length, no ownership, not NUL-terminated. */
#ifndef CORPUSFS_BASE_SPAN_H
#define CORPUSFS_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *data;
	size_t size;
};

static inline struct span span_of(const char *string)
{
	return (struct span){string, strlen(string)};
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool span_starts_with(struct span a, const char *prefix)
{
	size_t n = strlen(prefix);
	return a.size >= n && memcmp(a.data, prefix, n) == 0;
}

#endif
