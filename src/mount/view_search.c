/* search/<options>/<query>/ and similar/<path>/: a folder whose entries are the hits, in rank order.
 *
 * Looking a query up does no work and keeps nothing but its node. Opening the folder, or looking a hit up in it, ranks, and freezes the result
 * set in the node: names, sizes and order stay as they are until the query is looked up afresh after the index has changed, which gives
 * a new node. That one still finds the names of the set before it for a while, for those who have just listed them. Only so many sets are
 * kept; a node that lost its set ranks again, under the next serial number, which is the version of the entries.
 *
 * Where other users may look, a node belongs to one caller (its version is the hash of user and groups), and the kernel keeps no name. */
#include "mount/mount_impl.h"

#include "mount/names.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	KEPT_SETS = 256,
	KEPT_HITS = 20000,   /* of all sets together: about 30 MB */
	EARLIER_SETS = 8,    /* whose names are still found */
	EARLIER_SECONDS = 60, /* and for how long */
	MAX_OPTIONS = 32,    /* folders of options, one below the other */
	FORM_ESTIMATE = 4096,
	ATTRIBUTE_BYTES = 64 << 10,
};

#define HIT_TIMEOUT 60.0

struct frozen_set {
	struct corpus_results *results;
	uint64_t id;	/* unlike any other set's: the version of its hits */
	time_t outdated; /* when another took its place */
};

struct ranking {
	struct node *node; /* whose it is; referenced while kept */
	struct frozen_set now;			 /* results NULL until ranked, or when it had to go */
	struct frozen_set earlier[EARLIER_SETS]; /* of the nodes that this one took the place of, the last one first */
	unsigned earlier_count;
	uint64_t serial;   /* counts the sets that were frozen here, from 1: the version of the dot-files */
	uint64_t document; /* similar/: version of the document asked about */
	bool as_link;
	bool kept; /* in the list of those that hold sets, whether the kernel still knows the node or not */
	size_t hits;
	struct ranking *newer, *older;
};

/* --- the frozen sets --------------------------------------------------------------------------------------------------- */

void rankings_init(struct rankings *k)
{
	*k = (struct rankings){0};
	(void)pthread_mutex_init(&k->lock, NULL);
}

void rankings_release(struct rankings *k)
{
	(void)pthread_mutex_destroy(&k->lock);
}

/* Under the lock. */
static void unlink_ranking(struct rankings *all, struct ranking *k)
{
	*(k->newer ? &k->newer->older : &all->newest) = k->older;
	*(k->older ? &k->older->newer : &all->oldest) = k->newer;
	k->kept = false;
	all->count--;
	all->hits -= k->hits;
}

static size_t count_hits(const struct ranking *k)
{
	size_t hits = k->now.results ? corpus_results_count(k->now.results) : 0;
	for (unsigned i = 0; i < k->earlier_count; i++)
		hits += corpus_results_count(k->earlier[i].results);
	return hits;
}

/* Under the lock: as the newest. */
static void link_ranking(struct rankings *all, struct ranking *k)
{
	k->hits = count_hits(k);
	k->newer = NULL;
	k->older = all->newest;
	*(k->older ? &k->older->newer : &all->oldest) = k;
	all->newest = k;
	k->kept = true;
	all->count++;
	all->hits += k->hits;
}

/* Under the lock. */
static void keep(struct mount *m, struct ranking *k)
{
	if (k->kept)
		unlink_ranking(&m->rankings, k);
	else
		(void)node_ref(m, k->node);
	link_ranking(&m->rankings, k);
}

static void drop_sets(struct ranking *k)
{
	corpus_results_unref(k->now.results);
	k->now.results = NULL;
	while (k->earlier_count)
		corpus_results_unref(k->earlier[--k->earlier_count].results);
}

/* Takes the lock: the oldest sets go. A node that was only kept for them goes as well, for which the lock is let go. */
static void trim(struct mount *m)
{
	struct rankings *all = &m->rankings;
	(void)pthread_mutex_lock(&all->lock);
	while (all->count > 1 && (all->count > KEPT_SETS || all->hits > KEPT_HITS)) {
		struct ranking *k = all->oldest;
		unlink_ranking(all, k);
		drop_sets(k);
		(void)pthread_mutex_unlock(&all->lock);
		node_unref(m, k->node);
		(void)pthread_mutex_lock(&all->lock);
	}
	(void)pthread_mutex_unlock(&all->lock);
}

