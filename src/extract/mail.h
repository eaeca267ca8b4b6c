/* What mail looks like as Markdown, whatever it was kept in: MIME (mail.c) or Outlook's container (msg.c). Private to extract/. */
#ifndef CORPUSFS_EXTRACT_MAIL_H
#define CORPUSFS_EXTRACT_MAIL_H

#include "base/buf.h"
#include "extract/extract.h"

/* UTF-8, "" for what there is none of. */
struct mail_fields {
	const char *subject, *from, *to, *cc, *date;
};

/* The subject as a heading of level depth + 1, then the fields. */
void mail_add_head(const struct mail_fields *f, unsigned depth, struct buf *text);
/* A body as a paragraph of its own: lines as they are; what Markdown would take for markup at their beginning is escaped. */
void mail_add_plain(struct span utf8, struct buf *text);
/* A body that is Markdown already. */
void mail_add_markdown(struct span s, struct buf *text);
/* `page`: takes the page's title when it has none yet; may be NULL. 0, -ENOMEM or -EFBIG. */
int mail_add_html(struct span utf8, struct buf *text, struct extract_result *page);
void mail_add_attachment(const char *name, const char *type, struct buf *text);

#endif
