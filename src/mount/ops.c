/* The libfuse callbacks: each decodes its arguments, asks the node's type, and answers once. */
#include "mount/mount_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <syslog.h>
#include <unistd.h>

enum { FIRST_ENTRY = 2, /* after "." and ".." */ ATTRIBUTE_BYTES = 128 << 10, NAME_BYTES = 1024 };

static struct mount *mount_of(fuse_req_t fuse)
{
	return fuse_req_userdata(fuse);
}

static const struct node_type *type_of(const struct node *n)
{
	return node_types[n->kind];
}

static void op_init(void *data, struct fuse_conn_info *conn)
{
	struct mount *m = data;
	/* RELEASE counts as background work; with the default of 12 at a time a burst of readers leaves thousands of files open. */
	conn->max_background = 1024;
	conn->congestion_threshold = 768;
	/* Our answers are copies from memory: a pipe between would cost two more system calls. */
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	conn->want |= conn->capable & FUSE_CAP_CACHE_SYMLINKS;
#ifdef FUSE_CAP_PASSTHROUGH
	if (m->options->passthrough && conn->capable & FUSE_CAP_PASSTHROUGH) {
		conn->want |= FUSE_CAP_PASSTHROUGH;
		conn->max_backing_stack_depth = 1;
		atomic_store(&m->passthrough, true);
	}
#endif
	if (m->options->passthrough && !atomic_load(&m->passthrough))
		mount_log(m, LOG_WARNING, "passthrough: not with this libfuse (3.17 or newer) and kernel (6.9 or newer); raw/ is read as without it");
}

/* --- names ------------------------------------------------------------------------------------------------------------ */

static void op_lookup(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
	struct mount *m = mount_of(fuse);
	struct node *n = node_of(m, parent);
	if (!type_of(n)->look) {
		(void)fuse_reply_err(fuse, ENOTDIR);
		return;
	}
	struct request *r = request_new(m, fuse, n, name, NULL);
	if (r)
		type_of(n)->look(r);
}

static void op_forget(fuse_req_t fuse, fuse_ino_t ino, uint64_t count)
{
	struct mount *m = mount_of(fuse);
	node_forget(m, node_of(m, ino), count);
	fuse_reply_none(fuse);
}

