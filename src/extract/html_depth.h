/* Takes tags out of HTML that nests deeper than any page does, before it is parsed. gumbo walks all open elements at many tags, so that a page of
 * 100,000 of them inside each other costs it a minute; browsers stop nesting at 512. The text inside stays. Linear; thread-safe. */
#ifndef CORPUSFS_EXTRACT_HTML_DEPTH_H
#define CORPUSFS_EXTRACT_HTML_DEPTH_H

#include "base/buf.h"
#include "base/span.h"

enum { HTML_DEPTH = 512 };

/* *ret is `page` itself when it nests less deep, else what remains of it, in `store`. 0 or the error of `store`. */
int html_limit_depth(struct span page, struct buf *store, struct span *ret);

#endif
