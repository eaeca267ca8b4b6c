/* Who is there, how it is asked, what became of a request: everything about a server but the sending of many texts. */
#include "embed/model_http.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "vec/vec.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Seed of the sign bits of an identity. Part of what is stored. */
#define IDENTITY_SEED UINT64_C(0x63616e617279)

uint64_t server_now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Short, so that carrying the first one along costs a few tokens; of different kinds, so that two models agree on none. Part of what is stored:
 * other words make every space a new one. */
const char *server_canary(unsigned i)
{
	static const char *const canaries[EMBED_CANARIES] = {
		"the lighthouse keeper counts ships",
		"int add(int a, int b) { return a + b; }",
		"Wie lange dauert die K\xc3\xbcndigungsfrist?",
	};
	return canaries[i];
}

unsigned server_random(struct embed_server *s, unsigned below)
{
	(void)pthread_mutex_lock(&s->lock);
	unsigned value = (unsigned)rand_r(&s->seed);
	(void)pthread_mutex_unlock(&s->lock);
	return below ? value % below : 0;
}

/* --- the circuit breaker ------------------------------------------------------------------------------------------- */

static void set_state(struct embed_server *s, const char *state, const char *reason)
{
	(void)snprintf(s->state, sizeof(s->state), "%s", state);
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

void server_note_success(struct embed_server *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->failures = s->opens = 0;
	s->open_until = 0;
	set_state(s, "ok", "");
	(void)pthread_mutex_unlock(&s->lock);
}

void server_note_failure(struct embed_server *s, const char *state, const char *reason, unsigned weight)
{
	(void)pthread_mutex_lock(&s->lock);
	s->count.failures++;
	s->failures += weight;
	set_state(s, state, reason);
	uint64_t now = server_now_ms();
	if (s->failures >= BREAKER_FAILURES && s->open_until <= now) {
		unsigned shift = s->opens < 4 ? s->opens : 4, pause = (unsigned)BREAKER_FIRST_MS << shift;
		s->open_until = now + (pause < BREAKER_MOST_MS ? pause : BREAKER_MOST_MS);
		s->opens++;
	}
	(void)pthread_mutex_unlock(&s->lock);
}

void server_note_closed(struct embed_server *s, const char *state, const char *reason, unsigned milliseconds)
{
	(void)pthread_mutex_lock(&s->lock);
	s->count.failures++;
	s->failures = BREAKER_FAILURES;
	s->open_until = server_now_ms() + milliseconds;
	set_state(s, state, reason);
	(void)pthread_mutex_unlock(&s->lock);
}

bool server_is_open(struct embed_server *s, struct err *err)
{
	(void)pthread_mutex_lock(&s->lock);
	bool open = s->open_until > server_now_ms();
	if (open)
		(void)err_fail(err, -EAGAIN, "%s", s->reason);
	(void)pthread_mutex_unlock(&s->lock);
	return open;
}

unsigned embed_server_pause_ms(struct embed_server *s)
{
	(void)pthread_mutex_lock(&s->lock);
	uint64_t now = server_now_ms(), until = s->open_until > s->hold_until ? s->open_until : s->hold_until;
	(void)pthread_mutex_unlock(&s->lock);
	return until > now ? (unsigned)(until - now) : 0;
}

/* --- requests and verdicts ----------------------------------------------------------------------------------------- */

static void add_text(struct jsonw *j, const char *prefix, struct span text)
{
	if (!*prefix) {
		jsonw_span(j, text);
		return;
	}
	struct buf whole;
	buf_init(&whole, strlen(prefix) + text.size + 1);
	buf_add_string(&whole, prefix);
	buf_add_span(&whole, text);
	jsonw_span(j, buf_span(&whole));
	buf_release(&whole);
}

void server_write_request(struct embed_server *s, enum api api, bool base64, const struct request_text *texts, size_t count, bool canary, struct buf *out)
{
	struct jsonw j;
	jsonw_init(&j, out);
	jsonw_object(&j);
	if (*s->model) {
		jsonw_key(&j, "model");
		jsonw_string(&j, s->model);
	}
	jsonw_key(&j, "input");
	jsonw_array(&j);
	for (size_t i = 0; i < count; i++)
		add_text(&j, texts[i].prefix, texts[i].text);
	if (canary)
		jsonw_string(&j, server_canary(0));
	jsonw_array_end(&j);
	if (s->ask_dims) {
		jsonw_key(&j, "dimensions");
		jsonw_uint(&j, s->ask_dims);
	}
	if (api == API_OLLAMA) {
		jsonw_key(&j, "truncate"); /* what does not fit is to be refused, not cut silently */
		jsonw_bool(&j, false);
	} else {
		jsonw_key(&j, "encoding_format");
		jsonw_string(&j, base64 ? "base64" : "float");
	}
	jsonw_object_end(&j);
}

/* llama.cpp answers 500 for a text that is too long for its batch. */
static bool speaks_of_length(const char *message)
{
	static const char *const words[] = {"too large", "too long", "exceed", "context length", "maximum context", "physical batch"};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasestr(message, words[i]))
			return true;
	return false;
}

