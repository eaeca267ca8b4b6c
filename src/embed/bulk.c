/* Many texts through a server: batches, retries, bisection down to the text that is refused, long texts in pieces.
 *
 * The unit of work is a *piece*: at first every text is one; a text that is refused on its own becomes two. A *range* of pieces is one
 * request. A range that is refused falls into halves; when both halves pass, the range was too large, and later batches are smaller; when a
 * single piece stays refused, it was that one. */
#include "embed/model_http.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	MAX_ATTEMPTS = 5,
	BISECT_ATTEMPTS = 3, /* so many server errors for the same texts, while others pass */
	MAX_BUSY = 8,
	LEAST_PIECE = 48, /* bytes; what is refused below is not refused for its length */
};

struct piece {
	uint32_t text;
	struct span span;
};

struct range {
	uint32_t first, count;
	unsigned attempts, busy;
	uint64_t not_before;
	int32_t split; /* index of the split it came from, or -1 */
	bool checked;  /* refused once while the server took other texts */
};

/* A refused range whose halves are on their way. */
struct split {
	uint32_t count, left;
	bool explained; /* by a refusal further down: says nothing about size */
	bool by_bytes;
	size_t bytes;
};

struct slot {
	bool used, canary;
	struct range range;
	struct http_call call;
	struct buf body;
};

struct work {
	struct embed_server *s;
	const struct embed_order *order;
	struct err *err;
	struct piece *pieces;
	struct range *ranges;
	struct split *splits;
	uint32_t *left; /* pieces to come of each text */
	uint32_t piece_count, piece_room, range_count, range_room, split_count, split_room;
	struct slot slots[BULK_REQUESTS];
	unsigned in_flight;
	uint64_t deadline;
	bool another_passed; /* the server answered something well since the call began */
	size_t largest_passed; /* texts of a request, with the canary */
	int failed;	     /* why nothing more is sent */
};

static int grow(void *array, uint32_t count, uint32_t *room, size_t size)
{
	if (count < *room)
		return 0;
	uint32_t more = *room ? *room * 2 : 64;
	void **at = array, *longer = reallocarray(*at, more, size);
	if (!longer)
		return -ENOMEM;
	*at = longer;
	*room = more;
	return 0;
}

static void fail(struct work *w, int code, const char *reason)
{
	if (!w->failed)
		w->failed = err_fail(w->err, code, "%s", reason);
}

static void add_range(struct work *w, struct range r)
{
	if (grow(&w->ranges, w->range_count, &w->range_room, sizeof(*w->ranges)) < 0)
		fail(w, -ENOMEM, "out of memory");
	else
		w->ranges[w->range_count++] = r;
}

static uint32_t add_piece(struct work *w, uint32_t text, struct span span)
{
	if (grow(&w->pieces, w->piece_count, &w->piece_room, sizeof(*w->pieces)) < 0) {
		fail(w, -ENOMEM, "out of memory");
		return 0;
	}
	w->pieces[w->piece_count] = (struct piece){.text = text, .span = span};
	w->left[text]++;
	return w->piece_count++;
}

/* --- results ------------------------------------------------------------------------------------------------------- */

static float *row_of(const struct work *w, uint32_t text)
{
	return w->order->out + (size_t)text * w->order->identity->padded;
}

static void normalise(float *x, uint32_t dims)
{
	double sum = 0;
	for (uint32_t i = 0; i < dims; i++)
		sum += (double)x[i] * (double)x[i];
	double length = __builtin_sqrt(sum);
	for (uint32_t i = 0; i < dims && length > 1e-12; i++)
		x[i] = (float)((double)x[i] / length);
}

static void end_text(struct work *w, uint32_t text)
{
	uint8_t *mark = &w->order->marks[text];
	(void)pthread_mutex_lock(&w->s->lock);
	w->s->count.in_pieces += *mark == EMBED_IN_PIECES;
	w->s->count.refused += *mark == EMBED_REFUSED;
	(void)pthread_mutex_unlock(&w->s->lock);
	if (*mark == EMBED_IN_PIECES)
		normalise(row_of(w, text), w->order->identity->dims);
}

