/* The static model: text -> WordPiece ids -> weighted sum of int8 rows -> unit vector. docs/model-card.md tells how its table was
 * made.
 *
 * The model file, all numbers little endian:
 *
 *    0  8  "CFSTATIC"
 *    8  4  version, 1
 *   12  4  dims, a multiple of 64
 *   16  4  entries
 *   20  4  bytes of the vocabulary
 *   24 32  SHA-256 of the rows and all else from byte 64 up to the checksum: the model's identity
 *   56  8  zero
 *   64     float[entries]: a token's weight times the scale of its row; zero bytes up to the next multiple of 64
 *          int8[entries][dims]: the rows
 *          the vocabulary, one entry a line
 *          8 bytes, XXH3 of all before: what is checked at every start, since it takes a tenth of the time of SHA-256
 */
#include "base/cleanup.h"
#include "base/hash.h"
#include "embed/embed.h"
#include "embed/embedder.h"
#include "token/subwords.h"
#include "vec/vec.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the model file is read in place and is little endian"
#endif

enum {
	HEADER_SIZE = 64,
	CHECKSUM_SIZE = 8,
	MODEL_VERSION = 1,
	MAX_ENTRIES = 1 << 20,
	MAX_TEXT_IDS = 2048, /* of one text; a chunk has a few hundred, and what follows in a longer one hardly moves the mean */
};

struct model_header {
	char magic[8];
	uint32_t version, dims, entries, vocabulary_bytes;
	uint8_t sha256[HASH_SIZE];
	uint8_t zero[8];
};
_Static_assert(sizeof(struct model_header) == HEADER_SIZE, "as in the file");

/* Scratch memory of one call; as many exist as there were calls at the same time. */
struct worker {
	struct worker *next;
	struct subword_scratch *subwords;
	float weights[MAX_TEXT_IDS];
};

struct static_model {
	struct embedder base;
	struct subwords *subwords;
	const float *factors; /* in the model file, as is table */
	const int8_t *table;
	pthread_mutex_t lock; /* guards idle */
	struct worker *idle;
};

/* --- the file --- */

static size_t factors_size(const struct model_header *h)
{
	return (h->entries * sizeof(float) + 63) / 64 * 64;
}

static int check_header(struct span model, struct model_header *h, struct err *err)
{
	if (model.size < HEADER_SIZE + CHECKSUM_SIZE)
		return err_fail(err, -EINVAL, "the model file is cut off: %zu bytes", model.size);
	memcpy(h, model.data, sizeof *h);
	if (memcmp(h->magic, "CFSTATIC", sizeof h->magic) != 0)
		return err_fail(err, -EINVAL, "not a model file");
	static const uint8_t zero[sizeof h->zero];
	if (memcmp(h->zero, zero, sizeof zero) != 0)
		return err_fail(err, -EINVAL, "the model file is damaged: its header");
	if (h->version != MODEL_VERSION)
		return err_fail(err, -EINVAL, "the model file has version %u, this program reads %d", h->version, MODEL_VERSION);
	if (h->dims == 0 || h->dims % 64 != 0 || h->dims > VEC_MAX_DIMS || h->entries == 0 || h->entries > MAX_ENTRIES)
		return err_fail(err, -EINVAL, "the model file claims %u dimensions and %u entries", h->dims, h->entries);
	/* No overflow: entries * dims is at most 2^32, and size_t has 64 bits wherever 8 MB of table are worth having. */
	uint64_t size =
	        HEADER_SIZE + (uint64_t)factors_size(h) + (uint64_t)h->entries * h->dims + h->vocabulary_bytes + CHECKSUM_SIZE;
	if (size != model.size)
		return err_fail(err, -EINVAL, "the model file has %zu bytes and should have %llu", model.size,
		                (unsigned long long)size);
	return 0;
}

static int check_payload(struct span model, const struct model_header *h, struct err *err)
{
	uint64_t checksum;
	memcpy(&checksum, model.data + model.size - CHECKSUM_SIZE, sizeof checksum);
	if (checksum64(model.data, model.size - CHECKSUM_SIZE) != checksum)
		return err_fail(err, -EINVAL, "the model file is damaged: its checksum does not match");
	float total = 0;
	for (uint32_t i = 0; i < h->entries; i++) {
		float factor;
		memcpy(&factor, model.data + HEADER_SIZE + i * sizeof factor, sizeof factor);
		/* So that no sum of MAX_TEXT_IDS rows can overflow. */
		if (!(factor >= 0 && factor <= 1e6f))
			return err_fail(err, -EINVAL, "the model file is damaged: the weight of entry %u", i);
		total += factor;
	}
	return total > 0 ? 0 : err_fail(err, -EINVAL, "the model file has no weights");
}

