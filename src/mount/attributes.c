/* Owner, mode and times of what is shown: always the source's, without the bits that allow writing. */
#include "mount/mount_impl.h"

#include "base/hash.h"

enum { BLOCK_BYTES = 512, PAGE_BYTES = 4096 };

mode_t attributes_file_mode(mode_t source)
{
	return S_IFREG | (source & 0555);
}

mode_t attributes_folder_mode(mode_t source)
{
	mode_t may_read = source & 0444;
	return S_IFDIR | may_read | may_read >> 2;
}

void attributes_keep(struct node *n, const struct node_facts *facts)
{
	n->mode = facts->mode;
	atomic_init(&n->size, facts->size);
	atomic_init(&n->exact, facts->exact);
	if (!facts->source)
		return;
	n->uid = facts->source->st_uid;
	n->gid = facts->source->st_gid;
	n->mtime_sec = facts->source->st_mtim.tv_sec;
	n->mtime_nsec = (uint32_t)facts->source->st_mtim.tv_nsec;
}

void attributes_set_size(struct stat *st, uint64_t size)
{
	st->st_size = size > INT64_MAX ? INT64_MAX : (off_t)size;
	/* Never 0 blocks for a file with bytes: tools take such a file for one hole. */
	st->st_blocks = st->st_size / BLOCK_BYTES + (st->st_size % BLOCK_BYTES != 0);
}

void attributes_of(const struct node *n, struct stat *ret)
{
	struct timespec time = {.tv_sec = n->mtime_sec, .tv_nsec = n->mtime_nsec};
	*ret = (struct stat){
		.st_ino = n->ino,
		.st_mode = n->mode,
		.st_nlink = 1,
		.st_uid = n->uid,
		.st_gid = n->gid,
		.st_mtim = time,
		.st_atim = time,
		.st_ctim = time,
		.st_blksize = PAGE_BYTES,
	};
	if (!S_ISDIR(n->mode))
		attributes_set_size(ret, atomic_load(&((struct node *)(uintptr_t)n)->size));
}

void attributes_of_folder(struct stat *st, uint64_t ino)
{
	st->st_ino = ino;
	st->st_mode = S_IFDIR | (st->st_mode & 07555);
	/* The number of folders inside differs between the views; 1 is what file systems say that do not count. */
	st->st_nlink = 1;
}

bool attributes_same_bytes(const struct stat *a, const struct stat *b)
{
	if (a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
		return false;
	if (a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec)
		return true;
	/* The change was one of the inode alone, which the stamp of a write would have come with as well. */
	return a->st_nlink != b->st_nlink || a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid;
}

uint64_t attributes_stamp(const struct stat *st)
{
	uint64_t fields[] = {st->st_dev,
			     st->st_ino,
			     st->st_rdev,
			     st->st_mode & S_IFMT, /* rights come with another ctime */
			     (uint64_t)st->st_size,
			     (uint64_t)st->st_mtim.tv_sec,
			     (uint64_t)st->st_mtim.tv_nsec,
			     (uint64_t)st->st_ctim.tv_sec,
			     (uint64_t)st->st_ctim.tv_nsec};
	return checksum64(fields, sizeof(fields)) | 1;
}
