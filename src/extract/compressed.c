/* One compressed file (gzip, RFC 1952): unpacked in the child, then read as what it is. An archive inside (.tar.gz) is an archive. */
#include "extract/format.h"

#include "extract/decode.h"

#include <errno.h>
#include <zlib.h>

/* "notes.md.gz" holds "notes.md"; ".tgz" a tar file. */
static struct span inner_name(struct span name)
{
	return name.size > 3 && memcmp(name.data + name.size - 3, ".gz", 3) == 0 ? (struct span){name.data, name.size - 3} : name;
}

/* Members may follow one another; the content is all of them. */
static int inflate_members(struct span bytes, struct buf *out)
{
	z_stream stream = {0};
	/* zlib's pointer is to non-const unless asked otherwise; it does not write. */
	union {
		const char *in;
		unsigned char *out;
	} from = {.in = bytes.data};
	stream.next_in = from.out;
	stream.avail_in = (uInt)bytes.size;
	if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK)
		return -ENOMEM;
	int r = 0, code = Z_OK;
	while (r == 0) {
		unsigned char piece[32 << 10];
		stream.next_out = piece;
		stream.avail_out = sizeof(piece);
		code = inflate(&stream, Z_NO_FLUSH);
		buf_add(out, piece, sizeof(piece) - stream.avail_out);
		r = buf_error(out);
		if (code == Z_STREAM_END && stream.avail_in > 1 && stream.next_in[0] == 0x1f && inflateReset(&stream) == Z_OK)
			continue;
		if (code != Z_OK)
			break;
	}
	(void)inflateEnd(&stream);
	if (r < 0)
		return r;
	/* A truncated file gives what there is of it, like any other truncated text; nothing at all is a failure. */
	return code == Z_STREAM_END || (code == Z_BUF_ERROR && out->size > 0) ? 0 : -EBADMSG;
}

static int run_inner(const struct format *f, struct span inner, struct span name, struct buf *text, struct extract_result *about)
{
	if (f->skip_code || !f->extract || f == &format_gzip) {
		(void)format_fail(about, "archive", "what is compressed in this file is of a kind that is not read there");
		about->state = EXTRACT_SKIPPED;
		return 0;
	}
	about->syntax = f->extractor.syntax;
	if (f->extractor.isolated && !f->prepare)
		return f->extract(inner, name, text, about);
	/* Text: other encodings than Unicode's need modules that a parser child may not load. */
	struct buf store;
	struct span utf8;
	buf_init(&store, LIMIT_SOURCE_BYTES);
	int r = decode_unicode(inner, &store, &utf8);
	if (r == 0)
		r = f->extract(utf8, name, text, about);
	buf_release(&store);
	return r;
}

int gzip_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	struct buf inner;
	buf_init(&inner, LIMIT_SOURCE_BYTES);
	int r = inflate_members(bytes, &inner);
	if (r == 0) {
		name = inner_name(name);
		const struct extractor *x = extract_choose(buf_span(&inner), name);
		r = run_inner((const struct format *)(const void *)x, buf_span(&inner), name, text, about);
	}
	buf_release(&inner);
	return r == -EBADMSG ? format_fail(about, "damaged", "the compressed file is damaged") : r;
}

const struct format format_gzip = {
	.extractor = {"gzip", 1, "application/gzip", TEXT_PLAIN, true},
	.extract = gzip_extract,
};
