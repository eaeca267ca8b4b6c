/* The vector space of an embedding server, beside the built-in one: filled in the background document by document; searches go to it once
 * it is complete, and back to the built-in one for as long as the server is away. docs/embedding-servers.md.
 *
 * The *target* is the model that the server has now, or had when it was last seen. It *serves* when every chunk of the index has a
 * vector of it. A server that answers as another model gets another target; nothing of the former is mixed in.
 *
 * All functions may be called from any thread, and with a corpus that has no server. */
#ifndef CORPUSFS_CORPUS_REMOTE_H
#define CORPUSFS_CORPUS_REMOTE_H

#include "base/json.h"
#include "corpus_impl.h"
#include "embed/server.h"

struct remote_model {
	struct embed_space space;
	struct embed_identity identity;
};

/* 0 also when no server is wanted. In a daemon this starts the thread that fills. */
int remote_start(struct corpus *c, struct err *err);
/* Ends the thread and every call to the server. */
void remote_stop(struct corpus *c);
void remote_free(struct corpus *c);

/* The index has changed: there may be something to embed. */
void remote_changed(struct corpus *c);
bool remote_wanted(const struct corpus *c);
/* False while no server was ever seen. */
bool remote_target(struct corpus *c, struct remote_model *ret);
/* True when searches go to the target. */
bool remote_serves(struct corpus *c, struct remote_model *ret);
/* Grows with each change of the space that searches go to. */
uint64_t remote_switches(struct corpus *c);

/* The query's vector: `m->space.dims` floats. -errno with *err when the server has none to give now. */
int remote_query(struct corpus *c, const struct remote_model *m, struct span text, float *x, struct err *err);
/* The vectors of a document, from the store or, where it has none yet, from the server: count * m->identity.dims floats that the caller frees. */
int remote_vectors(struct corpus *c, const struct remote_model *m, const struct corpus_doc *d, float **ret, struct err *err);
/* Whether this text was embedded in pieces or refused by the server; EMBED_WHOLE when neither, or not yet. */
enum embed_mark remote_mark(struct store_read *read, const struct remote_model *m, struct span text);
/* The mean of a stored document's rows, `m->space.dims` floats; -ENOENT when it has none yet. */
int remote_document_mean(struct corpus *c, struct store_read *read, const struct remote_model *m, uint32_t doc, float *x);

/* Embeds whatever is missing, while the caller waits. 0, -EINTR, or why the server did not do it all, with *err. */
int remote_fill(struct corpus *c, bool (*stop)(void *context), void *context, struct err *err);

/* The space of what vectors/ shows (meta.c): the target's, which is kept in *m, or the built-in model's; NULL when there is neither. */
const struct embed_space *document_space(struct corpus *c, struct remote_model *m);
/* The member "heading": the headings above a chunk, outermost first. */
void document_add_headings(struct jsonw *j, const struct chunk_list *list, uint32_t heading);

struct remote_counts {
	uint64_t chunks, missing, missing_bytes; /* of the index; bytes only when asked for */
};
int remote_count(struct corpus *c, bool bytes, struct remote_counts *ret);

/* The member "embedding" of status.json, and lines of metrics. */
void remote_status(struct corpus *c, struct jsonw *j);
void remote_metrics(struct corpus *c, struct buf *out);

#endif
