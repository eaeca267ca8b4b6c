#include "embed/reply.h"

#include "vec/vec.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "base64 rows are little endian"
#endif

static int bad(struct err *err, const char *what)
{
	return err_fail(err, -EBADMSG, "the reply is not usable: %s", what);
}

/* --- one row ------------------------------------------------------------------------------------------------------- */

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648, section 4. Returns the number of bytes, or -1 for what is no base64 or does not fit. */
static ptrdiff_t base64_decode(const char *text, size_t size, uint8_t *out, size_t capacity)
{
	size_t n = 0;
	while (size && text[size - 1] == '=')
		size--;
	for (size_t i = 0; i < size; i += 4) {
		uint32_t bits = 0;
		size_t digits = size - i < 4 ? size - i : 4;
		if (digits == 1 || n + digits - 1 > capacity)
			return -1;
		for (size_t k = 0; k < 4; k++) {
			int v = k < digits ? base64_value(text[i + k]) : 0;
			if (v < 0)
				return -1;
			bits = bits << 6 | (uint32_t)v;
		}
		for (size_t k = 0; k + 1 < digits; k++)
			out[n++] = (uint8_t)(bits >> (16 - 8 * k));
	}
	return (ptrdiff_t)n;
}

/* Number of dimensions of a row, 0 when it is none. */
static size_t row_dims(const json_t *row)
{
	if (json_is_array(row))
		return json_array_size(row);
	if (!json_is_string(row))
		return 0;
	size_t size = json_string_length(row);
	const char *text = json_string_value(row);
	while (size && text[size - 1] == '=')
		size--;
	size_t bytes = size / 4 * 3 + (size % 4 ? size % 4 - 1 : 0);
	return bytes % sizeof(float) ? 0 : bytes / sizeof(float);
}

/* Unit length, in double so that long rows of large numbers neither overflow nor lose their tail. False for a row without length. */
static bool normalise(float *x, size_t dims)
{
	double sum = 0;
	for (size_t i = 0; i < dims; i++)
		sum += (double)x[i] * (double)x[i];
	if (!(sum > 1e-24) || !isfinite(sum))
		return false;
	double scale = 1 / sqrt(sum);
	for (size_t i = 0; i < dims; i++)
		x[i] = (float)((double)x[i] * scale);
	return true;
}

static int read_row(const json_t *row, uint32_t dims, float *out, struct err *err)
{
	if (row_dims(row) != dims)
		return bad(err, "a vector has another number of dimensions");
	if (json_is_string(row)) {
		size_t bytes = dims * sizeof(float);
		if (base64_decode(json_string_value(row), json_string_length(row), (uint8_t *)out, bytes) != (ptrdiff_t)bytes)
			return bad(err, "a vector is no base64");
	} else {
		size_t i;
		const json_t *number;
		json_array_foreach(row, i, number)
		{
			if (!json_is_number(number))
				return bad(err, "a vector holds something else than numbers");
			out[i] = (float)json_number_value(number);
		}
	}
	for (size_t i = 0; i < dims; i++)
		if (!isfinite(out[i]))
			return bad(err, "a vector holds numbers that are not finite");
	return normalise(out, dims) ? 0 : bad(err, "a vector is zero");
}

/* --- the whole reply ----------------------------------------------------------------------------------------------- */

/* Where the rows are: the array, and whether its elements are objects with a row and an index inside. */
static const json_t *find_rows(const json_t *root, bool *ret_wrapped)
{
	const json_t *data = json_object_get(root, "data"), *embeddings = json_object_get(root, "embeddings");
	*ret_wrapped = json_is_array(data);
	return *ret_wrapped ? data : json_is_array(embeddings) ? embeddings : NULL;
}

static int read_rows(const json_t *rows, bool wrapped, struct reply *r, struct err *err)
{
	size_t count = json_array_size(rows);
	bool *seen = calloc(count + 1, sizeof(*seen));
	int result = seen ? 0 : err_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count && result == 0; i++) {
		const json_t *item = json_array_get(rows, i), *row = wrapped ? json_object_get(item, "embedding") : item;
		const json_t *index = wrapped ? json_object_get(item, "index") : NULL;
		json_int_t at = index ? json_integer_value(index) : (json_int_t)i;
		if ((index && !json_is_integer(index)) || at < 0 || (size_t)at >= count || seen[at]) {
			result = bad(err, "its indexes are wrong");
			break;
		}
		seen[at] = true;
		r->base64 = json_is_string(row);
		result = read_row(row, r->dims, r->rows + (size_t)at * r->dims, err);
	}
	free(seen);
	return result;
}

