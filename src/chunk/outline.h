/* Where a text may be cut: one look at each line, in order, says what begins there. Private to chunk/. */
#ifndef CORPUSFS_CHUNK_OUTLINE_H
#define CORPUSFS_CHUNK_OUTLINE_H

#include "chunk/chunk.h"

#include <stdbool.h>

/* What lies between a line and the one before it, weakest first. */
enum boundary {
	BOUNDARY_GLUE,    /* belongs together: a heading and what follows it, the head of a table */
	BOUNDARY_WRAP,    /* a line of a paragraph: a sentence end is a better place */
	BOUNDARY_LINE,    /* a line that means something: code, a nested item */
	BOUNDARY_ITEM,    /* a list item, a table row, a part of a code block */
	BOUNDARY_BLOCK,   /* a paragraph, list, table, code block, function */
	BOUNDARY_SECTION, /* a heading */
	BOUNDARY_PAGE,
	BOUNDARY_COUNT,
};

struct mark {
	enum boundary before;
	bool filler;         /* blank, a page marker, a heading's underline: no text */
	uint32_t page;       /* the number if it is a page marker, else 0 */
	unsigned level;      /* of the heading whose text is in this line, else 0 */
	struct span heading; /* its text, with inline markup */
};

enum { ADORNMENTS_MAX = 64 };

/* State between lines. */
struct outline {
	enum chunk_syntax syntax;
	struct span text;
	size_t front_matter_end; /* offset, 0 for none */
	bool after_blank;        /* the line before was blank */
	bool first;              /* no line with text yet */
	bool after_heading;      /* the last line with text was a heading's */
	bool after_colon;        /* the last line with text ended in a colon */
	bool after_block;        /* a block ended with the last line with text ... */
	bool ends_block;         /* ... or ends with the one being looked at */
	bool in_list, in_table, in_quote, in_literal;
	unsigned table_rows;
	unsigned skip; /* lines that belong to a heading already reported */
	char fence;    /* of an open fenced code block, else 0 */
	size_t fence_size;
	bool fence_begins; /* the line before opened it */
	size_t last_size;  /* bytes of the line before */
	size_t last_indent;
	uint8_t adornments[ADORNMENTS_MAX]; /* RST: characters in order of first use, 0x80 added when over and under the text */
	unsigned adornment_count;
};

void outline_init(struct outline *o, enum chunk_syntax syntax, struct span text);
/* `line` is the next line of the text, without its line end; `after` the offset behind its line end. */
struct mark outline_line(struct outline *o, struct span line, size_t after);

#endif
