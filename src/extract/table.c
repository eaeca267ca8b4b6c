/* Pipe tables: see table.h. */
#include "extract/table.h"

void table_begin(struct table *t, struct markdown *md, size_t width)
{
	*t = (struct table){.md = md, .width = width < TABLE_COLUMNS ? width : TABLE_COLUMNS};
	buf_init(&t->text, md->out->limit);
	buf_init(&t->held, md->out->limit);
	markdown_break(md, 2);
}

static void add_held(struct table *t, size_t column)
{
	t->starts[column] = t->text.size;
	if (t->held_size[column] > 0)
		buf_add(&t->text, t->held.data + t->held_at[column], t->held_size[column]);
	t->ends[column] = t->text.size;
}

/* Cells from above that reach into this row. */
static void add_covered(struct table *t)
{
	for (; t->column < TABLE_COLUMNS && t->down[t->column] > 0; t->column++) {
		t->down[t->column]--;
		add_held(t, t->column);
	}
}

struct markdown *table_cell_begin(struct table *t)
{
	add_covered(t);
	if (t->column < TABLE_COLUMNS)
		t->starts[t->column] = t->text.size;
	else
		buf_add_char(&t->text, ' ');
	markdown_init(&t->cell, &t->text, true);
	return &t->cell;
}

static void hold(struct table *t, size_t column)
{
	t->held_at[column] = t->held.size;
	t->held_size[column] = buf_error(&t->text) ? 0 : t->ends[column] - t->starts[column];
	if (t->held_size[column] > 0)
		buf_add(&t->held, t->text.data + t->starts[column], t->held_size[column]);
	if (buf_error(&t->held))
		t->held_size[column] = 0;
}

void table_cell_end(struct table *t, unsigned across, unsigned down)
{
	if (t->column >= TABLE_COLUMNS) {
		t->ends[TABLE_COLUMNS - 1] = t->text.size;
		return;
	}
	size_t first = t->column;
	t->ends[first] = t->text.size;
	t->held_size[first] = 0;
	t->down[first] = down > 1 ? down - 1 : 0;
	if (down > 1)
		hold(t, first);
	t->column++;
	for (unsigned k = 1; k < across && k < TABLE_SPAN && t->column < TABLE_COLUMNS; k++, t->column++) {
		t->starts[t->column] = t->ends[t->column] = t->text.size;
		t->down[t->column] = t->down[first];
		t->held_size[t->column] = 0;
	}
}

void table_cell_end_merged(struct table *t, unsigned across, bool first)
{
	size_t column = t->column;
	if (column < TABLE_COLUMNS) {
		if (first) {
			t->ends[column] = t->text.size;
			hold(t, column);
		} else {
			buf_truncate(&t->text, t->starts[column]);
			add_held(t, column);
		}
	}
	/* What is held stays so until another cell of that column begins a new merge. */
	size_t at = column < TABLE_COLUMNS ? t->held_at[column] : 0, size = column < TABLE_COLUMNS ? t->held_size[column] : 0;
	table_cell_end(t, across, 1);
	if (column < TABLE_COLUMNS) {
		t->held_at[column] = at;
		t->held_size[column] = size;
	}
}

void table_skip(struct table *t, size_t column)
{
	while (t->column < column && t->column < TABLE_COLUMNS) {
		t->starts[t->column] = t->ends[t->column] = t->text.size;
		t->column++;
	}
}

static void write_row(struct table *t)
{
	struct span cells[TABLE_COLUMNS];
	size_t count = t->column;
	for (size_t i = 0; i < count; i++)
		cells[i] = (struct span){t->text.data + t->starts[i], t->ends[i] - t->starts[i]};
	for (; !t->header_written && count < t->width; count++)
		cells[count] = (struct span){"", 0};
	markdown_row(t->md, cells, count);
	if (!t->header_written)
		markdown_row_rule(t->md, count);
	t->header_written = true;
}

void table_row_end(struct table *t)
{
	add_covered(t);
	if (t->text.size > 0 && buf_error(&t->text) == 0)
		write_row(t);
	if (buf_error(&t->text) && !t->md->out->error)
		t->md->out->error = buf_error(&t->text);
	buf_reset(&t->text);
	t->column = 0;
}

void table_end(struct table *t)
{
	markdown_break(t->md, 2);
	if (buf_error(&t->held) && !t->md->out->error)
		t->md->out->error = buf_error(&t->held);
	buf_release(&t->text);
	buf_release(&t->held);
}
