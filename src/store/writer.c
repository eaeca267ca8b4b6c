/* The writer thread: runs operations in one transaction after another, each holding as many as came (group commit).
 *
 * Commits use MDB_NOMETASYNC: the pages of a commit are on disk before it is acknowledged, its meta page only with the next one or
 * when the writer has been idle for a moment. A killed process loses nothing; a machine that loses power may lose the last commit,
 * which is recomputed, and never finds half of one. */
#include "store/internal.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>

enum {
	FILL_MS = 300,          /* an operation that is not urgent waits so long for others to share its commit */
	URGENT_MS = 20,         /* and an urgent one, when the queue does not run empty */
	CHECK_MS = 5000,        /* between two looks for dead readers */
	BATCH_TERMS = 96 << 10, /* distinct terms: bounds the dirty pages of a transaction, which LMDB keeps in memory */
	MAP_GROWTHS = 16,       /* doublings tried for one batch */
};

/* --- one transaction ----------------------------------------------------------------------------------------------- */

static void drop_held(struct store_write *w)
{
	pack_reset(&w->texts);
	pack_reset(&w->chunks);
	pack_reset(&w->pieces);
	postings_reset(&w->postings);
	segments_reset(&w->segments);
}

int write_begin(struct store *s, struct store_write *w)
{
	w->s = s;
	w->texts.table = TABLE_TEXTS;
	w->chunks.table = TABLE_CHUNKS;
	w->pieces.table = TABLE_POSTINGS;
	w->changed = w->wrote = w->map_full = w->txn_full = false;
	w->error = 0;
	int rc = mdb_txn_begin(s->env, NULL, 0, &w->txn);
	if (rc == MDB_MAP_RESIZED) {
		int error = txn_resize(s, 0);
		if (error != 0)
			return error;
		rc = mdb_txn_begin(s->env, NULL, 0, &w->txn);
	}
	if (rc != 0) {
		w->txn = NULL;
		return txn_errno(rc);
	}
	w->view.s = s;
	w->view.w = w;
	w->view.txn = w->txn;
	w->view.counters = &w->counters;
	txn_bound(&w->view);
	int error = info_get_counters(&w->view, &w->counters);
	if (error != 0)
		write_abort(w);
	return error;
}

int write_flush(struct store_write *w)
{
	int error = postings_flush(w);
	if (error == 0)
		error = pack_flush(w, &w->texts);
	if (error == 0)
		error = pack_flush(w, &w->chunks);
	if (error == 0)
		error = pack_flush(w, &w->pieces);
	if (error == 0)
		error = segments_flush(w);
	if (error == 0 && w->changed)
		w->counters.generation++;
	if (error == 0)
		error = record_put(w, TABLE_INFO, span_of("counters"), (struct span){(char *)&w->counters, sizeof(w->counters)},
		                   span_of(""), 0);
	return error;
}

