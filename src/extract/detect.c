/* Which format a document is in: by its first bytes, then by its name. Own table: libmagic's is 8 MB, changes between versions (and
 * with it our output), and knows 1,500 kinds where a few dozen decide what we do. */
#include "extract/archive.h"
#include "extract/decode.h"
#include "extract/format.h"
#include "extract/names.h"
#include "extract/ocr.h"
#include "extract/rules.h"

#include <strings.h>

/* Raise whenever a kind below gets an extractor: documents skipped before are then looked at again. */
enum { NONE_VERSION = 7 };

#define NONE(media_type, code, message)                                                                                                    \
	{                                                                                                                                  \
		.extractor = {"none", NONE_VERSION, media_type, TEXT_PLAIN, false, NULL}, .skip_code = code, .skip_message = message             \
	}

static const struct format none_image = NONE("image/*", "image", "a picture has no text of its own");
/* The kinds that tesseract reads: ocr_reads(). */
#define NONE_PICTURE(media_type) NONE(media_type, "image", "a picture has no text of its own; the option ocr recognises text in it")
static const struct format none_png = NONE_PICTURE("image/png");
static const struct format none_jpeg = NONE_PICTURE("image/jpeg");
static const struct format none_tiff = NONE_PICTURE("image/tiff");
static const struct format none_audio = NONE("audio/*", "audio", "a sound recording has no text of its own");
static const struct format none_video = NONE("video/*", "video", "a video has no text of its own");
static const struct format none_archive = NONE("application/x-archive", "archive", "an archive of a kind whose members are not read");
static const struct format none_deep = NONE("application/x-archive", "archive", "an archive too deep in other archives: its members are not read");
static const struct format none_executable = NONE("application/x-executable", "executable", "a program or library has no text of its own");
static const struct format none_office = NONE("application/x-office", "office", "a document of a kind that has no extractor yet");
static const struct format none_font = NONE("font/*", "font", "a font has no text of its own");
static const struct format none_database = NONE("application/x-database", "database", "a database is not a document");
static const struct format none_encrypted = NONE("application/pgp-encrypted", "encrypted", "the file is encrypted");
static const struct format none_binary = NONE("application/octet-stream", "binary", "binary data of an unknown kind");

struct magic {
	unsigned short offset;
	unsigned short size;
	const char *bytes;
	const struct format *format;
};

#define MAGIC(offset, bytes, format) {offset, sizeof(bytes) - 1, bytes, &(format)}

