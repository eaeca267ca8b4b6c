/* Transactions: the pool of read transactions, the exchange of the map under them, and the calls into LMDB's tables, where its
 * codes become errno and every value is checked. */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

int txn_errno(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_KEYEXIST:
		return -EEXIST;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return -ENOSPC;
	case MDB_READERS_FULL:
		return -EAGAIN;
	case MDB_BAD_VALSIZE:
		return -EINVAL;
	default:
		return rc > 0 ? -rc : -EIO;
	}
}

static bool is_damage(int rc)
{
	return rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID;
}

void store_note_damage(struct store *s, const char *why)
{
	if (atomic_exchange(&s->damaged, true) || s->mode != STORE_WRITE)
		return;
	char path[4200];
	int n = snprintf(path, sizeof(path), "%s/damaged", s->directory);
	int fd = n > 0 && (size_t)n < sizeof(path) ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	if (fd >= 0) {
		/* Best effort: should this fail, the damage will be met again. */
		ssize_t written = write(fd, why, strlen(why));
		(void)written;
		(void)close(fd);
	}
}

static int read_result(struct store_read *r, int rc)
{
	if (is_damage(rc))
		return store_mark_damaged(r->s, mdb_strerror(rc));
	return txn_errno(rc);
}

/* --- the map ------------------------------------------------------------------------------------------------------- */

void txn_locate_map(struct store *s)
{
	struct stat st;
	MDB_envinfo info;
	int fd;
	s->map = NULL;
	if (mdb_env_get_fd(s->env, &fd) != 0 || fstat(fd, &st) < 0 || mdb_env_info(s->env, &info) != 0)
		return;
	s->map_size = info.me_mapsize;
	FILE *maps = fopen("/proc/self/maps", "re");
	if (!maps)
		return;
	char line[512];
	while (!s->map && fgets(line, sizeof(line), maps)) {
		uintptr_t begin;
		unsigned major_number, minor_number;
		uint64_t offset, inode;
		if (sscanf(line, "%" SCNxPTR "-%*x %*4s %" SCNx64 " %x:%x %" SCNu64, &begin, &offset, &major_number, &minor_number,
		           &inode) == 5 &&
		    offset == 0 && inode == st.st_ino && makedev(major_number, minor_number) == st.st_dev)
			s->map = (const char *)begin; /* NOLINT(performance-no-int-to-ptr): an address as text is all there is */
	}
	(void)fclose(maps);
}

/* New readers give way for this long when someone waits to exchange the map, and then go on: a thread that holds one read
 * transaction and begins another must not wait for itself. */
enum { GIVE_WAY_MS = 20 };

int txn_resize(struct store *s, size_t bytes)
{
	(void)pthread_mutex_lock(&s->readers_lock);
	s->waiting++;
	while (s->active > 0 || s->resizing)
		(void)pthread_cond_wait(&s->readers_changed, &s->readers_lock);
	s->resizing = true;
	(void)pthread_mutex_unlock(&s->readers_lock);
	txn_drop_pool(s);
	int rc = mdb_env_set_mapsize(s->env, bytes);
	txn_locate_map(s);
	(void)pthread_mutex_lock(&s->readers_lock);
	s->waiting--;
	s->resizing = false;
	(void)pthread_cond_broadcast(&s->readers_changed);
	(void)pthread_mutex_unlock(&s->readers_lock);
	return txn_errno(rc);
}

static void read_free(struct store_read *r)
{
	while (r->cursors) {
		struct store_cursor *c = r->cursors;
		r->cursors = c->next;
		free(c);
	}
	if (!r->w && r->txn)
		mdb_txn_abort(r->txn);
	free(r);
}

void txn_drop_pool(struct store *s)
{
	(void)pthread_mutex_lock(&s->readers_lock);
	struct store_read *r = s->pool;
	s->pool = NULL;
	(void)pthread_mutex_unlock(&s->readers_lock);
	while (r) {
		struct store_read *next = r->next;
		read_free(r);
		r = next;
	}
}

/* --- read transactions --------------------------------------------------------------------------------------------- */

/* Counts in, and takes one from the pool if there is one. */
static struct store_read *enter(struct store *s)
{
	(void)pthread_mutex_lock(&s->readers_lock);
	if (s->waiting && !s->resizing) {
		struct timespec until;
		(void)clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += GIVE_WAY_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		while (s->waiting && !s->resizing && pthread_cond_timedwait(&s->readers_changed, &s->readers_lock, &until) == 0)
			;
	}
	while (s->resizing)
		(void)pthread_cond_wait(&s->readers_changed, &s->readers_lock);
	s->active++;
	struct store_read *r = s->pool;
	if (r)
		s->pool = r->next;
	(void)pthread_mutex_unlock(&s->readers_lock);
	return r;
}

static void leave(struct store *s, struct store_read *keep)
{
	(void)pthread_mutex_lock(&s->readers_lock);
	if (keep) {
		keep->next = s->pool;
		s->pool = keep;
	}
	if (--s->active == 0 && s->waiting)
		(void)pthread_cond_broadcast(&s->readers_changed);
	(void)pthread_mutex_unlock(&s->readers_lock);
}

void txn_bound(struct store_read *r)
{
	MDB_envinfo info;
	MDB_stat stat;
	r->map = r->map_end = NULL;
	if (!r->s->map || mdb_env_info(r->s->env, &info) != 0 || mdb_env_stat(r->s->env, &stat) != 0)
		return;
	r->map = r->s->map;
	r->map_end = r->map + (info.me_last_pgno + 1) * stat.ms_psize;
}

