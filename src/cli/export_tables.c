#include "cli/export_tables.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static void add_member(struct jsonw *j, const char *key, const json_t *value)
{
	jsonw_key(j, key);
	if (json_is_string(value))
		jsonw_span(j, (struct span){json_string_value(value), json_string_length(value)});
	else if (json_is_integer(value))
		jsonw_int(j, json_integer_value(value));
	else
		jsonw_null(j);
}

static int put_row(FILE *out, struct buf *row)
{
	buf_add_char(row, '\n');
	if (buf_error(row))
		return buf_error(row);
	return fwrite(row->data, 1, row->size, out) == row->size ? 0 : -errno;
}

static int document_row(FILE *out, const json_t *meta, struct buf *row)
{
	const json_t *source = json_object_get(meta, "source"), *extractor = json_object_get(meta, "extractor");
	const json_t *clean = json_object_get(meta, "clean"), *error = json_object_get(meta, "error"), *model = json_object_get(meta, "model");
	struct jsonw j;
	buf_reset(row);
	jsonw_init(&j, row);
	jsonw_object(&j);
	add_member(&j, "path", json_object_get(meta, "path"));
	add_member(&j, "state", json_object_get(meta, "state"));
	add_member(&j, "title", json_object_get(meta, "title"));
	add_member(&j, "source_sha256", json_object_get(source, "sha256"));
	add_member(&j, "source_bytes", json_object_get(source, "bytes"));
	add_member(&j, "source_mtime_ns", json_object_get(source, "mtime_ns"));
	add_member(&j, "extractor", json_object_get(extractor, "name"));
	add_member(&j, "media_type", json_object_get(extractor, "media_type"));
	add_member(&j, "encoding", json_object_get(extractor, "encoding"));
	add_member(&j, "pages", json_object_get(extractor, "pages"));
	add_member(&j, "clean_sha256", json_object_get(clean, "sha256"));
	add_member(&j, "clean_bytes", json_object_get(clean, "bytes"));
	jsonw_key(&j, "chunks");
	jsonw_uint(&j, json_array_size(json_object_get(meta, "chunks")));
	add_member(&j, "model", json_object_get(model, "name"));
	add_member(&j, "model_fingerprint", json_object_get(model, "fingerprint"));
	add_member(&j, "error_code", json_object_get(error, "code"));
	add_member(&j, "error_message", json_object_get(error, "message"));
	jsonw_object_end(&j);
	return put_row(out, row);
}

static int chunk_row(FILE *out, const json_t *meta, const json_t *chunk, struct span clean, struct buf *row)
{
	const json_t *bytes = json_object_get(chunk, "bytes"), *lines = json_object_get(chunk, "lines");
	json_int_t first = json_integer_value(json_array_get(bytes, 0)), end = json_integer_value(json_array_get(bytes, 1));
	if (first < 0 || end < first || (size_t)end > clean.size)
		return -EBADMSG;
	struct jsonw j;
	size_t i;
	const json_t *heading;
	buf_reset(row);
	jsonw_init(&j, row);
	jsonw_object(&j);
	add_member(&j, "path", json_object_get(meta, "path"));
	add_member(&j, "chunk", json_object_get(chunk, "chunk"));
	jsonw_key(&j, "first_byte");
	jsonw_int(&j, first);
	jsonw_key(&j, "end_byte");
	jsonw_int(&j, end);
	add_member(&j, "first_line", json_array_get(lines, 0));
	add_member(&j, "last_line", json_array_get(lines, 1));
	add_member(&j, "page", json_object_get(chunk, "page"));
	jsonw_key(&j, "heading");
	jsonw_array(&j);
	json_array_foreach(json_object_get(chunk, "heading"), i, heading)
		jsonw_span(&j, (struct span){json_string_value(heading), json_string_length(heading)});
	jsonw_array_end(&j);
	add_member(&j, "sha256", json_object_get(chunk, "sha256"));
	jsonw_key(&j, "text");
	jsonw_span(&j, (struct span){clean.data + first, (size_t)(end - first)});
	jsonw_object_end(&j);
	return put_row(out, row);
}

int export_add_rows(FILE *documents, FILE *chunks, struct span meta_text, struct span clean)
{
	/* A path that is not UTF-8 is written with lone surrogates, which jansson refuses; such a document is in the tree but not in the tables. */
	json_t *meta = json_loadb(meta_text.data, meta_text.size, 0, NULL);
	if (!json_is_object(meta)) {
		json_decref(meta);
		return -EBADMSG;
	}
	struct buf row;
	buf_init(&row, LIMIT_JSON_BYTES);
	int r = document_row(documents, meta, &row);
	size_t i;
	const json_t *chunk;
	json_array_foreach(json_object_get(meta, "chunks"), i, chunk) {
		if (r < 0)
			break;
		r = chunk_row(chunks, meta, chunk, clean, &row);
	}
	buf_release(&row);
	json_decref(meta);
	return r;
}