/* In order: the longer or more certain of two that could both match comes first. Sources: the formats' own specifications. */
static const struct magic magics[] = {
	MAGIC(0, "%PDF-", format_pdf),
	MAGIC(0, "PK\3\4", format_archive), /* looked into by choose_zip */
	MAGIC(0, "PK\5\6", format_archive),
	MAGIC(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", format_doc), /* OLE2: see choose_ole */
	MAGIC(0, "{\\rtf", format_rtf),
	MAGIC(0, "%!PS", none_office),
	MAGIC(0, "AT&TFORM", none_office), /* DjVu */
	MAGIC(0, "ITSF", none_office),	   /* CHM */
	MAGIC(60, "BOOKMOBI", none_office),
	MAGIC(0, "\xffWPC", none_office),
	MAGIC(0, "\x89PNG\r\n\x1a\n", none_png),
	MAGIC(0, "\xff\xd8\xff", none_jpeg),
	MAGIC(0, "GIF87a", none_image),
	MAGIC(0, "GIF89a", none_image),
	MAGIC(0, "II*\0", none_tiff),
	MAGIC(0, "MM\0*", none_tiff),
	MAGIC(0, "\0\0\1\0", none_image), /* ICO */
	MAGIC(0, "8BPS\0", none_image),
	MAGIC(0, "gimp xcf", none_image),
	MAGIC(0, "\0\0\0\x0cjP  \r\n", none_image),
	MAGIC(0, "\xff\x4f\xff\x51", none_image), /* JPEG 2000 codestream */
	MAGIC(8, "WEBP", none_image),
	MAGIC(4, "ftypavif", none_image),
	MAGIC(4, "ftypheic", none_image),
	MAGIC(4, "ftypmif1", none_image),
	MAGIC(4, "ftypM4A", none_audio),
	MAGIC(4, "ftyp", none_video),
	MAGIC(4, "moov", none_video),
	MAGIC(4, "mdat", none_video),
	MAGIC(8, "WAVE", none_audio),
	MAGIC(8, "AVI ", none_video),
	MAGIC(8, "AIFF", none_audio),
	MAGIC(0, "\x1a\x45\xdf\xa3", none_video), /* Matroska, WebM */
	MAGIC(0, "FLV\1", none_video),
	MAGIC(0, "\0\0\1\xba", none_video),
	MAGIC(0, "\0\0\1\xb3", none_video),
	MAGIC(0, "0&\xb2u\x8e\x66\xcf\x11", none_video), /* ASF */
	MAGIC(0, "OggS", none_audio),
	MAGIC(0, "fLaC", none_audio),
	MAGIC(0, "ID3", none_audio),
	MAGIC(0, "\xff\xfb", none_audio),
	MAGIC(0, "\xff\xf3", none_audio),
	MAGIC(0, "MThd", none_audio),
	MAGIC(0, "#!AMR", none_audio),
	MAGIC(0, "\x1f\x8b", format_gzip), /* an archive inside is looked for by name, then by the extractor */
	MAGIC(0, "BZh", format_bzip2),
	MAGIC(0, "\xfd"
		 "7zXZ\0",
	      format_xz),
	MAGIC(0, "\x28\xb5\x2f\xfd", format_zstd),
	MAGIC(0, "\x04\x22\x4d\x18", none_archive), /* lz4 */
	MAGIC(0, "7z\xbc\xaf\x27\x1c", format_archive),
	MAGIC(0, "Rar!\x1a\7", none_archive),
	MAGIC(0, "\x1f\x9d", none_archive),
	MAGIC(0, "!<arch>\n", none_archive),
	MAGIC(0, "MSCF\0\0\0\0", none_archive),
	MAGIC(0, "\xed\xab\xee\xdb", none_archive), /* RPM */
	MAGIC(0, "hsqs", none_archive),
	MAGIC(257, "ustar", format_archive),
	MAGIC(0, "\x7f"
		 "ELF",
	      none_executable),
	MAGIC(0, "MZ", none_executable), /* looked at again: two letters that text can begin with */
	MAGIC(0, "\xca\xfe\xba\xbe", none_executable),
	MAGIC(0, "\xcf\xfa\xed\xfe", none_executable),
	MAGIC(0, "\xfe\xed\xfa\xcf", none_executable),
	MAGIC(0, "\0asm", none_executable),
	MAGIC(0, "dex\n03", none_executable),
	MAGIC(0, "\0\1\0\0\0", none_font),
	MAGIC(0, "OTTO\0", none_font),
	MAGIC(0, "ttcf\0", none_font),
	MAGIC(0, "wOFF", none_font),
	MAGIC(0, "wOF2", none_font),
	MAGIC(0, "SQLite format 3\0", none_database),
	MAGIC(0, "-----BEGIN PGP MESSAGE", none_encrypted),
	MAGIC(0, "\x85\x01\x0c\x03", none_encrypted),
	MAGIC(0, "Salted__", none_encrypted),
	MAGIC(0, "age-encryption.org/", none_encrypted),
};

static bool has(struct span s, const char *what)
{
	return memmem(s.data, s.size, what, strlen(what)) != NULL;
}

static bool has_nul(struct span head)
{
	return memchr(head.data, 0, head.size) != NULL;
}

static const struct format *choose_by_magic(struct span head)
{
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		const struct magic *m = &magics[i];
		if (head.size < (size_t)m->offset + m->size || memcmp(head.data + m->offset, m->bytes, m->size) != 0)
			continue;
		/* A magic of letters only must not claim a text that begins with the same word ("MZ", "ID3", "BZh"). */
		bool printable = true;
		for (size_t k = 0; k < m->size; k++)
			printable = printable && m->bytes[k] >= ' ' && m->bytes[k] != 0x7f;
		bool marked = m->bytes[0] == '%' || m->bytes[0] == '{' || m->bytes[0] == '-' || m->size >= 8;
		if (!printable || marked || has_nul(head))
			return m->format;
	}
	return NULL;
}

