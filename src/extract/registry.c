/* The table of formats, and running one: see extract.h. A new format is one file and one line here. */
#include "extract/format.h"

#include "base/utf8.h"
#include "extract/archive.h"
#include "extract/helper.h"
#include "extract/ocr.h"
#include "extract/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct format *const extract_formats[] = {
	&format_text_plain, &format_text_markdown, &format_text_rst, &format_text_code, &format_text_table,
	&format_html,	    &format_pdf,	   &format_docx,     &format_pptx,      &format_xlsx,
	&format_odt,	    &format_ods,	   &format_odp,	     &format_epub,      &format_mail,	 &format_rtf,
	&format_subtitles,  &format_notebook,   &format_gzip,     &format_bzip2,     &format_xz,
	&format_zstd,	    &format_pdf_extras,	   &format_mhtml,    &format_doc,	&format_xls,	 &format_ppt,
	&format_msg,	    &format_xml,	   &format_ics,	     &format_vcf,	&format_archive, &format_nested,
	&format_members,    &format_latex,	   &format_org,	     &format_asciidoc,	NULL,
};

int format_fail(struct extract_result *about, const char *code, const char *message)
{
	about->state = EXTRACT_FAILED;
	(void)snprintf(about->code, sizeof(about->code), "%s", code);
	(void)snprintf(about->message, sizeof(about->message), "%s", message);
	return 0;
}

void format_fail_errno(struct extract_result *about, int code)
{
	if (code == -EFBIG)
		(void)format_fail(about, "too-large", "the document has more text than is kept of one (64 MB)");
	else
		(void)format_fail(about, "damaged", "the document cannot be read");
}

void format_set_title(struct extract_result *about, struct span title)
{
	size_t size = 0;
	bool blank = false;
	for (size_t at = 0; at < title.size;) {
		uint32_t c = 0xfffd;
		size_t n = utf8_decode(title, at, &c);
		at += n ? n : 1;
		if (c <= 0x20 || c == 0x7f || c == 0xa0 || (c >= 0x80 && c < 0xa0)) {
			blank = size > 0;
			continue;
		}
		char bytes[5] = " ";
		size_t count = blank + utf8_encode(c, bytes + blank);
		blank = false;
		if (size + count > LIMIT_TITLE_BYTES)
			break;
		memcpy(about->title + size, bytes, count);
		size += count;
	}
	about->title[size] = '\0';
}

int extract_use_rules(const char *file, struct err *err)
{
	return rules_read(file, err);
}

void extract_each_rule(void (*each)(void *context, const char *pattern, const char *program, bool found), void *context)
{
	for (size_t i = 0; i < rules_count(); i++)
		each(context, rules_pattern(i), rules_format(i)->program->name, rules_program(i) != NULL);
}

static const struct format *const ocr_formats[] = {&format_ocr_picture, &format_ocr_page, &format_ocr_pdf};
enum { OCR_FORMATS = sizeof(ocr_formats) / sizeof(ocr_formats[0]) };

/* What the helper runs: the built-in formats, in their order, then the configured ones, then those that recognise text. */
static const struct format *helper_formats[HELPER_FORMATS + 1];

int extract_helper_start(struct err *err)
{
	static const struct helper_limits limits = {.progress_ms = 10000, .total_ms = 60000};
	size_t count = 0;
	while (count < HELPER_FORMATS - RULES - OCR_FORMATS && extract_formats[count]) {
		helper_formats[count] = extract_formats[count];
		count++;
	}
	for (size_t i = 0; i < rules_count(); i++)
		helper_formats[count++] = rules_format(i);
	for (size_t i = 0; ocr_is_used() && i < OCR_FORMATS; i++)
		helper_formats[count + i] = ocr_formats[i];
	int r = helper_start(helper_formats, &limits, err);
	/* The first of them is the one whose program makes the text. */
	if (r == 0 && ocr_is_used())
		ocr_settle(helper_program_version(count));
	return r;
}

int extract_use_ocr(const char *languages, struct err *err)
{
	return ocr_use(languages, err);
}

const char *extract_describe_ocr(void)
{
	return ocr_is_used() ? format_ocr_picture.extractor.revision : NULL;
}

void extract_interrupt(bool on)
{
	ocr_interrupt(on);
}

const struct extractor *extract_fallback(struct span extractor)
{
	return ocr_is_used() && span_equal(extractor, span_of(format_pdf.extractor.name)) ? &format_ocr_pdf.extractor : NULL;
}

void extract_helper_stop(void)
{
	helper_stop();
	rules_release();
}

const struct extractor *extract_find(struct span extractor, struct span media_type, struct span name,
				     bool (*fits)(const void *context, const struct extractor *x), const void *context)
{
	char type[128];
	(void)snprintf(type, sizeof(type), "%.*s", (int)(media_type.size < sizeof(type) ? media_type.size : 0), media_type.data);
	const struct format *rule = rules_choose(name, type);
	if (rule)
		return fits(context, &rule->extractor) ? &rule->extractor : NULL;
	if (ocr_reads(media_type))
		return NULL; /* it was not recognised then: pictures that were have the recogniser's own type */
	const struct extractor *none = extract_choose((struct span){"\0", 1}, (struct span){"", 0});
	if (span_equal(extractor, span_of(none->name)) && fits(context, none))
		return none;
	for (size_t i = 0; ocr_is_used() && i < OCR_FORMATS; i++)
		if (span_equal(extractor, span_of(ocr_formats[i]->extractor.name)) && fits(context, &ocr_formats[i]->extractor))
			return &ocr_formats[i]->extractor;
	for (size_t i = 0; extract_formats[i]; i++) {
		const struct extractor *x = &extract_formats[i]->extractor;
		if (span_equal(extractor, span_of(x->name)) && fits(context, x))
			return x;
	}
	return NULL;
}