static enum verdict judge_transport(const struct http_call *call, char reason[256], char state[16])
{
	static const struct {
		int error;
		const char *state;
	} states[] = {{-ETIMEDOUT, "timeout"}, {-EPROTO, "tls"}, {-EMSGSIZE, "reply"}, {-ENOMEM, "error"}};
	const char *found = "unreachable";
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (states[i].error == call->error)
			found = states[i].state;
	(void)snprintf(state, 16, "%s", found);
	(void)snprintf(reason, 256, "%s", call->error_text);
	return call->error == -ESHUTDOWN ? VERDICT_STOPPED : VERDICT_TRANSIENT;
}

static enum verdict judge_status(const struct http_call *call, const char *message, const char *code, const char **ret_state)
{
	long status = call->status;
	*ret_state = "error";
	if (status >= 300 && status < 400) {
		*ret_state = "redirect";
		return VERDICT_MISSING;
	}
	if (status == 401 || status == 403) {
		*ret_state = "key";
		return VERDICT_DENIED;
	}
	if (status == 404 || status == 405) {
		*ret_state = "missing";
		return VERDICT_MISSING;
	}
	if (status == 429 || status == 402) {
		bool quota = status == 402 || strcmp(code, "insufficient_quota") == 0 || strcasestr(message, "quota");
		*ret_state = quota ? "quota" : "busy";
		return quota ? VERDICT_QUOTA : VERDICT_BUSY;
	}
	if (status == 503 && call->retry_after_ms) {
		*ret_state = "busy";
		return VERDICT_BUSY;
	}
	if (status == 400 || status == 413 || status == 422 || (status == 500 && speaks_of_length(message)))
		return VERDICT_REFUSED;
	return VERDICT_TRANSIENT;
}

static void note_figures(struct embed_server *s, const struct http_call *call, size_t texts)
{
	(void)pthread_mutex_lock(&s->lock);
	s->count.requests++;
	s->count.sent_bytes += call->body.size;
	s->count.received_bytes += call->reply.size;
	if (call->error == 0) {
		s->latencies[s->latency_count++ % LATENCIES] = call->took_ms;
		s->count.texts += texts;
	}
	(void)pthread_mutex_unlock(&s->lock);
}

enum verdict server_judge(struct embed_server *s, struct http_call *call, size_t texts, char reason[256], char state[16])
{
	char message[160] = "", code[48] = "";
	const char *found;
	note_figures(s, call, texts);
	reason[0] = '\0';
	if (call->error)
		return judge_transport(call, reason, state);
	if (call->status >= 200 && call->status < 300) {
		(void)snprintf(state, 16, "ok");
		return VERDICT_GOOD;
	}
	reply_message(buf_span(&call->reply), message, sizeof(message), code, sizeof(code));
	http_redact(s->http, message);
	http_redact(s->http, call->redirect);
	enum verdict v = judge_status(call, message, code, &found);
	(void)snprintf(state, 16, "%s", found);
	if (*call->redirect)
		(void)snprintf(reason, 256, "status %ld: it points to %s; give that address instead", call->status, call->redirect);
	else
		(void)snprintf(reason, 256, "status %ld%s%s", call->status, *message ? ": " : "", message);
	return v;
}

/* --- contact ------------------------------------------------------------------------------------------------------- */

bool embed_identity_equal(const struct embed_identity *a, const struct embed_identity *b)
{
	if (a->dims != b->dims)
		return false;
	unsigned different = 0, words = a->padded / 64 < EMBED_CANARY_WORDS ? a->padded / 64 : EMBED_CANARY_WORDS;
	for (unsigned c = 0; c < EMBED_CANARIES; c++)
		for (unsigned w = 0; w < words; w++)
			different += (unsigned)__builtin_popcountll(a->bits[c][w] ^ b->bits[c][w]);
	/* A bit differs with probability angle / pi (Goemans and Williamson 1995): 2 % is a cosine of 0.998. Small rows get some slack. */
	return different <= EMBED_CANARIES * words * 64 / 50 + 2;
}

