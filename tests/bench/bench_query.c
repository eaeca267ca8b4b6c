/* The library on an indexed folder: queries one after the other and from several threads.
 *
 * Commands: open SOURCE STORE | dump FILE | query FILE MODE | clients THREADS FILE */
#include "bench.h"

#include "corpusfs.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

static struct corpus *corpus;

/* A wait that a thread sleeps on. */
struct waiter {
	struct corpus_wait wait;
	sem_t done;
	int result;
	void *object;
};

static void wake(struct corpus_wait *wait, int result, void *object)
{
	struct waiter *w = (struct waiter *)wait;
	w->result = result;
	w->object = object;
	(void)sem_post(&w->done);
}

static void waiter_init(struct waiter *w)
{
	memset(w, 0, sizeof(*w));
	w->wait.done = wake;
	(void)sem_init(&w->done, 0, 0);
}

static void *waiter_finish(struct waiter *w, const char *what)
{
	while (sem_wait(&w->done) != 0)
		;
	(void)sem_destroy(&w->done);
	if (w->result)
		fail("%s: %s", what, strerror(-w->result));
	return w->object;
}

static void open_command(int count, char **argument)
{
	if (count != 3)
		fail("open SOURCE STORE");
	char error[1024] = "";
	struct corpus_options options = {.source = argument[1], .store = argument[2], .access = CORPUS_READ_ONLY};
	double start = wall_seconds();
	if (corpus_open(&options, &corpus, error, sizeof(error)) != 0)
		fail("%s", error);
	double took = wall_seconds() - start;
	print_ms(&took, 1, "");
}

/* --- dump ---------------------------------------------------------------------------------------------------------- */

struct dump {
	FILE *file;
	size_t documents, chunks, bytes;
};

static struct corpus_doc *get_document(const char *path)
{
	struct waiter w;
	struct corpus_doc *document = NULL;
	waiter_init(&w);
	int result = corpus_get(corpus, path, CORPUS_CHUNKS, &w.wait, &document);
	if (result == -EINPROGRESS)
		return waiter_finish(&w, path);
	(void)sem_destroy(&w.done);
	return result == 0 ? document : NULL;
}

static void dump_document(struct dump *d, const char *path)
{
	struct corpus_doc *document = get_document(path);
	if (!document)
		return;
	for (uint32_t i = 0; i < corpus_doc_chunk_count(document); i++) {
		struct corpus_blob *blob;
		if (corpus_doc_blob(document, CORPUS_CHUNKS, i, &blob) != 0)
			fail("%s: chunk %u cannot be read", path, i + 1);
		uint32_t size = (uint32_t)corpus_blob_size(blob);
		if (fwrite(&size, 4, 1, d->file) != 1 || fwrite(corpus_blob_data(blob), 1, size, d->file) != size)
			fail("the dump cannot be written");
		d->chunks++;
		d->bytes += size;
		corpus_blob_unref(blob);
	}
	d->documents++;
	corpus_doc_unref(document);
}

struct folder {
	const char *path;
	char **folders, **files; /* owned, relative to the source */
	size_t folder_count, file_count;
};

static char **append(char **list, size_t *count, const char *folder, const char *name)
{
	char *path = allocate(strlen(folder) + strlen(name) + 2);
	(void)sprintf(path, "%s%s%s", folder, *folder ? "/" : "", name);
	if ((*count & (*count - 1)) == 0)
		list = realloc(list, (*count ? 2 * *count : 1) * sizeof(*list));
	if (!list)
		fail("out of memory");
	list[(*count)++] = path;
	return list;
}

static int add_entry(void *context, const char *name, unsigned char type, uint64_t ino)
{
	struct folder *f = context;
	(void)ino;
	if (type == DT_DIR)
		f->folders = append(f->folders, &f->folder_count, f->path, name);
	else if (type == DT_REG)
		f->files = append(f->files, &f->file_count, f->path, name);
	return 0;
}

static void dump_folder(struct dump *d, const char *path)
{
	struct folder f = {.path = path};
	if (corpus_list(corpus, path, add_entry, &f) != 0)
		fail("%s: cannot be listed", path);
	for (size_t i = 0; i < f.file_count; i++) {
		dump_document(d, f.files[i]);
		free(f.files[i]);
	}
	for (size_t i = 0; i < f.folder_count; i++) {
		dump_folder(d, f.folders[i]);
		free(f.folders[i]);
	}
	free(f.files);
	free(f.folders);
}

