/* The store: everything computed, kept in LMDB under content hashes. A cache that can be thrown away at any time; the documents
 * are never written to. docs/store-format.md gives the bytes.
 *
 * One process has a store open for writing, held by a lock file of our own (flock, so it holds across PID namespaces). Within
 * it one writer thread runs queued operations in group commits; any thread may read. What a reader gets is borrowed memory of
 * the map and lives until store_read_end(): keep read transactions short, copy what is kept. Every value carries a checksum and
 * is checked when read; a value that fails is -EIO to its reader, and the store is marked damaged: it is set aside and started
 * empty at the next open (store_damaged()).
 *
 * Identity. A *file* is a path with a stamp and the key of its *extraction*; an extraction is keyed by (source hash, extractor,
 * version, clean version) and leads to a *document*: one distinct (clean text, syntax), with its chunks, postings and vectors.
 * Equal files share a document, renames move a path, reverts find their document again. A document that no path leads to is
 * kept but taken out of the index (its chunks are not live) until store_collect() or a rebuild drops it. */
#ifndef CORPUSFS_STORE_STORE_H
#define CORPUSFS_STORE_STORE_H

#include "base/err.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/terms.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_read;  /* a read transaction: one consistent snapshot */
struct store_write; /* the writer's transaction, only inside an operation */

enum store_mode {
	STORE_WRITE,	 /* create if missing, take the lock, start the writer thread */
	STORE_READ_ONLY, /* never writes, needs no lock; -ENOENT when there is none */
};

struct store_options {
	const char *directory;	/* created with mode 0700 for STORE_WRITE */
	enum store_mode mode;
	size_t map_bytes;	/* 0: 64 GiB, or what RLIMIT_AS allows; grows when full */
	struct hash recipe;	/* fingerprint of chunker and words: an index of another recipe is dropped, texts are kept */
	size_t batch_bytes;	/* text bytes an uncommitted batch may hold, 0: 16 MiB */
};

/* Opens. Errors, each one line in *err: -EBUSY (another process has it: owner's text in err), -ENOENT, -EROFS / -EACCES, -ENOSPC,
 * -ENOTSUP (network file system), -ENOMEM. A store that is damaged, foreign or of another format version is renamed to
 * "<directory>.damaged-N" (one kept) and an empty one begun; *ret_reset then says why, else "". */
int store_open(const struct store_options *options, struct store **ret, char ret_reset[256], struct err *err);
/* Runs what is queued, commits, stops the writer, closes. All readers must have ended. Accepts NULL. */
void store_close(struct store *s);
bool store_damaged(const struct store *s);
/* Text kept in the lock file for others to find the owner by ("pid 12 mount /home/u/corpus"); at most 4 KiB, one line. */
int store_set_owner(struct store *s, const char *text); /* -EBADF for a store that is only read */
/* Reads that text without opening the store; -ENOENT when nobody holds the lock. */
int store_owner(const char *directory, char *text, size_t size);
/* A file without a name in the store's folder, open for reading and writing, which the caller closes; it goes with its last descriptor or map. */
int store_scratch_file(struct store *s, int *ret_fd);
/* Bytes of the data file in use and of the map. */
int store_sizes(struct store *s, uint64_t *ret_used, uint64_t *ret_map);

/* --- writing ------------------------------------------------------------------------------------------------------- */

/* One operation. `run` is called on the writer thread, possibly again from the start after the map grew, so it must not change
 * anything but the transaction; a negative return undoes nothing by itself: it aborts the batch, which is then redone with the
 * failed operation left out (unless it failed before it changed anything, which costs nothing). `done` is called once, on the writer thread, after the commit that holds it is on disk (result 0) or
 * when it failed (negative errno; -ENOSPC for a full disk). The struct belongs to the caller and must live until then. */
struct store_op {
	int (*run)(struct store_write *w, struct store_op *op);
	void (*done)(struct store_op *op, int result);
	size_t bytes; /* about how much it holds in memory: counts against batch_bytes */
	bool urgent;  /* commit as soon as the queue allows instead of waiting to fill a batch */
	struct store_op *next; /* the store's */
};

/* Queues; blocks while more than twice batch_bytes wait, unless urgent. Any thread but the writer's. */
void store_submit(struct store *s, struct store_op *op);
/* Waits until all that was queued before is committed or failed. */
void store_flush(struct store *s);
/* A number that grows with every commit that changed the index or the files; stored, so it survives a restart. */
uint64_t store_generation(struct store *s);

