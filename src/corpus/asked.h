/* What a query asks for, made ready before the search: its path: and title: words as filters, its typing errors mended, and the words that are left.
 * One a search, used by that search's thread. */
#ifndef CORPUSFS_CORPUS_ASKED_H
#define CORPUSFS_CORPUS_ASKED_H

#include "base/json.h"
#include "corpus_impl.h"
#include "search/syntax.h"

enum {
	ASKED_MENDED = 8,	     /* words of a query that are mended */
	ASKED_WORD_BYTES = 100 + 1, /* of such a word, with its NUL */
};

struct phrase;

struct asked_field {
	bool title, without;
	char *path;		/* folded; NULL for a title */
	struct phrase *phrase;	/* of a title; NULL when its value has no word, and then it filters nothing */
};

struct asked {
	struct buf text;      /* what search/ is given: phrases, exclusions and words */
	struct syntax syntax; /* of `text`; its words are what is embedded */
	bool bare;	      /* filters and exclusions alone: nothing to rank by */
	struct asked_field fields[SYNTAX_ITEMS];
	uint32_t field_count;
	struct buf folded; /* scratch */
	struct asked_mend {
		char typed[ASKED_WORD_BYTES], searched[ASKED_WORD_BYTES];
	} mends[ASKED_MENDED];
	uint32_t mend_count;
};

/* 0, or -ENOMEM. */
int asked_init(struct asked *a, struct span query);
void asked_release(struct asked *a); /* accepts a zeroed one */

/* Whether a document passes the fields: one of its paths, its title. */
bool asked_fits_path(struct asked *a, const char *path);
bool asked_fits_title(struct asked *a, struct span title);

/* Puts in the place of each word that no document has, as far as this caller may know, the commonest known one that is one edit away
 * (spelling.c). A word that `embedder` knows is left alone; NULL knows none. 0, -EIO or -ENOMEM. */
int asked_mend(struct asked *a, struct embedder *embedder, struct store_read *read, struct access *access);

/* The member "corrections", where there are any. */
void asked_explain(const struct asked *a, struct jsonw *j);

#endif
