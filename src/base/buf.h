/* A growing byte buffer with a ceiling. No buffer in this program grows without a stated maximum: what it holds comes
 * from documents, queries and servers that nobody vouches for.
 *
 * A buffer that hit its ceiling or could not grow stays failed and ignores further appends, so a run of appends is
 * checked once at the end with buf_error(). Not thread-safe. */
#ifndef CORPUSFS_BASE_BUF_H
#define CORPUSFS_BASE_BUF_H

#include "base/span.h"

#include <stddef.h>

struct buf {
	char *data;	 /* NUL-terminated whenever not NULL; the NUL is not counted in size */
	size_t size;	 /* bytes used */
	size_t capacity; /* bytes allocated, less one for the NUL */
	size_t limit;	 /* bytes allowed */
	int error;	 /* 0, -ENOMEM or -EFBIG */
};

/* An empty buffer that may grow to `limit` bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t limit);
/* Frees the contents; leaves the buffer ready for use with the same limit. Accepts a zeroed struct. */
void buf_release(struct buf *b);
/* Empties the buffer and clears a failure, keeps the memory. */
void buf_reset(struct buf *b);
/* Makes room for `extra` more bytes. Returns 0, -ENOMEM or -EFBIG (and the buffer is failed). */
int buf_reserve(struct buf *b, size_t extra);
void buf_add(struct buf *b, const void *data, size_t size);
void buf_add_span(struct buf *b, struct span s);
void buf_add_string(struct buf *b, const char *string);
void buf_add_char(struct buf *b, char c);
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Shortens to `size` bytes; a larger size is ignored. */
void buf_truncate(struct buf *b, size_t size);
/* 0 while every append fitted, else -ENOMEM or -EFBIG. */
int buf_error(const struct buf *b);
/* Gives the contents to the caller, who frees them with free(); never NULL unless out of memory. Leaves the buffer empty. */
char *buf_take(struct buf *b, size_t *ret_size);

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){b->data ? b->data : "", b->size};
}

#endif