const char *extract_sandbox_describe(void)
{
	return helper_describe();
}

/* Every struct extractor that extract_choose gives is the first member of a struct format. */
static const struct format *format_of(const struct extractor *x)
{
	return (const struct format *)(const void *)x;
}

static int run_format(const struct format *f, struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	if (bytes.size > LIMIT_SOURCE_BYTES)
		return format_fail(about, "too-large", "the file is larger than what is read of one (256 MB)");
	if (!f->extractor.isolated)
		return f->extract(bytes, name, text, about);
	struct buf store;
	buf_init(&store, LIMIT_SOURCE_BYTES);
	int r = f->prepare ? f->prepare(bytes, &store, about, &bytes) : 0;
	if (r == 0 && about->state != EXTRACT_FAILED) {
		/* The child reports everything anew but what preparing found out. */
		char encoding[sizeof(about->encoding)];
		memcpy(encoding, about->encoding, sizeof(encoding));
		r = helper_run(f, bytes, name, text, about);
		if (f->prepare)
			memcpy(about->encoding, encoding, sizeof(encoding));
	}
	buf_release(&store);
	return r;
}

/* The child may have been taken over by its document: only an archive has a catalogue, and that has to be one. */
static bool is_proper(const struct extractor *x, const struct extract_result *about, struct span text)
{
	if ((about->syntax == TEXT_CATALOGUE) != (x->syntax == TEXT_CATALOGUE))
		return false;
	struct member m = {.path = {"", 0}};
	size_t at = 0;
	int r = 0;
	while (about->syntax == TEXT_CATALOGUE && (r = catalogue_next(text, &at, m.path, &m)) == 1)
		;
	return r == 0;
}

/* What the document has beside what its own format gave. That it cannot be had, or not in time, takes nothing away. */
static int run_beside(const struct format_beside *b, struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	bool open = about->state == EXTRACT_OK || strcmp(about->code, "no-text") == 0;
	if (!open || buf_error(text) || !b->wanted(bytes))
		return 0;
	struct extract_result found_about = {.syntax = b->format->extractor.syntax};
	struct buf found;
	buf_init(&found, LIMIT_CLEAN_BYTES);
	int r = helper_run(b->format, bytes, name, &found, &found_about);
	r = r == 0 ? buf_error(&found) : r;
	if (r == 0 && found_about.state == EXTRACT_OK && found.size > 0)
		r = b->join(buf_span(&found), text, about);
	buf_release(&found);
	return r;
}

int extract_run(const struct extractor *x, struct span bytes, struct span name, struct extract_result *ret)
{
	const struct format *f = format_of(x);
	struct extract_result about = {.syntax = x->syntax};
	struct buf text;
	buf_init(&text, LIMIT_CLEAN_BYTES);
	int r = 0;
	if (f->skip_code) {
		(void)format_fail(&about, f->skip_code, f->skip_message);
		about.state = EXTRACT_SKIPPED;
	} else {
		r = run_format(f, bytes, name, &text, &about);
		if (r == 0 && f->beside)
			r = run_beside(f->beside, bytes, name, &text, &about);
	}
	if (r == 0)
		r = buf_error(&text);
	if (r == -EFBIG) {
		format_fail_errno(&about, r);
		r = 0;
	}
	if (r == 0 && about.state == EXTRACT_OK && !is_proper(x, &about, buf_span(&text)))
		(void)format_fail(&about, "crashed", "the extractor ended without a proper result");
	if (r == 0 && about.state == EXTRACT_OK) {
		about.text = buf_take(&text, &about.text_size);
		r = about.text ? 0 : -ENOMEM;
	}
	buf_release(&text);
	if (r == 0)
		*ret = about;
	return r;
}

void extract_result_release(struct extract_result *r)
{
	free(r->text);
	r->text = NULL;
	r->text_size = 0;
}

const char *extract_fingerprint(void)
{
	/* Written by whoever comes first with what every other caller would write; the versions of programs are settled before threads. */
	static _Thread_local char text[4096];
	struct buf b;
	buf_init(&b, sizeof(text) - 1);
	buf_addf(&b, "none %u", extract_choose((struct span){"\0", 1}, (struct span){"", 0})->version);
	const char *last = "";
	for (size_t i = 0; extract_formats[i]; i++) {
		const struct format *f = extract_formats[i];
		if (strcmp(f->extractor.name, last) != 0)
			buf_addf(&b, "; %s %u", f->extractor.name, f->extractor.version);
		last = f->extractor.name;
		if (f->program)
			buf_addf(&b, "; %s", helper_program_version(i)[0] ? helper_program_version(i) : "no helper");
	}
	for (size_t i = 0; i < rules_count(); i++)
		buf_addf(&b, "; %s %.12s", rules_format(i)->extractor.name, rules_format(i)->extractor.revision);
	if (ocr_is_used())
		buf_addf(&b, "; ocr %u; %s", format_ocr_picture.extractor.version, format_ocr_picture.extractor.revision);
	/* Without poppler's character maps a PDF in Chinese, Japanese or Korean gives other text. */
	buf_addf(&b, "; poppler-data %s", access("/usr/share/poppler/cMap", R_OK) == 0 ? "yes" : "no");
	(void)snprintf(text, sizeof(text), "%s", b.data ? b.data : "");
	buf_release(&b);
	return text;
}