/* Its node goes, so it is in no list; or the mount ends. */
void ranking_free(struct ranking *k)
{
	if (!k)
		return;
	drop_sets(k);
	free(k);
}

/* The rank begins the name. */
static const struct corpus_hit *find_hit(const struct corpus_results *results, const char *name)
{
	unsigned long rank = strtoul(name, NULL, 10);
	const struct corpus_hit *h = rank && rank <= LIMIT_RESULTS ? corpus_results_hit(results, (uint32_t)rank - 1) : NULL;
	return h && strcmp(h->name, name) == 0 ? h : NULL;
}

/* What a folder, a dot-file or a hit is made from. */
struct shown_set {
	struct corpus_results *results; /* a reference */
	uint64_t id, serial;
};

/* Under the lock. */
static struct shown_set show_now(const struct ranking *k)
{
	return (struct shown_set){corpus_results_ref(k->now.results), k->now.id, k->serial};
}

/* The set that is frozen in a result folder; false when there is none. */
static bool frozen(struct mount *m, struct node *folder, struct shown_set *ret)
{
	(void)pthread_mutex_lock(&m->rankings.lock);
	struct ranking *k = folder->ranking;
	bool have = k->now.results != NULL;
	if (have) {
		keep(m, k);
		*ret = show_now(k);
	}
	(void)pthread_mutex_unlock(&m->rankings.lock);
	return have;
}

/* Freezes a set, which is taken over, unless somebody was faster; gives the one that is frozen. */
static struct shown_set freeze(struct mount *m, struct node *folder, struct corpus_results *results)
{
	(void)pthread_mutex_lock(&m->rankings.lock);
	struct ranking *k = folder->ranking;
	if (!k->now.results) {
		k->now = (struct frozen_set){.results = results, .id = ++m->rankings.last_id};
		k->serial++;
		results = NULL;
	}
	struct shown_set shown = show_now(k);
	keep(m, k);
	(void)pthread_mutex_unlock(&m->rankings.lock);
	corpus_results_unref(results);
	trim(m);
	return shown;
}

/* Finds the hit of this name among the sets of a folder: in the one with this id, or, with id 0, in those that were there before and have not
 * been gone for long. 0 and a set that holds it; -ESTALE. */
static int find_in_sets(struct mount *m, struct node *folder, const char *name, uint64_t id, struct shown_set *ret, const struct corpus_hit **ret_hit)
{
	int r = -ESTALE;
	time_t now = time(NULL);
	(void)pthread_mutex_lock(&m->rankings.lock);
	struct ranking *k = folder->ranking;
	for (unsigned i = 0; i <= k->earlier_count && r < 0; i++) {
		const struct frozen_set *set = i ? &k->earlier[i - 1] : &k->now;
		bool fits = id ? set->id == id : i && now - set->outdated < EARLIER_SECONDS;
		const struct corpus_hit *h = fits && set->results ? find_hit(set->results, name) : NULL;
		if (!h)
			continue;
		*ret = (struct shown_set){corpus_results_ref(set->results), set->id, k->serial};
		*ret_hit = h;
		r = 0;
	}
	(void)pthread_mutex_unlock(&m->rankings.lock);
	return r;
}

/* Version that a dot-file of the folder has: of the set that is frozen, or of the next one. */
static uint64_t form_version(struct mount *m, struct node *folder)
{
	(void)pthread_mutex_lock(&m->rankings.lock);
	uint64_t version = folder->ranking->serial + (folder->ranking->now.results == NULL);
	(void)pthread_mutex_unlock(&m->rankings.lock);
	return version;
}

static bool is_link_folder(struct mount *m, struct node *folder)
{
	(void)pthread_mutex_lock(&m->rankings.lock);
	bool link = folder->ranking->as_link;
	(void)pthread_mutex_unlock(&m->rankings.lock);
	return link;
}

