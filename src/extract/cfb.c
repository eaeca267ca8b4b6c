/* Compound files: see cfb.h. Section numbers are those of [MS-CFB]. */
#include "extract/cfb.h"

#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

enum { HEADER = 512, ENTRY = 128, DIFAT_AT = 76, DIFAT_IN_HEADER = 109 };

/* Numbers from here on are marks: end of chain, free, a sector of the tables. */
#define LAST_SECTOR 0xfffffffau

static struct span sector(const struct cfb *c, uint32_t number)
{
	/* The header takes the place of a sector, also where sectors are larger than it (2.2). */
	return number > LAST_SECTOR ? (struct span){"", 0} : cfb_part(c->bytes, ((uint64_t)number + 1) * c->sector, c->sector);
}

/* Appends a chain of sectors; `size` bytes at most. */
static int read_chain(const struct cfb *c, uint32_t at, uint64_t size, struct buf *out)
{
	if (size > c->bytes.size)
		size = c->bytes.size;
	while (size > 0 && at <= LAST_SECTOR) {
		struct span s = sector(c, at);
		if (s.size > size)
			s.size = (size_t)size;
		if (s.size == 0)
			break;
		buf_add_span(out, s);
		size -= s.size;
		at = at < c->fat_count ? c->fat[at] : CFB_NONE;
	}
	return out->error == -ENOMEM ? -ENOMEM : 0;
}

/* The allocation table lies in sectors that the header lists, and after 109 of them further sectors of lists (2.5). */
static int read_fat(struct cfb *c)
{
	size_t most = c->bytes.size / c->sector + 1, in_sector = c->sector / 4;
	c->fat = calloc(most + in_sector, sizeof(*c->fat));
	if (!c->fat)
		return -ENOMEM;
	struct span list = cfb_part(c->bytes, DIFAT_AT, (size_t)DIFAT_IN_HEADER * 4);
	uint32_t next = cfb_u32(c->bytes, 68);
	for (size_t lists = 0; list.size >= 4 && lists <= most; lists++) {
		size_t entries = lists == 0 ? DIFAT_IN_HEADER : in_sector - 1;
		for (size_t i = 0; i < entries && i * 4 + 4 <= list.size && c->fat_count < most; i++) {
			struct span table = sector(c, cfb_u32(list, i * 4));
			for (size_t k = 0; k * 4 + 4 <= table.size; k++)
				c->fat[c->fat_count++] = cfb_u32(table, k * 4);
		}
		list = sector(c, next);
		next = cfb_u32(list, (in_sector - 1) * 4);
	}
	return 0;
}

static int read_mini(struct cfb *c)
{
	struct buf table;
	buf_init(&table, LIMIT_SOURCE_BYTES);
	int r = read_chain(c, cfb_u32(c->bytes, 60), (uint64_t)cfb_u32(c->bytes, 64) * c->sector, &table);
	c->mini_fat_count = table.size / 4;
	c->mini_fat = r == 0 ? calloc(c->mini_fat_count + 1, sizeof(*c->mini_fat)) : NULL;
	for (size_t i = 0; c->mini_fat && i < c->mini_fat_count; i++)
		c->mini_fat[i] = cfb_u32(buf_span(&table), i * 4);
	buf_release(&table);
	if (!c->mini_fat)
		return -ENOMEM;
	return read_chain(c, c->entries[0].start, c->entries[0].size, &c->mini);
}

static void read_entry(struct span s, bool wide, struct cfb_entry *e)
{
	size_t length = cfb_u16(s, 64) / 2;
	for (size_t i = 0; i + 1 < length && i + 1 < CFB_NAME; i++) {
		uint32_t unit = cfb_u16(s, i * 2);
		e->name[i] = unit > 0 && unit < 0x80 ? (char)unit : '?';
	}
	uint32_t type = cfb_u8(s, 66);
	e->storage = type == 1 || type == 5;
	e->left = cfb_u32(s, 68);
	e->right = cfb_u32(s, 72);
	e->child = type == 2 ? CFB_NONE : cfb_u32(s, 76);
	e->start = cfb_u32(s, 116);
	e->size = wide ? cfb_u64(s, 120) : cfb_u32(s, 120); /* the upper half is undefined in version 3 (2.6.3) */
	e->next = e->first = CFB_NONE;
}

