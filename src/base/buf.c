/* Growing buffers with a ceiling: see buf.h. */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){.limit = limit};
}

void buf_release(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.limit = b->limit};
}

void buf_reset(struct buf *b)
{
	b->size = 0;
	b->error = 0;
	if (b->data)
		b->data[0] = '\0';
}

int buf_reserve(struct buf *b, size_t extra)
{
	if (b->error)
		return b->error;
	if (extra > b->limit || b->size > b->limit - extra)
		return b->error = -EFBIG;
	size_t need = b->size + extra;
	if (b->data && need <= b->capacity)
		return 0;
	size_t capacity = b->capacity < 64 ? 64 : b->capacity;
	while (capacity < need)
		capacity = capacity > SIZE_MAX / 4 ? need : capacity * 2;
	if (capacity > b->limit)
		capacity = b->limit;
	char *data = realloc(b->data, capacity + 1);
	if (!data)
		return b->error = -ENOMEM;
	if (!b->data)
		data[0] = '\0';
	b->data = data;
	b->capacity = capacity;
	return 0;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
	if (size == 0 || buf_reserve(b, size))
		return;
	memcpy(b->data + b->size, data, size);
	b->size += size;
	b->data[b->size] = '\0';
}

void buf_add_span(struct buf *b, struct span s)
{
	buf_add(b, s.data, s.size);
}

void buf_add_string(struct buf *b, const char *string)
{
	buf_add(b, string, strlen(string));
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	va_list again;
	va_copy(again, arguments);
	char small[256];
	int size = vsnprintf(small, sizeof(small), format, arguments);
	va_end(arguments);
	if (size >= 0 && (size_t)size < sizeof(small)) {
		buf_add(b, small, (size_t)size);
	} else if (size >= 0 && buf_reserve(b, (size_t)size) == 0) {
		(void)vsnprintf(b->data + b->size, (size_t)size + 1, format, again);
		b->size += (size_t)size;
	}
	va_end(again);
}

void buf_truncate(struct buf *b, size_t size)
{
	if (size >= b->size)
		return;
	b->size = size;
	b->data[size] = '\0';
}

int buf_error(const struct buf *b)
{
	return b->error;
}

char *buf_take(struct buf *b, size_t *ret_size)
{
	char *data = b->data ? b->data : calloc(1, 1);
	if (ret_size)
		*ret_size = b->size;
	*b = (struct buf){.limit = b->limit};
	return data;
}