/* --- result folders ------------------------------------------------------------------------------------------------------ */

struct asked {
	struct node *parent;
	const char *name;
	const struct node_facts *facts;
	uint64_t caller, document;
	bool as_link;
};

/* True when the index or the document has changed since the node was ranked; copies its sets, which then are earlier ones. */
static bool outdated(struct mount *m, struct node *n, const struct asked *a, struct ranking *successor)
{
	(void)pthread_mutex_lock(&m->rankings.lock);
	struct ranking *k = n->ranking;
	bool ranked = k && k->now.results;
	bool old = k && (k->document != a->document || (ranked && corpus_results_generation(k->now.results) != corpus_generation(m->corpus)));
	for (unsigned i = !ranked; old && i <= k->earlier_count && successor->earlier_count < EARLIER_SETS; i++) {
		struct frozen_set *set = &successor->earlier[successor->earlier_count++];
		*set = i ? k->earlier[i - 1] : k->now;
		set->outdated = i ? set->outdated : time(NULL);
		(void)corpus_results_ref(set->results);
	}
	bool kept = old && k->kept;
	if (kept)
		unlink_ranking(&m->rankings, k);
	(void)pthread_mutex_unlock(&m->rankings.lock);
	if (kept)
		node_unref(m, n); /* the caller has another reference */
	return old;
}

/* Gives a node its ranking, which is taken over, unless it has one. */
static void give_ranking(struct mount *m, struct node *n, struct ranking *k)
{
	(void)pthread_mutex_lock(&m->rankings.lock);
	if (!n->ranking) {
		n->ranking = k;
		k->node = n;
		if (k->earlier_count)
			keep(m, k);
		k = NULL;
	}
	(void)pthread_mutex_unlock(&m->rankings.lock);
	ranking_free(k);
}

static int results_node(struct mount *m, const struct asked *a, struct node **ret)
{
	struct node *n = node_find(m, a->parent, NODE_RESULTS, a->name, a->caller);
	struct ranking *k = calloc(1, sizeof(*k));
	if (!k) {
		node_unref(m, n);
		return -ENOMEM;
	}
	k->document = a->document;
	k->as_link = a->as_link;
	if (n && outdated(m, n, a, k)) {
		node_retire(m, n);
		node_unref(m, n);
		n = NULL;
	}
	int r = n ? 0 : node_get(m, a->parent, NODE_RESULTS, a->name, a->caller, a->facts, &n);
	if (r < 0) {
		ranking_free(k);
		return r;
	}
	give_ranking(m, n, k);
	*ret = n;
	return 0;
}

static void reply_results_node(struct request *r, const struct asked *a)
{
	struct found f;
	struct node *n;
	int result = results_node(r->mount, a, &n);
	if (result == 0)
		result = view_found(r->mount, n, 0, &f); /* every walk looks it up afresh */
	if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_found(r, &f);
}

/* --- questions ------------------------------------------------------------------------------------------------------------ */

static int set_option(struct corpus_query *q, const char *name)
{
	char decoded[NODE_PATH_SIZE], error[256];
	size_t size = strlen(name);
	if (size >= sizeof(decoded))
		return -EINVAL;
	(void)corpus_decode_component(name, size, decoded);
	return corpus_query_option(q, decoded, error, sizeof(error));
}

static bool is_option(const struct node *n)
{
	return n->kind == NODE_SIMILAR_OPTIONS || (n->kind == NODE_SEARCH_FOLDER && n->parent->kind != NODE_ROOT);
}

int view_options(const struct node *folder, const char *name, struct corpus_query **ret)
{
	const char *names[MAX_OPTIONS];
	size_t count = 0;
	if (name)
		names[count++] = name;
	for (const struct node *n = folder; n; n = n->parent) {
		if (!is_option(n))
			continue;
		if (count == MAX_OPTIONS)
			return -EINVAL;
		names[count++] = n->name;
	}
	struct corpus_query *q;
	int r = corpus_query_new(&q);
	if (r < 0)
		return r;
	while (count && r == 0)
		r = set_option(q, names[--count]);
	if (r < 0)
		corpus_query_free(q);
	else
		*ret = q;
	return r;
}

