/* A store's life: opening and locking, another recipe or format, damage of every kind, a full disk, a killed writer, many readers.
 */
#include "tap.h"

#include "unit/store_model.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static struct store_options options(const char *folder, enum store_mode mode)
{
	return (struct store_options){.directory = folder, .mode = mode, .recipe = hash_bytes(span_of("recipe"))};
}

static struct store *open_store(const char *folder, enum store_mode mode, char reset[256])
{
	struct store *s = NULL;
	struct store_options o = options(folder, mode);
	struct err err = {""};
	char unused[256];
	int error = store_open(&o, &s, reset ? reset : unused, &err);
	if (error < 0)
		printf("# store_open: %d %s\n", error, err.text);
	return s;
}

static int put_file(struct store *s, const char *path, uint64_t number)
{
	static struct model_op op;
	op = (struct model_op){.number = number, .op = {.urgent = true}};
	(void)snprintf(op.path, sizeof(op.path), "%s", path);
	model_submit(s, &op);
	store_flush(s);
	return op.result;
}

static void path_in(const char *folder, const char *name, char out[512])
{
	(void)snprintf(out, 512, "%s/%s", folder, name);
}

/* 0: the path's document is there with its text; else what is wrong. */
static int look_up(struct store *s, const char *path, uint64_t number)
{
	struct store_read *r;
	struct store_file file;
	struct model_doc d;
	struct span text;
	int error = store_read_begin(s, &r);
	if (error < 0)
		return error;
	error = store_get_file(r, span_of(path), &file);
	if (error == 0)
		error = store_doc_text(r, file.doc, &text);
	model_doc_make(number, &d);
	if (error == 0 && !span_equal(text, (struct span){d.text, d.text_size}))
		error = -EILSEQ;
	model_doc_release(&d);
	store_read_end(r);
	return error;
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

static void locking(void)
{
	char folder[256], deep[300], owner[100], reset[256];
	struct store *s, *second = NULL;
	struct err err = {""};
	model_folder(folder);
	(void)snprintf(deep, sizeof(deep), "%s/a/b", folder);
	struct store_options o = options(deep, STORE_WRITE), reader = options(folder, STORE_READ_ONLY);
	CHECK(store_open(&reader, &second, reset, &err) == -ENOENT);
	s = open_store(deep, STORE_WRITE, NULL);
	if (!CHECK(s != NULL))
		return;
	struct stat st;
	CHECK(stat(deep, &st) == 0 && (st.st_mode & 0777) == 0700);
	CHECK(store_set_owner(s, "pid 12 mount /somewhere\nand more") == 0);
	CHECK(store_owner(deep, owner, sizeof(owner)) == 0 && strcmp(owner, "pid 12 mount /somewhere") == 0);
	CHECK(store_set_owner(s, "short") == 0 && store_owner(deep, owner, sizeof(owner)) == 0 && strcmp(owner, "short") == 0);
	CHECK(store_open(&o, &second, reset, &err) == -EBUSY && strstr(err.text, "in use by short"));
	store_close(s);
	CHECK(store_owner(deep, owner, sizeof(owner)) == -ENOENT);
	CHECK(store_owner(folder, owner, sizeof(owner)) == -ENOENT);
	s = open_store(deep, STORE_WRITE, reset);
	CHECK(s != NULL && reset[0] == '\0');
	store_close(s);
	model_remove(folder);
}

static int count_in_child(const char *self, const char *folder, const char *what)
{
	char *arguments[] = {(char *)(uintptr_t)self, (char *)(uintptr_t)what, (char *)(uintptr_t)folder, NULL};
	pid_t pid;
	int status;
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ) != 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The other process: how many files a reader beside the writer sees. */
static int child_reader(const char *folder)
{
	struct store *s = open_store(folder, STORE_READ_ONLY, NULL);
	struct store_read *r;
	struct store_counts counts;
	if (!s || store_read_begin(s, &r) < 0 || store_counts(r, &counts) < 0)
		return 100;
	int seen = store_generation(s) == 0 ? 101 : (int)counts.files;
	store_read_end(r);
	if (look_up(s, "one", 11) < 0)
		seen = 102;
	store_close(s);
	return seen;
}

static void reader_beside_a_writer(const char *self)
{
	char folder[256];
	model_folder(folder);
	struct store *s = open_store(folder, STORE_WRITE, NULL);
	if (!CHECK(s != NULL))
		return;
	CHECK(put_file(s, "one", 11) == 0);
	CHECK(count_in_child(self, folder, "--reader") == 1);
	CHECK(put_file(s, "two", 12) == 0);
	CHECK(count_in_child(self, folder, "--reader") == 2);
	store_close(s);
	CHECK(count_in_child(self, folder, "--reader") == 2);
	model_remove(folder);
}

static void recipes(void)
{
	char folder[256], reset[256];
	struct store_read *r;
	struct store_file file;
	struct store_doc doc;
	struct store_counts counts;
	struct store_index_stats stats;
	struct span span;
	struct store *s = NULL;
	model_folder(folder);
	s = open_store(folder, STORE_WRITE, NULL);
	CHECK(s && put_file(s, "one", 11) == 0);
	uint64_t generation = store_generation(s);
	store_close(s);
	struct store_options o = options(folder, STORE_WRITE);
	o.recipe = hash_bytes(span_of("another"));
	s = NULL;
	if (!CHECK(store_open(&o, &s, reset, NULL) == 0 && reset[0] == '\0'))
		return;
	CHECK(store_generation(s) > generation);
	CHECK(look_up(s, "one", 11) == 0);
	CHECK(store_read_begin(s, &r) == 0 && store_get_file(r, span_of("one"), &file) == 0 &&
	      store_get_doc(r, file.doc, &doc) == 0);
	CHECK(!doc.indexed && store_doc_chunks(r, file.doc, &span) == -ENOENT);
	CHECK(store_counts(r, &counts) == 0 && counts.documents == 1 && counts.indexed_documents == 0);
	CHECK(store_index_stats(r, &stats) == 0 && stats.chunk_limit == 0 && stats.live_length == 0);
	store_read_end(r);
	CHECK(put_file(s, "one", 11) == 0);
	CHECK(store_read_begin(s, &r) == 0 && store_get_doc(r, file.doc, &doc) == 0);
	CHECK(doc.indexed && store_doc_chunks(r, file.doc, &span) == 0 && span.size == 8 + 11);
	store_read_end(r);
	store_close(s);
	model_remove(folder);
}

static void network_and_read_only(void)
{
	struct store *s = NULL;
	char reset[256], folder[256];
	struct err err = {""};
	struct store_options o = options("/proc/store", STORE_WRITE);
	CHECK(store_open(&o, &s, reset, &err) < 0 && err.text[0]);
	model_folder(folder);
	o = options(folder, STORE_WRITE);
	if (geteuid() != 0 || mount("none", folder, "tmpfs", MS_RDONLY, NULL) < 0) {
		tap_skip("a read-only file system: needs root");
	} else {
		CHECK(store_open(&o, &s, reset, &err) == -EROFS);
		(void)umount(folder);
	}
	model_remove(folder);
}

/* --- damage -------------------------------------------------------------------------------------------------------- */

static void make_small_store(const char *folder)
{
	struct store *s = open_store(folder, STORE_WRITE, NULL);
	char path[32];
	for (unsigned i = 1; i <= 12; i++) {
		(void)snprintf(path, sizeof(path), "file-%u", i);
		if (put_file(s, path, i) != 0)
			CHECK_NAMED(0, "making a small store");
	}
	store_close(s);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void set_aside(void)
{
	char folder[256], data[512], aside[512], reset[256];
	model_folder(folder);
	path_in(folder, "data.mdb", data);
	for (unsigned i = 1; i <= 2; i++) {
		make_small_store(folder);
		int fd = open(data, O_WRONLY);
		CHECK(fd >= 0 && pwrite(fd, "nonsense", 8, 16) == 8 && pwrite(fd, "nonsense", 8, 4096 + 16) == 8);
		(void)close(fd);
		struct store *s = open_store(folder, STORE_READ_ONLY, NULL);
		CHECK(s == NULL);
		s = open_store(folder, STORE_WRITE, reset);
		CHECK_NAMED(s != NULL && strstr(reset, "set aside"), "a foreign file: %s", reset);
		CHECK(s && look_up(s, "file-1", 1) == -ENOENT && put_file(s, "file-1", 1) == 0 && look_up(s, "file-1", 1) == 0);
		store_close(s);
		(void)snprintf(aside, sizeof(aside), "%s.damaged-%u/data.mdb", folder, i);
		CHECK(exists(aside));
	}
	(void)snprintf(aside, sizeof(aside), "%s.damaged-1", folder);
	CHECK_NAMED(!exists(aside), "one is kept");
	model_remove(folder);
}

static bool copy_file(const char *from, const char *to)
{
	char command[1200];
	(void)snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	return system(command) == 0;
}

/* What a store that was opened over a damaged file may do: fail, be empty, or be right. Never crash or give other bytes. */
static const char *judge(struct store *s)
{
	const char *verdict = NULL;
	char path[32];
	for (unsigned i = 1; i <= 12 && !verdict; i++) {
		(void)snprintf(path, sizeof(path), "file-%u", i);
		int error = look_up(s, path, i);
		if (error != 0 && error != -ENOENT && error != -EIO)
			verdict = strerror(-error);
		if (error == -EIO && !store_damaged(s))
			verdict = "an error without the mark";
	}
	struct store_read *r;
	if (!verdict && store_read_begin(s, &r) == 0) {
		struct store_block block;
		struct store_cursor *c;
		struct store_segment g;
		struct store_vectors v;
		char word[LIMIT_TERM_BYTES + 1];
		for (uint32_t i = 0; i < 40; i++)
			if (store_cursor_open(r, (struct span){word, model_word(i, word)}, &c) == 0) {
				while (store_cursor_next(c, &block) == 1)
					;
				store_cursor_close(c);
			}
		(void)store_segment(r, 0, &g);
		(void)store_vectors(r, 1, 0, &v);
		store_read_end(r);
	}
	int written = verdict ? 0 : put_file(s, "new", 40);
	if (written != 0 && written != -EIO)
		verdict = "writing gave another error";
	return verdict;
}

/* Runs in a child, so that a crash is seen and counted: 0 fine, 1 wrong. */
static int child_judge(const char *folder)
{
	struct store *s = NULL;
	char reset[256];
	struct err err = {""};
	struct store_options o = options(folder, STORE_WRITE);
	o.map_bytes = 64 << 20;
	int error = store_open(&o, &s, reset, &err);
	if (error < 0)
		return printf("# opening: %d %s\n", error, err.text) > 0;
	const char *verdict = judge(s);
	if (verdict)
		printf("# %s\n", verdict);
	store_close(s);
	return verdict != NULL;
}

/* Many in one process: the damage is reported per store. Returns how many were wrong, or -1 for a crash. */
static int judge_forked(const char *folder)
{
	(void)fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		int wrong = child_judge(folder);
		(void)fflush(stdout);
		_exit(wrong);
	}
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void damage(void)
{
	char folder[256], good[512], data[512], mark[512];
	uint64_t random = 5;
	struct stat st;
	unsigned flips = getenv("STORE_FLIPS") ? (unsigned)atoi(getenv("STORE_FLIPS")) : 150, wrong = 0, crashed = 0;
	model_folder(folder);
	make_small_store(folder);
	path_in(folder, "data.mdb", data);
	path_in(folder, "good", good);
	path_in(folder, "damaged", mark);
	if (!CHECK(copy_file(data, good) && stat(good, &st) == 0))
		return;
	for (unsigned i = 0; i < flips; i++) {
		uint8_t byte;
		off_t at = (off_t)(model_random(&random) % (uint64_t)st.st_size);
		(void)copy_file(good, data);
		int fd = open(data, O_RDWR);
		if (pread(fd, &byte, 1, at) == 1) {
			byte = (uint8_t)(byte ^ 1u << (model_random(&random) % 8));
			if (pwrite(fd, &byte, 1, at) != 1)
				wrong++;
		}
		(void)close(fd);
		int result = judge_forked(folder);
		if (result != 0)
			printf("# flip at %lld: %d\n", (long long)at, result);
		wrong += result > 0;
		crashed += result < 0;
		(void)unlink(mark);
	}
	CHECK_NAMED(wrong == 0 && crashed == 0, "%u flipped bits: %u wrong, %u crashes", flips, wrong, crashed);
	wrong = crashed = 0;
	for (off_t size = 0; size < st.st_size; size += st.st_size / 40 / 4096 * 4096 + 4096) {
		(void)copy_file(good, data);
		if (truncate(data, size) < 0)
			wrong++;
		int result = judge_forked(folder);
		wrong += result > 0;
		crashed += result < 0;
		(void)unlink(mark);
	}
	CHECK_NAMED(wrong == 0 && crashed == 0, "cut off anywhere: %u wrong, %u crashes", wrong, crashed);
	model_remove(folder);
}

/* --- a full disk --------------------------------------------------------------------------------------------------- */

static void full_disk(void)
{
	char folder[256], path[64];
	int first = 0, last_good = 0;
	model_folder(folder);
	if (geteuid() != 0 || mount("none", folder, "tmpfs", 0, "size=3m") < 0) {
		tap_skip("a full disk: needs root to mount a small tmpfs");
		model_remove(folder);
		return;
	}
	struct store *s = open_store(folder, STORE_WRITE, NULL);
	if (CHECK(s != NULL)) {
		for (int i = 1; i < 400 && first == 0; i++) {
			(void)snprintf(path, sizeof(path), "file-%d", i);
			first = put_file(s, path, (uint64_t)i);
			last_good = first == 0 ? i : last_good;
		}
		CHECK_NAMED(first == -ENOSPC, "the disk fills up: %s", strerror(-first));
		CHECK(last_good > 3 && look_up(s, "file-3", 3) == 0 && !store_damaged(s));
		(void)snprintf(path, sizeof(path), "file-%d", last_good);
		CHECK(look_up(s, path, (uint64_t)last_good) == 0);
		CHECK(mount("none", folder, "tmpfs", MS_REMOUNT, "size=64m") == 0);
		CHECK(put_file(s, "later", 77) == 0 && look_up(s, "later", 77) == 0);
		store_close(s);
		s = open_store(folder, STORE_WRITE, NULL);
		CHECK(s && look_up(s, "later", 77) == 0 && look_up(s, "file-3", 3) == 0);
		store_close(s);
	}
	(void)umount(folder);
	model_remove(folder);
}

/* --- operations ---------------------------------------------------------------------------------------------------- */

static int write_and_fail(struct store_write *w, void *context)
{
	uint32_t orphan;
	(void)context;
	int error = store_put_file(w, span_of("should not be"), &(struct store_file){.state = STORE_SKIPPED}, &orphan);
	return error < 0 ? error : -ECANCELED;
}

static int only_fail(struct store_write *w, void *context)
{
	(void)w;
	(void)context;
	return -ECANCELED;
}

static void failing_operations(void)
{
	enum { OPS = 30 };
	static struct model_op ops[OPS];
	static struct model_call bad[OPS];
	char folder[256], path[32];
	struct store_read *r;
	struct store_file file;
	unsigned wrong = 0;
	model_folder(folder);
	struct store *s = open_store(folder, STORE_WRITE, NULL);
	if (!CHECK(s != NULL))
		return;
	for (unsigned i = 0; i < OPS; i++) {
		ops[i] = (struct model_op){.number = i + 1};
		(void)snprintf(ops[i].path, sizeof(ops[i].path), "good-%u", i);
		model_submit(s, &ops[i]);
		if (i % 3 == 0) {
			bad[i] = (struct model_call){
			        {.run = model_call_run, .done = model_call_done}, i % 2 ? write_and_fail : only_fail, NULL, 0};
			store_submit(s, &bad[i].op);
		}
	}
	store_flush(s);
	for (unsigned i = 0; i < OPS; i++) {
		(void)snprintf(path, sizeof(path), "good-%u", i);
		wrong += ops[i].result != 0 || look_up(s, path, i + 1) != 0 || (i % 3 == 0 && bad[i].result != -ECANCELED);
	}
	CHECK_NAMED(wrong == 0, "operations that fail leave the others alone (%u wrong)", wrong);
	CHECK(store_read_begin(s, &r) == 0 && store_get_file(r, span_of("should not be"), &file) == -ENOENT);
	store_read_end(r);
	store_close(s);
	model_remove(folder);
}

/* --- kill -9 ------------------------------------------------------------------------------------------------------- */

static int acknowledge_fd;

static void acknowledge(struct store_op *op, int result)
{
	struct model_op *m = (struct model_op *)op;
	m->result = result;
	if (result == 0 && write(acknowledge_fd, &m->number, sizeof(m->number)) != (ssize_t)sizeof(m->number))
		_exit(3);
}

/* Puts files numbered from where it left off, tells each that is committed, until it is killed. */
static int child_writer(const char *folder)
{
	enum { RING = 16 };
	static struct model_op ops[RING];
	struct store_read *r;
	struct store_counts counts;
	struct store *s = open_store(folder, STORE_WRITE, NULL);
	acknowledge_fd = 1;
	if (!s || store_read_begin(s, &r) < 0 || store_counts(r, &counts) < 0)
		return 4;
	store_read_end(r);
	for (uint64_t number = counts.files + 1;; number++) {
		struct model_op *op = &ops[number % RING];
		if (number % RING == 0)
			store_flush(s);
		*op = (struct model_op){.number = number};
		(void)snprintf(op->path, sizeof(op->path), "file-%llu", (unsigned long long)number);
		op->op = (struct store_op){.run = model_run, .done = acknowledge, .bytes = 1000, .urgent = number % 5 == 0};
		store_submit(s, &op->op);
	}
}

static uint64_t run_and_kill(const char *self, const char *folder, long nanoseconds)
{
	int ends[2];
	uint64_t number, last = 0;
	pid_t pid;
	posix_spawn_file_actions_t actions;
	char mode[] = "--writer", *arguments[] = {(char *)(uintptr_t)self, mode, (char *)(uintptr_t)folder, NULL};
	if (pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	int rc = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, arguments, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(ends[1]);
	if (rc == 0) {
		(void)nanosleep(&(struct timespec){nanoseconds / 1000000000, nanoseconds % 1000000000}, NULL);
		(void)kill(pid, SIGKILL);
		while (read(ends[0], &number, sizeof(number)) == (ssize_t)sizeof(number))
			last = number > last ? number : last;
		(void)waitpid(pid, NULL, 0);
	}
	(void)close(ends[0]);
	return last;
}

static void killed(const char *self)
{
	char folder[256], path[32], reset[256] = "";
	uint64_t random = 9, acknowledged = 0;
	unsigned missing = 0, resets = 0, rounds = getenv("STORE_KILLS") ? (unsigned)atoi(getenv("STORE_KILLS")) : 12;
	model_folder(folder);
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t last = run_and_kill(self, folder, (long)(20 + model_random(&random) % 300) * 1000000);
		acknowledged = last > acknowledged ? last : acknowledged;
		struct store *s = open_store(folder, STORE_WRITE, reset);
		if (!s)
			break;
		resets += reset[0] != '\0';
		for (uint64_t n = 1; n <= acknowledged; n++) {
			(void)snprintf(path, sizeof(path), "file-%llu", (unsigned long long)n);
			missing += look_up(s, path, n) != 0;
		}
		store_close(s);
	}
	CHECK_NAMED(acknowledged > 0 && missing == 0 && resets == 0, "%u kills: %llu acknowledged, %u missing, %u resets", rounds,
	            (unsigned long long)acknowledged, missing, resets);
	model_remove(folder);
}

/* --- many readers -------------------------------------------------------------------------------------------------- */

struct reading {
	struct store *s;
	atomic_bool stop;
	atomic_uint wrong, rounds;
};

static int count_one(void *context, struct span path, const struct store_file *file)
{
	(void)path;
	*(unsigned *)context += file->state == STORE_OK;
	return 0;
}

/* Every snapshot is consistent in itself: as many files as counted, as many live chunks as bits. */
static void *read_on(void *context)
{
	struct reading *g = context;
	while (!atomic_load(&g->stop)) {
		struct store_read *r;
		struct store_counts counts;
		struct store_index_stats stats;
		struct store_segment segment;
		unsigned files = 0;
		uint64_t live = 0;
		if (store_read_begin(g->s, &r) < 0) {
			atomic_fetch_add(&g->wrong, 1);
			break;
		}
		bool good = store_counts(r, &counts) == 0 && store_index_stats(r, &stats) == 0 &&
		            store_each_file(r, span_of(""), count_one, &files) == 0 && files == counts.ok;
		for (uint32_t i = 0; i * STORE_SEGMENT_CHUNKS < stats.chunk_limit && good; i++) {
			good = store_segment(r, i, &segment) == 0;
			for (uint32_t word = 0; good && word < STORE_SEGMENT_CHUNKS / 64; word++)
				live += (uint64_t)__builtin_popcountll(segment.live[word]);
		}
		good = good && live == stats.live_chunks;
		store_read_end(r);
		if (!good)
			atomic_fetch_add(&g->wrong, 1);
		atomic_fetch_add(&g->rounds, 1);
	}
	return NULL;
}

static void many_readers(void)
{
	enum { THREADS = 6, FILES = 120, RING = 40 };
	static struct model_op ops[RING];
	static struct reading g;
	char folder[256], reset[256];
	pthread_t threads[THREADS];
	unsigned failed = 0;
	model_folder(folder);
	struct store_options o = options(folder, STORE_WRITE);
	o.map_bytes = 1 << 20; /* it grows under the readers */
	if (!CHECK(store_open(&o, &g.s, reset, NULL) == 0))
		return;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, read_on, &g) != 0)
			return;
	for (unsigned i = 0; i < FILES; i++) {
		struct model_op *op = &ops[i % RING];
		if (i % RING == 0) {
			store_flush(g.s);
			for (unsigned k = 0; k < RING; k++)
				failed += ops[k].result != 0;
		}
		*op = (struct model_op){.number = i / 2 + 1, .op = {.urgent = i % 4 == 0}};
		(void)snprintf(op->path, sizeof(op->path), "file-%u", i % 50);
		model_submit(g.s, op);
	}
	store_flush(g.s);
	atomic_store(&g.stop, true);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	CHECK_NAMED(atomic_load(&g.wrong) == 0 && failed == 0 && !store_damaged(g.s),
	            "%u snapshots by %d threads beside the writer, %u wrong, %u failed", atomic_load(&g.rounds), THREADS,
	            atomic_load(&g.wrong), failed);
	store_close(g.s);
	model_remove(folder);
}

