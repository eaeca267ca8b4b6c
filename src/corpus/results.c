/* Searches: a query becomes a frozen set of hits, each with its document's path, place and text. */
#include "results.h"

#include "jobs.h"
#include "remote.h"

#include "vec/vec.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_NAME_BYTES = 200, MAX_HEADING_DEPTH = 64, MAX_EXACT = 64 };

/* --- life ---------------------------------------------------------------------------------------------------------- */

static void hit_release(struct corpus_hit *h, char *headings)
{
	free(headings);
	/* The strings of a hit are its own; the header shows them as constant. */
	free((void *)(uintptr_t)h->path);
	free((void *)(uintptr_t)h->heading);
	free((void *)(uintptr_t)h->title);
	free((void *)(uintptr_t)h->text);
	free((void *)(uintptr_t)h->name);
}

struct corpus_results *corpus_results_ref(struct corpus_results *r)
{
	(void)atomic_fetch_add(&r->refs, 1);
	return r;
}

void corpus_results_unref(struct corpus_results *r)
{
	if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	for (uint32_t i = 0; i < r->count; i++)
		hit_release(&r->hits[i], r->headings[i]);
	free(r->hits);
	free(r->headings);
	free(r->similar_to);
	asked_release(&r->asked);
	corpus_query_free(r->query);
	free(r);
}

uint32_t corpus_results_count(const struct corpus_results *r)
{
	return r->count;
}

const struct corpus_hit *corpus_results_hit(const struct corpus_results *r, uint32_t i)
{
	return i < r->count ? &r->hits[i] : NULL;
}

bool corpus_results_degraded(const struct corpus_results *r)
{
	return r->degraded;
}

const char *corpus_results_degraded_reason(const struct corpus_results *r)
{
	return r->degraded_reason;
}

uint64_t corpus_results_generation(const struct corpus_results *r)
{
	return r->generation;
}

uint64_t corpus_generation(struct corpus *c)
{
	return store_generation(c->store) + remote_switches(c);
}

/* --- which documents, under which path ----------------------------------------------------------------------------- */

/* Finds the path under which a document is shown: the first, in byte order, that exists, passes the filters and may be read. */
struct path_choice {
	const struct corpus_query *query;
	struct asked *asked;
	struct access *access;
	struct ignore *ignore;
	char path[LIMIT_PATH_BYTES + 1];
	struct stat st;
};

static int try_path(void *context, struct span path)
{
	struct path_choice *choice = context;
	if (path.size > LIMIT_PATH_BYTES)
		return 0;
	memcpy(choice->path, path.data, path.size);
	choice->path[path.size] = '\0';
	if (!query_matches_path(choice->query, choice->path) || ignore_check(choice->ignore, choice->path, false) || !access_may_read(choice->access, choice->path, &choice->st))
		return 0;
	if (!asked_fits_path(choice->asked, choice->path))
		return 0;
	return !choice->query->since || choice->st.st_mtim.tv_sec >= choice->query->since;
}

struct search_context {
	struct store_read *read;
	struct path_choice choice;
	uint32_t exclude; /* document that is left out, or 0 */
	uint32_t exact[MAX_EXACT]; /* documents whose name the query is */
	size_t exact_count;
};

static bool document_path(struct search_context *s, uint32_t doc)
{
	struct store_doc d;
	if (s->choice.asked->field_count && (store_get_doc(s->read, doc, &d) < 0 || !asked_fits_title(s->choice.asked, d.title)))
		return false;
	return doc != s->exclude && store_each_doc_path(s->read, doc, try_path, &s->choice) == 1;
}

static bool eligible(void *context, uint32_t doc)
{
	return document_path(context, doc);
}

/* --- hits ---------------------------------------------------------------------------------------------------------- */

/* "01-leave.pdf-0003.txt": rank, file name, chunk. A long file name is cut between characters, the rank keeps entries unique. */
static char *entry_name(uint32_t rank, uint32_t count, const char *path, uint32_t chunk, bool similar)
{
	struct span base = path_base_name(path);
	size_t n = base.size;
	if (n > MAX_NAME_BYTES) {
		n = MAX_NAME_BYTES;
		while (n && ((unsigned char)base.data[n] & 0xc0) == 0x80)
			n--;
	}
	int width = count > 999 ? 4 : count > 99 ? 3 : 2;
	char *name = NULL;
	int r = similar ? asprintf(&name, "%0*u-%.*s.txt", width, rank, (int)n, base.data)
			: asprintf(&name, "%0*u-%.*s-%04u.txt", width, rank, (int)n, base.data, chunk);
	return r < 0 ? NULL : name;
}

