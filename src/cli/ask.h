/* One question, asked and waited for: of the library in this process, or of a mount by looking a path up. */
#ifndef CORPUSFS_CLI_ASK_H
#define CORPUSFS_CLI_ASK_H

#include "base/buf.h"
#include "corpusfs.h"

/* Runs a search and waits. 0 with a result set that the caller unrefs, or -errno. */
int ask_corpus(struct corpus *corpus, const struct corpus_query *query, struct corpus_results **ret);

/* Gets a document and waits, as corpus_get. 0 with a reference of the caller's, or -errno. */
int ask_document(struct corpus *corpus, const char *path, enum corpus_view view, struct corpus_doc **ret);

/* Appends `text` as a component of a path under search/: slashes and percent signs encoded, a leading dot too. The leading '@' of an option stays;
 * ask_add_query() encodes it for a query. */
void ask_add_component(struct buf *path, const char *text);
void ask_add_query(struct buf *path, const char *text);

#endif
