/* Replies of embedding servers: what is taken, in which order, and what is refused. */
#include "embed/reply.h"
#include "tap.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int parse(const char *text, size_t count, uint32_t dims, struct reply *ret)
{
	struct err err = {{0}};
	*ret = (struct reply){0};
	return reply_parse(span_of(text), count, dims, ret, &err);
}

static void test_shapes(void)
{
	struct reply r;
	CHECK(parse("{\"data\":[{\"index\":1,\"embedding\":[0,2]},{\"index\":0,\"embedding\":[3,4]}],\"usage\":{\"prompt_tokens\":7}}", 2, 0, &r) == 0);
	CHECK(r.dims == 2 && r.tokens == 7 && !r.base64);
	CHECK_NAMED(fabsf(r.rows[0] - 0.6f) < 1e-6f && fabsf(r.rows[1] - 0.8f) < 1e-6f && r.rows[3] == 1, "rows stand by index and have unit length");
	free(r.rows);
	CHECK(parse("{\"data\":[{\"index\":0,\"embedding\":\"AACAPwAAAAA=\"}]}", 1, 2, &r) == 0);
	CHECK_NAMED(r.base64 && r.rows[0] == 1 && r.rows[1] == 0, "base64 is little-endian floats");
	free(r.rows);
	CHECK(parse("{\"data\":[{\"index\":0,\"embedding\":\"AACAPwAAAAA\"}]}", 1, 2, &r) == 0);
	free(r.rows);
	CHECK(parse("{\"embeddings\":[[1,0],[0,1]],\"prompt_eval_count\":3}", 2, 0, &r) == 0);
	CHECK_NAMED(r.tokens == 3 && r.rows[3] == 1, "Ollama's shape");
	free(r.rows);
}

static void test_refused(void)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{"", "nothing"},
		{"<html></html>", "HTML"},
		{"{\"data\":[{\"index\":0,\"embedding\":[NaN,1]},{\"index\":1,\"embedding\":[0,1]}]}", "NaN"},
		{"{\"data\":[{\"index\":0,\"embedding\":[1e39,1]},{\"index\":1,\"embedding\":[0,1]}]}", "a number that no float holds"},
		{"{\"data\":[{\"index\":0,\"embedding\":[0,0]},{\"index\":1,\"embedding\":[0,1]}]}", "a zero vector"},
		{"{\"data\":[{\"index\":0,\"embedding\":[\"1\",\"0\"]},{\"index\":1,\"embedding\":[0,1]}]}", "strings for numbers"},
		{"{\"data\":[{\"index\":0,\"embedding\":[1,0]}]}", "too few"},
		{"{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":1,\"embedding\":[1,0]},{\"index\":2,\"embedding\":[1,0]}]}", "too many"},
		{"{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":0,\"embedding\":[1,0]}]}", "an index twice"},
		{"{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":2,\"embedding\":[1,0]}]}", "an index beyond"},
		{"{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":1.5,\"embedding\":[1,0]}]}", "an index that is none"},
		{"{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":1,\"embedding\":[1]}]}", "rows of different length"},
		{"{\"data\":[{\"index\":0,\"embedding\":[]},{\"index\":1,\"embedding\":[]}]}", "empty rows"},
		{"{\"data\":[{\"index\":0,\"embedding\":\"!!!!AAAAAAA=\"},{\"index\":1,\"embedding\":\"AACAPwAAAAA=\"}]}", "no base64"},
		{"{\"data\":[{\"index\":0,\"embedding\":\"AACAfwAAAAA=\"},{\"index\":1,\"embedding\":\"AACAPwAAAAA=\"}]}", "an infinity in base64"},
		{"{\"embeddings\":[1,2]}", "numbers for rows"},
		{"{\"data\":{}}", "an object for the list"},
		{"[[1,0],[0,1]]", "a bare list"},
		{"{\"embeddings\":[[1,0],[0,1]]} x", "something behind it"},
	};
	struct reply r;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		CHECK_NAMED(parse(cases[i].text, 2, 0, &r) == -EBADMSG && !r.rows, "%s is refused", cases[i].name);
	CHECK_NAMED(parse("{\"embeddings\":[[1,0]]}", 1, 3, &r) == -EBADMSG, "another number of dimensions is refused");
	CHECK_NAMED(parse("{\"embeddings\":[]}", 0, 0, &r) == -EBADMSG, "an answer to no question is refused");
}

static void test_messages(void)
{
	char message[32], code[24];
	reply_message(span_of("{\"error\":{\"message\":\"a\\nb\",\"type\":\"t\",\"code\":\"insufficient_quota\"}}"), message, sizeof(message), code, sizeof(code));
	CHECK(strcmp(message, "a b") == 0 && strcmp(code, "insufficient_quota") == 0);
	reply_message(span_of("{\"error\":\"model \\\"x\\\" not found, try pulling it first\"}"), message, sizeof(message), code, sizeof(code));
	CHECK_NAMED(strcmp(message, "model \"x\" not found, try pullin") == 0, "a long message is cut");
	reply_message(span_of("{\"object\":\"error\",\"message\":\"flat\"}"), message, sizeof(message), code, sizeof(code));
	CHECK(strcmp(message, "flat") == 0);
	reply_message(span_of("<html>"), message, sizeof(message), code, sizeof(code));
	CHECK(!*message && !*code);
	struct reply_limits limits;
	reply_limits(span_of("{\"max_input_length\":512,\"max_client_batch_size\":32}"), &limits);
	CHECK(limits.tokens == 512 && limits.texts == 32);
	reply_limits(span_of("{\"data\":[{\"id\":\"m\",\"max_model_len\":8192}]}"), &limits);
	CHECK(limits.tokens == 8192 && limits.texts == 0);
	reply_limits(span_of("[]"), &limits);
	CHECK(limits.tokens == 0);
}

int main(void)
{
	test_shapes();
	test_refused();
	test_messages();
	return tap_done();
}
