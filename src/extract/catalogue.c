/* The catalogue of an archive: which names its members get, and the records. See archive.h. */
#include "extract/archive.h"

#include "base/hash.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_BYTES = 255,
	SHORT_BYTES = 200,    /* kept of a longer one */
	EXTENSION_BYTES = 16, /* and of its end */
	NUMBER_BYTES = 12,
};

/* Before each path. */
struct record {
	uint64_t size;
	uint32_t ordinal;
	uint16_t path_size;
	uint8_t state, zero;
};
_Static_assert(sizeof(struct record) == 16, "padding");

/* --- names ----------------------------------------------------------------------------------------------------------- */

/* Where the extension begins, or the end when there is none. ".profile" has none. */
static size_t extension_of(struct span name)
{
	for (size_t n = name.size; n > 1; n--)
		if (name.data[n - 1] == '.')
			return n - 1;
	return name.size;
}

static void add_component(struct buf *out, struct span name)
{
	if (out->size)
		buf_add_char(out, '/');
	if (name.size <= NAME_BYTES) {
		buf_add_span(out, name);
		return;
	}
	size_t extension = extension_of(name), kept = SHORT_BYTES;
	if (name.size - extension > EXTENSION_BYTES)
		extension = name.size;
	while (kept > SHORT_BYTES - 4 && ((unsigned char)name.data[kept] & 0xc0) == 0x80)
		kept--;
	buf_add(out, name.data, kept);
	buf_addf(out, "~%08x", (unsigned)checksum64(name.data, name.size));
	buf_add(out, name.data + extension, name.size - extension);
}

bool catalogue_clean_name(struct span raw, struct buf *out)
{
	unsigned depth = 0;
	buf_reset(out);
	for (size_t at = 0; at < raw.size;) {
		const char *slash = memchr(raw.data + at, '/', raw.size - at);
		struct span name = {raw.data + at, (slash ? (size_t)(slash - raw.data) : raw.size) - at};
		at += name.size + 1;
		if (name.size == 0 || span_equal(name, span_of(".")) || span_equal(name, span_of("..")))
			continue;
		add_component(out, name);
		if (++depth > LIMIT_MEMBER_DEPTH)
			return false;
	}
	return buf_error(out) == 0 && out->size > 0 && out->size <= LIMIT_MEMBER_NAME_BYTES && !memchr(out->data, 0, out->size);
}

/* --- collisions ------------------------------------------------------------------------------------------------------ */

