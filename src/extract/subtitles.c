/* Subtitles (SubRip and WebVTT): what is said, without the numbers, the times and the styling. A cue is a paragraph, so that its lines stay
 * together. Runs in the calling thread: lines in, lines out. */
#include "extract/decode.h"
#include "extract/format.h"

static struct span next_line(struct span *rest)
{
	const char *newline = memchr(rest->data, '\n', rest->size);
	size_t size = newline ? (size_t)(newline - rest->data) : rest->size;
	struct span line = {rest->data, size};
	size += newline != NULL;
	rest->data += size, rest->size -= size;
	while (line.size > 0 && (unsigned char)line.data[line.size - 1] <= ' ')
		line.size--;
	return line;
}

static bool is_number(struct span s)
{
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
	return s.size > 0;
}

static bool is_time(struct span s)
{
	return memmem(s.data, s.size, "-->", 3) != NULL;
}

/* Without tags such as <i> and <v Speaker>, and {\an8}, which SubRip took from elsewhere. */
static void add_line(struct span line, struct buf *text)
{
	for (size_t i = 0; i < line.size; i++) {
		char open = line.data[i], shut = open == '<' ? '>' : '}';
		bool tag = open == '<' || (open == '{' && i + 1 < line.size && line.data[i + 1] == '\\');
		const char *end = tag ? memchr(line.data + i, shut, line.size - i) : NULL;
		if (end)
			i = (size_t)(end - line.data);
		else
			buf_add_char(text, open);
	}
	buf_add_char(text, '\n');
}

static void add_cues(struct span rest, struct buf *text)
{
	bool in_cue = false;
	while (rest.size > 0) {
		struct span line = next_line(&rest), after = rest;
		if (is_time(line)) {
			if (text->size > 0)
				buf_add_char(text, '\n');
			in_cue = true;
		} else if (line.size == 0) {
			in_cue = false;
		} else if (in_cue && !(is_number(line) && is_time(next_line(&after)))) {
			add_line(line, text);
		}
	}
}

static int subtitles_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct buf store;
	struct span decoded;
	buf_init(&store, LIMIT_CLEAN_BYTES);
	int r = decode_text(bytes, "", &store, about->encoding, &decoded);
	if (r == 0)
		add_cues(decoded, text);
	/* Something else under this name: the text as it is. */
	if (r == 0 && text->size == 0)
		buf_add_span(text, decoded);
	buf_release(&store);
	return r < 0 ? r : buf_error(text);
}

const struct format format_subtitles = {
	.extractor = {"subtitles", 1, "text/vtt", TEXT_PLAIN, false, NULL},
	.extract = subtitles_extract,
};