static uint64_t count_of(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));
	return n > 0 ? (uint64_t)n : 0;
}

static int read_root(const json_t *root, size_t count, uint32_t dims, struct reply *r, struct err *err)
{
	bool wrapped;
	const json_t *rows = find_rows(root, &wrapped);
	if (!rows)
		return bad(err, "it holds no vectors");
	if (json_array_size(rows) != count)
		return err_fail(err, -EBADMSG, "the reply is not usable: %zu vectors for %zu texts", json_array_size(rows), count);
	const json_t *first = json_array_get(rows, 0);
	size_t n = row_dims(wrapped ? json_object_get(first, "embedding") : first);
	if (n == 0 || n > REPLY_MAX_DIMS)
		return bad(err, "its first vector is none, or has more than 4096 dimensions");
	if (dims && n != dims)
		return err_fail(err, -EBADMSG, "the reply is not usable: %zu dimensions instead of %u", n, dims);
	r->dims = (uint32_t)n;
	r->rows = calloc(count * n, sizeof(*r->rows));
	if (!r->rows)
		return err_fail(err, -ENOMEM, "out of memory");
	uint64_t prompt = count_of(json_object_get(root, "usage"), "prompt_tokens");
	r->tokens = prompt ? prompt : count_of(root, "prompt_eval_count");
	return read_rows(rows, wrapped, r, err);
}

int reply_parse(struct span body, size_t count, uint32_t dims, struct reply *ret, struct err *err)
{
	if (count == 0)
		return bad(err, "nothing was asked");
	json_t *root = json_loadb(body.data, body.size, 0, NULL);
	if (!root)
		return bad(err, "it is no JSON");
	struct reply r = {0};
	int result = read_root(root, count, dims, &r, err);
	json_decref(root);
	if (result < 0)
		free(r.rows);
	else
		*ret = r;
	return result;
}

/* --- refusals ------------------------------------------------------------------------------------------------------ */

static void copy_line(const char *text, char *out, size_t size)
{
	size_t n = 0;
	for (; *text && n + 1 < size; text++)
		out[n++] = iscntrl((unsigned char)*text) ? ' ' : *text;
	out[n] = '\0';
}

static const char *words_of(const json_t *root)
{
	const json_t *error = json_object_get(root, "error");
	const json_t *candidates[] = {json_object_get(error, "message"), error, json_object_get(root, "message"), json_object_get(root, "detail")};
	for (size_t i = 0; i < sizeof(candidates) / sizeof(*candidates); i++)
		if (json_is_string(candidates[i]))
			return json_string_value(candidates[i]);
	return NULL;
}

void reply_message(struct span body, char *message, size_t message_size, char *code, size_t code_size)
{
	json_t *root = body.size <= 65536 ? json_loadb(body.data, body.size, 0, NULL) : NULL;
	const char *words = words_of(root);
	const json_t *error = json_object_get(root, "error");
	const char *word = json_string_value(json_object_get(error, "code"));
	if (!word)
		word = json_string_value(json_object_get(error, "type"));
	copy_line(words ? words : "", message, message_size);
	copy_line(word ? word : "", code, code_size);
	json_decref(root);
}

void reply_limits(struct span body, struct reply_limits *ret)
{
	*ret = (struct reply_limits){0};
	json_t *root = body.size <= 65536 ? json_loadb(body.data, body.size, 0, NULL) : NULL;
	uint64_t tokens = count_of(root, "max_input_length"), texts = count_of(root, "max_client_batch_size");
	if (!tokens)
		tokens = count_of(json_array_get(json_object_get(root, "data"), 0), "max_model_len");
	ret->tokens = tokens <= UINT32_MAX ? (uint32_t)tokens : 0;
	ret->texts = texts <= UINT32_MAX ? (uint32_t)texts : 0;
	json_decref(root);
}
