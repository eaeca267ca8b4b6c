/* A model behind an embedding server: OpenAI's /v1/embeddings (OpenAI, vLLM, text-embeddings-inference, llama.cpp, LM Studio) or Ollama's
 * /api/embed, told apart by asking. docs/embedding-servers.md describes what it does about limits and failures.
 *
 * Unlike the built-in model (embed.h) a server can be away, slow, wrong, or become another model from one request to the next. So
 * every call says which model it means: a server is known by its *identity*, the number of dimensions and the sign bits of the vectors of a few
 * fixed texts (canaries), and each request carries one of them along, so that no vector of another model is ever taken for one of this.
 *
 * Thread-safe. Nothing that is returned holds the key. */
#ifndef CORPUSFS_EMBED_SERVER_H
#define CORPUSFS_EMBED_SERVER_H

#include "base/err.h"
#include "base/hash.h"
#include "base/span.h"
#include "embed/embed.h"

#include <stdbool.h>
#include <stdint.h>

struct embed_server;

struct embed_server_options { /* strings are copied */
	const char *url;   /* http://host:port, https://host/v1, unix:/path/to.sock, http+unix://%2Fpath%2Fto.sock/v1 */
	const char *model; /* the name sent along; NULL: none */
	const char *key, *key_file;
	const char *query_prefix, *passage_prefix; /* put before each text; NULL: none */
	uint32_t dims;	 /* asked of the server; 0: what it gives */
	unsigned rate;	 /* requests a minute while filling, 0: no bound */
	uint64_t budget; /* texts a day (UTC), 0: no bound */
};

enum { EMBED_CANARIES = 3, EMBED_CANARY_WORDS = 16 };

struct embed_identity {
	uint32_t dims;	 /* as the server gives them */
	uint32_t padded; /* the next multiple of 64: rows are so long, zero beyond dims */
	uint64_t bits[EMBED_CANARIES][EMBED_CANARY_WORDS]; /* vec_sign_bits of the canaries, the first 1024 */
};
/* Equal but for what a change of hardware or batching does to the last digits: a cosine of about 0.998 or more. */
bool embed_identity_equal(const struct embed_identity *a, const struct embed_identity *b);

/* Checks the options and starts the I/O thread. No traffic. -EINVAL with *err filled. */
int embed_server_new(const struct embed_server_options *options, struct embed_server **ret, struct err *err);
/* Ends every call with -ESHUTDOWN, now and from now on; then all calls must be awaited before embed_server_free. */
void embed_server_stop(struct embed_server *s);
void embed_server_free(struct embed_server *s); /* accepts NULL */

/* Hash of what the user chose: model name, prefixes, dimensions asked for. Not the URL: the same model may move. */
struct hash embed_server_recipe(const struct embed_server *s);
const char *embed_server_model(const struct embed_server *s);

/* Asks who is there. Blocks up to half a minute. 0; -EAGAIN (away, or told to wait), -EACCES, -EIO (no such model or endpoint). */
int embed_server_contact(struct embed_server *s, struct embed_identity *ret, struct err *err);

enum embed_mark {
	EMBED_PENDING,	 /* not done: the row means nothing */
	EMBED_WHOLE,
	EMBED_IN_PIECES, /* longer than the model takes: the mean of its pieces, weighted by their length */
	EMBED_REFUSED,	 /* the server refuses this text whatever its length: a zero row */
};

struct embed_order {
	const struct embed_identity *identity; /* the model that is meant */
	enum embed_side side;
	bool urgent; /* somebody waits: goes past bulk work, a deadline of seconds, fails at once while the server is known to be away */
	const struct span *texts;
	size_t count;
	float *out;	/* count * identity->padded */
	uint8_t *marks; /* count of enum embed_mark: what was done, also when the call fails */
};
/* Blocks. 0 when all is done; -ESTALE: another model answers, contact it again; -EAGAIN: away, told to wait, or out of budget; -EACCES,
 * -EIO, -ESHUTDOWN, -ENOMEM; each with *err filled. */
int embed_server_texts(struct embed_server *s, const struct embed_order *order, struct err *err);

/* Milliseconds until it makes sense to try again; 0: now. */
unsigned embed_server_pause_ms(struct embed_server *s);

struct embed_server_figures {
	char url[256], kind[16]; /* kind: "openai", "ollama", or "" while it is not known */
	char state[16];		 /* "unknown", "ok", or why it is not: "unreachable", "timeout", "tls", "key", "missing", "quota", "busy",
				  * "error", "reply", "redirect", "budget", "model" */
	char reason[256];	 /* one line, "" when ok */
	uint64_t requests, texts, tokens, sent_bytes, received_bytes, retries, failures, refused, in_pieces;
	uint32_t p50_ms, p90_ms, p99_ms; /* of the last 512 requests */
	uint32_t batch_texts, text_bytes; /* bounds in force, as stated or learned; text_bytes 0: none known */
	uint64_t budget_used, budget_day; /* texts since the start of this day (days since 1970) */
};
void embed_server_figures(struct embed_server *s, struct embed_server_figures *ret);
/* Texts that were already sent today, from before a restart. */
void embed_server_set_budget_used(struct embed_server *s, uint64_t day, uint64_t texts);

#endif