static int identify(const struct reply *r, struct embed_identity *ret)
{
	struct embed_identity id = {.dims = r->dims, .padded = (r->dims + 63) / 64 * 64};
	float *CLEANUP_FREE row = calloc(id.padded, sizeof(*row));
	uint64_t *CLEANUP_FREE bits = calloc(id.padded / 64, sizeof(*bits));
	if (!row || !bits)
		return -ENOMEM;
	unsigned words = id.padded / 64 < EMBED_CANARY_WORDS ? id.padded / 64 : EMBED_CANARY_WORDS;
	for (unsigned c = 0; c < EMBED_CANARIES; c++) {
		memcpy(row, r->rows + (size_t)c * r->dims, r->dims * sizeof(*row));
		vec_sign_bits(row, id.padded, IDENTITY_SEED, bits);
		memcpy(id.bits[c], bits, words * sizeof(*bits));
	}
	*ret = id;
	return 0;
}

/* Endpoints to try, in order. Ollama has OpenAI's endpoint too, but only its own one can be told not to cut texts silently. */
static const struct endpoint {
	enum api api;
	const char *path;
} endpoints[] = {{API_OLLAMA, "/api/embed"}, {API_OPENAI, "/v1/embeddings"}, {API_OPENAI, "/embeddings"}, {API_OPENAI, ""}};

/* Whether an endpoint makes sense below the path of the URL that was given. */
static bool fits(const struct endpoint *e, const char *base)
{
	size_t n = strlen(base);
	bool endpoint = (n >= 11 && strcmp(base + n - 11, "/embeddings") == 0);
	bool version = n >= 3 && strcmp(base + n - 3, "/v1") == 0;
	if (endpoint)
		return !*e->path;
	if (version)
		return strcmp(e->path, "/embeddings") == 0;
	return *e->path != '\0';
}

static void ask_canaries(struct embed_server *s, const struct endpoint *e, bool base64, struct http_call *call)
{
	struct request_text texts[EMBED_CANARIES];
	struct buf body;
	buf_init(&body, 65536);
	for (unsigned i = 0; i < EMBED_CANARIES; i++)
		texts[i] = (struct request_text){"", span_of(server_canary(i))};
	server_write_request(s, e->api, base64, texts, EMBED_CANARIES, false, &body);
	*call = (struct http_call){.lane = HTTP_INTERACTIVE, .path = e->path, .body = buf_span(&body), .timeout_ms = CONTACT_MS, .reply_limit = 1 << 20};
	http_start(s->http, call);
	struct http_call *const calls[] = {call};
	while (!http_ended(s->http, call))
		http_wait(s->http, calls, 1, CONTACT_MS);
	buf_release(&body);
}

/* Under the lock. */
static int adopt(struct embed_server *s, const struct endpoint *e, const struct reply *r, const struct embed_identity *id)
{
	float *canary = malloc(r->dims * sizeof(*canary));
	if (!canary)
		return -ENOMEM;
	memcpy(canary, r->rows, r->dims * sizeof(*canary));
	/* The same model again that a request took for another one: its numbers depend on what stands beside a text. */
	bool same = s->known && embed_identity_equal(&s->identity, id);
	if (!same)
		s->tolerance = 0.998f;
	if (!same)
		s->identity = *id;
	free(s->canary);
	s->canary = canary;
	s->api = e->api;
	s->path = e->path;
	s->base64 = r->base64;
	s->known = true;
	return 0;
}

static void learn_limits(struct embed_server *s, const char *path)
{
	struct http_call call = {.lane = HTTP_INTERACTIVE, .path = path, .timeout_ms = URGENT_MS, .reply_limit = 65536};
	struct reply_limits limits = {0};
	http_start(s->http, &call);
	struct http_call *const calls[] = {&call};
	while (!http_ended(s->http, &call))
		http_wait(s->http, calls, 1, URGENT_MS);
	if (call.error == 0 && call.status == 200)
		reply_limits(buf_span(&call.reply), &limits);
	http_call_release(&call);
	(void)pthread_mutex_lock(&s->lock);
	if (limits.tokens > 2)
		s->text_bytes = (size_t)(limits.tokens - 2) * BYTES_PER_TOKEN; /* two are the model's own */
	if (limits.texts && limits.texts < s->batch_texts)
		s->batch_texts = limits.texts;
	(void)pthread_mutex_unlock(&s->lock);
}

