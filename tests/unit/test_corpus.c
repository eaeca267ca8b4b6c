/* The library as a client sees it: documents got, shared, cancelled; changes followed; searches frozen, filtered, degraded; whole-corpus work. */
#include "tap.h"

#include "corpusfs.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/corpusfs-corpus-XXXXXX";
static char source[64], store[64];

static void put(const char *path, const char *text)
{
	char full[4096];
	(void)snprintf(full, sizeof(full), "%s/%s", source, path);
	FILE *f = fopen(full, "w");
	if (!f || fputs(text, f) < 0)
		abort();
	(void)fclose(f);
}

static void run(const char *command)
{
	char full[4096];
	(void)snprintf(full, sizeof(full), "cd '%s' && %s", source, command);
	if (system(full) != 0)
		abort();
}

static void print_log(void *context, int priority, const char *line)
{
	(void)context;
	(void)priority;
	printf("# log: %s\n", line);
}

static struct corpus *open_corpus(enum corpus_access access, unsigned deadline_ms, bool no_index)
{
	struct corpus_options options = {.source = source, .store = store, .access = access, .threads = 2, .deadline_ms = deadline_ms,
					 .no_index = no_index, .log = print_log};
	struct corpus *c = NULL;
	char error[512] = "";
	int r = corpus_open(&options, &c, error, sizeof(error));
	if (r < 0)
		printf("# corpus_open: %d %s\n", r, error);
	return c;
}

/* --- waiting in a test ---------------------------------------------------------------------------------------------- */

struct blocking {
	struct corpus_wait wait; /* first member */
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	int calls, result;
	void *object;
};

static void blocking_done(struct corpus_wait *wait, int result, void *object)
{
	struct blocking *b = (struct blocking *)wait;
	(void)pthread_mutex_lock(&b->lock);
	b->calls++;
	b->result = result;
	b->object = object;
	(void)pthread_cond_signal(&b->arrived);
	(void)pthread_mutex_unlock(&b->lock);
}

static void blocking_init(struct blocking *b)
{
	*b = (struct blocking){.wait = {.done = blocking_done}};
	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_cond_init(&b->arrived, NULL);
}

static int blocking_wait(struct blocking *b, void **ret)
{
	(void)pthread_mutex_lock(&b->lock);
	while (!b->calls)
		(void)pthread_cond_wait(&b->arrived, &b->lock);
	(void)pthread_mutex_unlock(&b->lock);
	*ret = b->object;
	return b->result;
}

static int get(struct corpus *c, const char *path, enum corpus_view view, struct corpus_doc **ret)
{
	struct blocking b;
	blocking_init(&b);
	int r = corpus_get(c, path, view, &b.wait, ret);
	return r == -EINPROGRESS ? blocking_wait(&b, (void **)ret) : r;
}

/* The bytes of a view as a string the caller frees, or NULL. */
static char *text_of(struct corpus *c, const char *path, enum corpus_view view, uint32_t chunk)
{
	struct corpus_doc *d = NULL;
	struct corpus_blob *blob = NULL;
	char *text = NULL;
	if (get(c, path, view, &d) == 0 && corpus_doc_blob(d, view, chunk, &blob) == 0) {
		text = strndup(corpus_blob_data(blob), corpus_blob_size(blob));
		corpus_blob_unref(blob);
	}
	corpus_doc_unref(d);
	return text;
}

static bool text_is(struct corpus *c, const char *path, const char *expected)
{
	char *text = text_of(c, path, CORPUS_CLEAN, 0);
	bool same = text && strcmp(text, expected) == 0;
	if (!same)
		printf("# %s: got %s\n", path, text ? text : "nothing");
	free(text);
	return same;
}