/* Siblings form a tree that a damaged file may have turned into anything: each entry is taken once. */
static int link_entries(struct cfb *c)
{
	struct {
		uint32_t entry, parent;
	} *todo = calloc(c->count * 3 + 1, sizeof(*todo));
	bool *seen = calloc(c->count, sizeof(*seen));
	size_t size = 0;
	if (todo && seen) {
		seen[0] = true;
		todo[size].entry = c->entries[0].child;
		todo[size++].parent = 0;
	}
	while (size > 0) {
		uint32_t at = todo[--size].entry, parent = todo[size].parent;
		if (at >= c->count || seen[at])
			continue;
		seen[at] = true;
		struct cfb_entry *e = &c->entries[at];
		e->next = c->entries[parent].first;
		c->entries[parent].first = at;
		const uint32_t more[3] = {e->left, e->right, e->child};
		for (size_t i = 0; i < 3; i++) {
			todo[size].entry = more[i];
			todo[size++].parent = i == 2 ? at : parent;
		}
	}
	free(seen);
	int r = todo && seen ? 0 : -ENOMEM;
	free(todo);
	return r;
}

static int read_directory(struct cfb *c, bool wide)
{
	struct buf directory;
	buf_init(&directory, (size_t)CFB_ENTRIES * ENTRY);
	int r = read_chain(c, cfb_u32(c->bytes, 48), UINT64_MAX, &directory);
	c->count = directory.size / ENTRY;
	if (r == 0 && c->count == 0)
		r = -EBADMSG;
	c->entries = r == 0 ? calloc(c->count, sizeof(*c->entries)) : NULL;
	if (r == 0 && !c->entries)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < c->count; i++)
		read_entry(cfb_part(buf_span(&directory), i * ENTRY, ENTRY), wide, &c->entries[i]);
	buf_release(&directory);
	return r < 0 ? r : link_entries(c);
}

int cfb_open(struct span bytes, struct cfb *ret)
{
	struct cfb c = {.bytes = bytes, .mini_cutoff = cfb_u32(bytes, 56)};
	uint32_t shift = cfb_u16(bytes, 30), mini_shift = cfb_u16(bytes, 32);
	if (bytes.size < HEADER || !span_starts_with(bytes, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") || (shift != 9 && shift != 12) || mini_shift < 4 ||
	    mini_shift > shift)
		return -EBADMSG;
	c.sector = (size_t)1 << shift;
	c.mini_sector = (size_t)1 << mini_shift;
	buf_init(&c.mini, LIMIT_SOURCE_BYTES);
	int r = read_fat(&c);
	if (r == 0)
		r = read_directory(&c, shift == 12);
	if (r == 0)
		r = read_mini(&c);
	if (r < 0)
		cfb_release(&c);
	else
		*ret = c;
	return r;
}

void cfb_release(struct cfb *c)
{
	free(c->fat);
	free(c->mini_fat);
	free(c->entries);
	buf_release(&c->mini);
	*c = (struct cfb){0};
}

const struct cfb_entry *cfb_next(const struct cfb *c, const struct cfb_entry *storage, const struct cfb_entry *previous)
{
	uint32_t at = previous ? previous->next : (storage ? storage : c->entries)->first;
	return at < c->count ? &c->entries[at] : NULL;
}

const struct cfb_entry *cfb_find(const struct cfb *c, const struct cfb_entry *storage, const char *name)
{
	const struct cfb_entry *e = NULL;
	while ((e = cfb_next(c, storage, e)))
		if (strcasecmp(e->name, name) == 0)
			return e;
	return NULL;
}

int cfb_read(const struct cfb *c, const struct cfb_entry *e, struct buf *out)
{
	if (e->size >= c->mini_cutoff)
		return read_chain(c, e->start, e->size, out);
	uint64_t size = e->size < c->bytes.size ? e->size : c->bytes.size;
	for (uint32_t at = e->start; size > 0 && at <= LAST_SECTOR;) {
		struct span s = cfb_part(buf_span(&c->mini), (uint64_t)at * c->mini_sector, size < c->mini_sector ? size : c->mini_sector);
		if (s.size == 0)
			break;
		buf_add_span(out, s);
		size -= s.size;
		at = at < c->mini_fat_count ? c->mini_fat[at] : CFB_NONE;
	}
	return out->error == -ENOMEM ? -ENOMEM : 0;
}