static int read_start(struct store *s, struct store_read **r)
{
	if (*r)
		return mdb_txn_renew((*r)->txn);
	struct store_read *fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return ENOMEM;
	fresh->s = s;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &fresh->txn);
	if (rc != 0) {
		free(fresh);
		return rc;
	}
	*r = fresh;
	return 0;
}

int store_read_begin(struct store *s, struct store_read **ret)
{
	struct store_read *r = enter(s);
	int rc = read_start(s, &r);
	if (rc == MDB_MAP_RESIZED) { /* another process made it grow */
		if (r)
			read_free(r);
		leave(s, NULL);
		int resized = txn_resize(s, 0);
		if (resized < 0)
			return resized;
		r = enter(s);
		rc = read_start(s, &r);
	}
	if (rc != 0) {
		if (r)
			read_free(r);
		leave(s, NULL);
		return txn_errno(rc);
	}
	txn_bound(r);
	int error = info_get_counters(r, &r->snapshot);
	r->counters = &r->snapshot;
	if (error != 0) {
		store_read_end(r);
		return error;
	}
	*ret = r;
	return 0;
}

void store_read_end(struct store_read *r)
{
	if (!r)
		return;
	mdb_txn_reset(r->txn);
	leave(r->s, r);
}

uint64_t store_read_generation(struct store_read *r)
{
	return r->counters->generation;
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static bool in_file(const struct store_read *r, const char *end)
{
	struct stat st;
	int fd;
	return mdb_env_get_fd(r->s->env, &fd) == 0 && fstat(fd, &st) == 0 && end - r->map <= st.st_size;
}

/* A flipped bit in a page can make a value reach past the file, and touching that is a SIGBUS. What a write transaction gives may
 * also be a page in our own memory, or one that it wrote to the file before its end. */
bool value_in_bounds(const struct store_read *r, const MDB_val *value)
{
	const char *p = value->mv_data;
	if (!r->map)
		return true;
	if (p >= r->map && p <= r->map_end && value->mv_size <= (size_t)(r->map_end - p))
		return true;
	if (!r->w)
		return false;
	if (p < r->map || p >= r->map + r->s->map_size)
		return true;
	return value->mv_size <= (size_t)(r->map + r->s->map_size - p) && in_file(r, p + value->mv_size);
}

void value_fetch(const void *data, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)data / page * page;
	(void)madvise((void *)begin, (uintptr_t)data + size - begin, MADV_WILLNEED); /* NOLINT(performance-no-int-to-ptr) */
}

int table_get(struct store_read *r, enum table table, struct span key, struct span *ret)
{
	MDB_val k = {key.size, (void *)(uintptr_t)key.data}, v;
	int rc = mdb_get(r->txn, r->s->tables[table], &k, &v);
	if (rc != 0)
		return read_result(r, rc);
	if (!value_in_bounds(r, &v))
		return store_mark_damaged(r->s, "a value reaches past the end of the file");
	*ret = (struct span){v.mv_data, v.mv_size};
	return 0;
}

int record_get(struct store_read *r, enum table table, struct span key, struct span *ret_payload)
{
	struct span value;
	int error = table_get(r, table, key, &value);
	if (error != 0)
		return error;
	if (record_check(table, key, value, ret_payload) != 0)
		return store_mark_damaged(r->s, "a record's checksum is wrong");
	return 0;
}

int record_take(struct store_read *r, enum table table, const MDB_val *key, const MDB_val *value, struct span *ret_payload)
{
	if (!value_in_bounds(r, value) || !value_in_bounds(r, key) ||
	    record_check(table, (struct span){key->mv_data, key->mv_size}, (struct span){value->mv_data, value->mv_size},
	                 ret_payload) != 0)
		return store_mark_damaged(r->s, "a record's checksum is wrong");
	return 0;
}

int write_result(struct store_write *w, int rc)
{
	if (rc == 0 || rc == MDB_NOTFOUND || rc == MDB_KEYEXIST)
		return txn_errno(rc);
	if (rc == MDB_MAP_FULL)
		w->map_full = true;
	if (rc == MDB_TXN_FULL)
		w->txn_full = true;
	int error = is_damage(rc) ? store_mark_damaged(w->s, mdb_strerror(rc)) : txn_errno(rc);
	if (w->error == 0)
		w->error = error;
	return error;
}

int table_reserve(struct store_write *w, enum table table, struct span key, size_t size, unsigned flags, void **ret)
{
	MDB_val k = {key.size, (void *)(uintptr_t)key.data}, v = {size, NULL};
	w->wrote = true;
	int error = write_result(w, mdb_put(w->txn, w->s->tables[table], &k, &v, flags | MDB_RESERVE));
	if (error != 0)
		return error;
	*ret = v.mv_data;
	return 0;
}

int record_put(struct store_write *w, enum table table, struct span key, struct span fixed, struct span rest, unsigned flags)
{
	char small[8192], *payload = small;
	void *room;
	size_t size = fixed.size + rest.size;
	if (size > sizeof(small))
		return -EINVAL;
	memcpy(payload, fixed.data, fixed.size);
	if (rest.size)
		memcpy(payload + fixed.size, rest.data, rest.size);
	int error = table_reserve(w, table, key, sizeof(struct record_head) + size, flags, &room);
	if (error != 0)
		return error;
	record_write(table, key, payload, size, room);
	return 0;
}

int table_delete(struct store_write *w, enum table table, struct span key)
{
	MDB_val k = {key.size, (void *)(uintptr_t)key.data};
	w->wrote = true;
	return write_result(w, mdb_del(w->txn, w->s->tables[table], &k, NULL));
}
