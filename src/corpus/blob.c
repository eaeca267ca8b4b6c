/* Immutable, reference-counted bytes: what an open handle reads from. */
#include "corpus_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

struct corpus_blob {
	atomic_uint refs;
	const char *data;
	size_t size;
	char *owned;		  /* freed with the blob, or NULL */
	struct corpus_blob *whole; /* kept alive by a slice, or NULL */
	bool mapped;		   /* data is a map of a file */
};

struct corpus_blob *blob_new(char *data, size_t size)
{
	struct corpus_blob *b = malloc(sizeof(*b));
	if (!b) {
		free(data);
		return NULL;
	}
	*b = (struct corpus_blob){.data = data, .size = size, .owned = data};
	atomic_init(&b->refs, 1);
	return b;
}

struct corpus_blob *blob_slice(struct corpus_blob *whole, size_t first, size_t size)
{
	struct corpus_blob *b = malloc(sizeof(*b));
	if (!b)
		return NULL;
	*b = (struct corpus_blob){.data = whole->data + first, .size = size, .whole = corpus_blob_ref(whole)};
	atomic_init(&b->refs, 1);
	return b;
}

int blob_from_file(int fd, struct corpus_blob **ret)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	struct corpus_blob *b = malloc(sizeof(*b));
	if (!b)
		return -ENOMEM;
	*b = (struct corpus_blob){.data = "", .size = (size_t)st.st_size, .mapped = st.st_size > 0};
	atomic_init(&b->refs, 1);
	void *map = b->mapped ? mmap(NULL, b->size, PROT_READ, MAP_SHARED, fd, 0) : NULL;
	if (map == MAP_FAILED) {
		int error = -errno;
		free(b);
		return error;
	}
	b->data = map ? map : "";
	*ret = b;
	return 0;
}

int blob_from_buf(struct buf *b, struct corpus_blob **ret)
{
	if (buf_error(b)) {
		int error = buf_error(b);
		buf_release(b);
		return error;
	}
	size_t size;
	char *data = buf_take(b, &size);
	struct corpus_blob *blob = data ? blob_new(data, size) : NULL;
	if (!blob)
		return -ENOMEM;
	*ret = blob;
	return 0;
}

uint64_t corpus_blob_size(const struct corpus_blob *b)
{
	return b->size;
}

const char *corpus_blob_data(const struct corpus_blob *b)
{
	return b->data;
}

struct corpus_blob *corpus_blob_ref(struct corpus_blob *b)
{
	(void)atomic_fetch_add(&b->refs, 1);
	return b;
}

void corpus_blob_unref(struct corpus_blob *b)
{
	if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	corpus_blob_unref(b->whole);
	if (b->mapped)
		(void)munmap((void *)(uintptr_t)b->data, b->size);
	free(b->owned);
	free(b);
}