static struct corpus_results *search(struct corpus *c, const char *query, const char *option, const struct corpus_caller *caller)
{
	struct corpus_query *q;
	struct blocking b;
	void *results = NULL;
	char error[200];
	blocking_init(&b);
	if (corpus_query_new(&q) < 0 || corpus_query_text(q, query, strlen(query)) < 0 ||
	    (option && corpus_query_option(q, option, error, sizeof(error)) < 0))
		abort();
	int r = corpus_search(c, q, caller, &b.wait);
	corpus_query_free(q);
	r = r == -EINPROGRESS ? blocking_wait(&b, &results) : r;
	return r == 0 ? results : NULL;
}

/* The paths found, in order, each followed by a blank. */
static void found(struct corpus *c, const char *query, const char *option, const struct corpus_caller *caller, char *paths, size_t size)
{
	struct corpus_results *r = search(c, query, option, caller);
	size_t n = 0;
	paths[0] = '\0';
	for (uint32_t i = 0; r && i < corpus_results_count(r) && n < size; i++)
		n += (size_t)snprintf(paths + n, size - n, "%s ", corpus_results_hit(r, i)->path);
	corpus_results_unref(r);
}

static bool complete(struct corpus *c)
{
	struct corpus_blob *blob;
	if (corpus_report(c, CORPUS_STATUS_JSON, NULL, &blob) < 0)
		return false;
	bool is = strstr(corpus_blob_data(blob), "\"complete\":true") != NULL;
	corpus_blob_unref(blob);
	return is;
}

static bool wait_complete(struct corpus *c)
{
	for (int i = 0; i < 3000; i++) {
		if (complete(c))
			return true;
		(void)usleep(10000);
	}
	return false;
}

/* Repeats a search until it finds exactly these paths; changes are followed in the background. */
static bool finds(struct corpus *c, const char *query, const char *expected)
{
	char paths[1000] = "";
	for (int i = 0; i < 1000; i++) {
		found(c, query, "@mode=keyword", NULL, paths, sizeof(paths));
		if (strcmp(paths, expected) == 0)
			return true;
		(void)usleep(10000);
	}
	printf("# %s: found %s instead of %s\n", query, paths, expected);
	return false;
}

static uint64_t metric(struct corpus *c, const char *name)
{
	struct corpus_blob *blob;
	char key[100];
	uint64_t value = 0;
	if (corpus_report(c, CORPUS_METRICS, NULL, &blob) < 0)
		return 0;
	(void)snprintf(key, sizeof(key), "\ncorpusfs_%s ", name);
	const char *at = strstr(corpus_blob_data(blob), key);
	if (at)
		value = strtoull(at + strlen(key), NULL, 10);
	corpus_blob_unref(blob);
	return value;
}

/* --- cases ---------------------------------------------------------------------------------------------------------- */

static void documents(struct corpus *c)
{
	struct corpus_look look;
	CHECK(corpus_look(c, "a.txt", CORPUS_CLEAN, &look) == 0 && look.has_text && look.size > 0);
	CHECK(corpus_look(c, "nothing", CORPUS_CLEAN, &look) == -ENOENT);
	CHECK(corpus_look(c, "sub", CORPUS_CLEAN, &look) == -EISDIR);
	CHECK(corpus_look(c, "link", CORPUS_CLEAN, &look) == -EINVAL);
	CHECK(text_is(c, "a.txt", "The quick brown fox.\n"));
	CHECK(corpus_look(c, "a.txt", CORPUS_CLEAN, &look) == 0 && look.exact && look.size == 21);
	char *chunk = text_of(c, "a.txt", CORPUS_CHUNKS, 0);
	CHECK(chunk && strcmp(chunk, "The quick brown fox.\n") == 0);
	free(chunk);
	CHECK(text_of(c, "a.txt", CORPUS_CHUNKS, 1) == NULL);
	char *npy = text_of(c, "a.txt", CORPUS_VECTORS, 0);
	CHECK(npy && memcmp(npy, "\x93NUMPY", 6) == 0);
	free(npy);
	char *meta = text_of(c, "a.txt", CORPUS_META, 0);
	CHECK(meta && strstr(meta, "\"state\":\"ok\"") && strstr(meta, "\"chunk\":1"));
	CHECK(corpus_look(c, "a.txt", CORPUS_META, &look) == 0 && look.exact && look.size == strlen(meta));
	free(meta);
	struct corpus_doc *d = NULL;
	CHECK(get(c, "photo.png", CORPUS_CLEAN, &d) == -ENOTSUP);
	meta = text_of(c, "photo.png", CORPUS_META, 0);
	CHECK(meta && strstr(meta, "\"state\":\"skipped\"") && strstr(meta, "\"message\""));
	free(meta);
	meta = text_of(c, ".env", CORPUS_META, 0);
	CHECK(meta && strstr(meta, "\"code\":\"secret\"") && !strstr(meta, "hunter2"));
	free(meta);
	CHECK(get(c, ".env", CORPUS_CLEAN, &d) == -ENOTSUP);
	CHECK(text_is(c, "empty.txt", ""));
}

