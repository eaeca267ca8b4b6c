/* The packed form of a list of chunks: see chunk.h. */
#include "chunk/chunk.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>

enum { NUMBER_MAX = 5 };

static void put_number(struct buf *out, uint32_t value)
{
	char bytes[NUMBER_MAX];
	size_t n = 0;
	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (char)(value | 0x80);
	bytes[n++] = (char)value;
	buf_add(out, bytes, n);
}

static uint32_t zigzag(uint32_t from, uint32_t to)
{
	uint32_t difference = to - from;
	return difference << 1 ^ (0u - (difference >> 31));
}

static uint32_t unzigzag(uint32_t from, uint32_t coded)
{
	return from + (coded >> 1 ^ (0u - (coded & 1)));
}

static void put_chunk(struct buf *out, const struct chunk *before, const struct chunk *c)
{
	put_number(out, (c->end - c->first) << 1 | (c->line_first == before->line_last));
	put_number(out, c->line_last - c->line_first);
	put_number(out, zigzag(before->page, c->page));
	put_number(out, c->heading - before->heading);
}

int chunk_list_pack(const struct chunk_list *list, struct buf *out)
{
	char format = CHUNK_PACK_FORMAT;
	buf_add(out, &format, 1);
	put_number(out, (uint32_t)list->count);
	put_number(out, (uint32_t)list->heading_count);
	struct chunk before = {0};
	for (size_t i = 0; i < list->count; before = list->chunks[i++])
		put_chunk(out, &before, &list->chunks[i]);
	for (size_t i = 0; i < list->heading_count; i++) {
		const struct chunk_heading *h = &list->headings[i];
		put_number(out, h->text_size);
		buf_add_char(out, (char)h->level);
		put_number(out, (uint32_t)(i + 1) - h->parent);
	}
	buf_add(out, list->heading_text, list->heading_text_size);
	return buf_error(out);
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

struct reader {
	struct span left;
	bool failed;
};

static unsigned char take_byte(struct reader *r)
{
	if (r->left.size == 0) {
		r->failed = true;
		return 0;
	}
	r->left.size--;
	return (unsigned char)*r->left.data++;
}

static uint32_t take_number(struct reader *r)
{
	uint32_t value = 0;
	for (unsigned shift = 0; shift < 7 * NUMBER_MAX; shift += 7) {
		unsigned char byte = take_byte(r);
		/* The fifth byte holds the top four bits only; a last byte of zero would be a second way to write a number. */
		if ((shift == 28 && byte > 0x0f) || (byte == 0 && shift > 0))
			break;
		value |= (uint32_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	r->failed = true;
	return 0;
}

static void take_chunk(struct reader *r, const struct chunk *before, uint32_t heading_count, struct chunk *c)
{
	uint32_t size = take_number(r), lines = take_number(r), page = take_number(r), heading = take_number(r);
	bool same_line = size & 1;
	size >>= 1;
	c->first = before->end;
	c->line_first = before->line_last + !same_line;
	if (size == 0 || size > LIMIT_CLEAN_BYTES - c->first || c->line_first == 0 || lines > LIMIT_CLEAN_BYTES - c->line_first ||
	    heading > heading_count - before->heading) {
		r->failed = true;
		return;
	}
	c->end = c->first + size;
	c->line_last = c->line_first + lines;
	c->page = unzigzag(before->page, page);
	c->heading = before->heading + heading;
}

static void take_heading(struct reader *r, uint32_t index, uint32_t text_offset, struct chunk_heading *h)
{
	uint32_t size = take_number(r);
	unsigned char level = take_byte(r);
	uint32_t distance = take_number(r);
	if (size > LIMIT_HEADING_BYTES || level == 0 || distance == 0 || distance > index)
		r->failed = true;
	*h = (struct chunk_heading){text_offset, (uint16_t)size, level, 0, index - distance};
}

static void take_all(struct reader *r, struct chunk_list *list)
{
	struct chunk before = {0};
	for (size_t i = 0; i < list->count && !r->failed; before = list->chunks[i++])
		take_chunk(r, &before, (uint32_t)list->heading_count, &list->chunks[i]);
	uint32_t offset = 0;
	for (size_t i = 0; i < list->heading_count && !r->failed; offset += list->headings[i++].text_size)
		take_heading(r, (uint32_t)(i + 1), offset, &list->headings[i]);
	list->heading_text_size = offset;
	if (offset != r->left.size)
		r->failed = true;
}

static void list_cleanup(struct chunk_list **list)
{
	chunk_list_free(*list);
}

int chunk_list_unpack(struct span packed, struct chunk_list **ret)
{
	struct reader r = {.left = packed};
	if (take_byte(&r) != CHUNK_PACK_FORMAT)
		return -EIO;
	uint32_t count = take_number(&r), heading_count = take_number(&r);
	/* A chunk takes 4 bytes at least and a heading 3, so a small lie cannot make us allocate much. */
	if (r.failed || count > LIMIT_CHUNKS || heading_count > LIMIT_HEADINGS ||
	    (size_t)count * 4 + (size_t)heading_count * 3 > r.left.size)
		return -EIO;
	struct chunk_list *CLEANUP(list_cleanup) list = calloc(1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	list->count = count;
	list->heading_count = heading_count;
	list->chunks = calloc(count ? count : 1, sizeof(*list->chunks));
	list->headings = calloc(heading_count ? heading_count : 1, sizeof(*list->headings));
	if (!list->chunks || !list->headings)
		return -ENOMEM;
	take_all(&r, list);
	if (r.failed)
		return -EIO;
	list->heading_text = malloc(list->heading_text_size ? list->heading_text_size : 1);
	if (!list->heading_text)
		return -ENOMEM;
	memcpy(list->heading_text, r.left.data, list->heading_text_size);
	*ret = STEAL(list);
	return 0;
}
