/* See remote.h. The thread here does in turn: ask the server who it is, embed what the index has and the space lacks, switch searches over,
 * sleep until something changes. */
#include "remote.h"

#include "base/cleanup.h"
#include "search/search.h"
#include "vec/vec.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

enum {
	FILL_TEXTS = 1024,     /* embedded and committed together: eight rounds of four requests */
	MAX_MODEL_BYTES = 500, /* so that a space's name holds it and the identity */
	MAX_PASSES = 4,
	MAX_SAME = 4,	       /* documents looked at for a text that was embedded before */
	SETTLE_MS = 300,
	IDLE_MS = 60000,
	URGENT_CHUNKS = 96, /* a document of more is not done within the seconds of an urgent order */
	TRANSFORMER_KEYWORD_PERCENT = 30,
};

struct remote {
	struct corpus *corpus;
	struct embed_server *server;
	struct hash recipe;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t wake;
	bool stopping, changed, known, contacted, serves, counted;
	struct remote_model model;
	uint64_t switches, saved;
	char last_state[16]; /* as last logged */
	char usage[LIMIT_PATH_BYTES + 1]; /* file that holds today's count of texts, for the budget */
};

/* --- what a space is called in the store ----------------------------------------------------------------------------- */

/* The name of a space: the model's name, a NUL, the recipe, the dimensions, the identity's bits. So that a process that cannot reach the server
 * knows what its vectors are, and one that can knows whether they are still those of the same model. */
static void pack_name(const struct remote *r, const struct remote_model *m, struct buf *out)
{
	buf_init(out, 1024);
	buf_add(out, m->space.name, strlen(m->space.name) + 1);
	buf_add(out, r->recipe.bytes, HASH_SIZE);
	buf_add(out, &m->identity.dims, sizeof(m->identity.dims));
	buf_add(out, m->identity.bits, sizeof(m->identity.bits));
}

static void set_space(const struct remote *r, struct remote_model *m)
{
	const char *model = embed_server_model(r->server);
	memset(&m->space, 0, sizeof(m->space));
	(void)snprintf(m->space.name, sizeof(m->space.name), "%s", *model ? model : "server");
	m->space.dims = m->identity.padded;
	m->space.keyword_weight = (float)TRANSFORMER_KEYWORD_PERCENT / 100;
}

static bool unpack_name(const struct remote *r, struct span name, struct remote_model *ret)
{
	struct remote_model m = {0};
	const size_t tail = HASH_SIZE + sizeof(m.identity.dims) + sizeof(m.identity.bits);
	if (name.size <= tail || memcmp(name.data + name.size - tail, r->recipe.bytes, HASH_SIZE) != 0)
		return false;
	const char *at = name.data + name.size - tail + HASH_SIZE;
	memcpy(&m.identity.dims, at, sizeof(m.identity.dims));
	memcpy(m.identity.bits, at + sizeof(m.identity.dims), sizeof(m.identity.bits));
	m.identity.padded = (m.identity.dims + 63) / 64 * 64;
	set_space(r, &m);
	*ret = m;
	return true;
}

struct space_search {
	const struct remote *r;
	const struct embed_identity *wanted; /* NULL: whatever was used last */
	struct remote_model *found;
	bool any;
};

static int match_space(void *context, const struct store_space *space, struct span name)
{
	struct space_search *s = context;
	struct remote_model m;
	if (!unpack_name(s->r, name, &m) || (s->wanted && !embed_identity_equal(&m.identity, s->wanted)))
		return 0;
	m.space.fingerprint = space->fingerprint;
	*s->found = m;
	s->any = true;
	return 0;
}

/* The newest space of this recipe in the store, with that identity if one is given. */
static bool find_model(struct remote *r, const struct embed_identity *wanted, struct remote_model *ret)
{
	struct store_read *read;
	struct space_search s = {.r = r, .wanted = wanted, .found = ret};
	if (store_read_begin(r->corpus->store, &read) < 0)
		return false;
	(void)store_each_space(read, match_space, &s);
	store_read_end(read);
	return s.any;
}

static void new_model(struct remote *r, const struct embed_identity *identity, struct remote_model *ret)
{
	struct remote_model m = {.identity = *identity};
	struct span parts[] = {{(const char *)r->recipe.bytes, HASH_SIZE}, {(const char *)&identity->dims, sizeof(identity->dims)},
			       {(const char *)identity->bits, sizeof(identity->bits)}};
	set_space(r, &m);
	m.space.fingerprint = hash_parts(parts, sizeof(parts) / sizeof(*parts));
	*ret = m;
}

/* --- the target ------------------------------------------------------------------------------------------------------ */

/* Every version of a document under another model is another version: what the kernel keeps of vectors/ and meta/ goes with it. */
static void set_target(struct remote *r, const struct remote_model *m)
{
	struct corpus *c = r->corpus;
	(void)pthread_mutex_lock(&r->lock);
	bool same = r->known && hash_equal(&r->model.space.fingerprint, &m->space.fingerprint);
	if (!same) {
		r->switches += r->serves;
		r->serves = r->counted = false;
		r->model = *m;
		r->known = true;
	}
	(void)pthread_mutex_unlock(&r->lock);
	if (same)
		return;
	struct hash both[] = {c->space.fingerprint, m->space.fingerprint};
	atomic_store(&c->fingerprint, c->own_fingerprint ^ checksum64(both, sizeof(both)));
}