/* Marks are set as pieces come in; a text stands as pending to the caller until its last one (see finish). */
static void take_row(struct work *w, const struct piece *p, const float *row)
{
	const struct embed_identity *id = w->order->identity;
	float *out = row_of(w, p->text);
	uint8_t *mark = &w->order->marks[p->text];
	bool whole = p->span.size == w->order->texts[p->text].size;
	for (uint32_t i = 0; i < id->dims; i++)
		out[i] = whole ? row[i] : out[i] + row[i] * (float)p->span.size;
	*mark = whole ? EMBED_WHOLE : EMBED_IN_PIECES;
	if (--w->left[p->text] == 0)
		end_text(w, p->text);
}

static void refuse_piece(struct work *w, const struct piece *p)
{
	uint8_t *mark = &w->order->marks[p->text];
	if (*mark == EMBED_PENDING)
		*mark = EMBED_REFUSED;
	if (--w->left[p->text] == 0)
		end_text(w, p->text);
}

/* --- refusals ------------------------------------------------------------------------------------------------------ */

static size_t range_bytes(const struct work *w, struct range r)
{
	size_t bytes = 0;
	for (uint32_t i = 0; i < r.count; i++)
		bytes += w->pieces[r.first + i].span.size;
	return bytes;
}

static void explain(struct work *w, int32_t split)
{
	if (split >= 0)
		w->splits[split].explained = true;
}

/* A half passed: with the other one, that tells that the whole was too large. */
static void pass_half(struct work *w, int32_t split)
{
	if (split < 0 || --w->splits[split].left || w->splits[split].explained)
		return;
	const struct split *p = &w->splits[split];
	(void)pthread_mutex_lock(&w->s->lock);
	size_t whole = (size_t)p->count + 1, half = (size_t)p->count / 2 + 1, half_bytes = p->bytes / 2 + 1; /* with the canary */
	if (w->largest_passed < whole && w->largest_passed > half)
		half = w->largest_passed;
	if (p->by_bytes && half_bytes < w->s->batch_bytes)
		w->s->batch_bytes = half_bytes;
	if (!p->by_bytes && half < w->s->batch_texts)
		w->s->batch_texts = half;
	(void)pthread_mutex_unlock(&w->s->lock);
}

/* What a half that passes tells of the size of a batch. */
enum lesson { LESSON_NONE, LESSON_TEXTS, LESSON_BYTES };

static void halve_range(struct work *w, struct range r, enum lesson lesson)
{
	explain(w, r.split);
	if (grow(&w->splits, w->split_count, &w->split_room, sizeof(*w->splits)) < 0) {
		fail(w, -ENOMEM, "out of memory");
		return;
	}
	w->splits[w->split_count] = (struct split){
		.count = r.count, .left = 2, .explained = lesson == LESSON_NONE, .by_bytes = lesson == LESSON_BYTES, .bytes = range_bytes(w, r)};
	int32_t split = (int32_t)w->split_count++;
	unsigned attempts = r.attempts ? BISECT_ATTEMPTS - 1 : 0; /* the whole had its retries */
	uint32_t half = r.count / 2;
	add_range(w, (struct range){.first = r.first, .count = half, .attempts = attempts, .split = split});
	add_range(w, (struct range){.first = r.first + half, .count = r.count - half, .attempts = attempts, .split = split});
}

/* Where to cut a text in two: at the blank nearest to the middle, else between two characters. 0: nowhere. */
static size_t cut_place(struct span text)
{
	size_t middle = text.size / 2;
	for (size_t d = 0; d < text.size / 4; d++) {
		if (text.data[middle + d] == ' ' || text.data[middle + d] == '\n')
			return middle + d;
		if (text.data[middle - d] == ' ' || text.data[middle - d] == '\n')
			return middle - d;
	}
	while (middle && ((unsigned char)text.data[middle] & 0xc0) == 0x80)
		middle--;
	return middle;
}