/* What a ZIP file holds, as far as the names of its first entries tell; else its own name. Office documents begin with a list of their parts,
 * which is packed, so that the three kinds may look alike here: their extractor looks inside. */
static const struct format *choose_zip(struct span head, enum name_kind kind)
{
	/* OpenDocument and EPUB say what they are in their first, unpacked entry. */
	if (has(head, "mimetypeapplication/epub+zip") || kind == NAME_EPUB)
		return &format_epub;
	if (has(head, "oasis.opendocument.text") || kind == NAME_ODT)
		return &format_odt;
	if (has(head, "oasis.opendocument.spreadsheet") || kind == NAME_ODS)
		return &format_ods;
	if (has(head, "oasis.opendocument.presentation") || kind == NAME_ODP)
		return &format_odp;
	if (has(head, "mimetypeapplication/"))
		return &none_office;
	if (has(head, "word/") || kind == NAME_DOCX)
		return &format_docx;
	if (has(head, "ppt/") || kind == NAME_PPTX)
		return &format_pptx;
	if (has(head, "xl/") || kind == NAME_XLSX)
		return &format_xlsx;
	if (has(head, "[Content_Types].xml"))
		return &format_docx;
	/* JAR, APK, wheels and the like: what a program is made of. */
	if (kind == NAME_BINARY || has(head, "META-INF/"))
		return &none_archive;
	return kind == NAME_OFFICE ? &none_office : &format_archive;
}

/* Which of the four a compound file is, its directory says, which may lie anywhere: their extractor looks inside. */
static const struct format *choose_ole(enum name_kind kind)
{
	switch (kind) {
	case NAME_XLS:
		return &format_xls;
	case NAME_PPT:
		return &format_ppt;
	case NAME_MSG:
		return &format_msg;
	case NAME_OFFICE: /* Visio, Publisher, Project */
	case NAME_BINARY: /* installers, thumbnails */
		return &none_office;
	default:
		return &format_doc;
	}
}

static bool is_compressed(const struct format *f)
{
	return f == &format_gzip || f == &format_bzip2 || f == &format_xz || f == &format_zstd;
}

/* TAR as it was before 1988, without a magic number: its header has a sum of its bytes, in which the sum's own count as blanks. */
static bool is_old_tar(struct span head)
{
	enum { HEADER = 512, SUM = 148, SUM_END = 156 };
	unsigned sum = 0, stated = 0;
	if (head.size < HEADER)
		return false;
	for (size_t i = 0; i < HEADER; i++)
		sum += i >= SUM && i < SUM_END ? ' ' : (unsigned char)head.data[i];
	for (size_t i = SUM; i < SUM_END && head.data[i]; i++)
		if (head.data[i] >= '0' && head.data[i] <= '7')
			stated = stated * 8 + (unsigned)(head.data[i] - '0');
	return head.data[0] && sum == stated;
}

static bool is_control(unsigned char c)
{
	/* Escape sequences, backspace and form feed occur in real text: terminal logs, manual pages, old listings. */
	return (c < 0x20 && !(c >= 0x07 && c <= 0x0d) && c != 0x1a && c != 0x1b) || c == 0x7f;
}

