/* Opening and closing: the folder, its lock, what is checked before LMDB maps a file that may be damaged, and what becomes of one
 * that is. */
#include "store/check.h"
#include "store/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4352, OWNER_MAX = 4096 };

static const size_t map_default = (size_t)64 << 30, map_least = (size_t)16 << 20;

static const char *const table_names[TABLE_COUNT] = {
        [TABLE_INFO] = "info",           [TABLE_FILES] = "files",
        [TABLE_DOC_PATHS] = "doc_paths", [TABLE_EXTRACTIONS] = "extractions",
        [TABLE_DOCS] = "docs",           [TABLE_DOC_KEYS] = "doc_keys",
        [TABLE_TEXTS] = "texts",         [TABLE_SPACES] = "spaces",
        [TABLE_NAMES] = "names",         [TABLE_CHUNKS] = "chunks",
        [TABLE_TERMS] = "terms",         [TABLE_POSTINGS] = "postings",
        [TABLE_SEGMENTS] = "segments",   [TABLE_VECTORS] = "vectors",
        [TABLE_FLOATS] = "floats",
};

/* --- the folder ---------------------------------------------------------------------------------------------------- */

static int file_path(const char *directory, const char *name, char out[PATH_SIZE])
{
	int n = snprintf(out, PATH_SIZE, "%s/%s", directory, name);
	return n > 0 && n < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

static int make_folders(const char *directory)
{
	char path[PATH_SIZE];
	size_t size = strlen(directory);
	if (size == 0 || size >= sizeof(path))
		return size ? -ENAMETOOLONG : -ENOENT;
	memcpy(path, directory, size + 1);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST && access(path, F_OK) < 0)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* File systems on which a map is not coherent between machines, or flock and fcntl locks do not hold: statfs(2). */
static const char *network_file_system(const char *directory)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} kinds[] = {
	        {0x6969, "NFS"},      {0xff534d42, "CIFS"},  {0xfe534d42, "SMB2"}, {0x517b, "SMB"},
	        {0x01021997, "9p"},   {0x65735546, "FUSE"},  {0x564c, "NCP"},      {0x73757245, "Coda"},
	        {0x5346414f, "AFS"},  {0x6b414653, "AFS"},   {0x00c36400, "Ceph"}, {0x0bd00bd0, "Lustre"},
	        {0x01161970, "GFS2"}, {0x7461636f, "OCFS2"}, {0x47504653, "GPFS"}, {0x786f4256, "vboxsf"},
	};
	struct statfs fs;
	if (statfs(directory, &fs) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if ((uint32_t)fs.f_type == kinds[i].magic)
			return kinds[i].name;
	return NULL;
}

/* --- the lock ------------------------------------------------------------------------------------------------------ */

/* flock rather than fcntl: it belongs to the open file, not to a process number, and so holds between PID namespaces. Somebody who
 * only looks (store_owner) holds it for a moment, hence the retries. */
static int take_lock(struct store *s, struct err *err)
{
	char path[PATH_SIZE];
	int error = file_path(s->directory, "lock", path);
	if (error != 0)
		return err_fail(err, error, "%s: the path is too long", s->directory);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return err_fail(err, -errno, "%s: %s", path, strerror(errno));
	for (int tries = 0; flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		char owner[OWNER_MAX + 1] = "another process";
		if (errno != EWOULDBLOCK)
			return err_fail(err, -errno, "%s: %s", path, strerror(errno));
		if (tries == 10) {
			(void)store_owner(s->directory, owner, sizeof(owner));
			return err_fail(err, -EBUSY, "%s: in use by %s", s->directory, owner);
		}
		(void)nanosleep(&(struct timespec){0, 10000000}, NULL);
	}
	/* Closing empties the file: text in it is from one that was killed or crashed. */
	struct stat st;
	s->has_lock = true;
	s->unclean = fstat(s->lock_fd, &st) < 0 || st.st_size > 0;
	return 0;
}

