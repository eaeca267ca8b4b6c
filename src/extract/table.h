/* Tables cell by cell -> pipe tables, for every format that has tables. The rules, which docs/formats.md states: the first row with text is
 * the header; rows without text are dropped; a cell that spans rows is repeated in each of them, so that a row can be read alone; one that
 * spans columns stands in the first and leaves the others empty. At most TABLE_COLUMNS columns, what stands further right joins the last. */
#ifndef CORPUSFS_EXTRACT_TABLE_H
#define CORPUSFS_EXTRACT_TABLE_H

#include "extract/markdown.h"

enum { TABLE_COLUMNS = 200, TABLE_SPAN = 64 };

struct table {
	struct markdown *md;  /* of the document */
	struct markdown cell; /* of the cell being written */
	size_t width;
	bool header_written;
	size_t column;			 /* of the next cell */
	struct buf text;		 /* of the row's cells */
	size_t starts[TABLE_COLUMNS], ends[TABLE_COLUMNS];
	struct buf held;		 /* texts of cells that reach down into later rows */
	size_t held_at[TABLE_COLUMNS], held_size[TABLE_COLUMNS];
	unsigned down[TABLE_COLUMNS];	 /* rows that such a cell still covers */
};

/* `width`: columns of the widest row as far as known; the header row gets that many, which Markdown asks for. */
void table_begin(struct table *t, struct markdown *md, size_t width);
/* The writer for the next cell's text. */
struct markdown *table_cell_begin(struct table *t);
/* Spans of 1 for a plain cell. */
void table_cell_end(struct table *t, unsigned across, unsigned down);
/* The cell continues the one above it (DOCX says it so): it gets that one's text. `first`: later ones may continue this one. */
void table_cell_end_merged(struct table *t, unsigned across, bool first);
/* Skips columns, where cells say which column they are in. */
void table_skip(struct table *t, size_t column);
void table_row_end(struct table *t);
/* Failures of the table's buffers become the document's. */
void table_end(struct table *t);

#endif