/* A text that is refused on its own is halved as long as that may help. */
static void cut_piece(struct work *w, struct range r)
{
	struct piece p = w->pieces[r.first];
	explain(w, r.split);
	size_t at = p.span.size >= 2 * LEAST_PIECE ? cut_place(p.span) : 0;
	if (at == 0) {
		refuse_piece(w, &p);
		return;
	}
	uint32_t first = add_piece(w, p.text, (struct span){p.span.data, at});
	uint32_t second = add_piece(w, p.text, (struct span){p.span.data + at, p.span.size - at});
	w->left[p.text]--;
	unsigned attempts = r.attempts ? BISECT_ATTEMPTS - 1 : 0;
	add_range(w, (struct range){.first = first, .count = 1, .attempts = attempts, .split = -1, .checked = true});
	add_range(w, (struct range){.first = second, .count = 1, .attempts = attempts, .split = -1, .checked = true});
}

/* Is it these texts, or would the server fail with any? True when it takes those that it took before; else the call fails. */
static bool server_is_well(struct work *w)
{
	struct embed_identity now;
	struct err err;
	int result = embed_server_contact(w->s, &now, &err);
	if (result < 0)
		fail(w, result == -ESHUTDOWN ? result : -EAGAIN, err.text);
	else if (!embed_identity_equal(&now, w->order->identity))
		fail(w, -ESTALE, "another model answers under the same name");
	return !w->failed;
}

/* Asked anew for each text that is refused alone, because a server may begin to refuse everything; then that text gets another try. */
static void refused(struct work *w, struct range r, enum lesson lesson)
{
	if (r.count > 1) {
		halve_range(w, r, lesson);
	} else if (r.checked) {
		cut_piece(w, r);
	} else if (server_is_well(w)) {
		r.checked = true;
		add_range(w, r);
	}
}

/* --- failures ------------------------------------------------------------------------------------------------------ */

static void try_later(struct work *w, struct range r, unsigned exponent, unsigned least_ms)
{
	unsigned most = (unsigned)BACKOFF_FIRST_MS << (exponent < 6 ? exponent : 6);
	unsigned pause = server_random(w->s, (most < BACKOFF_MOST_MS ? most : BACKOFF_MOST_MS) + 1);
	r.not_before = server_now_ms() + (pause > least_ms ? pause : least_ms);
	(void)pthread_mutex_lock(&w->s->lock);
	w->s->count.retries++;
	(void)pthread_mutex_unlock(&w->s->lock);
	add_range(w, r);
}

static void transient(struct work *w, struct slot *slot, const char *state, const char *reason)
{
	struct range r = slot->range;
	bool hangs = w->order->urgent && slot->call.error == -ETIMEDOUT;
	server_note_failure(w->s, state, reason, hangs ? BREAKER_FAILURES : 1);
	r.attempts++;
	/* A failure that stays with some texts while others pass is theirs: there are texts that servers die of. */
	bool stays = r.attempts >= BISECT_ATTEMPTS && !w->order->urgent;
	if (stays && !w->another_passed && !w->failed)
		w->another_passed = server_is_well(w);
	bool server_error = slot->call.error == 0 && slot->call.status >= 500;
	struct err open;
	if (w->failed)
		return;
	if (stays && w->another_passed && !server_is_open(w->s, &open))
		refused(w, r, server_error ? LESSON_TEXTS : LESSON_NONE);
	else if (w->order->urgent || r.attempts >= MAX_ATTEMPTS || server_is_open(w->s, &open))
		fail(w, -EAGAIN, reason);
	else
		try_later(w, r, r.attempts, slot->call.retry_after_ms < RETRY_AFTER_MOST_MS ? slot->call.retry_after_ms : RETRY_AFTER_MOST_MS);
}

/* Told to slow down: all bulk work waits. */
static void busy(struct work *w, struct slot *slot, const char *state, const char *reason)
{
	struct range r = slot->range;
	unsigned pause = slot->call.retry_after_ms < RETRY_AFTER_MOST_MS ? slot->call.retry_after_ms : RETRY_AFTER_MOST_MS;
	(void)pthread_mutex_lock(&w->s->lock);
	uint64_t until = server_now_ms() + pause;
	if (until > w->s->hold_until)
		w->s->hold_until = until;
	(void)snprintf(w->s->state, sizeof(w->s->state), "%s", state);
	(void)snprintf(w->s->reason, sizeof(w->s->reason), "%s", reason);
	(void)pthread_mutex_unlock(&w->s->lock);
	if (w->order->urgent || ++r.busy >= MAX_BUSY || until > w->deadline)
		fail(w, -EAGAIN, reason);
	else
		try_later(w, r, r.busy, pause);
}

