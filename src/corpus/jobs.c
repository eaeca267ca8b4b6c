/* Lanes, the job table and waits: see jobs.h. */
#include "jobs.h"
#include "remote.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { JOB_BUCKETS = 4096, INTERACTIVE_THREADS = 16, MAX_UNSETTLED = 256 };

struct waiter {
	struct corpus_wait *wait; /* NULL once it left */
	struct job *job;	  /* whose list it is in, or NULL */
	enum corpus_view view;
	struct waiter *next, *previous;		      /* among the job's */
	struct waiter *next_deadline, *previous_deadline; /* among all, oldest first */
	struct timespec deadline;
	bool task; /* owned by a task that will call waits_finish */
};

struct lane_threads {
	pthread_cond_t work;
	struct task *first, *last;
	pthread_t *threads;
	unsigned thread_count;
};

struct jobs {
	struct corpus *corpus;
	struct lane_threads lanes[LANE_COUNT];
	struct job *buckets[JOB_BUCKETS];
	struct waiter *oldest, *newest;
	pthread_cond_t clock_work, drained, running_changed;
	pthread_t clock;
	bool clock_started, stopping;
	unsigned outstanding, unsettled;
	struct job *running[64]; /* for progress lines and leaders */
};

/* --- workers ------------------------------------------------------------------------------------------------------- */

int worker_words(struct worker *w, struct words **ret)
{
	int r = w->words ? 0 : words_new(&w->words);
	if (r == 0)
		*ret = w->words;
	return r;
}

int worker_searcher(struct worker *w, struct searcher **ret)
{
	int r = w->searcher ? 0 : searcher_new(&w->searcher);
	if (r == 0)
		*ret = w->searcher;
	return r;
}

/* Under the lock. */
static void lane_add(struct jobs *j, struct task *t, enum lane lane)
{
	struct lane_threads *l = &j->lanes[lane];
	t->lane = lane;
	t->queued = true;
	t->next = NULL;
	t->previous = l->last;
	if (l->last)
		l->last->next = t;
	else
		l->first = t;
	l->last = t;
	(void)pthread_cond_signal(&l->work);
}

/* Under the lock. */
static void lane_remove(struct jobs *j, struct task *t)
{
	struct lane_threads *l = &j->lanes[t->lane];
	if (t->previous)
		t->previous->next = t->next;
	else
		l->first = t->next;
	if (t->next)
		t->next->previous = t->previous;
	else
		l->last = t->previous;
	t->queued = false;
}

void jobs_push(struct jobs *j, struct task *t, enum lane lane)
{
	(void)pthread_mutex_lock(&j->corpus->lock);
	lane_add(j, t, lane);
	(void)pthread_mutex_unlock(&j->corpus->lock);
}

struct lane_argument {
	struct jobs *jobs;
	enum lane lane;
};

static void *lane_main(void *argument)
{
	struct lane_argument a = *(struct lane_argument *)argument;
	free(argument);
	struct corpus *c = a.jobs->corpus;
	struct lane_threads *l = &a.jobs->lanes[a.lane];
	struct worker worker = {.corpus = c};
	(void)pthread_mutex_lock(&c->lock);
	while (!a.jobs->stopping) {
		struct task *t = l->first;
		if (!t) {
			(void)pthread_cond_wait(&l->work, &c->lock);
			continue;
		}
		lane_remove(a.jobs, t);
		(void)pthread_mutex_unlock(&c->lock);
		t->run(t, &worker);
		(void)pthread_mutex_lock(&c->lock);
	}
	(void)pthread_mutex_unlock(&c->lock);
	words_free(worker.words);
	searcher_free(worker.searcher);
	return NULL;
}

/* --- waits --------------------------------------------------------------------------------------------------------- */

/* Under the lock: takes a waiter out of every list and gives its wait to the caller, who now must end it: it can no longer be cancelled or
 * time out. */
