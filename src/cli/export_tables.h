/* tables/ of an export: one row a document, one row a chunk, as JSON lines. Made from the exported files themselves, one document at a time, so that
 * memory does not grow with the corpus. The schema is in docs/tables.md. */
#ifndef CORPUSFS_CLI_EXPORT_TABLES_H
#define CORPUSFS_CLI_EXPORT_TABLES_H

#include "base/span.h"

#include <stdio.h>

/* Adds the rows of one document: `meta` is its meta JSON, `clean` its clean text (empty when it has none). 0, -EBADMSG, or the error of writing. */
int export_add_rows(FILE *documents, FILE *chunks, struct span meta, struct span clean);

#endif