/* --- files and documents ------------------------------------------------------------------------------------------- */

/* What a change of the source would change (ENGINEERING notes: dev, ino, size, mtime, ctime). */
struct store_stamp {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
};

enum store_state { STORE_OK, STORE_SKIPPED, STORE_FAILED };

struct store_file {
	struct store_stamp stamp;
	bool racy;	    /* stamp too close to the time of reading: verify by hash at next use */
	uint8_t state;	    /* enum store_state */
	struct hash source; /* of the bytes */
	struct hash extraction;
	uint32_t doc; /* 0 unless state is STORE_OK */
};

struct store_extraction {
	uint8_t state;	/* enum store_state */
	uint8_t syntax; /* enum text_syntax */
	uint32_t pages;
	uint32_t doc; /* 0 unless OK */
	struct span extractor, media_type, encoding, title, code, message; /* borrowed; each at most 1 KiB */
};

struct store_doc {
	uint32_t id; /* from 1, never reused within a store */
	uint8_t syntax;
	bool indexed; /* its chunks have ids and are live */
	struct hash clean;
	uint32_t text_size;
	uint32_t chunk_base; /* id of its first chunk; meaningful once it was indexed */
	uint32_t chunk_count;
	uint32_t paths; /* files that lead here */
	struct span title; /* borrowed */
};

int store_read_begin(struct store *s, struct store_read **ret); /* -EAGAIN when out of reader slots */
void store_read_end(struct store_read *r);			/* accepts NULL */
uint64_t store_read_generation(struct store_read *r);

/* Each returns 0, -ENOENT or -EIO. Paths are relative to the source, "a/b.txt", at most LIMIT_PATH_BYTES. */
int store_get_file(struct store_read *r, struct span path, struct store_file *ret);
int store_get_extraction(struct store_read *r, const struct hash *key, struct store_extraction *ret);
int store_get_doc(struct store_read *r, uint32_t id, struct store_doc *ret);
int store_find_doc(struct store_read *r, const struct hash *clean, uint8_t syntax, uint32_t *ret_id);
int store_doc_text(struct store_read *r, uint32_t id, struct span *ret);
/* The serialised chunk list as it was put. */
int store_doc_chunks(struct store_read *r, uint32_t id, struct span *ret);
/* Calls `each` in the byte order of the paths until it returns non-zero, which is then returned. `prefix` "" for all, "a/b/" for a
 * folder. Paths over 480 bytes stand in order only by their first 449. */
int store_each_file(struct store_read *r, struct span prefix,
		    int (*each)(void *context, struct span path, const struct store_file *file), void *context);
int store_each_doc_path(struct store_read *r, uint32_t id, int (*each)(void *context, struct span path), void *context);

struct store_counts {
	uint64_t files, ok, skipped, failed; /* files by state */
	uint64_t documents;		     /* that a path leads to */
	uint64_t indexed_documents;
	uint64_t text_bytes; /* of documents that a path leads to */
};
int store_counts(struct store_read *r, struct store_counts *ret);

/* Inside an operation the transaction can be read through this view; it sees the operation's own writes. */
struct store_read *store_write_view(struct store_write *w);
/* Finds the document of this clean text and syntax or adds it, and returns its id. Texts and chunk lists are stored once. */
int store_put_doc(struct store_write *w, const struct hash *clean, uint8_t syntax, struct span text, struct span chunks,
		  uint32_t chunk_count, struct span title, uint32_t *ret_id);
int store_put_extraction(struct store_write *w, const struct hash *key, const struct store_extraction *x);
/* Puts or replaces a file; *ret_orphan is the document that lost its last path by this, or 0: the caller un-indexes it. */
int store_put_file(struct store_write *w, struct span path, const struct store_file *file, uint32_t *ret_orphan);
/* -ENOENT when there is none. */
int store_remove_file(struct store_write *w, struct span path, uint32_t *ret_orphan);

/* Notes that a document may bear the name with this hash, for store_each_name; any number of names a document, and equal ones again are nothing. */
int store_put_name(struct store_write *w, uint64_t name, uint32_t doc);
/* Documents noted under this hash, in order of id, until `each` returns non-zero, which is then returned. Hints: the document may be gone or bear the
 * name no more. */
int store_each_name(struct store_read *r, uint64_t name, int (*each)(void *context, uint32_t doc), void *context);

