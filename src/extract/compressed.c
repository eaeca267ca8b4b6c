/* One compressed file (gzip, bzip2, xz, zstd): unpacked in the child, then read as what it is. An archive inside is an archive.
 *
 * Each by its own small library: libarchive would read all four, but with the libraries that it stands on it takes longer to load than most
 * files take to unpack. What comes out is bounded by the buffer, what a decoder may need in memory by the limits below. */
#include "extract/format.h"

#include "extract/decode.h"

#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

/* What `xz -9` and `zstd --ultra -22` need, the most that their programs unpack without being asked to. */
#define XZ_MEMORY ((uint64_t)128 << 20)
enum { ZSTD_WINDOW_LOG = 27 };

enum { PIECE = 64 << 10 };

/* zlib's and bzip2's pointers are to non-const; they do not write. */
union input {
	const char *in;
	unsigned char *bytes;
	char *chars;
};

/* Each appends the content of all members that follow one another to `out`. 0; -EBADMSG when the file is damaged, after what came before the
 * damage; -ENODATA when it ends too early, likewise; -ENOMEM; -EFBIG. */
typedef int unpack_fn(struct span bytes, struct buf *out);

static int unpack_gzip(struct span bytes, struct buf *out)
{
	z_stream stream = {.next_in = (union input){bytes.data}.bytes, .avail_in = (uInt)bytes.size};
	if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK)
		return -ENOMEM;
	int r = 0, code = Z_OK;
	while (r == 0) {
		unsigned char piece[PIECE];
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
	if (r < 0 || code == Z_STREAM_END)
		return r;
	return code == Z_BUF_ERROR ? -ENODATA : code == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static int unpack_bzip2(struct span bytes, struct buf *out)
{
	int r = 0, code = BZ_STREAM_END;
	bz_stream stream = {.next_in = (union input){bytes.data}.chars, .avail_in = (unsigned)bytes.size};
	while (r == 0 && code == BZ_STREAM_END && stream.avail_in > 3 && memcmp(stream.next_in, "BZh", 3) == 0) {
		if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
			return -ENOMEM;
		code = BZ_OK;
		bool moves = true;
		while (r == 0 && code == BZ_OK && moves) {
			char piece[PIECE];
			unsigned left = stream.avail_in;
			stream.next_out = piece;
			stream.avail_out = sizeof(piece);
			code = BZ2_bzDecompress(&stream);
			moves = stream.avail_in != left || stream.avail_out != sizeof(piece);
			buf_add(out, piece, sizeof(piece) - stream.avail_out);
			r = buf_error(out);
		}
		(void)BZ2_bzDecompressEnd(&stream);
	}
	if (r < 0 || code == BZ_STREAM_END)
		return r;
	return code == BZ_OK ? -ENODATA : code == BZ_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static int unpack_xz(struct span bytes, struct buf *out)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	if (lzma_stream_decoder(&stream, XZ_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
		return -ENOMEM;
	stream.next_in = (union input){bytes.data}.bytes;
	stream.avail_in = bytes.size;
	int r = 0;
	lzma_ret code = LZMA_OK;
	while (r == 0 && code == LZMA_OK) {
		unsigned char piece[PIECE];
		stream.next_out = piece;
		stream.avail_out = sizeof(piece);
		code = lzma_code(&stream, LZMA_FINISH);
		buf_add(out, piece, sizeof(piece) - stream.avail_out);
		r = buf_error(out);
	}
	lzma_end(&stream);
	if (r < 0 || code == LZMA_STREAM_END)
		return r;
	return code == LZMA_BUF_ERROR ? -ENODATA : code == LZMA_MEM_ERROR || code == LZMA_MEMLIMIT_ERROR ? -ENOMEM : -EBADMSG;
}

static int unpack_zstd(struct span bytes, struct buf *out)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	if (!context)
		return -ENOMEM;
	(void)ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
	ZSTD_inBuffer in = {bytes.data, bytes.size, 0};
	int r = 0;
	size_t hint = 1; /* 0 at the end of a frame */
	bool full = false;
	while (r == 0 && !ZSTD_isError(hint) && (in.pos < in.size || full)) {
		char piece[PIECE];
		ZSTD_outBuffer to = {piece, sizeof(piece), 0};
		hint = ZSTD_decompressStream(context, &to, &in);
		full = to.pos == to.size;
		buf_add(out, piece, to.pos);
		r = buf_error(out);
	}
	(void)ZSTD_freeDCtx(context);
	if (r < 0 || hint == 0)
		return r;
	return ZSTD_isError(hint) ? -EBADMSG : -ENODATA;
}

static const struct compression {
	const struct format *format;
	const char *suffix;
	unpack_fn *unpack;
} compressions[] = {
	{&format_gzip, ".gz", unpack_gzip},
	{&format_bzip2, ".bz2", unpack_bzip2},
	{&format_xz, ".xz", unpack_xz},
	{&format_zstd, ".zst", unpack_zstd},
};
enum { COMPRESSIONS = sizeof(compressions) / sizeof(compressions[0]) };

static const struct compression *compression_of(const struct format *f)
{
	size_t i = 0;
	while (i < COMPRESSIONS && compressions[i].format != f)
		i++;
	return i < COMPRESSIONS ? &compressions[i] : NULL;
}

/* "notes.md.gz" holds "notes.md". */
static struct span inner_name(struct span name, const char *suffix)
{
	size_t n = strlen(suffix);
	return name.size > n && memcmp(name.data + name.size - n, suffix, n) == 0 ? (struct span){name.data, name.size - n} : name;
}

static int run_inner(const struct format *f, struct span inner, struct span name, struct buf *text, struct extract_result *about)
{
	if (f->skip_code || !f->extract || f->load || compression_of(f)) {
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

/* The bytes say how they are compressed; who came here knows that they are. */
int compressed_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	const struct compression *c =
		compression_of((const struct format *)(const void *)extract_choose(bytes, (struct span){"", 0}));
	if (!c)
		return format_fail(about, "damaged", "the compressed file is damaged");
	struct buf inner;
	buf_init(&inner, LIMIT_SOURCE_BYTES);
	int r = c->unpack(bytes, &inner);
	/* A truncated file gives what there is of it, like any other truncated text; nothing at all is a failure. */
	if (r == -ENODATA)
		r = inner.size > 0 ? 0 : -EBADMSG;
	if (r == 0) {
		name = inner_name(name, c->suffix);
		const struct extractor *x = extract_choose(buf_span(&inner), name);
		r = run_inner((const struct format *)(const void *)x, buf_span(&inner), name, text, about);
	}
	buf_release(&inner);
	return r == -EBADMSG ? format_fail(about, "damaged", "the compressed file is damaged") : r;
}

const struct format format_gzip = {.extractor = {"gzip", 1, "application/gzip", TEXT_PLAIN, true, NULL}, .extract = compressed_extract};
const struct format format_bzip2 = {.extractor = {"bzip2", 1, "application/x-bzip2", TEXT_PLAIN, true, NULL}, .extract = compressed_extract};
const struct format format_xz = {.extractor = {"xz", 1, "application/x-xz", TEXT_PLAIN, true, NULL}, .extract = compressed_extract};
const struct format format_zstd = {.extractor = {"zstd", 1, "application/zstd", TEXT_PLAIN, true, NULL}, .extract = compressed_extract};