static int contact(struct remote *r, struct err *err)
{
	struct embed_identity identity;
	struct remote_model m;
	int result = embed_server_contact(r->server, &identity, err);
	if (result < 0)
		return result;
	if (!find_model(r, &identity, &m))
		new_model(r, &identity, &m);
	set_target(r, &m);
	(void)pthread_mutex_lock(&r->lock);
	r->contacted = true;
	(void)pthread_mutex_unlock(&r->lock);
	return 0;
}

static bool is_contacted(struct remote *r)
{
	(void)pthread_mutex_lock(&r->lock);
	bool contacted = r->contacted;
	(void)pthread_mutex_unlock(&r->lock);
	return contacted;
}

static void contact_again(struct remote *r)
{
	(void)pthread_mutex_lock(&r->lock);
	r->contacted = false;
	r->changed = true;
	(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
}

bool remote_wanted(const struct corpus *c)
{
	return c->remote != NULL;
}

bool remote_target(struct corpus *c, struct remote_model *ret)
{
	struct remote *r = c->remote;
	if (!r)
		return false;
	(void)pthread_mutex_lock(&r->lock);
	bool known = r->known;
	if (known)
		*ret = r->model;
	(void)pthread_mutex_unlock(&r->lock);
	return known;
}

static void set_serving(struct remote *r, bool serves)
{
	(void)pthread_mutex_lock(&r->lock);
	bool before = r->serves;
	r->switches += before != serves;
	r->serves = serves;
	r->counted = true;
	(void)pthread_mutex_unlock(&r->lock);
	if (!before && serves)
		corpus_log(r->corpus, LOG_INFO, "searches use the embedding server's model %s now", r->model.space.name);
}

/* A process that does not fill looks once whether the space is complete. */
static void count_once(struct corpus *c)
{
	struct remote *r = c->remote;
	struct remote_counts counts;
	struct err err;
	(void)pthread_mutex_lock(&r->lock);
	bool counted = r->counted || r->started;
	(void)pthread_mutex_unlock(&r->lock);
	if (counted)
		return;
	if (!is_contacted(r))
		(void)contact(r, &err);
	if (remote_count(c, false, &counts) == 0)
		set_serving(r, counts.missing == 0 && counts.chunks > 0);
}

bool remote_serves(struct corpus *c, struct remote_model *ret)
{
	struct remote *r = c->remote;
	if (!r)
		return false;
	count_once(c);
	(void)pthread_mutex_lock(&r->lock);
	bool serves = r->serves;
	*ret = r->model;
	(void)pthread_mutex_unlock(&r->lock);
	return serves;
}

uint64_t remote_switches(struct corpus *c)
{
	struct remote *r = c->remote;
	if (!r)
		return 0;
	(void)pthread_mutex_lock(&r->lock);
	uint64_t n = r->switches;
	(void)pthread_mutex_unlock(&r->lock);
	return n;
}

/* --- what is missing ------------------------------------------------------------------------------------------------- */

struct gap {
	struct store_read *read;
	struct store_space space;
	bool has_space;
	uint32_t last; /* document found last */
};

static void gap_open(struct gap *g, struct store_read *read, const struct remote_model *m)
{
	*g = (struct gap){.read = read};
	g->has_space = store_find_space(read, &m->space.fingerprint, &g->space) == 0;
}

/* Calls `each` with every live chunk of a segment, from *index on, that has no vector, until it returns non-zero; *index is then that chunk. */
static int gap_segment(struct gap *g, uint32_t segment, uint32_t *index, uint64_t *live, int (*each)(void *context, uint32_t doc), void *context)
{
	struct store_segment s;
	struct store_vectors v = {0};
	int r = store_segment(g->read, segment, &s);
	if (r < 0)
		return r;
	if (g->has_space && store_vectors(g->read, g->space.number, segment, &v) < 0)
		v.count = 0;
	for (uint32_t i = *index; i < s.count && r == 0; i++) {
		if (!(s.live[i / 64] >> (i % 64) & 1))
			continue;
		++*live;
		float scale = NAN;
		if (i < v.count)
			memcpy(&scale, v.scales + i, sizeof(scale));
		if (isnan(scale))
			r = each(context, s.docs[i]);
		*index = i;
	}
	return r;
}

static uint32_t segment_count(struct store_read *read)
{
	struct store_index_stats stats;
	return store_index_stats(read, &stats) == 0 ? (stats.chunk_limit + STORE_SEGMENT_CHUNKS - 1) / STORE_SEGMENT_CHUNKS : 0;
}

struct counting {
	struct store_read *read;
	struct remote_counts counts;
	bool bytes;
	uint32_t last;
};

static int count_chunk(void *context, uint32_t doc)
{
	struct counting *k = context;
	struct store_doc d;
	k->counts.missing++;
	if (k->bytes && doc != k->last && store_get_doc(k->read, doc, &d) == 0)
		k->counts.missing_bytes += d.text_size;
	k->last = doc;
	return 0;
}

int remote_count(struct corpus *c, bool bytes, struct remote_counts *ret)
{
	struct remote_model m;
	struct counting k = {.bytes = bytes};
	struct gap g;
	if (!remote_target(c, &m))
		memset(&m, 0, sizeof(m)); /* no server was ever seen: everything is missing */
	int r = store_read_begin(c->store, &k.read);
	if (r < 0)
		return r;
	gap_open(&g, k.read, &m);
	uint32_t segments = segment_count(k.read);
	for (uint32_t i = 0, first = 0; i < segments && r == 0; i++, first = 0)
		r = gap_segment(&g, i, &first, &k.counts.chunks, count_chunk, &k);
	store_read_end(k.read);
	if (r == 0)
		*ret = k.counts;
	return r;
}

/* --- the day's budget ------------------------------------------------------------------------------------------------ */

/* Texts sent today, kept beside the store so that a budget outlives a restart: "DAY TEXTS", days since 1970. */
static void load_usage(struct remote *r)
{
	unsigned long long day, texts;
	FILE *file = fopen(r->usage, "re");
	if (!file)
		return;
	if (fscanf(file, "%llu %llu", &day, &texts) == 2)
		embed_server_set_budget_used(r->server, day, texts);
	(void)fclose(file);
}

static void save_usage(struct remote *r)
{
	struct embed_server_figures f;
	if (r->corpus->options.access == CORPUS_READ_ONLY || !r->corpus->options.embed_budget)
		return;
	embed_server_figures(r->server, &f);
	FILE *file = fopen(r->usage, "we");
	if (!file || fprintf(file, "%llu %llu\n", (unsigned long long)f.budget_day, (unsigned long long)f.budget_used) < 0)
		corpus_log(r->corpus, LOG_WARNING, "%s: cannot be written: the budget begins anew at the next start", r->usage);
	if (file)
		(void)fclose(file);
}

/* --- filling --------------------------------------------------------------------------------------------------------- */

struct fill_doc {
	uint32_t id, first, count;
};

/* Documents on their way through the server: their texts, then their rows. */
struct fill {
	struct store_op op;
	struct remote *r;
	struct remote_model model;
	struct store_read *read;
	struct store_space space; /* number 0 while the store has none */
	struct buf text;
	size_t *ends; /* of each text in `text` */
	struct fill_doc *docs;
	uint32_t text_count, text_room, doc_count, doc_room;
	float *rows;
	uint8_t *marks;
	bool ended;
	int result;
};

static void fill_release(struct fill *f)
{
	buf_release(&f->text);
	free(f->ends);
	free(f->docs);
	free(f->rows);
	free(f->marks);
}

static struct span fill_text(const struct fill *f, uint32_t i)
{
	size_t first = i ? f->ends[i - 1] : 0;
	return (struct span){f->text.data + first, f->ends[i] - first};
}

static int fill_reserve(struct fill *f, uint32_t texts)
{
	if (f->text_count + texts > f->text_room) {
		uint32_t room = f->text_count + texts + FILL_TEXTS;
		size_t *ends = reallocarray(f->ends, room, sizeof(*ends));
		if (!ends)
			return -ENOMEM;
		f->ends = ends;
		f->text_room = room;
	}
	if (f->doc_count == f->doc_room) {
		struct fill_doc *docs = reallocarray(f->docs, f->doc_room + FILL_TEXTS, sizeof(*docs));
		if (!docs)
			return -ENOMEM;
		f->docs = docs;
		f->doc_room += FILL_TEXTS;
	}
	return 0;
}

/* A document whose record cannot be read is left to the store's own repair. */
static int fill_add(struct fill *f, uint32_t id)
{
	struct span text, packed;
	struct chunk_list *chunks = NULL;
	if (store_doc_text(f->read, id, &text) < 0 || store_doc_chunks(f->read, id, &packed) < 0 || chunk_list_unpack(packed, &chunks) < 0)
		return 0;
	int r = fill_reserve(f, (uint32_t)chunks->count);
	if (r == 0) {
		f->docs[f->doc_count++] = (struct fill_doc){id, f->text_count, (uint32_t)chunks->count};
		for (size_t i = 0; i < chunks->count && r == 0; i++) {
			r = chunk_passage(text, chunks, i, &f->text);
			f->ends[f->text_count++] = f->text.size;
		}
	}
	chunk_list_free(chunks);
	return r;
}

static int fill_chunk(void *context, uint32_t doc)
{
	struct fill *f = context;
	if (f->doc_count && f->docs[f->doc_count - 1].id == doc)
		return 0;
	if (f->text_count >= FILL_TEXTS)
		return 1;
	return fill_add(f, doc);
}

/* Where to look on. What is committed meanwhile, and what the store moves meanwhile, is found by another pass from the start. */
struct place {
	uint32_t segment, index;
};

/* Collects documents without vectors, beginning at *at, until there are enough or the index ends. */
static int fill_collect(struct fill *f, struct place *at)
{
	struct gap g;
	uint64_t live = 0;
	gap_open(&g, f->read, &f->model);
	f->space = g.space;
	uint32_t segments = segment_count(f->read);
	int r = 0;
	while (at->segment < segments && r == 0) {
		r = gap_segment(&g, at->segment, &at->index, &live, fill_chunk, f);
		if (r == 0)
			*at = (struct place){at->segment + 1, 0};
	}
	return r < 0 ? r : 0;
}

/* --- texts that were embedded before --- */

/* Under which a document is noted that holds a text: as a chunk with a vector, or as one that was embedded in pieces, or refused. */
static uint64_t text_key(const struct remote_model *m, struct span text, enum embed_mark mark)
{
	static const char *const tags[] = {[EMBED_PENDING] = "", [EMBED_WHOLE] = "chunk", [EMBED_IN_PIECES] = "in pieces", [EMBED_REFUSED] = "refused"};
	struct span parts[] = {span_of(tags[mark]), {(const char *)m->space.fingerprint.bytes, HASH_SIZE}, text};
	struct hash h = hash_parts(parts, 3);
	uint64_t key;
	memcpy(&key, h.bytes, sizeof(key));
	return key;
}

struct reuse {
	struct fill *f;
	uint32_t text;
	unsigned looked;
	bool found;
};

/* Whether chunk `i` has this passage. Its text is looked at first, so that few passages are made. */
static bool is_passage(struct span wanted, struct span clean, const struct chunk_list *chunks, size_t i)
{
	const struct chunk *k = &chunks->chunks[i];
	size_t size = k->end - k->first;
	if (wanted.size < size || memcmp(wanted.data + wanted.size - size, clean.data + k->first, size) != 0)
		return false;
	struct buf made;
	buf_init(&made, size + CHUNK_PASSAGE_EXTRA);
	bool same = chunk_passage(clean, chunks, i, &made) == 0 && span_equal(buf_span(&made), wanted);
	buf_release(&made);
	return same;
}

/* A document said to hold the same passage: compares, and copies the row. */
static int try_reuse(void *context, uint32_t doc)
{
	struct reuse *u = context;
	struct fill *f = u->f;
	struct span text, packed, floats, wanted = fill_text(f, u->text);
	struct chunk_list *chunks = NULL;
	size_t dims = f->model.space.dims;
	if (++u->looked > MAX_SAME || store_doc_floats(f->read, f->space.number, doc, &floats) < 0 || store_doc_text(f->read, doc, &text) < 0 ||
	    store_doc_chunks(f->read, doc, &packed) < 0 || chunk_list_unpack(packed, &chunks) < 0)
		return u->looked > MAX_SAME;
	if (floats.size == chunks->count * dims * sizeof(float))
		for (size_t i = 0; i < chunks->count && !u->found; i++) {
			u->found = is_passage(wanted, text, chunks, i);
			if (u->found)
				memcpy(f->rows + u->text * dims, floats.data + i * dims * sizeof(float), dims * sizeof(float));
		}
	chunk_list_free(chunks);
	return u->found;
}

static void reuse_rows(struct fill *f)
{
	uint64_t saved = 0;
	for (uint32_t i = 0; i < f->text_count && f->space.number; i++) {
		struct reuse u = {.f = f, .text = i};
		(void)store_each_name(f->read, text_key(&f->model, fill_text(f, i), EMBED_WHOLE), try_reuse, &u);
		if (u.found) {
			f->marks[i] = EMBED_WHOLE;
			saved++;
		}
	}
	(void)pthread_mutex_lock(&f->r->lock);
	f->r->saved += saved;
	(void)pthread_mutex_unlock(&f->r->lock);
}

/* Equal texts of one fill are sent once: first[i] is the first text equal to text i. */
static int find_equal(const struct fill *f, uint32_t *first)
{
	size_t size = 1;
	while (size < 2 * (size_t)f->text_count)
		size *= 2;
	uint32_t *table = malloc(size * sizeof(*table));
	if (!table)
		return -ENOMEM;
	memset(table, 0xff, size * sizeof(*table));
	for (uint32_t i = 0; i < f->text_count; i++) {
		struct span text = fill_text(f, i);
		size_t at = checksum64(text.data, text.size) & (size - 1);
		while (table[at] != UINT32_MAX && !span_equal(fill_text(f, table[at]), text))
			at = (at + 1) & (size - 1);
		if (table[at] == UINT32_MAX)
			table[at] = i;
		first[i] = table[at];
	}
	free(table);
	return 0;
}

/* Sends what has no row yet; rows and marks that came are kept whatever the result. */
static int send_rest(struct fill *f, struct err *err)
{
	size_t dims = f->model.space.dims;
	uint32_t *CLEANUP_FREE first = calloc(f->text_count + 1, sizeof(*first));
	uint32_t *CLEANUP_FREE sent = calloc(f->text_count + 1, sizeof(*sent));
	struct span *CLEANUP_FREE texts = calloc(f->text_count + 1, sizeof(*texts));
	uint8_t *CLEANUP_FREE marks = calloc(f->text_count + 1, sizeof(*marks));
	if (!first || !sent || !texts || !marks || find_equal(f, first) < 0)
		return err_fail(err, -ENOMEM, "out of memory");
	uint32_t n = 0, repeated = 0;
	for (uint32_t i = 0; i < f->text_count; i++) {
		if (f->marks[i] == EMBED_PENDING && first[i] == i) {
			sent[n] = i;
			texts[n++] = fill_text(f, i);
		}
		repeated += f->marks[i] == EMBED_PENDING && first[i] != i;
	}
	float *CLEANUP_FREE rows = malloc(n * dims * sizeof(*rows) + 1);
	if (!rows)
		return err_fail(err, -ENOMEM, "out of memory");
	struct embed_order order = {.identity = &f->model.identity, .side = EMBED_PASSAGE, .texts = texts, .count = n, .out = rows, .marks = marks};
	int r = n ? embed_server_texts(f->r->server, &order, err) : 0;
	for (uint32_t i = 0; i < n; i++) {
		f->marks[sent[i]] = marks[i];
		memcpy(f->rows + sent[i] * dims, rows + i * dims, dims * sizeof(*rows));
	}
	for (uint32_t i = 0; i < f->text_count; i++)
		if (f->marks[i] == EMBED_PENDING && first[i] != i && f->marks[first[i]] != EMBED_PENDING) {
			f->marks[i] = f->marks[first[i]];
			memcpy(f->rows + i * dims, f->rows + first[i] * dims, dims * sizeof(*rows));
		}
	(void)pthread_mutex_lock(&f->r->lock);
	f->r->saved += repeated;
	(void)pthread_mutex_unlock(&f->r->lock);
	return r;
}

/* --- into the store --- */

static bool doc_done(const struct fill *f, const struct fill_doc *d)
{
	for (uint32_t i = 0; i < d->count; i++)
		if (f->marks[d->first + i] == EMBED_PENDING)
			return false;
	return true;
}

static int put_doc(struct store_write *w, const struct fill *f, const struct fill_doc *d, uint32_t space)
{
	size_t dims = f->model.space.dims;
	const float *x = f->rows + d->first * dims;
	uint8_t *CLEANUP_FREE rows = malloc(d->count * dims + 1);
	float *CLEANUP_FREE scales = malloc(d->count * sizeof(*scales) + 1);
	uint64_t *CLEANUP_FREE bits = malloc(d->count * dims / 8 + 1);
	if (!rows || !scales || !bits)
		return -ENOMEM;
	for (size_t i = 0; i < d->count; i++) {
		scales[i] = vec_quantise_row(x + i * dims, dims, rows + i * dims);
		vec_sign_bits(x + i * dims, dims, SEARCH_BITS_SEED, bits + i * (dims / 64));
	}
	int r = store_put_vectors(w, space, d->id, rows, scales, bits, x);
	if (r == -ENOENT || r == -EINVAL)
		return 0; /* dropped meanwhile */
	for (uint32_t i = 0; i < d->count && r == 0; i++) {
		enum embed_mark mark = f->marks[d->first + i];
		struct span text = fill_text(f, d->first + i);
		if (mark != EMBED_REFUSED)
			r = store_put_name(w, text_key(&f->model, text, EMBED_WHOLE), d->id);
		if (r == 0 && mark != EMBED_WHOLE)
			r = store_put_name(w, text_key(&f->model, text, mark), d->id);
	}
	return r;
}

static int run_fill(struct store_write *w, struct store_op *op)
{
	struct fill *f = (struct fill *)op; /* op is the first member */
	struct buf name;
	uint32_t space;
	pack_name(f->r, &f->model, &name);
	int r = buf_error(&name);
	if (r == 0)
		r = store_put_space(w, &f->model.space.fingerprint, buf_span(&name), f->model.space.dims, &space);
	buf_release(&name);
	for (uint32_t i = 0; i < f->doc_count && r == 0; i++)
		if (doc_done(f, &f->docs[i]))
			r = put_doc(w, f, &f->docs[i], space);
	return r;
}

static void done_fill(struct store_op *op, int result)
{
	struct fill *f = (struct fill *)op;
	(void)pthread_mutex_lock(&f->r->lock);
	f->ended = true;
	f->result = result;
	(void)pthread_cond_broadcast(&f->r->wake);
	(void)pthread_mutex_unlock(&f->r->lock);
}

static void fill_submit(struct fill *f)
{
	f->op = (struct store_op){.run = run_fill, .done = done_fill, .bytes = f->text.size, .urgent = true};
	store_submit(f->r->corpus->store, &f->op);
}

/* Waits for what was submitted and frees it. Accepts NULL. */
static int fill_settle(struct fill *f)
{
	if (!f)
		return 0;
	(void)pthread_mutex_lock(&f->r->lock);
	while (!f->ended)
		(void)pthread_cond_wait(&f->r->wake, &f->r->lock);
	(void)pthread_mutex_unlock(&f->r->lock);
	int result = f->result;
	fill_release(f);
	free(f);
	return result;
}

static int fill_embed(struct fill *f, struct err *err)
{
	f->rows = calloc((size_t)f->text_count * f->model.space.dims + 1, sizeof(*f->rows));
	f->marks = calloc((size_t)f->text_count + 1, sizeof(*f->marks));
	if (!f->rows || !f->marks)
		return err_fail(err, -ENOMEM, "out of memory");
	int r = store_read_begin(f->r->corpus->store, &f->read);
	if (r < 0)
		return err_fail(err, r, "the store: %s", strerror(-r));
	reuse_rows(f);
	store_read_end(f->read);
	return send_rest(f, err);
}

static bool any_done(const struct fill *f)
{
	for (uint32_t i = 0; i < f->doc_count && f->marks; i++)
		if (doc_done(f, &f->docs[i]))
			return true;
	return false;
}

/* One step of filling, from *at on. The rows go to the store while the next step is with the server: *pending is the step before. 1 when
 * something was done, 0 when nothing is missing from there on, or -errno. */
static int fill_step(struct remote *r, struct place *at, struct fill **pending, struct err *err)
{
	struct fill *f = calloc(1, sizeof(*f));
	if (!f)
		return err_fail(err, -ENOMEM, "out of memory");
	f->r = r;
	buf_init(&f->text, (size_t)512 << 20); /* one document of the largest kind, and what came before it */
	int result = remote_target(r->corpus, &f->model) ? store_read_begin(r->corpus->store, &f->read) : -ESTALE;
	if (result == 0) {
		result = fill_collect(f, at);
		store_read_end(f->read);
	}
	if (result < 0)
		(void)err_fail(err, result, result == -ESTALE ? "no server was seen yet" : "the store cannot be read");
	bool some = result == 0 && f->doc_count;
	if (some)
		result = fill_embed(f, err);
	save_usage(r);
	int before = fill_settle(*pending);
	*pending = NULL;
	if (before < 0)
		result = err_fail(err, before, "the store: %s", strerror(-before));
	if (before == 0 && any_done(f)) {
		fill_submit(f);
		*pending = f;
	} else {
		fill_release(f);
		free(f);
	}
	return result < 0 ? result : some;
}

static bool remote_stopping(void *context)
{
	struct remote *r = context;
	(void)pthread_mutex_lock(&r->lock);
	bool stopping = r->stopping;
	(void)pthread_mutex_unlock(&r->lock);
	return stopping;
}

/* One pass over the index: 1 when something was done, 0 when nothing was missing, or -errno. */
static int fill_pass(struct remote *r, bool (*stop)(void *context), void *context, struct err *err)
{
	struct fill *pending = NULL;
	struct place at = {0};
	bool any = false;
	int result = 1;
	while (result > 0) {
		result = stop(context) ? err_fail(err, -EINTR, "interrupted") : fill_step(r, &at, &pending, err);
		any = any || result > 0;
	}
	int last = fill_settle(pending);
	if (last < 0 && result == 0)
		result = err_fail(err, last, "the store: %s", strerror(-last));
	return result < 0 ? result : any;
}

/* Until nothing is missing: 0, or -errno. A few passes at most, so that a document which the store does not take is not sent for ever. */
static int fill_all(struct remote *r, bool (*stop)(void *context), void *context, struct err *err)
{
	int result = 1;
	for (int pass = 0; pass < MAX_PASSES && result > 0; pass++) {
		result = fill_pass(r, stop, context, err);
		if (result == -ESTALE) /* another model, or none seen yet */
			result = contact(r, err) == 0 ? 1 : -EAGAIN;
	}
	return result < 0 ? result : 0;
}

int remote_fill(struct corpus *c, bool (*stop)(void *context), void *context, struct err *err)
{
	struct remote *r = c->remote;
	if (!r)
		return 0;
	int result = contact(r, err);
	if (result == 0)
		result = fill_all(r, stop, context, err);
	struct remote_counts counts;
	if (result == 0 && remote_count(c, false, &counts) == 0)
		set_serving(r, counts.missing == 0);
	return result;
}

/* --- the thread ------------------------------------------------------------------------------------------------------ */

/* Says once when the server's state changes. */
static void log_state(struct remote *r)
{
	struct embed_server_figures f;
	embed_server_figures(r->server, &f);
	if (strcmp(f.state, r->last_state) == 0)
		return;
	bool first = !*r->last_state;
	(void)snprintf(r->last_state, sizeof(r->last_state), "%s", f.state);
	if (strcmp(f.state, "ok") != 0)
		corpus_log(r->corpus, LOG_WARNING, "embedding server %s: %s: %s", f.url, f.state, f.reason);
	else
		corpus_log(r->corpus, LOG_INFO, "embedding server %s: %s", f.url, first ? "in use" : "back");
}

static void sleep_until_changed(struct remote *r, unsigned milliseconds)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += milliseconds / 1000;
	until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&r->lock);
	for (int e = 0; e == 0 && !r->stopping && !r->changed;)
		e = pthread_cond_timedwait(&r->wake, &r->lock, &until);
	r->changed = false;
	(void)pthread_mutex_unlock(&r->lock);
}

