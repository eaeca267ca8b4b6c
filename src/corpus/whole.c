/* Work on the whole corpus while somebody waits for it: `index` and `verify`. */
#include "jobs.h"
#include "remote.h"
#include "tree.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

enum { PROGRESS_MS = 100 };

typedef int progress_fn(void *context, const struct corpus_progress *p);

/* Calls a client's progress function from a thread of its own, so that walking and waiting need not think of it. */
struct ticker {
	struct corpus *c;
	struct refresh_progress *counts;
	progress_fn *progress;
	void *context;
	atomic_bool interrupted;
	bool ended; /* with `lock` and `wake`, so that the end does not wait for the next tick */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
};

static void report_progress(struct ticker *t)
{
	char current[LIMIT_PATH_BYTES + 1];
	struct corpus_progress p = {
		.files_total = atomic_load(&t->counts->files),
		.files_done = atomic_load(&t->counts->done),
		.walked = atomic_load(&t->counts->walked),
		.bytes_total = atomic_load(&t->counts->bytes_total),
		.bytes_done = atomic_load(&t->counts->bytes),
		.skipped = atomic_load(&t->counts->skipped),
		.failed = atomic_load(&t->counts->failed),
		.unchanged = atomic_load(&t->counts->unchanged),
		.current = jobs_current(t->c, current, sizeof(current)) ? current : NULL,
	};
	if (t->progress(t->context, &p) != 0)
		atomic_store(&t->interrupted, true);
}

static void *ticker_main(void *argument)
{
	struct ticker *t = argument;
	(void)pthread_mutex_lock(&t->lock);
	while (!t->ended) {
		(void)pthread_mutex_unlock(&t->lock);
		report_progress(t);
		struct timespec until;
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		(void)pthread_mutex_lock(&t->lock);
		if (!t->ended)
			(void)pthread_cond_timedwait(&t->wake, &t->lock, &until);
	}
	(void)pthread_mutex_unlock(&t->lock);
	return NULL;
}

static bool ticker_interrupted(void *context)
{
	struct ticker *t = context;
	return atomic_load(&t->interrupted);
}

static int ticker_start(struct ticker *t)
{
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_cond_init(&t->wake, NULL);
	return t->progress ? -pthread_create(&t->thread, NULL, ticker_main, t) : 0;
}

static void ticker_stop(struct ticker *t)
{
	if (!t->progress)
		return;
	(void)pthread_mutex_lock(&t->lock);
	t->ended = true;
	(void)pthread_cond_signal(&t->wake);
	(void)pthread_mutex_unlock(&t->lock);
	(void)pthread_join(t->thread, NULL);
	report_progress(t);
}

int corpus_index(struct corpus *c, progress_fn *progress, void *context, struct corpus_index_summary *ret, char *error, size_t error_size)
{
	struct refresh_progress counts = {0};
	struct ticker t = {.c = c, .counts = &counts, .progress = progress, .context = context};
	int r = ticker_start(&t);
	if (r == 0) {
		r = refresh_tree(c, "", &counts, ticker_interrupted, &t);
		/* Jobs refer to `counts`: they must all have ended before it goes. */
		while (!jobs_settle(c, 1000))
			;
		/* Members are known once their archive is committed; among them may be archives. */
		for (int opened = 1; r == 0 && opened > 0;) {
			store_flush(c->store);
			while (!jobs_drain(c, 1000))
				;
			opened = refresh_members(c, &counts, ticker_interrupted, &t);
			r = opened < 0 ? opened : 0;
			while (!jobs_settle(c, 1000))
				;
		}
		tree_rest(c->tree);
		ingest_collect(c);
		store_flush(c->store);
		while (!jobs_drain(c, 1000))
			;
		struct err err;
		if (r == 0 && !c->options.embed_dry_run && remote_fill(c, ticker_interrupted, &t, &err) < 0)
			corpus_log(c, LOG_ERR, "not all chunks are embedded: %s", err.text);
		ticker_stop(&t);
	}
	struct remote_counts left = {0};
	if (remote_wanted(c))
		(void)remote_count(c, false, &left);
	if (r < 0)
		(void)snprintf(error, error_size, "%s: %s", source_path(c->source), r == -EINTR ? "interrupted; what was done is kept" : strerror(-r));
	struct corpus_index_summary summary = {
		.files = atomic_load(&counts.files),
		.unchanged = atomic_load(&counts.unchanged),
		.computed = atomic_load(&counts.computed),
		.skipped = atomic_load(&counts.skipped),
		.failed = atomic_load(&counts.failed),
		.removed = atomic_load(&counts.removed),
		.bytes = atomic_load(&counts.bytes),
		.not_embedded = left.missing,
	};
	if (ret)
		*ret = summary;
	return r;
}

