/* The headings of a document while it is being split. Private to chunk/. */
#ifndef CORPUSFS_CHUNK_HEADINGS_H
#define CORPUSFS_CHUNK_HEADINGS_H

#include "base/buf.h"
#include "chunk/chunk.h"

struct heading_place {
	uint32_t offset;    /* of its line */
	uint32_t run_first; /* where the run of headings, page markers and blank lines begins that it stands in */
};

struct headings {
	struct chunk_heading *headings;
	struct heading_place *places;
	size_t count, capacity;
	struct buf text;
	uint32_t open[256]; /* the last heading of each level that may still be a parent, 0 for none */
};

void headings_init(struct headings *h);
void headings_release(struct headings *h);
/* Adds a heading, its text without markup; beyond LIMIT_HEADINGS it is left out. Returns 0 or -ENOMEM. */
int headings_add(struct headings *h, unsigned level, struct span markup, struct heading_place place);
/* Appends `markup` without emphasis, code quotes, links' targets, tags and attributes, blanks in a row as one. */
void headings_plain_text(struct span markup, struct buf *out);

#endif
