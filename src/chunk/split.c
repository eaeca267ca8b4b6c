/* Packing lines into chunks: see chunk.h and docs/chunking.md.
 *
 * Lines go by once. The chunk being filled remembers the latest place of each strength at which it could end; when it is full it
 * ends at the strongest of them that leaves it long enough, and where a section, block or item begins it ends once it is long
 * enough for that. Nothing but the chunk being filled is held, and a place is measured by running totals, so the work is linear. */
#include "chunk/chunk.h"

#include "base/cleanup.h"
#include "chunk/cut.h"
#include "chunk/headings.h"
#include "chunk/measure.h"
#include "chunk/outline.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/* Longer lines are taken in pieces, so that no step looks at more than a chunk's length. */
	PIECE_MAX = 512,
	/* A page with fewer words (a number, a word on a divider) is joined to the page that follows. */
	PAGE_WORDS_MIN = 8,
};

/* A place between two bytes of the text. */
struct place {
	struct cursor cursor;
	uint32_t line; /* 1-based line of the byte that follows */
	uint32_t page;
	unsigned level; /* of the heading in force behind it, 0 for none */
	bool line_start;
};

struct splitter {
	struct span text;
	const struct chunk_recipe *recipe;
	struct outline outline;
	struct headings headings;
	struct chunk_list *list;
	size_t capacity;
	struct place begin; /* of the chunk being filled */
	enum boundary begin_boundary;
	struct place here;                   /* behind what has been taken */
	struct place latest[BOUNDARY_COUNT]; /* offset 0 for none */
	struct cut_window window;            /* where the chunk being filled was still short enough */
	struct grapheme_walk walk;
	struct place before_begin; /* where the chunk before began */
	bool in_run;               /* only headings, markers and blank lines since run_first */
	bool opening;              /* no line with text but headings in the chunk so far */
	uint32_t run_first;
};

static uint32_t words_since(const struct place *from, const struct place *to)
{
	return measure_words(from->cursor.total, to->cursor.total);
}

/* --- ending a chunk ------------------------------------------------------------------------------------------------ */

/* A piece that is too short goes to the chunk before it if that stays short enough, on the same page, under the same heading. */
static bool joins_previous(const struct splitter *s, const struct place *end)
{
	if (s->list->count == 0 || s->begin.page != s->before_begin.page || s->begin_boundary == BOUNDARY_PAGE)
		return false;
	if (words_since(&s->begin, end) >= s->recipe->min_words || words_since(&s->before_begin, end) > s->recipe->max_words)
		return false;
	if ((size_t)end->cursor.at - s->before_begin.cursor.at > (size_t)s->recipe->max_words * CUT_BYTES_PER_WORD)
		return false;
	return s->begin_boundary != BOUNDARY_SECTION || s->begin.level >= s->before_begin.level;
}

static int add_chunk(struct splitter *s, const struct place *end)
{
	struct chunk_list *list = s->list;
	uint32_t line_last = end->line_start ? end->line - 1 : end->line;
	if (joins_previous(s, end)) {
		list->chunks[list->count - 1].end = end->cursor.at;
		list->chunks[list->count - 1].line_last = line_last;
		return 0;
	}
	if (list->count >= LIMIT_CHUNKS)
		return -EFBIG;
	if (list->count == s->capacity) {
		size_t capacity = s->capacity ? s->capacity * 2 : 16;
		struct chunk *chunks = reallocarray(list->chunks, capacity, sizeof(*chunks));
		if (!chunks)
			return -ENOMEM;
		list->chunks = chunks;
		s->capacity = capacity;
	}
	list->chunks[list->count++] = (struct chunk){.first = s->begin.cursor.at,
	                                             .end = end->cursor.at,
	                                             .line_first = s->begin.line,
	                                             .line_last = line_last,
	                                             .page = s->begin.page};
	s->before_begin = s->begin;
	return 0;
}

static int end_chunk(struct splitter *s, struct place end, enum boundary boundary)
{
	int r = add_chunk(s, &end);
	if (r)
		return r;
	s->begin = end;
	s->begin_boundary = boundary;
	s->walk = (struct grapheme_walk){0};
	s->window = (struct cut_window){end.cursor, end.cursor, end.cursor};
	s->opening = end.cursor.at == s->here.cursor.at;
	for (int i = 0; i < BOUNDARY_COUNT; i++)
		if (s->latest[i].cursor.at <= end.cursor.at)
			s->latest[i].cursor.at = 0;
	return 0;
}

