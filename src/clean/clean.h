/* Cleaning: extracted text -> clean text, the handshake between the two halves of the program.
 *
 * Clean text is UTF-8 in NFC, with '\n' line ends, no control characters except '\n' and '\t', no trailing blanks on a line,
 * at most two empty lines in a row and none at the beginning (outside code and tables), ending with exactly one '\n' unless empty.
 * Pure and deterministic: clean(clean(x)) == clean(x). Any thread. One pass, linear in time whatever the text; PDF text takes
 * a copy and two passes more.
 *
 * What becomes of characters. Kept is what carries meaning or shape, gone is what only steers a display or hides from readers and
 * search:
 *   CR, CRLF, NEL, LS, PS, and outside code VT and FF    a line end
 *   FS, GS, RS, US; in code VT and FF inside a line      a blank
 *   NBSP and the other Unicode blanks but U+3000         a blank (in code they stay)
 *   other C0 and C1 controls, DEL                        gone; so are whole terminal escape sequences "ESC [ ... m"
 *   BOM, soft hyphen, word joiner, invisible operators, bidirectional marks, embeddings, overrides and isolates, annotation
 *   and object characters                                gone (a soft hyphen at the end of a line of a page breaks a word)
 *   U+200B                                               stays in Thai, Lao, Myanmar and Khmer, where it ends words
 *   U+200C, U+200D                                       stay after a starter from U+0600 on (Persian, Indic, emoji), else gone
 *   variation selectors                                  one stays after a character; more, or one after a blank, go
 *   tag characters                                       stay in an emoji flag, else gone: they can hold hidden text
 *   Latin ligatures U+FB00..FB06                         their letters (in code they stay)
 *   bytes that are no UTF-8, noncharacters               U+FFFD, one for each maximal subpart (Unicode 15, 3.9)
 *   more than 30 combining marks on one starter          U+034F after every 30th (UAX 15, stream-safe text format)
 *
 * Pages. The text of a page loses, at its top and bottom, lines that stand on two thirds of all, or of the odd or even, pages and
 * on three at least, equal but for a number that counts with the pages; a line of that kind with letters stays where it first
 * occurs, so that no word is lost. More than four such lines at one edge are content and stay. A word that a line break split
 * is joined where small letters stand on both sides of the hyphen, outside of columns and addresses; the hyphen stays if
 * the document writes the word with it elsewhere. Pages are divided by an empty line before and after their marker. */
#ifndef CORPUSFS_CLEAN_CLEAN_H
#define CORPUSFS_CLEAN_CLEAN_H

#include "base/buf.h"

#include <stdbool.h>

/* Part of the deterministic fingerprint; raise when any output changes. */
enum { CLEAN_VERSION = 1 };

struct clean_options {
	bool code;  /* indentation and blank lines are meaning: touch line ends, encoding and control characters only */
	bool paged; /* text of a PDF: pages begin with a "<!-- page N -->" line; de-hyphenate, drop running headers and footers */
};

/* Appends the clean form of `text` to `out`. Invalid UTF-8 becomes U+FFFD. Returns 0, -ENOMEM or -EFBIG. */
int clean_text(struct span text, const struct clean_options *options, struct buf *out);

#endif