static struct corpus_wait *waiter_detach(struct jobs *j, struct waiter *w)
{
	struct corpus_wait *wait = w->wait;
	if (w->job) {
		if (w->previous)
			w->previous->next = w->next;
		else
			w->job->waiters = w->next;
		if (w->next)
			w->next->previous = w->previous;
		w->job = NULL;
	}
	if (w->previous_deadline)
		w->previous_deadline->next_deadline = w->next_deadline;
	else if (j->oldest == w)
		j->oldest = w->next_deadline;
	if (w->next_deadline)
		w->next_deadline->previous_deadline = w->previous_deadline;
	else if (j->newest == w)
		j->newest = w->previous_deadline;
	w->next = w->previous = w->next_deadline = w->previous_deadline = NULL;
	wait->private_data = NULL;
	w->wait = NULL;
	if (!w->task)
		free(w);
	return wait;
}

/* Under the lock. */
static struct waiter *waiter_new(struct corpus *c, struct corpus_wait *wait, enum corpus_view view)
{
	struct jobs *j = c->jobs;
	struct waiter *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->wait = wait;
	w->view = view;
	wait->private_data = w;
	unsigned ms = c->options.deadline_ms;
	(void)clock_gettime(CLOCK_MONOTONIC, &w->deadline);
	w->deadline.tv_sec += ms / 1000;
	w->deadline.tv_nsec += (long)(ms % 1000) * 1000000;
	if (w->deadline.tv_nsec >= 1000000000) {
		w->deadline.tv_sec++;
		w->deadline.tv_nsec -= 1000000000;
	}
	/* The deadline is the same for all, so the order of arrival is the order of deadlines. */
	w->previous_deadline = j->newest;
	if (j->newest)
		j->newest->next_deadline = w;
	else
		j->oldest = w;
	j->newest = w;
	if (ms && j->oldest == w)
		(void)pthread_cond_signal(&j->clock_work);
	return w;
}

static bool timespec_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static void *clock_main(void *argument)
{
	struct jobs *j = argument;
	struct corpus *c = j->corpus;
	(void)pthread_mutex_lock(&c->lock);
	while (!j->stopping) {
		struct waiter *w = j->oldest;
		if (!w || !c->options.deadline_ms) {
			(void)pthread_cond_wait(&j->clock_work, &c->lock);
			continue;
		}
		struct timespec now;
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		if (timespec_before(&now, &w->deadline)) {
			struct timespec until = w->deadline;
			(void)pthread_cond_timedwait(&j->clock_work, &c->lock, &until);
			continue;
		}
		struct corpus_wait *wait = waiter_detach(j, w);
		(void)pthread_mutex_unlock(&c->lock);
		wait->done(wait, -ETIMEDOUT, NULL);
		(void)pthread_mutex_lock(&c->lock);
	}
	(void)pthread_mutex_unlock(&c->lock);
	return NULL;
}

bool corpus_cancel(struct corpus *c, struct corpus_wait *wait)
{
	(void)pthread_mutex_lock(&c->lock);
	struct waiter *w = wait->private_data;
	if (w)
		(void)waiter_detach(c->jobs, w);
	(void)pthread_mutex_unlock(&c->lock);
	return w != NULL;
}

