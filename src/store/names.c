/* Exact names: from the hash of a file name or title to the documents that may bear it. Hints, not facts: an entry is never taken away when a file
 * is renamed, and hashes collide, so whoever asks compares the name itself. */
#include "store/internal.h"

#include <errno.h>

enum { NAME_KEY_SIZE = 12 };

static void name_key(uint64_t name, uint32_t doc, uint8_t key[NAME_KEY_SIZE])
{
	key_u32((uint32_t)(name >> 32), key);
	key_u32((uint32_t)name, key + 4);
	key_u32(doc, key + 8);
}

int store_put_name(struct store_write *w, uint64_t name, uint32_t doc)
{
	uint8_t key[NAME_KEY_SIZE];
	struct span value, k = {(const char *)key, sizeof(key)}, nothing = {"", 0};
	name_key(name, doc, key);
	int error = table_get(&w->view, TABLE_NAMES, k, &value);
	return error == -ENOENT ? record_put(w, TABLE_NAMES, k, nothing, nothing, 0) : error;
}

int store_each_name(struct store_read *r, uint64_t name, int (*each)(void *context, uint32_t doc), void *context)
{
	uint8_t begin[NAME_KEY_SIZE];
	MDB_cursor *cursor;
	MDB_val value;
	name_key(name, 0, begin);
	int rc = mdb_cursor_open(r->txn, r->s->tables[TABLE_NAMES], &cursor);
	if (rc != 0)
		return txn_errno(rc);
	int result = 0;
	MDB_val key = {sizeof(begin), begin};
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (rc == 0 && result == 0 && key.mv_size == NAME_KEY_SIZE && memcmp(key.mv_data, begin, 8) == 0) {
		const uint8_t *k = key.mv_data;
		result = each(context, (uint32_t)k[8] << 24 | (uint32_t)k[9] << 16 | (uint32_t)k[10] << 8 | k[11]);
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return result ? result : rc == MDB_NOTFOUND ? 0 : txn_errno(rc);
}
