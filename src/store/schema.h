/* The bytes in LMDB: tables, record layouts and the pure functions that make and check them. docs/store-format.md is the same in
 * words. Nothing here touches LMDB, so that the decoders can be fuzzed alone.
 *
 * Integers and floats are in the machine's own byte order, as LMDB's pages are; the format record says which, and a store of the
 * other order is set aside. Keys are big-endian where order matters. Values are 2-byte aligned in LMDB: records are copied out. */
#ifndef CORPUSFS_STORE_SCHEMA_H
#define CORPUSFS_STORE_SCHEMA_H

#include "store/store.h"

enum { STORE_FORMAT = 3 };

enum table {
	TABLE_INFO,        /* name -> format, counters */
	TABLE_FILES,       /* path key -> record_file, [path] */
	TABLE_DOC_PATHS,   /* document, path key -> [path] */
	TABLE_EXTRACTIONS, /* hash -> record_extraction, strings */
	TABLE_DOCS,        /* document -> record_doc, title */
	TABLE_DOC_KEYS,    /* clean hash, syntax -> document */
	TABLE_TEXTS,       /* pack -> texts */
	TABLE_SPACES,      /* number -> record_space, name */
	TABLE_NAMES,       /* hash of a name, document -> nothing */
	/* From here on the index: dropped when the recipe changes. */
	TABLE_CHUNKS,   /* pack -> chunk lists */
	TABLE_TERMS,    /* term -> live count, directory of pieces, last blocks */
	TABLE_POSTINGS, /* pack -> pieces: runs of full blocks */
	TABLE_SEGMENTS, /* segment -> columns of 1024 chunks */
	TABLE_VECTORS,  /* space, segment -> rows, scales, bits */
	TABLE_FLOATS,   /* space, document -> float rows */
	TABLE_COUNT,
	TABLE_FIRST_OF_INDEX = TABLE_CHUNKS
};

/* First bytes of every value. The type of a value is the number of its table, so that one in a wrong place is noticed. */
enum { RECORD_MAGIC = 0xC5, RECORD_VERSION = 1 };
struct record_head {
	uint8_t magic, type, version, zero;
	uint32_t sum; /* record_sum() of key and payload */
};

/* Large columns begin with this instead: 48 bytes, because LMDB 0.9 starts an overflow value 16 bytes into a page, and so the
 * columns after it are 64-byte aligned. `sum` covers the columns, the key and `capacity`, `dims`. */
struct segment_head {
	uint8_t magic, type, version, zero;
	uint32_t capacity; /* rows there is room for; a multiple of 64 */
	uint32_t dims;     /* 0 for TABLE_SEGMENTS */
	uint32_t zero2;
	uint64_t sum;
	uint64_t zero3[3];
};

/* An item of a pack: a text or a chunk list, found by the document's record. */
struct item_head {
	uint32_t doc, size;
	uint64_t sum; /* of the bytes, document and size */
};

struct record_format {
	char name[16]; /* "corpusfs store" */
	uint32_t format, byte_order;
};

struct counters {
	uint64_t generation;
	uint32_t next_doc, next_chunk, next_space, epoch; /* epoch: number of the recipe */
	uint32_t next_pack[3];                            /* texts, chunk lists, postings */
	uint32_t first_piece_pack;                        /* packs of postings below are gone */
	uint32_t orphans;                                 /* documents without a path */
	uint32_t zero;
	uint64_t files[3];                                 /* by enum store_state */
	uint64_t documents, indexed_documents, text_bytes; /* of documents with a path; indexed ones */
	uint64_t live_chunks, live_length;
	uint64_t held_chunks; /* ids in use: live ones and those of un-indexed documents */
	struct hash recipe;
};

struct record_file {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
	uint32_t doc;
	uint8_t state, racy;
	uint16_t path_size; /* 0: the key is the path */
	struct hash source, extraction;
};

enum { DOC_HAS_IDS = 1, DOC_LIVE = 2 };
struct record_doc {
	struct hash clean;
	uint32_t text_size, text_pack, text_at;
	uint32_t epoch; /* what follows is void when this is not the store's epoch */
	uint32_t chunks_size, chunks_pack, chunks_at;
	uint32_t chunk_base, chunk_count;
	uint32_t paths;
	uint8_t syntax, flags;
	uint16_t title_size;
};

enum { EXTRACTION_STRINGS = 6 };
struct record_extraction {
	uint32_t pages, doc;
	uint16_t sizes[EXTRACTION_STRINGS];
	uint8_t state, syntax, zero[2];
};