/* More than one control character in fifty bytes. */
static bool is_binary(struct span head)
{
	size_t controls = 0;
	for (size_t i = 0; i < head.size; i++)
		controls += is_control((unsigned char)head.data[i]);
	return controls * 50 > head.size;
}

static size_t skip_blank(struct span s, size_t at)
{
	while (at < s.size && (s.data[at] == ' ' || (s.data[at] >= '\t' && s.data[at] <= '\r')))
		at++;
	return at;
}

static bool begins(struct span s, size_t at, const char *word)
{
	size_t n = strlen(word);
	return s.size - at >= n && strncasecmp(s.data + at, word, n) == 0;
}

/* Skips blanks, comments and processing instructions: what may stand before the first tag. */
static size_t first_tag(struct span s)
{
	for (size_t at = skip_blank(s, 0);;) {
		const char *closing = begins(s, at, "<!--") ? "-->" : begins(s, at, "<?") ? "?>" : NULL;
		const char *end = closing ? memmem(s.data + at, s.size - at, closing, strlen(closing)) : NULL;
		if (!end)
			return at;
		at = skip_blank(s, (size_t)(end - s.data) + strlen(closing));
	}
}

static bool is_html(struct span head)
{
	size_t at = first_tag(head);
	return begins(head, at, "<!doctype html") || begins(head, at, "<html");
}

/* A message begins with fields, some of which only mail has; a mailbox with its "From " line. */
static bool is_mail(struct span head)
{
	static const char *const fields[] = {"received:",  "return-path:", "message-id:", "mime-version:", "delivered-to:", "from:", "to:",
					     "subject:", "date:",	 "x-mailer:",	"content-type:"};
	unsigned known = 0, certain = 0, lines = 0;
	for (size_t at = 0; at < head.size && lines < 60; lines++) {
		const char *newline = memchr(head.data + at, '\n', head.size - at);
		size_t end = newline ? (size_t)(newline - head.data) + 1 : head.size;
		bool folded = head.data[at] == ' ' || head.data[at] == '\t', start = lines == 0 && begins(head, at, "From ");
		if (head.data[at] == '\n' || head.data[at] == '\r' || (!folded && !start && !memchr(head.data + at, ':', end - at)))
			break;
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
			if (begins(head, at, fields[i])) {
				known++;
				certain += i < 5;
			}
		at = end;
	}
	return known >= 3 && certain >= 1;
}

/* What browsers write into the message that a web page is saved as. */
static bool is_saved_page(struct span head)
{
	return has(head, "multipart/related") && (has(head, "Snapshot-Content-Location:") || begins(head, 0, "From: <Saved by") || begins(head, 0, "From: \"Saved by"));
}

static bool is_card(struct span head)
{
	size_t at = skip_blank(head, 0);
	return begins(head, at, "BEGIN:VCALENDAR") || begins(head, at, "BEGIN:VCARD");
}

static const struct format *choose_text(struct span head, enum name_kind kind)
{
	switch (kind) {
	case NAME_CODE:
		/* Templates (PHP, JSP, Vue) begin like a page and are programs. */
		return &format_text_code;
	case NAME_MARKDOWN:
		return is_html(head) ? &format_html : &format_text_markdown;
	case NAME_HTML:
		return memchr(head.data, '<', head.size) ? &format_html : &format_text_plain;
	case NAME_SUBTITLES:
		return &format_subtitles;
	case NAME_NOTEBOOK:
		return memchr(head.data, '{', head.size) ? &format_notebook : &format_text_plain;
	case NAME_MAIL:
		return &format_mail;
	case NAME_XML:
		return is_html(head) ? &format_html : begins(head, skip_blank(head, 0), "<") ? &format_xml : &format_text_plain;
	case NAME_LATEX:
		return &format_latex;
	case NAME_ORG:
		return &format_org;
	case NAME_ASCIIDOC:
		return &format_asciidoc;
	case NAME_ICS:
	case NAME_VCF:
		return is_card(head) ? (kind == NAME_ICS ? &format_ics : &format_vcf) : &format_text_plain;
	case NAME_MHTML:
		return is_mail(head) ? &format_mhtml : is_html(head) ? &format_html : &format_text_plain;
	case NAME_RST:
		return &format_text_rst;
	case NAME_TABLE:
		return &format_text_table;
	case NAME_IMAGE: /* SVG and XPM are text to a computer only */
		return &none_image;
	default:
		break;
	}
	if (is_html(head))
		return &format_html;
	if (is_mail(head))
		return is_saved_page(head) ? &format_mhtml : &format_mail;
	if (begins(head, 0, "<?xml "))
		return &format_xml;
	if (begins(head, 0, "\\documentclass") || has(head, "\n\\documentclass"))
		return &format_latex;
	if (is_card(head))
		return begins(head, skip_blank(head, 0), "BEGIN:VCARD") ? &format_vcf : &format_ics;
	return &format_text_plain;
}