static int read_contact(struct embed_server *s, const struct endpoint *e, struct http_call *call, struct embed_identity *ret, struct err *err)
{
	struct reply r;
	int result = reply_parse(buf_span(&call->reply), EMBED_CANARIES, s->ask_dims, &r, err);
	if (result < 0)
		return result;
	struct embed_identity id;
	result = identify(&r, &id);
	(void)pthread_mutex_lock(&s->lock);
	bool first = !s->known;
	if (result == 0)
		result = adopt(s, e, &r, &id);
	if (result == 0)
		*ret = s->identity;
	s->count.tokens += r.tokens;
	(void)pthread_mutex_unlock(&s->lock);
	free(r.rows);
	if (result == 0 && first && e->api == API_OPENAI)
		learn_limits(s, strcmp(e->path, "/v1/embeddings") == 0 ? "/info" : "/models");
	if (result == 0 && first && strcmp(e->path, "/v1/embeddings") == 0)
		learn_limits(s, "/v1/models");
	return result;
}

/* Tries one endpoint, without base64 where that is refused. The verdict, and *ret for VERDICT_GOOD; *ret_answered: another endpoint may
 * do better. */
static enum verdict try_endpoint(struct embed_server *s, const struct endpoint *e, struct embed_identity *ret, char reason[256], char state[16],
				 bool *ret_answered)
{
	enum verdict v = VERDICT_STOPPED;
	for (int base64 = e->api == API_OPENAI; base64 >= 0; base64--) {
		struct http_call call;
		struct err err;
		ask_canaries(s, e, base64, &call);
		v = server_judge(s, &call, EMBED_CANARIES, reason, state);
		*ret_answered = call.error == 0;
		if (v == VERDICT_GOOD && read_contact(s, e, &call, ret, &err) < 0) {
			(void)snprintf(state, 16, "reply");
			(void)snprintf(reason, 256, "%.250s", err.text);
			v = VERDICT_TRANSIENT;
		}
		/* Ollama says 404 for a model that it does not have. */
		bool no_model = v == VERDICT_MISSING && e->api == API_OLLAMA && strstr(reason, "model");
		http_call_release(&call);
		if (no_model) {
			*ret_answered = false; /* no use in trying its other endpoint */
			return VERDICT_REFUSED;
		}
		if (v != VERDICT_REFUSED)
			return v;
	}
	return v;
}

static int fail_contact(struct embed_server *s, enum verdict v, const char *state, const char *reason, struct err *err)
{
	switch (v) {
	case VERDICT_STOPPED:
		return err_fail(err, -ESHUTDOWN, "stopped");
	case VERDICT_DENIED:
		http_reload_key(s->http);
		server_note_failure(s, state, reason, BREAKER_FAILURES);
		return err_fail(err, -EACCES, "%s", reason);
	case VERDICT_QUOTA:
		server_note_closed(s, state, reason, QUOTA_MS);
		return err_fail(err, -EAGAIN, "%s", reason);
	case VERDICT_MISSING:
	case VERDICT_REFUSED:
		server_note_failure(s, v == VERDICT_REFUSED ? "model" : state, reason, BREAKER_FAILURES);
		return err_fail(err, -EIO, "%s", reason);
	default:
		server_note_failure(s, state, reason, BREAKER_FAILURES);
		return err_fail(err, -EAGAIN, "%s", reason);
	}
}

struct attempt {
	enum verdict verdict;
	char reason[256], state[16];
};

int embed_server_contact(struct embed_server *s, struct embed_identity *ret, struct err *err)
{
	struct attempt best = {.verdict = VERDICT_MISSING};
	bool answered = true;
	(void)pthread_mutex_lock(&s->lock);
	struct endpoint known = {s->api, s->path};
	(void)pthread_mutex_unlock(&s->lock);
	if (known.api != API_UNKNOWN)
		best.verdict = try_endpoint(s, &known, ret, best.reason, best.state, &answered);
	/* An endpoint that a server does not have may be answered by anything: 403 by a gateway, 200 with words by another. */
	bool asks = known.api == API_UNKNOWN || best.verdict == VERDICT_MISSING;
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(*endpoints) && asks && answered && best.verdict != VERDICT_GOOD; i++) {
		struct attempt a = {.verdict = VERDICT_MISSING};
		if (!fits(&endpoints[i], http_base_path(s->http)))
			continue;
		a.verdict = try_endpoint(s, &endpoints[i], ret, a.reason, a.state, &answered);
		if (a.verdict == VERDICT_GOOD || best.verdict == VERDICT_MISSING)
			best = a;
	}
	if (best.verdict != VERDICT_GOOD)
		return fail_contact(s, best.verdict, best.state, best.reason, err);
	server_note_success(s);
	return 0;
}