static void op_forget_multi(fuse_req_t fuse, size_t count, struct fuse_forget_data *forgets)
{
	struct mount *m = mount_of(fuse);
	for (size_t i = 0; i < count; i++)
		node_forget(m, node_of(m, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(fuse);
}

static void op_getattr(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct mount *m = mount_of(fuse);
	struct node *n = node_of(m, ino);
	struct stat st;
	double timeout;
	(void)info;
	int r = type_of(n)->stat(m, n, &st, &timeout);
	if (r < 0)
		(void)fuse_reply_err(fuse, -r);
	else
		(void)fuse_reply_attr(fuse, &st, timeout);
}

static void op_readlink(fuse_req_t fuse, fuse_ino_t ino)
{
	struct mount *m = mount_of(fuse);
	struct node *n = node_of(m, ino);
	char target[NODE_PATH_SIZE];
	int r = type_of(n)->read_link ? type_of(n)->read_link(m, n, target) : -EINVAL;
	if (r < 0)
		(void)fuse_reply_err(fuse, -r);
	else
		(void)fuse_reply_readlink(fuse, target);
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

static void op_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct mount *m = mount_of(fuse);
	struct node *n = node_of(m, ino);
	int refused = (info->flags & O_ACCMODE) != O_RDONLY || (info->flags & O_TRUNC) ? EROFS : type_of(n)->open ? 0 : EISDIR;
	if (refused) {
		(void)fuse_reply_err(fuse, refused);
		return;
	}
	struct request *r = request_new(m, fuse, n, NULL, info);
	if (r)
		type_of(n)->open(r);
}

static ssize_t read_at(int fd, char *data, size_t size, off_t offset)
{
	size_t done = 0;
	while (done < size) {
		ssize_t n = pread(fd, data + done, size - done, offset + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Bytes of raw/. What was read is of the version that was opened if that still stands afterwards: a write first changes the stamp. */
static void read_raw(fuse_req_t fuse, const struct content *c, size_t size, off_t offset)
{
	struct stat now;
	char *data = malloc(size ? size : 1);
	ssize_t n = data ? read_at(c->fd, data, size, offset) : -ENOMEM;
	if (n >= 0 && fstat(c->fd, &now) < 0)
		n = -errno;
	if (n >= 0 && !attributes_same_bytes(&c->opened, &now))
		n = -ESTALE;
	if (n < 0)
		(void)fuse_reply_err(fuse, (int)-n);
	else
		(void)fuse_reply_buf(fuse, data, (size_t)n);
	free(data);
}

static void op_read(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct mount *m = mount_of(fuse);
	struct content *c = (struct content *)(uintptr_t)info->fh;
	(void)ino;
	if (c->fd >= 0) {
		read_raw(fuse, c, size, offset);
		return;
	}
	uint64_t at = offset < 0 ? c->size : (uint64_t)offset;
	uint64_t left = at < c->size ? c->size - at : 0;
	/* The reader may have the answer, and have closed the file on another thread, before libfuse has returned. */
	content_ref(m, c);
	(void)fuse_reply_buf(fuse, left ? c->text + at : NULL, left < size ? (size_t)left : size);
	content_unref(m, c);
}

static void op_release(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	content_unref(mount_of(fuse), (struct content *)(uintptr_t)info->fh);
	(void)fuse_reply_err(fuse, 0);
}

/* --- folders ---------------------------------------------------------------------------------------------------------- */

static void op_opendir(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct mount *m = mount_of(fuse);
	struct node *n = node_of(m, ino);
	if (!type_of(n)->open_folder) {
		(void)fuse_reply_err(fuse, ENOTDIR);
		return;
	}
	struct request *r = request_new(m, fuse, n, NULL, info);
	if (r)
		type_of(n)->open_folder(r);
}

/* "." and "..", then what the type gives. *index counts all of them. 1, 0 at the end, or -errno. */
static int next_entry(struct mount *m, struct folder *f, size_t *index, bool want, struct listed *ret)
{
	if (*index < FIRST_ENTRY) {
		const struct node *n = *index && f->node->parent ? f->node->parent : f->node;
		*ret = (struct listed){.name = *index ? ".." : ".", .ino = n->ino, .type = S_IFDIR};
		++*index;
		return 1;
	}
	size_t entry = *index - FIRST_ENTRY;
	int r = type_of(f->node)->entry(m, f, &entry, want, ret);
	*index = entry + FIRST_ENTRY;
	return r;
}

/* Adds an entry where it fits; returns its size whether it did or not. What is added counts as looked up. */
static size_t add_entry(fuse_req_t fuse, char *out, size_t size, const struct listed *e, size_t offset, bool plus)
{
	struct mount *m = mount_of(fuse);
	struct node *n = e->found.node;
	struct fuse_entry_param p = {.attr = e->found.st, .attr_timeout = e->found.attr_timeout, .entry_timeout = e->found.entry_timeout};
	if (!plus || !n)
		p.attr = (struct stat){.st_ino = e->ino, .st_mode = e->type};
	if (n)
		p.ino = node_id(m, n);
	size_t need = plus ? fuse_add_direntry_plus(fuse, out, size, e->name, &p, (off_t)offset)
			   : fuse_add_direntry(fuse, out, size, e->name, &p.attr, (off_t)offset);
	if (n && need <= size)
		node_remember(m, n);
	node_unref(m, n);
	return need;
}

static int fill(fuse_req_t fuse, struct folder *f, char *out, size_t size, size_t index, bool plus, size_t *ret_used)
{
	struct mount *m = mount_of(fuse);
	size_t used = 0;
	for (;;) {
		struct listed e;
		int r = next_entry(m, f, &index, plus, &e);
		/* What was listed already goes out; the error comes with the next call. */
		if (r < 0 && !used)
			return r;
		if (r <= 0)
			break;
		size_t need = add_entry(fuse, out + used, size - used, &e, index, plus);
		if (need > size - used)
			break;
		used += need;
	}
	*ret_used = used;
	return 0;
}

static void read_folder(fuse_req_t fuse, size_t size, off_t offset, struct fuse_file_info *info, bool plus)
{
	struct mount *m = mount_of(fuse);
	struct folder *f = (struct folder *)(uintptr_t)info->fh;
	size_t used = 0;
	char *out = offset < 0 ? NULL : malloc(size);
	int r = offset < 0 ? -EINVAL : out ? 0 : -ENOMEM;
	if (r == 0 && type_of(f->node)->list && (offset == 0 || !f->listed))
		r = type_of(f->node)->list(m, f);
	if (r == 0)
		r = fill(fuse, f, out, size, (size_t)offset, plus, &used);
	if (r < 0)
		(void)fuse_reply_err(fuse, -r);
	else
		(void)fuse_reply_buf(fuse, out, used);
	free(out);
}

static void op_readdir(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
	(void)ino;
	read_folder(fuse, size, offset, info, false);
}

static void op_readdirplus(fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
	(void)ino;
	read_folder(fuse, size, offset, info, true);
}

static void op_releasedir(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	folder_free(mount_of(fuse), (struct folder *)(uintptr_t)info->fh);
	(void)fuse_reply_err(fuse, 0);
}

/* --- the rest --------------------------------------------------------------------------------------------------------- */

/* As large and as full as the file system of the source. */
static void op_statfs(fuse_req_t fuse, fuse_ino_t ino)
{
	struct mount *m = mount_of(fuse);
	struct statvfs st = {0};
	(void)ino;
	if (statvfs(corpus_source_path(m->corpus), &st) < 0)
		st = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096};
	st.f_namemax = NAME_BYTES;
	st.f_flag |= ST_RDONLY;
	(void)fuse_reply_statfs(fuse, &st);
}

static void reply_attribute(fuse_req_t fuse, fuse_ino_t ino, const char *name, size_t size)
{
	struct mount *m = mount_of(fuse);
	struct node *n = node_of(m, ino);
	struct buf value;
	buf_init(&value, ATTRIBUTE_BYTES);
	int r = type_of(n)->attribute ? type_of(n)->attribute(m, n, name, &value) : name ? -ENODATA : 0;
	if (r == 0 && size && size < value.size)
		r = -ERANGE;
	if (r < 0)
		(void)fuse_reply_err(fuse, -r);
	else if (size)
		(void)fuse_reply_buf(fuse, value.data, value.size);
	else
		(void)fuse_reply_xattr(fuse, value.size);
	buf_release(&value);
}

static void op_getxattr(fuse_req_t fuse, fuse_ino_t ino, const char *name, size_t size)
{
	reply_attribute(fuse, ino, name, size);
}

static void op_listxattr(fuse_req_t fuse, fuse_ino_t ino, size_t size)
{
	reply_attribute(fuse, ino, NULL, size);
}

/* --- what would write --------------------------------------------------------------------------------------------------
 * A read-only mount stops these in the kernel. One that somebody else made, and handed over as a descriptor, may not be read-only. */

static void refuse(fuse_req_t fuse)
{
	(void)fuse_reply_err(fuse, EROFS);
}

static void op_setattr(fuse_req_t fuse, fuse_ino_t ino, struct stat *st, int what, struct fuse_file_info *info)
{
	(void)ino, (void)st, (void)what, (void)info;
	refuse(fuse);
}

static void op_mknod(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)parent, (void)name, (void)mode, (void)device;
	refuse(fuse);
}

static void op_mkdir(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent, (void)name, (void)mode;
	refuse(fuse);
}

/* Also for rmdir. */
static void op_unlink(fuse_req_t fuse, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	refuse(fuse);
}

static void op_symlink(fuse_req_t fuse, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target, (void)parent, (void)name;
	refuse(fuse);
}

static void op_rename(fuse_req_t fuse, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	(void)parent, (void)name, (void)new_parent, (void)new_name, (void)flags;
	refuse(fuse);
}

static void op_link(fuse_req_t fuse, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	(void)ino, (void)new_parent, (void)new_name;
	refuse(fuse);
}

static void op_create(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info)
{
	(void)parent, (void)name, (void)mode, (void)info;
	refuse(fuse);
}

static void op_setxattr(fuse_req_t fuse, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	(void)ino, (void)name, (void)value, (void)size, (void)flags;
	refuse(fuse);
}

static void op_removexattr(fuse_req_t fuse, fuse_ino_t ino, const char *name)
{
	(void)ino, (void)name;
	refuse(fuse);
}

const struct fuse_lowlevel_ops mount_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.open = op_open,
	.read = op_read,
	.release = op_release,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.setattr = op_setattr,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_unlink,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.create = op_create,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
};
