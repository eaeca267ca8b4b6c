/* Every ceiling that a hostile document, query or server can run into, in one place, each with its reason. */
#ifndef CORPUSFS_BASE_LIMITS_H
#define CORPUSFS_BASE_LIMITS_H

/* A source file larger than this is served by raw/ only: its text would not fit in memory beside others being worked on. */
#define LIMIT_SOURCE_BYTES ((size_t)256 << 20)
/* Clean text of one document. A book is 1 MB; beyond 64 MB it is a data dump, and a bomb more often than not. */
#define LIMIT_CLEAN_BYTES ((size_t)64 << 20)
/* Chunks of one document: what LIMIT_CLEAN_BYTES gives at the smallest usual chunk, so that counts fit 20 bits. */
#define LIMIT_CHUNKS ((size_t)1 << 20)
/* Headings of one document, and bytes of one heading: a heading path is repeated with every hit. */
#define LIMIT_HEADINGS ((size_t)65535)
#define LIMIT_HEADING_BYTES ((size_t)240)
/* Title kept for a document. */
#define LIMIT_TITLE_BYTES ((size_t)400)
/* A query, decoded. Longer ones are pasted documents; the mount answers ENAMETOOLONG. */
#define LIMIT_QUERY_BYTES ((size_t)1000)
/* Distinct words of a query that are scored. */
#define LIMIT_QUERY_TERMS ((size_t)64)
/* Results of one query. */
#define LIMIT_RESULTS ((size_t)1000)
/* One word in the keyword index; LMDB keys end at 511 bytes and longer "words" are encoded data. */
#define LIMIT_TERM_BYTES ((size_t)64)
/* A path relative to the source folder, as PATH_MAX. */
#define LIMIT_PATH_BYTES ((size_t)4095)
/* JSON made for one document or one result set. */
#define LIMIT_JSON_BYTES ((size_t)512 << 20)
/* Depth of folders in the source. */
#define LIMIT_TREE_DEPTH 512

#endif
