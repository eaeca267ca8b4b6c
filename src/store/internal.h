/* What the files of this folder share: the store, its transactions, what a batch holds back in memory until it is written. */
#ifndef CORPUSFS_STORE_INTERNAL_H
#define CORPUSFS_STORE_INTERNAL_H

#include "store/schema.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { STORE_READERS = 1024 };

/* --- reading ------------------------------------------------------------------------------------------------------- */

struct store_cursor {
	struct store_read *r;
	struct store_cursor *next; /* in the pool of the read transaction */
	const uint8_t *pieces, *pieces_end;
	const uint8_t *blocks, *blocks_end; /* being read */
	const uint8_t *last, *last_end;     /* the term's own blocks, read after the pieces; NULL when begun */
	uint64_t above;                     /* every further chunk is >= this */
};

struct store_read {
	struct store *s;
	MDB_txn *txn;
	struct store_write *w;           /* the view of a write transaction, else NULL */
	const struct counters *counters; /* of this snapshot */
	struct counters snapshot;        /* what counters points at when w is NULL */
	const char *map, *map_end;       /* used part of the map, NULL when unknown */
	struct store_cursor *cursors;    /* closed ones, for reuse */
	struct store_read *next;         /* in the store's pool */
};

/* Checked columns, so that a scan pays a segment's checksum once a process and version: per space (slot 0: chunk columns), per
 * segment, the sum that was found right. Allocated at first use, never freed before the store is. */
enum { VERIFIED_SPACES = 16, VERIFIED_SEGMENTS = 1 << 14 };
struct verified {
	_Atomic(_Atomic uint64_t *) spaces[VERIFIED_SPACES];
};

/* --- writing ------------------------------------------------------------------------------------------------------- */

/* Items of one table on their way into one value. */
struct pack {
	enum table table;
	uint32_t id; /* of the pack being filled; meaningful while size > 0 */
	char *data;
	size_t size, capacity;
};

/* Postings of a batch. Terms get numbers through a hash table; the postings themselves are a flat array, sorted by term when
 * flushed (a counting sort: each entry knows how many it has). */
struct term_entry {
	uint32_t hash, count; /* postings */
	int32_t live;         /* change of the document frequency */
	uint32_t where;       /* of the text in `texts` when it is longer than `head` */
	uint8_t size;
	char head[15];
};
struct postings {
	uint32_t *slots; /* entry + 1, or 0 */
	size_t slot_count;
	struct term_entry *entries;
	size_t entry_count, entry_capacity;
	char *texts;
	size_t texts_size, texts_capacity;
	uint64_t *list; /* entry << 40 | count << 32 | chunk, in order of chunk */
	size_t list_count, list_capacity;
	uint32_t *map, *hashes; /* scratch: entry and hash of each term of a document */
	size_t map_capacity, hashes_capacity;
};

/* Columns that a batch changes, with room for a whole segment; written when the batch ends. */
struct segment_buffer {
	enum table table;
	uint32_t space, segment, dims, rows; /* rows: one past the last that was set */
	char *columns;                       /* 64-byte aligned */
};
struct segments {
	struct segment_buffer *buffers;
	size_t count, capacity, bytes, last; /* last: where the latest lookup ended */
};

struct store_write {
	struct store *s;
	MDB_txn *txn; /* NULL between batches */
	struct store_read view;
	struct counters counters;
	bool changed; /* the generation moves with this commit */
	bool wrote;   /* something was changed since the flag was cleared: an operation that fails clean needs no redo */
	bool map_full, txn_full;
	int error; /* first error of a table call that leaves the transaction useless */
	struct pack texts, chunks, pieces;
	struct postings postings;
	struct segments segments;
};

struct store {
	char *directory;
	enum store_mode mode;
	size_t batch_bytes;
	struct hash recipe;
	int lock_fd;
	bool has_lock, unclean; /* unclean: the last owner did not close the store */
	MDB_env *env;
	MDB_dbi tables[TABLE_COUNT];
	atomic_bool damaged;
	_Atomic uint64_t generation;
	struct verified verified;

	pthread_mutex_t readers_lock; /* the fields below */
	pthread_cond_t readers_changed;
	unsigned active;  /* read transactions that are open */
	bool resizing;    /* the map is being exchanged: no new ones */
	unsigned waiting; /* threads that want to exchange it */
	struct store_read *pool;
	const char *map; /* address of the map, NULL when unknown */
	size_t map_size;

	pthread_mutex_t queue_lock; /* the fields below */
	pthread_cond_t queue_filled, queue_emptied;
	struct store_op *first, **tail;
	uint64_t submitted, completed, flush_to; /* operations */
	size_t waiting_bytes;                    /* queued or in the batch */
	bool stopping, has_writer;
	pthread_t writer;
	struct timespec next_check; /* the writer's: when to look for dead readers */
	bool untidy;                /* the writer's: something was committed since it was last idle */

	struct store_write w; /* of the writer thread */
};

/* --- txn.c --------------------------------------------------------------------------------------------------------- */

