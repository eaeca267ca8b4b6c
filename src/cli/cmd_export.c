/* corpusfs export: the mount's clean/, chunks/, vectors/ and meta/ as plain files, for places that forbid FUSE. The bytes are those of the mount. A manifest
 * remembers the version of every document, so that the next export writes only what changed and removes what is gone. */
#include "cli/cmd.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "cli/ask.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/where.h"
#include "corpusfs.h"
#include "mount/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 2 * PATH_MAX };

/* One line of the manifest: version, state and path of a document. */
struct item {
	uint64_t version;
	char *path;
};

struct manifest {
	struct item *items; /* by path once sorted */
	size_t count, capacity;
};

struct export {
	struct corpus *corpus;
	const char *target;
	struct manifest before, now;
	uint64_t written, unchanged, removed, failed;
};

/* --- manifest ------------------------------------------------------------------------------------------------------ */

static int manifest_add(struct manifest *m, uint64_t version, const char *path)
{
	if (m->count == m->capacity) {
		size_t capacity = m->capacity ? m->capacity * 2 : 256;
		struct item *items = reallocarray(m->items, capacity, sizeof(*items));
		if (!items)
			return -ENOMEM;
		m->items = items;
		m->capacity = capacity;
	}
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	m->items[m->count++] = (struct item){version, copy};
	return 0;
}

static void manifest_release(struct manifest *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->items[i].path);
	free(m->items);
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

static const struct item *manifest_find(const struct manifest *m, const char *path)
{
	struct item wanted = {0, (char *)(uintptr_t)path};
	return m->count ? bsearch(&wanted, m->items, m->count, sizeof(wanted), compare_items) : NULL;
}

/* "<16 hex digits> <path>\0" a document: paths may hold line ends, so a NUL ends each. A manifest that cannot be read means that everything is written. */
static int manifest_read(struct export *e)
{
	char path[PATH_SIZE];
	struct buf text;
	buf_init(&text, (size_t)1 << 30);
	(void)snprintf(path, sizeof(path), "%s/.corpusfs-manifest", e->target);
	int r = out_read_file(path, &text);
	for (size_t at = 0; r == 0 && at < text.size;) {
		const char *line = text.data + at, *end = memchr(line, '\0', text.size - at);
		char *rest;
		if (!end || end - line < 18)
			break;
		uint64_t version = strtoull(line, &rest, 16);
		if (rest != line + 16 || *rest != ' ')
			break;
		r = manifest_add(&e->before, version, rest + 1);
		at += (size_t)(end - line) + 1;
	}
	buf_release(&text);
	if (e->before.count)
		qsort(e->before.items, e->before.count, sizeof(struct item), compare_items);
	return r == -ENOENT ? 0 : r;
}

/* --- files --------------------------------------------------------------------------------------------------------- */

static int make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int r = mkdir(path, 0777) < 0 && errno != EEXIST ? -errno : 0;
		*slash = '/';
		if (r < 0)
			return r;
	}
	return 0;
}

/* Written beside its place and renamed, so that a reader never sees half a file. */
static int write_file(char *path, const char *data, size_t size, const struct timespec *mtime)
{
	char part[PATH_SIZE + 8];
	int r = make_folders(path);
	if (r < 0)
		return r;
	(void)snprintf(part, sizeof(part), "%s.part~", path);
	int CLEANUP_FD fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < size;) {
		ssize_t n = write(fd, data + at, size - at);
		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	struct timespec times[2] = {*mtime, *mtime};
	(void)futimens(fd, times);
	return rename(part, path) < 0 ? -errno : 0;
}

/* Removes the files of a flat folder, and it. */
static void remove_folder(const char *path)
{
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
	(void)rmdir(path);
}

/* The folders of `path` as a view with this suffix shows them (mount/names.h), without the file's own name. */
static int shown_folders(struct export *e, const char *path, const char *suffix, struct buf *out)
{
	char name[PATH_MAX], rival[PATH_MAX];
	for (const char *at = path, *slash; (slash = strchr(at, '/')); at = slash + 1) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)(slash - at), at);
		buf_add_string(out, name);
		size_t n = *suffix ? names_rival(name, suffix) : 0;
		if (n) {
			struct corpus_look look;
			(void)snprintf(rival, sizeof(rival), "%.*s%.*s", (int)(at - path), path, (int)n, name);
			if (corpus_look(e->corpus, rival, CORPUS_META, &look) == 0 && (look.has_text || strcmp(suffix, ".json") == 0))
				buf_add_string(out, ".d");
		}
		buf_add_char(out, '/');
	}
	return buf_error(out);
}

/* "<target>/<view>/<folders>/<name><suffix>" */
static int place(struct export *e, const char *view, const char *path, const char *suffix, struct buf *out)
{
	const char *slash = strrchr(path, '/');
	buf_init(out, PATH_SIZE - 1);
	buf_addf(out, "%s/%s/", e->target, view);
	int r = shown_folders(e, path, suffix, out);
	buf_addf(out, "%s%s", slash ? slash + 1 : path, suffix);
	return r < 0 ? r : buf_error(out);
}