static void dump_command(int count, char **argument)
{
	if (count != 2)
		fail("dump FILE");
	struct dump d = {.file = fopen(argument[1], "wb")};
	if (!d.file)
		fail("%s: cannot be written", argument[1]);
	dump_folder(&d, "");
	if (fclose(d.file) != 0)
		fail("%s: cannot be written", argument[1]);
	printf("{\"documents\": %zu, \"chunks\": %zu, \"bytes\": %zu}\n", d.documents, d.chunks, d.bytes);
}

/* --- queries ------------------------------------------------------------------------------------------------------- */

static struct corpus_query *make_query(const char *text, const char *mode)
{
	struct corpus_query *q;
	char option[64], error[1024] = "";
	(void)snprintf(option, sizeof(option), "@mode=%s", mode);
	if (corpus_query_new(&q) != 0 || corpus_query_option(q, option, error, sizeof(error)) != 0 ||
	    corpus_query_option(q, "@k=10", error, sizeof(error)) != 0 || corpus_query_text(q, text, strlen(text)) != 0)
		fail("%s: not a query (%s)", text, error);
	return q;
}

/* Returns the seconds that one search takes, from words to ranked texts. */
static double search(const char *text, const char *mode, size_t *hits)
{
	double start = wall_seconds();
	struct corpus_query *q = make_query(text, mode);
	struct waiter w;
	waiter_init(&w);
	int result = corpus_search(corpus, q, NULL, &w.wait);
	if (result != -EINPROGRESS)
		fail("%s: %s", text, strerror(-result));
	struct corpus_results *results = waiter_finish(&w, text);
	double took = wall_seconds() - start;
	*hits += corpus_results_count(results);
	corpus_results_unref(results);
	corpus_query_free(q);
	return took;
}

static void query_command(int count, char **argument)
{
	if (count != 3)
		fail("query FILE MODE");
	struct lines l = lines_read(argument[1]);
	double *took = allocate(l.count * sizeof(*took));
	size_t hits = 0;
	for (size_t i = 0; i < l.count; i++)
		took[i] = search(l.line[i], argument[2], &hits);
	char more[64];
	(void)snprintf(more, sizeof(more), "\"hits\": %zu", hits);
	print_ms(took, l.count, more);
	free(took);
	lines_free(&l);
}

/* One client asks every query, beginning at its own place. */
struct client {
	pthread_t thread;
	const struct lines *lines;
	size_t first;
	double *took; /* a line */
};

static void *run_client(void *context)
{
	struct client *c = context;
	size_t hits = 0;
	for (size_t i = 0; i < c->lines->count; i++)
		c->took[i] = search(c->lines->line[(c->first + i) % c->lines->count], "hybrid", &hits);
	return NULL;
}

static void clients_command(int count, char **argument)
{
	if (count != 3)
		fail("clients THREADS FILE");
	size_t threads = strtoull(argument[1], NULL, 10);
	struct lines l = lines_read(argument[2]);
	struct client *clients = allocate(threads * sizeof(*clients));
	double *took = allocate(threads * l.count * sizeof(*took)), start = wall_seconds();
	for (size_t i = 0; i < threads; i++) {
		clients[i] = (struct client){.lines = &l, .first = i * l.count / threads, .took = took + i * l.count};
		if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) != 0)
			fail("a thread cannot be started");
	}
	for (size_t i = 0; i < threads; i++)
		(void)pthread_join(clients[i].thread, NULL);
	char more[64];
	(void)snprintf(more, sizeof(more), "\"wall_s\": %.4f", wall_seconds() - start);
	print_ms(took, threads * l.count, more);
	free(took);
	free(clients);
	lines_free(&l);
}

int main(void)
{
	static const struct command commands[] = {
	        {"open", open_command}, {"dump", dump_command}, {"query", query_command}, {"clients", clients_command}};
	char error[1024] = "";
	if (corpus_start_helper(error, sizeof(error)) != 0)
		fail("%s", error);
	int status = serve(commands, sizeof(commands) / sizeof(*commands));
	if (corpus)
		corpus_close(corpus);
	return status;
}
