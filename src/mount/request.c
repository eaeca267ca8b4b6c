/* The life of a kernel request, from its arrival to its one answer. docs/mount-views.md, "How a request waits", tells it in words,
 * docs/waiting-request.pml as a model that spin checks.
 *
 * A request that needs work is parked: its wait is handed to the library (or to the reporter). From then on three may want to answer:
 * completion, an interrupt, and the end of the mount. The wait decides: corpus_cancel says true to one of them, once, and never after
 * completion began. The memory is counted: one reference is the answer's, one is the starter's while it hands the wait over. */
#include "mount/mount_impl.h"

#include "base/hash.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request *request_new(struct mount *m, fuse_req_t fuse, struct node *n, const char *name, const struct fuse_file_info *info)
{
	size_t size = name ? strlen(name) : 0;
	struct request *r = calloc(1, sizeof(*r) + size + 1);
	if (!r) {
		(void)fuse_reply_err(fuse, ENOMEM);
		return NULL;
	}
	r->mount = m;
	r->fuse = fuse;
	r->node = n;
	if (info)
		r->info = *info;
	atomic_init(&r->state, REQUEST_STARTING);
	atomic_init(&r->refs, 1);
	if (size)
		memcpy(r->name, name, size);
	return r;
}

static void put(struct request *r)
{
	if (atomic_fetch_sub(&r->refs, 1) == 1)
		free(r);
}

struct request *request_renew(struct request *r)
{
	struct request *n = request_new(r->mount, r->fuse, r->node, r->name, &r->info);
	if (n) {
		n->again = r->again;
		n->archives = r->archives;
	}
	put(r);
	return n;
}

/* --- answers --------------------------------------------------------------------------------------------------------- */

void request_reply_error(struct request *r, int error)
{
	(void)fuse_reply_err(r->fuse, error < 0 ? -error : error);
	put(r);
}

void request_reply_found(struct request *r, const struct found *f)
{
	struct mount *m = r->mount;
	struct fuse_entry_param e = {
		.ino = node_id(m, f->node),
		.attr = f->st,
		.attr_timeout = f->attr_timeout,
		.entry_timeout = f->entry_timeout,
	};
	/* Counted before the answer, because a forget may follow it at once. */
	node_remember(m, f->node);
	if (fuse_reply_entry(r->fuse, &e) < 0)
		node_forget(m, f->node, 1);
	node_unref(m, f->node);
	put(r);
}

void request_reply_never(struct request *r)
{
	struct fuse_entry_param e = {.entry_timeout = TIMEOUT_FOREVER};
	(void)fuse_reply_entry(r->fuse, &e);
	put(r);
}

static void reply_content(struct request *r, struct content *c)
{
	r->info.fh = (uint64_t)(uintptr_t)c;
	r->info.noflush = 1;
	/* The kernel may have given up on the request, and then never releases what it opened. */
	if (fuse_reply_open(r->fuse, &r->info) < 0)
		content_unref(r->mount, c);
	put(r);
}

void request_reply_open(struct request *r, struct content *c)
{
	struct mount *m = r->mount;
	if (!c) {
		request_reply_error(r, -ENOMEM);
		return;
	}
	if (c->fd < 0) {
		atomic_store(&c->node->size, c->size);
		atomic_store(&c->node->exact, true);
	}
	c = content_share(m, c);
	r->info.keep_cache = 1;
#ifdef FUSE_CAP_PASSTHROUGH
	if (c->backing) {
		r->info.backing_id = c->backing;
		r->info.keep_cache = 0;
	}
#endif
	reply_content(r, c);
}

void request_reply_open_snapshot(struct request *r, struct content *c)
{
	if (!c) {
		request_reply_error(r, -ENOMEM);
		return;
	}
	c = content_share(r->mount, c);
	atomic_store(&c->node->size, c->size);
	atomic_store(&c->node->exact, true);
	reply_content(r, c);
}

void request_reply_open_unshared(struct request *r, struct content *c)
{
	if (!c) {
		request_reply_error(r, -ENOMEM);
		return;
	}
	atomic_store(&c->node->size, c->size);
	r->info.direct_io = 1;
	reply_content(r, c);
}

void request_reply_folder(struct request *r, struct folder *f, bool keep_listing)
{
	r->info.fh = (uint64_t)(uintptr_t)f;
	r->info.cache_readdir = 1;
	r->info.keep_cache = keep_listing;
	if (fuse_reply_open(r->fuse, &r->info) < 0)
		folder_free(r->mount, f);
	put(r);
}

/* --- waiting --------------------------------------------------------------------------------------------------------- */

static void list_add(struct request *r)
{
	struct mount *m = r->mount;
	(void)pthread_mutex_lock(&m->requests_lock);
	r->parked = true;
	r->previous = NULL;
	r->next = m->parked;
	if (r->next)
		r->next->previous = r;
	m->parked = r;
	(void)pthread_mutex_unlock(&m->requests_lock);
}

static void list_remove(struct request *r)
{
	struct mount *m = r->mount;
	(void)pthread_mutex_lock(&m->requests_lock);
	if (r->next)
		r->next->previous = r->previous;
	if (r->previous)
		r->previous->next = r->next;
	else
		m->parked = r->next;
	r->parked = false;
	(void)pthread_cond_broadcast(&m->requests_ended);
	(void)pthread_mutex_unlock(&m->requests_lock);
}

