/* PDF by pdftotext, run as an outside program under the sandbox: poppler's library is GPL and its input hostile.
 *
 * What it does not give (outline, forms, comments, ...) pdf_extras.c finds in a child of its own, and pdf_join.c works in.
 *
 * -htmlmeta costs nothing measurable and adds the title in front of the same text. The reading order is the default one: -layout keeps
 * columns side by side, which cuts sentences in two, and -raw follows the order of drawing. */
#include "extract/format.h"

#include "extract/markdown.h"
#include "extract/pdf_extras.h"

#include <errno.h>
#include <stdlib.h>

static const char *const pdf_arguments[] = {"pdftotext", "-q", "-htmlmeta", "-enc", "UTF-8", "-eol", "unix", "-", "-", NULL};
static const char *const version_arguments[] = {"pdftotext", "-v", NULL};
static const struct format_program pdftotext = {"pdftotext", "poppler-utils", pdf_arguments, version_arguments};

static struct span find(struct span s, const char *what)
{
	const char *at = memmem(s.data, s.size, what, strlen(what));
	return at ? (struct span){at, s.size - (size_t)(at - s.data)} : (struct span){"", 0};
}

static void add_title(struct span head, struct extract_result *about)
{
	static const struct {
		const char *entity;
		char c;
	} entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
	struct span title = find(head, "<title>"), end = find(title, "</title>");
	if (end.size == 0)
		return;
	title = (struct span){title.data + 7, (size_t)(end.data - title.data) - 7};
	struct buf plain;
	buf_init(&plain, LIMIT_TITLE_BYTES * 8);
	for (size_t at = 0; at < title.size;) {
		struct span rest = {title.data + at, title.size - at};
		size_t i = 0, count = sizeof(entities) / sizeof(entities[0]);
		while (i < count && !span_starts_with(rest, entities[i].entity))
			i++;
		buf_add_char(&plain, i < count ? entities[i].c : rest.data[0]);
		at += i < count ? strlen(entities[i].entity) : 1;
	}
	format_set_title(about, buf_span(&plain));
	buf_release(&plain);
}

/* The text between the page's <pre> and </pre>, which -htmlmeta does not escape: the first one, and the last. */
static bool find_pages(struct span output, struct span *ret_head, struct span *ret_pages)
{
	static const char opening[] = "<body>\n<pre>\n", closing[] = "</pre>\n</body>\n</html>\n";
	struct span pages = find(output, opening);
	size_t end = sizeof(closing) - 1, start = sizeof(opening) - 1;
	if (pages.size < start + end || memcmp(pages.data + pages.size - end, closing, end) != 0)
		return false;
	*ret_head = (struct span){output.data, (size_t)(pages.data - output.data)};
	*ret_pages = (struct span){pages.data + start, pages.size - start - end};
	return true;
}

static bool is_blank(struct span s)
{
	for (size_t i = 0; i < s.size; i++)
		if ((unsigned char)s.data[i] > ' ')
			return false;
	return true;
}

/* pdftotext ends every page with a form feed. */
static void add_pages(struct span pages, struct buf *text, struct extract_result *about)
{
	while (pages.size > 0) {
		const char *feed = memchr(pages.data, '\f', pages.size);
		size_t size = feed ? (size_t)(feed - pages.data) : pages.size;
		struct span page = {pages.data, size};
		if (!feed && is_blank(page))
			break;
		if (text->size > 0 && text->data[text->size - 1] != '\n')
			buf_add_char(text, '\n');
		buf_addf(text, TEXT_PAGE_MARKER "\n", ++about->pages);
		markdown_add_prose(text, page);
		pages.data += size + (feed != NULL), pages.size -= size + (feed != NULL);
	}
}

static int fail_by_status(struct span bytes, int status, struct extract_result *about)
{
	/* pdftotext tells a wrong password from a damaged file on standard error only, in words; the document says it as well. */
	if (status == 1 && find(bytes, "/Encrypt").size > 0)
		return format_fail(about, "encrypted", "the PDF is encrypted and needs a password");
	if (status == 3)
		return format_fail(about, "forbidden", "the PDF's owner does not allow its text to be copied");
	return format_fail(about, "damaged", "the PDF is damaged: pdftotext cannot open it or finds no page in it");
}

static int pdf_finish(struct span bytes, int status, struct span output, struct buf *text, struct extract_result *about)
{
	struct span head, pages;
	if (status != 0)
		return fail_by_status(bytes, status, about);
	if (!find_pages(output, &head, &pages))
		return format_fail(about, "damaged", "pdftotext gave no complete text for the PDF");
	(void)buf_reserve(text, pages.size + pages.size / 64);
	add_title(head, about);
	add_pages(pages, text, about);
	/* The markers stay: the document may have text beside its pages, which is put between them. */
	if (buf_error(text) == 0 && is_blank(pages))
		return format_fail(about, "no-text", "the PDF has pages but no text: they are probably scanned images, which the option ocr reads");
	return buf_error(text);
}

static const struct format_beside pdf_beside = {&format_pdf_extras, pdf_extras_wanted, pdf_extras_join};

const struct format format_pdf = {
	.extractor = {"pdf", 2, "application/pdf", TEXT_MARKDOWN, true, NULL},
	.program = &pdftotext,
	.finish = pdf_finish,
	.beside = &pdf_beside,
};
