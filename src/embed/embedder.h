/* What stands behind a `struct embedder`: the table of functions that every kind of embedder fills in. Private to this folder. */
#ifndef CORPUSFS_EMBED_EMBEDDER_H
#define CORPUSFS_EMBED_EMBEDDER_H

#include "embed/embed.h"

struct embedder_kind {
	/* As embed_texts(). */
	int (*texts)(struct embedder *e, enum embed_side side, const struct span *texts, size_t count, float *out, struct err *err);
	/* As embed_knows(). */
	bool (*knows)(struct embedder *e, struct span word);
	/* Frees everything, the struct too. */
	void (*free)(struct embedder *e);
};

/* First member of each kind's own struct. */
struct embedder {
	const struct embedder_kind *kind;
	struct embed_space space;
};

/* An embedder from a model file in memory, which must outlive it and start at a multiple of 64 bytes. Everything about the file is
 * checked: -EINVAL with *err filled when it is damaged, of another version, or no model; -ENOMEM. */
int embed_static_from(struct span model, struct embedder **ret, struct err *err);

/* The model file in the binary. */
struct span embed_static_model(void);

#endif
