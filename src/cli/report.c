#include "cli/report.h"

#include "base/buf.h"
#include "cli/output.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* Bytes of a file name that are no UTF-8 come as lone surrogates (base/json.h), which jansson refuses; here they are only shown, so the
 * replacement character does. */
static json_t *load(struct span text)
{
	struct buf copy;
	buf_init(&copy, text.size);
	buf_add_span(&copy, text);
	if (buf_error(&copy) || !copy.data) {
		buf_release(&copy);
		return NULL;
	}
	for (char *at = copy.data; (at = strstr(at, "\\udc")) != NULL; at += 6)
		if (copy.size - (size_t)(at - copy.data) >= 6)
			memcpy(at, "\\ufffd", 6);
	json_t *root = json_loadb(copy.data, copy.size, JSON_DISABLE_EOF_CHECK, NULL);
	buf_release(&copy);
	return root;
}

static uint64_t number(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));
	return value < 0 ? 0 : (uint64_t)value;
}

/* --- for people ---------------------------------------------------------------------------------------------------- */

static bool is_bytes(const char *key)
{
	const char *last = strrchr(key, '_');
	return strcmp(last ? last + 1 : key, "bytes") == 0;
}

static void print_value(FILE *out, const char *key, const json_t *value)
{
	char size[OUT_SIZE_TEXT];
	if (json_is_string(value))
		out_clean(out, json_string_value(value), json_string_length(value));
	else if (json_is_integer(value) && is_bytes(key))
		(void)fputs(out_size((double)json_integer_value(value), size), out);
	else if (json_is_integer(value))
		(void)fprintf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		(void)fprintf(out, "%.4g", json_real_value(value));
	else if (json_is_boolean(value))
		(void)fputs(json_is_true(value) ? "yes" : "no", out);
	else
		(void)fputs("-", out);
}

/* "documents_failed" under "queue" becomes "queue documents failed". */
static void print_members(FILE *out, const char *prefix, json_t *object)
{
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value)
	{
		char name[128];
		(void)snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? " " : "", key);
		for (char *c = name; *c; c++)
			if (*c == '_')
				*c = ' ';
		if (json_is_object(value)) {
			print_members(out, name, value);
			continue;
		}
		if (json_is_array(value) && json_array_size(value) == 0)
			continue;
		(void)fprintf(out, "%-28s ", name);
		print_value(out, key, value);
		(void)fputc('\n', out);
	}
}

void report_print(FILE *out, struct span json)
{
	json_t *root = load(json);
	if (json_is_object(root))
		print_members(out, "", root);
	else
		(void)fwrite(json.data, 1, json.size, out);
	json_decref(root);
}

/* --- for the command itself ---------------------------------------------------------------------------------------- */

int report_read_progress(struct span json, struct report_progress *ret)
{
	json_t *root = load(json);
	const json_t *index = json_object_get(root, "index");
	if (!json_is_object(root)) {
		json_decref(root);
		return -EBADMSG;
	}
	*ret = (struct report_progress){
		.progress = {.files_total = number(index, "files"), .files_done = number(index, "done"), .bytes_total = number(index, "bytes_total"),
			     .bytes_done = number(index, "bytes_done"), .walked = json_is_true(json_object_get(index, "walked"))},
		.complete = json_is_true(json_object_get(root, "complete")),
		.pid = (long)number(root, "pid"),
	};
	const char *current = json_string_value(json_object_get(index, "current"));
	if (current) {
		(void)snprintf(ret->current, sizeof(ret->current), "%s", current);
		ret->progress.current = ret->current;
	}
	json_decref(root);
	return 0;
}

bool report_is_degraded(struct span json)
{
	json_t *root = load(json);
	bool degraded = json_is_true(json_object_get(root, "degraded"));
	json_decref(root);
	return degraded;
}