/* --- a full chunk -------------------------------------------------------------------------------------------------- */

static bool is_full(const struct splitter *s)
{
	return words_since(&s->begin, &s->here) > s->recipe->max_words ||
	       s->here.cursor.at - s->begin.cursor.at > (size_t)s->recipe->max_words * CUT_BYTES_PER_WORD;
}

/* The strongest place that leaves the chunk long enough; a section may begin earlier than other things. */
static enum boundary strongest_place(const struct splitter *s)
{
	for (int i = BOUNDARY_PAGE; i >= BOUNDARY_LINE; i--) {
		if (s->latest[i].cursor.at == 0)
			continue;
		uint32_t words = words_since(&s->begin, &s->latest[i]), needed = s->recipe->min_words;
		if (i >= BOUNDARY_SECTION)
			needed /= 2;
		if (words >= needed)
			return (enum boundary)i;
	}
	return BOUNDARY_GLUE;
}

/* The place at a cut between begin and here. */
static struct place place_at(const struct splitter *s, struct cursor cut)
{
	struct place p = s->begin;
	const char *end = s->text.data + cut.at;
	for (const char *c = s->text.data + s->begin.cursor.at; (c = memchr(c, '\n', (size_t)(end - c))) != NULL; c++)
		p.line++;
	const struct place *page = &s->latest[BOUNDARY_PAGE];
	if (page->cursor.at != 0 && page->cursor.at <= cut.at)
		p.page = page->page;
	p.level = s->here.level;
	p.cursor = cut;
	p.line_start = end[-1] == '\n';
	return p;
}

static int end_full_chunks(struct splitter *s)
{
	while (is_full(s)) {
		enum boundary strongest = strongest_place(s);
		struct place end = s->latest[strongest];
		if (strongest == BOUNDARY_GLUE) {
			struct cursor cut;
			if (!cut_choose(s->text, &s->begin.cursor, s->here.cursor.at, &s->window, s->recipe, &s->walk, &cut))
				return 0;
			end = place_at(s, cut);
		}
		int r = end_chunk(s, end, strongest);
		if (r)
			return r;
	}
	return 0;
}

/* Keeps the places up to which the chunk is short enough, so that cutting it need not measure it again. */
static void note_window(struct splitter *s)
{
	uint32_t words = words_since(&s->begin, &s->here);
	if (s->here.cursor.at - s->begin.cursor.at > (size_t)s->recipe->max_words * CUT_BYTES_PER_WORD)
		return;
	if (words <= s->recipe->min_words)
		s->window.min = s->here.cursor;
	if (words <= s->recipe->target_words)
		s->window.target = s->here.cursor;
	if (words <= s->recipe->max_words)
		s->window.max = s->here.cursor;
}

/* --- taking lines -------------------------------------------------------------------------------------------------- */

/* True when what has been taken is enough for a chunk to end before a line with this boundary. */
static bool ends_before(const struct splitter *s, enum boundary boundary, unsigned level)
{
	uint32_t words = words_since(&s->begin, &s->here);
	switch (boundary) {
	case BOUNDARY_PAGE:
		return words >= PAGE_WORDS_MIN;
	case BOUNDARY_SECTION:
		/* A short section is joined with the next one, but not with one that leaves its parent. */
		return words >= s->recipe->min_words || (!s->opening && level < s->begin.level);
	case BOUNDARY_BLOCK:
		return words >= s->recipe->target_words;
	case BOUNDARY_ITEM:
		return words >= (s->recipe->target_words + s->recipe->max_words) / 2;
	default:
		return false;
	}
}

static void note_heading_run(struct splitter *s, const struct mark *mark)
{
	if (!mark->filler && mark->level == 0) {
		s->in_run = false;
	} else if (!s->in_run) {
		s->in_run = true;
		s->run_first = s->here.cursor.at;
	}
}

/* True if the chunk had better end where its last block begins, now that the size of that block is known: when that is nearer to
 * the target than here, or when both parts are long enough to stand alone. Neighbours that are long are seldom about the same
 * thing. */
static bool ends_before_last_block(const struct splitter *s)
{
	const struct place *last = &s->latest[BOUNDARY_BLOCK];
	if (last->cursor.at == 0)
		return false;
	uint32_t words = words_since(&s->begin, last), all = words_since(&s->begin, &s->here), target = s->recipe->target_words;
	if (words < s->recipe->min_words || words >= target)
		return false;
	return (all > target && all - target > target - words) || (words >= target / 2 && all - words >= target / 2);
}