int store_set_owner(struct store *s, const char *text)
{
	char line[OWNER_MAX];
	size_t size = strcspn(text, "\n");
	if (s->mode != STORE_WRITE)
		return -EBADF;
	if (size >= sizeof(line))
		size = sizeof(line) - 1;
	memcpy(line, text, size);
	line[size++] = '\n';
	/* Written over, then cut: a reader in between sees a line that is whole up to its end. */
	ssize_t written = pwrite(s->lock_fd, line, size, 0);
	if (written != (ssize_t)size)
		return written < 0 ? -errno : -ENOSPC;
	return ftruncate(s->lock_fd, (off_t)size) < 0 ? -errno : 0;
}

int store_owner(const char *directory, char *text, size_t size)
{
	char path[PATH_SIZE];
	int error = file_path(directory, "lock", path);
	if (error != 0)
		return error;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t got = 0;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		error = -ENOENT;
	else if ((got = pread(fd, text, size - 1, 0)) < 0)
		error = -errno;
	(void)close(fd);
	if (error != 0)
		return error;
	text[got] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

/* Not O_TMPFILE, which overlay and network file systems lack. */
int store_scratch_file(struct store *s, int *ret_fd)
{
	char path[PATH_SIZE];
	int error = file_path(s->directory, "scratch-XXXXXX", path);
	if (error != 0)
		return error;
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)unlink(path);
	*ret_fd = fd;
	return 0;
}

/* --- what is wrong is set aside ------------------------------------------------------------------------------------ */

static void remove_folder(const char *directory)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "damaged"};
	char path[PATH_SIZE];
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (file_path(directory, names[i], path) == 0)
			(void)unlink(path);
	(void)rmdir(directory);
}

/* The number of "<directory>.damaged-N" to make; removes those that are there. */
static unsigned next_number(const char *directory)
{
	char parent[PATH_SIZE], old[PATH_SIZE];
	const char *slash = strrchr(directory, '/'), *name = slash ? slash + 1 : directory;
	size_t name_size = strlen(name);
	unsigned next = 1;
	(void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - directory) + 1 : 1, slash ? directory : ".");
	DIR *folder = opendir(parent);
	if (!folder)
		return next;
	for (struct dirent *e; (e = readdir(folder));) {
		unsigned number;
		int end = 0;
		if (strncmp(e->d_name, name, name_size) != 0 ||
		    sscanf(e->d_name + name_size, ".damaged-%u%n", &number, &end) != 1 ||
		    e->d_name[name_size + (size_t)end] != '\0')
			continue;
		if (number >= next && number < UINT32_MAX)
			next = number + 1;
		int n = snprintf(old, sizeof(old), "%s.damaged-%u", directory, number);
		if (n > 0 && (size_t)n < sizeof(old))
			remove_folder(old);
	}
	(void)closedir(folder);
	return next;
}

/* Moves the data file into "<directory>.damaged-N", or removes it where no such folder can be made. The folder itself and the lock
 * in it stay, so that nobody can slip in between, and a store that is a mountpoint works too. */
static void set_aside(struct store *s, const char *why, char reset[256])
{
	char aside[PATH_SIZE], from[PATH_SIZE], to[PATH_SIZE];
	int n = snprintf(aside, sizeof(aside), "%s.damaged-%u", s->directory, next_number(s->directory));
	bool made = n > 0 && (size_t)n < sizeof(aside) && mkdir(aside, 0700) == 0;
	static const char *const names[] = {"data.mdb", "lock.mdb", "damaged"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (file_path(s->directory, names[i], from) < 0)
			continue;
		if (!made || file_path(aside, names[i], to) < 0 || rename(from, to) < 0)
			(void)unlink(from);
	}
	if (made)
		(void)snprintf(reset, 256, "the store was set aside as %.150s: %.70s", aside, why);
	else
		(void)snprintf(reset, 256, "the store was removed: %.120s", why);
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

/* An assertion of LMDB's own ends the process, whatever we do; the next one is to begin with an empty store. */
static void on_assert(MDB_env *env, const char *text)
{
	struct store *s = mdb_env_get_userctx(env);
	if (s)
		store_note_damage(s, text);
}

static size_t first_map_size(const struct store_options *options)
{
	struct rlimit limit;
	size_t size = options->map_bytes ? options->map_bytes : map_default;
	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur / 4 &&
	    !options->map_bytes)
		size = limit.rlim_cur / 4;
	return size / 65536 * 65536;
}