/* --- the index ----------------------------------------------------------------------------------------------------- */

/* Makes a document's chunks searchable. The first time it gives them ids and appends postings; later (after store_unindex_doc) it
 * only makes them live again. `terms` are the document's own, recomputed by the caller, equal each time. Document frequencies
 * and total length count live chunks exactly, so that scores equal those of a fresh store. */
int store_index_doc(struct store_write *w, uint32_t id, const struct term_postings *terms);
int store_unindex_doc(struct store_write *w, uint32_t id, const struct term_postings *terms);

struct store_space { /* a vector space */
	uint32_t number; /* small, from 1 */
	uint32_t dims;
	struct hash fingerprint;
};
int store_put_space(struct store_write *w, const struct hash *fingerprint, struct span name, uint32_t dims, uint32_t *ret_number);
int store_find_space(struct store_read *r, const struct hash *fingerprint, struct store_space *ret);
/* Every space with the name it was put under, oldest first, until `each` returns non-zero, which is then returned. */
int store_each_space(struct store_read *r, int (*each)(void *context, const struct store_space *space, struct span name), void *context);
/* Rows of one document's chunks (it must be indexed): int8 + 128 as vec_quantise_row makes them, one scale each, and sign bits
 * (dims / 64 words a row) for the two-stage scan. `floats` is NULL or the float rows to keep (spaces that are not cheap). */
int store_put_vectors(struct store_write *w, uint32_t space, uint32_t doc, const uint8_t *rows, const float *scales,
		      const uint64_t *bits, const float *floats);
/* The float rows kept for a document, chunk_count * dims, or -ENOENT. Not aligned: to be copied. */
int store_doc_floats(struct store_read *r, uint32_t space, uint32_t doc, struct span *ret);

enum { STORE_SEGMENT_CHUNKS = 1024 }; /* chunk ids are grouped into segments: id / 1024 */

struct store_index_stats {
	uint32_t chunk_limit;	 /* chunk ids are below this */
	uint64_t live_chunks;
	uint64_t live_length;	 /* sum of the live chunks' lengths */
};
int store_index_stats(struct store_read *r, struct store_index_stats *ret);

/* Columns of one segment, `count` entries each (fewer than STORE_SEGMENT_CHUNKS in the last); borrowed. */
struct store_segment {
	uint32_t first; /* id of entry 0 */
	uint32_t count;
	const uint32_t *docs;	 /* document of each chunk */
	const uint16_t *lengths; /* BM25 length, saturated at 65535 */
	const uint64_t *live;	 /* bit i % 64 of word i / 64 */
};
int store_segment(struct store_read *r, uint32_t segment, struct store_segment *ret);

struct store_vectors {
	uint32_t count;	      /* may be less than the segment's: the chunks after have no vector yet */
	const uint8_t *rows;  /* 64-byte aligned, count * dims */
	const float *scales;  /* 0 for a zero vector, NaN where no vector is there yet */
	const uint64_t *bits; /* count * dims / 64 */
};
/* -ENOENT when the space has no row in this segment. */
int store_vectors(struct store_read *r, uint32_t space, uint32_t segment, struct store_vectors *ret);

/* Postings of one term, in blocks of increasing chunk id; chunks that are not live are among them. */
struct store_term {
	uint32_t live_chunks; /* document frequency, in live chunks */
};
int store_find_term(struct store_read *r, struct span term, struct store_term *ret); /* -ENOENT for an unknown word */
struct store_cursor;
enum { STORE_BLOCK_MAX = 128 };
struct store_block {
	uint32_t count; /* 1..STORE_BLOCK_MAX */
	uint32_t chunks[STORE_BLOCK_MAX];
	uint8_t counts[STORE_BLOCK_MAX]; /* occurrences, saturated at 255 */
};
int store_cursor_open(struct store_read *r, struct span term, struct store_cursor **ret);
/* 1 with the next block, 0 at the end, -EIO. */
int store_cursor_next(struct store_cursor *c, struct store_block *ret);
void store_cursor_close(struct store_cursor *c);

/* Drops documents that no path leads to and compacts what they leave, when they are more than `share` (0..1) of all chunks or of all
 * documents. The chunks that stay get new ids without gaps, in the same order; document ids stay. Rewrites the index, in memory until
 * it is committed; called by the indexer when idle, as an operation. Returns 1 when something was dropped, else 0 or -errno. */
int store_collect(struct store_write *w, double share);

#endif
