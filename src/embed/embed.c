/* The functions of embed.h, each passed on to the kind of embedder at hand. */
#include "embed/embed.h"

#include "embed/embedder.h"

void embedder_free(struct embedder *e)
{
	if (e)
		e->kind->free(e);
}

const struct embed_space *embed_space(const struct embedder *e)
{
	return &e->space;
}

int embed_texts(struct embedder *e, enum embed_side side, const struct span *texts, size_t count, float *out, struct err *err)
{
	return e->kind->texts(e, side, texts, count, out, err);
}

bool embed_knows(struct embedder *e, struct span word)
{
	return e->kind->knows(e, word);
}
