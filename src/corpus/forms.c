/* The forms that a set of hits is shown in: lines of JSON, one JSON object, passages for a prompt, how it was ranked. */
#include "results.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_PER_TOKEN = 4 };

static void add_headings(struct jsonw *j, const char *headings)
{
	jsonw_array(j);
	for (; *headings; headings += strlen(headings) + 1)
		jsonw_string(j, headings);
	jsonw_array_end(j);
}

static void add_hit(struct jsonw *j, const struct corpus_hit *h, const char *headings)
{
	jsonw_object(j);
	jsonw_key(j, "rank");
	jsonw_uint(j, h->rank);
	jsonw_key(j, "path");
	jsonw_string(j, h->path);
	jsonw_key(j, "chunk");
	jsonw_uint(j, h->chunk);
	jsonw_key(j, "score");
	jsonw_float(j, (double)h->score);
	jsonw_key(j, "bm25");
	jsonw_float(j, (double)h->bm25);
	jsonw_key(j, "cosine");
	jsonw_float(j, (double)h->cosine);
	jsonw_pair_member(j, "bytes", h->first, h->end);
	jsonw_pair_member(j, "lines", h->line_first, h->line_last);
	jsonw_key(j, "page");
	if (h->page)
		jsonw_uint(j, h->page);
	else
		jsonw_null(j);
	jsonw_key(j, "heading");
	add_headings(j, headings);
	jsonw_key(j, "title");
	jsonw_string(j, h->title);
	jsonw_key(j, "text");
	jsonw_span(j, (struct span){h->text, h->text_size});
	jsonw_object_end(j);
}

static void form_jsonl(const struct corpus_results *r, struct buf *out)
{
	for (uint32_t i = 0; i < r->count; i++) {
		struct jsonw j;
		jsonw_init(&j, out);
		add_hit(&j, &r->hits[i], r->headings[i]);
		buf_add_char(out, '\n');
	}
}

static void add_question(struct jsonw *j, const struct corpus_results *r)
{
	jsonw_key(j, r->similar_to ? "similar_to" : "query");
	jsonw_span(j, r->similar_to ? span_of(r->similar_to) : buf_span(&r->query->text));
	jsonw_key(j, "degraded");
	jsonw_bool(j, r->degraded);
}

static void form_json(const struct corpus_results *r, struct buf *out)
{
	struct jsonw j;
	jsonw_init(&j, out);
	jsonw_object(&j);
	add_question(&j, r);
	jsonw_key(&j, "hits");
	jsonw_array(&j);
	for (uint32_t i = 0; i < r->count; i++)
		add_hit(&j, &r->hits[i], r->headings[i]);
	jsonw_array_end(&j);
	jsonw_object_end(&j);
	buf_add_char(out, '\n');
}

static void add_figures(struct jsonw *j, const struct search_results *f)
{
	jsonw_key(j, "terms");
	jsonw_string(j, f->terms);
	jsonw_key(j, "eligible_chunks");
	jsonw_uint(j, f->eligible_chunks);
	jsonw_key(j, "scored_by_keyword");
	jsonw_uint(j, f->scored_by_keyword);
	jsonw_key(j, "scored_by_vector");
	jsonw_uint(j, f->scored_by_vector);
	jsonw_key(j, "bm25_max");
	jsonw_float(j, (double)f->bm25_max);
	jsonw_key(j, "cosine_min");
	jsonw_float(j, (double)f->cosine_min);
	jsonw_key(j, "cosine_max");
	jsonw_float(j, (double)f->cosine_max);
}

/* What speaks of all documents, also of those that this caller may not read. */
static void add_corpus_figures(struct jsonw *j, const struct corpus_results *r)
{
	add_figures(j, &r->found);
	jsonw_key(j, "exact_names");
	jsonw_uint(j, r->exact_names);
	jsonw_key(j, "generation");
	jsonw_uint(j, r->generation);
	jsonw_key(j, "coverage");
	jsonw_object(j);
	jsonw_key(j, "files");
	jsonw_uint(j, r->files);
	jsonw_key(j, "documents");
	jsonw_uint(j, r->documents);
	jsonw_key(j, "indexed_documents");
	jsonw_uint(j, r->indexed_documents);
	jsonw_object_end(j);
}

static void form_explain(const struct corpus_results *r, struct buf *out)
{
	static const char *const modes[] = {[CORPUS_HYBRID] = "hybrid", [CORPUS_KEYWORD] = "keyword", [CORPUS_VECTOR] = "vector"};
	struct jsonw j;
	jsonw_init(&j, out);
	jsonw_object(&j);
	add_question(&j, r);
	if (r->degraded) {
		jsonw_key(&j, "degraded_reason");
		jsonw_string(&j, r->degraded_reason);
	}
	asked_explain(&r->asked, &j);
	jsonw_key(&j, "mode");
	jsonw_string(&j, r->similar_to ? "vector" : modes[r->query->mode]);
	jsonw_key(&j, "formula");
	jsonw_string(&j, "score = w * bm25 / bm25_max + (1 - w) * (cosine - cosine_min) / (cosine_max - cosine_min)");
	jsonw_key(&j, "keyword_weight");
	jsonw_float(&j, (double)r->found.keyword_weight);
	jsonw_key(&j, "model");
	if (*r->model)
		jsonw_string(&j, r->model);
	else
		jsonw_null(&j);
	jsonw_key(&j, "hits");
	jsonw_uint(&j, r->count);
	if (r->figures)
		add_corpus_figures(&j, r);
	jsonw_object_end(&j);
	buf_add_char(out, '\n');
}

