/* Chunking: clean text -> retrieval-sized pieces that respect structure. First step of the probabilistic side, although itself
 * deterministic: it depends on clean text and the recipe below.
 *
 * Chunks lie in document order; together they cover the clean text without gap or overlap (chunk 0 begins at byte 0, each
 * begins where the one before ended, the last ends at the text's end). Headings, paragraphs, list items, table rows, code
 * blocks and pages are kept together where they fit. No cut falls inside a UTF-8 sequence or a grapheme cluster. */
#ifndef CORPUSFS_CHUNK_CHUNK_H
#define CORPUSFS_CHUNK_CHUNK_H

#include "base/hash.h"
#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

enum chunk_syntax { CHUNK_PLAIN, CHUNK_MARKDOWN, CHUNK_RST, CHUNK_CODE, CHUNK_TABLE };

struct chunk_recipe {
	unsigned version;      /* CHUNK_VERSION */
	unsigned target_words; /* pack until about here */
	unsigned max_words;    /* never more, except a single grapheme */
	unsigned min_words;    /* join smaller pieces to a neighbour under the same heading where that stays below max */
};

enum { CHUNK_VERSION = 1 };
/* The recipe in use; docs/chunking.md tells what was tried. */
extern const struct chunk_recipe chunk_default_recipe;

/* 24 bytes, written to the store as they stand (little endian). */
struct chunk {
	uint32_t first;	     /* byte offset of its first byte in the clean text */
	uint32_t end;	     /* byte offset after its last byte */
	uint32_t line_first; /* 1-based line of the first byte */
	uint32_t line_last;  /* 1-based line of the last byte */
	uint32_t page;	     /* 1-based page on which it begins, 0 when the document has no pages */
	uint32_t heading;    /* 1-based index of the innermost heading above or at its beginning, 0 for none */
};

struct chunk_heading {
	uint32_t text_offset; /* into chunk_list.heading_text */
	uint16_t text_size;   /* at most LIMIT_HEADING_BYTES, cut at a grapheme */
	uint8_t level;	      /* 1.. */
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

#endif