static const struct export_view {
	const char *name, *suffix;
	enum corpus_view view;
} views[] = {{"clean", ".txt", CORPUS_CLEAN}, {"vectors", ".npy", CORPUS_VECTORS}, {"meta", ".json", CORPUS_META}};
enum { VIEW_COUNT = sizeof(views) / sizeof(views[0]) };

static int write_blob(char *path, struct corpus_doc *d, enum corpus_view view, uint32_t chunk, const struct timespec *mtime)
{
	struct corpus_blob *blob = NULL;
	int r = corpus_doc_blob(d, view, chunk, &blob);
	if (r == 0)
		r = write_file(path, corpus_blob_data(blob), corpus_blob_size(blob), mtime);
	corpus_blob_unref(blob);
	return r;
}

static void remove_document(struct export *e, const char *path)
{
	struct buf at;
	for (int i = 0; i < VIEW_COUNT; i++) {
		if (place(e, views[i].name, path, views[i].suffix, &at) == 0)
			(void)unlink(at.data);
		buf_release(&at);
	}
	if (place(e, "chunks", path, "", &at) == 0)
		remove_folder(at.data);
	buf_release(&at);
}

static int write_chunks(struct export *e, const char *path, struct corpus_doc *d, const struct timespec *mtime)
{
	struct buf at;
	int r = place(e, "chunks", path, "", &at);
	size_t length = at.size;
	/* An empty document has an empty folder. */
	if (r == 0)
		r = make_folders(at.data);
	if (r == 0 && mkdir(at.data, 0777) < 0 && errno != EEXIST)
		r = -errno;
	for (uint32_t i = 0; r == 0 && i < corpus_doc_chunk_count(d); i++) {
		char name[NAMES_CHUNK_SIZE];
		names_chunk(i + 1, name);
		buf_truncate(&at, length);
		buf_addf(&at, "/%s", name);
		r = buf_error(&at) ? buf_error(&at) : write_blob(at.data, d, CORPUS_CHUNKS, i, mtime);
	}
	buf_release(&at);
	return r;
}

static int write_view(struct export *e, const char *path, const struct export_view *v, struct corpus_doc *d, const struct timespec *mtime)
{
	struct buf at;
	int r = place(e, v->name, path, v->suffix, &at);
	if (r == 0)
		r = write_blob(at.data, d, v->view, 0, mtime);
	buf_release(&at);
	return r;
}

/* --- one document -------------------------------------------------------------------------------------------------- */

static int export_document(struct export *e, const char *path)
{
	struct corpus_look look;
	int r = corpus_look(e->corpus, path, CORPUS_META, &look);
	if (r < 0)
		return r == -ENOENT || r == -EINVAL ? 0 : r;
	const struct item *before = manifest_find(&e->before, path);
	if (before && before->version == look.version) {
		e->unchanged++;
		return manifest_add(&e->now, look.version, path);
	}
	struct corpus_doc *meta = NULL, *text = NULL;
	r = ask_document(e->corpus, path, CORPUS_META, &meta);
	if (r == 0) {
		remove_document(e, path);
		r = write_view(e, path, &views[VIEW_COUNT - 1], meta, &look.source.st_mtim);
	}
	if (r == 0 && ask_document(e->corpus, path, CORPUS_VECTORS, &text) == 0) {
		for (int i = 0; r == 0 && i < VIEW_COUNT - 1; i++)
			r = write_view(e, path, &views[i], text, &look.source.st_mtim);
		if (r == 0)
			r = write_chunks(e, path, text, &look.source.st_mtim);
	}
	uint64_t version = meta ? corpus_doc_version(meta) : 0;
	corpus_doc_unref(meta);
	corpus_doc_unref(text);
	if (r < 0) {
		out_error("%s: not exported: %s", path, strerror(-r));
		e->failed++;
		return r == -ENOSPC || r == -ENOMEM ? r : 0;
	}
	e->written++;
	return manifest_add(&e->now, version, path);
}

struct folder_walk {
	struct buf names; /* type byte, name, NUL */
};

static int note_entry(void *context, const char *name, unsigned char type, uint64_t ino)
{
	struct folder_walk *w = context;
	(void)ino;
	if (type != DT_REG && type != DT_DIR)
		return 0;
	buf_add_char(&w->names, (char)type);
	buf_add(&w->names, name, strlen(name) + 1);
	return buf_error(&w->names);
}

