/* Cleaning: extracted text -> clean text, the handshake between the two halves of the program.
 *
 * Clean text is UTF-8 in NFC, with '\n' line ends, no control characters except '\n' and '\t', no trailing blanks on a line,
 * at most two empty lines in a row (outside code and tables), ending with exactly one '\n' unless empty. PDF text is also
 * de-hyphenated where a line break split a word, and loses running headers and footers only where that is certain. Pure and
 * deterministic: clean(clean(x)) == clean(x). Any thread. */
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