static void reader_slots(void)
{
	enum { MORE = 1100 };
	static struct store_read *held[MORE];
	char folder[256];
	int count = 0, error = 0;
	model_folder(folder);
	struct store *s = open_store(folder, STORE_WRITE, NULL);
	if (!CHECK(s != NULL))
		return;
	while (count < MORE && (error = store_read_begin(s, &held[count])) == 0)
		count++;
	CHECK_NAMED(count >= 1000 && error == -EAGAIN, "%d read transactions, then %s", count, strerror(-error));
	while (count > 0)
		store_read_end(held[--count]);
	CHECK(store_read_begin(s, &held[0]) == 0);
	store_read_end(held[0]);
	store_close(s);
	model_remove(folder);
}

static void little_address_space(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	tap_skip("a limit of the address space: the sanitizer needs more");
	return;
#endif
	char folder[256];
	model_folder(folder);
	(void)fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
		if (setrlimit(RLIMIT_AS, &limit) < 0)
			_exit(9);
		struct store *s = open_store(folder, STORE_WRITE, NULL);
		_exit(!s || put_file(s, "one", 11) != 0 || look_up(s, "one", 11) != 0);
	}
	int status = -1;
	(void)waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	model_remove(folder);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--reader") == 0)
		return child_reader(argv[2]);
	if (argc == 3 && strcmp(argv[1], "--writer") == 0)
		return child_writer(argv[2]);
	locking();
	reader_beside_a_writer(argv[0]);
	recipes();
	network_and_read_only();
	set_aside();
	damage();
	full_disk();
	failing_operations();
	killed(argv[0]);
	many_readers();
	reader_slots();
	little_address_space();
	return tap_done();
}