int waits_open(struct corpus *c, struct corpus_wait *wait, struct waiter **ret)
{
	(void)pthread_mutex_lock(&c->lock);
	struct waiter *w = waiter_new(c, wait, CORPUS_CLEAN);
	if (w) {
		w->task = true;
		*ret = w;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return w ? 0 : -ENOMEM;
}

bool waits_alive(struct corpus *c, const struct waiter *waiter)
{
	(void)pthread_mutex_lock(&c->lock);
	bool alive = waiter->wait != NULL;
	(void)pthread_mutex_unlock(&c->lock);
	return alive;
}

void waits_finish(struct corpus *c, struct waiter *w, int result, void *object, void (*drop)(void *object))
{
	(void)pthread_mutex_lock(&c->lock);
	struct corpus_wait *wait = w->wait ? waiter_detach(c->jobs, w) : NULL;
	(void)pthread_mutex_unlock(&c->lock);
	free(w);
	if (wait)
		wait->done(wait, result, object);
	else if (object)
		drop(object);
}

/* --- the job table ------------------------------------------------------------------------------------------------- */

static struct job **bucket_of(struct jobs *j, const char *path)
{
	return &j->buckets[checksum64(path, strlen(path)) % JOB_BUCKETS];
}

/* Under the lock. */
static struct job *job_find(struct jobs *j, const char *path)
{
	struct job *job = *bucket_of(j, path);
	while (job && strcmp(job->path, path) != 0)
		job = job->next;
	return job;
}

static void job_run(struct task *t, struct worker *w);

/* Under the lock: a new queued job, in the table. */
static struct job *job_add(struct corpus *c, const char *path, enum lane lane)
{
	struct job *job = calloc(1, sizeof(*job));
	char *copy = strdup(path);
	if (!job || !copy) {
		free(job);
		free(copy);
		return NULL;
	}
	job->corpus = c;
	job->path = copy;
	job->task.run = job_run;
	struct job **bucket = bucket_of(c->jobs, path);
	job->next = *bucket;
	*bucket = job;
	lane_add(c->jobs, &job->task, lane);
	return job;
}

/* Under the lock: (back) to the lane that suits who waits for it. */
static void job_requeue(struct job *job)
{
	job->state = JOB_QUEUED;
	lane_add(job->corpus->jobs, &job->task, job->waiters ? LANE_INTERACTIVE : LANE_BACKGROUND);
}

/* Under the lock: those who waited for the same bytes will find the result in the store. */
static void requeue_followers(struct job *job)
{
	struct job *follower = job->followers;
	job->followers = NULL;
	while (follower) {
		struct job *next = follower->next_follower;
		follower->next_follower = NULL;
		job_requeue(follower);
		follower = next;
	}
}

/* Under the lock: the work is done, whatever became of it; memory is bounded by the store's queue from here. */
static void job_settle(struct job *job)
{
	struct jobs *j = job->corpus->jobs;
	if (job->unsettled && (--j->unsettled == 0 || j->unsettled == MAX_UNSETTLED / 2))
		(void)pthread_cond_broadcast(&j->drained);
	job->unsettled = false;
}

/* Under the lock: out of the table; followers go back to their lanes. */
static void job_remove(struct job *job)
{
	struct jobs *j = job->corpus->jobs;
	struct job **at = bucket_of(j, job->path);
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	requeue_followers(job);
	job_settle(job);
	if (job->counted && --j->outstanding == 0)
		(void)pthread_cond_broadcast(&j->drained);
}

static void job_free(struct job *job)
{
	corpus_doc_unref(job->doc);
	free(job->path);
	free(job);
}

struct corpus_doc *jobs_recent(struct corpus *c, const char *path, const struct store_stamp *stamp)
{
	struct corpus_doc *found = NULL;
	(void)pthread_mutex_lock(&c->lock);
	struct job *job = job_find(c->jobs, path);
	if (job && job->state == JOB_PUBLISHED && job->doc && corpus_stamp_equal(&job->doc->stamp, stamp))
		found = corpus_doc_ref(job->doc);
	(void)pthread_mutex_unlock(&c->lock);
	return found;
}

int jobs_wait_for(struct corpus *c, const char *path, enum corpus_view view, struct corpus_wait *wait)
{
	struct jobs *j = c->jobs;
	(void)pthread_mutex_lock(&c->lock);
	enum lane lane = wait->background ? LANE_BACKGROUND : LANE_INTERACTIVE;
	struct job *job = job_find(j, path);
	if (!job) {
		job = job_add(c, path, lane);
	} else if (job->state == JOB_PUBLISHED) {
		/* Its result is of an older version of the source, or the caller would not be here: look again after the commit. */
		job->stale = true;
	} else if (job->task.queued && lane == LANE_INTERACTIVE && job->task.lane == LANE_BACKGROUND) {
		lane_remove(j, &job->task);
		lane_add(j, &job->task, LANE_INTERACTIVE);
	}
	struct waiter *w = job && !j->stopping ? waiter_new(c, wait, view) : NULL;
	if (w) {
		w->job = job;
		w->next = job->waiters;
		if (w->next)
			w->next->previous = w;
		job->waiters = w;
	}
	int r = w ? -EINPROGRESS : j->stopping ? -ESHUTDOWN : -ENOMEM;
	(void)pthread_mutex_unlock(&c->lock);
	return r;
}

int jobs_background(struct corpus *c, const char *path, struct refresh_progress *progress)
{
	struct jobs *j = c->jobs;
	int r = 0;
	(void)pthread_mutex_lock(&c->lock);
	while (j->unsettled >= MAX_UNSETTLED && !j->stopping)
		(void)pthread_cond_wait(&j->drained, &c->lock);
	struct job *job = job_find(j, path);
	if (j->stopping) {
		r = -ESHUTDOWN;
	} else if (job) {
		job->stale = job->stale || job->state != JOB_QUEUED;
	} else if (!(job = job_add(c, path, LANE_BACKGROUND))) {
		r = -ENOMEM;
	}
	if (r == 0 && !job->counted) {
		job->counted = job->unsettled = true;
		job->progress = progress;
		j->outstanding++;
		j->unsettled++;
	} else if (r == 0 && progress) {
		(void)atomic_fetch_add(&progress->done, 1);
	}
	(void)pthread_mutex_unlock(&c->lock);
	return r;
}

/* Waits until a count of the jobs is 0. */
static bool wait_for_zero(struct corpus *c, const unsigned *count, unsigned milliseconds)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += milliseconds / 1000;
	until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&c->lock);
	int r = 0;
	while (*count && !c->jobs->stopping && r == 0)
		r = pthread_cond_timedwait(&c->jobs->drained, &c->lock, &until);
	bool empty = *count == 0;
	(void)pthread_mutex_unlock(&c->lock);
	return empty;
}

