/* raw/: the source itself, byte for byte. An open file keeps the source file it opened, and is told ESTALE when that is written to. */
#include "mount/mount_impl.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include <syslog.h>
#include <unistd.h>
#ifdef FUSE_CAP_PASSTHROUGH
#include <linux/fuse.h>
#include <sys/ioctl.h>
#endif

enum { ATTRIBUTE_BYTES = 64 << 10 };

static enum node_kind kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return NODE_RAW_FOLDER;
	case S_IFREG:
		return NODE_RAW_FILE;
	case S_IFLNK:
		return NODE_RAW_LINK;
	default:
		return NODE_RAW_OTHER;
	}
}

/* A file in another state is another node, so that the kernel's pages of it are never taken for those of this one. */
static uint64_t version_of(const struct stat *st)
{
	return S_ISDIR(st->st_mode) ? 0 : attributes_stamp(st);
}

/* A file with several names may be changed through one that we are not told of, so the others are asked for often. */
static double timeout_of(struct mount *m, const struct stat *st)
{
	return !S_ISDIR(st->st_mode) && st->st_nlink > 1 ? TIMEOUT_UNWATCHED : view_source_timeout(m);
}

static void show(struct stat *st, const struct node *n)
{
	if (!S_ISLNK(st->st_mode))
		st->st_mode &= ~(mode_t)0222;
	st->st_ino = n->ino;
}

static int child(struct mount *m, struct node *parent, const char *name, struct found *ret)
{
	char path[NODE_PATH_SIZE];
	struct found f = {0};
	int r = node_child_path(parent, name, path);
	if (r == 0)
		r = corpus_stat(m->corpus, path, &f.st);
	if (r < 0)
		return r;
	struct node_facts facts = {.ino = S_ISDIR(f.st.st_mode) ? 0 : f.st.st_ino};
	r = node_get(m, parent, kind_of(f.st.st_mode), name, version_of(&f.st), &facts, &f.node);
	if (r < 0)
		return r;
	show(&f.st, f.node);
	f.attr_timeout = timeout_of(m, &f.st);
	f.entry_timeout = TIMEOUT_UNWATCHED; /* see changes.c */
	*ret = f;
	return 0;
}

static void folder_look(struct request *r)
{
	struct found f;
	int result = child(r->mount, r->node, r->name, &f);
	if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_found(r, &f);
}

static int raw_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	char path[NODE_PATH_SIZE];
	int r = node_path(n, path);
	if (r == 0)
		r = corpus_stat(m->corpus, path, ret);
	if (r < 0)
		return r;
	/* Something else has the name now: the kernel is to look it up again. */
	if (kind_of(ret->st_mode) != (enum node_kind)n->kind || version_of(ret) != n->version)
		return -ESTALE;
	show(ret, n);
	*ret_timeout = timeout_of(m, ret);
	return 0;
}

/* An open file has the attributes of what it opened, even when that has lost its name. */
static int file_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	struct content *c = content_of(m, n);
	if (!c)
		return raw_stat(m, n, ret, ret_timeout);
	int r = fstat(c->fd, ret) < 0 ? -errno : attributes_same_bytes(&c->opened, ret) ? 0 : -ESTALE;
	if (r == 0)
		corpus_apply_rights(m->corpus, c->fd, ret);
	content_unref(m, c);
	if (r < 0)
		return r;
	show(ret, n);
	*ret_timeout = TIMEOUT_UNWATCHED;
	return 0;
}

static mode_t type_of(unsigned char type)
{
	return (mode_t)type << 12; /* DTTOIF */
}

static int folder_entry(struct mount *m, struct folder *f, size_t *index, bool want, struct listed *ret)
{
	struct source_entry e;
	if (!view_source_entry(f, *index, &e))
		return 0;
	++*index;
	*ret = (struct listed){.name = e.name, .ino = e.type == DT_DIR ? node_child_ino(f->node, e.name) : e.ino, .type = type_of(e.type)};
	/* One that went away meanwhile is still listed; its look-up will tell. */
	if (want && child(m, f->node, e.name, &ret->found) < 0)
		ret->found.node = NULL;
	return 1;
}

