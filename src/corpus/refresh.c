/* Keeping the store up to date with the source: one walk that compares stamps, and the background indexer that walks at start and then
 * follows changes.
 *
 * The indexer is only there so that need rarely waits: whatever it has not seen yet is still right at open, because every open
 * looks at the source. */
#include "jobs.h"
#include "tree.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	BATCH_FILES = 512,	 /* files compared with the store in one read transaction */
	MAX_CHANGED = 10000,	 /* changed paths remembered one by one; more become one look at everything */
	SETTLE_MS = 200,	 /* a burst of events on one file becomes one job */
	RESCAN_SECONDS = 30,	 /* when some folder cannot be watched */
};

/* --- one walk ------------------------------------------------------------------------------------------------------ */

struct pending_file {
	char *path;
	struct store_stamp stamp;
};

struct refresh {
	struct corpus *c;
	struct refresh_progress *progress;
	bool (*stop)(void *context);
	void *context;
	struct pending_file batch[BATCH_FILES];
	size_t batch_size;
	uint64_t present; /* files walked that the store had */
	bool excluded_folders;
	bool retry; /* documents whose extraction failed for want of memory or time are tried again */
};

/* True when another try may end differently. */
static bool may_succeed_now(struct store_read *r, const struct store_file *file)
{
	struct store_extraction x;
	return file->state == STORE_FAILED && store_get_extraction(r, &file->extraction, &x) == 0 && document_failure_may_pass(x.code);
}

/* True when the store has this version of the file, and it is findable if it should be. */
static bool is_current(const struct refresh *w, struct store_read *r, const struct pending_file *f, bool *ret_present)
{
	struct corpus *c = w->c;
	struct store_file file;
	struct store_doc doc;
	int result = store_get_file(r, span_of(f->path), &file);
	*ret_present = result == 0;
	if (result < 0 || file.racy || !corpus_stamp_equal(&file.stamp, &f->stamp))
		return false;
	if (exclusion_outdated(c, f->path, &file.extraction) || extraction_outdated(c, r, f->path, &file))
		return false;
	if (file.state != STORE_OK)
		return !w->retry || !may_succeed_now(r, &file);
	return store_get_doc(r, file.doc, &doc) == 0 && doc.indexed && document_has_vectors(c, r, &doc);
}

static int flush_batch(struct refresh *w)
{
	struct store_read *r;
	int result = w->batch_size ? store_read_begin(w->c->store, &r) : 0;
	if (result < 0 || w->batch_size == 0)
		return result;
	bool current[BATCH_FILES];
	for (size_t i = 0; i < w->batch_size; i++) {
		bool present = false;
		current[i] = is_current(w, r, &w->batch[i], &present);
		w->present += present;
	}
	store_read_end(r); /* before anything that can block */
	for (size_t i = 0; i < w->batch_size; i++) {
		if (current[i]) {
			(void)atomic_fetch_add(&w->progress->unchanged, 1);
			(void)atomic_fetch_add(&w->progress->done, 1);
		} else if (result == 0) {
			(void)atomic_fetch_add(&w->progress->bytes_total, w->batch[i].stamp.size);
			result = jobs_background(w->c, w->batch[i].path, w->progress);
		}
		free(w->batch[i].path);
	}
	w->batch_size = 0;
	return result;
}

static int visit_file(void *context, const char *path, const struct stat *st)
{
	struct refresh *w = context;
	if (w->stop && w->stop(w->context))
		return -EINTR;
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	(void)atomic_fetch_add(&w->progress->files, 1);
	w->batch[w->batch_size++] = (struct pending_file){copy, corpus_stamp(st)};
	return w->batch_size == BATCH_FILES ? flush_batch(w) : 0;
}

/* An excluded folder is not walked; one that the user excluded is listed with the reason. */
static bool enter_folder(void *context, const char *path)
{
	struct refresh *w = context;
	enum ignore_reason reason = ignore_check(w->c->ignore, path, true);
	if (reason == IGNORE_RULE && exclusion_put_folder(w->c, path, reason) == 0)
		w->excluded_folders = true;
	return reason == IGNORE_NO;
}

static void folder_failed(void *context, const char *path, int error)
{
	struct refresh *w = context;
	corpus_log(w->c, 3, "%s/: not read: %s", path, strerror(-error));
}