bool jobs_settle(struct corpus *c, unsigned milliseconds)
{
	return wait_for_zero(c, &c->jobs->unsettled, milliseconds);
}

bool jobs_drain(struct corpus *c, unsigned milliseconds)
{
	return wait_for_zero(c, &c->jobs->outstanding, milliseconds);
}

unsigned jobs_outstanding(struct corpus *c)
{
	(void)pthread_mutex_lock(&c->lock);
	unsigned n = c->jobs->outstanding;
	(void)pthread_mutex_unlock(&c->lock);
	return n;
}

bool jobs_current(struct corpus *c, char *path, size_t size)
{
	bool found = false;
	(void)pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < sizeof(c->jobs->running) / sizeof(*c->jobs->running) && !found; i++)
		if (c->jobs->running[i]) {
			found = true;
			size_t n = strlen(c->jobs->running[i]->path);
			n = n < size ? n : size - 1;
			memcpy(path, c->jobs->running[i]->path, n);
			path[n] = '\0';
		}
	(void)pthread_mutex_unlock(&c->lock);
	return found;
}

bool jobs_lead(struct job *job, const struct hash *key)
{
	struct jobs *j = job->corpus->jobs;
	bool leads = true;
	(void)pthread_mutex_lock(&job->corpus->lock);
	for (size_t i = 0; i < sizeof(j->running) / sizeof(*j->running) && leads; i++) {
		struct job *other = j->running[i];
		if (!other || other == job || !other->leads || !hash_equal(&other->key, key))
			continue;
		job->state = JOB_FOLLOWING;
		job->next_follower = other->followers;
		other->followers = job;
		leads = false;
	}
	if (leads) {
		job->key = *key;
		job->leads = true;
	}
	(void)pthread_mutex_unlock(&job->corpus->lock);
	return leads;
}

/* Under the lock. A job stays among the running until it is committed, because followers wait for the commit; one that followed is there
 * already when it runs again. */
static void running_set(struct jobs *j, struct job *job, bool on)
{
	struct job **free_slot = NULL;
	for (size_t i = 0; i < sizeof(j->running) / sizeof(*j->running); i++) {
		if (j->running[i] == job) {
			j->running[i] = on ? job : NULL;
			return;
		}
		if (!j->running[i] && !free_slot)
			free_slot = &j->running[i];
	}
	if (on && free_slot)
		*free_slot = job;
}

/* Waits taken from a job: what each wants, and where to answer. */
struct taken {
	struct corpus_wait *wait;
	enum corpus_view view;
	struct taken *next;
};

/* Under the lock: moves all waits of a job to a list of their own. One that finds no memory stays and is answered after the commit. */
static struct taken *take_waiters(struct job *job)
{
	struct taken *list = NULL;
	while (job->waiters) {
		struct taken *t = malloc(sizeof(*t));
		if (!t)
			break;
		t->view = job->waiters->view;
		t->wait = waiter_detach(job->corpus->jobs, job->waiters);
		t->next = list;
		list = t;
	}
	return list;
}