static int fill_headings(struct corpus_hit *h, const struct chunk_list *chunks, uint32_t heading, char **ret_headings)
{
	uint32_t path[MAX_HEADING_DEPTH];
	size_t depth = 0;
	for (; heading && depth < MAX_HEADING_DEPTH; heading = chunks->headings[heading - 1].parent)
		path[depth++] = heading;
	struct buf joined, list;
	buf_init(&joined, MAX_HEADING_DEPTH * (LIMIT_HEADING_BYTES + 3));
	buf_init(&list, MAX_HEADING_DEPTH * (LIMIT_HEADING_BYTES + 3));
	while (depth) {
		struct span text = chunk_heading_text(chunks, path[--depth]);
		buf_add_span(&joined, text);
		buf_add_string(&joined, depth ? " > " : "");
		buf_add_span(&list, text);
		buf_add_char(&list, '\0');
	}
	buf_add_char(&list, '\0');
	if (buf_error(&joined) || buf_error(&list)) {
		buf_release(&joined);
		buf_release(&list);
		return -ENOMEM;
	}
	h->heading = buf_take(&joined, NULL);
	*ret_headings = buf_take(&list, NULL);
	return h->heading && *ret_headings ? 0 : -ENOMEM;
}

static int fill_place(struct corpus_hit *h, const struct chunk_list *chunks, uint32_t chunk, char **ret_headings)
{
	const struct chunk *k = &chunks->chunks[chunk];
	h->first = k->first;
	h->end = k->end;
	h->line_first = k->line_first;
	h->line_last = k->line_last;
	h->page = k->page;
	h->chunk = chunk + 1;
	return fill_headings(h, chunks, k->heading, ret_headings);
}

/* Copies everything that a hit shows out of the store's map. `list` has room for the hit, whose rank and scores are set. */
static int fill_hit(struct search_context *s, struct corpus_hit *h, char **ret_headings, uint32_t doc, uint32_t chunk)
{
	struct store_doc d;
	struct span text, packed;
	struct chunk_list *chunks = NULL;
	int r = store_get_doc(s->read, doc, &d);
	if (r == 0)
		r = store_doc_text(s->read, doc, &text);
	if (r == 0)
		r = store_doc_chunks(s->read, doc, &packed);
	if (r == 0)
		r = chunk_list_unpack(packed, &chunks);
	if (r < 0)
		return r;
	r = chunk < chunks->count && chunks->chunks[chunk].end <= text.size ? fill_place(h, chunks, chunk, ret_headings) : -EIO;
	chunk_list_free(chunks);
	if (r < 0)
		return r;
	h->path = strdup(s->choice.path);
	h->title = strndup(d.title.data ? d.title.data : "", d.title.size);
	h->text_size = h->end - h->first;
	h->text = strndup(text.data + h->first, h->text_size);
	h->source = s->choice.st;
	return h->path && h->title && h->text ? 0 : -ENOMEM;
}

static int fill_hits(struct search_context *s, const struct search_results *found, struct corpus_results *out)
{
	out->hits = calloc(found->count + 1, sizeof(*out->hits));
	out->headings = calloc(found->count + 1, sizeof(*out->headings));
	if (!out->hits || !out->headings)
		return -ENOMEM;
	for (uint32_t i = 0; i < found->count; i++) {
		const struct search_hit *f = &found->hits[i];
		/* A file that went away since it was indexed is not shown, whatever the index still says. */
		if (!document_path(s, f->doc))
			continue;
		struct corpus_hit *h = &out->hits[out->count];
		*h = (struct corpus_hit){.rank = out->count + 1, .score = f->score, .bm25 = f->bm25, .cosine = f->cosine};
		char *headings = NULL;
		int r = fill_hit(s, h, &headings, f->doc, f->chunk);
		if (r < 0)
			hit_release(h, headings);
		if (r == -ENOMEM)
			return r;
		if (r == 0)
			out->headings[out->count++] = headings;
	}
	for (uint32_t i = 0; i < out->count; i++) {
		struct corpus_hit *h = &out->hits[i];
		h->name = entry_name(h->rank, out->count, h->path, h->chunk, out->similar_to != NULL);
		if (!h->name)
			return -ENOMEM;
	}
	return 0;
}

/* --- the search itself --------------------------------------------------------------------------------------------- */

struct search_task {
	struct task task;
	struct waiter *waiter;
	struct corpus_results *results;
	struct access *access;
};

static void drop_results(void *object)
{
	corpus_results_unref(object);
}

static void note_degraded(struct corpus_results *out, const char *reason)
{
	out->degraded = true;
	(void)snprintf(out->degraded_reason, sizeof(out->degraded_reason), "%s", reason);
}

