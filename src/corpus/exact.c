/* Exact names: a query that is a document's title, path or file name (with or without its extension) finds that document first, however its words
 * score. The store keeps hashes of folded names as hints; what they lead to is compared here. */
#include "corpus_impl.h"

#include "token/fold.h"

#include <errno.h>
#include <string.h>

enum { NAME_BYTES = 3 * (LIMIT_PATH_BYTES + 1), SHORTEST_NAME = 2 };

static struct span without_extension(struct span name)
{
	for (size_t n = name.size; n > 1; n--)
		if (name.data[n - 1] == '.')
			return (struct span){name.data, n - 1};
	return name;
}

/* The names that a path gives a document. */
enum { PATH_NAMES = 3 };

static void path_names(const char *path, struct span ret[PATH_NAMES])
{
	ret[0] = span_of(path);
	ret[1] = path_base_name(path);
	ret[2] = without_extension(ret[1]);
}

static int note_name(struct store_write *w, struct span name, uint32_t doc)
{
	struct buf folded;
	buf_init(&folded, NAME_BYTES);
	int r = fold_text(name, &folded);
	if (r == 0 && folded.size >= SHORTEST_NAME)
		r = store_put_name(w, checksum64(folded.data, folded.size), doc);
	buf_release(&folded);
	return r == -EFBIG ? 0 : r;
}

int exact_note(struct store_write *w, const char *path, const char *title, uint32_t doc)
{
	struct span names[PATH_NAMES];
	path_names(path, names);
	int r = note_name(w, span_of(title), doc);
	for (size_t i = 0; r == 0 && i < PATH_NAMES; i++)
		r = note_name(w, names[i], doc);
	return r;
}

/* --- finding -------------------------------------------------------------------------------------------------------- */

struct exact_search {
	struct store_read *read;
	struct span wanted; /* folded */
	struct access *access;
	uint32_t *docs;
	size_t count, capacity;
};

static bool is_wanted(const struct exact_search *x, struct span name)
{
	struct buf folded;
	buf_init(&folded, NAME_BYTES);
	bool same = fold_text(name, &folded) == 0 && span_equal(buf_span(&folded), x->wanted);
	buf_release(&folded);
	return same;
}

static int compare_path(void *context, struct span path)
{
	struct exact_search *x = context;
	struct stat st;
	char text[LIMIT_PATH_BYTES + 1];
	struct span names[PATH_NAMES];
	if (path.size > LIMIT_PATH_BYTES)
		return 0;
	memcpy(text, path.data, path.size);
	text[path.size] = '\0';
	path_names(text, names);
	for (size_t i = 0; i < PATH_NAMES; i++)
		if (is_wanted(x, names[i]))
			return access_may_read(x->access, text, &st);
	return 0;
}

static int compare_document(void *context, uint32_t id)
{
	struct exact_search *x = context;
	struct store_doc doc;
	if (store_get_doc(x->read, id, &doc) < 0 || !doc.indexed || doc.chunk_count == 0)
		return 0;
	if (is_wanted(x, doc.title) || store_each_doc_path(x->read, id, compare_path, x) == 1)
		x->docs[x->count++] = id;
	return x->count == x->capacity;
}

size_t exact_find(struct store_read *read, struct span query, struct access *access, uint32_t *docs, size_t capacity)
{
	struct buf folded;
	buf_init(&folded, NAME_BYTES);
	struct exact_search x = {.read = read, .access = access, .docs = docs, .capacity = capacity};
	if (fold_text(query, &folded) == 0 && folded.size >= SHORTEST_NAME) {
		x.wanted = buf_span(&folded);
		(void)store_each_name(read, checksum64(folded.data, folded.size), compare_document, &x);
	}
	buf_release(&folded);
	return x.count;
}