/* Answers waits that were taken; those who want vectors get them computed first, once. */
static void answer(struct taken *list, struct corpus_doc *doc, int result)
{
	while (list) {
		struct taken *t = list;
		list = t->next;
		int r = result;
		if (r == 0)
			r = document_error(doc, t->view);
		if (r == 0 && t->view == CORPUS_VECTORS)
			r = document_vectors(doc);
		struct corpus_wait *wait = t->wait;
		free(t);
		wait->done(wait, r, r == 0 ? corpus_doc_ref(doc) : NULL);
	}
}

/* Under the lock: the indexer may join a job that somebody else began. */
static void count_end(struct job *job, const struct corpus_doc *doc, int result)
{
	struct refresh_progress *p = job->progress;
	if (!p)
		return;
	(void)atomic_fetch_add(&p->done, 1);
	if (result == -ENOENT)
		return;
	if (result < 0 || doc->state == STORE_FAILED)
		(void)atomic_fetch_add(&p->failed, 1);
	else if (doc->state == STORE_SKIPPED)
		(void)atomic_fetch_add(&p->skipped, 1);
	else
		(void)atomic_fetch_add(&p->computed, 1);
	if (doc)
		(void)atomic_fetch_add(&p->bytes, doc->stamp.size);
}

/* Under the lock: starts over for a version of the source that is newer than what the job worked on. */
static void job_again(struct job *job)
{
	job->stale = job->leads = false;
	job->progress = NULL;
	requeue_followers(job);
	job_requeue(job);
}

/* The job failed to read its document: nothing to commit. Waiters get the error. A file that changed while it was read is told of once more
 * when it is at rest, but that may have been while the job ran. */
static void job_give_up(struct job *job, int result)
{
	struct corpus *c = job->corpus;
	(void)pthread_mutex_lock(&c->lock);
	count_end(job, NULL, result);
	struct taken *taken = take_waiters(job);
	running_set(c->jobs, job, false);
	bool again = job->stale && !c->jobs->stopping;
	if (again)
		job_again(job);
	else
		job_remove(job);
	(void)pthread_mutex_unlock(&c->lock);
	answer(taken, NULL, result);
	if (!again)
		job_free(job);
}

static void job_run(struct task *t, struct worker *w)
{
	struct job *job = (struct job *)t; /* task is the first member */
	struct corpus *c = job->corpus;
	(void)pthread_mutex_lock(&c->lock);
	job->state = JOB_RUNNING;
	running_set(c->jobs, job, true);
	(void)pthread_mutex_unlock(&c->lock);

	struct corpus_doc *doc = NULL;
	struct product *product = NULL;
	int r = ingest_read(job, w, &doc, &product);
	if (r == -EINPROGRESS) {
		/* The leader may have finished and requeued this job already: it is not ours any more. */
		return;
	}
	if (r < 0) {
		job_give_up(job, r);
		return;
	}
	(void)pthread_mutex_lock(&c->lock);
	count_end(job, doc, 0);
	job->state = JOB_PUBLISHED;
	job->doc = corpus_doc_ref(doc);
	struct taken *taken = take_waiters(job);
	(void)pthread_mutex_unlock(&c->lock);
	answer(taken, doc, 0);
	ingest_store(job, w, doc, product);
}

void jobs_settled(struct job *job)
{
	struct corpus *c = job->corpus;
	(void)pthread_mutex_lock(&c->lock);
	job_settle(job);
	(void)pthread_mutex_unlock(&c->lock);
}