/* --- figures ------------------------------------------------------------------------------------------------------- */

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static uint64_t today(void)
{
	return (uint64_t)time(NULL) / 86400;
}

void embed_server_figures(struct embed_server *s, struct embed_server_figures *ret)
{
	uint32_t sorted[LATENCIES];
	(void)pthread_mutex_lock(&s->lock);
	*ret = s->count;
	size_t n = s->latency_count < LATENCIES ? s->latency_count : LATENCIES;
	memcpy(sorted, s->latencies, n * sizeof(*sorted));
	(void)snprintf(ret->state, sizeof(ret->state), "%s", s->state);
	(void)snprintf(ret->reason, sizeof(ret->reason), "%s", s->reason);
	(void)snprintf(ret->kind, sizeof(ret->kind), "%s", s->api == API_OLLAMA ? "ollama" : s->api == API_OPENAI ? "openai" : "");
	ret->batch_texts = (uint32_t)s->batch_texts;
	ret->text_bytes = (uint32_t)s->text_bytes;
	if (ret->budget_day != today())
		ret->budget_used = 0;
	ret->budget_day = today();
	(void)pthread_mutex_unlock(&s->lock);
	(void)snprintf(ret->url, sizeof(ret->url), "%s", http_shown_url(s->http));
	qsort(sorted, n, sizeof(*sorted), compare_u32);
	if (n) {
		ret->p50_ms = sorted[(n - 1) * 50 / 100];
		ret->p90_ms = sorted[(n - 1) * 90 / 100];
		ret->p99_ms = sorted[(n - 1) * 99 / 100];
	}
}

void embed_server_set_budget_used(struct embed_server *s, uint64_t day, uint64_t texts)
{
	(void)pthread_mutex_lock(&s->lock);
	s->count.budget_day = day;
	s->count.budget_used = texts;
	(void)pthread_mutex_unlock(&s->lock);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

struct hash embed_server_recipe(const struct embed_server *s)
{
	uint8_t dims[4] = {(uint8_t)s->ask_dims, (uint8_t)(s->ask_dims >> 8), (uint8_t)(s->ask_dims >> 16), (uint8_t)(s->ask_dims >> 24)};
	struct span parts[] = {span_of("embedding server 1"), span_of(s->model), span_of(s->prefixes[EMBED_PASSAGE]), span_of(s->prefixes[EMBED_QUERY]),
			       {(const char *)dims, sizeof(dims)}};
	return hash_parts(parts, sizeof(parts) / sizeof(*parts));
}

const char *embed_server_model(const struct embed_server *s)
{
	return s->model;
}

int embed_server_new(const struct embed_server_options *o, struct embed_server **ret, struct err *err)
{
	if (o->dims > REPLY_MAX_DIMS)
		return err_fail(err, -EINVAL, "embed_dims: at most %d", REPLY_MAX_DIMS);
	struct embed_server *s = calloc(1, sizeof(*s));
	if (!s)
		return err_fail(err, -ENOMEM, "out of memory");
	(void)pthread_mutex_init(&s->lock, NULL);
	s->model = strdup(o->model ? o->model : "");
	s->prefixes[EMBED_PASSAGE] = strdup(o->passage_prefix ? o->passage_prefix : "");
	s->prefixes[EMBED_QUERY] = strdup(o->query_prefix ? o->query_prefix : "");
	s->ask_dims = o->dims;
	s->rate = o->rate;
	s->budget = o->budget;
	s->batch_texts = BATCH_TEXTS;
	s->batch_bytes = BATCH_BYTES;
	s->seed = (unsigned)server_now_ms();
	set_state(s, "unknown", "not asked yet");
	struct http_options http = {.url = o->url, .key = o->key, .key_file = o->key_file, .bulk = BULK_REQUESTS};
	int r = s->model && s->prefixes[0] && s->prefixes[1] ? http_new(&http, &s->http, err) : err_fail(err, -ENOMEM, "out of memory");
	if (r < 0) {
		embed_server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void embed_server_stop(struct embed_server *s)
{
	http_stop(s->http);
}

void embed_server_free(struct embed_server *s)
{
	if (!s)
		return;
	http_free(s->http);
	free(s->model);
	free(s->prefixes[0]);
	free(s->prefixes[1]);
	free(s->canary);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}
