/* One search from request to results: see search.h. */
#include "search/search.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "search/stages.h"
#include "token/words.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { EXACT_SEGMENTS = SEARCH_EXACT_CHUNKS / STORE_SEGMENT_CHUNKS };

int searcher_new(struct searcher **ret)
{
	struct searcher *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->exact_segments = EXACT_SEGMENTS;
	int result = words_new(&s->words);
	if (result) {
		free(s);
		return result;
	}
	*ret = s;
	return 0;
}

void searcher_free(struct searcher *s)
{
	if (!s)
		return;
	words_free(s->words);
	free(s->segments);
	free(s->bm25);
	free(s->cosine);
	free(s->eligible);
	free(s->groups);
	free(s->doc_bm25);
	free(s->doc_cosine);
	free(s->doc_lengths);
	free(s->doc_first);
	free(s->docs);
	free(s);
}

/* --- columns ------------------------------------------------------------------------------------------------------- */

static int grow_columns(struct searcher *s, uint32_t segment_count)
{
	if (segment_count <= s->segment_capacity)
		return 0;
	/* An eighth more, so that an index that grows does not bring a new allocation with every segment. */
	size_t capacity = (size_t)segment_count + segment_count / 8, chunks = capacity * STORE_SEGMENT_CHUNKS;
	free(s->segments);
	free(s->bm25);
	free(s->cosine);
	free(s->eligible);
	free(s->groups);
	free(s->doc_bm25);
	free(s->doc_cosine);
	free(s->doc_lengths);
	free(s->doc_first);
	s->segments = malloc(capacity * sizeof(*s->segments));
	s->bm25 = malloc(chunks * sizeof(*s->bm25));
	s->cosine = malloc(chunks * sizeof(*s->cosine));
	s->eligible = malloc(chunks / 8);
	s->groups = malloc(chunks * sizeof(*s->groups));
	s->doc_bm25 = malloc(chunks * sizeof(*s->doc_bm25)); /* there are at most as many documents as chunks; pages are taken when used */
	s->doc_cosine = malloc(chunks * sizeof(*s->doc_cosine));
	s->doc_lengths = malloc(chunks * sizeof(*s->doc_lengths));
	s->doc_first = malloc((chunks + 1) * sizeof(*s->doc_first));
	bool columns = s->segments && s->bm25 && s->cosine && s->eligible && s->groups;
	bool grown = columns && s->doc_bm25 && s->doc_cosine && s->doc_lengths && s->doc_first;
	s->segment_capacity = grown ? (uint32_t)capacity : 0;
	return grown ? 0 : -ENOMEM;
}

/* Continues the numbering of documents over one segment. A document's chunks have neighbouring ids, and are live all or none. */
static void group_segment(struct searcher *s, const struct store_segment *segment, uint32_t *last)
{
	uint32_t *restrict groups = s->groups + segment->first;
	for (uint32_t k = 0; k < segment->count;) {
		uint32_t doc = segment->docs[k], length = 0, group = s->group_count;
		if (group && doc == *last) {
			group--; /* it began in the segment before */
		} else {
			s->doc_first[group] = segment->first + k;
			s->doc_bm25[group] = 0;
			s->doc_lengths[group] = 0;
			s->live_group_count += is_eligible(s, segment->first + k);
			s->group_count++;
		}
		for (; k < segment->count && segment->docs[k] == doc; k++) {
			groups[k] = group;
			length += segment->lengths[k];
		}
		s->doc_lengths[group] += length;
		*last = doc;
	}
}

static void group_chunks(struct searcher *s)
{
	uint32_t last = 0;
	s->group_count = s->live_group_count = 0;
	for (uint32_t i = 0; i < s->segment_count; i++)
		group_segment(s, &s->segments[i], &last);
	s->doc_first[s->group_count] = s->chunk_limit;
}

/* Takes the segments of the snapshot; `eligible` becomes the live chunks, scores are cleared. */
static int load_columns(struct searcher *s, struct store_read *r, const struct store_index_stats *stats)
{
	s->segment_count = stats->chunk_limit / STORE_SEGMENT_CHUNKS + (stats->chunk_limit % STORE_SEGMENT_CHUNKS != 0);
	s->chunk_limit = stats->chunk_limit;
	s->capacity = s->segment_count * STORE_SEGMENT_CHUNKS;
	int result = grow_columns(s, s->segment_count);
	if (result || !s->segment_count)
		return result;
	memset(s->bm25, 0, s->capacity * sizeof(*s->bm25));
	memset(s->eligible, 0, s->capacity / 8);
	for (uint32_t i = 0; i < s->segment_count; i++) {
		struct store_segment *segment = &s->segments[i];
		result = store_segment(r, i, segment);
		if (result)
			return result == -ENOENT ? -EIO : result;
		if (segment->count > STORE_SEGMENT_CHUNKS || segment->first != i * STORE_SEGMENT_CHUNKS)
			return -EIO;
		uint64_t *eligible = s->eligible + (size_t)i * (STORE_SEGMENT_CHUNKS / 64);
		memcpy(eligible, segment->live, segment->count / 64 * sizeof(*eligible));
		if (segment->count % 64)
			eligible[segment->count / 64] = segment->live[segment->count / 64] & (((uint64_t)1 << segment->count % 64) - 1);
	}
	group_chunks(s);
	return 0;
}

