#include "cli/open.h"

#include "cli/output.h"
#include "cli/progress.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <syslog.h>

/* What concerns one document is in `corpusfs status`; a person who waits for a verb sees what concerns all of them. */
static void log_serious(void *context, int priority, const char *line)
{
	(void)context;
	if (priority <= LOG_ERR)
		out_error("%s", line);
}

int open_extractors(const struct config *config, const char *extractors)
{
	char error[1024] = "";
	int r = extractors ? corpus_use_extractors(extractors, error, sizeof(error)) : 0;
	if (r == 0 && config->ocr)
		r = corpus_use_ocr(config->ocr_language ? config->ocr_language : "eng", error, sizeof(error));
	if (r < 0)
		out_error("%s", error);
	return r;
}

int open_helper(const struct config *config, const char *extractors)
{
	char error[1024] = "";
	int r = open_extractors(config, extractors);
	if (r < 0)
		return r;
	r = corpus_start_helper(error, sizeof(error));
	if (r < 0)
		out_error("%s", error);
	return r;
}

int open_source(const struct config *config, const char *source, enum open_mode mode, struct corpus **ret, bool *ret_owned)
{
	char error[1024] = "";
	struct corpus_options options = config_corpus_options(config, source);
	options.log = log_serious;
	options.embed_dry_run = config->dry_run;
	options.access = mode == OPEN_READ ? CORPUS_READ_ONLY : CORPUS_BATCH;
	int r = mode == OPEN_READ ? 0 : open_helper(config, config->extractors);
	if (r < 0)
		return r;
	r = corpus_open(&options, ret, error, sizeof(error));
	if (r == -EBUSY && mode == OPEN_OR_READ) {
		options.access = CORPUS_READ_ONLY;
		r = corpus_open(&options, ret, error, sizeof(error));
	}
	if (r == 0)
		*ret_owned = options.access != CORPUS_READ_ONLY;
	else if (r == -ENOENT && mode == OPEN_READ)
		out_error("%s: has no store yet; `corpusfs index` or `corpusfs mount` makes one", source);
	else if (r != -EBUSY)
		out_error("%s", error);
	return r;
}

void open_explain_busy(const struct config *config, const char *source)
{
	char mountpoint[PATH_MAX];
	struct corpus_options options = config_corpus_options(config, source);
	if (corpus_find_owner(&options, mountpoint, sizeof(mountpoint)) == 0)
		out_error("%s: is mounted at %s, whose process owns the store; unmount it first", source, mountpoint);
	else
		out_error("%s: another process owns the store; wait until it is done", source);
}

int open_index(struct corpus *corpus, struct corpus_index_summary *ret)
{
	char error[1024] = "";
	struct progress progress;
	progress_begin(&progress, "indexing");
	int r = corpus_index(corpus, progress_update, &progress, ret, error, sizeof(error));
	bool interrupted = progress_end(&progress);
	if (r < 0)
		out_error("%s", interrupted ? "interrupted; what was done is kept" : error);
	return r;
}