/* Ends the chunk in front of a line if it is long enough for that. */
static int end_before_line(struct splitter *s, const struct mark *mark)
{
	if (mark->before == BOUNDARY_GLUE || s->here.cursor.at == s->begin.cursor.at)
		return 0;
	if (mark->before == BOUNDARY_BLOCK && ends_before_last_block(s)) {
		int r = end_chunk(s, s->latest[BOUNDARY_BLOCK], BOUNDARY_BLOCK);
		if (r)
			return r;
	}
	return ends_before(s, mark->before, mark->level) ? end_chunk(s, s->here, mark->before) : 0;
}

static int begin_line(struct splitter *s, const struct mark *mark)
{
	int r = end_before_line(s, mark);
	if (r)
		return r;
	if (mark->page)
		s->here.page = mark->page;
	note_heading_run(s, mark);
	if (mark->level) {
		s->here.level = mark->level;
		r = headings_add(&s->headings, mark->level, mark->heading, (struct heading_place){s->here.cursor.at, s->run_first});
	} else if (!mark->filler) {
		s->opening = false;
	}
	if (s->here.cursor.at == s->begin.cursor.at || s->opening) {
		s->begin.level = s->here.level;
		s->begin.page = s->here.page;
	}
	if (s->here.cursor.at > s->begin.cursor.at)
		s->latest[mark->before] = s->here;
	return r;
}

/* Takes the bytes up to `end`, which is at most the end of the line, piece by piece. */
static int take_bytes(struct splitter *s, size_t end)
{
	while (s->here.cursor.at < end) {
		size_t next = end - s->here.cursor.at < PIECE_MAX ? end : s->here.cursor.at + PIECE_MAX;
		for (int i = 0; i < 3 && next < end && ((unsigned char)s->text.data[next] & 0xc0) == 0x80; i++)
			next--;
		measure_to(&s->here.cursor, s->text, next);
		s->here.line_start = s->text.data[next - 1] == '\n';
		s->here.line += s->here.line_start;
		note_window(s);
		int r = end_full_chunks(s);
		if (r)
			return r;
	}
	return 0;
}

static int take_lines(struct splitter *s)
{
	while (s->here.cursor.at < s->text.size) {
		const char *line = s->text.data + s->here.cursor.at;
		size_t left = s->text.size - s->here.cursor.at;
		const char *end = memchr(line, '\n', left);
		size_t size = end ? (size_t)(end - line) : left, after = s->here.cursor.at + size + (end ? 1 : 0);
		struct mark mark = outline_line(&s->outline, (struct span){line, size}, after);
		int r = begin_line(s, &mark);
		if (r == 0)
			r = take_bytes(s, after);
		if (r)
			return r;
	}
	return s->here.cursor.at > s->begin.cursor.at ? add_chunk(s, &s->here) : 0;
}

/* The innermost heading of each chunk: the last one above it, or in the run of headings that it begins with. */
static void assign_headings(struct splitter *s)
{
	size_t next = 0;
	for (size_t i = 0; i < s->list->count; i++) {
		struct chunk *c = &s->list->chunks[i];
		while (next < s->headings.count && s->headings.places[next].run_first <= c->first &&
		       s->headings.places[next].offset < c->end)
			next++;
		c->heading = (uint32_t)next;
	}
}

static void take_headings(struct splitter *s)
{
	s->list->headings = STEAL(s->headings.headings);
	s->list->heading_count = s->headings.count;
	s->list->heading_text = buf_take(&s->headings.text, &s->list->heading_text_size);
}

static void list_cleanup(struct chunk_list **list)
{
	chunk_list_free(*list);
}

static void splitter_release(struct splitter *s)
{
	headings_release(&s->headings);
}

int chunk_split(struct span clean, enum chunk_syntax syntax, const struct chunk_recipe *recipe, struct chunk_list **ret)
{
	if (clean.size > LIMIT_CLEAN_BYTES)
		return -EFBIG;
	struct chunk_list *CLEANUP(list_cleanup) list = calloc(1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	struct splitter CLEANUP(splitter_release) s = {.text = clean, .recipe = recipe, .list = list, .opening = true};
	s.here.line = s.begin.line = 1;
	s.here.line_start = true;
	headings_init(&s.headings);
	outline_init(&s.outline, syntax, clean);
	int r = take_lines(&s);
	if (r)
		return r;
	assign_headings(&s);
	take_headings(&s);
	if (!list->heading_text)
		return -ENOMEM;
	*ret = STEAL(list);
	return 0;
}