/* A pause that new documents do not shorten: the server was told to be away for that long. */
static void rest(struct remote *r, unsigned milliseconds)
{
	uint64_t slept = 0;
	while (slept < milliseconds && !remote_stopping(r)) {
		unsigned step = milliseconds - slept < 200 ? (unsigned)(milliseconds - slept) : 200;
		(void)nanosleep(&(struct timespec){0, step * 1000000L}, NULL);
		slept += step;
	}
}

static void *remote_main(void *argument)
{
	struct remote *r = argument;
	while (!remote_stopping(r)) {
		struct err err;
		int result = is_contacted(r) ? 0 : contact(r, &err);
		if (result == 0)
			result = fill_all(r, remote_stopping, r, &err);
		log_state(r);
		if (result < 0) {
			unsigned pause = embed_server_pause_ms(r->server);
			if (result != -EINTR && pause < 1000)
				pause = 1000;
			(void)pthread_mutex_lock(&r->lock);
			r->contacted = false;
			(void)pthread_mutex_unlock(&r->lock);
			rest(r, pause);
			continue;
		}
		bool settled = indexer_idle(r->corpus);
		struct remote_counts counts;
		if (settled && remote_count(r->corpus, false, &counts) == 0 && counts.missing == 0)
			set_serving(r, true);
		sleep_until_changed(r, settled ? IDLE_MS : SETTLE_MS);
	}
	return NULL;
}