static void changes(struct corpus *c)
{
	CHECK(wait_complete(c));
	CHECK(finds(c, "fox", "a.txt "));
	uint64_t embedded = metric(c, "embedded_chunks_total");
	run("mv a.txt renamed.txt");
	CHECK(finds(c, "fox", "renamed.txt "));
	CHECK_NAMED(metric(c, "embedded_chunks_total") == embedded, "a rename embeds nothing");
	CHECK(text_of(c, "a.txt", CORPUS_CLEAN, 0) == NULL);
	run("cp renamed.txt copy.txt");
	CHECK(finds(c, "fox", "copy.txt "));
	CHECK_NAMED(metric(c, "embedded_chunks_total") == embedded, "a copy embeds nothing");
	put("copy.txt", "Entirely about walruses.\n");
	CHECK(text_is(c, "copy.txt", "Entirely about walruses.\n"));
	CHECK(finds(c, "walruses", "copy.txt "));
	CHECK(finds(c, "fox", "renamed.txt "));
	embedded = metric(c, "embedded_chunks_total");
	run("rm copy.txt");
	CHECK(finds(c, "walruses", ""));
	put("again.txt", "Entirely about walruses.\n");
	CHECK(finds(c, "walruses", "again.txt "));
	CHECK_NAMED(metric(c, "embedded_chunks_total") == embedded, "a revert embeds nothing");
	put(".corpusfsignore", "again.txt\n");
	CHECK(finds(c, "walruses", ""));
	run("rm .corpusfsignore");
	CHECK(finds(c, "walruses", "again.txt "));
	run("rm again.txt && mv renamed.txt a.txt");
	CHECK(finds(c, "fox", "a.txt "));
}