static int export_folder(struct export *e, const char *folder, unsigned depth)
{
	struct folder_walk w;
	buf_init(&w.names, (size_t)1 << 30);
	int r = depth > LIMIT_TREE_DEPTH ? -ELOOP : corpus_list(e->corpus, folder, note_entry, &w);
	for (size_t at = 0; r == 0 && at < w.names.size; at += strlen(w.names.data + at) + 1) {
		char path[PATH_MAX];
		bool is_folder = w.names.data[at++] == DT_DIR;
		int n = snprintf(path, sizeof(path), "%s%s%s", folder, *folder ? "/" : "", w.names.data + at);
		if (n < 0 || (size_t)n >= sizeof(path))
			continue;
		struct stat st;
		if (!is_folder)
			r = export_document(e, path);
		/* An archive is both: its record, and a folder. */
		if (r == 0 && (is_folder || (corpus_stat_shown(e->corpus, path, &st) == 0 && S_ISDIR(st.st_mode))))
			r = corpus_hides_folder(e->corpus, path) ? 0 : export_folder(e, path, depth + 1);
	}
	buf_release(&w.names);
	return r == -EACCES ? 0 : r;
}

/* --- all of it ----------------------------------------------------------------------------------------------------- */

static void remove_gone(struct export *e)
{
	if (e->now.count)
		qsort(e->now.items, e->now.count, sizeof(struct item), compare_items);
	for (size_t i = 0; i < e->before.count; i++)
		if (!manifest_find(&e->now, e->before.items[i].path)) {
			remove_document(e, e->before.items[i].path);
			e->removed++;
		}
}

static int manifest_write(struct export *e)
{
	char path[PATH_SIZE];
	struct buf text;
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	buf_init(&text, (size_t)1 << 30);
	for (size_t i = 0; i < e->now.count; i++) {
		buf_addf(&text, "%016" PRIx64 " ", e->now.items[i].version);
		buf_add(&text, e->now.items[i].path, strlen(e->now.items[i].path) + 1);
	}
	(void)snprintf(path, sizeof(path), "%s/.corpusfs-manifest", e->target);
	int r = buf_error(&text) ? buf_error(&text) : write_file(path, buf_span(&text).data, text.size, &now);
	buf_release(&text);
	return r;
}

static const struct {
	const char *name;
	enum corpus_table table;
} tables[] = {{"documents.jsonl", CORPUS_TABLE_DOCUMENTS}, {"chunks.jsonl", CORPUS_TABLE_CHUNKS}};

/* True when the file holds these bytes already: what depends on it by its time has nothing to do then. */
static bool file_holds(const char *path, const char *data, size_t size)
{
	char part[1 << 16];
	struct stat st;
	int CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != size)
		return false;
	size_t at = 0;
	for (ssize_t n; at < size; at += (size_t)n) {
		n = read(fd, part, sizeof(part) < size - at ? sizeof(part) : size - at);
		if (n <= 0 || memcmp(part, data + at, (size_t)n) != 0)
			return false;
	}
	return true;
}

static int write_tables(struct export *e)
{
	char path[PATH_SIZE];
	struct timespec now;
	int r = 0;
	for (size_t i = 0; r == 0 && i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct corpus_blob *blob = NULL;
		(void)snprintf(path, sizeof(path), "%s/tables/%s", e->target, tables[i].name);
		(void)clock_gettime(CLOCK_REALTIME, &now);
		r = corpus_table(e->corpus, tables[i].table, NULL, NULL, NULL, &blob);
		if (r == 0 && !file_holds(path, corpus_blob_data(blob), corpus_blob_size(blob)))
			r = write_file(path, corpus_blob_data(blob), corpus_blob_size(blob), &now);
		corpus_blob_unref(blob);
	}
	return r;
}

static int export_all(struct export *e)
{
	int r = manifest_read(e);
	if (r == 0)
		r = export_folder(e, "", 0);
	if (r == 0)
		remove_gone(e);
	if (r == 0)
		r = write_tables(e);
	if (r == 0)
		r = manifest_write(e);
	return r;
}

enum exit_code cmd_export(const struct config *config)
{
	struct where where;
	struct export e = {.target = config->arguments[1]};
	bool owned = false;
	if (where_find_source(config->arguments[0], config, &where) < 0)
		return EXIT_ERROR;
	if (*where.mountpoint) {
		out_error("%s: is mounted at %s; copy from there, or unmount it first", config->arguments[0], where.mountpoint);
		return EXIT_ERROR;
	}
	int r = open_source(config, where.source, OPEN_OWN, &e.corpus, &owned);
	if (r == -EBUSY)
		open_explain_busy(config, where.source);
	if (r == 0)
		r = open_index(e.corpus, NULL);
	if (r == 0 && mkdir(e.target, 0777) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0) {
		r = export_all(&e);
		if (r < 0)
			out_error("%s: %s", e.target, strerror(-r));
		else
			(void)printf("%" PRIu64 " documents written, %" PRIu64 " unchanged, %" PRIu64 " removed\n", e.written, e.unchanged, e.removed);
	}
	corpus_close(e.corpus);
	manifest_release(&e.before);
	manifest_release(&e.now);
	return r < 0 ? EXIT_ERROR : e.failed ? EXIT_NOTHING : EXIT_FINE;
}