static uint32_t count_eligible(const struct searcher *s)
{
	uint32_t count = 0;
	for (uint32_t word = 0; word < s->capacity / 64; word++)
		count += (uint32_t)__builtin_popcountll(s->eligible[word]);
	return count;
}

/* --- scores -------------------------------------------------------------------------------------------------------- */

/* The terms for people: as many as fit, never a part of one. */
static void show_terms(const struct term_postings *terms, char *out, size_t size)
{
	size_t used = 0;
	out[0] = '\0';
	for (uint32_t i = 0; i < terms->term_count; i++) {
		const struct term *t = &terms->terms[i];
		if (t->size + 2 > size - used)
			return;
		if (used)
			out[used++] = ' ';
		memcpy(out + used, t->text, t->size);
		used += t->size;
		out[used] = '\0';
	}
}

static int score_words(struct searcher *s, struct store_read *r, struct span text, struct search_results *results)
{
	const struct term_postings *terms;
	int result = words_of_query(s->words, text, &terms);
	if (result)
		return result;
	show_terms(terms, results->terms, sizeof(results->terms));
	return bm25_score(s, r, terms);
}

static void score_documents(struct searcher *s)
{
	for (uint32_t group = 0; group < s->group_count; group++)
		s->bm25[s->doc_first[group]] = 1;
}

static bool is_zero(const float *x, uint32_t dims)
{
	for (uint32_t i = 0; i < dims; i++)
		if (x[i] != 0)
			return false;
	return true;
}

/* A name in code or a number of a part is matched by words or not at all, so vectors count half beside it. */
static float keyword_weight(const struct search_request *request, const struct syntax *syntax)
{
	float weight = request->keyword_weight;
	return syntax->has_name ? 1 - (1 - weight) * 0.5f : weight;
}

/* The mode in which a request can be answered. A zero vector is that of a text without a known word: it is near to nothing. */
static enum search_mode effective_mode(const struct search_request *request)
{
	bool vector = request->vector && !is_zero(request->vector, request->space.dims);
	return request->mode == SEARCH_HYBRID && !vector ? SEARCH_KEYWORD : request->mode;
}

static int score_chunks(struct searcher *s, struct store_read *r, const struct search_request *request, struct span text, struct fusion *fusion,
			struct search_results *results)
{
	if (fusion->mode != SEARCH_VECTOR || text.size) {
		int result = score_words(s, r, text, results);
		if (result)
			return result;
		if (request->everything)
			score_documents(s);
		fusion->bm25 = bm25_range(s);
	}
	if (fusion->mode == SEARCH_KEYWORD || is_zero(request->vector, request->space.dims)) {
		for (uint32_t id = 0; id < s->capacity; id++)
			s->cosine[id] = NAN;
		return 0;
	}
	int result = nearest_score(s, r, &request->space, request->vector, &results->vectors_missing);
	if (!result)
		fusion->cosine = nearest_range(s);
	return result;
}

int search_run(struct searcher *s, struct store_read *r, const struct search_request *request, struct search_results *ret)
{
	if ((!request->text.size && !request->vector) || !request->limit || request->limit > LIMIT_RESULTS)
		return -EINVAL;
	if (request->mode == SEARCH_VECTOR && !request->vector)
		return -EINVAL;
	struct search_results results = {.generation = store_read_generation(r), .vectors_missing = request->mode == SEARCH_HYBRID && !request->vector};
	struct fusion fusion = {.mode = effective_mode(request)};
	struct store_index_stats stats;
	struct syntax CLEANUP(syntax_release) syntax = {0};
	int result = syntax_parse(request->text, &syntax);
	fusion.keyword_weight = keyword_weight(request, &syntax);
	if (!result)
		result = store_index_stats(r, &stats);
	if (!result)
		result = load_columns(s, r, &stats);
	if (!result)
		result = filter_chunks(s, r, request, &syntax);
	if (!result)
		result = score_chunks(s, r, request, syntax.words, &fusion, &results);
	if (!result)
		result = rank_best(s, r, &fusion, request, &results.hits, &results.count);
	if (result)
		return result;
	results.eligible_chunks = count_eligible(s);
	results.scored_by_keyword = fusion.bm25.scored;
	results.scored_by_vector = fusion.cosine.scored;
	results.bm25_max = fusion.bm25.max;
	results.cosine_min = fusion.cosine.scored ? fusion.cosine.min : 0;
	results.keyword_weight = fusion.keyword_weight;
	results.cosine_max = fusion.cosine.scored ? fusion.cosine.max : 0;
	*ret = results;
	return 0;
}

void search_results_release(struct search_results *results)
{
	free(results->hits);
	*results = (struct search_results){0};
}