static int open_env(struct store *s, size_t map_size)
{
	unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMETASYNC | (s->mode == STORE_READ_ONLY ? MDB_RDONLY : 0);
	int rc = mdb_env_create(&s->env);
	if (rc != 0)
		return rc;
	(void)mdb_env_set_userctx(s->env, s);
	(void)mdb_env_set_assert(s->env, on_assert);
	(void)mdb_env_set_maxdbs(s->env, TABLE_COUNT);
	(void)mdb_env_set_maxreaders(s->env, STORE_READERS);
	rc = mdb_env_set_mapsize(s->env, map_size);
	if (rc == 0)
		rc = mdb_env_open(s->env, s->directory, flags, 0600);
	if (rc != 0) {
		mdb_env_close(s->env);
		s->env = NULL;
	}
	return rc;
}

/* Address space may be short even where no limit says so: then smaller maps are tried; they grow with need. */
static int open_env_that_fits(struct store *s, const struct store_options *options)
{
	size_t size = first_map_size(options);
	int rc = open_env(s, size);
	while (rc == ENOMEM && size / 2 >= map_least) {
		size /= 2;
		rc = open_env(s, size);
	}
	return rc;
}

/* All tables are made by the first transaction: one that is missing later is damage, not something to begin anew. */
static int open_tables(struct store *s, MDB_txn *txn, bool *ret_empty)
{
	MDB_dbi main;
	MDB_stat stat;
	int rc = mdb_dbi_open(txn, NULL, 0, &main);
	if (rc == 0)
		rc = mdb_stat(txn, main, &stat);
	if (rc != 0)
		return txn_errno(rc);
	bool empty = stat.ms_entries == 0;
	if (empty && s->mode == STORE_READ_ONLY)
		return -ENOENT;
	for (size_t i = 0; i < TABLE_COUNT && rc == 0; i++)
		rc = mdb_dbi_open(txn, table_names[i], empty ? MDB_CREATE : 0, &s->tables[i]);
	if (rc != 0)
		return rc == MDB_NOTFOUND ? -EIO : txn_errno(rc);
	*ret_empty = empty;
	return 0;
}

int info_get_counters(struct store_read *r, struct counters *ret)
{
	struct span payload;
	int error = record_get(r, TABLE_INFO, span_of("counters"), &payload);
	if (error != 0 && error != -ENOENT)
		return error;
	if (error == -ENOENT || payload.size != sizeof(*ret))
		return store_mark_damaged(r->s, "the counters are wrong");
	memcpy(ret, payload.data, sizeof(*ret));
	return 0;
}

static const struct record_format our_format = {"corpusfs store", STORE_FORMAT, 0x01020304};

static int put_first_records(struct store_write *w)
{
	const struct counters c = {.next_doc = 1, .next_space = 1, .epoch = 1, .recipe = w->s->recipe};
	int error = record_put(w, TABLE_INFO, span_of("format"), (struct span){(const char *)&our_format, sizeof(our_format)},
	                       span_of(""), 0);
	return error != 0
	               ? error
	               : record_put(w, TABLE_INFO, span_of("counters"), (struct span){(const char *)&c, sizeof(c)}, span_of(""), 0);
}

/* The format record is compared as bytes, without its checksum: the layout of a record may change with the format. */
static int check_format(struct store_read *r)
{
	struct span value;
	int error = table_get(r, TABLE_INFO, span_of("format"), &value);
	if (error != 0)
		return error == -ENOENT ? -EIO : error;
	return value.size == sizeof(struct record_head) + sizeof(our_format) &&
	                       memcmp(value.data + sizeof(struct record_head), &our_format, sizeof(our_format)) == 0
	               ? 0
	               : -EILSEQ;
}

