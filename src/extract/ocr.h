/* Recognition of text in pictures and in scanned PDFs, by tesseract, when it was asked for. This module's one piece of process-wide state is that it was,
 * and for which languages: set once, before the helper starts and threads exist. */
#ifndef CORPUSFS_EXTRACT_OCR_H
#define CORPUSFS_EXTRACT_OCR_H

#include "base/err.h"
#include "extract/format.h"

#include <stdbool.h>

/* `languages` as tesseract has them: "eng", "deu+fra". 0 or -EINVAL. */
int ocr_use(const char *languages, struct err *err);
bool ocr_is_used(void);
/* It was asked for, and this is a kind of picture that it reads. */
bool ocr_reads(struct span media_type);
/* What is asked of a PDF that turned out to have no text on its pages, and of a picture. Both have a revision once ocr_settle was called. */
extern const struct format format_ocr_pdf, format_ocr_picture;
/* One page of a PDF as a picture: helper_run_page. */
extern const struct format format_ocr_page;
/* `version`: "tesseract 5.3.0", as the helper found it. */
void ocr_settle(const char *version);
/* Makes recognitions that are under way end with -EAGAIN after the page they are at, or lets them go on. Any thread. */
void ocr_interrupt(bool on);

#endif