/* LMDB's code as a negative errno. */
int txn_errno(int rc);
/* Remembers that the store is damaged, for this process and (when it may write) for the next; returns -EIO. */
void store_note_damage(struct store *s, const char *why);
static inline int store_mark_damaged(struct store *s, const char *why)
{
	store_note_damage(s, why);
	return -EIO;
}
/* Finds the map's address, for the check of borrowed values. After each change of the map. */
void txn_locate_map(struct store *s);
/* Makes the map `bytes` large (0: as large as another process made it), once no reader is active. */
int txn_resize(struct store *s, size_t bytes);
void txn_drop_pool(struct store *s);
/* Makes r read in `txn`. */
void txn_bound(struct store_read *r);

/* The raw value; checked to lie within the file. 0, -ENOENT, -EIO. */
int table_get(struct store_read *r, enum table table, struct span key, struct span *ret);
/* The checked payload of a record. */
int record_get(struct store_read *r, enum table table, struct span key, struct span *ret_payload);
/* Checks a value that a cursor gave. */
int record_take(struct store_read *r, enum table table, const MDB_val *key, const MDB_val *value, struct span *ret_payload);
bool value_in_bounds(const struct store_read *r, const MDB_val *value);
/* Reads ahead. The map is opened without that, for the sake of trees, and so what is not in memory would be read page by page: 200
 * segments took 2 s cold, with this 0.2 s. */
void value_fetch(const void *data, size_t size);

/* Room for a value of `size` bytes, to be filled before the next call. `flags` as mdb_put. */
int table_reserve(struct store_write *w, enum table table, struct span key, size_t size, unsigned flags, void **ret);
/* Writes a record made of a fixed part and a variable one. */
int record_put(struct store_write *w, enum table table, struct span key, struct span fixed, struct span rest, unsigned flags);
/* -ENOENT when there is none. */
int table_delete(struct store_write *w, enum table table, struct span key);
/* Notes what an LMDB call in a write transaction said and maps it. */
int write_result(struct store_write *w, int rc);

/* --- the rest ------------------------------------------------------------------------------------------------------ */

int info_get_counters(struct store_read *r, struct counters *ret); /* env.c */

int writer_start(struct store *s); /* writer.c */
void writer_stop(struct store *s);
int write_begin(struct store *s, struct store_write *w);
/* Writes what is held back into the transaction. */
int write_flush(struct store_write *w);
int write_commit(struct store_write *w);
void write_abort(struct store_write *w);
void write_release(struct store_write *w);

int pack_add(struct store_write *w, struct pack *p, uint32_t doc, struct span data, uint32_t *ret_id,
             uint32_t *ret_at); /* packs.c */
/* Raw bytes into a pack: they are at `at` of the pack `id`'s payload. */
int pack_add_raw(struct store_write *w, struct pack *p, size_t size, uint32_t *ret_id, uint32_t *ret_at, char **ret_room);
int pack_flush(struct store_write *w, struct pack *p);
void pack_reset(struct pack *p);
void pack_release(struct pack *p);
int pack_payload(struct store_read *r, enum table table, uint32_t id, struct span *ret);

int doc_get(struct store_read *r, uint32_t id, struct record_doc *ret, struct span *ret_title); /* documents.c */
int doc_update(struct store_write *w, uint32_t id, const struct record_doc *d);
/* Another path leads to the document, or one fewer. */
int doc_add_path(struct store_write *w, uint32_t id, int change, uint32_t *ret_paths);

int postings_add(struct store_write *w, const struct term_postings *terms, uint32_t chunk_base, int live,
                 bool append); /* postings.c */
int postings_flush(struct store_write *w);
/* Gives chunks new ids: renamed[id], or UINT32_MAX for one that is gone; the order stays. */
int postings_rename(struct store_write *w, const uint32_t *renamed);
void postings_reset(struct postings *p);
void postings_release(struct postings *p);

/* segments.c: the buffer of a segment's columns, filled from the table at first use in a batch. */
int segments_touch(struct store_write *w, enum table table, uint32_t space, uint32_t segment, uint32_t dims,
                   struct segment_buffer **ret);
const struct segment_buffer *segments_find(const struct segments *g, enum table table, uint32_t space, uint32_t segment);
int segments_flush(struct store_write *w);
void segments_reset(struct segments *g);
/* Columns as stored: head (checked) and the bytes after it. -ENOENT, -EIO. */
int segments_read(struct store_read *r, enum table table, uint32_t space, uint32_t segment, struct segment_head *ret,
                  const char **ret_columns);
/* Gives the chunks of a document ids base.. or only makes them live (1) or dead (0). */
int segments_assign(struct store_write *w, uint32_t doc, uint32_t base, const uint32_t *lengths, uint32_t count);
int segments_set_live(struct store_write *w, uint32_t base, uint32_t count, bool live, uint64_t *ret_length);
/* Moves the columns of `count` chunks (within one segment each) from `from` to `to` <= from. */
int segments_move(struct store_write *w, enum table table, uint32_t space, uint32_t from, uint32_t to, uint32_t count);
/* Chunks from `limit` on are gone; there were old_limit. */
int segments_cut(struct store_write *w, enum table table, uint32_t space, uint32_t old_limit, uint32_t limit);

#endif
