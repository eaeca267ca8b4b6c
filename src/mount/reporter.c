/* The thread that makes the files of status/: a report may walk the whole store, which no libfuse thread should. */
#include "mount/mount_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct report_job {
	struct request *request; /* NULL once it was taken back; under the lock */
	enum corpus_report report;
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
	if (j)
		j->request = NULL; /* the reporter frees it when it comes to it */
	(void)pthread_mutex_unlock(&p->lock);
	return j != NULL;
}

int reporter_add(struct request *r, enum corpus_report report, const struct caller *caller)
{
	struct reporter *p = &r->mount->reporter;
	struct report_job *j = calloc(1, sizeof(*j));
	if (j && caller->hash)
		j->caller = malloc(sizeof(*j->caller));
	if (!j || (caller->hash && !j->caller)) {
		job_free(j);
		return -ENOMEM;
	}
	if (j->caller) {
		memcpy(j->caller, caller, sizeof(*caller));
		j->caller->who.groups = j->caller->groups;
	}
	j->request = r;
	j->report = report;
	(void)pthread_mutex_lock(&p->lock);
	r->job = j;
	if (p->last)
		p->last->next = j;
	else
		p->first = j;
	p->last = j;
	(void)pthread_cond_signal(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	return -EINPROGRESS;
}

static void run_job(struct mount *m, struct report_job *j)
{
	struct reporter *p = &m->reporter;
	struct corpus_blob *blob = NULL;
	(void)pthread_mutex_lock(&p->lock);
	bool wanted = j->request != NULL;
	(void)pthread_mutex_unlock(&p->lock);
	int result = wanted ? corpus_report(m->corpus, j->report, j->caller ? &j->caller->who : NULL, &blob) : 0;
	(void)pthread_mutex_lock(&p->lock);
	struct request *r = j->request;
	if (r)
		r->job = NULL;
	(void)pthread_mutex_unlock(&p->lock);
	if (r)
		request_complete(r, result, blob);
	else
		corpus_blob_unref(blob);
	job_free(j);
}

static void *reporter_main(void *argument)
{
	struct mount *m = argument;
	struct reporter *p = &m->reporter;
	(void)pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct report_job *j = p->first;
		if (!j) {
			(void)pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		p->first = j->next;
		if (!p->first)
			p->last = NULL;
		(void)pthread_mutex_unlock(&p->lock);
		run_job(m, j);
		(void)pthread_mutex_lock(&p->lock);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

int reporter_start(struct mount *m)
{
	(void)pthread_mutex_init(&m->reporter.lock, NULL);
	(void)pthread_cond_init(&m->reporter.work, NULL);
	int error = pthread_create(&m->reporter.thread, NULL, reporter_main, m);
	m->reporter.started = error == 0;
	return -error;
}

void reporter_stop(struct mount *m)
{
	struct reporter *p = &m->reporter;
	if (!p->started)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->stop = true;
	(void)pthread_cond_signal(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	(void)pthread_join(p->thread, NULL);
	while (p->first) {
		struct report_job *j = p->first;
		p->first = j->next;
		job_free(j);
	}
	(void)pthread_mutex_destroy(&p->lock);
	(void)pthread_cond_destroy(&p->work);
}
