/* What the layout of pages added to their text: see boilerplate.h.
 *
 * Two steps, run twice. `peel_edges` takes running lines off the top and the bottom of the pages, `write_pages` writes what is left
 * and joins broken words. Joining can make lines equal that were not, hence the second run; after it neither step finds anything,
 * which is what makes cleaning idempotent: taking lines off an edge never makes two lines neighbours. */
#include "clean/boilerplate.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/page_marker.h"
#include "clean/hyphens.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum {
	/* Texts of more pages are data, not documents. */
	PAGES_MAX = 65536,
	/* A longer line is not a running one. */
	RUNNING_LINE_MAX = 200,
	/* More equal lines at one edge than this are content (a form, a pattern) and all stay. */
	EDGE_LINES_MAX = 4,
	/* The same line on at least so many pages ... */
	RUNNING_PAGES_MIN = 3,
};

struct page {
	struct span shown; /* what is left of the page, without empty lines at its edges */
	struct span body;  /* the same without running lines that stay where they first occur */
	uint32_t number;   /* 0: text before the first marker */
	unsigned peeled;   /* lines taken off the body at the edge being worked on */
	bool keeps;        /* some of them are still shown */
};

struct pages {
	struct page *pages;
	size_t count;
};

enum edge { EDGE_TOP, EDGE_BOTTOM };

/* The ways to read a line: as it stands, or with its first or last number counted from the page's number. */
enum { READINGS = 3 };

struct edge_key {
	uint64_t key;
	uint32_t page;
	bool kept; /* of a line that stays */
};

static void pages_release(struct pages *p)
{
	free(p->pages);
}

static struct span first_line(struct span s)
{
	const char *end = s.size ? memchr(s.data, '\n', s.size) : NULL;
	return (struct span){s.data, end ? (size_t)(end - s.data) : s.size};
}

static struct span last_line(struct span s)
{
	if (s.size > 0 && s.data[s.size - 1] == '\n')
		s.size--;
	const char *before = s.size ? memrchr(s.data, '\n', s.size) : NULL;
	return before ? (struct span){before + 1, s.size - (size_t)(before + 1 - s.data)} : s;
}

static struct span edge_line(struct span body, enum edge edge)
{
	return edge == EDGE_TOP ? first_line(body) : last_line(body);
}

static struct span trim_empty_lines(struct span s)
{
	while (s.size > 0 && s.data[0] == '\n')
		s.data++, s.size--;
	while (s.size > 0 && s.data[s.size - 1] == '\n')
		s.size--;
	return s;
}

static struct span without_edge(struct span body, enum edge edge)
{
	size_t line = edge_line(body, edge).size;
	if (edge == EDGE_TOP)
		body.data += line;
	body.size -= line;
	return trim_empty_lines(body);
}

/* Fills pages[] if not NULL and returns how many there are, the text before the first marker being one
 * if it is not empty. */
static size_t find_pages(struct span text, struct page *pages)
{
	size_t count = 0, begin = 0, at = 0;
	uint32_t number = 0;
	for (;;) {
		const char *found = at < text.size ? memmem(text.data + at, text.size - at, "<!-- page ", 10) : NULL;
		size_t marker = found ? (size_t)(found - text.data) : text.size;
		struct span line = first_line((struct span){text.data + marker, text.size - marker});
		uint32_t next = 0;
		bool is_marker = found && (marker == 0 || text.data[marker - 1] == '\n') && page_marker_parse(line, &next);
		if (found && !is_marker) {
			at = marker + 1;
			continue;
		}
		struct span body = trim_empty_lines((struct span){text.data + begin, marker - begin});
		if (number != 0 || body.size > 0) {
			if (pages)
				pages[count] = (struct page){.shown = body, .body = body, .number = number};
			count++;
		}
		if (!found)
			return count;
		number = next;
		begin = at = marker + line.size;
	}
}

/* --- running lines ------------------------------------------------------------------------------------------------- */