/* ASCII out of UTF-16 or UTF-32, enough to recognise a tag. */
static struct span squeeze(struct span head, size_t skip, char *store, size_t store_size)
{
	size_t size = 0;
	for (size_t i = skip; i < head.size && size < store_size; i++)
		if (head.data[i])
			store[size++] = head.data[i];
	return (struct span){store, size};
}

static const struct format *choose_format(struct span head, struct span name)
{
	enum name_kind kind = name_kind(name);
	if (head.size == 0)
		return &format_text_plain;
	const struct format *found = choose_by_magic(head);
	if (found == &format_archive && head.data[0] == 'P')
		return choose_zip(head, kind);
	if (found == &format_doc)
		return choose_ole(kind);
	if (found)
		return is_compressed(found) && kind == NAME_ARCHIVE ? &format_archive : found;
	size_t skip;
	enum decode_form form = decode_guess_form(head, &skip);
	if (form >= DECODE_UTF16LE) {
		char ascii[512];
		return choose_text(squeeze(head, skip, ascii, sizeof(ascii)), kind);
	}
	struct span rest = {head.data + skip, head.size - skip};
	/* Readers of PDF take junk before the header; the standard's implementation notes say within 1024 bytes. */
	struct span start = {rest.data, rest.size < 1024 ? rest.size : 1024};
	if (has(start, "%PDF-") && (kind == NAME_PDF || has_nul(head) || begins(rest, skip_blank(rest, 0), "%PDF-")))
		return &format_pdf;
	/* A PDF that lost its header, with a name that says what it was: pdftotext finds its objects all the same. */
	if (kind == NAME_PDF && has(head, " obj"))
		return &format_pdf;
	if (kind == NAME_ARCHIVE && is_old_tar(head))
		return &format_archive;
	if (has_nul(rest) || is_binary(rest))
		return &none_binary;
	return choose_text(rest, kind);
}

const struct extractor *extract_choose(struct span head, struct span name)
{
	if (head.size > 4096)
		head.size = 4096;
	const struct format *own = choose_format(head, name), *rule = rules_choose(name, own->extractor.media_type);
	if (ocr_reads(span_of(own->extractor.media_type)))
		own = &format_ocr_picture;
	return rule ? &rule->extractor : &own->extractor;
}

bool extract_name_may_have_text(struct span name)
{
	if (rules_choose(name, "") || (ocr_is_used() && name_kind(name) == NAME_IMAGE))
		return true;
	switch (name_kind(name)) {
	case NAME_IMAGE:
	case NAME_BINARY:
	case NAME_ARCHIVE:
	case NAME_OFFICE:
		return false;
	default:
		return true;
	}
}

const struct extractor *archive_unopened_extractor(void)
{
	return &none_deep.extractor;
}

bool extract_name_may_be_archive(struct span name)
{
	return name_kind(name) == NAME_ARCHIVE;
}
