/* The client of embedding servers against a small server in a thread of this process: batches, order, retries, refusals, a swapped model, the key. */
#include "base/buf.h"
#include "embed/server.h"
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIMS = 70, TEXTS = 100 };

/* How the server behaves, set by a test before it calls. */
static struct {
	int listener;
	uint16_t port;
	pthread_t thread;
	atomic_uint limit;	 /* texts a request, 0: any */
	atomic_uint fail_next;	 /* requests that get status 503 */
	atomic_uint salt;	 /* which model it is */
	atomic_uint requests, texts, refuse_word, authorised;
} server;

static void fill_vector(const char *text, float *x)
{
	struct hash h;
	for (uint32_t i = 0; i < DIMS; i++) {
		if (i % HASH_SIZE == 0) {
			uint32_t seed[2] = {atomic_load(&server.salt), i};
			struct span parts[] = {span_of(text), {(const char *)seed, sizeof(seed)}};
			h = hash_parts(parts, 2);
		}
		x[i] = (float)h.bytes[i % HASH_SIZE] - 127.5f;
	}
}

static char *answer(const json_t *request)
{
	const json_t *input = json_object_get(request, "input"), *text;
	size_t i;
	json_t *root = json_object(), *data = json_array();
	json_array_foreach(input, i, text)
	{
		float x[DIMS];
		json_t *row = json_array();
		fill_vector(json_string_value(text), x);
		for (uint32_t d = 0; d < DIMS; d++)
			(void)json_array_append_new(row, json_real((double)x[d]));
		/* From the last to the first: the index counts, not the place. */
		(void)json_array_insert_new(data, 0, json_pack("{s:i,s:o}", "index", (int)i, "embedding", row));
	}
	(void)json_object_set_new(root, "data", data);
	char *out = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return out;
}

static bool holds(const json_t *input, const char *word)
{
	size_t i;
	const json_t *text;
	json_array_foreach(input, i, text) if (strstr(json_string_value(text), word)) return true;
	return false;
}

/* Status and body for a request. */
static int respond(const char *body, char **ret)
{
	json_t *request = json_loads(body, 0, NULL);
	const json_t *input = json_object_get(request, "input");
	unsigned limit = atomic_load(&server.limit), count = (unsigned)json_array_size(input), failing = atomic_load(&server.fail_next);
	int status = 200;
	(void)atomic_fetch_add(&server.requests, 1);
	(void)atomic_fetch_add(&server.texts, count);
	if (failing && atomic_compare_exchange_strong(&server.fail_next, &failing, failing - 1))
		status = 503;
	else if (limit && count > limit)
		status = 422;
	else if (atomic_load(&server.refuse_word) && holds(input, "POISON"))
		status = 400;
	*ret = status == 200 ? answer(request) : strdup("{\"error\":{\"message\":\"no, secret-key-1\"}}");
	json_decref(request);
	return status;
}

static void serve(int fd)
{
	char request[1 << 18];
	size_t n = 0;
	const char *body = NULL;
	size_t size = 0;
	while (n + 1 < sizeof(request)) {
		ssize_t got = read(fd, request + n, sizeof(request) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		request[n] = '\0';
		const char *end = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "Content-Length:");
		if (!end)
			continue;
		body = end + 4;
		size = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
		if (n - (size_t)(body - request) >= size)
			break;
	}
	if (!body)
		return;
	char *out = NULL;
	int status = 404;
	if (strstr(request, "Authorization: Bearer secret-key-1\r\n"))
		(void)atomic_fetch_add(&server.authorised, 1);
	if (strncmp(request, "POST /v1/embeddings ", 20) == 0)
		status = respond(body, &out);
	(void)dprintf(fd, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", status,
		      out ? strlen(out) : 0, out ? out : "");
	free(out);
}

static void *server_main(void *argument)
{
	(void)argument;
	for (int fd; (fd = accept(server.listener, NULL, NULL)) >= 0;) {
		serve(fd);
		(void)close(fd);
	}
	return NULL;
}

static bool server_start(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server.listener < 0 || bind(server.listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(server.listener, 16) < 0 ||
	    getsockname(server.listener, (struct sockaddr *)&at, &size) < 0)
		return false;
	server.port = ntohs(at.sin_port);
	return pthread_create(&server.thread, NULL, server_main, NULL) == 0;
}

static void server_stop(void)
{
	(void)shutdown(server.listener, SHUT_RDWR);
	(void)pthread_join(server.thread, NULL);
	(void)close(server.listener);
}

static struct embed_server *client(void)
{
	char url[64];
	struct embed_server *s = NULL;
	struct err err;
	(void)snprintf(url, sizeof(url), "http://user:hidden@127.0.0.1:%u/", server.port);
	struct embed_server_options o = {.url = url, .model = "m", .key = "secret-key-1"};
	CHECK(embed_server_new(&o, &s, &err) == 0);
	return s;
}

struct order_memory {
	char text[TEXTS][64];
	struct span spans[TEXTS];
	float rows[TEXTS * 128];
	uint8_t marks[TEXTS];
};

static struct embed_order make_order(struct order_memory *m, const struct embed_identity *id, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(m->text[i], sizeof(m->text[i]), "text number %zu", i);
		m->spans[i] = span_of(m->text[i]);
	}
	return (struct embed_order){.identity = id, .side = EMBED_PASSAGE, .texts = m->spans, .count = count, .out = m->rows, .marks = m->marks};
}

