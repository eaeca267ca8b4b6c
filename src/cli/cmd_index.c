/* corpusfs index: all pending work now, or a look over the shoulder of the mount that is doing it. */
#include "cli/cmd.h"

#include "base/limits.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/where.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void print_summary(const struct corpus_index_summary *s, double seconds)
{
	char files[OUT_COUNT_TEXT], bytes[OUT_SIZE_TEXT], rate[OUT_SIZE_TEXT];
	(void)printf("%s, %s in %.1f s (%s/s): %llu computed, %llu unchanged, %llu skipped, %llu failed, %llu removed\n",
		     out_count(s->files, "file", "files", files), out_size((double)s->bytes, bytes), seconds,
		     out_size(seconds > 0 ? (double)s->bytes / seconds : 0, rate), (unsigned long long)s->computed,
		     (unsigned long long)s->unchanged, (unsigned long long)s->skipped, (unsigned long long)s->failed,
		     (unsigned long long)s->removed);
}

/* What the rest would cost; nothing is sent. */
static int print_cost(struct corpus *corpus)
{
	struct corpus_embedding_cost cost;
	char chunks[OUT_COUNT_TEXT], bytes[OUT_SIZE_TEXT];
	int r = corpus_embedding_cost(corpus, &cost);
	if (r < 0) {
		out_error("%s", r == -ENOENT ? "there is nothing to send without embed=URL" : strerror(-r));
		return r;
	}
	(void)printf("to be embedded by the server: %s of %llu, %s, about %llu tokens in %llu requests\n",
		     out_count(cost.missing, "chunk", "chunks", chunks), (unsigned long long)cost.chunks, out_size((double)cost.bytes, bytes),
		     (unsigned long long)cost.tokens, (unsigned long long)cost.requests);
	return 0;
}

static enum exit_code index_source(const struct config *config, const char *source)
{
	struct corpus *corpus = NULL;
	struct corpus_index_summary summary = {0};
	bool owned = false;
	int r = open_source(config, source, OPEN_OWN, &corpus, &owned);
	if (r == -EBUSY)
		open_explain_busy(config, source);
	if (r < 0)
		return EXIT_ERROR;
	struct timespec start = {0}, end = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	r = open_index(corpus, &summary);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	if (r == 0 && config->dry_run)
		r = print_cost(corpus);
	corpus_close(corpus);
	if (r < 0)
		return EXIT_ERROR;
	print_summary(&summary, (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
	if (summary.not_embedded && !config->dry_run) {
		out_error("%llu chunks are not embedded by the server yet; run it again when it answers", (unsigned long long)summary.not_embedded);
		return EXIT_ERROR;
	}
	return EXIT_FINE;
}

/* A look at the mount's status, a few times a second, until its indexer has nothing left. */
static enum exit_code watch_mount(const char *mountpoint)
{
	char path[PATH_MAX + 32];
	struct progress progress;
	struct report_progress now = {0};
	struct buf text;
	int r = 0;
	bool stop = false;
	(void)snprintf(path, sizeof(path), "%s/status/status.json", mountpoint);
	buf_init(&text, LIMIT_JSON_BYTES);
	progress_begin(&progress, "mount is indexing");
	while (!stop) {
		buf_reset(&text);
		r = out_read_file(path, &text);
		if (r == 0)
			r = report_read_progress(buf_span(&text), &now);
		if (r < 0 || now.complete || !now.indexes) /* with no indexer nothing is ever left to do */
			break;
		stop = progress_update(&progress, &now.progress);
		(void)usleep(250000);
	}
	(void)progress_end(&progress);
	buf_release(&text);
	if (r < 0)
		where_explain(path, -r);
	else if (stop)
		out_error("interrupted; the mount at %s goes on", mountpoint);
	else if (!now.indexes)
		out_error("%s: the mount there owns the store and was told not to index; unmount it first", mountpoint);
	else
		(void)printf("the mount at %s has indexed everything: %llu files\n", mountpoint, (unsigned long long)now.files);
	return r == 0 && !stop && now.indexes ? EXIT_FINE : EXIT_ERROR;
}

enum exit_code cmd_index(const struct config *config)
{
	struct where where;
	const char *name = config->arguments[0];
	if (where_find_source(name, config, &where) < 0)
		return EXIT_ERROR;
	return *where.mountpoint ? watch_mount(where.mountpoint) : index_source(config, where.source);
}
