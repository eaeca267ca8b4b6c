/* Reads ZIP files in memory: the container of Office, OpenDocument and EPUB documents. Own code over zlib: libarchive reads entries in one
 * order only, while documents need them by name, and with the libraries it stands on it adds 5 ms to every start of the program.
 *
 * Hostile by assumption. What all entries of a file may expand to is bounded (ZIP_EXPANDED_BYTES), whether they overlap or not. Runs in
 * parser children; not thread-safe. Format: PKWARE APPNOTE 6.3. Not read: encryption, several disks, ZIP64 (documents over 4 GB),
 * methods other than stored and deflate. */
#ifndef CORPUSFS_EXTRACT_ZIP_H
#define CORPUSFS_EXTRACT_ZIP_H

#include "base/buf.h"
#include "base/span.h"

#include <stdint.h>

#define ZIP_EXPANDED_BYTES ((size_t)512 << 20)
enum { ZIP_ENTRIES = 20000 };

struct zip_entry {
	struct span name; /* points into the file */
	uint32_t method, packed_size, size, header; /* header: offset of the local header */
};

struct zip {
	struct span bytes;
	struct zip_entry *entries;
	size_t count;
	size_t expanded; /* so far */
	bool damaged;	 /* set by those who read its entries when one was not what it should be */
};

/* Lists the entries: by the central directory, or, when that is damaged, by walking the local headers. Returns 0, -ENOMEM or -EBADMSG. */
int zip_open(struct span bytes, struct zip *ret);
void zip_release(struct zip *z);
/* NULL when there is none. Case does not matter, as it does not to Office; a leading slash is ignored. */
const struct zip_entry *zip_find(const struct zip *z, struct span name);

/* Is given the content piece by piece; a non-zero return ends the reading and is passed on. */
typedef int zip_piece_fn(void *context, struct span piece, bool last);
/* Returns 0, -ENOMEM, -EBADMSG (damaged), -EFBIG (bound passed), or what `each` returned. */
int zip_read(struct zip *z, const struct zip_entry *e, zip_piece_fn *each, void *context);
/* The whole content, appended to `out`. */
int zip_read_all(struct zip *z, const struct zip_entry *e, struct buf *out);

#endif