/* A new recipe: chunks, postings and vectors go, texts stay. */
static int drop_index(struct store_write *w)
{
	struct counters *c = &w->counters;
	for (int i = TABLE_FIRST_OF_INDEX; i < TABLE_COUNT; i++) {
		int error = write_result(w, mdb_drop(w->txn, w->s->tables[i], 0));
		if (error != 0)
			return error;
	}
	c->epoch++;
	c->recipe = w->s->recipe;
	c->next_chunk = 0;
	c->indexed_documents = c->live_chunks = c->live_length = c->held_chunks = 0;
	c->next_pack[1] = c->next_pack[2] = c->first_piece_pack = 0;
	w->changed = true;
	return 0;
}

/* The first transaction of a writer: tables, format, recipe. -EILSEQ: of another format. */
static int prepare(struct store *s)
{
	struct store_write *w = &s->w;
	w->s = w->view.s = s;
	w->view.w = w;
	int rc = mdb_txn_begin(s->env, NULL, 0, &w->txn);
	if (rc != 0)
		return txn_errno(rc);
	w->view.txn = w->txn;
	bool empty = false;
	int error = open_tables(s, w->txn, &empty);
	if (error == 0)
		error = empty ? put_first_records(w) : check_format(&w->view);
	if (error != 0) {
		write_abort(w);
		return error;
	}
	rc = mdb_txn_commit(w->txn);
	w->txn = NULL;
	if (rc != 0)
		return txn_errno(rc);
	s->untidy = empty;
	error = write_begin(s, w);
	if (error != 0)
		return error;
	if (hash_equal(&w->counters.recipe, &s->recipe)) {
		atomic_store(&s->generation, w->counters.generation);
		write_abort(w);
		return 0;
	}
	s->untidy = true;
	error = drop_index(w);
	if (error == 0)
		return write_commit(w);
	write_abort(w);
	return error;
}

static int prepare_reader(struct store *s)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (rc != 0)
		return txn_errno(rc);
	bool empty = false;
	struct store_read r = {.s = s, .txn = txn};
	int error = open_tables(s, txn, &empty);
	if (error == 0)
		error = check_format(&r);
	(void)mdb_txn_commit(txn); /* keeps the tables open */
	return error;
}

static void close_env(struct store *s)
{
	txn_drop_pool(s);
	if (s->env)
		mdb_env_close(s->env);
	s->env = NULL;
	s->map = NULL;
}

/* Looks at the data file before LMDB does. A reader beside a writer cannot: pages change under it. */
static int check_data(struct store *s, const char **ret_why)
{
	char path[PATH_SIZE], owner[2];
	if (s->mode == STORE_READ_ONLY && store_owner(s->directory, owner, sizeof(owner)) == 0)
		return 0;
	int error = file_path(s->directory, "damaged", path);
	*ret_why = "it was found damaged when last used";
	if (error == 0 && access(path, F_OK) == 0)
		return -EIO;
	if (error == 0)
		error = file_path(s->directory, "data.mdb", path);
	return error != 0 ? error : check_file(path, s->unclean, ret_why);
}

/* Opens what is there. -EIO or -EILSEQ with *ret_why: it is not usable. */
static int open_data(struct store *s, const struct store_options *options, const char **ret_why)
{
	int error = check_data(s, ret_why);
	if (error != 0 && (error != -ENOENT || s->mode == STORE_READ_ONLY))
		return error;
	int rc = open_env_that_fits(s, options);
	*ret_why = "it is damaged";
	if (rc != 0)
		return rc > 0 ? -rc : -EIO;
	txn_locate_map(s);
	error = s->mode == STORE_WRITE ? prepare(s) : prepare_reader(s);
	if (error != 0)
		close_env(s);
	if (error == -EILSEQ)
		*ret_why = "it has another format";
	return error;
}

