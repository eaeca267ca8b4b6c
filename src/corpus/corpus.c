/* The composition: opens the source, the store and the model, and starts the threads that work for them. */
#include "jobs.h"
#include "remote.h"
#include "tree.h"

#include "base/cleanup.h"
#include "clean/clean.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define CORPUSFS_VERSION "0.1.0"

const char *corpus_version(void)
{
	return CORPUSFS_VERSION;
}

int corpus_use_extractors(const char *file, char *error, size_t error_size)
{
	struct err err = {{0}};
	int r = extract_use_rules(file, &err);
	if (r < 0)
		(void)snprintf(error, error_size, "%s", err.text);
	return r;
}

int corpus_start_helper(char *error, size_t error_size)
{
	struct err err = {{0}};
	int r = extract_helper_start(&err);
	if (r < 0)
		(void)snprintf(error, error_size, "%s", err.text);
	return r;
}

void corpus_log(struct corpus *c, int priority, const char *format, ...)
{
	if (!c->options.log)
		return;
	/* File names may hold line ends: one message is one line. */
	struct err line;
	char text[ERR_TEXT_SIZE];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)err_fail(&line, 0, "%s", text);
	c->options.log(c->options.log_context, priority, line.text);
}

/* --- where the store lies ------------------------------------------------------------------------------------------ */