/* LMDB says EIO for a short write, which is how a full disk shows itself in the middle of a large one. */
static int commit_errno(struct store *s, int rc)
{
	struct statvfs fs;
	if (rc == EIO && statvfs(s->directory, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < (uint64_t)32 << 20)
		return -ENOSPC;
	return txn_errno(rc);
}

int write_commit(struct store_write *w)
{
	struct store *s = w->s;
	int error = write_flush(w);
	if (error == 0)
		error = w->error;
	if (error != 0) {
		bool map_full = w->map_full, txn_full = w->txn_full;
		write_abort(w);
		w->map_full = map_full;
		w->txn_full = txn_full;
		return error;
	}
	MDB_txn *txn = w->txn;
	w->txn = w->view.txn = NULL;
	int rc = mdb_txn_commit(txn);
	drop_held(w);
	if (rc == MDB_MAP_FULL)
		w->map_full = true;
	if (rc == MDB_TXN_FULL)
		w->txn_full = true;
	if (rc != 0)
		return commit_errno(s, rc);
	atomic_store(&s->generation, w->counters.generation);
	return 0;
}

void write_abort(struct store_write *w)
{
	if (w->txn)
		mdb_txn_abort(w->txn);
	w->txn = w->view.txn = NULL;
	drop_held(w);
}

/* Gives back the memory that batches reuse. */
void write_release(struct store_write *w)
{
	postings_release(&w->postings);
	pack_release(&w->texts);
	pack_release(&w->chunks);
	pack_release(&w->pieces);
	while (w->view.cursors) {
		struct store_cursor *c = w->view.cursors;
		w->view.cursors = c->next;
		free(c);
	}
}

struct store_read *store_write_view(struct store_write *w)
{
	return &w->view;
}

/* --- a batch ------------------------------------------------------------------------------------------------------- */

struct list {
	struct store_op *first, **tail;
};

static void list_init(struct list *l)
{
	l->first = NULL;
	l->tail = &l->first;
}

static void list_add(struct list *l, struct store_op *op)
{
	op->next = NULL;
	*l->tail = op;
	l->tail = &op->next;
}

struct batch {
	struct list good; /* run in the open transaction, in order */
	size_t count, bytes;
	size_t failed, failed_bytes; /* already told; counted out when the batch ends, so that store_flush() counts in order */
	bool urgent;
	bool wrote; /* one of them changed something, so there is something to commit */
	struct timespec since;
};

static void fail_op(struct batch *b, struct store_op *op, int result)
{
	b->failed++;
	b->failed_bytes += op->bytes;
	op->done(op, result);
}

static int grow_map(struct store *s)
{
	MDB_envinfo info;
	int error = txn_errno(mdb_env_info(s->env, &info));
	if (error != 0)
		return error;
	return info.me_mapsize > SIZE_MAX / 2 ? -ENOSPC : txn_resize(s, 2 * info.me_mapsize);
}

static int run_op(struct store_write *w, struct store_op *op)
{
	int result = op->run(w, op);
	return w->error != 0 ? w->error : result < 0 ? result : 0;
}

/* Runs the batch's operations in a new transaction. One that fails now leaves the batch, and the rest begins again. */
static int redo(struct store_write *w, struct batch *b, struct store *s)
{
	int growths = 0, result = 0;
	for (;;) {
		int error = write_begin(s, w);
		if (error != 0)
			return error;
		struct store_op **link = &b->good.first;
		while (*link && (result = run_op(w, *link)) == 0)
			link = &(*link)->next;
		struct store_op *op = *link;
		if (!op)
			return 0;
		bool map_full = w->map_full;
		write_abort(w);
		if (map_full && growths++ < MAP_GROWTHS && grow_map(s) == 0)
			continue;
		*link = op->next;
		if (b->good.tail == &op->next)
			b->good.tail = link;
		b->count--;
		b->bytes -= op->bytes;
		fail_op(b, op, result);
	}
}

/* Tells everybody, in order, and counts them out. */
static void finish(struct store *s, struct batch *b, int result)
{
	size_t told = b->failed, bytes = b->failed_bytes;
	struct store_op *next;
	for (struct store_op *op = b->good.first; op; op = next, told++) {
		next = op->next;
		bytes += op->bytes;
		op->done(op, result);
	}
	(void)pthread_mutex_lock(&s->queue_lock);
	s->completed += told;
	s->waiting_bytes -= bytes;
	(void)pthread_cond_broadcast(&s->queue_emptied);
	(void)pthread_mutex_unlock(&s->queue_lock);
	*b = (struct batch){.count = 0};
	list_init(&b->good);
}

static void commit_batch(struct store *s, struct batch *b);

/* For a batch that is more than one transaction can hold. */
static void commit_one_by_one(struct store *s, struct batch *b)
{
	struct store_op *next;
	for (struct store_op *op = b->good.first; op; op = next) {
		struct batch one = {.count = 1, .bytes = op->bytes, .wrote = true};
		next = op->next;
		list_init(&one.good);
		list_add(&one.good, op);
		commit_batch(s, &one);
	}
	list_init(&b->good);
	finish(s, b, 0);
}

static void commit_batch(struct store *s, struct batch *b)
{
	struct store_write *w = &s->w;
	int error = 0, growths = 0;
	if (!b->wrote) { /* neither the disk nor the generation needs to learn of it */
		write_abort(w);
		finish(s, b, 0);
		return;
	}
	do {
		error = w->txn ? 0 : redo(w, b, s);
		if (error == 0 && b->good.first)
			error = write_commit(w);
	} while (error != 0 && w->map_full && growths++ < MAP_GROWTHS && grow_map(s) == 0);
	write_abort(w);
	s->untidy = true;
	if (error != 0 && w->txn_full && b->count > 1)
		commit_one_by_one(s, b);
	else
		finish(s, b, error);
}

static void batch_add(struct store *s, struct batch *b, struct store_op *op)
{
	struct store_write *w = &s->w;
	int error = 0;
	if (b->count == 0 && b->failed == 0)
		(void)clock_gettime(CLOCK_MONOTONIC, &b->since);
	if (!w->txn)
		error = b->count ? redo(w, b, s) : write_begin(s, w);
	if (error != 0) {
		fail_op(b, op, error);
		return;
	}
	w->wrote = false;
	int result = run_op(w, op);
	b->wrote |= w->wrote;
	if (result < 0 && !w->wrote && w->error == 0) { /* it changed nothing: the others need not be done again */
		fail_op(b, op, result);
		return;
	}
	if (result < 0) {
		bool full = w->map_full || w->txn_full;
		write_abort(w);
		if (!full) {
			fail_op(b, op, result);
			return;
		}
		if (w->txn_full)
			commit_batch(s, b); /* then a transaction of its own for this one */
		else
			(void)grow_map(s); /* when it could not grow, redoing fails this operation or the last one that fits */
	}
	list_add(&b->good, op);
	b->count++;
	b->bytes += op->bytes;
	b->urgent |= op->urgent;
}

/* --- the thread ---------------------------------------------------------------------------------------------------- */

static struct timespec after(struct timespec from, int ms)
{
	from.tv_nsec += (long)(ms % 1000) * 1000000L;
	from.tv_sec += ms / 1000 + from.tv_nsec / 1000000000L;
	from.tv_nsec %= 1000000000L;
	return from;
}

static bool is_past(const struct timespec *t)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

/* Is there a reason to commit though more operations wait? */
static bool is_full(const struct store *s, const struct batch *b)
{
	struct timespec limit = after(b->since, URGENT_MS);
	return b->bytes >= s->batch_bytes || s->w.postings.entry_count >= BATCH_TERMS || (b->urgent && is_past(&limit));
}

/* And when none waits? Under queue_lock. */
static bool should_commit(const struct store *s, const struct batch *b)
{
	struct timespec limit = after(b->since, FILL_MS);
	return b->urgent || s->stopping || s->flush_to > s->completed || is_past(&limit);
}

/* Now and then: readers that died, and when nothing is being written, the last meta page and the memory that batches reuse. */
static void maintain(struct store *s, bool idle)
{
	int dead;
	if (!is_past(&s->next_check))
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &s->next_check);
	s->next_check = after(s->next_check, CHECK_MS);
	(void)mdb_reader_check(s->env, &dead);
	if (idle && s->untidy) {
		s->untidy = false;
		(void)mdb_env_sync(s->env, 1);
		write_release(&s->w);
#ifdef __GLIBC__
		(void)malloc_trim(0); /* documents in flight, and pages of transactions, leave arenas full of holes */
#endif
	}
}