static void searching(struct corpus *c)
{
	char paths[1000];
	CHECK(wait_complete(c));
	struct corpus_results *r = search(c, "parental leave", NULL, NULL);
	if (CHECK(r && corpus_results_count(r) >= 1)) {
		const struct corpus_hit *h = corpus_results_hit(r, 0);
		CHECK(strcmp(h->path, "sub/leave.md") == 0 && h->rank == 1 && h->chunk >= 1);
		CHECK(strstr(h->text, "sixteen weeks") && strstr(h->heading, "Parental leave"));
		CHECK(isfinite(h->cosine) && h->bm25 > 0 && h->score > 0);
		CHECK_NAMED(strncmp(h->name, "01-leave.md-000", 15) == 0, "named %s", h->name);
		CHECK(!corpus_results_degraded(r));
		CHECK(corpus_results_hit(r, corpus_results_count(r)) == NULL);
		struct corpus_blob *blob = NULL;
		for (enum corpus_form form = CORPUS_RESULTS_JSONL; form <= CORPUS_EXPLAIN_JSON; form++) {
			CHECK(corpus_results_blob(r, form, &blob) == 0 && corpus_blob_size(blob) > 20);
			corpus_blob_unref(blob);
		}
	}
	corpus_results_unref(r);
	found(c, "leave", "@in=sub", NULL, paths, sizeof(paths));
	CHECK(strstr(paths, "sub/") == paths && !strstr(paths, " b.txt"));
	found(c, "leave", "@type=txt", NULL, paths, sizeof(paths));
	CHECK(!strstr(paths, ".md"));
	found(c, "leave", "@in=nowhere", NULL, paths, sizeof(paths));
	CHECK(strcmp(paths, "") == 0);
	found(c, "leave", "@since=2099-01-01", NULL, paths, sizeof(paths));
	CHECK(strcmp(paths, "") == 0);
	found(c, "xyzzyplugh", "@mode=keyword", NULL, paths, sizeof(paths));
	CHECK(strcmp(paths, "") == 0);
	struct blocking b;
	void *similar = NULL;
	blocking_init(&b);
	CHECK(corpus_similar(c, "sub/leave.md", NULL, NULL, &b.wait) == -EINPROGRESS && blocking_wait(&b, &similar) == 0);
	for (uint32_t i = 0; similar && i < corpus_results_count(similar); i++)
		CHECK(strcmp(corpus_results_hit(similar, i)->path, "sub/leave.md") != 0);
	corpus_results_unref(similar);
}

