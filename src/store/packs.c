/* Packs: many small things in one value. A value of a document's own would waste half a page each, and most documents are a few
 * kilobytes. A pack is filled in memory during a batch and written once; what is in it can be read there before that. */
#include "store/internal.h"

#include <errno.h>
#include <stdlib.h>

enum { PACK_BYTES = 128 << 10 };

static uint32_t *next_id(struct store_write *w, const struct pack *p)
{
	return &w->counters.next_pack[p->table == TABLE_TEXTS ? 0 : p->table == TABLE_CHUNKS ? 1 : 2];
}

static int make_room(struct pack *p, size_t size)
{
	if (p->size + size <= p->capacity)
		return 0;
	size_t capacity = p->size + size > PACK_BYTES ? p->size + size : PACK_BYTES;
	char *data = realloc(p->data, capacity);
	if (!data)
		return -ENOMEM;
	p->data = data;
	p->capacity = capacity;
	return 0;
}

int pack_add_raw(struct store_write *w, struct pack *p, size_t size, uint32_t *ret_id, uint32_t *ret_at, char **ret_room)
{
	if (size > UINT32_MAX / 2)
		return -EFBIG;
	w->wrote = true;
	if (p->size > 0 && p->size + size > PACK_BYTES) {
		int error = pack_flush(w, p);
		if (error != 0)
			return error;
	}
	if (make_room(p, size) < 0)
		return -ENOMEM;
	if (p->size == 0)
		p->id = (*next_id(w, p))++;
	*ret_id = p->id;
	*ret_at = (uint32_t)p->size;
	*ret_room = p->data + p->size;
	p->size += size;
	return 0;
}

int pack_add(struct store_write *w, struct pack *p, uint32_t doc, struct span data, uint32_t *ret_id, uint32_t *ret_at)
{
	struct item_head head = {doc, (uint32_t)data.size, item_sum(doc, data)};
	char *room;
	int error = pack_add_raw(w, p, sizeof(head) + data.size, ret_id, ret_at, &room);
	if (error != 0)
		return error;
	memcpy(room, &head, sizeof(head));
	if (data.size)
		memcpy(room + sizeof(head), data.data, data.size);
	return 0;
}

/* The items have sums of their own; the head's covers only the key, so that a large pack is not summed as a whole for one item. */
int pack_flush(struct store_write *w, struct pack *p)
{
	uint8_t key[4];
	void *value;
	if (p->size == 0)
		return 0;
	key_u32(p->id, key);
	struct span k = {(char *)key, sizeof(key)};
	int error = table_reserve(w, p->table, k, sizeof(struct record_head) + p->size, 0, &value);
	if (error != 0)
		return error;
	record_write(p->table, k, NULL, 0, value);
	memcpy((char *)value + sizeof(struct record_head), p->data, p->size);
	pack_reset(p);
	return 0;
}

/* Empties it; keeps the memory unless a large text made it so. */
void pack_reset(struct pack *p)
{
	p->size = 0;
	if (p->capacity > PACK_BYTES)
		pack_release(p);
}

void pack_release(struct pack *p)
{
	free(p->data);
	p->data = NULL;
	p->size = p->capacity = 0;
}

static struct pack *open_pack(struct store_read *r, enum table table)
{
	if (!r->w)
		return NULL;
	return table == TABLE_TEXTS ? &r->w->texts : table == TABLE_CHUNKS ? &r->w->chunks : &r->w->pieces;
}

int pack_payload(struct store_read *r, enum table table, uint32_t id, struct span *ret)
{
	const struct pack *open = open_pack(r, table);
	if (open && open->size > 0 && open->id == id) {
		*ret = (struct span){open->data, open->size};
		return 0;
	}
	uint8_t key[4];
	struct span value, none;
	key_u32(id, key);
	struct span k = {(char *)key, sizeof(key)};
	int error = table_get(r, table, k, &value);
	if (error != 0)
		return error == -ENOENT ? store_mark_damaged(r->s, "a pack is missing") : error;
	if (value.size < sizeof(struct record_head) ||
	    record_check(table, k, (struct span){value.data, sizeof(struct record_head)}, &none) != 0)
		return store_mark_damaged(r->s, "a pack's head is wrong");
	*ret = (struct span){value.data + sizeof(struct record_head), value.size - sizeof(struct record_head)};
	return 0;
}