int corpus_embedding_cost(struct corpus *c, struct corpus_embedding_cost *ret)
{
	enum { BYTES_PER_TOKEN = 4, BATCH_TEXTS = 31 }; /* English; 32 texts a request, one of which is the canary */
	struct remote_counts counts;
	if (!remote_wanted(c))
		return -ENOENT;
	int r = remote_count(c, true, &counts);
	if (r == 0)
		*ret = (struct corpus_embedding_cost){.chunks = counts.chunks,
						      .missing = counts.missing,
						      .bytes = counts.missing_bytes,
						      .tokens = counts.missing_bytes / BYTES_PER_TOKEN,
						      .requests = (counts.missing + BATCH_TEXTS - 1) / BATCH_TEXTS};
	return r;
}

/* --- verify -------------------------------------------------------------------------------------------------------- */

struct verify {
	struct corpus *c;
	struct ticker ticker;
	void (*difference)(void *context, const struct corpus_difference *d);
	void *context;
	uint64_t checked, different;
	char *path; /* of the file being compared, NUL-terminated */
};

static void differs(struct verify *v, const char *stage, const char *message)
{
	v->different++;
	if (v->difference)
		v->difference(v->context, &(struct corpus_difference){v->path, stage, message});
}

static bool same_chunks(const struct chunk_list *a, const struct chunk_list *b)
{
	return a->count == b->count && a->heading_count == b->heading_count && a->heading_text_size == b->heading_text_size &&
	       (a->count == 0 || memcmp(a->chunks, b->chunks, a->count * sizeof(*a->chunks)) == 0) &&
	       (a->heading_text_size == 0 || memcmp(a->heading_text, b->heading_text, a->heading_text_size) == 0);
}

/* `kept` is what the store has, `made` what the bytes give now. */
static void compare(struct verify *v, const struct corpus_doc *kept, const struct corpus_doc *made)
{
	if (kept->has_source_hash && !hash_equal(&kept->source_hash, &made->source_hash))
		differs(v, "source", "its bytes are not those that the store was made from, although its stamp is the same");
	else if (!hash_equal(&kept->extraction, &made->extraction))
		differs(v, "extract", "another extractor or version is responsible for it now; `corpusfs index` brings it up to date");
	else if (kept->state != made->state)
		differs(v, "extract", made->state == STORE_OK ? "it has text now, the store says it has none" : made->message);
	else if (kept->state == STORE_OK && !hash_equal(&kept->clean, &made->clean))
		differs(v, "clean", "the clean text comes out differently");
	else if (kept->state == STORE_OK && !same_chunks(kept->chunks, made->chunks))
		differs(v, "chunks", "the chunks come out differently");
}

static int verify_file(void *context, const char *path, const struct stat *st)
{
	struct verify *v = context;
	if (ticker_interrupted(&v->ticker))
		return -EINTR;
	v->path = (char *)(uintptr_t)path;
	struct corpus_doc *kept = NULL, *made = NULL;
	int r = document_load(v->c, path, st, true, &kept);
	(void)atomic_fetch_add(&v->ticker.counts->files, 1);
	if (r == -ENOENT) {
		/* Never looked at or changed since: nothing is claimed about it. */
		(void)atomic_fetch_add(&v->ticker.counts->unchanged, 1);
	} else if (r < 0) {
		differs(v, "store", "its record cannot be read; `corpusfs index` makes it anew");
	} else {
		r = ingest_again(v->c, path, &made);
		if (r == 0)
			compare(v, kept, made);
		else if (r == -ENOMEM)
			goto out;
		else
			differs(v, "source", strerror(-r));
		v->checked++;
	}
	(void)atomic_fetch_add(&v->ticker.counts->bytes, (uint64_t)st->st_size);
	(void)atomic_fetch_add(&v->ticker.counts->done, 1);
	r = 0;
out:
	corpus_doc_unref(kept);
	corpus_doc_unref(made);
	return r;
}

static bool verify_enter(void *context, const char *path)
{
	struct verify *v = context;
	return ignore_check(v->c->ignore, path, true) == IGNORE_NO;
}

static void verify_failed(void *context, const char *path, int error)
{
	struct verify *v = context;
	corpus_log(v->c, LOG_WARNING, "%s/: not read: %s", path, strerror(-error));
}

int corpus_verify(struct corpus *c, progress_fn *progress, void (*difference)(void *context, const struct corpus_difference *d), void *context,
		  uint64_t *ret_checked, char *error, size_t error_size)
{
	struct refresh_progress counts = {0};
	struct verify v = {.c = c,
			   .ticker = {.c = c, .counts = &counts, .progress = progress, .context = context},
			   .difference = difference,
			   .context = context};
	int r = ticker_start(&v.ticker);
	if (r == 0) {
		struct source_visitor visitor = {.file = verify_file, .enter = verify_enter, .failed = verify_failed, .context = &v};
		r = tree_walk(c, "", true, &visitor);
		ticker_stop(&v.ticker);
	}
	*ret_checked = v.checked;
	if (r < 0)
		(void)snprintf(error, error_size, "%s: %s", source_path(c->source), r == -EINTR ? "interrupted" : strerror(-r));
	return r < 0 ? r : v.different > 0;
}