/* The whole question of a result folder called `name`. */
static int question_of(const struct node *parent, const char *name, struct corpus_query **ret)
{
	char decoded[NODE_PATH_SIZE];
	size_t size = strlen(name);
	if (size >= sizeof(decoded))
		return -ENAMETOOLONG;
	size = corpus_decode_component(name, size, decoded);
	struct corpus_query *q;
	int r = view_options(parent, NULL, &q);
	if (r < 0)
		return r;
	r = corpus_query_text(q, decoded, size);
	if (r < 0)
		corpus_query_free(q);
	else
		*ret = q;
	return r;
}

void view_look_similar(struct request *r, const struct corpus_look *look)
{
	struct caller caller;
	struct corpus_query *q;
	int result = view_options(r->node, NULL, &q);
	if (result < 0) {
		request_reply_error(r, result);
		return;
	}
	bool as_link = corpus_query_as_link(q);
	corpus_query_free(q);
	request_caller(r, &caller);
	struct node_facts facts = {.source = &look->source, .mode = attributes_folder_mode(look->source.st_mode)};
	reply_results_node(r, &(struct asked){.parent = r->node,
					      .name = r->name,
					      .facts = &facts,
					      .caller = caller.hash,
					      .document = look->version,
					      .as_link = as_link});
}

/* --- search/ and folders of options ---------------------------------------------------------------------------------------- */

static void look_option(struct request *r)
{
	struct mount *m = r->mount;
	struct corpus_query *q;
	static const struct node_facts none = {0};
	struct node *n;
	struct found f;
	int result = view_options(r->node, r->name, &q);
	if (result == 0) {
		corpus_query_free(q);
		result = node_get(m, r->node, NODE_SEARCH_FOLDER, r->name, 0, &none, &n);
	}
	if (result == 0)
		result = view_found(m, n, TIMEOUT_FOREVER, &f);
	if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_found(r, &f);
}

static void look_query(struct request *r)
{
	struct mount *m = r->mount;
	struct corpus_query *q;
	struct stat st;
	int result = question_of(r->node, r->name, &q);
	if (result == 0)
		result = corpus_stat(m->corpus, "", &st);
	if (result < 0) {
		request_reply_error(r, result);
		return;
	}
	bool as_link = corpus_query_as_link(q);
	corpus_query_free(q);
	struct caller caller;
	request_caller(r, &caller);
	(void)clock_gettime(CLOCK_REALTIME, &st.st_mtim);
	struct node_facts facts = {.source = &st, .mode = attributes_folder_mode(st.st_mode)};
	reply_results_node(r, &(struct asked){.parent = r->node, .name = r->name, .facts = &facts, .caller = caller.hash, .as_link = as_link});
}

static void search_look(struct request *r)
{
	struct found f;
	if (strcmp(r->name, "README.txt") == 0) {
		int result = view_readme(r->mount, r->node, &f);
		if (result < 0)
			request_reply_error(r, result);
		else
			request_reply_found(r, &f);
	} else if (r->name[0] == '.') {
		request_reply_never(r); /* what tools probe for: .git, .Trash, .hidden */
	} else if (r->name[0] == '@') {
		look_option(r);
	} else {
		look_query(r);
	}
}

static int search_entry(struct mount *m, struct folder *f, size_t *index, bool want, struct listed *ret)
{
	if (*index)
		return 0;
	++*index;
	*ret = (struct listed){.name = "README.txt", .type = S_IFREG};
	ret->ino = node_child_ino(f->node, ret->name);
	int r = want ? view_readme(m, f->node, &ret->found) : 0;
	return r < 0 ? r : 1;
}

const struct node_type search_folder_type = {.look = search_look, .stat = view_top_stat, .open_folder = view_open_fixed_folder, .entry = search_entry};

/* --- ranking ---------------------------------------------------------------------------------------------------------------- */

