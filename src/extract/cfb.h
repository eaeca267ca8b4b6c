/* Reads compound files in memory ([MS-CFB], "OLE2"): the container of DOC, XLS, PPT and MSG, a small file system of storages and streams. Own
 * code: libgsf brings GLib with it and libolecf is built for forensics, while reading by name takes the few hundred lines here.
 *
 * Hostile by assumption: chains of sectors may be circular, overlap or point outside. A chain gives at most as many bytes as the file has, and
 * what is cut off ends there; an entry of the directory is reached once. Runs in parser children; not thread-safe. */
#ifndef CORPUSFS_EXTRACT_CFB_H
#define CORPUSFS_EXTRACT_CFB_H

#include "base/buf.h"

#include <stdint.h>

enum { CFB_ENTRIES = 1 << 20, CFB_NAME = 32 };

/* Names are ASCII in every format that is read here; other letters become '?'. */
struct cfb_entry {
	char name[CFB_NAME];
	bool storage;
	uint32_t start;
	uint64_t size;
	uint32_t left, right, child; /* the tree as the file has it */
	uint32_t next;		     /* the next one of the same storage, as reached; CFB_NONE at the end */
	uint32_t first;		     /* the first one in this storage */
};

#define CFB_NONE UINT32_MAX

struct cfb {
	struct span bytes;
	size_t sector, mini_sector; /* bytes */
	size_t mini_cutoff;	    /* shorter streams lie in the mini stream */
	uint32_t *fat, *mini_fat;
	size_t fat_count, mini_fat_count;
	struct buf mini; /* the mini stream */
	struct cfb_entry *entries; /* the first is the root */
	size_t count;
};

/* 0, -ENOMEM or -EBADMSG. */
int cfb_open(struct span bytes, struct cfb *ret);
void cfb_release(struct cfb *c);
/* The entry of that name in a storage (NULL: the root); case does not matter. NULL when there is none. */
const struct cfb_entry *cfb_find(const struct cfb *c, const struct cfb_entry *storage, const char *name);
/* The entries of a storage one after the other: NULL gives the first, and comes after the last. */
const struct cfb_entry *cfb_next(const struct cfb *c, const struct cfb_entry *storage, const struct cfb_entry *previous);
/* Appends a stream, or as much of it as is there and fits. 0 or -ENOMEM. */
int cfb_read(const struct cfb *c, const struct cfb_entry *e, struct buf *out);

/* Little-endian numbers inside `s`; 0 outside of it. Every format in this container is read with them. */
static inline uint32_t cfb_u8(struct span s, size_t at)
{
	return at < s.size ? (unsigned char)s.data[at] : 0;
}

static inline uint32_t cfb_u16(struct span s, size_t at)
{
	return cfb_u8(s, at) | cfb_u8(s, at + 1) << 8;
}

static inline uint32_t cfb_u32(struct span s, size_t at)
{
	return cfb_u16(s, at) | cfb_u16(s, at + 2) << 16;
}

static inline uint64_t cfb_u64(struct span s, size_t at)
{
	return cfb_u32(s, at) | (uint64_t)cfb_u32(s, at + 4) << 32;
}

/* The part of `s` from `at`, at most `size` bytes; empty when outside. */
static inline struct span cfb_part(struct span s, uint64_t at, uint64_t size)
{
	if (at >= s.size)
		return (struct span){"", 0};
	return (struct span){s.data + at, size < s.size - at ? (size_t)size : s.size - (size_t)at};
}

#endif