struct record_space {
	uint32_t dims;
	struct hash fingerprint;
};

_Static_assert(sizeof(struct record_head) == 8 && sizeof(struct segment_head) == 48 && sizeof(struct item_head) == 16, "padding");
_Static_assert(sizeof(struct counters) == 8 + 10 * 4 + 9 * 8 + 32, "padding");
_Static_assert(sizeof(struct record_file) == 112 && sizeof(struct record_doc) == 76 && sizeof(struct record_extraction) == 24 &&
                       sizeof(struct record_space) == 36,
               "padding");

/* --- records: pure ------------------------------------------------------------------------------------------------- */

uint32_t record_sum(enum table table, struct span key, struct span payload);
struct record_head record_head(enum table table, struct span key, struct span payload);
/* Writes head and payload to `out`, which has room for sizeof(struct record_head) + payload. */
void record_write(enum table table, struct span key, const void *payload, size_t size, void *out);
/* Checks head and sum; 0 with the payload, or -EIO. */
int record_check(enum table table, struct span key, struct span value, struct span *ret_payload);

/* Decoders of payloads: 0 or -EIO. Spans point into the payload. */
int record_decode_file(struct span payload, struct record_file *ret, struct span *ret_path);
int record_decode_doc(struct span payload, struct record_doc *ret, struct span *ret_title);
int record_decode_extraction(struct span payload, struct store_extraction *ret);
int record_decode_space(struct span payload, struct record_space *ret, struct span *ret_name);
uint64_t item_sum(uint32_t doc, struct span data);
/* The item at `at` of a pack's payload. */
int item_decode(struct span pack, uint32_t at, uint32_t doc, uint32_t size, struct span *ret);

uint64_t segment_sum(const struct segment_head *head, uint32_t space, uint32_t segment, const void *columns, size_t size);
/* Bytes after the head. */
size_t segment_columns_size(const struct segment_head *head);
/* Checks everything but the sum: 0 or -EIO. */
int segment_check(struct span value, enum table table, struct segment_head *ret);

/* Keys. A path longer than PATH_KEY_DIRECT is cut and ends with its SHA-256: complete, and in order up to the cut. */
enum { PATH_KEY_DIRECT = 480, PATH_KEY_CUT = 449, PATH_KEY_MAX = PATH_KEY_CUT + HASH_SIZE };
size_t path_key(struct span path, uint8_t out[PATH_KEY_MAX]);
void key_u32(uint32_t value, uint8_t out[4]);
uint32_t key_to_u32(const uint8_t in[4]);

/* --- posting lists: pure ------------------------------------------------------------------------------------------- */

/* LEB128, at most 5 bytes. varint_get returns the byte after, or NULL. */
uint8_t *varint_put(uint8_t *p, uint32_t value);
const uint8_t *varint_get(const uint8_t *p, const uint8_t *end, uint32_t *ret);

/* A block: count - 1 (1 byte), width of gaps 0..32 (1), width of counts 0..8 (1), first chunk (varint), then count - 1 gaps less
 * one and count occurrences less one, both bit-packed from the low bit and padded to a byte. */
enum { BLOCK_MAX_BYTES = 3 + 5 + STORE_BLOCK_MAX * 4 + STORE_BLOCK_MAX };
/* Appends a block of `count` postings; returns the end. `out` has BLOCK_MAX_BYTES + 8 of room. */
uint8_t *block_encode(const uint32_t *chunks, const uint8_t *counts, uint32_t count, uint8_t *out);
/* Decodes one; returns the byte after it, or NULL when it is not one. */
const uint8_t *block_decode(const uint8_t *p, const uint8_t *end, struct store_block *ret);
/* The byte after the block without decoding it, and its count; or NULL. */
const uint8_t *block_skip(const uint8_t *p, const uint8_t *end, uint32_t *ret_count);

/* A term's record. */
struct term_record {
	uint32_t live;
	uint32_t piece_count;
	const uint8_t *pieces, *pieces_end; /* of struct piece as three varints each */
	const uint8_t *blocks, *blocks_end; /* the last blocks, the only one that may be short at the end */
};
struct piece {
	uint32_t pack, at, size;
};
int term_decode(struct span payload, struct term_record *ret);
const uint8_t *piece_decode(const uint8_t *p, const uint8_t *end, struct piece *ret);
uint8_t *piece_encode(uint8_t *p, const struct piece *piece);
uint32_t piece_sum(const struct piece *piece, const void *data);

#endif
