/* What contact.c (who is there) and bulk.c (getting many texts embedded) share. Private to this folder. */
#ifndef CORPUSFS_EMBED_MODEL_HTTP_H
#define CORPUSFS_EMBED_MODEL_HTTP_H

#include "base/buf.h"
#include "embed/http.h"
#include "embed/reply.h"
#include "embed/server.h"

#include <pthread.h>

enum {
	BULK_REQUESTS = 4,
	BATCH_TEXTS = 32,	     /* TEI's default limit; more gains little */
	BATCH_BYTES = 24 * 1024,     /* about 8,000 tokens */
	BYTES_PER_TOKEN = 3,	     /* conservative: English has more than 4, CJK 3 */
	LATENCIES = 512,
	URGENT_MS = 5000,
	BULK_MS = 120000,
	CONTACT_MS = 30000,
	BREAKER_FAILURES = 5,
	BREAKER_FIRST_MS = 5000,
	BREAKER_MOST_MS = 60000,
	QUOTA_MS = 600000,
	BACKOFF_FIRST_MS = 500,
	BACKOFF_MOST_MS = 30000,
	RETRY_AFTER_MOST_MS = 300000,
};

enum api { API_UNKNOWN, API_OPENAI, API_OLLAMA };

/* What became of a request. */
enum verdict {
	VERDICT_GOOD,
	VERDICT_REFUSED, /* these texts, not the server */
	VERDICT_TRANSIENT,
	VERDICT_DENIED,
	VERDICT_MISSING,
	VERDICT_QUOTA,
	VERDICT_BUSY,
	VERDICT_STOPPED,
};

struct embed_server {
	struct http *http;
	char *model, *prefixes[2]; /* by enum embed_side; never NULL */
	uint32_t ask_dims;
	unsigned rate;
	uint64_t budget;

	pthread_mutex_t lock; /* guards all below */
	enum api api;
	const char *path; /* of the endpoint, static */
	bool base64, known;
	struct embed_identity identity;
	float *canary; /* of the first canary, identity.dims */
	float tolerance; /* least cosine with it */
	size_t batch_texts, batch_bytes, text_bytes;
	unsigned failures, opens, seed;
	uint64_t open_until, hold_until, next_request; /* milliseconds of the monotonic clock */
	char state[16], reason[256];
	struct embed_server_figures count; /* only its counters */
	uint32_t latencies[LATENCIES];
	uint64_t latency_count;
};

uint64_t server_now_ms(void);
const char *server_canary(unsigned i);

/* Writes the JSON of a request: texts, then (if `canary`) the first canary. */
struct request_text {
	const char *prefix;
	struct span text;
};
void server_write_request(struct embed_server *s, enum api api, bool base64, const struct request_text *texts, size_t count, bool canary, struct buf *out);

/* Judges an ended request, notes its figures and, unless it is good, the reason (one line, without the key) in `reason`. */
enum verdict server_judge(struct embed_server *s, struct http_call *call, size_t texts, char reason[256], char state[16]);

/* The circuit breaker. */
void server_note_success(struct embed_server *s);
void server_note_failure(struct embed_server *s, const char *state, const char *reason, unsigned weight);
/* Opens it at once for that long. */
void server_note_closed(struct embed_server *s, const char *state, const char *reason, unsigned milliseconds);
/* True, with the reason in *err, while the server is not to be asked. */
bool server_is_open(struct embed_server *s, struct err *err);
unsigned server_random(struct embed_server *s, unsigned below);

#endif