static bool row_is_right(const struct order_memory *m, size_t i)
{
	float x[DIMS];
	double dot = 0, length = 0;
	fill_vector(m->text[i], x);
	for (uint32_t d = 0; d < DIMS; d++) {
		dot += (double)x[d] * (double)m->rows[i * 128 + d];
		length += (double)x[d] * (double)x[d];
	}
	return dot * dot > 0.99999 * length && m->rows[i * 128 + DIMS] == 0 && m->marks[i] == EMBED_WHOLE;
}

static size_t right_rows(const struct order_memory *m, size_t count)
{
	size_t right = 0;
	for (size_t i = 0; i < count; i++)
		right += row_is_right(m, i);
	return right;
}

static void test_flow(void)
{
	static struct order_memory m;
	struct embed_server *s = client();
	struct embed_identity id, other;
	struct embed_server_figures f;
	struct err err = {{0}};
	struct embed_order o = make_order(&m, &id, TEXTS);
	memset(&id, 0, sizeof(id));
	CHECK_NAMED(embed_server_texts(s, &o, &err) == -ESTALE, "nothing is sent before the server said who it is");
	CHECK(embed_server_contact(s, &id, &err) == 0 && id.dims == DIMS && id.padded == 128);
	CHECK(embed_server_texts(s, &o, &err) == 0 && right_rows(&m, TEXTS) == TEXTS);
	CHECK_NAMED(atomic_load(&server.authorised) == atomic_load(&server.requests) + 3, "every request carries the key: /api/embed, /info, /v1/models too");

	atomic_store(&server.limit, 6);
	CHECK_NAMED(embed_server_texts(s, &o, &err) == 0 && right_rows(&m, TEXTS) == TEXTS, "with six texts a request all come as well");
	embed_server_figures(s, &f);
	CHECK(f.batch_texts <= 6 && f.batch_texts >= 3);
	atomic_store(&server.limit, 0);

	atomic_store(&server.fail_next, 2);
	CHECK_NAMED(embed_server_texts(s, &o, &err) == 0 && right_rows(&m, TEXTS) == TEXTS, "two failures are made good");
	embed_server_figures(s, &f);
	CHECK(f.retries == 2 && f.failures == 2 && strcmp(f.state, "ok") == 0);

	atomic_store(&server.refuse_word, 1);
	(void)snprintf(m.text[50], sizeof(m.text[50]), "POISON");
	m.spans[50] = span_of(m.text[50]);
	CHECK_NAMED(embed_server_texts(s, &o, &err) == 0 && right_rows(&m, TEXTS) == TEXTS - 1 && m.marks[50] == EMBED_REFUSED, "one text is refused alone");
	atomic_store(&server.refuse_word, 0);

	atomic_store(&server.salt, 1);
	CHECK_NAMED(embed_server_texts(s, &o, &err) == -ESTALE, "another model under the same name is noticed");
	CHECK(embed_server_contact(s, &other, &err) == 0 && !embed_identity_equal(&id, &other));
	o.identity = &other;
	CHECK(embed_server_texts(s, &o, &err) == 0 && right_rows(&m, TEXTS) == TEXTS);
	atomic_store(&server.salt, 0);

	embed_server_figures(s, &f);
	CHECK_NAMED(!strstr(f.url, "hidden") && !strstr(f.url, "user"), "the URL is shown without password: %s", f.url);
	embed_server_stop(s);
	CHECK_NAMED(embed_server_texts(s, &o, &err) == -ESHUTDOWN || embed_server_texts(s, &o, &err) == -ESTALE, "nothing goes out after the stop");
	embed_server_free(s);
}

static void test_breaker(void)
{
	static struct order_memory m;
	struct embed_server *s = client();
	struct embed_identity id;
	struct embed_server_figures f;
	struct err err = {{0}};
	CHECK(embed_server_contact(s, &id, &err) == 0);
	struct embed_order o = make_order(&m, &id, 1);
	o.urgent = true;
	atomic_store(&server.fail_next, 1000);
	for (int i = 0; i < 5; i++)
		CHECK(embed_server_texts(s, &o, &err) == -EAGAIN);
	unsigned before = atomic_load(&server.requests);
	CHECK(embed_server_texts(s, &o, &err) == -EAGAIN);
	CHECK_NAMED(atomic_load(&server.requests) == before && embed_server_pause_ms(s) > 0, "after five failures nothing is sent for a while");
	CHECK_NAMED(!strstr(err.text, "secret-key-1") && strstr(err.text, "503"), "the reason is without the key: %s", err.text);
	embed_server_figures(s, &f);
	CHECK(strcmp(f.state, "error") == 0 && !strstr(f.reason, "secret-key-1"));
	atomic_store(&server.fail_next, 0);
	CHECK_NAMED(embed_server_contact(s, &id, &err) == 0 && embed_server_texts(s, &o, &err) == 0, "a contact that succeeds ends that");
	embed_server_free(s);
}

static void test_options(void)
{
	static const char *const bad[] = {"localhost:11434", "ftp://host/", "http://host/?key=1", "unix:relative", "http+unix://relative"};
	struct err err;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct embed_server *s = NULL;
		struct embed_server_options o = {.url = bad[i]};
		CHECK_NAMED(embed_server_new(&o, &s, &err) == -EINVAL && !s, "%s is refused", bad[i]);
	}
	struct embed_server *s = NULL;
	struct embed_server_options o = {.url = "http://127.0.0.1", .key = "two\r\nlines"};
	CHECK_NAMED(embed_server_new(&o, &s, &err) == -EINVAL, "a key that would end its header is refused");
}

int main(void)
{
	if (!server_start()) {
		tap_skip("no socket on the loopback interface");
		return tap_done();
	}
	test_options();
	test_flow();
	test_breaker();
	server_stop();
	return tap_done();
}
