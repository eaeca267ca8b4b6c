/* Recognition of text: see ocr.h. A PDF goes page by page through two programs, each in a sandbox of its own: pdftoppm makes a picture, tesseract reads
 * it. One process a page has its own deadlines, and what one page does to its process costs that page only. */
#include "extract/ocr.h"

#include "extract/helper.h"
#include "extract/markdown.h"
#include "extract/pdf_extras.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

/* A longer document is recognised so far; two seconds a page make this half an hour. */
enum { PAGES = 1000 };
/* pdftoppm's status when there is no such page. */
enum { NO_PAGE = 99 };

static struct {
	bool used;
	char languages[64];
	char revision[128];
} ocr;

static atomic_bool interrupted;

static const char *const version_arguments[] = {"tesseract", "--version", NULL};
static const char *const picture_arguments[] = {"tesseract", "stdin", "stdout", "-l", ocr.languages, NULL};
static const struct format_program tesseract = {"tesseract", "tesseract-ocr", picture_arguments, version_arguments};

/* The longer side of a page becomes 3,300 pixels, whatever its size: 300 a unit of A4 or Letter, which is what tesseract is made for, and a bound. */
static const char *const page_version_arguments[] = {"pdftoppm", "-v", NULL};
static const char *const page_arguments[] = {"pdftoppm", "-q", "-gray", "-scale-to", "3300", "-f", HELPER_PAGE, "-l", HELPER_PAGE, "-", NULL};
static const struct format_program pdftoppm = {"pdftoppm", "poppler-utils", page_arguments, page_version_arguments};

int ocr_use(const char *languages, struct err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+";
	size_t size = strlen(languages);
	if (size == 0 || size >= sizeof(ocr.languages) || strspn(languages, letters) != size)
		return err_fail(err, -EINVAL, "%s: is no language of tesseract; write eng, or eng+deu", languages);
	memcpy(ocr.languages, languages, size + 1);
	ocr.used = true;
	return 0;
}

bool ocr_is_used(void)
{
	return ocr.used;
}

bool ocr_reads(struct span media_type)
{
	static const char *const types[] = {"image/png", "image/jpeg", "image/tiff"};
	for (size_t i = 0; ocr.used && i < sizeof(types) / sizeof(types[0]); i++)
		if (span_equal(media_type, span_of(types[i])))
			return true;
	return false;
}

void ocr_settle(const char *version)
{
	(void)snprintf(ocr.revision, sizeof(ocr.revision), "%.60s %s", version, ocr.languages);
}

void ocr_interrupt(bool on)
{
	atomic_store(&interrupted, on);
}

static bool is_blank(struct span s)
{
	for (size_t i = 0; i < s.size; i++)
		if ((unsigned char)s.data[i] > ' ')
			return false;
	return true;
}

static int picture_finish(struct span bytes, int status, struct span output, struct buf *text, struct extract_result *about)
{
	(void)bytes;
	if (status != 0)
		return format_fail(about, "damaged", "tesseract cannot read the picture, or has no data for the languages asked for");
	if (is_blank(output))
		return format_fail(about, "no-text", "no text was recognised in the picture");
	buf_add_span(text, output);
	return 0;
}

static int page_finish(struct span bytes, int status, struct span output, struct buf *text, struct extract_result *about)
{
	(void)bytes;
	if (status != 0)
		return format_fail(about, status == NO_PAGE ? "no-page" : "damaged", "the page cannot be drawn");
	buf_add_span(text, output);
	return 0;
}

/* The text of one page, or nothing when it cannot be drawn or read. *ret_end: there is no such page. */
static int recognise_page(struct span bytes, unsigned page, struct buf *ret, struct extract_result *about, bool *ret_end)
{
	static const struct span name = {"", 0};
	struct buf picture;
	buf_init(&picture, LIMIT_CLEAN_BYTES);
	int r = helper_run_page(&format_ocr_page, page, bytes, name, &picture, about);
	*ret_end = r == 0 && strcmp(about->code, "no-page") == 0;
	if (r == 0 && about->state == EXTRACT_OK && buf_error(&picture) == 0)
		r = helper_run(&format_ocr_picture, buf_span(&picture), name, ret, about);
	buf_release(&picture);
	return r;
}

static int ocr_pdf_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	bool any = false;
	struct buf found;
	buf_init(&found, LIMIT_CLEAN_BYTES);
	int r = 0;
	for (unsigned page = 1; page <= PAGES && r == 0; page++) {
		struct extract_result one = {.syntax = TEXT_PLAIN};
		bool end;
		buf_reset(&found);
		r = atomic_load(&interrupted) ? -EAGAIN : recognise_page(bytes, page, &found, &one, &end);
		if (r < 0 || end)
			break;
		/* What is not installed is missing on every page. */
		if (strcmp(one.code, "no-program") == 0) {
			(void)format_fail(about, one.code, one.message);
			break;
		}
		about->pages = page;
		buf_addf(text, TEXT_PAGE_MARKER "\n", page);
		markdown_add_prose(text, buf_span(&found));
		any = any || one.state == EXTRACT_OK;
	}
	buf_release(&found);
	if (r == 0 && !any && about->state == EXTRACT_OK)
		(void)format_fail(about, "no-text", "the PDF has no text, and none was recognised on its pages");
	return r;
}

static const struct format_beside beside = {&format_pdf_extras, pdf_extras_wanted, pdf_extras_join};

const struct format format_ocr_pdf = {
	.extractor = {"ocr-pdf", 1, "application/pdf", TEXT_MARKDOWN, false, ocr.revision},
	.extract = ocr_pdf_extract,
	.beside = &beside,
};

const struct format format_ocr_picture = {
	.extractor = {"ocr", 1, "image/*", TEXT_PLAIN, true, ocr.revision},
	.program = &tesseract,
	.finish = picture_finish,
};

const struct format format_ocr_page = {
	.extractor = {"ocr-page", 1, "application/pdf", TEXT_PLAIN, true, NULL},
	.program = &pdftoppm,
	.finish = page_finish,
};