static int open_or_begin_anew(struct store *s, const struct store_options *options, char reset[256], struct err *err)
{
	const char *why;
	int error = open_data(s, options, &why);
	bool unusable = error == -EIO || error == -EILSEQ;
	if (unusable && s->mode == STORE_WRITE) {
		set_aside(s, why, reset);
		atomic_store(&s->damaged, false);
		error = open_data(s, options, &why);
	}
	if (error == -EILSEQ)
		error = -EIO;
	if (error == -EIO)
		return err_fail(err, error, "%s: %s", s->directory, why);
	if (error != 0)
		return err_fail(err, error, "%s: %s", s->directory, strerror(-error));
	return 0;
}

static int open_folder(struct store *s, struct err *err)
{
	int error = s->mode == STORE_WRITE ? make_folders(s->directory) : access(s->directory, F_OK) < 0 ? -errno : 0;
	if (error != 0)
		return err_fail(err, error, "%s: %s", s->directory, strerror(-error));
	const char *kind = network_file_system(s->directory);
	if (kind)
		return err_fail(err, -ENOTSUP, "%s: is on %s, where a store is not safe; choose a local folder", s->directory,
		                kind);
	return s->mode == STORE_WRITE ? take_lock(s, err) : 0;
}

static struct store *new_store(const struct store_options *options)
{
	struct store *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->mode = options->mode;
	s->recipe = options->recipe;
	s->batch_bytes = options->batch_bytes ? options->batch_bytes : (size_t)16 << 20;
	s->lock_fd = -1;
	s->tail = &s->first;
	(void)pthread_mutex_init(&s->readers_lock, NULL);
	(void)pthread_cond_init(&s->readers_changed, NULL);
	(void)pthread_mutex_init(&s->queue_lock, NULL);
	(void)pthread_cond_init(&s->queue_emptied, NULL);
	s->directory = strdup(options->directory);
	if (!s->directory) {
		store_close(s);
		return NULL;
	}
	size_t size = strlen(s->directory);
	while (size > 1 && s->directory[size - 1] == '/')
		s->directory[--size] = '\0';
	return s;
}

int store_open(const struct store_options *options, struct store **ret, char ret_reset[256], struct err *err)
{
	char reset[256] = "";
	struct store *s = new_store(options);
	if (!s)
		return err_fail(err, -ENOMEM, "out of memory");
	int error = open_folder(s, err);
	if (error == 0)
		error = open_or_begin_anew(s, options, reset, err);
	if (error == 0 && s->mode == STORE_WRITE) {
		int dead;
		(void)mdb_reader_check(s->env, &dead);
		(void)store_set_owner(s, "another process");
		error = writer_start(s);
		if (error != 0)
			(void)err_fail(err, error, "%s: no thread for the writer: %s", s->directory, strerror(-error));
	}
	if (error != 0) {
		store_close(s);
		return error;
	}
	memcpy(ret_reset, reset, sizeof(reset));
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	writer_stop(s);
	write_release(&s->w);
	close_env(s);
	if (s->has_lock && ftruncate(s->lock_fd, 0) < 0)
		s->has_lock = false; /* the next opening is only slower */
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	for (size_t i = 0; i < VERIFIED_SPACES; i++)
		free(atomic_load(&s->verified.spaces[i]));
	(void)pthread_mutex_destroy(&s->readers_lock);
	(void)pthread_cond_destroy(&s->readers_changed);
	(void)pthread_mutex_destroy(&s->queue_lock);
	(void)pthread_cond_destroy(&s->queue_emptied);
	free(s->directory);
	free(s);
}

bool store_damaged(const struct store *s)
{
	return atomic_load(&s->damaged);
}

int store_sizes(struct store *s, uint64_t *ret_used, uint64_t *ret_map)
{
	MDB_envinfo info;
	MDB_stat stat;
	int rc = mdb_env_info(s->env, &info);
	if (rc == 0)
		rc = mdb_env_stat(s->env, &stat);
	if (rc != 0)
		return txn_errno(rc);
	*ret_used = (info.me_last_pgno + 1) * stat.ms_psize;
	*ret_map = info.me_mapsize;
	return 0;
}
