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
/* Archives in archives: three is what people make, and a copy of itself in itself goes on for ever. */
#define LIMIT_ARCHIVE_DEPTH 3
/* Members of an archive, and bytes of their records: a catalogue is kept in memory while it is used. */
#define LIMIT_MEMBERS ((size_t)10000)
#define LIMIT_CATALOGUE_BYTES ((size_t)4 << 20)
/* Path of a member, and how many components it has: it has to fit into a path of the source. */
#define LIMIT_MEMBER_NAME_BYTES ((size_t)2000)
#define LIMIT_MEMBER_DEPTH 64
/* One member: what a child can hand over. */
#define LIMIT_MEMBER_BYTES ((size_t)60 << 20)
/* What all members of an archive may come to: the larger of a size that any archive may have and a multiple of the archive's, up to a size that
 * none may pass. Of an archive within an archive: a multiple only, so that levels do not multiply what a small file gives. */
#define LIMIT_EXPANSION_ANY ((uint64_t)16 << 20)
#define LIMIT_EXPANSION_TIMES 100
#define LIMIT_EXPANSION_TIMES_NESTED 32
#define LIMIT_EXPANSION_BYTES ((uint64_t)4 << 30)

#endif