/* Goes on with the set of a result folder, now or when it was made. */
static void with_results(struct request *r, struct node *folder, void (*go_on)(struct request *, struct shown_set),
			 void (*then)(struct request *, int, void *))
{
	struct mount *m = r->mount;
	struct caller caller;
	struct shown_set set;
	request_caller(r, &caller);
	if (caller.hash != folder->version) {
		request_reply_error(r, -ESTALE); /* another user's: looked up again, it is this one's */
		return;
	}
	if (frozen(m, folder, &set)) {
		go_on(r, set);
		return;
	}
	struct corpus_query *q;
	char path[NODE_PATH_SIZE];
	bool similar = folder->view == VIEW_SIMILAR;
	int result = similar ? node_path(folder, path) : 0;
	if (result == 0)
		result = similar ? view_options(folder, NULL, &q) : question_of(folder->parent, folder->name, &q);
	if (result < 0) {
		request_reply_error(r, result);
		return;
	}
	/* Both copy it. */
	if (similar)
		request_similar(r, path, q, &caller, then);
	else
		request_search(r, q, &caller, then);
	corpus_query_free(q);
}

/* --- the result folder -------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum corpus_form form;
} forms[] = {
	{".results.jsonl", CORPUS_RESULTS_JSONL},
	{".results.json", CORPUS_RESULTS_JSON},
	{".context.md", CORPUS_CONTEXT_MD},
	{".explain.json", CORPUS_EXPLAIN_JSON},
};
enum { FORM_COUNT = sizeof(forms) / sizeof(*forms) };

static int kept_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	(void)m;
	bool exact = atomic_load(&n->exact); /* before the size, which is set first */
	attributes_of(n, ret);
	*ret_timeout = exact || S_ISDIR(n->mode) ? TIMEOUT_FOREVER : 0;
	return 0;
}

/* The kernel must not show one user what another found. */
static double entry_timeout(const struct mount *m)
{
	return m->options->allow_other ? 0 : HIT_TIMEOUT;
}

static int form_child(struct mount *m, struct node *folder, const char *name, uint64_t version, struct found *ret)
{
	struct stat st;
	attributes_of(folder, &st);
	struct node_facts facts = {.source = &st, .mode = attributes_file_mode(st.st_mode & 0444), .size = FORM_ESTIMATE};
	struct node *n;
	int r = node_get(m, folder, NODE_FORM, name, version, &facts, &n);
	return r < 0 ? r : view_found(m, n, entry_timeout(m), ret);
}

static int link_target(const struct node *folder, const struct corpus_hit *h, char *out, size_t size)
{
	char ups[3 * (MAX_OPTIONS + 3) + 1] = "";
	size_t at = 0;
	for (const struct node *n = folder; n->parent && at + 3 < sizeof(ups); n = n->parent, at += 3)
		memcpy(ups + at, "../", 4);
	char chunk[NAMES_CHUNK_SIZE];
	names_chunk(h->chunk, chunk);
	return snprintf(out, size, "%schunks/%s/%s", ups, h->path, chunk);
}

static int hit_child(struct mount *m, struct node *folder, const struct corpus_hit *h, uint64_t version, struct found *ret)
{
	bool link = is_link_folder(m, folder);
	struct node_facts facts = {
		.source = &h->source, .mode = link ? S_IFLNK | 0777 : attributes_file_mode(h->source.st_mode), .size = h->text_size, .exact = true};
	char target[NODE_PATH_SIZE];
	if (link)
		facts.size = (uint64_t)link_target(folder, h, target, sizeof(target));
	struct node *n;
	int r = node_get(m, folder, NODE_HIT, h->name, version, &facts, &n);
	return r < 0 ? r : view_found(m, n, entry_timeout(m), ret);
}

static void look_in_results(struct request *r, struct shown_set set)
{
	struct mount *m = r->mount;
	struct found f;
	const struct corpus_hit *h = find_hit(set.results, r->name);
	int result = 0;
	if (!h) {
		corpus_results_unref(set.results);
		set.results = NULL;
		result = find_in_sets(m, r->node, r->name, 0, &set, &h) < 0 ? -ENOENT : 0;
	}
	if (result == 0)
		result = hit_child(m, r->node, h, set.id, &f);
	corpus_results_unref(set.results);
	if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_found(r, &f);
}