static double cosine(const float *a, const float *b, uint32_t dims)
{
	double sum = 0;
	for (uint32_t i = 0; i < dims; i++)
		sum += (double)a[i] * (double)b[i];
	return sum;
}

/* Whether the canary that came along is that of the model meant. */
static bool same_model(struct work *w, const float *row)
{
	(void)pthread_mutex_lock(&w->s->lock);
	bool same = w->s->known && embed_identity_equal(&w->s->identity, w->order->identity) &&
		    cosine(row, w->s->canary, w->order->identity->dims) >= (double)w->s->tolerance;
	(void)pthread_mutex_unlock(&w->s->lock);
	return same;
}

/* A reply of the right form: its rows, unless they are another model's. */
static void take_rows(struct work *w, const struct slot *slot, const struct reply *r)
{
	(void)pthread_mutex_lock(&w->s->lock);
	w->s->count.tokens += r->tokens;
	(void)pthread_mutex_unlock(&w->s->lock);
	if (slot->canary && !same_model(w, r->rows + (size_t)slot->range.count * r->dims)) {
		fail(w, -ESTALE, "another model answers under the same name");
		return;
	}
	for (uint32_t i = 0; i < slot->range.count; i++)
		take_row(w, &w->pieces[slot->range.first + i], r->rows + (size_t)i * r->dims);
	w->another_passed = true;
	if (w->largest_passed < slot->range.count + (size_t)slot->canary)
		w->largest_passed = slot->range.count + (size_t)slot->canary;
	server_note_success(w->s);
	pass_half(w, slot->range.split);
}

static void good(struct work *w, struct slot *slot)
{
	struct reply r;
	struct err err;
	int result = reply_parse(buf_span(&slot->call.reply), slot->range.count + slot->canary, 0, &r, &err);
	if (result == 0 && r.dims != w->order->identity->dims) {
		fail(w, -ESTALE, "vectors of another number of dimensions come under the same name");
		free(r.rows);
	} else if (result == 0) {
		take_rows(w, slot, &r);
		free(r.rows);
	} else if (result == -EBADMSG) {
		transient(w, slot, "reply", err.text);
	} else {
		fail(w, result, err.text);
	}
}

static void take_verdict(struct work *w, struct slot *slot)
{
	char reason[256], state[16];
	switch (server_judge(w->s, &slot->call, slot->range.count, reason, state)) {
	case VERDICT_GOOD:
		good(w, slot);
		break;
	case VERDICT_REFUSED:
		refused(w, slot->range, slot->call.status == 413 ? LESSON_BYTES : LESSON_TEXTS);
		break;
	case VERDICT_TRANSIENT:
		transient(w, slot, state, reason);
		break;
	case VERDICT_BUSY:
		busy(w, slot, state, reason);
		break;
	case VERDICT_QUOTA:
		server_note_closed(w->s, state, reason, QUOTA_MS);
		fail(w, -EAGAIN, reason);
		break;
	case VERDICT_DENIED:
		http_reload_key(w->s->http);
		server_note_failure(w->s, state, reason, BREAKER_FAILURES);
		fail(w, -EACCES, reason);
		break;
	case VERDICT_MISSING:
		server_note_failure(w->s, state, reason, BREAKER_FAILURES);
		fail(w, -EIO, reason);
		break;
	case VERDICT_STOPPED:
		fail(w, -ESHUTDOWN, "stopped");
		break;
	}
}

/* --- sending ------------------------------------------------------------------------------------------------------- */

