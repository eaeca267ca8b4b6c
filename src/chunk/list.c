/* What can be asked of a list of chunks: see chunk.h. */
#include "chunk/chunk.h"

#include "base/page_marker.h"
#include "chunk/cut.h"

#include <stdlib.h>

const struct chunk_recipe chunk_default_recipe = {.version = CHUNK_VERSION, .target_words = 120, .max_words = 220, .min_words = 40};

void chunk_list_free(struct chunk_list *list)
{
	if (!list)
		return;
	free(list->chunks);
	free(list->headings);
	free(list->heading_text);
	free(list);
}

struct span chunk_heading_text(const struct chunk_list *list, uint32_t heading)
{
	if (heading == 0 || heading > list->heading_count)
		return (struct span){"", 0};
	const struct chunk_heading *h = &list->headings[heading - 1];
	return (struct span){list->heading_text + h->text_offset, h->text_size};
}

int chunk_heading_path(const struct chunk_list *list, uint32_t heading, struct buf *out)
{
	struct span path[CHUNK_PATH_BYTES / 4 + 1]; /* one letter and " > " take four */
	size_t depth = 0, size = 0;
	for (uint32_t at = heading; at != 0 && at <= list->heading_count; at = list->headings[at - 1].parent) {
		struct span text = chunk_heading_text(list, at);
		if (!text.size)
			continue;
		size += text.size + (depth ? 3 : 0);
		if (size > CHUNK_PATH_BYTES)
			break;
		path[depth++] = text;
	}
	for (size_t i = depth; i-- > 0;) {
		buf_add_span(out, path[i]);
		if (i > 0)
			buf_add_string(out, " > ");
	}
	return buf_error(out);
}

static bool is_title_line(struct span line)
{
	uint32_t page;
	if (page_marker_parse(line, &page))
		return false;
	for (size_t i = 0; i < line.size; i++) {
		unsigned char c = (unsigned char)line.data[i];
		if (c >= 0x80 || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
			return true;
	}
	return false;
}

struct span chunk_title(struct span clean, const struct chunk_list *list)
{
	for (uint32_t i = 1; i <= list->heading_count; i++)
		if (list->headings[i - 1].text_size > 0)
			return chunk_heading_text(list, i);
	for (size_t at = 0; at < clean.size;) {
		const char *end = memchr(clean.data + at, '\n', clean.size - at);
		struct span line = {clean.data + at, end ? (size_t)(end - clean.data) - at : clean.size - at};
		at += line.size + 1;
		while (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t'))
			line.data++, line.size--;
		if (!is_title_line(line))
			continue;
		line.size = cut_at_grapheme(line, LIMIT_TITLE_BYTES);
		return line;
	}
	return (struct span){"", 0};
}
