/* What a caller who may not read everything is told of the size of things: the counts of what that caller may read, made by looking at every
 * file of the store. Whoever may read everything gets the store's own counts, which cost nothing. */
#include "corpus_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct counting {
	struct access *access;
	struct store_counts counts;
	uint32_t *docs; /* that visible paths lead to, some of them several times */
	size_t doc_count, doc_capacity;
};

static int note_doc(struct counting *k, uint32_t doc)
{
	if (k->doc_count == k->doc_capacity) {
		size_t capacity = k->doc_capacity ? k->doc_capacity * 2 : 1024;
		uint32_t *docs = reallocarray(k->docs, capacity, sizeof(*docs));
		if (!docs)
			return -ENOMEM;
		k->docs = docs;
		k->doc_capacity = capacity;
	}
	k->docs[k->doc_count++] = doc;
	return 0;
}

static int count_file(void *context, struct span path, const struct store_file *file)
{
	struct counting *k = context;
	char name[LIMIT_PATH_BYTES + 1];
	struct stat st;
	if (path.size == 0 || path.size > LIMIT_PATH_BYTES)
		return 0;
	memcpy(name, path.data, path.size);
	name[path.size] = '\0';
	bool folder = name[path.size - 1] == '/'; /* an excluded one */
	if (!(folder ? access_may_see(k->access, name) : access_may_read(k->access, name, &st)))
		return 0;
	k->counts.files++;
	k->counts.ok += file->state == STORE_OK;
	k->counts.skipped += file->state == STORE_SKIPPED;
	k->counts.failed += file->state == STORE_FAILED;
	return file->state == STORE_OK && file->doc ? note_doc(k, file->doc) : 0;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

int counts_visible(struct store_read *read, struct access *access, struct store_counts *ret, uint64_t *ret_chunks)
{
	struct counting k = {.access = access};
	uint64_t chunks = 0;
	int r = store_each_file(read, span_of(""), count_file, &k);
	if (k.doc_count)
		qsort(k.docs, k.doc_count, sizeof(*k.docs), compare_ids);
	for (size_t i = 0; r == 0 && i < k.doc_count; i++) {
		struct store_doc doc;
		if ((i && k.docs[i] == k.docs[i - 1]) || store_get_doc(read, k.docs[i], &doc) < 0)
			continue;
		k.counts.documents++;
		k.counts.text_bytes += doc.text_size;
		k.counts.indexed_documents += doc.indexed;
		chunks += doc.indexed ? doc.chunk_count : 0;
	}
	free(k.docs);
	if (r < 0)
		return r;
	*ret = k.counts;
	*ret_chunks = chunks;
	return 0;
}
