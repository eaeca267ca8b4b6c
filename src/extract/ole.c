/* The older Office formats (DOC, XLS, PPT) and Outlook's messages: all four are compound files; which one, the streams in it say. */
#include "extract/ole.h"
#include "extract/decode.h"

#include "base/utf8.h"

#include <errno.h>

int ole_read(const struct cfb *c, const struct cfb_entry *storage, const char *name, struct buf *out)
{
	const struct cfb_entry *e = cfb_find(c, storage, name);
	return e && !e->storage ? cfb_read(c, e, out) : -ENOENT;
}

void ole_add_utf16(struct span s, struct buf *out)
{
	for (size_t i = 0; i + 1 < s.size; i += 2) {
		uint32_t point = cfb_u16(s, i), low = cfb_u16(s, i + 2);
		char bytes[4];
		if (point >= 0xd800 && point < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
			i += 2;
		}
		buf_add(out, bytes, utf8_encode(point, bytes)); /* a lone surrogate has no encoding: U+FFFD */
	}
}

void ole_add_bytes(int page, struct span s, struct buf *out)
{
	char set[DECODE_NAME_SIZE];
	decode_code_page(page, set);
	if (utf8_ascii_prefix(s) == s.size) {
		buf_add_span(out, s);
	} else if (page == 65001 || decode_from_preloaded(set, s, out) == -EINVAL) {
		struct buf store;
		struct span utf8;
		buf_init(&store, LIMIT_CLEAN_BYTES);
		if (decode_unicode(s, &store, &utf8) == 0)
			buf_add_span(out, utf8);
		buf_release(&store);
	}
}

/* [MS-OLEPS]: a set of numbered values. 1 is the code page, 2 the title. */
static struct span property(struct span set, uint32_t wanted, uint32_t *ret_type)
{
	struct span section = cfb_part(set, cfb_u32(set, 44), SIZE_MAX);
	uint32_t count = cfb_u32(section, 4);
	for (uint32_t i = 0; i < count && i < 1000; i++)
		if (cfb_u32(section, 8 + (size_t)i * 8) == wanted) {
			struct span value = cfb_part(section, cfb_u32(section, 12 + (size_t)i * 8), SIZE_MAX);
			*ret_type = cfb_u32(value, 0);
			return cfb_part(value, 4, SIZE_MAX);
		}
	*ret_type = 0;
	return (struct span){"", 0};
}

static void read_title(const struct cfb *c, struct extract_result *about)
{
	enum { I2 = 2, LPSTR = 30, LPWSTR = 31 };
	struct buf set, title;
	buf_init(&set, 1 << 20);
	buf_init(&title, 1 << 16);
	if (ole_read(c, NULL, "\005SummaryInformation", &set) == 0) {
		uint32_t type;
		struct span page = property(buf_span(&set), 1, &type), value;
		int code_page = type == I2 ? (int)cfb_u16(page, 0) : 1252;
		value = property(buf_span(&set), 2, &type);
		struct span string = cfb_part(value, 4, (uint64_t)cfb_u32(value, 0) * (type == LPWSTR ? 2 : 1));
		if (string.size > 4000)
			string.size = 4000;
		if (type == LPWSTR || (type == LPSTR && code_page == 1200))
			ole_add_utf16(string, &title);
		else if (type == LPSTR)
			ole_add_bytes(code_page, string, &title);
		const char *end = memchr(buf_span(&title).data, 0, title.size);
		format_set_title(about, (struct span){buf_span(&title).data, end ? (size_t)(end - title.data) : title.size});
	}
	buf_release(&set);
	buf_release(&title);
}

static int choose_kind(const struct cfb *c, struct buf *text, struct extract_result *about)
{
	static const struct {
		const char *stream;
		ole_extract_fn *extract;
	} kinds[] = {{"__properties_version1.0", msg_extract}, {"WordDocument", doc_extract}, {"Workbook", xls_extract}, {"Book", xls_extract},
		     {"PowerPoint Document", ppt_extract}};
	if (cfb_find(c, NULL, "EncryptedPackage"))
		return format_fail(about, "encrypted", "the document is protected with a password");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (cfb_find(c, NULL, kinds[i].stream)) {
			int r = kinds[i].extract(c, text, about);
			if (r == 0 && about->state == EXTRACT_OK && !about->title[0])
				read_title(c, about);
			return r;
		}
	(void)format_fail(about, "office", "a document of a kind that has no extractor yet");
	about->state = EXTRACT_SKIPPED; /* Visio, Project, Publisher, Works, thumbnails, installers, ... */
	return 0;
}

int ole_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct cfb c;
	int r = cfb_open(bytes, &c);
	if (r == -EBADMSG)
		return format_fail(about, "damaged", "the document's container is damaged");
	if (r < 0)
		return r;
	r = choose_kind(&c, text, about);
	cfb_release(&c);
	if (r == 0 && about->state == EXTRACT_OK && text->size == 0 && !buf_error(text))
		return format_fail(about, "no-text", "the document has no text");
	return r;
}

#define OLE(name, media_type)                                                                                                              \
	{                                                                                                                                  \
		.extractor = {name, 1, media_type, TEXT_MARKDOWN, true, NULL}, .extract = ole_extract                                            \
	}

const struct format format_doc = OLE("doc", "application/msword");
const struct format format_xls = OLE("xls", "application/vnd.ms-excel");
const struct format format_ppt = OLE("ppt", "application/vnd.ms-powerpoint");
const struct format format_msg = OLE("msg", "application/vnd.ms-outlook");
