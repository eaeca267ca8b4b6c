/* What the older Office formats share: the container is open (cfb.h), the title is known, and each kind writes its text. Private to extract/. */
#ifndef CORPUSFS_EXTRACT_OLE_H
#define CORPUSFS_EXTRACT_OLE_H

#include "extract/cfb.h"
#include "extract/format.h"

/* Errors as format_extract_fn. */
typedef int ole_extract_fn(const struct cfb *c, struct buf *text, struct extract_result *about);
ole_extract_fn doc_extract, xls_extract, ppt_extract, msg_extract;

/* The stream of that name in a storage (NULL: the root), appended to an initialised buffer; -ENOENT when there is none, or -ENOMEM. */
int ole_read(const struct cfb *c, const struct cfb_entry *storage, const char *name, struct buf *out);
/* Bytes in a code page, or UTF-16LE, appended as UTF-8. What is not valid becomes U+FFFD. */
void ole_add_bytes(int page, struct span s, struct buf *out);
void ole_add_utf16(struct span s, struct buf *out);

#endif
