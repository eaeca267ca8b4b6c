/* The line that stands before the text of each page of a paged document: "<!-- page 12 -->". Written by extract/, read by clean/
 * and chunk/, and by people: in Markdown it is an invisible comment. */
#ifndef CORPUSFS_BASE_PAGE_MARKER_H
#define CORPUSFS_BASE_PAGE_MARKER_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* True if `line` (without its line end) is a page marker, with the page's number from 1 in *ret. */
bool page_marker_parse(struct span line, uint32_t *ret);

#endif