/* <cache>/corpusfs/<name>-<16 hex digits of the hash of the absolute path>. */
static int default_store(const char *source, char *path, size_t size)
{
	char *CLEANUP_FREE real = realpath(source, NULL);
	if (!real)
		return -errno;
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char hex[HASH_HEX_SIZE];
	struct hash h = hash_bytes(span_of(real));
	hash_hex(&h, hex);
	struct span name = path_base_name(real);
	int n;
	if (cache && cache[0] == '/')
		n = snprintf(path, size, "%s/corpusfs/%.40s-%.16s", cache, name.data, hex);
	else
		n = snprintf(path, size, "%s/.cache/corpusfs/%.40s-%.16s", home && home[0] == '/' ? home : "/var", name.data, hex);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int corpus_store_path(const struct corpus_options *options, char *path, size_t size)
{
	if (!options->store)
		return default_store(options->source, path, size);
	int n = snprintf(path, size, "%s", options->store);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* Creates the folders above the store's own. */
static int make_parents(const char *path)
{
	char *CLEANUP_FREE copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

int corpus_find_owner(const struct corpus_options *options, char *mountpoint, size_t size)
{
	char store[4096], owner[4096];
	int r = corpus_store_path(options, store, sizeof(store));
	if (r == 0)
		r = store_owner(store, owner, sizeof(owner));
	if (r < 0)
		return r;
	const char *mount = strstr(owner, " mount ");
	if (!mount)
		return -ENODATA;
	int n = snprintf(mountpoint, size, "%s", mount + strlen(" mount "));
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* --- open and close ------------------------------------------------------------------------------------------------ */

static void source_changed(void *context, const char *path)
{
	struct corpus *c = context;
	(void)pthread_mutex_lock(&c->lock);
	unsigned count = c->listener_count;
	(void)pthread_mutex_unlock(&c->lock);
	/* Listeners are only ever added, so those counted stay as they are. */
	for (unsigned i = 0; i < count; i++)
		c->listeners[i].changed(c->listeners[i].context, path);
	ignore_changed(c->ignore, path);
	struct span name = path_base_name(path);
	if (!span_equal(name, span_of(".gitignore")) && !span_equal(name, span_of(".corpusfsignore"))) {
		indexer_changed(c, path);
		return;
	}
	/* The rules of a whole folder changed. */
	char folder[LIMIT_PATH_BYTES + 1];
	(void)snprintf(folder, sizeof(folder), "%.*s", name.data > path ? (int)(name.data - path - 1) : 0, path);
	indexer_changed(c, folder);
}

int corpus_on_change(struct corpus *c, void (*changed)(void *context, const char *path), void *context)
{
	int r = -ENOSPC;
	(void)pthread_mutex_lock(&c->lock);
	if (c->listener_count < CHANGE_LISTENERS) {
		c->listeners[c->listener_count].changed = changed;
		c->listeners[c->listener_count].context = context;
		c->listener_count++;
		r = 0;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return r;
}

bool corpus_watching(struct corpus *c)
{
	return source_watch_complete(c->source);
}

/* The fingerprints of both halves: what texts depend on, and what the index depends on besides. */
static void set_fingerprints(struct corpus *c)
{
	uint32_t numbers[7] = {chunk_default_recipe.version, chunk_default_recipe.target_words, chunk_default_recipe.max_words,
			       chunk_default_recipe.min_words, CHUNK_VERSION, CHUNK_PASSAGE_VERSION, WORDS_VERSION};
	struct span recipe[] = {{(const char *)numbers, sizeof(numbers)}};
	c->recipe = hash_parts(recipe, 1);
	uint32_t clean = CLEAN_VERSION;
	struct span all[] = {span_of(extract_fingerprint()), {(const char *)&clean, sizeof(clean)}, {(const char *)c->recipe.bytes, HASH_SIZE},
			     {(const char *)c->space.fingerprint.bytes, HASH_SIZE}};
	struct hash h = hash_parts(all, sizeof(all) / sizeof(*all));
	memcpy(&c->own_fingerprint, h.bytes, sizeof(c->own_fingerprint));
	atomic_store(&c->fingerprint, c->own_fingerprint);
}

static void load_model(struct corpus *c)
{
	struct err err;
	if (embed_static_new(&c->embedder, &err) < 0) {
		c->embedder = NULL;
		corpus_log(c, LOG_ERR, "the built-in model cannot be used (%s): search goes by keywords alone", err.text);
		return;
	}
	c->space = *embed_space(c->embedder);
}

static int open_store(struct corpus *c, struct err *err)
{
	char path[4096];
	int r = corpus_store_path(&c->options, path, sizeof(path));
	if (r < 0)
		return err_fail(err, r, "%s: no place for the store: %s; name one with --store", c->options.source, strerror(-r));
	bool writes = c->options.access != CORPUS_READ_ONLY;
	r = writes ? make_parents(path) : 0;
	if (r < 0)
		return err_fail(err, r, "%s: cannot be created: %s; name another place with --store", path, strerror(-r));
	struct store_options options = {.directory = path, .mode = writes ? STORE_WRITE : STORE_READ_ONLY, .recipe = c->recipe};
	r = store_open(&options, &c->store, c->reset_reason, err);
	if (r == 0 && *c->reset_reason)
		corpus_log(c, LOG_WARNING, "%s: begun anew: %s", path, c->reset_reason);
	return r;
}

static unsigned processor_count(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static int open_parts(struct corpus *c, struct err *err)
{
	int r = source_open(c->options.source, &c->source, err);
	if (r < 0)
		return r;
	source_set_owner(c->source, c->options.uid, c->options.gid);
	r = ignore_new(c->source, &c->ignore);
	if (r < 0)
		return err_fail(err, r, "out of memory");
	r = tree_new(&c->tree);
	if (r < 0)
		return err_fail(err, r, "out of memory");
	for (enum ignore_reason reason = IGNORE_NO; reason <= IGNORE_RULE; reason++)
		c->exclusion_keys[reason] = exclusion_key(reason);
	load_model(c);
	set_fingerprints(c);
	r = words_new(&c->writer_words);
	if (r < 0)
		return err_fail(err, r, "out of memory");
	r = open_store(c, err);
	if (r < 0)
		return r;
	r = jobs_new(c, &c->jobs);
	if (r < 0)
		return err_fail(err, r, "threads cannot be started: %s", strerror(-r));
	r = remote_start(c, err);
	if (r < 0)
		return r;
	if (c->options.access != CORPUS_DAEMON)
		return 0;
	struct err watch_err;
	if (!c->options.no_index) {
		r = indexer_start(c);
		if (r < 0)
			return err_fail(err, r, "the indexer cannot be started: %s", strerror(-r));
	}
	if (source_watch_start(c->source, source_changed, c, &watch_err) < 0)
		corpus_log(c, LOG_WARNING, "%s", watch_err.text);
	return 0;
}

int corpus_open(const struct corpus_options *options, struct corpus **ret, char *error, size_t error_size)
{
	struct err err = {{0}};
	struct corpus *c = calloc(1, sizeof(*c));
	if (!c) {
		(void)snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	c->options = *options;
	if (!c->options.threads)
		c->options.threads = processor_count();
	c->started = time(NULL);
	(void)pthread_mutex_init(&c->lock, NULL);
	buf_init(&c->opened, (size_t)1 << 30);
	int r = open_parts(c, &err);
	/* The strings are the caller's and are not looked at again. */
	c->options.source = c->options.store = c->options.embed_url = c->options.embed_model = c->options.embed_key = NULL;
	c->options.embed_key_file = c->options.embed_query_prefix = c->options.embed_passage_prefix = NULL;
	if (r < 0) {
		(void)snprintf(error, error_size, "%s", err.text);
		corpus_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

void corpus_close(struct corpus *c)
{
	if (!c)
		return;
	if (c->source)
		source_watch_stop(c->source);
	/* Jobs may be waiting for the server. */
	remote_stop(c);
	/* The indexer may be waiting for room among the jobs, so those end first. */
	if (c->jobs)
		jobs_stop(c->jobs);
	indexer_stop(c);
	/* Commits what is under way; its last operations still tell the jobs. */
	store_close(c->store);
	if (c->jobs)
		jobs_free(c->jobs);
	remote_free(c);
	words_free(c->writer_words);
	embedder_free(c->embedder);
	tree_free(c->tree);
	ignore_free(c->ignore);
	buf_release(&c->opened);
	source_close(c->source);
	free(c->mountpoint);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

const char *corpus_source_path(const struct corpus *c)
{
	return source_path(c->source);
}

int corpus_set_mountpoint(struct corpus *c, const char *mountpoint, dev_t device)
{
	const char *root = source_path(c->source);
	size_t n = strlen(root);
	bool below = strncmp(mountpoint, root, n) == 0 && (mountpoint[n] == '/' || n == 1);
	source_exclude(c->source, below ? mountpoint + n + (n > 1) : NULL, device);
	char *copy = strdup(mountpoint);
	if (!copy)
		return -ENOMEM;
	(void)pthread_mutex_lock(&c->lock);
	free(c->mountpoint);
	c->mountpoint = copy;
	(void)pthread_mutex_unlock(&c->lock);
	char owner[4096];
	int length = snprintf(owner, sizeof(owner), "pid %d mount %s", (int)getpid(), mountpoint);
	return length < 0 || (size_t)length >= sizeof(owner) ? -ENAMETOOLONG : store_set_owner(c->store, owner);
}

/* --- reading the source through ------------------------------------------------------------------------------------ */

int corpus_stat(struct corpus *c, const char *path, struct stat *ret)
{
	return tree_stat(c, path, ret);
}

int corpus_stat_shown(struct corpus *c, const char *path, struct stat *ret)
{
	return tree_stat_shown(c, path, ret);
}

int corpus_unread_archive(struct corpus *c, const char *path, char *archive, size_t size)
{
	char *CLEANUP_FREE found = malloc(LIMIT_PATH_BYTES + 1);
	int r = found ? tree_unread(c, path, found) : -ENOMEM;
	if (r < 0)
		return r;
	return snprintf(archive, size, "%s", found) < (int)size ? 0 : -ENAMETOOLONG;
}

void corpus_apply_rights(const struct corpus *c, int fd, struct stat *st)
{
	source_apply_rights(c->source, fd, st);
}

int corpus_open_raw(struct corpus *c, const char *path, int *ret_fd)
{
	return source_open_file(c->source, path, ret_fd);
}

int corpus_read_link(struct corpus *c, const char *path, char *target, size_t size)
{
	return source_read_link(c->source, path, target, size);
}

int corpus_list(struct corpus *c, const char *path, corpus_entry_fn *each, void *context)
{
	return tree_list(c, path, each, context);
}