/* --- .context.md ---------------------------------------------------------------------------------------------------- */

/* Whether hit `b` goes on where hit `a` ends. */
static bool adjacent(const struct corpus_hit *a, const struct corpus_hit *b)
{
	return strcmp(a->path, b->path) == 0 && b->chunk == a->chunk + 1;
}

static int compare_place(const void *a, const void *b, void *context)
{
	const struct corpus_results *r = context;
	const struct corpus_hit *x = &r->hits[*(const uint32_t *)a], *y = &r->hits[*(const uint32_t *)b];
	int by_path = strcmp(x->path, y->path);
	return by_path ? by_path : (x->chunk > y->chunk) - (x->chunk < y->chunk);
}

static void add_citation(struct buf *out, const struct corpus_hit *first, const struct corpus_hit *last)
{
	buf_add_string(out, first->path);
	if (first->page && last->page > first->page)
		buf_addf(out, ", pages %u-%u", first->page, last->page);
	else if (first->page)
		buf_addf(out, ", page %u", first->page);
	if (last->line_last > first->line_first)
		buf_addf(out, ", lines %u-%u", first->line_first, last->line_last);
	else
		buf_addf(out, ", line %u", first->line_first);
	if (*first->heading)
		buf_addf(out, " (%s)", first->heading);
}

static void add_passage(struct buf *out, const struct corpus_results *r, const uint32_t *order, uint32_t first, uint32_t last, unsigned number)
{
	buf_addf(out, "\n## [%u] ", number);
	add_citation(out, &r->hits[order[first]], &r->hits[order[last]]);
	buf_add_string(out, "\n\n");
	for (uint32_t i = first; i <= last; i++)
		buf_add(out, r->hits[order[i]].text, r->hits[order[i]].text_size);
	if (out->size && out->data[out->size - 1] != '\n')
		buf_add_char(out, '\n');
}

/* Marks the hits that fit the budget, best first; at least one. */
static void choose_within_budget(const struct corpus_results *r, bool *chosen)
{
	uint64_t left = (uint64_t)r->query->budget * BYTES_PER_TOKEN;
	for (uint32_t i = 0; i < r->count; i++) {
		chosen[i] = i == 0 || r->hits[i].text_size <= left;
		left -= chosen[i] && r->hits[i].text_size <= left ? r->hits[i].text_size : 0;
	}
}

/* Passages by document, in the order of each document's best hit; within a document in reading order, adjacent chunks as one passage. */
static int form_context(const struct corpus_results *r, struct buf *out)
{
	uint32_t *CLEANUP_FREE order = calloc(r->count + 1, sizeof(*order));
	bool *CLEANUP_FREE chosen = calloc(r->count + 1, sizeof(*chosen));
	bool *CLEANUP_FREE shown = calloc(r->count + 1, sizeof(*shown));
	if (!order || !chosen || !shown)
		return -ENOMEM;
	buf_add_string(out, r->similar_to ? "# Similar to: " : "# Passages for: ");
	buf_add_span(out, r->similar_to ? span_of(r->similar_to) : buf_span(&r->query->text));
	buf_add_char(out, '\n');
	for (uint32_t i = 0; i < r->asked.mend_count; i++)
		buf_addf(out, "\nSearched for \"%s\" instead of \"%s\".\n", r->asked.mends[i].searched, r->asked.mends[i].typed);
	choose_within_budget(r, chosen);
	unsigned number = 0;
	for (uint32_t i = 0; i < r->count; i++) {
		if (!chosen[i] || shown[i])
			continue;
		uint32_t n = 0;
		for (uint32_t k = i; k < r->count; k++)
			if (chosen[k] && !shown[k] && strcmp(r->hits[i].path, r->hits[k].path) == 0) {
				order[n++] = k;
				shown[k] = true;
			}
		qsort_r(order, n, sizeof(*order), compare_place, (void *)(uintptr_t)r);
		for (uint32_t first = 0, last; first < n; first = last + 1) {
			last = first;
			while (last + 1 < n && adjacent(&r->hits[order[last]], &r->hits[order[last + 1]]))
				last++;
			add_passage(out, r, order, first, last, ++number);
		}
	}
	if (r->count == 0)
		buf_add_string(out, "\nNothing was found.\n");
	return 0;
}

int corpus_results_blob(struct corpus_results *r, enum corpus_form form, struct corpus_blob **ret)
{
	struct buf out;
	buf_init(&out, LIMIT_JSON_BYTES);
	switch (form) {
	case CORPUS_RESULTS_JSONL:
		form_jsonl(r, &out);
		break;
	case CORPUS_RESULTS_JSON:
		form_json(r, &out);
		break;
	case CORPUS_CONTEXT_MD:
		if (form_context(r, &out) < 0)
			out.error = -ENOMEM;
		break;
	case CORPUS_EXPLAIN_JSON:
		form_explain(r, &out);
		break;
	}
	return blob_from_buf(&out, ret);
}
