/* The objects of a PDF: dictionaries, arrays, strings, and what refers to what. No drawing, no text of pages: pdftotext does those.
 *
 * Objects are found by looking through the whole file for "N G obj", the later of two with one number being the current one, as readers do
 * with files whose table is damaged. So nothing rests on that table, and revisions come out right. Values are spans of the file, looked
 * into when asked for. Hostile by assumption: no recursion, and all reading draws on a budget of bytes; when it is spent,
 * everything asked for is missing. Runs in parser children; not thread-safe. Format: ISO 32000-1, 7.2 to 7.9. */
#ifndef CORPUSFS_EXTRACT_PDF_OBJECTS_H
#define CORPUSFS_EXTRACT_PDF_OBJECTS_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of syntax that are read of one document, over and over or not: so much for each of its bytes, and for any document, and at most; about three
 * seconds of work. */
#define PDF_BUDGET_EACH 8
#define PDF_BUDGET_ANY ((int64_t)4 << 20)
#define PDF_BUDGET_MOST ((int64_t)512 << 20)
/* What all object streams of a document may unpack to. */
#define PDF_UNPACKED_BYTES ((size_t)128 << 20)
enum { PDF_OBJECTS = 2000000 };

enum pdf_kind { PDF_NONE, PDF_NUMBER, PDF_NAME, PDF_STRING, PDF_HEX_STRING, PDF_ARRAY, PDF_DICTIONARY, PDF_REFERENCE, PDF_WORD };

struct pdf_value {
	enum pdf_kind kind;
	struct span raw; /* names without the slash, strings and containers without their delimiters */
	uint32_t number; /* of a reference: the object's; of a whole number from 0: itself */
};

struct pdf;
/* `bytes` is borrowed. NULL: out of memory. A file without any object is an empty document. */
struct pdf *pdf_open(struct span bytes);
void pdf_close(struct pdf *p);
/* The document's strings are encrypted, so that none of them can be read. */
bool pdf_is_encrypted(const struct pdf *p);
/* The catalog, or PDF_NONE. */
struct pdf_value pdf_root(struct pdf *p);
/* What a reference leads to; any other value is itself. */
struct pdf_value pdf_resolve(struct pdf *p, struct pdf_value v);
/* An entry of a dictionary (or of a reference to one), as it stands (pdf_entry) or resolved (pdf_get). PDF_NONE when there is none. */
struct pdf_value pdf_entry(struct pdf *p, struct pdf_value dictionary, const char *key);
struct pdf_value pdf_get(struct pdf *p, struct pdf_value dictionary, const char *key);
/* Takes the next value off the front of what an array or dictionary holds. False at its end. */
bool pdf_next(struct pdf *p, struct span *rest, struct pdf_value *ret);
bool pdf_is_name(struct pdf_value v, const char *name);
/* Appends a text string (7.9.2.2), or a name, as UTF-8 in one line: runs of blanks and control characters are one blank, none at the ends. */
void pdf_add_text(struct pdf_value v, struct buf *out);

#endif
