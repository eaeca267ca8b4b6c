/* Words that a line break of a page split: "docu-" at the end of a line, "ment" at the beginning of the next. Private to clean/. */
#ifndef CORPUSFS_CLEAN_HYPHENS_H
#define CORPUSFS_CLEAN_HYPHENS_H

#include "base/buf.h"

struct hyphens;

int hyphens_new(struct hyphens **ret);
void hyphens_free(struct hyphens *h);
void hyphens_cleanup(struct hyphens **h);

/* First, for every page: notes the broken words of a page, so that only their parts need counting. Returns 0 or -ENOMEM. */
int hyphens_collect(struct hyphens *h, struct span body);
/* Second, for every page: counts how the noted words are written elsewhere in the document. */
void hyphens_count_words(struct hyphens *h, struct span body);
/* Third: appends the page with its broken words joined, and a line end unless it is empty. A compound that is written with its
 * hyphen elsewhere, or whose parts are both words of the document, keeps the hyphen. */
void hyphens_write(const struct hyphens *h, struct span body, struct buf *out);

#endif