/* A chunk is found by the words of the headings above it, and its vector tells of them, while its text stays its own. */
static void headings(struct corpus *c)
{
	static const char sentence[] = "The valve is opened by a quarter turn, then the gauge is read and the reading noted in the book by the door. ";
	char text[8000] = "# Manual\n\n## Xylophones\n\n", paths[1000];
	for (int i = 0; i < 20; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", sentence, i % 5 == 4 ? "\n\n" : "");
	put("sub/manual.md", text);
	CHECK(finds(c, "xylophones", "sub/manual.md sub/manual.md sub/manual.md "));
	char *second = text_of(c, "sub/manual.md", CORPUS_CHUNKS, 1), *before = NULL, *after = NULL;
	CHECK(second && !strstr(second, "Xylophone"));
	free(second);
	/* A phrase is one of the text, and the text below does not have it. */
	found(c, "\"xylophones the valve\"", "@mode=keyword", NULL, paths, sizeof(paths));
	CHECK_NAMED(strcmp(paths, "sub/manual.md ") == 0, "a phrase over heading and text is found where it stands: %s", paths);
	struct corpus_doc *d = NULL;
	struct corpus_blob *blob = NULL;
	size_t row = 256 * sizeof(float), place = 128 + row;
	if (CHECK(get(c, "sub/manual.md", CORPUS_VECTORS, &d) == 0 && corpus_doc_blob(d, CORPUS_VECTORS, 0, &blob) == 0)) {
		before = malloc(row);
		CHECK(before && corpus_blob_size(blob) >= place + row && memcpy(before, corpus_blob_data(blob) + place, row));
	}
	corpus_blob_unref(blob);
	corpus_doc_unref(d);
	memcpy(strstr(text, "Xylophones"), "Ledgers   ", 10);
	put("sub/manual.md", text);
	CHECK(finds(c, "ledgers", "sub/manual.md sub/manual.md sub/manual.md "));
	CHECK(finds(c, "xylophones", ""));
	d = NULL, blob = NULL;
	if (CHECK(get(c, "sub/manual.md", CORPUS_VECTORS, &d) == 0 && corpus_doc_blob(d, CORPUS_VECTORS, 0, &blob) == 0)) {
		after = malloc(row);
		CHECK(after && corpus_blob_size(blob) >= place + row && memcpy(after, corpus_blob_data(blob) + place, row));
	}
	corpus_blob_unref(blob);
	corpus_doc_unref(d);
	CHECK_NAMED(before && after && memcmp(before, after, row) != 0, "equal text under another heading has another vector");
	free(before);
	free(after);
	run("rm sub/manual.md");
	CHECK(finds(c, "ledgers", ""));
}

static bool explains(struct corpus *c, const char *query, const struct corpus_caller *caller, const char *expected)
{
	struct corpus_results *r = search(c, query, NULL, caller);
	struct corpus_blob *blob = NULL;
	bool there = r && corpus_results_blob(r, CORPUS_EXPLAIN_JSON, &blob) == 0 && strstr(corpus_blob_data(blob), expected);
	corpus_blob_unref(blob);
	corpus_results_unref(r);
	return there;
}

/* path: and title: words, and typing errors. */
static void asking(struct corpus *c)
{
	char paths[1000];
	found(c, "leave path:SUB", NULL, NULL, paths, sizeof(paths));
	CHECK_NAMED(strstr(paths, "sub/") == paths && !strstr(paths, " b.txt"), "path: gives %s", paths);
	found(c, "leave -path:sub/", NULL, NULL, paths, sizeof(paths));
	CHECK_NAMED(*paths && !strstr(paths, "sub/"), "-path: gives %s", paths);
	found(c, "path:*.md", "@mode=keyword", NULL, paths, sizeof(paths));
	CHECK_NAMED(strcmp(paths, "sub/leave.md ") == 0, "a glob alone gives %s", paths);
	found(c, "path:*.md -nine", "@mode=vector", NULL, paths, sizeof(paths));
	CHECK_NAMED(strcmp(paths, "") == 0, "less an excluded word %s", paths);
	found(c, "employee title:LEAVE", "@mode=keyword", NULL, paths, sizeof(paths));
	CHECK_NAMED(strcmp(paths, "sub/leave.md ") == 0, "title: gives %s", paths);
	found(c, "leave title:\"the harbour\"", "@mode=keyword", NULL, paths, sizeof(paths));
	CHECK_NAMED(strcmp(paths, "sub/other.txt ") == 0, "a title's words give %s", paths);
	found(c, "noon -title:holidays", "@mode=keyword", NULL, paths, sizeof(paths));
	CHECK_NAMED(strcmp(paths, "sub/other.txt ") == 0, "-title: gives %s", paths);

	found(c, "harbuor", "@mode=keyword", NULL, paths, sizeof(paths));
	CHECK_NAMED(strcmp(paths, "sub/other.txt ") == 0, "a typing error finds %s", paths);
	CHECK(explains(c, "Harbuor", NULL, "\"corrections\":[{\"typed\":\"Harbuor\",\"searched\":\"harbour\"}]"));
	CHECK_NAMED(explains(c, "timetabels trains", NULL, "\"searched\":\"timetables\""), "a word that is not its stem is looked for in the documents");
	CHECK(!explains(c, "harbour", NULL, "corrections"));
	CHECK_NAMED(!explains(c, "\"harbuor\"", NULL, "corrections"), "what is quoted is meant");
	CHECK_NAMED(!explains(c, "harb0ur harbour_s", NULL, "corrections"), "so is what is no plain word");
	CHECK_NAMED(!explains(c, "brains", NULL, "corrections"), "a word that the model knows is not taken for another");
	CHECK_NAMED(!explains(c, "leave.mdd -harbuor", NULL, "harbour"), "nor what is excluded");
}

static void permissions(struct corpus *c)
{
	if (geteuid() != 0) {
		tap_skip("permissions of other users: not root");
		return;
	}
	char paths[1000];
	gid_t groups[] = {5555};
	struct corpus_caller stranger = {.uid = 4444, .gid = 4444}, member = {4444, 4444, groups, 1, false};
	put("secret.txt", "The zebra is hidden.\n");
	run("chmod 640 secret.txt && chgrp 5555 secret.txt && chmod 755 .");
	CHECK(finds(c, "zebra", "secret.txt "));
	found(c, "zebra", "@mode=keyword", &stranger, paths, sizeof(paths));
	CHECK(strcmp(paths, "") == 0);
	found(c, "zebra", "@mode=keyword", &member, paths, sizeof(paths));
	CHECK(strcmp(paths, "secret.txt ") == 0);
	/* What stands in a document that he may not read is no correction for him, and not known to him either. */
	static const char hint[] = "corrections";
	CHECK_NAMED(explains(c, "zebrra", NULL, hint) && explains(c, "zebrra", &member, hint), "a typing error is corrected for who may read the word");
	CHECK_NAMED(!explains(c, "zebrra", &stranger, hint), "and not for who may not");
	put("zebre.txt", "Le zebre est ici.\n");
	CHECK(finds(c, "zebre", "zebre.txt "));
	found(c, "zebra", "@mode=keyword", &stranger, paths, sizeof(paths));
	CHECK_NAMED(strcmp(paths, "zebre.txt ") == 0 || strcmp(paths, "") == 0, "a hidden word is as an unknown one: %s", paths);
	run("rm zebre.txt");
	run("mkdir -p closed && chmod 711 closed && mkdir -p closed/shut && chmod 700 closed/shut");
	put("closed/shut/x.txt", "A lonely okapi.\n");
	run("chmod 644 closed/shut/x.txt");
	CHECK(finds(c, "okapi", "closed/shut/x.txt "));
	found(c, "okapi", "@mode=keyword", &stranger, paths, sizeof(paths));
	CHECK(strcmp(paths, "") == 0);
	run("chmod 755 closed/shut");
	found(c, "okapi", "@mode=keyword", &stranger, paths, sizeof(paths));
	CHECK(strcmp(paths, "closed/shut/x.txt ") == 0);
	/* Root by name alone, and with a root's rights. */
	struct corpus_caller name_only = {.uid = 0}, root = {.uid = 0, .everything = true};
	run("chmod 600 secret.txt && chown 4445 secret.txt");
	found(c, "zebra", "@mode=keyword", &name_only, paths, sizeof(paths));
	CHECK(strcmp(paths, "") == 0);
	found(c, "zebra", "@mode=keyword", &root, paths, sizeof(paths));
	CHECK(strcmp(paths, "secret.txt ") == 0);
	run("rm -r closed secret.txt");
}

/* Many wait for one document; some leave. Every wait ends exactly once. */
static void sharing(struct corpus *c)
{
	enum { WAITERS = 64 };
	static struct blocking b[WAITERS];
	static char text[200000];
	for (size_t i = 0; i + 20 < sizeof(text); i += 20)
		memcpy(text + i, "many words in there\n", 20);
	put("shared.txt", text);
	uint64_t before = metric(c, "extractions_total");
	int cancelled = 0, served = 0, at_once = 0;
	bool waiting[WAITERS];
	for (int i = 0; i < WAITERS; i++) {
		struct corpus_doc *d = NULL;
		blocking_init(&b[i]);
		int r = corpus_get(c, "shared.txt", CORPUS_CLEAN, &b[i].wait, &d);
		at_once += r == 0;
		waiting[i] = r == -EINPROGRESS;
		corpus_doc_unref(d);
	}
	for (int i = 0; i < WAITERS; i += 3)
		if (waiting[i] && corpus_cancel(c, &b[i].wait)) {
			waiting[i] = false;
			cancelled++;
		}
	for (int i = 0; i < WAITERS; i++)
		if (waiting[i]) {
			void *d;
			served += blocking_wait(&b[i], &d) == 0;
			corpus_doc_unref(d);
			CHECK(!corpus_cancel(c, &b[i].wait));
		}
	CHECK_NAMED(cancelled + served + at_once == WAITERS, "%d cancelled, %d served, %d at once", cancelled, served, at_once);
	CHECK(metric(c, "extractions_total") - before <= 1);
}

static void whole(void)
{
	struct corpus *c = open_corpus(CORPUS_BATCH, 0, true);
	struct corpus_index_summary s;
	char error[200];
	uint64_t checked;
	if (!CHECK(c != NULL))
		return;
	(void)sleep(3); /* a file is not taken for unchanged while a second change could carry the same stamp */
	CHECK(corpus_index(c, NULL, NULL, &s, error, sizeof(error)) == 0);
	CHECK(s.files == s.unchanged + s.computed + s.skipped + s.failed);
	CHECK(corpus_index(c, NULL, NULL, &s, error, sizeof(error)) == 0 && s.unchanged == s.files);
	CHECK(corpus_verify(c, NULL, NULL, NULL, &checked, error, sizeof(error)) == 0 && checked == s.files);
	struct corpus *second = open_corpus(CORPUS_BATCH, 0, true);
	CHECK_NAMED(second == NULL, "a second owner is refused");
	corpus_close(second);
	struct corpus *reader = open_corpus(CORPUS_READ_ONLY, 0, true);
	char paths[1000];
	CHECK(reader != NULL);
	if (reader)
		found(reader, "fox", "@mode=keyword", NULL, paths, sizeof(paths));
	CHECK_NAMED(reader && strcmp(paths, "a.txt ") == 0, "a reader beside the owner finds %s", paths);
	corpus_close(reader);
	corpus_close(c);
}

static void closing(void)
{
	struct corpus *c = open_corpus(CORPUS_DAEMON, 0, false);
	static struct blocking b[32];
	if (!CHECK(c != NULL))
		return;
	int waiting = 0;
	for (int i = 0; i < 32; i++) {
		char name[32];
		struct corpus_doc *d = NULL;
		(void)snprintf(name, sizeof(name), "new%d.txt", i);
		put(name, name);
		blocking_init(&b[i]);
		if (corpus_get(c, name, CORPUS_VECTORS, &b[i].wait, &d) == -EINPROGRESS)
			waiting++;
		else
			b[i].calls = -1;
		corpus_doc_unref(d);
	}
	corpus_close(c);
	int ended = 0;
	for (int i = 0; i < 32; i++)
		if (b[i].calls > 0) {
			ended += b[i].calls == 1;
			corpus_doc_unref(b[i].object);
		}
	CHECK_NAMED(ended == waiting, "closing ends every wait once: %d of %d", ended, waiting);
}

int main(void)
{
	char error[200] = "";
	if (corpus_start_helper(error, sizeof(error)) < 0)
		printf("# %s\n", error);
	if (!mkdtemp(folder))
		return 2;
	(void)snprintf(source, sizeof(source), "%s/docs", folder);
	(void)snprintf(store, sizeof(store), "%s/store", folder);
	(void)mkdir(source, 0755);
	(void)chmod(folder, 0755);
	run("mkdir sub && ln -s /etc link");
	put("a.txt", "The quick brown fox.\n");
	put("b.txt", "Nothing about leave or holidays here, only trains and timetables.\n");
	put("empty.txt", "");
	put(".env", "PASSWORD=hunter2\n");
	put("sub/leave.md", "# Leave\n\n## Parental leave\n\nEvery employee may take sixteen weeks of parental leave.\n\n## Sick leave\n\nCall before nine.\n");
	put("sub/other.txt", "The harbour was dredged. Ships leave at noon.\n");
	run("printf '\\211PNG\\r\\n\\032\\n\\0\\0\\0\\rIHDR' >photo.png");
	struct corpus *c = open_corpus(CORPUS_DAEMON, 0, false);
	if (CHECK(c != NULL)) {
		documents(c);
		changes(c);
		searching(c);
		headings(c);
		asking(c);
		permissions(c);
		sharing(c);
		corpus_close(c);
	}
	whole();
	closing();
	char command[100];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	CHECK(system(command) == 0);
	return tap_done();
}