/* Takes texts off today's budget; false when it is used up. */
static bool spend(struct embed_server *s, size_t texts)
{
	uint64_t day = (uint64_t)time(NULL) / 86400;
	(void)pthread_mutex_lock(&s->lock);
	if (s->count.budget_day != day) {
		s->count.budget_day = day;
		s->count.budget_used = 0;
	}
	bool fits = !s->budget || s->count.budget_used + texts <= s->budget;
	if (fits)
		s->count.budget_used += texts;
	else {
		(void)snprintf(s->state, sizeof(s->state), "budget");
		(void)snprintf(s->reason, sizeof(s->reason), "the budget of %llu texts a day is used up until midnight UTC", (unsigned long long)s->budget);
		s->hold_until = server_now_ms() + ((day + 1) * 86400 - (uint64_t)time(NULL)) * 1000;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return fits;
}

/* When a bulk request may start: the rate that was asked for and what the server told. */
static uint64_t bulk_not_before(struct embed_server *s)
{
	(void)pthread_mutex_lock(&s->lock);
	uint64_t at = s->rate && s->next_request > s->hold_until ? s->next_request : s->hold_until;
	(void)pthread_mutex_unlock(&s->lock);
	return at;
}

static void send_range(struct work *w, struct slot *slot, struct range r)
{
	struct embed_server *s = w->s;
	if (!spend(s, r.count)) {
		fail(w, -EAGAIN, "today's budget is used up");
		return;
	}
	struct request_text *CLEANUP_FREE texts = calloc(r.count, sizeof(*texts));
	buf_init(&slot->body, (size_t)64 << 20);
	for (uint32_t i = 0; texts && i < r.count; i++)
		texts[i] = (struct request_text){s->prefixes[w->order->side], w->pieces[r.first + i].span};
	(void)pthread_mutex_lock(&s->lock);
	slot->canary = s->batch_texts > 1;
	bool base64 = s->base64;
	enum api api = s->api;
	const char *path = s->path;
	if (s->rate && !w->order->urgent)
		s->next_request = server_now_ms() + 60000 / s->rate;
	(void)pthread_mutex_unlock(&s->lock);
	if (texts)
		server_write_request(s, api, base64, texts, r.count, slot->canary, &slot->body);
	if (!texts || buf_error(&slot->body)) {
		buf_release(&slot->body);
		fail(w, -ENOMEM, "out of memory");
		return;
	}
	slot->range = r;
	slot->used = true;
	w->in_flight++;
	slot->call = (struct http_call){
		.lane = w->order->urgent ? HTTP_INTERACTIVE : HTTP_BULK,
		.path = path,
		.body = buf_span(&slot->body),
		.timeout_ms = w->order->urgent ? URGENT_MS : BULK_MS,
		.reply_limit = 65536 + (size_t)(r.count + 1) * w->order->identity->dims * 40,
	};
	http_start(s->http, &slot->call);
}

static struct slot *free_slot(struct work *w)
{
	for (size_t i = 0; i < BULK_REQUESTS; i++)
		if (!w->slots[i].used)
			return &w->slots[i];
	return NULL;
}

/* Sends what may be sent now. Returns milliseconds until more may be, 0 for nothing to wait for. */
static unsigned send_ready(struct work *w)
{
	uint64_t now = server_now_ms(), soonest = UINT64_MAX;
	for (uint32_t i = w->range_count; i-- > 0 && !w->failed;) {
		uint64_t at = w->order->urgent ? 0 : bulk_not_before(w->s);
		if (at < w->ranges[i].not_before)
			at = w->ranges[i].not_before;
		struct slot *slot = free_slot(w);
		if (at > now && at < soonest)
			soonest = at;
		if (at > now || !slot)
			continue;
		struct range r = w->ranges[i];
		w->ranges[i] = w->ranges[--w->range_count];
		send_range(w, slot, r);
	}
	return soonest == UINT64_MAX ? 0 : (unsigned)(soonest - now < 60000 ? soonest - now : 60000);
}

static void collect(struct work *w)
{
	for (size_t i = 0; i < BULK_REQUESTS; i++) {
		struct slot *slot = &w->slots[i];
		if (!slot->used || !http_ended(w->s->http, &slot->call))
			continue;
		slot->used = false;
		w->in_flight--;
		take_verdict(w, slot);
		http_call_release(&slot->call);
		buf_release(&slot->body);
	}
}

static void wait_for_some(struct work *w, unsigned milliseconds)
{
	struct http_call *calls[BULK_REQUESTS];
	size_t count = 0;
	for (size_t i = 0; i < BULK_REQUESTS; i++)
		if (w->slots[i].used)
			calls[count++] = &w->slots[i].call;
	http_wait(w->s->http, calls, count, milliseconds ? milliseconds : 1000);
	if (count == 0 && http_stopping(w->s->http))
		fail(w, -ESHUTDOWN, "stopped");
}

static void run(struct work *w)
{
	for (;;) {
		struct err open;
		if (!w->failed && w->range_count && server_is_open(w->s, &open))
			fail(w, -EAGAIN, open.text);
		if (!w->failed && w->range_count && server_now_ms() > w->deadline)
			fail(w, -EAGAIN, "it takes too long");
		unsigned pause = w->failed ? 0 : send_ready(w);
		if (w->in_flight == 0 && (w->failed || w->range_count == 0))
			return;
		wait_for_some(w, pause);
		collect(w);
	}
}

/* --- the call ------------------------------------------------------------------------------------------------------ */

/* Texts longer than the model is known to take are cut beforehand. */
static void add_text(struct work *w, uint32_t i, size_t text_bytes)
{
	struct span rest = w->order->texts[i];
	size_t prefix = strlen(w->s->prefixes[w->order->side]);
	size_t most = text_bytes > prefix + LEAST_PIECE ? text_bytes - prefix : text_bytes ? LEAST_PIECE : 0;
	while (most && rest.size > most) {
		/* cut_place looks up to a quarter past the middle: of four thirds, that is all that fits. */
		struct span window = {rest.data, rest.size < most / 3 * 4 ? rest.size : most / 3 * 4};
		size_t at = cut_place(window);
		if (at == 0)
			break;
		(void)add_piece(w, i, (struct span){rest.data, at});
		rest = (struct span){rest.data + at, rest.size - at};
	}
	(void)add_piece(w, i, rest);
}

static bool is_blank(struct span text)
{
	for (size_t i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] > ' ')
			return false;
	return true;
}