struct gone {
	struct buf paths; /* NUL-terminated */
	struct corpus *c;
};

static bool parent_is_excluded(struct corpus *c, const char *path)
{
	char parent[LIMIT_PATH_BYTES + 1];
	const char *slash = strrchr(path, '/');
	if (!slash)
		return false;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	return ignore_check(c->ignore, parent, true) != IGNORE_NO;
}

/* What was below a file that was not read in its present version: there until that is, if it has the name of an archive, because then it is looked
 * at again. */
static bool may_be_member(struct corpus *c, const char *path)
{
	char archive[LIMIT_PATH_BYTES + 1];
	return tree_unread(c, path, archive) == 0 && extract_name_may_be_archive(path_base_name(archive));
}

static int collect_if_gone(void *context, struct span path, const struct store_file *file)
{
	struct gone *g = context;
	(void)file;
	char name[LIMIT_PATH_BYTES + 1];
	if (path.size > LIMIT_PATH_BYTES)
		return 0;
	memcpy(name, path.data, path.size);
	name[path.size] = '\0';
	bool folder = path.size && name[path.size - 1] == '/'; /* a note that a folder is excluded */
	if (folder)
		name[path.size - 1] = '\0';
	struct stat st;
	int r = tree_stat(g->c, name, &st);
	bool gone = r == 0 ? !(folder ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)) : (r == -ENOENT || r == -ENOTDIR || (r == -EINPROGRESS && !may_be_member(g->c, name)));
	/* What lies below a folder that is excluded now is gone from the derived views as well. */
	gone = gone || (r == 0 && folder && ignore_check(g->c->ignore, name, true) != IGNORE_RULE);
	gone = gone || (r == 0 && !folder && parent_is_excluded(g->c, name));
	if (folder)
		name[path.size - 1] = '/';
	if (gone)
		buf_add(&g->paths, name, path.size + 1);
	return buf_error(&g->paths);
}

/* Takes files at and below `path` that are no longer in the source out of the store. */
static int remove_gone(struct corpus *c, const char *path, struct refresh_progress *progress)
{
	struct gone g = {.c = c};
	buf_init(&g.paths, (size_t)1 << 30);
	struct buf prefix;
	buf_init(&prefix, LIMIT_PATH_BYTES + 1);
	buf_addf(&prefix, "%s%s", path, *path ? "/" : "");
	struct store_read *r;
	int result = store_read_begin(c->store, &r);
	if (result == 0) {
		struct store_file file;
		if (*path && store_get_file(r, span_of(path), &file) == 0)
			result = collect_if_gone(&g, span_of(path), &file);
		if (result == 0)
			result = store_each_file(r, buf_span(&prefix), collect_if_gone, &g);
		store_read_end(r);
	}
	for (size_t at = 0; result == 0 && at < g.paths.size; at += strlen(g.paths.data + at) + 1) {
		result = ingest_remove(c, g.paths.data + at);
		(void)atomic_fetch_add(&progress->removed, 1);
	}
	buf_release(&prefix);
	buf_release(&g.paths);
	return result;
}

static uint64_t files_in_store(struct corpus *c)
{
	struct store_read *r;
	struct store_counts counts = {0};
	if (store_read_begin(c->store, &r) == 0) {
		(void)store_counts(r, &counts);
		store_read_end(r);
	}
	return counts.files;
}

int refresh_tree(struct corpus *c, const char *path, struct refresh_progress *progress, bool (*stop)(void *context), void *context)
{
	struct refresh *CLEANUP_FREE w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	/* Once for each process that indexes: not at every look, because such documents take long to fail. */
	bool retry = !*path && !atomic_load(&progress->walked);
	*w = (struct refresh){.c = c, .progress = progress, .stop = stop, .context = context, .retry = retry};
	uint64_t before = files_in_store(c);
	struct source_visitor visitor = {.file = visit_file, .enter = enter_folder, .failed = folder_failed, .context = w};
	int r = tree_walk(c, path, false, &visitor);
	int flushed = flush_batch(w);
	r = r < 0 ? r : flushed;
	atomic_store(&progress->walked, true);
	/* When the walk met as many files as the store had, none is gone, and the store need not be walked. */
	if (r == -ENOENT || r == -ENOTDIR || (r == 0 && (*path || w->excluded_folders || w->present < before)))
		r = remove_gone(c, path, progress);
	return r;
}

