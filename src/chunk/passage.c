/* Passages, the text that a chunk is indexed by: see chunk.h. */
#include "chunk/chunk.h"

#include <errno.h>
#include <stdlib.h>

int chunk_passage(struct span clean, const struct chunk_list *list, size_t i, struct buf *out)
{
	const struct chunk *c = &list->chunks[i];
	size_t begin = out->size;
	(void)chunk_heading_path(list, c->heading, out);
	if (out->size > begin)
		buf_add_char(out, '\n');
	buf_add(out, clean.data + c->first, c->end - c->first);
	return buf_error(out);
}

/* Offsets first, because the buffer moves while it grows. */
static int fill(struct span clean, const struct chunk_list *list, struct chunk_passages *p)
{
	struct buf all;
	buf_init(&all, clean.size + list->count * CHUNK_PASSAGE_EXTRA + 1);
	for (size_t i = 0; i < list->count; i++) {
		const struct chunk *c = &list->chunks[i];
		size_t begin = all.size;
		if (c->heading && chunk_passage(clean, list, i, &all))
			break;
		p->texts[i] = (struct span){NULL, all.size - begin};
	}
	if (buf_error(&all)) {
		int r = buf_error(&all);
		buf_release(&all);
		return r;
	}
	p->memory = buf_take(&all, NULL);
	const char *next = p->memory;
	for (size_t i = 0; i < list->count; i++) {
		const struct chunk *c = &list->chunks[i];
		p->texts[i].data = c->heading ? next : clean.data + c->first;
		next += p->texts[i].size;
		if (!c->heading)
			p->texts[i].size = c->end - c->first;
	}
	return p->memory ? 0 : -ENOMEM;
}

int chunk_passages_init(struct chunk_passages *p, struct span clean, const struct chunk_list *list)
{
	struct chunk_passages made = {.texts = malloc((list->count + 1) * sizeof(*made.texts)), .count = list->count};
	int r = made.texts ? fill(clean, list, &made) : -ENOMEM;
	if (r < 0) {
		chunk_passages_release(&made);
		return r;
	}
	*p = made;
	return 0;
}

void chunk_passages_release(struct chunk_passages *p)
{
	free(p->texts);
	free(p->memory);
	*p = (struct chunk_passages){0};
}