/* Pieces in order into ranges, within the bounds that are known. */
static void make_ranges(struct work *w)
{
	(void)pthread_mutex_lock(&w->s->lock);
	/* The canary is a text too. */
	size_t texts = w->s->batch_texts > 1 ? w->s->batch_texts - 1 : 1, bytes = w->s->batch_bytes;
	(void)pthread_mutex_unlock(&w->s->lock);
	for (uint32_t first = 0, i = 0; i < w->piece_count && !w->failed; first = i) {
		size_t sum = 0;
		while (i < w->piece_count && i - first < texts && (i == first || sum + w->pieces[i].span.size <= bytes))
			sum += w->pieces[i++].span.size;
		add_range(w, (struct range){.first = first, .count = i - first, .split = -1});
	}
}

static void prepare(struct work *w)
{
	const struct embed_order *o = w->order;
	(void)pthread_mutex_lock(&w->s->lock);
	size_t text_bytes = w->s->text_bytes;
	bool meant = w->s->known && embed_identity_equal(&w->s->identity, o->identity);
	(void)pthread_mutex_unlock(&w->s->lock);
	memset(o->out, 0, o->count * o->identity->padded * sizeof(*o->out));
	memset(o->marks, EMBED_PENDING, o->count);
	if (!meant)
		fail(w, -ESTALE, "the server has to be asked who it is first");
	for (uint32_t i = 0; i < o->count && !w->failed; i++) {
		if (is_blank(o->texts[i]))
			o->marks[i] = EMBED_WHOLE; /* nothing to embed: no server takes an empty text */
		else
			add_text(w, i, text_bytes);
	}
	make_ranges(w);
}

/* What is not complete counts as not done. */
static void finish(struct work *w)
{
	for (uint32_t i = 0; i < w->order->count; i++)
		if (w->left[i])
			w->order->marks[i] = EMBED_PENDING;
}

int embed_server_texts(struct embed_server *s, const struct embed_order *order, struct err *err)
{
	struct work w = {.s = s, .order = order, .err = err};
	w.left = calloc(order->count + 1, sizeof(*w.left));
	if (!w.left)
		return err_fail(err, -ENOMEM, "out of memory");
	w.deadline = server_now_ms() + (order->urgent ? URGENT_MS : 4 * BULK_MS);
	prepare(&w);
	run(&w);
	finish(&w);
	free(w.left);
	free(w.pieces);
	free(w.ranges);
	free(w.splits);
	return w.failed;
}
