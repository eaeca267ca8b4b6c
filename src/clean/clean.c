/* The two steps of cleaning: see clean.h. */
#include "clean/clean.h"

#include "base/cleanup.h"
#include "clean/boilerplate.h"
#include "clean/normalise.h"

static int clean_paged(struct span text, const struct clean_options *options, struct buf *out)
{
	struct buf CLEANUP(buf_release) normal = {0};
	buf_init(&normal, out->limit);
	normalise_text(text, options, &normal);
	if (buf_error(&normal))
		return buf_error(&normal);
	int r = boilerplate_remove(buf_span(&normal), out);
	return r ? r : buf_error(out);
}

int clean_text(struct span text, const struct clean_options *options, struct buf *out)
{
	if (options->paged && !options->code)
		return clean_paged(text, options, out);
	normalise_text(text, options, out);
	return buf_error(out);
}
