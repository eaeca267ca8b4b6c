/* corpusfs verify: recomputes the deterministic half and reports every difference. */
#include "cli/cmd.h"

#include "cli/open.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/where.h"

#include <errno.h>
#include <string.h>

struct verification {
	struct progress progress; /* first: progress_update() is handed the verification */
	uint64_t differences;
};

static void print_difference(void *context, const struct corpus_difference *d)
{
	struct verification *v = context;
	v->differences++;
	if (v->progress.drawn)
		(void)fputs("\r\033[K", stderr);
	out_clean(stdout, d->path, strlen(d->path));
	(void)printf(": %s: ", d->stage);
	out_clean(stdout, d->message, strlen(d->message));
	(void)fputc('\n', stdout);
}

static enum exit_code verify(struct corpus *corpus)
{
	char error[1024] = "", documents[OUT_COUNT_TEXT], differences[OUT_COUNT_TEXT];
	struct verification v = {0};
	uint64_t checked = 0;
	progress_begin(&v.progress, "verifying");
	int r = corpus_verify(corpus, progress_update, print_difference, &v, &checked, error, sizeof(error));
	bool interrupted = progress_end(&v.progress);
	if (r < 0) {
		out_error("%s", interrupted ? "interrupted" : error);
		return EXIT_ERROR;
	}
	(void)printf("%s checked, %s\n", out_count(checked, "document", "documents", documents),
		     out_count(v.differences, "difference", "differences", differences));
	return r > 0 ? EXIT_NOTHING : EXIT_FINE;
}

enum exit_code cmd_verify(const struct config *config)
{
	struct where where;
	struct corpus *corpus = NULL;
	bool owned = false;
	if (where_find_source(config->arguments[0], config, &where) < 0)
		return EXIT_ERROR;
	int r = open_source(config, where.source, OPEN_OR_READ, &corpus, &owned);
	if (r < 0)
		return EXIT_ERROR;
	enum exit_code code = verify(corpus);
	corpus_close(corpus);
	return code;
}