static int link_read(struct mount *m, struct node *n, char out[NODE_PATH_SIZE])
{
	char path[NODE_PATH_SIZE];
	int r = node_path(n, path);
	return r < 0 ? r : corpus_read_link(m->corpus, path, out, NODE_PATH_SIZE);
}

/* --- open files ------------------------------------------------------------------------------------------------------ */

#ifdef FUSE_CAP_PASSTHROUGH
/* The kernel reads the file itself where it lets us ask for that (CAP_SYS_ADMIN of the first user namespace); the first refusal is
 * remembered. One id a content, because the kernel refuses to mix two for one node. */
static void pass_through(struct mount *m, struct content *c)
{
	struct fuse_backing_map map = {.fd = c->fd};
	if (!atomic_load(&m->passthrough))
		return;
	int id = ioctl(fuse_session_fd(m->session), FUSE_DEV_IOC_BACKING_OPEN, &map);
	if (id > 0)
		c->backing = id;
	else if (atomic_exchange(&m->passthrough, false))
		mount_log(m, LOG_WARNING, "passthrough: the kernel refuses it (it asks for root): %s", strerror(errno));
}
#else
static void pass_through(struct mount *m, struct content *c)
{
	(void)m;
	(void)c;
}
#endif

static int open_version(struct mount *m, struct node *n, struct content **ret)
{
	char path[NODE_PATH_SIZE];
	int fd, r = node_path(n, path);
	if (r == 0)
		r = corpus_open_raw(m->corpus, path, &fd);
	if (r < 0)
		return r == -ENOENT || r == -EISDIR || r == -EINVAL || r == -ENOTDIR ? -ESTALE : r;
	struct content *c = content_new(m, n, NULL, NULL, fd);
	if (!c)
		return -ENOMEM;
	if (fstat(fd, &c->opened) < 0 || version_of(&c->opened) != n->version) {
		content_unref(m, c);
		return -ESTALE;
	}
	*ret = c;
	return 0;
}

static void file_open(struct request *r)
{
	struct mount *m = r->mount;
	struct content *c = NULL;
	int result = open_version(m, r->node, &c);
	if (result < 0) {
		request_reply_error(r, result);
		return;
	}
	pass_through(m, c);
	request_reply_open(r, c);
}

/* --- extended attributes --------------------------------------------------------------------------------------------- */

static int copy_value(int fd, const char *name, struct buf *out)
{
	if (buf_reserve(out, ATTRIBUTE_BYTES) < 0)
		return -ENOMEM;
	ssize_t n = fgetxattr(fd, name, out->data, ATTRIBUTE_BYTES);
	if (n < 0)
		return -errno;
	out->size = (size_t)n;
	return 0;
}

/* Only the user's own: those of the system speak of rights that this mount does not give. */
static int copy_user_names(int fd, struct buf *out)
{
	struct buf all;
	buf_init(&all, ATTRIBUTE_BYTES);
	if (buf_reserve(&all, ATTRIBUTE_BYTES) < 0)
		return -ENOMEM;
	ssize_t n = flistxattr(fd, all.data, ATTRIBUTE_BYTES);
	int r = n < 0 ? -errno : 0;
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(all.data + at) + 1)
		if (strncmp(all.data + at, "user.", 5) == 0)
			buf_add(out, all.data + at, strlen(all.data + at) + 1);
	buf_release(&all);
	return r < 0 ? r : buf_error(out);
}

static int file_attribute(struct mount *m, struct node *n, const char *name, struct buf *out)
{
	char path[NODE_PATH_SIZE];
	int fd, r = name && strncmp(name, "user.", 5) != 0 ? -ENODATA : node_path(n, path);
	if (r == 0)
		r = corpus_open_raw(m->corpus, path, &fd);
	if (r < 0)
		return r;
	r = name ? copy_value(fd, name, out) : copy_user_names(fd, out);
	(void)close(fd);
	return r;
}

const struct node_type raw_folder_type = {
	.look = folder_look, .stat = raw_stat, .open_folder = view_open_source_folder, .list = view_list_source, .entry = folder_entry};
const struct node_type raw_file_type = {.stat = file_stat, .open = file_open, .attribute = file_attribute};
const struct node_type raw_link_type = {.stat = raw_stat, .read_link = link_read};
const struct node_type raw_other_type = {.stat = raw_stat};
