/* Jobs: who waits for what, and the threads that work.
 *
 * A job is the work on one path. It lives in the job table from the first need until its result is committed, so that everybody who
 * needs it meanwhile shares it. States: QUEUED -> RUNNING -> (FOLLOWING -> QUEUED ...) -> PUBLISHED (readers are answered from memory) ->
 * gone once committed. A wait is attached to at most one job or task and ends exactly once: by the job's result, by corpus_cancel, by its
 * deadline, or by corpus_close. docs/waiting-request.pml is a model of this that spin checks.
 *
 * Lanes: interactive (many threads, mostly asleep, so that hanging documents do not keep others waiting), background (one a processor), and
 * search. A queued background job that somebody comes to wait for moves to the interactive lane. */
#ifndef CORPUSFS_CORPUS_JOBS_H
#define CORPUSFS_CORPUS_JOBS_H

#include "corpus_impl.h"
#include "search/search.h"

enum lane { LANE_INTERACTIVE, LANE_BACKGROUND, LANE_SEARCH, LANE_COUNT };

/* One thread's own scratch memory; made at first use. */
struct worker {
	struct corpus *corpus;
	struct words *words;
	struct searcher *searcher;
};
int worker_words(struct worker *w, struct words **ret);
int worker_searcher(struct worker *w, struct searcher **ret);

/* Anything a lane can run. `run` frees or hands on the task. */
struct task {
	void (*run)(struct task *t, struct worker *w);
	struct task *next, *previous;
	enum lane lane;
	bool queued;
};

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_FOLLOWING, JOB_PUBLISHED };

struct waiter;

struct job {
	struct task task;
	struct corpus *corpus;
	enum job_state state;
	char *path;
	struct job *next; /* in its bucket of the table */
	struct waiter *waiters;
	struct corpus_doc *doc; /* from PUBLISHED on */
	struct hash key;	/* extraction being made, while `leads` */
	bool leads;
	struct job *followers, *next_follower;
	bool stale; /* the path changed while the job ran: run again after the commit */
	struct refresh_progress *progress; /* whose counts it adds to, or NULL */
	bool counted;  /* one of the background jobs that are not committed yet */
	bool unsettled; /* one of those that have not been worked on yet */
};

int jobs_new(struct corpus *c, struct jobs **ret);
/* Ends the threads after what they are doing now; every wait gets -ESHUTDOWN. */
void jobs_stop(struct jobs *j);
void jobs_free(struct jobs *j);
void jobs_push(struct jobs *j, struct task *t, enum lane lane);

/* The published, uncommitted document of a path with this stamp, or NULL. The caller owns the reference. */
struct corpus_doc *jobs_recent(struct corpus *c, const char *path, const struct store_stamp *stamp);
/* Waits for the document of a path, starting a job if there is none. -EINPROGRESS, or -ENOMEM. */
int jobs_wait_for(struct corpus *c, const char *path, enum corpus_view view, struct corpus_wait *wait);
/* Queues a path for the indexer unless it is already being worked on; blocks while too many wait to be worked on. */
int jobs_background(struct corpus *c, const char *path, struct refresh_progress *progress);
/* Waits until every background job was worked on; false when `milliseconds` passed first. */
bool jobs_settle(struct corpus *c, unsigned milliseconds);
/* Waits until every background job is committed; false when `milliseconds` passed first. */
bool jobs_drain(struct corpus *c, unsigned milliseconds);
unsigned jobs_outstanding(struct corpus *c);
/* Copies the path of some running job, for progress lines: false when there is none. */
bool jobs_current(struct corpus *c, char *path, size_t size);

/* Becomes the leader for an extraction key, or follows who is: true when this job leads. */
bool jobs_lead(struct job *job, const struct hash *key);
/* The job was worked on and only has to be committed. */
void jobs_settled(struct job *job);
/* From the writer: the job's result is in the store (0) or could not be put there. */
void jobs_committed(struct job *job, int result);

/* A wait on a task that is not a job (search, vectors). waits_open attaches it; waits_finish ends it: gives `object` to the waiter, or drops it
 * with `drop` when nobody waits any more. */
int waits_open(struct corpus *c, struct corpus_wait *wait, struct waiter **ret);
void waits_finish(struct corpus *c, struct waiter *waiter, int result, void *object, void (*drop)(void *object));
/* False when the waiter left meanwhile: the work is not needed any more. */
bool waits_alive(struct corpus *c, const struct waiter *waiter);

#endif