static void look_ready(struct request *r, int result, void *object)
{
	if (result < 0)
		request_reply_error(r, result);
	else
		look_in_results(r, freeze(r->mount, r->node, object));
}

static void results_look(struct request *r)
{
	struct mount *m = r->mount;
	struct found f;
	for (size_t i = 0; i < FORM_COUNT; i++) {
		if (strcmp(r->name, forms[i].name) != 0)
			continue;
		int result = form_child(m, r->node, r->name, form_version(m, r->node), &f);
		if (result < 0)
			request_reply_error(r, result);
		else
			request_reply_found(r, &f);
		return;
	}
	if (names_may_be_hit(r->name))
		with_results(r, r->node, look_in_results, look_ready);
	else
		request_reply_never(r);
}

static void open_results(struct request *r, struct shown_set set)
{
	struct folder *f = folder_new(r->mount, r->node);
	if (!f) {
		corpus_results_unref(set.results);
		request_reply_error(r, -ENOMEM);
		return;
	}
	f->results = set.results;
	f->id = set.id;
	f->serial = set.serial;
	request_reply_folder(r, f, false);
}

static void open_ready(struct request *r, int result, void *object)
{
	if (result < 0)
		request_reply_error(r, result);
	else
		open_results(r, freeze(r->mount, r->node, object));
}

static void results_open(struct request *r)
{
	with_results(r, r->node, open_results, open_ready);
}

static int results_entry(struct mount *m, struct folder *f, size_t *index, bool want, struct listed *ret)
{
	size_t i = *index;
	const struct corpus_hit *h = i < FORM_COUNT ? NULL : corpus_results_hit(f->results, (uint32_t)(i - FORM_COUNT));
	if (i >= FORM_COUNT && !h)
		return 0;
	++*index;
	*ret = (struct listed){.name = h ? h->name : forms[i].name, .type = h && is_link_folder(m, f->node) ? S_IFLNK : S_IFREG};
	ret->ino = node_child_ino(f->node, ret->name);
	if (!want)
		return 1;
	int r = h ? hit_child(m, f->node, h, f->id, &ret->found) : form_child(m, f->node, ret->name, f->serial, &ret->found);
	return r < 0 ? r : 1;
}

const struct node_type results_type = {.look = results_look, .stat = kept_stat, .open_folder = results_open, .entry = results_entry};

/* --- dot-files ------------------------------------------------------------------------------------------------------------------ */

static void open_form(struct request *r, struct shown_set set)
{
	struct node *n = r->node;
	struct corpus_blob *blob;
	size_t i = 0;
	while (i + 1 < FORM_COUNT && strcmp(n->name, forms[i].name) != 0)
		i++;
	int result = set.serial == n->version ? corpus_results_blob(set.results, forms[i].form, &blob) : -ESTALE;
	corpus_results_unref(set.results);
	if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_open(r, content_new(r->mount, n, blob, NULL, -1));
}

static void form_ready(struct request *r, int result, void *object)
{
	if (result < 0)
		request_reply_error(r, result);
	else
		open_form(r, freeze(r->mount, r->node->parent, object));
}

static void form_open(struct request *r)
{
	with_results(r, r->node->parent, open_form, form_ready);
}

const struct node_type form_type = {.stat = kept_stat, .open = form_open};

/* --- hits ------------------------------------------------------------------------------------------------------------------------- */

/* The hit that a node stands for; *ret_results keeps it alive. -ESTALE when its set has gone: looked up again, it is ranked again. */
static int hit_of(struct mount *m, struct node *n, struct corpus_results **ret_results, const struct corpus_hit **ret)
{
	struct shown_set set = {0};
	int r = find_in_sets(m, n->parent, n->name, n->version, &set, ret);
	*ret_results = set.results;
	return r;
}

static void hit_open(struct request *r)
{
	struct corpus_results *results;
	const struct corpus_hit *h;
	int result = hit_of(r->mount, r->node, &results, &h);
	if (result < 0) {
		request_reply_error(r, result);
		return;
	}
	const char *text = h->text;
	size_t size = h->text_size;
	struct content *c = content_new(r->mount, r->node, NULL, results, -1);
	if (c) {
		c->text = text;
		c->size = size;
	}
	request_reply_open(r, c);
}