/* --- members of archives -------------------------------------------------------------------------------------------- */

void refresh_note_archive(struct corpus *c, const char *path)
{
	(void)pthread_mutex_lock(&c->lock);
	buf_add(&c->opened, path, strlen(path) + 1);
	if (buf_error(&c->opened))
		buf_reset(&c->opened); /* the next look at everything finds them */
	(void)pthread_mutex_unlock(&c->lock);
	indexer_wake(c);
}

/* One archive: what is in it now, and what was and is not any more. */
static int refresh_archive(struct corpus *c, const char *path, struct refresh_progress *progress, bool (*stop)(void *context), void *context)
{
	struct refresh *CLEANUP_FREE w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct refresh){.c = c, .progress = progress, .stop = stop, .context = context};
	struct source_visitor visitor = {.file = visit_file, .context = w};
	int r = tree_walk_members(c, path, false, &visitor);
	int flushed = flush_batch(w);
	r = r < 0 ? r : flushed;
	return r < 0 ? r : remove_gone(c, path, progress);
}

int refresh_members(struct corpus *c, struct refresh_progress *progress, bool (*stop)(void *context), void *context)
{
	(void)pthread_mutex_lock(&c->lock);
	struct buf paths = c->opened;
	buf_init(&c->opened, paths.limit);
	(void)pthread_mutex_unlock(&c->lock);
	int r = 0, count = 0;
	for (size_t at = 0; r == 0 && at < paths.size; at += strlen(paths.data + at) + 1, count++)
		r = refresh_archive(c, paths.data + at, progress, stop, context);
	buf_release(&paths);
	return r < 0 ? r : count;
}

/* --- the background indexer ---------------------------------------------------------------------------------------- */

struct indexer {
	struct corpus *c;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool stopping, started, everything, members, idle; /* members: archives were read */
	uint64_t store_errors; /* counted when everything was last looked at */
	char **changed;
	size_t changed_count, changed_capacity;
	struct refresh_progress progress;
};

static bool indexer_stopping(void *context)
{
	struct indexer *x = context;
	(void)pthread_mutex_lock(&x->lock);
	bool stopping = x->stopping;
	(void)pthread_mutex_unlock(&x->lock);
	return stopping;
}

/* Under the indexer's lock. */
static void forget_changes(struct indexer *x)
{
	for (size_t i = 0; i < x->changed_count; i++)
		free(x->changed[i]);
	x->changed_count = 0;
}

void indexer_changed(struct corpus *c, const char *path)
{
	struct indexer *x = c->indexer;
	if (!x)
		return;
	(void)pthread_mutex_lock(&x->lock);
	bool known = x->changed_count && strcmp(x->changed[x->changed_count - 1], path) == 0;
	if (!*path || x->changed_count >= MAX_CHANGED) {
		x->everything = true;
		forget_changes(x);
	} else if (!x->everything && !known) {
		if (x->changed_count == x->changed_capacity) {
			size_t capacity = x->changed_capacity ? x->changed_capacity * 2 : 64;
			char **changed = reallocarray(x->changed, capacity, sizeof(*changed));
			x->everything = x->everything || !changed;
			x->changed = changed ? changed : x->changed;
			x->changed_capacity = changed ? capacity : x->changed_capacity;
		}
		char *copy = strdup(path);
		if (copy && x->changed_count < x->changed_capacity)
			x->changed[x->changed_count++] = copy;
		else {
			free(copy);
			x->everything = true;
		}
	}
	x->idle = false;
	(void)pthread_cond_signal(&x->work);
	(void)pthread_mutex_unlock(&x->lock);
}

