/* ZIP files: see zip.h. */
#include "extract/zip.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>

enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22 };

static uint32_t u16(struct span s, size_t at)
{
	const unsigned char *p = (const unsigned char *)s.data + at;
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(struct span s, size_t at)
{
	return u16(s, at) | u16(s, at + 2) << 16;
}

static bool fits(struct span s, size_t at, size_t size)
{
	return at <= s.size && size <= s.size - at;
}

static bool has_signature(struct span s, size_t at, const char signature[4], size_t size)
{
	return fits(s, at, size) && memcmp(s.data + at, signature, 4) == 0;
}

static int add_entry(struct zip *z, const struct zip_entry *e)
{
	if (z->count == ZIP_ENTRIES)
		return -EFBIG;
	if ((z->count & (z->count - 1)) == 0) {
		struct zip_entry *grown = realloc(z->entries, (z->count ? z->count * 2 : 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		z->entries = grown;
	}
	z->entries[z->count++] = *e;
	return 0;
}

/* The record at the end of the file, behind a comment of up to 64 KiB. */
static bool find_end(struct span s, size_t *ret)
{
	size_t lowest = s.size > END_SIZE + 65535 ? s.size - END_SIZE - 65535 : 0;
	for (size_t at = s.size >= END_SIZE ? s.size - END_SIZE + 1 : 0; at-- > lowest;)
		if (has_signature(s, at, "PK\5\6", END_SIZE)) {
			*ret = at;
			return true;
		}
	return false;
}

static int list_central(struct zip *z)
{
	size_t end;
	if (!find_end(z->bytes, &end))
		return -EBADMSG;
	uint32_t count = u16(z->bytes, end + 10);
	/* Bytes before the archive (a self-extractor, a mail's header) shift every offset alike. */
	size_t size = u32(z->bytes, end + 12), offset = u32(z->bytes, end + 16);
	size_t at = size <= end && has_signature(z->bytes, end - size, "PK\1\2", CENTRAL_SIZE) ? end - size : offset;
	size_t shift = at >= offset ? at - offset : 0;
	for (uint32_t i = 0; i < count; i++) {
		if (!has_signature(z->bytes, at, "PK\1\2", CENTRAL_SIZE))
			return -EBADMSG;
		size_t name = u16(z->bytes, at + 28), rest = u16(z->bytes, at + 30) + u16(z->bytes, at + 32);
		if (!fits(z->bytes, at + CENTRAL_SIZE, name + rest))
			return -EBADMSG;
		struct zip_entry e = {{z->bytes.data + at + CENTRAL_SIZE, name}, u16(z->bytes, at + 10), u32(z->bytes, at + 20),
				      u32(z->bytes, at + 24), (uint32_t)(u32(z->bytes, at + 42) + shift)};
		int r = add_entry(z, &e);
		if (r < 0)
			return r;
		at += CENTRAL_SIZE + name + rest;
	}
	return z->count > 0 ? 0 : -EBADMSG;
}

/* Local headers one after the other, as far as their sizes say where the next one is; when they do not, the next signature does. */
static int list_local(struct zip *z)
{
	size_t at = 0;
	z->count = 0;
	while (has_signature(z->bytes, at, "PK\3\4", LOCAL_SIZE)) {
		size_t name = u16(z->bytes, at + 26), data = at + LOCAL_SIZE + name + u16(z->bytes, at + 28);
		if (!fits(z->bytes, at, data - at))
			break;
		struct zip_entry e = {{z->bytes.data + at + LOCAL_SIZE, name}, u16(z->bytes, at + 8), u32(z->bytes, at + 18),
				      u32(z->bytes, at + 22), (uint32_t)at};
		size_t next = data + e.packed_size;
		if (e.packed_size == 0 || (!has_signature(z->bytes, next, "PK\3\4", 4) && !has_signature(z->bytes, next, "PK\1\2", 4))) {
			const char *found = memmem(z->bytes.data + data, z->bytes.size - data, "PK\3\4", 4);
			next = found ? (size_t)(found - z->bytes.data) : z->bytes.size;
			e.packed_size = (uint32_t)(next - data);
		}
		int r = add_entry(z, &e);
		if (r < 0)
			return r;
		at = next;
	}
	return z->count > 0 ? 0 : -EBADMSG;
}

int zip_open(struct span bytes, struct zip *ret)
{
	struct zip z = {.bytes = bytes};
	int r = bytes.size > UINT32_MAX ? -EFBIG : list_central(&z);
	if (r == -EBADMSG)
		r = list_local(&z);
	if (r < 0)
		zip_release(&z);
	else
		*ret = z;
	return r;
}

void zip_release(struct zip *z)
{
	free(z->entries);
	z->entries = NULL;
	z->count = 0;
}

static struct span without_slash(struct span name)
{
	return name.size > 0 && name.data[0] == '/' ? (struct span){name.data + 1, name.size - 1} : name;
}

const struct zip_entry *zip_find(const struct zip *z, struct span name)
{
	name = without_slash(name);
	for (size_t i = 0; i < z->count; i++) {
		struct span entry = without_slash(z->entries[i].name);
		if (entry.size == name.size && strncasecmp(entry.data, name.data, name.size) == 0)
			return &z->entries[i];
	}
	return NULL;
}

static int packed_bytes(const struct zip *z, const struct zip_entry *e, struct span *ret)
{
	if (!has_signature(z->bytes, e->header, "PK\3\4", LOCAL_SIZE))
		return -EBADMSG;
	size_t data = (size_t)e->header + LOCAL_SIZE + u16(z->bytes, e->header + 26) + u16(z->bytes, e->header + 28);
	if (data > z->bytes.size)
		return -EBADMSG;
	/* A truncated file gives what there is of its last entry. */
	size_t left = z->bytes.size - data;
	*ret = (struct span){z->bytes.data + data, e->packed_size < left ? e->packed_size : left};
	return 0;
}

static int account(struct zip *z, size_t size)
{
	if (size > ZIP_EXPANDED_BYTES - z->expanded)
		return -EFBIG;
	z->expanded += size;
	return 0;
}

static int inflate_all(struct zip *z, z_stream *stream, zip_piece_fn *each, void *context)
{
	unsigned char piece[32 << 10];
	for (;;) {
		stream->next_out = piece;
		stream->avail_out = sizeof(piece);
		int code = inflate(stream, Z_NO_FLUSH);
		size_t size = sizeof(piece) - stream->avail_out;
		bool last = code == Z_STREAM_END;
		if (code != Z_OK && !last)
			return code == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
		int r = account(z, size);
		if (r == 0)
			r = each(context, (struct span){(char *)piece, size}, last);
		if (r != 0 || last)
			return r;
	}
}

int zip_read(struct zip *z, const struct zip_entry *e, zip_piece_fn *each, void *context)
{
	struct span packed;
	int r = packed_bytes(z, e, &packed);
	if (r < 0)
		return r;
	if (e->method == 0) {
		r = account(z, packed.size);
		return r < 0 ? r : each(context, packed, true);
	}
	if (e->method != 8)
		return -EBADMSG;
	z_stream stream = {0};
	/* zlib's pointer is to non-const unless asked otherwise; it does not write. */
	union {
		const char *in;
		unsigned char *out;
	} from = {.in = packed.data};
	stream.next_in = from.out;
	stream.avail_in = (uInt)packed.size;
	if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
		return -ENOMEM;
	r = inflate_all(z, &stream, each, context);
	(void)inflateEnd(&stream);
	return r;
}

static int append(void *context, struct span piece, bool last)
{
	(void)last;
	struct buf *out = context;
	buf_add_span(out, piece);
	return buf_error(out);
}

int zip_read_all(struct zip *z, const struct zip_entry *e, struct buf *out)
{
	return zip_read(z, e, append, out);
}