/* On a libfuse thread, with libfuse's lock of this request held, so that request_complete, which needs that lock, waits for us. */
static void interrupted(fuse_req_t fuse, void *data)
{
	struct request *r = data;
	(void)fuse;
	int expected = REQUEST_STARTING;
	if (atomic_compare_exchange_strong(&r->state, &expected, REQUEST_INTERRUPTED) || expected == REQUEST_INTERRUPTED)
		return;
	if (!r->cancel(r))
		return; /* completion is on its way and answers */
	list_remove(r);
	request_reply_error(r, -EINTR);
}

static bool cancel_wait(struct request *r)
{
	return corpus_cancel(r->mount->corpus, &r->wait);
}

static void start(struct request *r, void (*then)(struct request *, int, void *), bool (*cancel)(struct request *r))
{
	r->then = then;
	r->cancel = cancel;
	(void)atomic_fetch_add(&r->refs, 1);
	list_add(r);
	fuse_req_interrupt_func(r->fuse, interrupted, r);
}

void request_complete(struct request *r, int result, void *object)
{
	fuse_req_interrupt_func(r->fuse, NULL, NULL);
	list_remove(r);
	r->then(r, result, object);
}

static void started(struct request *r, int result, void *object)
{
	int expected = REQUEST_STARTING;
	if (result != -EINPROGRESS)
		request_complete(r, result, object);
	else if (!atomic_compare_exchange_strong(&r->state, &expected, REQUEST_WAITING) && r->cancel(r))
		request_complete(r, -EINTR, NULL);
	put(r);
}

static void wait_done(struct corpus_wait *wait, int result, void *object)
{
	request_complete((struct request *)wait, result, object); /* wait is the first member */
}

void request_document(struct request *r, const char *path, enum corpus_view view, void (*then)(struct request *, int, void *))
{
	struct corpus_doc *doc = NULL;
	r->wait.done = wait_done;
	start(r, then, cancel_wait);
	int result = corpus_get(r->mount->corpus, path, view, &r->wait, &doc);
	started(r, result, doc);
}

void request_search(struct request *r, const struct corpus_query *q, const struct caller *caller, void (*then)(struct request *, int, void *))
{
	r->wait.done = wait_done;
	start(r, then, cancel_wait);
	started(r, corpus_search(r->mount->corpus, q, caller->hash ? &caller->who : NULL, &r->wait), NULL);
}

void request_similar(struct request *r, const char *path, const struct corpus_query *q, const struct caller *caller,
		     void (*then)(struct request *, int, void *))
{
	r->wait.done = wait_done;
	start(r, then, cancel_wait);
	started(r, corpus_similar(r->mount->corpus, path, q, caller->hash ? &caller->who : NULL, &r->wait), NULL);
}

void request_report(struct request *r, enum corpus_report report, const struct caller *caller, void (*then)(struct request *, int, void *))
{
	start(r, then, reporter_cancel);
	started(r, reporter_add(r, LANE_REPORTS, (int)report, caller), NULL);
}

void request_table(struct request *r, enum corpus_table table, const struct caller *caller, void (*then)(struct request *, int, void *))
{
	start(r, then, reporter_cancel);
	started(r, reporter_add(r, LANE_TABLES, (int)table, caller), NULL);
}

void requests_end(struct mount *m)
{
	(void)pthread_mutex_lock(&m->requests_lock);
	while (m->parked) {
		struct request *r = m->parked;
		(void)atomic_fetch_add(&r->refs, 1);
		(void)pthread_mutex_unlock(&m->requests_lock);
		if (r->cancel(r))
			request_complete(r, -ESHUTDOWN, NULL);
		(void)pthread_mutex_lock(&m->requests_lock);
		/* One that could not be taken back is being completed; it leaves the list soon. */
		while (r->parked)
			(void)pthread_cond_wait(&m->requests_ended, &m->requests_lock);
		put(r);
	}
	(void)pthread_mutex_unlock(&m->requests_lock);
}

/* --- who asks -------------------------------------------------------------------------------------------------------- */

static int compare_groups(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;
	return (x > y) - (x < y);
}

/* User 0 may read whatever it likes by a capability, which containers take away. One whose capabilities we cannot see, because it is in another
 * PID namespace, is taken to have none: it sees less, not more. */
static bool overrides_modes(pid_t pid)
{
	static const char name[] = "CapEff:";
	char path[64], line[256];
	unsigned long long capabilities = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *status = pid > 0 ? fopen(path, "re") : NULL;
	if (!status)
		return false;
	while (fgets(line, sizeof(line), status)) {
		if (strncmp(line, name, sizeof(name) - 1) == 0)
			capabilities = strtoull(line + sizeof(name) - 1, NULL, 16);
	}
	(void)fclose(status);
	return capabilities >> CAP_DAC_READ_SEARCH & 1 || capabilities >> CAP_DAC_OVERRIDE & 1;
}

void request_caller(struct request *r, struct caller *ret)
{
	ret->hash = 0;
	if (!r->mount->options->allow_other)
		return; /* the kernel lets nobody else in */
	const struct fuse_ctx *context = fuse_req_ctx(r->fuse);
	/* A process of another PID namespace has no groups that we could read: it sees less, not more. */
	int count = fuse_req_getgroups(r->fuse, CALLER_GROUPS, ret->groups);
	count = count < 0 ? 0 : count > CALLER_GROUPS ? CALLER_GROUPS : count;
	qsort(ret->groups, (size_t)count, sizeof(*ret->groups), compare_groups);
	bool everything = context->uid == 0 && overrides_modes(context->pid);
	ret->who = (struct corpus_caller){context->uid, context->gid, ret->groups, (size_t)count, everything};
	uint64_t ids[] = {context->uid, context->gid, everything, checksum64(ret->groups, (size_t)count * sizeof(*ret->groups))};
	ret->hash = checksum64(ids, sizeof(ids)) | 1;
}