void remote_changed(struct corpus *c)
{
	struct remote *r = c->remote;
	if (!r)
		return;
	(void)pthread_mutex_lock(&r->lock);
	r->changed = true;
	(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
}

/* --- queries and documents ------------------------------------------------------------------------------------------- */

int remote_query(struct corpus *c, const struct remote_model *m, struct span text, float *x, struct err *err)
{
	struct remote *r = c->remote;
	uint8_t mark = EMBED_PENDING;
	struct embed_order order = {.identity = &m->identity, .side = EMBED_QUERY, .urgent = true, .texts = &text, .count = 1, .out = x, .marks = &mark};
	int result = embed_server_texts(r->server, &order, err);
	if (result == -ESTALE && !r->started && contact(r, err) == 0)
		result = embed_server_texts(r->server, &order, err);
	if (result == -ESTALE)
		contact_again(r);
	if (result == 0 && mark == EMBED_REFUSED)
		result = err_fail(err, -EIO, "the server refuses this query");
	return result;
}

/* Rows as stored -> rows as the server gave them: without the padding. */
static float *unpad(const struct remote_model *m, const char *rows, size_t count)
{
	size_t dims = m->identity.dims, padded = m->identity.padded;
	float *x = malloc(count * dims * sizeof(*x) + 1);
	for (size_t i = 0; x && i < count; i++)
		memcpy(x + i * dims, rows + i * padded * sizeof(*x), dims * sizeof(*x));
	return x;
}

static int stored_vectors(struct corpus *c, const struct remote_model *m, const struct corpus_doc *d, float **ret)
{
	struct store_read *read;
	struct store_space space;
	struct span floats;
	uint32_t id = d->id;
	int r = store_read_begin(c->store, &read);
	if (r < 0)
		return r;
	r = store_find_space(read, &m->space.fingerprint, &space);
	if (r == 0 && !id)
		r = store_find_doc(read, &d->clean, d->syntax, &id);
	if (r == 0)
		r = store_doc_floats(read, space.number, id, &floats);
	if (r == 0 && floats.size != d->chunks->count * m->identity.padded * sizeof(float))
		r = -ENOENT;
	if (r == 0) {
		*ret = unpad(m, floats.data, d->chunks->count);
		r = *ret ? 0 : -ENOMEM;
	}
	store_read_end(read);
	return r;
}

int remote_vectors(struct corpus *c, const struct remote_model *m, const struct corpus_doc *d, float **ret, struct err *err)
{
	if (stored_vectors(c, m, d, ret) == 0)
		return 0;
	size_t count = d->chunks->count;
	struct chunk_passages CLEANUP(chunk_passages_release) passages = {0};
	uint8_t *CLEANUP_FREE marks = calloc(count + 1, sizeof(*marks));
	float *CLEANUP_FREE x = calloc(count * m->identity.padded + 1, sizeof(*x));
	if (!marks || !x || chunk_passages_init(&passages, document_text(d), d->chunks) < 0)
		return err_fail(err, -ENOMEM, "out of memory");
	struct embed_order order = {
		.identity = &m->identity, .side = EMBED_PASSAGE, .urgent = count <= URGENT_CHUNKS, .texts = passages.texts, .count = count, .out = x, .marks = marks};
	int r = count ? embed_server_texts(c->remote->server, &order, err) : 0;
	if (r == -ESTALE)
		contact_again(c->remote);
	if (r < 0)
		return r;
	float *rows = unpad(m, (const char *)x, count);
	if (!rows)
		return err_fail(err, -ENOMEM, "out of memory");
	*ret = rows;
	return 0;
}

static int found_name(void *context, uint32_t doc)
{
	(void)context;
	(void)doc;
	return 1;
}

enum embed_mark remote_mark(struct store_read *read, const struct remote_model *m, struct span text)
{
	for (enum embed_mark mark = EMBED_IN_PIECES; mark <= EMBED_REFUSED; mark++)
		if (store_each_name(read, text_key(m, text, mark), found_name, NULL) == 1)
			return mark;
	return EMBED_WHOLE;
}

int remote_document_mean(struct corpus *c, struct store_read *read, const struct remote_model *m, uint32_t doc, float *x)
{
	(void)c;
	struct store_space space;
	struct span floats;
	size_t dims = m->space.dims;
	int r = store_find_space(read, &m->space.fingerprint, &space);
	if (r == 0)
		r = store_doc_floats(read, space.number, doc, &floats);
	if (r < 0)
		return r;
	memset(x, 0, dims * sizeof(*x));
	for (size_t at = 0; at + dims * sizeof(float) <= floats.size; at += dims * sizeof(float))
		for (size_t k = 0; k < dims; k++) {
			float value;
			memcpy(&value, floats.data + at + k * sizeof(float), sizeof(value));
			x[k] += value;
		}
	return 0;
}

/* --- status ---------------------------------------------------------------------------------------------------------- */

static void add_text(struct jsonw *j, const char *key, const char *text)
{
	jsonw_key(j, key);
	jsonw_string(j, text);
}

static void add_figures(struct jsonw *j, const struct embed_server_figures *f, uint64_t saved)
{
	jsonw_uint_member(j, "requests", f->requests);
	jsonw_uint_member(j, "texts", f->texts);
	jsonw_uint_member(j, "texts_saved", saved);
	jsonw_uint_member(j, "tokens", f->tokens);
	jsonw_uint_member(j, "sent_bytes", f->sent_bytes);
	jsonw_uint_member(j, "received_bytes", f->received_bytes);
	jsonw_uint_member(j, "retries", f->retries);
	jsonw_uint_member(j, "failures", f->failures);
	jsonw_uint_member(j, "texts_refused", f->refused);
	jsonw_uint_member(j, "texts_in_pieces", f->in_pieces);
	jsonw_uint_member(j, "texts_today", f->budget_used);
	jsonw_uint_member(j, "batch_texts", f->batch_texts);
	if (f->text_bytes)
		jsonw_uint_member(j, "text_bytes", f->text_bytes);
	jsonw_key(j, "latency_ms");
	jsonw_object(j);
	jsonw_uint_member(j, "p50", f->p50_ms);
	jsonw_uint_member(j, "p90", f->p90_ms);
	jsonw_uint_member(j, "p99", f->p99_ms);
	jsonw_object_end(j);
}

void remote_status(struct corpus *c, struct jsonw *j)
{
	struct remote *r = c->remote;
	struct embed_server_figures f;
	struct remote_counts counts = {0};
	struct remote_model m;
	if (!r)
		return;
	embed_server_figures(r->server, &f);
	bool known = remote_target(c, &m);
	(void)remote_count(c, false, &counts);
	(void)pthread_mutex_lock(&r->lock);
	bool serves = r->serves;
	uint64_t saved = r->saved;
	(void)pthread_mutex_unlock(&r->lock);
	jsonw_key(j, "embedding");
	jsonw_object(j);
	add_text(j, "url", f.url);
	add_text(j, "model", embed_server_model(r->server));
	add_text(j, "kind", f.kind);
	add_text(j, "state", f.state);
	add_text(j, "reason", f.reason);
	jsonw_key(j, "serving");
	jsonw_bool(j, serves);
	if (known) {
		char hex[HASH_HEX_SIZE];
		hash_hex(&m.space.fingerprint, hex);
		jsonw_uint_member(j, "dims", m.identity.dims);
		add_text(j, "fingerprint", hex);
	}
	jsonw_uint_member(j, "chunks", counts.chunks);
	jsonw_uint_member(j, "chunks_missing", counts.missing);
	add_figures(j, &f, saved);
	jsonw_object_end(j);
}

void remote_metrics(struct corpus *c, struct buf *out)
{
	struct remote *r = c->remote;
	struct embed_server_figures f;
	if (!r)
		return;
	embed_server_figures(r->server, &f);
	(void)pthread_mutex_lock(&r->lock);
	uint64_t saved = r->saved, serves = r->serves;
	(void)pthread_mutex_unlock(&r->lock);
	const struct {
		const char *name, *type, *help;
		uint64_t value;
	} all[] = {
		{"up", "gauge", "1 while the embedding server answers.", strcmp(f.state, "ok") == 0},
		{"serving", "gauge", "1 while searches use its vectors.", serves},
		{"requests_total", "counter", "Requests sent.", f.requests},
		{"texts_total", "counter", "Texts sent.", f.texts},
		{"texts_saved_total", "counter", "Texts not sent because an equal one was embedded before.", saved},
		{"tokens_total", "counter", "Tokens, as the server counts them.", f.tokens},
		{"sent_bytes_total", "counter", "Bytes of requests.", f.sent_bytes},
		{"received_bytes_total", "counter", "Bytes of replies.", f.received_bytes},
		{"retries_total", "counter", "Requests sent again.", f.retries},
		{"failures_total", "counter", "Requests that failed.", f.failures},
		{"texts_refused_total", "counter", "Texts that the server refuses.", f.refused},
		{"latency_p50_ms", "gauge", "Median of the last 512 requests.", f.p50_ms},
		{"latency_p90_ms", "gauge", "90th percentile of the last 512 requests.", f.p90_ms},
		{"latency_p99_ms", "gauge", "99th percentile of the last 512 requests.", f.p99_ms},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		buf_addf(out, "# HELP corpusfs_embedding_%s %s\n# TYPE corpusfs_embedding_%s %s\ncorpusfs_embedding_%s %llu\n", all[i].name, all[i].help,
			 all[i].name, all[i].type, all[i].name, (unsigned long long)all[i].value);
}

/* --- life ------------------------------------------------------------------------------------------------------------ */

static int open_server(struct remote *r, const struct corpus_options *o, struct err *err)
{
	struct embed_server_options options = {
		.url = o->embed_url,
		.model = o->embed_model,
		.key = o->embed_key,
		.key_file = o->embed_key_file,
		.query_prefix = o->embed_query_prefix,
		.passage_prefix = o->embed_passage_prefix,
		.dims = o->embed_dims,
		.rate = o->embed_rate,
		.budget = o->embed_budget,
	};
	if (o->embed_model && strlen(o->embed_model) > MAX_MODEL_BYTES)
		return err_fail(err, -EINVAL, "model: the name is longer than %d bytes", MAX_MODEL_BYTES);
	return embed_server_new(&options, &r->server, err);
}

int remote_start(struct corpus *c, struct err *err)
{
	if (!c->options.embed_url)
		return 0;
	struct remote *r = calloc(1, sizeof(*r));
	if (!r)
		return err_fail(err, -ENOMEM, "out of memory");
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_cond_init(&r->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	r->corpus = c;
	c->remote = r;
	int result = open_server(r, &c->options, err);
	if (result < 0)
		return result;
	r->recipe = embed_server_recipe(r->server);
	char store[LIMIT_PATH_BYTES - 32];
	result = corpus_store_path(&c->options, store, sizeof(store));
	if (result < 0)
		return err_fail(err, result, "the store's name is too long");
	(void)snprintf(r->usage, sizeof(r->usage), "%s/embedding-usage", store);
	load_usage(r);
	struct remote_model m;
	if (find_model(r, NULL, &m))
		set_target(r, &m);
	if (c->options.access != CORPUS_DAEMON)
		return 0;
	r->started = pthread_create(&r->thread, NULL, remote_main, r) == 0;
	return r->started ? 0 : err_fail(err, -EAGAIN, "threads cannot be started");
}

void remote_stop(struct corpus *c)
{
	struct remote *r = c->remote;
	if (!r)
		return;
	(void)pthread_mutex_lock(&r->lock);
	r->stopping = true;
	(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
	if (r->server)
		embed_server_stop(r->server);
	if (r->started)
		(void)pthread_join(r->thread, NULL);
	if (r->server)
		save_usage(r);
}

void remote_free(struct corpus *c)
{
	struct remote *r = c->remote;
	if (!r)
		return;
	c->remote = NULL;
	embed_server_free(r->server);
	(void)pthread_mutex_destroy(&r->lock);
	(void)pthread_cond_destroy(&r->wake);
	free(r);
}