struct number_run {
	size_t first, end;
	int64_t value;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool find_number(struct span line, bool last, struct number_run *ret)
{
	size_t found = SIZE_MAX;
	for (size_t i = 0; i < line.size; i++)
		if (is_digit(line.data[i]) && (i == 0 || !is_digit(line.data[i - 1])) && (last || found == SIZE_MAX))
			found = i;
	if (found == SIZE_MAX)
		return false;
	struct number_run run = {found, found, 0};
	while (run.end < line.size && is_digit(line.data[run.end]) && run.end - found < 10)
		run.value = run.value * 10 + (line.data[run.end++] - '0');
	*ret = run;
	return true;
}

/* Blanks in a row count as one: the space beside a page number depends on its width. */
static void add_key_text(struct buf *key, struct span s)
{
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] != ' ' || key->size == 0 || key->data[key->size - 1] != ' ')
			buf_add_char(key, s.data[i]);
}

static uint64_t reading_key(struct span line, uint32_t page, uint32_t reading, struct buf *key)
{
	buf_reset(key);
	struct number_run run, first;
	if (reading == 0) {
		add_key_text(key, line);
	} else if (find_number(line, reading == 2, &run)) {
		/* A line with one number has one key for it, or it would count twice. */
		if (reading == 2 && find_number(line, false, &first) && first.first == run.first)
			return 0;
		add_key_text(key, (struct span){line.data, run.first});
		buf_addf(key, "\n%lld\n", (long long)(run.value - (int64_t)page));
		add_key_text(key, (struct span){line.data + run.end, line.size - run.end});
	} else {
		return 0;
	}
	return checksum64(key->data, key->size) | 1;
}

static int compare_keys(const void *a, const void *b)
{
	const struct edge_key *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->page < y->page ? -1 : x->page > y->page;
}

/* The most frequent key of the sorted keys; the smallest of equally frequent ones. */
static size_t most_frequent(const struct edge_key *keys, size_t count, size_t *ret_first)
{
	size_t best = 0;
	for (size_t i = 0, j; i < count; i = j) {
		for (j = i + 1; j < count && keys[j].key == keys[i].key; j++)
			;
		if (j - i > best) {
			best = j - i;
			*ret_first = i;
		}
	}
	return best;
}