/* Where a search looks for neighbours, and with what. */
struct aim {
	struct embed_space space;
	float *x; /* room for the widest space */
	bool have;
};

/* The query's vector by the embedding server's model, while that serves. What it cannot give now, the built-in model does. */
static bool aim_remote(struct corpus *c, struct corpus_results *out, struct aim *aim)
{
	struct remote_model m;
	struct err err;
	if (out->query->mode == CORPUS_KEYWORD || out->asked.bare || !remote_serves(c, &m))
		return false;
	if (remote_query(c, &m, out->asked.syntax.words, aim->x, &err) < 0) {
		struct err reason;
		(void)err_fail(&reason, 0, "the embedding server is not used: %s", err.text);
		note_degraded(out, reason.text);
		return false;
	}
	aim->space = m.space;
	aim->have = true;
	return true;
}

/* The query's own vector, or why there is none. */
static void embed_query(struct corpus *c, struct corpus_results *out, float *x, bool *ret_have)
{
	struct span text = out->asked.syntax.words;
	struct err err;
	*ret_have = false;
	if (out->query->mode == CORPUS_KEYWORD || out->asked.bare)
		return;
	if (!c->embedder) {
		note_degraded(out, "no embedding model is loaded");
		return;
	}
	if (embed_texts(c->embedder, EMBED_QUERY, &text, 1, x, &err) < 0) {
		note_degraded(out, "the query could not be embedded");
		return;
	}
	for (uint32_t d = 0; d < c->space.dims && !*ret_have; d++)
		*ret_have = x[d] != 0;
}

/* The vector that stands for a whole document: the mean of its chunks' vectors. */
static int embed_document(struct corpus *c, struct store_read *read, uint32_t id, float *x)
{
	struct corpus_doc *d = document_new(c, "");
	struct store_doc doc;
	int r = d ? store_get_doc(read, id, &doc) : -ENOMEM;
	struct span text, packed;
	if (r == 0)
		r = store_doc_text(read, id, &text);
	if (r == 0)
		r = store_doc_chunks(read, id, &packed);
	if (r == 0)
		r = chunk_list_unpack(packed, &d->chunks);
	if (r == 0) {
		char *copy = malloc(text.size + 1);
		if (copy)
			memcpy(copy, text.data, text.size);
		d->text = copy ? blob_new(copy, text.size) : NULL;
		r = d->text ? document_embed(d) : -ENOMEM;
	}
	if (r == 0) {
		memset(x, 0, c->space.dims * sizeof(*x));
		for (size_t i = 0; i < d->chunks->count; i++)
			for (uint32_t k = 0; k < c->space.dims; k++)
				x[k] += d->vectors[i * c->space.dims + k];
	}
	corpus_doc_unref(d);
	return r;
}

/* Whether any document might have to be left out; a search without such a need skips one look-up a document. */
static bool needs_filter(const struct corpus_results *out, const struct access *a)
{
	const struct corpus_query *q = out->query;
	return out->asked.field_count || q->in_count || q->type_count || q->since || !access_sees_everything(a);
}

static enum search_mode search_mode(const struct corpus_results *out, bool have_vector)
{
	if (out->similar_to)
		return SEARCH_VECTOR;
	if (!have_vector)
		return SEARCH_KEYWORD;
	return out->query->mode == CORPUS_VECTOR ? SEARCH_VECTOR : out->query->mode == CORPUS_KEYWORD ? SEARCH_KEYWORD : SEARCH_HYBRID;
}

static void note_coverage(struct corpus *c, struct search_context *s, struct corpus_results *out)
{
	out->figures = access_sees_everything(s->choice.access);
	struct store_counts counts = {0};
	(void)store_counts(s->read, &counts);
	out->files = counts.files;
	out->documents = counts.documents;
	out->indexed_documents = counts.indexed_documents;
	(void)snprintf(out->model, sizeof(out->model), "%s", c->embedder ? c->space.name : "");
	out->generation = store_read_generation(s->read) + remote_switches(c);
	out->keyword_weight = c->space.keyword_weight;
}