/* Waits for an operation; NULL when the batch should be committed, or it is time to stop. */
static struct store_op *next_op(struct store *s, const struct batch *b)
{
	bool has_batch = b->count > 0 || b->failed > 0;
	(void)pthread_mutex_lock(&s->queue_lock);
	while (!s->first) {
		if (has_batch ? should_commit(s, b) : s->stopping)
			break;
		struct timespec now;
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		struct timespec until = has_batch ? after(b->since, FILL_MS) : after(now, CHECK_MS);
		int rc = pthread_cond_timedwait(&s->queue_filled, &s->queue_lock, &until);
		if (rc == ETIMEDOUT && !has_batch) {
			(void)pthread_mutex_unlock(&s->queue_lock);
			maintain(s, true);
			(void)pthread_mutex_lock(&s->queue_lock);
		}
	}
	struct store_op *op = s->first;
	if (op) {
		s->first = op->next;
		if (!s->first)
			s->tail = &s->first;
	}
	(void)pthread_mutex_unlock(&s->queue_lock);
	return op;
}

static void *writer_main(void *context)
{
	struct store *s = context;
	struct batch b = {.count = 0};
	list_init(&b.good);
	for (;;) {
		struct store_op *op = next_op(s, &b);
		if (op)
			batch_add(s, &b, op);
		if (op && !is_full(s, &b))
			continue;
		if (b.count == 0 && b.failed == 0)
			break;
		commit_batch(s, &b);
		maintain(s, false);
	}
	write_release(&s->w);
	return NULL;
}