static bool has_letter(struct span s)
{
	for (size_t i = 0; i < s.size; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if (c >= 0x80 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
			return true;
	}
	return false;
}

struct peeler {
	struct pages *pages;
	struct edge_key *keys; /* room for KEYS_MAX a page */
	size_t key_count;
	struct buf key;
	unsigned peeled_max; /* lines taken off the page that lost most */
};

/* Every reading of the line at the edge, and of the line that is shown there instead of it. */
enum { KEYS_MAX = 2 * READINGS };

static void add_keys(struct peeler *p, size_t page, struct span line, bool kept)
{
	if (line.size == 0 || line.size > RUNNING_LINE_MAX)
		return;
	for (uint32_t reading = 0; reading < READINGS; reading++) {
		uint64_t key = reading_key(line, p->pages->pages[page].number, reading, &p->key);
		if (key != 0)
			p->keys[p->key_count++] = (struct edge_key){key, (uint32_t)page, kept};
	}
}

static void peel_page(struct peeler *p, struct page *page, enum edge edge, bool keep)
{
	page->body = without_edge(page->body, edge);
	page->keeps = page->keeps || keep;
	if (++page->peeled > p->peeled_max)
		p->peeled_max = page->peeled;
	if (page->keeps)
		return;
	const char *begin = edge == EDGE_TOP ? page->body.data : page->shown.data;
	const char *end = edge == EDGE_TOP ? page->shown.data + page->shown.size : page->body.data + page->body.size;
	page->shown = trim_empty_lines((struct span){begin, (size_t)(end - begin)});
}

/* Takes the running line, if there is one, off the pages first, first + step, ... Left and right pages may have their own. Its
 * first occurrence stays shown if it holds more than a number, so that no words are lost. Such a line goes on counting, or what it
 * is compared with would not be what the next cleaning sees. */
static bool peel_group(struct peeler *p, enum edge edge, size_t first, size_t step)
{
	size_t group = 0;
	p->key_count = 0;
	for (size_t i = first; i < p->pages->count; i += step) {
		const struct page *page = &p->pages->pages[i];
		if (page->number == 0)
			continue;
		group++;
		struct span line = edge_line(page->body, edge), kept = edge_line(page->shown, edge);
		add_keys(p, i, line, false);
		if (page->keeps && !span_equal(line, kept))
			add_keys(p, i, kept, true);
	}
	qsort(p->keys, p->key_count, sizeof(*p->keys), compare_keys);
	size_t begin = 0, found = most_frequent(p->keys, p->key_count, &begin);
	if (found < RUNNING_PAGES_MIN || found * 3 < group * 2)
		return false;
	bool shown = false, changed = false;
	for (size_t i = begin; i < begin + found; i++)
		shown = shown || p->keys[i].kept;
	for (size_t i = begin; i < begin + found; i++) {
		struct page *page = &p->pages->pages[p->keys[i].page];
		if (p->keys[i].kept)
			continue;
		peel_page(p, page, edge, !shown && i == begin && has_letter(edge_line(page->body, edge)));
		changed = true;
	}
	return changed;
}

static bool peel_once(struct peeler *p, enum edge edge)
{
	return peel_group(p, edge, 0, 1) || peel_group(p, edge, 0, 2) || peel_group(p, edge, 1, 2);
}

static int peel_edge(struct peeler *p, enum edge edge)
{
	size_t size = p->pages->count * sizeof(struct page);
	struct page *CLEANUP_FREE before = malloc(size);
	if (!before)
		return -ENOMEM;
	memcpy(before, p->pages->pages, size);
	p->peeled_max = 0;
	while (p->peeled_max <= EDGE_LINES_MAX && peel_once(p, edge))
		;
	if (p->peeled_max > EDGE_LINES_MAX)
		memcpy(p->pages->pages, before, size);
	for (size_t i = 0; i < p->pages->count; i++) {
		p->pages->pages[i].peeled = 0;
		p->pages->pages[i].keeps = false;
	}
	return 0;
}

static void peeler_release(struct peeler *p)
{
	free(p->keys);
	buf_release(&p->key);
}

static int peel_edges(struct pages *pages)
{
	if (pages->count < RUNNING_PAGES_MIN || pages->count > PAGES_MAX)
		return 0;
	struct peeler CLEANUP(peeler_release) p = {.pages = pages};
	p.keys = calloc(pages->count * KEYS_MAX, sizeof(*p.keys));
	if (!p.keys)
		return -ENOMEM;
	buf_init(&p.key, 2 * RUNNING_LINE_MAX);
	int r = peel_edge(&p, EDGE_TOP);
	return r ? r : peel_edge(&p, EDGE_BOTTOM);
}

/* --- both steps ---------------------------------------------------------------------------------------------------- */

static int write_pages(const struct pages *pages, struct buf *out)
{
	struct hyphens *CLEANUP(hyphens_cleanup) h = NULL;
	int r = hyphens_new(&h);
	for (size_t i = 0; r == 0 && i < pages->count; i++)
		r = hyphens_collect(h, pages->pages[i].shown);
	for (size_t i = 0; r == 0 && i < pages->count; i++)
		hyphens_count_words(h, pages->pages[i].shown);
	size_t start = out->size;
	for (size_t i = 0; r == 0 && i < pages->count; i++) {
		if (out->size > start)
			buf_add_char(out, '\n');
		if (pages->pages[i].number != 0)
			buf_addf(out, "<!-- page %u -->\n", pages->pages[i].number);
		if (pages->pages[i].number != 0 && pages->pages[i].shown.size > 0)
			buf_add_char(out, '\n');
		hyphens_write(h, pages->pages[i].shown, out);
	}
	return r;
}

static int remove_once(struct span text, struct buf *out)
{
	struct pages CLEANUP(pages_release) pages = {.count = find_pages(text, NULL)};
	if (pages.count == 0)
		return 0;
	pages.pages = calloc(pages.count, sizeof(*pages.pages));
	if (!pages.pages)
		return -ENOMEM;
	(void)find_pages(text, pages.pages);
	int r = peel_edges(&pages);
	return r ? r : write_pages(&pages, out);
}

int boilerplate_remove(struct span text, struct buf *out)
{
	struct buf CLEANUP(buf_release) once = {0};
	buf_init(&once, out->limit);
	int r = remove_once(text, &once);
	if (r || buf_error(&once))
		return r ? r : buf_error(&once);
	return remove_once(buf_span(&once), out);
}