static int hit_link(struct mount *m, struct node *n, char out[NODE_PATH_SIZE])
{
	struct corpus_results *results;
	const struct corpus_hit *h;
	int r = hit_of(m, n, &results, &h);
	if (r < 0)
		return r;
	r = link_target(n->parent, h, out, NODE_PATH_SIZE) < NODE_PATH_SIZE ? 0 : -ENAMETOOLONG;
	corpus_results_unref(results);
	return r;
}

enum fact { FACT_PATH, FACT_CHUNK, FACT_SCORE, FACT_BM25, FACT_COSINE, FACT_BYTES, FACT_LINES, FACT_PAGE, FACT_HEADING, FACT_DEGRADED, FACT_COUNT };
static const char *const fact_names[FACT_COUNT] = {
	[FACT_PATH] = "user.corpusfs.path",	[FACT_CHUNK] = "user.corpusfs.chunk",	[FACT_SCORE] = "user.corpusfs.score",
	[FACT_BM25] = "user.corpusfs.bm25",	[FACT_COSINE] = "user.corpusfs.cosine", [FACT_BYTES] = "user.corpusfs.bytes",
	[FACT_LINES] = "user.corpusfs.lines",	[FACT_PAGE] = "user.corpusfs.page",	[FACT_HEADING] = "user.corpusfs.heading",
	[FACT_DEGRADED] = "user.corpusfs.degraded",
};

static bool has_fact(const struct corpus_results *results, const struct corpus_hit *h, enum fact fact)
{
	if (fact == FACT_DEGRADED)
		return corpus_results_degraded(results);
	return fact == FACT_COSINE ? !isnan(h->cosine) : fact == FACT_PAGE ? h->page != 0 : fact == FACT_HEADING ? *h->heading != '\0' : true;
}

static void add_fact(const struct corpus_results *results, const struct corpus_hit *h, enum fact fact, struct buf *out)
{
	switch (fact) {
	case FACT_PATH:
		buf_add_string(out, h->path);
		break;
	case FACT_CHUNK:
		buf_addf(out, "%u", h->chunk);
		break;
	case FACT_SCORE:
		buf_addf(out, "%.7g", (double)h->score);
		break;
	case FACT_BM25:
		buf_addf(out, "%.7g", (double)h->bm25);
		break;
	case FACT_COSINE:
		buf_addf(out, "%.7g", (double)h->cosine);
		break;
	case FACT_BYTES:
		buf_addf(out, "%llu-%llu", (unsigned long long)h->first, (unsigned long long)h->end);
		break;
	case FACT_LINES:
		buf_addf(out, "%u-%u", h->line_first, h->line_last);
		break;
	case FACT_PAGE:
		buf_addf(out, "%u", h->page);
		break;
	case FACT_HEADING:
		buf_add_string(out, h->heading);
		break;
	case FACT_DEGRADED:
		buf_add_string(out, corpus_results_degraded_reason(results));
		break;
	case FACT_COUNT:
		break;
	}
}

static int hit_attribute(struct mount *m, struct node *n, const char *name, struct buf *out)
{
	struct corpus_results *results;
	const struct corpus_hit *h;
	enum fact fact = FACT_PATH;
	while (name && fact < FACT_COUNT && strcmp(name, fact_names[fact]) != 0)
		fact++;
	if (fact == FACT_COUNT || S_ISLNK(n->mode))
		return name ? -ENODATA : 0;
	int r = hit_of(m, n, &results, &h);
	if (r < 0)
		return r;
	if (name && has_fact(results, h, fact))
		add_fact(results, h, fact, out);
	else if (name)
		r = -ENODATA;
	for (fact = FACT_PATH; !name && fact < FACT_COUNT; fact++)
		if (has_fact(results, h, fact))
			buf_add(out, fact_names[fact], strlen(fact_names[fact]) + 1);
	corpus_results_unref(results);
	return r < 0 ? r : buf_error(out);
}

const struct node_type hit_type = {.stat = kept_stat, .open = hit_open, .read_link = hit_link, .attribute = hit_attribute};
