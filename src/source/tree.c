/* The document tree as the file system shows it: stat, open, list, walk, all below one root descriptor. */
#include "source/source_impl.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "source/rights.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int source_open(const char *directory, struct source **ret, struct err *err)
{
	char *CLEANUP_FREE path = realpath(directory, NULL);
	if (!path)
		return err_fail(err, -errno, "%s: %s", directory, strerror(errno));
	int CLEANUP_FD root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_fail(err, -errno, "%s: %s", directory, errno == ENOTDIR ? "not a folder" : strerror(errno));
	struct source *s = calloc(1, sizeof(*s));
	if (!s)
		return err_fail(err, -ENOMEM, "out of memory");
	s->root = steal_fd(&root);
	s->path = STEAL(path);
	*ret = s;
	return 0;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	source_watch_stop(s);
	source_watch_free(s);
	(void)close(s->root);
	free(atomic_load(&s->excluded_path));
	free(s->path);
	free(s);
}

const char *source_path(const struct source *s)
{
	return s->path;
}

void source_exclude(struct source *s, const char *path, dev_t device)
{
	char *copy = path ? strdup(path) : NULL;
	char *none = NULL;
	if (copy && !atomic_compare_exchange_strong(&s->excluded_path, &none, copy))
		free(copy);
	atomic_store(&s->excluded_device, device);
}

bool source_is_excluded(const struct source *s, const char *path)
{
	const char *excluded = atomic_load(&((struct source *)(uintptr_t)s)->excluded_path);
	return excluded && strcmp(excluded, path) == 0;
}