static int prepare_similar(struct corpus *c, struct search_context *s, struct corpus_results *out, struct aim *aim)
{
	struct store_file file;
	struct stat st;
	if (!access_sees_everything(s->choice.access) && !access_may_read(s->choice.access, out->similar_to, &st))
		return -EACCES;
	int r = store_get_file(s->read, span_of(out->similar_to), &file);
	if (r < 0)
		return r == -ENOENT ? -EAGAIN : r;
	if (!file.doc)
		return file.state == STORE_SKIPPED ? -ENOTSUP : -EIO;
	s->exclude = file.doc;
	struct remote_model m;
	if (remote_serves(c, &m) && remote_document_mean(c, s->read, &m, file.doc, aim->x) == 0)
		aim->space = m.space;
	else if (c->embedder)
		r = embed_document(c, s->read, file.doc, aim->x);
	else
		r = -EIO;
	aim->have = r == 0;
	return r;
}

static bool exact_eligible(void *context, uint32_t doc)
{
	struct search_context *s = context;
	for (size_t i = 0; i < s->exact_count; i++)
		if (s->exact[i] == doc)
			return document_path(s, doc);
	return false;
}

static bool has_hit(const struct search_hit *hits, uint32_t count, uint32_t doc, uint32_t chunk)
{
	for (uint32_t i = 0; i < count; i++)
		if (hits[i].doc == doc && (chunk == UINT32_MAX || hits[i].chunk == chunk))
			return true;
	return false;
}

/* Documents whose name or title the query is stand first, each with its best chunk; then everything else as ranked. */
static int put_exact_first(struct searcher *searcher, struct search_context *s, struct corpus_results *out, const struct search_request *request)
{
	s->exact_count = exact_find(s->read, buf_span(&out->query->text), s->choice.access, s->exact, MAX_EXACT);
	out->exact_names = s->exact_count;
	if (s->exact_count == 0)
		return 0;
	struct search_request narrow = *request;
	struct search_results named = {0};
	narrow.eligible = exact_eligible;
	narrow.context = s;
	narrow.per_document = 1;
	narrow.min_score = -INFINITY;
	int r = search_run(searcher, s->read, &narrow, &named);
	struct search_hit *hits = r < 0 ? NULL : calloc((size_t)named.count + s->exact_count + out->found.count, sizeof(*hits));
	if (!hits) {
		search_results_release(&named);
		return r < 0 ? r : -ENOMEM;
	}
	uint32_t count = named.count;
	if (count)
		memcpy(hits, named.hits, count * sizeof(*hits));
	for (size_t i = 0; i < s->exact_count; i++) /* named, but without any of the words inside */
		if (!has_hit(hits, count, s->exact[i], UINT32_MAX) && document_path(s, s->exact[i]))
			hits[count++] = (struct search_hit){.doc = s->exact[i], .cosine = NAN};
	for (uint32_t i = 0; i < out->found.count; i++)
		if (!has_hit(hits, count, out->found.hits[i].doc, out->found.hits[i].chunk))
			hits[count++] = out->found.hits[i];
	search_results_release(&named);
	free(out->found.hits);
	out->found.hits = hits;
	out->found.count = count < request->limit ? count : request->limit;
	return 0;
}

static int run_request(struct corpus *c, struct worker *w, struct search_context *s, struct corpus_results *out, struct aim *aim)
{
	int r = 0;
	if (out->similar_to)
		r = prepare_similar(c, s, out, aim);
	struct store_space space = {0};
	if (r == 0 && aim->have && store_find_space(s->read, &aim->space.fingerprint, &space) < 0)
		aim->have = out->similar_to != NULL; /* nothing embedded yet */
	if (r < 0)
		return r;
	if (aim->have)
		(void)snprintf(out->model, sizeof(out->model), "%s", aim->space.name);
	out->keyword_weight = aim->space.keyword_weight;
	struct searcher *searcher;
	r = worker_searcher(w, &searcher);
	if (r < 0)
		return r;
	const struct corpus_query *q = out->query;
	bool filter = s->exclude || needs_filter(out, s->choice.access);
	struct search_request request = {
		.mode = search_mode(out, aim->have),
		.text = out->similar_to ? buf_span(&q->text) : buf_span(&out->asked.text),
		.everything = out->asked.bare,
		.vector = aim->have ? aim->x : NULL,
		.space = space,
		.keyword_weight = aim->space.keyword_weight,
		.limit = q->k,
		.per_document = out->similar_to ? 1 : q->per,
		.min_score = q->min,
		.eligible = filter ? eligible : NULL,
		.context = s,
	};
	r = search_run(searcher, s->read, &request, &out->found);
	if (r == 0 && !out->similar_to)
		r = put_exact_first(searcher, s, out, &request);
	if (r < 0) {
		search_results_release(&out->found);
		return r;
	}
	if (out->found.vectors_missing && !out->degraded)
		note_degraded(out, "some documents have no vectors yet");
	r = fill_hits(s, &out->found, out);
	/* The figures stay for .explain.json. */
	free(out->found.hits);
	out->found.hits = NULL;
	out->found.count = 0;
	return r;
}