static int compare_entries(const void *a, const void *b)
{
	const struct catalogue_entry *x = a, *y = b;
	int order = strcmp(x->path, y->path);
	return order ? order : (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static void sort(struct catalogue_entry *entries, size_t count)
{
	if (count)
		qsort(entries, count, sizeof(*entries), compare_entries);
}

/* "a/report.pdf" becomes "a/report~2.pdf". */
static int number_name(struct catalogue_entry *e, unsigned number)
{
	const char *slash = strrchr(e->path, '/');
	size_t folder = slash ? (size_t)(slash - e->path) + 1 : 0, size = strlen(e->path);
	size_t extension = folder + extension_of((struct span){e->path + folder, size - folder});
	char *numbered = malloc(size + NUMBER_BYTES + 1);
	if (!numbered)
		return -ENOMEM;
	(void)snprintf(numbered, size + NUMBER_BYTES + 1, "%.*s~%u%s", (int)extension, e->path, number, e->path + extension);
	free(e->path);
	e->path = numbered;
	return 0;
}

static void drop(struct catalogue_entry *e)
{
	free(e->path);
	e->path = NULL;
}

/* Moves what was not dropped together; how many are left. */
static size_t close_gaps(struct catalogue_entry *entries, size_t count)
{
	size_t left = 0;
	for (size_t i = 0; i < count; i++)
		if (entries[i].path)
			entries[left++] = entries[i];
	for (size_t i = left; i < count; i++)
		entries[i].path = NULL;
	return left;
}

/* Entries of one path, in the order of the archive: of those that have the same name there too the last counts, as it does when the archive is
 * unpacked; the others are numbered. */
static int settle_run(struct catalogue_entry *run, size_t count)
{
	unsigned number = 0;
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		bool again = false;
		for (size_t k = i + 1; k < count && !again; k++)
			again = run[k].raw == run[i].raw;
		if (again)
			drop(&run[i]);
		else if (++number > 1)
			r = number_name(&run[i], number);
	}
	return r;
}

static size_t run_length(const struct catalogue_entry *entries, size_t count)
{
	size_t n = 1;
	while (n < count && strcmp(entries[n].path, entries[0].path) == 0)
		n++;
	return n;
}

static struct catalogue_entry *find_file(struct catalogue_entry *entries, size_t count, const char *path, size_t size)
{
	for (size_t low = 0, high = count; low < high;) {
		size_t middle = (low + high) / 2;
		int order = strncmp(entries[middle].path, path, size);
		if (order == 0 && entries[middle].path[size])
			order = 1;
		if (order == 0)
			return &entries[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Marks files that are folders of others, by an ordinal of their own kind. Sorted, without two of one path. */
static void mark_folders(struct catalogue_entry *entries, size_t count, bool *marks)
{
	for (size_t i = 0; i < count; i++)
		for (const char *slash = strchr(entries[i].path, '/'); slash; slash = strchr(slash + 1, '/')) {
			const struct catalogue_entry *file = find_file(entries, count, entries[i].path, (size_t)(slash - entries[i].path));
			if (file)
				marks[file - entries] = true;
		}
}

/* Two names that are one, and a file that is a folder as well, get other names; what then still collides is left out. */
static int settle(struct catalogue_entry *entries, size_t *count, bool *marks)
{
	int r = 0;
	sort(entries, *count);
	for (size_t i = 0, n; i < *count && r == 0; i += n) {
		n = run_length(entries + i, *count - i);
		r = settle_run(entries + i, n);
	}
	*count = close_gaps(entries, *count);
	sort(entries, *count);
	for (size_t i = 0, n; i < *count; i += n) {
		n = run_length(entries + i, *count - i);
		for (size_t k = 1; k < n; k++)
			drop(&entries[i + k]);
	}
	*count = close_gaps(entries, *count);
	memset(marks, 0, *count * sizeof(*marks));
	mark_folders(entries, *count, marks);
	for (size_t i = 0; i < *count && r == 0; i++)
		if (marks[i])
			r = number_name(&entries[i], 2);
	sort(entries, *count);
	memset(marks, 0, *count * sizeof(*marks));
	mark_folders(entries, *count, marks);
	for (size_t i = 0; i < *count; i++)
		if (marks[i] || (i + 1 < *count && strcmp(entries[i].path, entries[i + 1].path) == 0))
			drop(&entries[i]);
	*count = close_gaps(entries, *count);
	return r;
}

int catalogue_write(struct catalogue_entry *entries, size_t count, struct buf *out, size_t *ret_left_out)
{
	size_t left = count;
	bool *marks = calloc(count + 1, sizeof(*marks));
	int r = marks ? settle(entries, &left, marks) : -ENOMEM;
	free(marks);
	for (size_t i = 0; i < left; i++) {
		struct record head = {.size = entries[i].size,
				      .ordinal = entries[i].ordinal,
				      .path_size = (uint16_t)strlen(entries[i].path),
				      .state = entries[i].state};
		buf_add(out, &head, sizeof(head));
		buf_add(out, entries[i].path, head.path_size);
		drop(&entries[i]);
	}
	*ret_left_out = count - left;
	return r < 0 ? r : buf_error(out);
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static bool path_is_safe(struct span path)
{
	if (path.size == 0 || path.size > LIMIT_MEMBER_NAME_BYTES + NUMBER_BYTES || memchr(path.data, 0, path.size))
		return false;
	for (size_t at = 0; at <= path.size;) {
		const char *slash = memchr(path.data + at, '/', path.size - at);
		struct span name = {path.data + at, (slash ? (size_t)(slash - path.data) : path.size) - at};
		if (name.size == 0 || name.size > NAME_BYTES + NUMBER_BYTES || span_equal(name, span_of(".")) || span_equal(name, span_of("..")))
			return false;
		at += name.size + 1;
	}
	return true;
}

static bool is_after(struct span path, struct span previous)
{
	size_t common = path.size < previous.size ? path.size : previous.size;
	int order = memcmp(path.data, previous.data, common);
	return order > 0 || (order == 0 && path.size > previous.size);
}

int catalogue_next(struct span catalogue, size_t *at, struct span previous, struct member *ret)
{
	struct record head;
	size_t left = catalogue.size - *at;
	if (left == 0)
		return 0;
	if (left < sizeof(head))
		return -EIO;
	memcpy(&head, catalogue.data + *at, sizeof(head));
	struct span path = {catalogue.data + *at + sizeof(head), head.path_size};
	if (path.size > left - sizeof(head) || head.state >= MEMBER_DAMAGED || head.zero || head.size > INT64_MAX || !path_is_safe(path) ||
	    !is_after(path, previous))
		return -EIO;
	*at += sizeof(head) + path.size;
	*ret = (struct member){.path = path, .size = head.size, .ordinal = head.ordinal, .state = head.state};
	return 1;
}
