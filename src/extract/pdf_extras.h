/* What a PDF says outside the text of its pages: outline, comments, form fields, links, attachments. Found in a parser child
 * (format_pdf_extras, whose output is made of the records below) and joined with pdftotext's pages in the calling thread
 * (pdf_extras_join). */
#ifndef CORPUSFS_EXTRACT_PDF_EXTRAS_H
#define CORPUSFS_EXTRACT_PDF_EXTRAS_H

#include "base/buf.h"
#include "base/span.h"
#include "extract/extract.h"

#include <stdbool.h>

/* One record a line: KIND <TAB> page <TAB> level <TAB> label <TAB> text. Page 0: none. The child may have been taken over by its document, so
 * whoever reads a record takes nothing for granted. */
enum pdf_record {
	PDF_RECORD_HEADING = 'h',    /* of the outline; level from 1 */
	PDF_RECORD_COMMENT = 'c',    /* label: its author */
	PDF_RECORD_FIELD = 'f',	     /* label: its name */
	PDF_RECORD_LINK = 'l',
	PDF_RECORD_ATTACHMENT = 'a', /* label: what it is said to be */
};

/* Whether a file can have any of these, from a look for a few words, which costs nothing beside pdftotext. */
bool pdf_extras_wanted(struct span bytes);
/* Rewrites `text`, pages with their markers, with what the records add; a document without text on its pages (failed as "no-text") may have some
 * then: it is OK, and keeps its code. Returns 0, -ENOMEM or -EFBIG. */
int pdf_extras_join(struct span records, struct buf *text, struct extract_result *about);

#endif