void indexer_wake(struct corpus *c)
{
	struct indexer *x = c->indexer;
	if (!x)
		return;
	(void)pthread_mutex_lock(&x->lock);
	x->members = true;
	x->idle = false;
	(void)pthread_cond_signal(&x->work);
	(void)pthread_mutex_unlock(&x->lock);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void refresh_logged(struct indexer *x, const char *path)
{
	int r = refresh_tree(x->c, path, &x->progress, indexer_stopping, x);
	if (r < 0 && r != -EINTR && r != -ESHUTDOWN && r != -EINVAL)
		corpus_log(x->c, 4, "%s: not brought up to date: %s", *path ? path : source_path(x->c->source), strerror(-r));
}

/* Handles a batch of changed paths, each once. */
static void handle_changes(struct indexer *x, char **paths, size_t count)
{
	if (count)
		qsort(paths, count, sizeof(*paths), compare_strings);
	for (size_t i = 0; i < count; i++) {
		if ((i == 0 || strcmp(paths[i], paths[i - 1]) != 0) && !indexer_stopping(x))
			refresh_logged(x, paths[i]);
	}
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
}

/* Under the lock: waits for work, or until it is time to look at everything because not all folders are watched. */
static void wait_for_work(struct indexer *x)
{
	while (!x->stopping && !x->everything && !x->members && x->changed_count == 0) {
		struct timespec until;
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += RESCAN_SECONDS;
		x->idle = true;
		int r = pthread_cond_timedwait(&x->work, &x->lock, &until);
		/* What could not be kept, on a full disk for one, is tried again. */
		if (r == ETIMEDOUT && (!source_watch_complete(x->c->source) || atomic_load(&x->c->store_errors) != x->store_errors))
			x->everything = true;
	}
	x->idle = false;
}

static void *indexer_main(void *argument)
{
	struct indexer *x = argument;
	(void)pthread_mutex_lock(&x->lock);
	while (!x->stopping) {
		bool everything = x->everything, members = x->members;
		char **changed = x->changed;
		size_t count = x->changed_count;
		x->everything = x->members = false;
		if (everything)
			x->store_errors = atomic_load(&x->c->store_errors);
		x->changed = NULL;
		x->changed_count = x->changed_capacity = 0;
		(void)pthread_mutex_unlock(&x->lock);
		handle_changes(x, changed, count);
		if (everything)
			refresh_logged(x, "");
		if (members)
			(void)refresh_members(x->c, &x->progress, indexer_stopping, x);
		while (!jobs_drain(x->c, 500) && !indexer_stopping(x))
			;
		if (!indexer_stopping(x))
			ingest_collect(x->c);
		(void)pthread_mutex_lock(&x->lock);
		if (!x->members)
			tree_rest(x->c->tree);
		wait_for_work(x);
		if (x->stopping || x->everything || x->members)
			continue;
		(void)pthread_mutex_unlock(&x->lock);
		(void)nanosleep(&(struct timespec){0, SETTLE_MS * 1000000L}, NULL);
		(void)pthread_mutex_lock(&x->lock);
	}
	(void)pthread_mutex_unlock(&x->lock);
	return NULL;
}

struct refresh_progress *indexer_progress(struct corpus *c)
{
	return c->indexer ? &c->indexer->progress : NULL;
}

bool indexer_idle(struct corpus *c)
{
	struct indexer *x = c->indexer;
	if (!x)
		return true;
	(void)pthread_mutex_lock(&x->lock);
	bool idle = x->idle && !x->everything && !x->members && x->changed_count == 0;
	(void)pthread_mutex_unlock(&x->lock);
	return idle && jobs_outstanding(c) == 0;
}

int indexer_start(struct corpus *c)
{
	struct indexer *x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->c = c;
	x->everything = true;
	(void)pthread_mutex_init(&x->lock, NULL);
	(void)pthread_cond_init(&x->work, NULL);
	c->indexer = x;
	int r = -pthread_create(&x->thread, NULL, indexer_main, x);
	x->started = r == 0;
	if (r < 0)
		indexer_stop(c);
	return r;
}

void indexer_stop(struct corpus *c)
{
	struct indexer *x = c->indexer;
	if (!x)
		return;
	(void)pthread_mutex_lock(&x->lock);
	x->stopping = true;
	(void)pthread_cond_signal(&x->work);
	(void)pthread_mutex_unlock(&x->lock);
	if (x->started)
		(void)pthread_join(x->thread, NULL);
	c->indexer = NULL;
	forget_changes(x);
	free(x->changed);
	(void)pthread_mutex_destroy(&x->lock);
	(void)pthread_cond_destroy(&x->work);
	free(x);
}
