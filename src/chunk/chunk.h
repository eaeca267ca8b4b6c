/* Chunking: clean text -> retrieval-sized pieces that respect structure. First step of the probabilistic side, although itself
 * deterministic: it depends on clean text and the recipe below.
 *
 * Chunks lie in document order; together they cover the clean text without gap or overlap (chunk 0 begins at byte 0, each
 * begins where the one before ended, the last ends at the text's end). Headings, paragraphs, list items, table rows, code
 * blocks and pages are kept together where they fit. No cut falls inside a UTF-8 sequence or a grapheme cluster. */
#ifndef CORPUSFS_CHUNK_CHUNK_H
#define CORPUSFS_CHUNK_CHUNK_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

enum chunk_syntax { CHUNK_PLAIN, CHUNK_MARKDOWN, CHUNK_RST, CHUNK_CODE, CHUNK_TABLE };

struct chunk_recipe {
	unsigned version;      /* CHUNK_VERSION */
	unsigned target_words; /* pack until about here */
	unsigned max_words;    /* never more, except a single grapheme */
	unsigned min_words;    /* join smaller pieces to a neighbour under the same heading where that stays below max */
	/* A word is a run of letters and digits; of text that is not written in such runs, about two Han characters or twelve
	 * others. */
};

enum { CHUNK_VERSION = 1 };
/* The recipe in use; docs/chunking.md tells what was tried. */
extern const struct chunk_recipe chunk_default_recipe;

/* Packed for the store by chunk_list_pack(). */
struct chunk {
	uint32_t first;      /* byte offset of its first byte in the clean text */
	uint32_t end;        /* byte offset after its last byte */
	uint32_t line_first; /* 1-based line of the first byte */
	uint32_t line_last;  /* 1-based line of the last byte */
	uint32_t page;       /* 1-based page on which it begins, 0 when the document has no pages */
	uint32_t heading;    /* 1-based index of the innermost heading above or at its beginning, 0 for none */
};

struct chunk_heading {
	uint32_t text_offset; /* into chunk_list.heading_text */
	uint16_t text_size;   /* at most LIMIT_HEADING_BYTES, cut at a grapheme */
	uint8_t level;        /* 1.. */
	uint8_t unused;
	uint32_t parent; /* 1-based index of the heading above, 0 for none; always smaller than its own index */
};

struct chunk_list {
	struct chunk *chunks;
	size_t count;
	struct chunk_heading *headings; /* headings[i - 1] is heading i */
	size_t heading_count;
	char *heading_text; /* headings' texts without markup, UTF-8, not NUL-terminated */
	size_t heading_text_size;
};

/* Splits. Empty text gives an empty list. Returns 0 and a list that the caller frees, -ENOMEM, or -EFBIG when LIMIT_CHUNKS is
 * passed. Any thread. */
int chunk_split(struct span clean, enum chunk_syntax syntax, const struct chunk_recipe *recipe, struct chunk_list **ret);
void chunk_list_free(struct chunk_list *list);
/* The first heading's text, or the first non-empty line cut to LIMIT_TITLE_BYTES: the title when metadata has none. */
struct span chunk_title(struct span clean, const struct chunk_list *list);

/* The text of heading `heading` (1-based), borrowed from the list; empty for 0 and for an index beyond the last. */
struct span chunk_heading_text(const struct chunk_list *list, uint32_t heading);
/* Appends the headings above and including `heading`, outermost first: "A > B > C"; nothing for 0. Of more than CHUNK_PATH_BYTES
 * only the innermost ones that fit, which say most about what stands below them. Returns 0, or -ENOMEM or -EFBIG from the buffer. */
int chunk_heading_path(const struct chunk_list *list, uint32_t heading, struct buf *out);
enum { CHUNK_PATH_BYTES = 256 };

/* The passage of a chunk is what is indexed of it, for words and vectors alike: the path of its headings, a line end, and its text; the text
 * alone where it has no path. A pure function of clean text and chunks; part of the recipe of an index. docs/chunking.md tells what it gains. */
enum { CHUNK_PASSAGE_VERSION = 1, CHUNK_PASSAGE_EXTRA = CHUNK_PATH_BYTES + 1 }; /* EXTRA: bytes that it has more than the chunk, at most */
/* Appends the passage of chunk `i`. Returns 0, or -ENOMEM or -EFBIG from the buffer. */
int chunk_passage(struct span clean, const struct chunk_list *list, size_t i, struct buf *out);

/* Those of all chunks; they point into the clean text and into `memory`. */
struct chunk_passages {
	struct span *texts;
	size_t count;
	char *memory;
};
/* Returns 0 and what chunk_passages_release() frees, or -ENOMEM; then *p is untouched. */
int chunk_passages_init(struct chunk_passages *p, struct span clean, const struct chunk_list *list);
void chunk_passages_release(struct chunk_passages *p);

/* The packed form that the store keeps: about 5 bytes a chunk. All numbers are LEB128 (7 bits a byte, least first, at most 5
 * bytes).
 *
 *   byte    CHUNK_PACK_FORMAT
 *   number  chunks; number headings
 *   a chunk:   number size in bytes (>= 1) * 2, + 1 if it begins on the line on which the one before ended
 *              number line_last - line_first
 *              number page - page of the one before (0 for the first), as zigzag: 2d for d >= 0, -2d - 1 below
 *              number heading - heading of the one before (0 for the first)
 *   a heading: number text_size; byte level; number its own index - parent (1-based; 0 for the parent means "none")
 *   bytes   the headings' texts one after the other */
enum { CHUNK_PACK_FORMAT = 1 };
/* Appends the packed list. Returns 0, or -ENOMEM or -EFBIG from the buffer. Any thread. */
int chunk_list_pack(const struct chunk_list *list, struct buf *out);
/* Unpacks what pack made. Every invariant is checked: counts within the limits, chunks without gap from byte 0 and line 1, pages
 * and headings in range, parents smaller than their children, texts filling the rest exactly. Returns 0 and a list that the caller
 * frees, -EIO for bytes that are no packed list, -ENOMEM. Any thread. */
int chunk_list_unpack(struct span packed, struct chunk_list **ret);

#endif
