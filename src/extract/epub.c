/* EPUB (EPUB 3.3): XHTML pages in a ZIP file, in the order of the package document's spine, each read as HTML is. */
#include "extract/decode.h"
#include "extract/package.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEMS = 20000 };

struct item {
	char *id, *path;
};

struct epub {
	int error;
	char package[PACKAGE_NAME]; /* name of the package document */
	struct item *items;	    /* sorted by id once read */
	size_t item_count;
	char **spine; /* ids */
	size_t spine_count;
};

static bool is(const char *name, const char *what)
{
	return strcmp(name, what) == 0;
}

static void ignore_end(void *context, const char *name)
{
	(void)context, (void)name;
}

static void container_start(void *context, const char *name, const char **attributes)
{
	struct epub *e = context;
	const char *path = xml_attribute(attributes, "full-path");
	if (is(name, "rootfile") && path && !e->package[0])
		(void)snprintf(e->package, sizeof(e->package), "%s", path);
}

/* Makes room for one more pointer pair or pointer in an array that doubles. */
static bool grow(struct epub *e, void **array, size_t count, size_t size)
{
	if (count == ITEMS || e->error)
		return false;
	if ((count & (count - 1)) != 0)
		return true;
	void *grown = realloc(*array, (count ? count * 2 : 1) * size);
	if (!grown) {
		e->error = -ENOMEM;
		return false;
	}
	*array = grown;
	return true;
}

/* References are percent-encoded URLs, relative to the package document. */
static char *path_of(const struct epub *e, const char *reference)
{
	const char *slash = strrchr(e->package, '/');
	size_t folder = slash ? (size_t)(slash - e->package) + 1 : 0, n = strcspn(reference, "#");
	char *path = malloc(folder + n + 1);
	if (!path)
		return NULL;
	memcpy(path, e->package, folder);
	char *to = path + folder;
	for (size_t i = 0; i < n; i++) {
		char hex[3] = {reference[i], i + 2 < n ? reference[i + 1] : 0, i + 2 < n ? reference[i + 2] : 0}, *end;
		if (hex[0] == '%' && i + 2 < n) {
			char digits[3] = {hex[1], hex[2], 0};
			long c = strtol(digits, &end, 16);
			if (*end == '\0' && c > 0) {
				*to++ = (char)c;
				i += 2;
				continue;
			}
		}
		*to++ = reference[i];
	}
	*to = '\0';
	return path;
}

static void package_start(void *context, const char *name, const char **attributes)
{
	struct epub *e = context;
	const char *id = xml_attribute(attributes, "id"), *reference = xml_attribute(attributes, "href"), *idref = xml_attribute(attributes, "idref");
	if (is(name, "item") && id && reference && grow(e, (void **)&e->items, e->item_count, sizeof(*e->items))) {
		struct item item = {strdup(id), path_of(e, reference)};
		if (!item.id || !item.path)
			e->error = -ENOMEM;
		e->items[e->item_count++] = item;
	} else if (is(name, "itemref") && idref && grow(e, (void **)&e->spine, e->spine_count, sizeof(*e->spine))) {
		char *copy = strdup(idref);
		if (!copy)
			e->error = -ENOMEM;
		else
			e->spine[e->spine_count++] = copy;
	}
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->id, ((const struct item *)b)->id);
}

static int read_chapter(struct zip *z, const char *path, struct buf *text)
{
	const struct zip_entry *entry = zip_find(z, span_of(path));
	struct buf page, store;
	buf_init(&page, (size_t)64 << 20);
	buf_init(&store, (size_t)64 << 20);
	struct extract_result about = {0};
	struct span utf8;
	int r = entry ? zip_read_all(z, entry, &page) : -EBADMSG;
	/* The standard allows UTF-8 and UTF-16; other sets need modules that a parser may not load. */
	if (r == 0)
		r = decode_unicode(buf_span(&page), &store, &utf8);
	struct buf chapter;
	buf_init(&chapter, text->limit);
	if (r == 0)
		r = html_extract(utf8, span_of(""), &chapter, &about);
	if (r == 0 && about.state == EXTRACT_OK) {
		if (text->size > 0)
			buf_add_char(text, '\n');
		buf_add_span(text, buf_span(&chapter));
	}
	buf_release(&chapter);
	buf_release(&page);
	buf_release(&store);
	z->damaged = z->damaged || r == -EBADMSG;
	return r == -EBADMSG ? 0 : r;
}

static int read_book(struct zip *z, struct epub *e, struct buf *text, struct extract_result *about)
{
	static const struct xml_events container = {container_start, ignore_end, NULL}, package = {package_start, ignore_end, NULL};
	int r = package_parse(z, "META-INF/container.xml", &container, e);
	if (r == 0)
		r = package_parse(z, e->package, &package, e);
	if (r < 0 || e->error)
		return r < 0 ? r : e->error;
	package_title(z, e->package, about);
	if (e->item_count > 0)
		qsort(e->items, e->item_count, sizeof(*e->items), by_id);
	for (size_t i = 0; r == 0 && i < e->spine_count && !buf_error(text); i++) {
		struct item wanted = {.id = e->spine[i]};
		const struct item *found = e->item_count ? bsearch(&wanted, e->items, e->item_count, sizeof(*e->items), by_id) : NULL;
		if (found)
			r = read_chapter(z, found->path, text);
	}
	return r;
}

static int epub_extract(struct span bytes, struct span name, struct buf *text, struct extract_result *about)
{
	(void)name;
	struct zip z;
	struct epub e = {0};
	int r = zip_open(bytes, &z);
	if (r == -EBADMSG)
		return format_fail(about, "damaged", "the book's ZIP container is damaged");
	if (r < 0)
		return r;
	bool encrypted = zip_find(&z, span_of("META-INF/rights.xml")) != NULL;
	r = read_book(&z, &e, text, about);
	for (size_t i = 0; i < e.item_count; i++) {
		free(e.items[i].id);
		free(e.items[i].path);
	}
	for (size_t i = 0; i < e.spine_count; i++)
		free(e.spine[i]);
	free(e.items);
	free(e.spine);
	bool damaged = z.damaged || e.spine_count == 0;
	zip_release(&z);
	if (r != 0 || text->size > 0 || buf_error(text))
		return r;
	if (encrypted)
		return format_fail(about, "encrypted", "the book is protected by digital rights management");
	if (damaged)
		return format_fail(about, "damaged", "the book's list of chapters, or a chapter, is missing or damaged");
	return format_fail(about, "no-text", "the book has no text");
}

const struct format format_epub = {
	.extractor = {"epub", 2, "application/epub+zip", TEXT_MARKDOWN, true, NULL},
	.extract = epub_extract,
};
