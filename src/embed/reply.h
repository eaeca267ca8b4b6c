/* Replies of embedding servers: JSON from a stranger -> checked rows of floats. Two shapes are known, told apart by their keys:
 *
 *     {"data": [{"index": 0, "embedding": [0.1, ...] or "base64 of little-endian floats"}, ...], "usage": {"prompt_tokens": 7}}
 *     {"embeddings": [[0.1, ...], ...], "prompt_eval_count": 7}
 *
 * The first is OpenAI's /v1/embeddings (https://platform.openai.com/docs/api-reference/embeddings), the second Ollama's /api/embed
 * (https://docs.ollama.com/api/embed). Pure functions. Private to this folder. */
#ifndef CORPUSFS_EMBED_REPLY_H
#define CORPUSFS_EMBED_REPLY_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum { REPLY_MAX_DIMS = 4096 };

struct reply {
	uint32_t dims; /* of every row */
	float *rows;   /* one a text that was sent, in the order sent, unit length; the caller frees */
	uint64_t tokens; /* as the server counted, 0 when it does not say */
	bool base64;
};

/* Accepts only a reply with exactly `count` rows, each index once, all of the same number of dimensions (`dims`, unless that is 0), all numbers
 * finite, no row without length. -EBADMSG with *err saying what is wrong, or -ENOMEM. */
int reply_parse(struct span body, size_t count, uint32_t dims, struct reply *ret, struct err *err);

/* The server's own words in a refusal, whatever shape they have: {"error": {"message": ...}}, {"error": "..."}, {"message": ...}, {"detail": ...},
 * else the first words of a body that is text. One line. `code` gets error.code or error.type, or "". */
void reply_message(struct span body, char *message, size_t message_size, char *code, size_t code_size);

/* The texts of at most so many tokens and requests of at most so many texts that a server says it takes, from TEI's /info
 * (max_input_length, max_client_batch_size) or vLLM's /v1/models (max_model_len); 0 where it does not say. */
struct reply_limits {
	uint32_t tokens, texts;
};
void reply_limits(struct span body, struct reply_limits *ret);

#endif
