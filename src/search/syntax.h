/* What a query says beside its words: "quoted phrases" that must be there, -words that must not, path: and title: words about the
 * document, and whether it holds a name. Pure. */
#ifndef CORPUSFS_SEARCH_SYNTAX_H
#define CORPUSFS_SEARCH_SYNTAX_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SYNTAX_ITEMS = 16, /* of each kind; further ones are words like others */
	SYNTAX_WORDS = 24, /* a longer query is prose that somebody pasted, and so are the quotation marks in it: no syntax */
};

struct syntax_item {
	struct span text; /* borrowed from the query */
	bool quoted;
};

/* path:x, title:x, title:"x y", and these with a minus in front. */
struct syntax_field {
	struct syntax_item value;
	bool title;   /* else path */
	bool without; /* documents that have it are left out */
};

struct syntax {
	struct span words; /* the query without fields and what is excluded: what is scored */
	struct span rest;  /* the query without fields */
	struct syntax_item required[SYNTAX_ITEMS], excluded[SYNTAX_ITEMS];
	struct syntax_field fields[SYNTAX_ITEMS];
	uint32_t required_count, excluded_count, field_count;
	bool has_name; /* a word like sha256, max_size, camelCase or HTTPServer is in it */
	char *memory;
};

/* A quotation mark opens at the beginning of the query or after a blank (or after the minus of an exclusion) and needs another to close
 * it. A minus excludes when it stands there too and a letter, digit or quotation mark follows: "state-of-the-art", "--help" and "5 - 3"
 * exclude nothing, and neither does a single character ("tar -x"). A field's value follows its colon at once. 0 and a result for
 * syntax_release(), or -ENOMEM; then *ret is untouched. */
int syntax_parse(struct span query, struct syntax *ret);
void syntax_release(struct syntax *s);

#endif