static bool nothing_indexed(struct corpus *c)
{
	struct store_read *r;
	struct store_index_stats stats = {0};
	if (store_read_begin(c->store, &r) < 0)
		return false;
	(void)store_index_stats(r, &stats);
	store_read_end(r);
	return stats.live_chunks == 0;
}

/* A search in the first moments of a new store would find nothing although the answer is about to be there: it waits for a small folder to be
 * indexed, and for a large one no longer than a person waits without wondering. */
static void wait_for_first_documents(struct corpus *c)
{
	enum { STEP_MS = 20, STEPS = 100 };
	for (int i = 0; i < STEPS && c->indexer && !indexer_idle(c) && nothing_indexed(c); i++)
		(void)nanosleep(&(struct timespec){0, STEP_MS * 1000000L}, NULL);
}

/* A query that is the name of something is meant as it stands. */
static int prepare_question(struct corpus *c, struct corpus_results *out, struct access *access)
{
	struct store_read *read;
	uint32_t named;
	int r = asked_init(&out->asked, buf_span(&out->query->text));
	if (r == 0)
		r = store_read_begin(c->store, &read);
	if (r < 0)
		return r;
	if (exact_find(read, buf_span(&out->query->text), access, &named, 1) == 0)
		r = asked_mend(&out->asked, c->embedder, read, access);
	store_read_end(read);
	return r;
}

static void run_search(struct task *t, struct worker *w)
{
	struct search_task *task = (struct search_task *)t;
	struct corpus *c = w->corpus;
	struct corpus_results *out = task->results;
	struct search_context *s = calloc(1, sizeof(*s));
	struct aim aim = {.space = c->space, .x = calloc(VEC_MAX_DIMS, sizeof(float))};
	int r = !s || !aim.x ? -ENOMEM : waits_alive(c, task->waiter) ? 0 : -ECANCELED;
	if (r == 0)
		wait_for_first_documents(c);
	if (r == 0 && !out->similar_to)
		r = prepare_question(c, out, task->access);
	/* Before the read transaction: a server may take seconds, and a snapshot that is held keeps the store from reusing pages. */
	if (r == 0 && !task->results->similar_to && !aim_remote(c, out, &aim))
		embed_query(c, out, aim.x, &aim.have);
	if (r == 0)
		r = store_read_begin(c->store, &s->read);
	if (r == 0) {
		s->choice.query = out->query;
		s->choice.asked = &out->asked;
		s->choice.access = task->access;
		s->choice.ignore = c->ignore;
		note_coverage(c, s, out);
		r = run_request(c, w, s, out, &aim);
		store_read_end(s->read);
	}
	(void)atomic_fetch_add(&c->searches, 1);
	free(s);
	free(aim.x);
	access_free(task->access);
	if (r < 0)
		corpus_results_unref(out);
	waits_finish(c, task->waiter, r, r < 0 ? NULL : out, drop_results);
	free(task);
}

static int start_search(struct corpus *c, const struct corpus_query *q, const char *similar_to, const struct corpus_caller *caller,
			struct corpus_wait *wait)
{
	struct search_task *task = calloc(1, sizeof(*task));
	struct corpus_results *out = calloc(1, sizeof(*out));
	int r = task && out ? 0 : -ENOMEM;
	if (r == 0) {
		atomic_init(&out->refs, 1);
		task->task.run = run_search;
		task->results = out;
		out->query = q ? corpus_query_copy(q) : NULL;
		if (!q)
			r = corpus_query_new(&out->query);
		out->similar_to = similar_to ? strdup(similar_to) : NULL;
		if (!out->query || (similar_to && !out->similar_to))
			r = -ENOMEM;
	}
	if (r == 0)
		r = access_new(c, caller, &task->access);
	if (r == 0)
		r = waits_open(c, wait, &task->waiter);
	if (r < 0) {
		if (task)
			access_free(task->access);
		free(task);
		if (out && out->query)
			corpus_results_unref(out);
		else
			free(out);
		return r;
	}
	jobs_push(c->jobs, &task->task, LANE_SEARCH);
	return -EINPROGRESS;
}

int corpus_search(struct corpus *c, const struct corpus_query *q, const struct corpus_caller *caller, struct corpus_wait *wait)
{
	return q->text.size ? start_search(c, q, NULL, caller, wait) : -EINVAL;
}

int corpus_similar(struct corpus *c, const char *path, const struct corpus_query *q, const struct corpus_caller *caller,
		   struct corpus_wait *wait)
{
	return start_search(c, q, path, caller, wait);
}