static int read_vocabulary(struct span model, const struct model_header *h, struct static_model *m, struct err *err)
{
	struct span vocabulary = {model.data + model.size - CHECKSUM_SIZE - h->vocabulary_bytes, h->vocabulary_bytes};
	uint32_t lines = 0;
	for (size_t i = 0; i < vocabulary.size; i++)
		lines += vocabulary.data[i] == '\n';
	if (lines != h->entries || vocabulary.data[vocabulary.size - 1] != '\n')
		return err_fail(err, -EINVAL, "the model file has %u rows and %u vocabulary entries", h->entries, lines);
	int rc = subwords_new(vocabulary, &m->subwords);
	return rc == 0 ? 0 : err_fail(err, rc, rc == -ENOMEM ? "out of memory" : "the vocabulary of the model file is damaged");
}

/* --- embedding --- */

static void worker_free(struct worker *w)
{
	if (w)
		subword_scratch_free(w->subwords);
	free(w);
}

static int worker_take(struct static_model *m, struct worker **ret)
{
	pthread_mutex_lock(&m->lock);
	struct worker *w = m->idle;
	if (w)
		m->idle = w->next;
	pthread_mutex_unlock(&m->lock);
	if (!w) {
		w = calloc(1, sizeof *w);
		if (!w)
			return -ENOMEM;
		int rc = subword_scratch_new(m->subwords, &w->subwords);
		if (rc < 0) {
			free(w);
			return rc;
		}
	}
	*ret = w;
	return 0;
}

static void worker_give_back(struct static_model *m, struct worker *w)
{
	pthread_mutex_lock(&m->lock);
	w->next = m->idle;
	m->idle = w;
	pthread_mutex_unlock(&m->lock);
}

static int embed_one(const struct static_model *m, struct worker *w, struct span text, float *out)
{
	const uint32_t *ids;
	size_t count;
	int rc = subwords_encode(m->subwords, w->subwords, text, MAX_TEXT_IDS, &ids, &count);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		w->weights[i] = m->factors[ids[i]];
	vec_sum_rows(m->table, m->base.space.dims, ids, w->weights, count, out);
	(void)vec_normalise(out, m->base.space.dims);
	return 0;
}

static int static_texts(struct embedder *e, enum embed_side side, const struct span *texts, size_t count, float *out,
                        struct err *err)
{
	(void)side; /* one table serves both */
	struct static_model *m = (struct static_model *)e;
	struct worker *w = NULL;
	int rc = worker_take(m, &w);
	if (rc < 0)
		return err_fail(err, rc, "out of memory");
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = embed_one(m, w, texts[i], out + i * e->space.dims);
	worker_give_back(m, w);
	return rc == 0 ? 0 : err_fail(err, rc, "out of memory");
}

static bool static_knows(struct embedder *e, struct span word)
{
	struct static_model *m = (struct static_model *)e;
	struct worker *w = NULL;
	const uint32_t *ids;
	size_t count = 0;
	if (worker_take(m, &w) < 0)
		return false;
	bool whole = subwords_encode(m->subwords, w->subwords, word, 2, &ids, &count) == 0 && count == 1;
	worker_give_back(m, w);
	return whole;
}

/* --- life --- */

static void static_free(struct embedder *e)
{
	struct static_model *m = (struct static_model *)e;
	while (m->idle) {
		struct worker *w = m->idle;
		m->idle = w->next;
		worker_free(w);
	}
	pthread_mutex_destroy(&m->lock);
	subwords_free(m->subwords);
	free(m);
}

static const struct embedder_kind static_kind = {static_texts, static_knows, static_free};

static void free_embedder(struct embedder **e)
{
	embedder_free(*e);
}

int embed_static_from(struct span model, struct embedder **ret, struct err *err)
{
	struct model_header h;
	int rc = check_header(model, &h, err);
	if (rc < 0)
		return rc;
	rc = check_payload(model, &h, err);
	if (rc < 0)
		return rc;
	struct static_model *m = calloc(1, sizeof *m);
	if (!m)
		return err_fail(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&m->lock, NULL);
	m->base = (struct embedder){
	        .kind = &static_kind,
	        .space = {.name = "corpusfs-static-1", .dims = h.dims, .keyword_weight = 0.6f, .cheap = true},
	};
	struct embedder *CLEANUP(free_embedder) e = &m->base;
	/* The header holds the SHA-256 of all the rest. */
	struct span parts[] = {span_of(e->space.name), {model.data, HEADER_SIZE}};
	e->space.fingerprint = hash_parts(parts, 2);
	m->factors = (const float *)(const void *)(model.data + HEADER_SIZE);
	m->table = (const int8_t *)model.data + HEADER_SIZE + factors_size(&h);
	rc = read_vocabulary(model, &h, m, err);
	if (rc < 0)
		return rc;
	*ret = STEAL(e);
	return 0;
}

/* In model_data.S. */
extern const char embed_model_static[], embed_model_static_end[];

struct span embed_static_model(void)
{
	return (struct span){embed_model_static, (size_t)(embed_model_static_end - embed_model_static)};
}

int embed_static_new(struct embedder **ret, struct err *err)
{
	return embed_static_from(embed_static_model(), ret, err);
}
