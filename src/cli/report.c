#include "cli/report.h"

#include "base/buf.h"
#include "cli/output.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
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
	for (char *at = copy.data; (at = strstr(at, "\\udc")) != NULL; at += 4)
		for (size_t i = 0; i < 4 && at[2 + i]; i++)
			at[2 + i] = "fffd"[i];
	json_t *root = json_loadb(copy.data, copy.size, JSON_DISABLE_EOF_CHECK, NULL);
	buf_release(&copy);
	return root;
}

static uint64_t number(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));
	return value < 0 ? 0 : (uint64_t)value;
}

static const char *string(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? value : "";
}

/* --- for people ---------------------------------------------------------------------------------------------------- */

static void print_line(FILE *out, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void print_line(FILE *out, const char *name, const char *format, ...)
{
	char line[2 * PATH_MAX];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	(void)fprintf(out, "%-11s ", name);
	out_clean(out, line, strlen(line));
	(void)fputc('\n', out);
}

static void print_index(FILE *out, const json_t *root)
{
	const json_t *indexer = json_object_get(root, "indexer");
	const char *current = string(indexer, "current");
	if (json_is_true(json_object_get(root, "complete")))
		print_line(out, "index", "complete");
	else
		print_line(out, "index", "%s, %llu queued%s%s", string(indexer, "state"), (unsigned long long)number(indexer, "queued"),
			   *current ? ", at " : "", current);
}

static void print_model(FILE *out, const json_t *root)
{
	const json_t *model = json_object_get(root, "model");
	if (json_is_true(json_object_get(model, "degraded")))
		print_line(out, "model", "none: searches go by keywords alone");
	else
		print_line(out, "model", "%s, %llu dimensions, %s", string(model, "name"), (unsigned long long)number(model, "dims"), string(model, "simd"));
}

static void print_embedding(FILE *out, const json_t *root)
{
	const json_t *e = json_object_get(root, "embedding");
	if (!e)
		return;
	const char *reason = string(e, "reason");
	uint64_t chunks = number(e, "chunks"), missing = number(e, "chunks_missing");
	print_line(out, "embedding", "%s at %s, %s%s%s; %llu of %llu chunks, %s", string(e, "model"), string(e, "url"), string(e, "state"),
		   *reason ? ": " : "", reason, (unsigned long long)(chunks - missing), (unsigned long long)chunks,
		   json_is_true(json_object_get(e, "serving")) ? "in use" : "not in use yet");
}

static void print_store(FILE *out, const json_t *root)
{
	const json_t *store = json_object_get(root, "store");
	const char *reason = string(store, "begun_anew");
	char size[OUT_SIZE_TEXT];
	print_line(out, "store", "%s, generation %llu%s%s%s", out_size((double)number(store, "bytes"), size),
		   (unsigned long long)number(store, "generation"), json_is_true(json_object_get(store, "damaged")) ? ", damaged" : "",
		   *reason ? ", begun anew: " : "", reason);
}

static void print_status(FILE *out, const json_t *root)
{
	const json_t *files = json_object_get(root, "files");
	char size[OUT_SIZE_TEXT];
	print_line(out, "source", "%s", string(root, "source"));
	print_line(out, "mounted at", "%s", *string(root, "mountpoint") ? string(root, "mountpoint") : "-");
	print_line(out, "files", "%llu: %llu with text, %llu skipped, %llu failed", (unsigned long long)number(files, "known"),
		   (unsigned long long)number(files, "ok"), (unsigned long long)number(files, "skipped"),
		   (unsigned long long)number(files, "failed"));
	print_line(out, "documents", "%llu, %llu of them indexed", (unsigned long long)number(root, "documents"),
		   (unsigned long long)number(root, "indexed_documents"));
	print_line(out, "chunks", "%llu", (unsigned long long)number(root, "chunks"));
	print_line(out, "text", "%s", out_size((double)number(root, "text_bytes"), size));
	print_index(out, root);
	print_model(out, root);
	print_embedding(out, root);
	/* Only a process that extracts has a sandbox to speak of. */
	if (*string(root, "mountpoint"))
		print_line(out, "sandbox", "%s", string(root, "sandbox"));
	print_store(out, root);
}

void report_print(FILE *out, struct span json)
{
	json_t *root = load(json);
	if (json_is_object(root))
		print_status(out, root);
	else
		(void)fwrite(json.data, 1, json.size, out);
	json_decref(root);
}

/* --- for the command itself ---------------------------------------------------------------------------------------- */

int report_read_progress(struct span json, struct report_progress *ret)
{
	json_t *root = load(json);
	if (!json_is_object(root)) {
		json_decref(root);
		return -EBADMSG;
	}
	const json_t *indexer = json_object_get(root, "indexer");
	*ret = (struct report_progress){
		.progress = {.files_total = number(indexer, "looked_at"),
			     .files_done = number(indexer, "done"),
			     .bytes_done = number(indexer, "bytes"),
			     .walked = json_is_true(json_object_get(indexer, "walked"))},
		.indexes = strcmp(string(indexer, "state"), "off") != 0,
		.complete = json_is_true(json_object_get(root, "complete")),
		.files = number(json_object_get(root, "files"), "known"),
		.pid = (long)number(root, "pid"),
	};
	(void)snprintf(ret->current, sizeof(ret->current), "%s", string(indexer, "current"));
	if (*ret->current)
		ret->progress.current = ret->current;
	json_decref(root);
	return 0;
}

void report_read_explanation(struct span json, struct report_explanation *ret)
{
	json_t *root = load(json), *all = json_object_get(root, "corrections"), *one;
	struct report_explanation x = {.degraded = json_is_true(json_object_get(root, "degraded"))};
	size_t i;
	json_array_foreach (all, i, one) {
		if (x.correction_count == REPORT_CORRECTIONS)
			break;
		(void)snprintf(x.corrections[x.correction_count].typed, sizeof(x.corrections[0].typed), "%s", string(one, "typed"));
		(void)snprintf(x.corrections[x.correction_count].searched, sizeof(x.corrections[0].searched), "%s", string(one, "searched"));
		x.correction_count++;
	}
	json_decref(root);
	*ret = x;
}

/* --- eval ---------------------------------------------------------------------------------------------------------- */

int report_each_path(struct span jsonl, void (*each)(void *context, const char *path), void *context)
{
	while (jsonl.size) {
		const char *end = memchr(jsonl.data, '\n', jsonl.size);
		size_t n = end ? (size_t)(end - jsonl.data) : jsonl.size;
		json_t *root = load((struct span){jsonl.data, n});
		const char *path = json_string_value(json_object_get(root, "path"));
		if (path)
			each(context, path);
		bool good = path != NULL;
		json_decref(root);
		if (!good)
			return -EBADMSG;
		n += end != NULL;
		jsonl.data += n;
		jsonl.size -= n;
	}
	return 0;
}

/* A JSON object read by jansson under another name, so that only this file knows jansson. */
struct report_baseline {
	json_t *root;
};

int report_baseline_open(struct span json, struct report_baseline **ret)
{
	struct report_baseline *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->root = load(json);
	if (!json_is_object(json_object_get(b->root, "queries"))) {
		report_baseline_close(b);
		return -EBADMSG;
	}
	*ret = b;
	return 0;
}

void report_baseline_close(struct report_baseline *b)
{
	if (!b)
		return;
	json_decref(b->root);
	free(b);
}

int report_baseline_value(const struct report_baseline *b, const char *query, double *ret)
{
	const json_t *values = json_object_get(json_object_get(b->root, "queries"), query), *value = json_array_get(values, 0);
	if (!values)
		return -ENOENT;
	if (!json_is_number(value))
		return -EBADMSG;
	*ret = json_number_value(value);
	return 0;
}
