/* The threads that make the files of status/ and tables/: a report may walk the whole store, and a table reads all of its text, which no libfuse thread
 * should. One thread each, so that a table keeps no report waiting. Tables being made for one node are made once for all who wait. */
#include "mount/mount_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct report_job {
	struct mount *mount;
	struct request *requests; /* those that wait, linked by job_next; under the lock */
	enum report_lane lane;
	int what;	       /* enum corpus_report or enum corpus_table */
	struct caller *caller; /* NULL: the owner of the process */
	struct report_job *next;
};

static void job_free(struct report_job *j)
{
	if (j)
		free(j->caller);
	free(j);
}

bool reporter_cancel(struct request *r)
{
	struct reporter *p = &r->mount->reporter;
	(void)pthread_mutex_lock(&p->lock);
	struct report_job *j = r->job;
	r->job = NULL;
	if (j) {
		struct request **at = &j->requests;
		while (*at != r)
			at = &(*at)->job_next;
		*at = r->job_next; /* without any left, the job ends and is freed when its thread comes to it */
	}
	(void)pthread_mutex_unlock(&p->lock);
	return j != NULL;
}

static struct report_job *job_new(struct request *r, enum report_lane lane, int what, const struct caller *caller)
{
	struct report_job *j = calloc(1, sizeof(*j));
	if (j && caller->hash)
		j->caller = malloc(sizeof(*j->caller));
	if (!j || (caller->hash && !j->caller)) {
		job_free(j);
		return NULL;
	}
	if (j->caller) {
		memcpy(j->caller, caller, sizeof(*caller));
		j->caller->who.groups = j->caller->groups;
	}
	j->mount = r->mount;
	j->lane = lane;
	j->what = what;
	return j;
}

/* The job that makes this node's table already. A node is one caller's, and lives while a request for it waits. Under the lock. */
static struct report_job *find_job(struct reporter *p, const struct request *r)
{
	struct report_job *j = p->lanes[LANE_TABLES].first;
	while (j && (!j->requests || j->requests->node != r->node))
		j = j->next;
	return j;
}

static void join(struct request *r, struct report_job *j)
{
	r->job = j;
	r->job_next = j->requests;
	j->requests = r;
}

int reporter_add(struct request *r, enum report_lane lane, int what, const struct caller *caller)
{
	struct reporter *p = &r->mount->reporter;
	struct report_job *fresh = job_new(r, lane, what, caller);
	if (!fresh)
		return -ENOMEM;
	(void)pthread_mutex_lock(&p->lock);
	struct report_job *j = lane == LANE_TABLES ? find_job(p, r) : NULL;
	if (!j) {
		struct report_job **at = &p->lanes[lane].first;
		while (*at)
			at = &(*at)->next;
		*at = j = fresh;
		fresh = NULL;
		(void)pthread_cond_broadcast(&p->work);
	}
	join(r, j);
	(void)pthread_mutex_unlock(&p->lock);
	job_free(fresh);
	return -EINPROGRESS;
}

static bool is_wanted(void *context)
{
	struct report_job *j = context;
	struct reporter *p = &j->mount->reporter;
	(void)pthread_mutex_lock(&p->lock);
	bool wanted = j->requests != NULL;
	(void)pthread_mutex_unlock(&p->lock);
	return wanted;
}

static int make(struct report_job *j, struct corpus_blob **ret)
{
	const struct corpus_caller *who = j->caller ? &j->caller->who : NULL;
	if (!is_wanted(j))
		return -ECANCELED;
	if (j->lane == LANE_TABLES)
		return corpus_table(j->mount->corpus, (enum corpus_table)j->what, who, is_wanted, j, ret);
	return corpus_report(j->mount->corpus, (enum corpus_report)j->what, who, ret);
}

/* Takes the job out of its lane and answers those who wait. */
static void finish(struct report_job *j, int result, struct corpus_blob *blob)
{
	struct reporter *p = &j->mount->reporter;
	(void)pthread_mutex_lock(&p->lock);
	p->lanes[j->lane].first = j->next;
	struct request *waiting = j->requests;
	for (struct request *r = waiting; r; r = r->job_next)
		r->job = NULL;
	(void)pthread_mutex_unlock(&p->lock);
	while (waiting) {
		struct request *r = waiting;
		waiting = r->job_next;
		request_complete(r, result, blob ? corpus_blob_ref(blob) : NULL);
	}
	corpus_blob_unref(blob);
	job_free(j);
}

static void *lane_main(void *argument)
{
	struct report_thread *lane = argument;
	struct reporter *p = lane->reporter;
	(void)pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct report_job *j = lane->first;
		if (!j) {
			(void)pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&p->lock);
		struct corpus_blob *blob = NULL;
		int result = make(j, &blob);
		finish(j, result, blob);
		(void)pthread_mutex_lock(&p->lock);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

int reporter_start(struct mount *m)
{
	struct reporter *p = &m->reporter;
	int error = 0;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->work, NULL);
	p->initialised = true;
	for (int i = 0; i < REPORT_LANES && error == 0; i++) {
		p->lanes[i].reporter = p;
		error = pthread_create(&p->lanes[i].thread, NULL, lane_main, &p->lanes[i]);
		p->lanes[i].started = error == 0;
	}
	return -error;
}

void reporter_stop(struct mount *m)
{
	struct reporter *p = &m->reporter;
	if (!p->initialised)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->stop = true;
	(void)pthread_cond_broadcast(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < REPORT_LANES; i++) {
		struct report_thread *lane = &p->lanes[i];
		if (lane->started)
			(void)pthread_join(lane->thread, NULL);
		while (lane->first) {
			struct report_job *j = lane->first;
			lane->first = j->next;
			job_free(j);
		}
	}
	(void)pthread_mutex_destroy(&p->lock);
	(void)pthread_cond_destroy(&p->work);
}
