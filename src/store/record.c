/* Records of the small tables: heads, checksums, decoders. Everything is checked against the size of the value, because a store
 * file may be damaged or come from elsewhere. */
#include "store/schema.h"

#include <errno.h>

uint32_t record_sum(enum table table, struct span key, struct span payload)
{
	uint64_t sum =
	        checksum64(payload.data, payload.size) * 0x9e3779b97f4a7c15u + checksum64(key.data, key.size) + (uint64_t)table;
	return (uint32_t)(sum ^ (sum >> 32));
}

struct record_head record_head(enum table table, struct span key, struct span payload)
{
	return (struct record_head){RECORD_MAGIC, (uint8_t)table, RECORD_VERSION, 0, record_sum(table, key, payload)};
}

void record_write(enum table table, struct span key, const void *payload, size_t size, void *out)
{
	struct record_head head = record_head(table, key, (struct span){payload, size});
	memcpy(out, &head, sizeof(head));
	if (size)
		memcpy((char *)out + sizeof(head), payload, size);
}

int record_check(enum table table, struct span key, struct span value, struct span *ret_payload)
{
	struct record_head head;
	if (value.size < sizeof(head))
		return -EIO;
	memcpy(&head, value.data, sizeof(head));
	struct span payload = {value.data + sizeof(head), value.size - sizeof(head)};
	if (head.magic != RECORD_MAGIC || head.type != (uint8_t)table || head.version != RECORD_VERSION || head.zero != 0 ||
	    head.sum != record_sum(table, key, payload))
		return -EIO;
	*ret_payload = payload;
	return 0;
}

/* Splits a payload into a fixed part and the rest. */
static int take_fixed(struct span payload, void *fixed, size_t size, struct span *ret_rest)
{
	if (payload.size < size)
		return -EIO;
	memcpy(fixed, payload.data, size);
	*ret_rest = (struct span){payload.data + size, payload.size - size};
	return 0;
}

int record_decode_file(struct span payload, struct record_file *ret, struct span *ret_path)
{
	struct record_file f;
	struct span rest;
	int r = take_fixed(payload, &f, sizeof(f), &rest);
	if (r < 0)
		return r;
	if (rest.size != f.path_size || f.state > STORE_FAILED || f.racy > 1 || (f.doc != 0) != (f.state == STORE_OK))
		return -EIO;
	*ret = f;
	*ret_path = rest;
	return 0;
}

int record_decode_doc(struct span payload, struct record_doc *ret, struct span *ret_title)
{
	struct record_doc d;
	struct span rest;
	int r = take_fixed(payload, &d, sizeof(d), &rest);
	if (r < 0)
		return r;
	if (rest.size != d.title_size || d.flags & ~(DOC_HAS_IDS | DOC_LIVE) || d.chunk_count > LIMIT_CHUNKS)
		return -EIO;
	*ret = d;
	*ret_title = rest;
	return 0;
}

int record_decode_extraction(struct span payload, struct store_extraction *ret)
{
	struct record_extraction x;
	struct span rest;
	int r = take_fixed(payload, &x, sizeof(x), &rest);
	if (r < 0)
		return r;
	size_t total = 0;
	for (size_t i = 0; i < EXTRACTION_STRINGS; i++)
		total += x.sizes[i];
	if (total != rest.size || x.state > STORE_FAILED)
		return -EIO;
	struct store_extraction out = {.state = x.state, .syntax = x.syntax, .pages = x.pages, .doc = x.doc};
	struct span *strings[EXTRACTION_STRINGS] = {&out.extractor, &out.media_type, &out.encoding,
	                                            &out.title,     &out.code,       &out.message};
	for (size_t i = 0; i < EXTRACTION_STRINGS; i++) {
		*strings[i] = (struct span){rest.data, x.sizes[i]};
		rest.data += x.sizes[i];
	}
	*ret = out;
	return 0;
}

int record_decode_space(struct span payload, struct record_space *ret, struct span *ret_name)
{
	struct record_space s;
	int r = take_fixed(payload, &s, sizeof(s), ret_name);
	if (r < 0)
		return r;
	if (s.dims == 0 || s.dims % 64 != 0 || s.dims > 4096)
		return -EIO;
	*ret = s;
	return 0;
}

uint64_t item_sum(uint32_t doc, struct span data)
{
	return checksum64(data.data, data.size) + ((uint64_t)doc << 32 | data.size) * 0x9e3779b97f4a7c15u;
}

int item_decode(struct span pack, uint32_t at, uint32_t doc, uint32_t size, struct span *ret)
{
	struct item_head head;
	if (at > pack.size || pack.size - at < sizeof(head))
		return -EIO;
	memcpy(&head, pack.data + at, sizeof(head));
	if (head.doc != doc || head.size != size || pack.size - at - sizeof(head) < size)
		return -EIO;
	struct span data = {pack.data + at + sizeof(head), size};
	if (head.sum != item_sum(doc, data))
		return -EIO;
	*ret = data;
	return 0;
}

size_t segment_columns_size(const struct segment_head *head)
{
	size_t per_row = head->dims ? head->dims + sizeof(float) + head->dims / 8 : sizeof(uint32_t) + sizeof(uint16_t);
	return head->capacity * per_row + (head->dims ? 0 : head->capacity / 8);
}

uint64_t segment_sum(const struct segment_head *head, uint32_t space, uint32_t segment, const void *columns, size_t size)
{
	uint32_t about[] = {space, segment, head->capacity, head->dims, head->type};
	return checksum64(columns, size) * 0x9e3779b97f4a7c15u + checksum64(about, sizeof(about));
}

int segment_check(struct span value, enum table table, struct segment_head *ret)
{
	struct segment_head head;
	if (value.size < sizeof(head))
		return -EIO;
	memcpy(&head, value.data, sizeof(head));
	if (head.magic != RECORD_MAGIC || head.type != (uint8_t)table || head.version != RECORD_VERSION || head.zero != 0)
		return -EIO;
	if (head.capacity == 0 || head.capacity > STORE_SEGMENT_CHUNKS || head.capacity % 64 || head.dims > 4096 ||
	    head.dims % 64 || (head.dims == 0) != (table == TABLE_SEGMENTS))
		return -EIO;
	if (value.size - sizeof(head) != segment_columns_size(&head))
		return -EIO;
	*ret = head;
	return 0;
}

size_t path_key(struct span path, uint8_t out[PATH_KEY_MAX])
{
	if (path.size <= PATH_KEY_DIRECT) {
		memcpy(out, path.data, path.size);
		return path.size;
	}
	struct hash h = hash_bytes(path);
	memcpy(out, path.data, PATH_KEY_CUT);
	memcpy(out + PATH_KEY_CUT, h.bytes, HASH_SIZE);
	return PATH_KEY_MAX;
}

void key_u32(uint32_t value, uint8_t out[4])
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> (24 - 8 * i));
}

uint32_t key_to_u32(const uint8_t in[4])
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}
