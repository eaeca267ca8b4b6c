/* Words for the keyword index: Unicode text -> terms, and the same for queries, so that both sides agree.
 *
 * Terms are case-folded, NFKC, stemmed (Porter2), at most LIMIT_TERM_BYTES; identifiers are indexed whole and as parts
 * (camelCase, snake_case, digits), CJK as bigrams; stop words are dropped. docs/ranking.md has the rules and figures. Part of
 * the recipe of an index: raise WORDS_VERSION when output changes. */
#ifndef CORPUSFS_TOKEN_WORDS_H
#define CORPUSFS_TOKEN_WORDS_H

#include "base/span.h"
#include "base/terms.h"

enum { WORDS_VERSION = 1 };

/* Scratch memory and a cache from word to term. One a thread. */
struct words;

int words_new(struct words **ret);
void words_free(struct words *w);

/* Terms of `count` chunks of one document. Returns 0 with *ret borrowed from w until its next use, or -ENOMEM. */
int words_of_chunks(struct words *w, const struct span *chunks, size_t count, const struct term_postings **ret);

/* Terms of a query: as above, also without filler words of questions ("what", "describe", ...), unless nothing would be left.
 * One pseudo chunk; at most LIMIT_QUERY_TERMS distinct terms. */
int words_of_query(struct words *w, struct span query, const struct term_postings **ret);

#endif
