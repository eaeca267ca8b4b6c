/* Archives (ZIP, TAR and its compressed forms, 7z) as folders of documents. An archive's text is a *catalogue*: one record for each member that
 * can be read, under a path that is safe to show. The bytes of members are read in batches, because most archives can only be read from the
 * front: one child unpacks a run of members, and who reads them in order pays for unpacking the archive a few times, not once a member.
 *
 * libarchive (BSD) does the reading, in children of the helper only; nothing that it says is believed before it is checked here. */
#ifndef CORPUSFS_EXTRACT_ARCHIVE_H
#define CORPUSFS_EXTRACT_ARCHIVE_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/span.h"
#include "extract/extract.h"

#include <stdbool.h>
#include <stdint.h>

enum member_state {
	MEMBER_OK,
	MEMBER_ENCRYPTED,
	MEMBER_TOO_LARGE,
	MEMBER_DAMAGED, /* only in batches */
	MEMBER_STATES
};

struct member {
	struct span path; /* no empty, "." or ".." component, no NUL; each component at most 255 bytes */
	uint64_t size;	  /* as the archive says */
	uint32_t ordinal; /* among all entries of the archive */
	uint8_t state;	  /* enum member_state */
};

/* --- catalogues (catalogue.c): pure --------------------------------------------------------------------------------- */

/* Members on their way into a catalogue. */
struct catalogue_entry {
	char *path; /* owned */
	uint64_t raw; /* checksum of the name as it stands in the archive */
	uint64_t size;
	uint32_t ordinal;
	uint8_t state;
};

/* What is shown for a name in an archive: components that are empty, "." or ".." dropped, those over 255 bytes shortened. False when nothing is
 * left of it, or when it is too long or too deep. */
bool catalogue_clean_name(struct span raw, struct buf *out);
/* Settles which of colliding names is shown how (docs/formats.md) and writes the records in byte order of their paths. Reorders the array; paths
 * are freed when renamed. 0, -ENOMEM or -EFBIG. *ret_left_out: names for which there was no room. */
int catalogue_write(struct catalogue_entry *entries, size_t count, struct buf *out, size_t *ret_left_out);
/* The record at *at, which moves on: 1, 0 at the end, -EIO when this is no catalogue. `previous` is the path before it, or empty. */
int catalogue_next(struct span catalogue, size_t *at, struct span previous, struct member *ret);

/* --- reading (archive.c) --------------------------------------------------------------------------------------------- */

/* Whether the library that reads archives is installed: its name, or NULL. For doctor. */
const char *archive_library(void);
/* The entry of an archive that lies in an archive: what it expands to is bounded more tightly. */
const struct extractor *archive_nested_extractor(void);
/* What stands for an archive that lies too deep in others to be opened: skipped, with the reason. */
const struct extractor *archive_unopened_extractor(void);
/* Unpacks members from the one with this ordinal on into `batch`, as many as fit. 0, also when the archive is damaged: then fewer are in it or
 * none, and *about, which comes zeroed, says why when the child failed; -ENOMEM, or -EAGAIN as extract_run. */
int archive_read_batch(struct span archive, uint32_t first, struct buf *batch, struct extract_result *about);
/* A member in a batch: 0 with its state and bytes, -ENOENT when it is not in there, -EIO when this is no batch. */
int archive_find_in_batch(struct span batch, uint32_t ordinal, uint8_t *ret_state, struct span *ret);

#endif