/* One component at a time with O_NOFOLLOW: for kernels and container profiles without openat2. */
static int open_stepwise(int root, const char *path, int flags)
{
	int CLEANUP_FD at = fcntl(root, F_DUPFD_CLOEXEC, 0);
	if (at < 0)
		return -errno;
	char name[NAME_MAX + 1];
	while (*path) {
		size_t n = strcspn(path, "/");
		if (n == 0 || n > NAME_MAX || (n == 2 && memcmp(path, "..", 2) == 0))
			return n > NAME_MAX ? -ENAMETOOLONG : -ENOENT;
		memcpy(name, path, n);
		name[n] = '\0';
		path += n + (path[n] == '/');
		int next = openat(at, name, (*path ? O_PATH | O_DIRECTORY : flags) | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -errno;
		(void)close(at);
		at = next;
	}
	return steal_fd(&at);
}

int source_open_below(struct source *s, const char *path, int flags)
{
	if (source_is_excluded(s, path))
		return -ENOENT;
	/* With RESOLVE_NO_SYMLINKS a link as last component is refused even for O_PATH|O_NOFOLLOW, which is how links are stat'ed: so the
	 * parent is resolved that way, and the last component by O_NOFOLLOW alone. */
	const char *slash = strrchr(path, '/');
	if (!slash) {
		if (!*path)
			return (flags & O_PATH) ? fcntl(s->root, F_DUPFD_CLOEXEC, 0) : openat(s->root, ".", flags | O_CLOEXEC);
		if (strcmp(path, "..") == 0)
			return -ENOENT;
		int fd = openat(s->root, path, flags | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	if (slash - path >= PATH_MAX)
		return -ENAMETOOLONG;
	if (strcmp(slash, "/..") == 0 || !slash[1])
		return -ENOENT;
	char parent[PATH_MAX];
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	int CLEANUP_FD directory = (int)syscall(SYS_openat2, s->root, parent, &how, sizeof(how));
	if (directory < 0 && (errno == ENOSYS || errno == EPERM))
		return open_stepwise(s->root, path, flags);
	if (directory < 0)
		return errno == EXDEV || errno == ELOOP ? -ENOENT : -errno;
	int fd = openat(directory, slash + 1, flags | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void source_set_owner(struct source *s, const uid_t *uid, const gid_t *gid)
{
	s->set_uid = uid != NULL;
	s->set_gid = gid != NULL;
	s->uid = uid ? *uid : 0;
	s->gid = gid ? *gid : 0;
}

static void apply_owner(const struct source *s, struct stat *st)
{
	if (s->set_uid)
		st->st_uid = s->uid;
	if (s->set_gid)
		st->st_gid = s->gid;
}

void source_apply_rights(const struct source *s, int fd, struct stat *st)
{
	apply_owner(s, st);
	rights_narrow(fd, st);
}

int source_stat(struct source *s, const char *path, struct stat *ret)
{
	int CLEANUP_FD fd = source_open_below(s, path, O_PATH);
	if (fd < 0)
		return fd;
	if (fstat(fd, ret) < 0)
		return -errno;
	source_apply_rights(s, fd, ret);
	return 0;
}

int source_open_file(struct source *s, const char *path, int *ret_fd)
{
	int CLEANUP_FD fd = source_open_below(s, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int source_read_link(struct source *s, const char *path, char *target, size_t size)
{
	int CLEANUP_FD fd = source_open_below(s, path, O_PATH);
	if (fd < 0)
		return fd;
	ssize_t n = readlinkat(fd, "", target, size - 1);
	if (n < 0)
		return errno == ENOENT ? -EINVAL : -errno;
	target[n] = '\0';
	return 0;
}

static int open_folder(struct source *s, const char *path, DIR **ret)
{
	int CLEANUP_FD fd = source_open_below(s, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	dev_t excluded = atomic_load(&s->excluded_device);
	struct stat st;
	if (excluded && fstat(fd, &st) == 0 && st.st_dev == excluded)
		return -ENOENT;
	DIR *dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)steal_fd(&fd);
	*ret = dir;
	return 0;
}

static unsigned char type_of_mode(mode_t mode)
{
	return (unsigned char)IFTODT(mode);
}

/* The next entry that is not "." or "..": NULL at the end, with errno 0 or what went wrong. */
static struct dirent *next_entry(DIR *dir)
{
	struct dirent *entry;
	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry;
}

int source_list(struct source *s, const char *path, int (*each)(void *context, const char *name, unsigned char type, uint64_t ino),
		void *context)
{
	DIR *dir;
	int r = open_folder(s, path, &dir);
	if (r < 0)
		return r;
	/* The excluded path is one entry of one folder; everything else of the list needs no look at it. */
	const char *excluded = atomic_load(&s->excluded_path);
	size_t n = strlen(path);
	const char *hidden = NULL;
	if (excluded && strncmp(excluded, path, n) == 0 && (n == 0 || excluded[n] == '/'))
		hidden = excluded + n + (n > 0);
	struct dirent *entry;
	while (r == 0 && (entry = next_entry(dir))) {
		if (hidden && strcmp(hidden, entry->d_name) == 0)
			continue;
		unsigned char type = entry->d_type;
		struct stat st;
		if (type == DT_UNKNOWN && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			type = type_of_mode(st.st_mode);
		r = each(context, entry->d_name, type, entry->d_ino);
	}
	if (r == 0)
		r = -errno;
	(void)closedir(dir);
	return r;
}

/* --- walking ------------------------------------------------------------------------------------------------------- */

struct entry {
	size_t name; /* offset into the names buffer */
	struct stat st;
};

struct folder {
	struct entry *entries;
	size_t count, capacity;
	struct buf names; /* NUL-terminated names; a folder's name ends in '/', which puts its contents in byte order of whole paths */
};

struct walk {
	struct source *source;
	const struct source_visitor *visitor;
	struct buf path;
};

static int compare_entries(const void *a, const void *b, void *names)
{
	const struct entry *x = a, *y = b;
	return strcmp((const char *)names + x->name, (const char *)names + y->name);
}

static int add_entry(struct folder *f, const char *name, const struct stat *st)
{
	if (f->count == f->capacity) {
		size_t capacity = f->capacity ? f->capacity * 2 : 64;
		struct entry *entries = reallocarray(f->entries, capacity, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		f->entries = entries;
		f->capacity = capacity;
	}
	f->entries[f->count++] = (struct entry){f->names.size, *st};
	buf_add_string(&f->names, name);
	buf_add(&f->names, S_ISDIR(st->st_mode) ? "/" : "", S_ISDIR(st->st_mode) ? 2 : 1);
	return buf_error(&f->names);
}

/* Reads a whole folder and closes it, so that depth costs no descriptors. */
static int read_folder(struct source *s, const char *path, struct folder *f)
{
	DIR *dir;
	int r = open_folder(s, path, &dir);
	if (r < 0)
		return r;
	struct dirent *entry;
	while (r == 0 && (entry = next_entry(dir))) {
		struct stat st;
		if (entry->d_type != DT_DIR && entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN)
			continue;
		/* Our own mount's folder must not even be stat'ed. */
		if (entry->d_type == DT_DIR)
			st = (struct stat){.st_mode = S_IFDIR};
		else if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))
			r = add_entry(f, entry->d_name, &st);
	}
	if (r == 0)
		r = -errno;
	(void)closedir(dir);
	if (r == 0 && f->count)
		qsort_r(f->entries, f->count, sizeof(*f->entries), compare_entries, f->names.data);
	return r;
}

static void walk_failed(struct walk *w, int error)
{
	if (w->visitor->failed)
		w->visitor->failed(w->visitor->context, w->path.data ? w->path.data : "", error);
}

static int walk_folder(struct walk *w, unsigned depth);

/* One entry, whose path is in w->path. */
static int walk_entry(struct walk *w, const struct stat *st, unsigned depth)
{
	const struct source_visitor *v = w->visitor;
	if (source_is_excluded(w->source, w->path.data))
		return 0;
	if (!S_ISDIR(st->st_mode))
		return v->file(v->context, w->path.data, st);
	return v->enter && !v->enter(v->context, w->path.data) ? 0 : walk_folder(w, depth + 1);
}

static int walk_folder(struct walk *w, unsigned depth)
{
	struct folder f = {0};
	buf_init(&f.names, SIZE_MAX / 4);
	size_t length = w->path.size;
	int r = depth > LIMIT_TREE_DEPTH ? -ELOOP : read_folder(w->source, w->path.data ? w->path.data : "", &f);
	if (r < 0 && r != -ENOMEM) {
		if (r != -ENOENT)
			walk_failed(w, r);
		r = 0;
	}
	for (size_t i = 0; r == 0 && i < f.count; i++) {
		const char *name = f.names.data + f.entries[i].name;
		bool folder = S_ISDIR(f.entries[i].st.st_mode);
		if (length + 1 + strlen(name) > LIMIT_PATH_BYTES) {
			walk_failed(w, -ENAMETOOLONG);
			continue;
		}
		if (length)
			buf_add_char(&w->path, '/');
		buf_add(&w->path, name, strlen(name) - folder);
		r = buf_error(&w->path);
		if (r == 0)
			r = walk_entry(w, &f.entries[i].st, depth);
		buf_truncate(&w->path, length);
	}
	free(f.entries);
	buf_release(&f.names);
	return r;
}

int source_walk(struct source *s, const char *path, const struct source_visitor *visitor)
{
	struct stat st;
	int r = source_stat(s, path, &st);
	if (r < 0)
		return r;
	if (S_ISREG(st.st_mode))
		return visitor->file(visitor->context, path, &st);
	if (!S_ISDIR(st.st_mode))
		return 0;
	struct walk w = {.source = s, .visitor = visitor};
	buf_init(&w.path, LIMIT_PATH_BYTES);
	buf_add_string(&w.path, path);
	r = buf_error(&w.path);
	if (r == 0)
		r = walk_folder(&w, 0);
	buf_release(&w.path);
	return r;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static ssize_t read_full(int fd, char *data, size_t size)
{
	size_t got = 0;
	while (got < size) {
		ssize_t n = pread(fd, data + got, size - got, (off_t)got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

ssize_t source_read_head(struct source *s, const char *path, char *data, size_t size, struct stat *ret_st)
{
	int CLEANUP_FD fd = -1;
	int r = source_open_file(s, path, &fd);
	if (r < 0)
		return r;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	ssize_t n = read_full(fd, data, size);
	if (n < 0)
		return n;
	source_apply_rights(s, fd, &st);
	*ret_st = st;
	return n;
}

static bool same_stamp(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* One try: 0 with the bytes, -EBUSY when the file changed meanwhile, or another error. */
static int read_once(struct source *s, const char *path, size_t limit, char **ret_data, size_t *ret_size, struct stat *ret_st)
{
	int CLEANUP_FD fd = -1;
	int r = source_open_file(s, path, &fd);
	if (r < 0)
		return r;
	struct stat before, after;
	if (fstat(fd, &before) < 0)
		return -errno;
	if (before.st_size < 0 || (uint64_t)before.st_size > limit)
		return -EFBIG;
	size_t size = (size_t)before.st_size;
	/* One byte more than the size shows growth, and makes an empty file an allocation like any other. */
	char *CLEANUP_FREE data = malloc(size + 1);
	if (!data)
		return -ENOMEM;
	ssize_t n = read_full(fd, data, size + 1);
	if (n < 0)
		return (int)n;
	if (fstat(fd, &after) < 0)
		return -errno;
	if ((size_t)n != size || !same_stamp(&before, &after))
		return -EBUSY;
	*ret_data = STEAL(data);
	*ret_size = size;
	source_apply_rights(s, fd, &before);
	*ret_st = before;
	return 0;
}

int source_read_stable(struct source *s, const char *path, size_t limit, char **ret_data, size_t *ret_size, struct stat *ret_st)
{
	int r = -EBUSY;
	for (unsigned attempt = 0; attempt < 3 && r == -EBUSY; attempt++) {
		if (attempt)
			(void)usleep(2000u << (2 * attempt)); /* 8 and 32 ms: a writer in the middle of a save */
		r = read_once(s, path, limit, ret_data, ret_size, ret_st);
	}
	return r;
}
