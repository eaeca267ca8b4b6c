/* Embedding: text -> unit vector in a named vector space. Probabilistic half; may fail, and then the rest goes on.
 *
 * An embedder is a table of functions with a space behind it. A model behind an embedding server is no embedder: it may be away, or another one
 * from one call to the next, and its callers have to know (server.h). The space's fingerprint names everything that decides the numbers; vectors of different fingerprints never meet. */
#ifndef CORPUSFS_EMBED_EMBED_H
#define CORPUSFS_EMBED_EMBED_H

#include "base/err.h"
#include "base/hash.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum embed_side { EMBED_PASSAGE, EMBED_QUERY };

struct embed_space {
	char name[64];		 /* "corpusfs-static-1", or the server's model name, cut */
	uint32_t dims;		 /* multiple of 64 as stored; remote dimensions are zero-padded up */
	struct hash fingerprint; /* of name, dims, prefixes, canary vectors or table bytes */
	float keyword_weight;	 /* share of BM25 in the fusion: about 0.6 static, 0.3 transformer */
	bool cheap;		 /* encoding costs less than reading a stored vector back matters: float rows are recomputed, not stored */
};

struct embedder;

/* The model compiled into the binary. One a process is enough: thread-safe. */
int embed_static_new(struct embedder **ret, struct err *err);
void embedder_free(struct embedder *e);
const struct embed_space *embed_space(const struct embedder *e);

/* Embeds `count` texts into out[count * dims], unit length each; a text without a known token gives the zero vector. Returns 0 or
 * -ENOMEM with *err filled. Thread-safe. */
int embed_texts(struct embedder *e, enum embed_side side, const struct span *texts, size_t count, float *out, struct err *err);
/* Whether the model has this word as a whole: a word that its texts use often. Thread-safe. */
bool embed_knows(struct embedder *e, struct span word);

#endif