static int init_queue(struct store *s)
{
	pthread_condattr_t monotonic;
	int rc = pthread_condattr_init(&monotonic);
	if (rc != 0)
		return -rc;
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	rc = pthread_cond_init(&s->queue_filled, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	return -rc;
}

int writer_start(struct store *s)
{
	s->tail = &s->first;
	int error = init_queue(s);
	if (error != 0)
		return error;
	int rc = pthread_create(&s->writer, NULL, writer_main, s);
	if (rc != 0) {
		(void)pthread_cond_destroy(&s->queue_filled);
		return -rc;
	}
	(void)pthread_setname_np(s->writer, "store-writer");
	s->has_writer = true;
	return 0;
}

void writer_stop(struct store *s)
{
	if (!s->has_writer)
		return;
	(void)pthread_mutex_lock(&s->queue_lock);
	s->stopping = true;
	(void)pthread_cond_broadcast(&s->queue_filled);
	(void)pthread_mutex_unlock(&s->queue_lock);
	(void)pthread_join(s->writer, NULL);
	(void)pthread_cond_destroy(&s->queue_filled);
	s->has_writer = false;
	if (s->untidy)
		(void)mdb_env_sync(s->env, 1);
}

void store_submit(struct store *s, struct store_op *op)
{
	op->next = NULL;
	(void)pthread_mutex_lock(&s->queue_lock);
	while (!op->urgent && s->waiting_bytes > 2 * s->batch_bytes)
		(void)pthread_cond_wait(&s->queue_emptied, &s->queue_lock);
	*s->tail = op;
	s->tail = &op->next;
	s->submitted++;
	s->waiting_bytes += op->bytes;
	(void)pthread_cond_signal(&s->queue_filled);
	(void)pthread_mutex_unlock(&s->queue_lock);
}

void store_flush(struct store *s)
{
	(void)pthread_mutex_lock(&s->queue_lock);
	uint64_t target = s->submitted;
	if (s->flush_to < target)
		s->flush_to = target;
	(void)pthread_cond_broadcast(&s->queue_filled);
	while (s->completed < target)
		(void)pthread_cond_wait(&s->queue_emptied, &s->queue_lock);
	(void)pthread_mutex_unlock(&s->queue_lock);
}

uint64_t store_generation(struct store *s)
{
	struct store_read *r;
	if (s->mode == STORE_READ_ONLY && store_read_begin(s, &r) == 0) { /* another process moves it */
		atomic_store(&s->generation, store_read_generation(r));
		store_read_end(r);
	}
	return atomic_load(&s->generation);
}