void jobs_committed(struct job *job, int result)
{
	struct corpus *c = job->corpus;
	if (result < 0) {
		(void)atomic_fetch_add(&c->store_errors, 1);
		corpus_log(c, 3, "%s: not kept in the store: %s", job->path, strerror(-result));
	}
	remote_changed(c);
	/* Before the job counts as ended: the indexer is not idle while members are to be looked at. */
	if (result == 0 && (document_is_archive(job->doc) || extract_name_may_be_archive(path_base_name(job->path))))
		refresh_note_archive(c, job->path);
	(void)pthread_mutex_lock(&c->lock);
	running_set(c->jobs, job, false);
	bool again = (job->stale || job->waiters) && !c->jobs->stopping;
	if (again) {
		/* Somebody came for a newer version while this one was on its way to disk. */
		struct corpus_doc *old = job->doc;
		job->doc = NULL;
		job_again(job);
		(void)pthread_mutex_unlock(&c->lock);
		corpus_doc_unref(old);
		return;
	}
	job_remove(job);
	(void)pthread_mutex_unlock(&c->lock);
	job_free(job);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static int lane_start(struct jobs *j, enum lane lane, unsigned count)
{
	struct lane_threads *l = &j->lanes[lane];
	l->threads = calloc(count, sizeof(*l->threads));
	if (!l->threads)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		struct lane_argument *a = malloc(sizeof(*a));
		if (!a)
			return -ENOMEM;
		*a = (struct lane_argument){j, lane};
		int error = pthread_create(&l->threads[i], NULL, lane_main, a);
		if (error) {
			free(a);
			return -error;
		}
		l->thread_count++;
	}
	return 0;
}

int jobs_new(struct corpus *c, struct jobs **ret)
{
	struct jobs *j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->corpus = c;
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&j->clock_work, &monotonic);
	(void)pthread_cond_init(&j->drained, &monotonic);
	for (int i = 0; i < LANE_COUNT; i++)
		(void)pthread_cond_init(&j->lanes[i].work, NULL);
	(void)pthread_condattr_destroy(&monotonic);
	unsigned processors = c->options.threads;
	int r = lane_start(j, LANE_BACKGROUND, processors);
	if (r == 0)
		r = lane_start(j, LANE_SEARCH, processors < 2 ? 2 : processors);
	if (r == 0)
		r = lane_start(j, LANE_INTERACTIVE, INTERACTIVE_THREADS);
	if (r == 0)
		r = -pthread_create(&j->clock, NULL, clock_main, j);
	if (r < 0) {
		jobs_stop(j);
		jobs_free(j);
		return r;
	}
	j->clock_started = true;
	*ret = j;
	return 0;
}

void jobs_stop(struct jobs *j)
{
	struct corpus *c = j->corpus;
	(void)pthread_mutex_lock(&c->lock);
	j->stopping = true;
	for (int i = 0; i < LANE_COUNT; i++)
		(void)pthread_cond_broadcast(&j->lanes[i].work);
	(void)pthread_cond_broadcast(&j->clock_work);
	(void)pthread_cond_broadcast(&j->drained);
	while (j->oldest) {
		struct waiter *w = j->oldest;
		struct corpus_wait *wait = waiter_detach(j, w);
		(void)pthread_mutex_unlock(&c->lock);
		wait->done(wait, -ESHUTDOWN, NULL);
		(void)pthread_mutex_lock(&c->lock);
	}
	(void)pthread_mutex_unlock(&c->lock);
	for (int i = 0; i < LANE_COUNT; i++)
		for (unsigned t = 0; t < j->lanes[i].thread_count; t++)
			(void)pthread_join(j->lanes[i].threads[t], NULL);
	if (j->clock_started)
		(void)pthread_join(j->clock, NULL);
	/* Tasks that never ran: searches free themselves when run, and their waits are over; run them to let them. */
	struct worker worker = {.corpus = c};
	for (struct task *t; (t = j->lanes[LANE_SEARCH].first);) {
		lane_remove(j, t);
		t->run(t, &worker);
	}
	words_free(worker.words);
	searcher_free(worker.searcher);
}

void jobs_free(struct jobs *j)
{
	for (int b = 0; b < JOB_BUCKETS; b++)
		while (j->buckets[b]) {
			struct job *job = j->buckets[b];
			j->buckets[b] = job->next;
			job_free(job);
		}
	for (int i = 0; i < LANE_COUNT; i++) {
		free(j->lanes[i].threads);
		(void)pthread_cond_destroy(&j->lanes[i].work);
	}
	(void)pthread_cond_destroy(&j->clock_work);
	(void)pthread_cond_destroy(&j->drained);
	free(j);
}
