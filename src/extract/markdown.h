/* Writes Markdown: what every structured format becomes. Keeps track of blank lines, of the marks before each line (quotes, list items)
 * and of blanks between words, so that a format only says what it meets. Not thread-safe; the buffer belongs to the caller.
 *
 * What is written (CommonMark with tables as GitHub has them): ATX headings, "-" and "1." lists, "> " quotes, fenced code, pipe tables.
 * Emphasis is not written. Escaped is only what would change the structure of a line: a heading, a fence, a comment. */
#ifndef CORPUSFS_EXTRACT_MARKDOWN_H
#define CORPUSFS_EXTRACT_MARKDOWN_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { MARKDOWN_PREFIX_SIZE = 128, MARKDOWN_DEPTH = 40 };

struct markdown {
	struct buf *out;
	bool cell; /* one line: breaks become blanks, pipes are escaped */

	/* The rest is the writer's own. */
	bool written;	    /* anything so far */
	bool line_open;	    /* the current line has text */
	bool pending_blank; /* a blank before the next word */
	bool code;	    /* inside a fence */
	unsigned pending_breaks;
	size_t code_start;
	bool link_waits; /* a link has begun, its text has not */
	size_t link_start;
	char prefix[MARKDOWN_PREFIX_SIZE]; /* before each line */
	size_t prefix_size, blank_size;	   /* blank_size: as much of it as stands on the blank lines to come */
	char marker[MARKDOWN_PREFIX_SIZE]; /* before the next line only, after the prefix that ends where marker_at says */
	size_t marker_size, marker_at;
	size_t levels[MARKDOWN_DEPTH]; /* prefix sizes to go back to */
	unsigned depth;		       /* may exceed MARKDOWN_DEPTH: deeper levels add no prefix */
};

void markdown_init(struct markdown *m, struct buf *out, bool cell);
/* Makes sure that the next text begins a new line (1) or a paragraph after a blank line (2). */
void markdown_break(struct markdown *m, unsigned lines);
/* A line break inside a paragraph; two of them end it. */
void markdown_line_break(struct markdown *m);
/* Running text: runs of blanks become one blank. */
void markdown_text(struct markdown *m, struct span s);
/* The same without looking for blanks or escapes: marks that belong to the format. */
void markdown_mark(struct markdown *m, const char *s);
/* "## " before what follows; end with markdown_break(m, 2). Level 1..6. */
void markdown_heading(struct markdown *m, unsigned level);
/* Lines until the matching markdown_pop are quoted, or belong to the item begun with `marker` ("- ", "12. "). */
void markdown_push_quote(struct markdown *m);
void markdown_push_item(struct markdown *m, const char *marker);
void markdown_pop(struct markdown *m);
/* What is written between the two becomes [text](target) where that is useful: the target is absolute and short, the text is one line and
 * not the target itself. Not to be nested. */
void markdown_link_begin(struct markdown *m);
void markdown_link_end(struct markdown *m, const char *target);
/* Lines of a page, prose as far as anybody knows. What Markdown, or our own page marker, would take for markup at the beginning of one gets a
 * backslash. */
void markdown_add_prose(struct buf *out, struct span page);
/* Whether a target says something outside its page: absolute and short. A relative one does not without the page's own address, which a file
 * has not. */
bool markdown_is_useful_target(const char *target);
/* A fenced block: text between is kept as it is. `language` may be empty. */
void markdown_code_begin(struct markdown *m, struct span language);
void markdown_code_end(struct markdown *m);
/* One row of a table; cells are written with a writer of their own (`cell`). */
void markdown_row(struct markdown *m, const struct span *cells, size_t count);
/* The line under the header row. */
void markdown_row_rule(struct markdown *m, size_t count);
/* Whether a line of plain text would be read as a heading, a fence or a comment. */
bool markdown_line_needs_escape(struct span line);

#endif
