/* Extraction alone, through the helper and its sandbox: `extract LIST THREADS` takes the text out of every file that LIST names, a path a line, with
 * that many threads, and answers with seconds (wall, and processor time of all processes) and how many files gave text. */
#include "bench.h"

#include "extract/extract.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

enum { THREADS = 64 };

struct work {
	char **paths;
	size_t count;
	atomic_size_t next, good, bytes;
};

static double processor_seconds(int who)
{
	struct rusage u;
	(void)getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void *extract_some(void *context)
{
	struct work *w = context;
	for (;;) {
		size_t i = atomic_fetch_add(&w->next, 1);
		if (i >= w->count)
			return NULL;
		size_t size;
		char *data = read_file(w->paths[i], &size);
		struct span bytes = {data, size}, head = {data, size < 4096 ? size : 4096}, name = span_of(w->paths[i]);
		struct extract_result result;
		if (extract_run(extract_choose(head, name), bytes, name, &result) != 0)
			fail("%s: the machine lacks something", w->paths[i]);
		if (result.state == EXTRACT_OK) {
			atomic_fetch_add(&w->good, 1);
			atomic_fetch_add(&w->bytes, result.text_size);
		}
		extract_result_release(&result);
		free(data);
	}
}

/* The helper is started and ended here: only what it waited for counts among this process's children. */
static void extract(const char *list_path, unsigned threads)
{
	struct lines list = lines_read(list_path);
	struct work w = {.paths = list.line, .count = list.count};
	struct err err = {""};
	if (extract_helper_start(&err) != 0)
		fail("the helper does not start: %s", err.text);
	double cpu = processor_seconds(RUSAGE_SELF) + processor_seconds(RUSAGE_CHILDREN), wall = wall_seconds();
	pthread_t thread[THREADS];
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, extract_some, &w) != 0)
			fail("no thread");
	for (unsigned i = 0; i < threads; i++)
		(void)pthread_join(thread[i], NULL);
	wall = wall_seconds() - wall;
	extract_helper_stop();
	cpu = processor_seconds(RUSAGE_SELF) + processor_seconds(RUSAGE_CHILDREN) - cpu;
	printf("{\"wall_s\": %.4f, \"cpu_s\": %.4f, \"files\": %zu, \"good\": %zu, \"bytes\": %zu}\n", wall, cpu, w.count, (size_t)w.good, (size_t)w.bytes);
	lines_free(&list);
}

static void extract_command(int count, char **argument)
{
	unsigned long threads = count == 3 ? strtoul(argument[2], NULL, 10) : 0;
	if (threads < 1 || threads > THREADS)
		fail("extract LIST THREADS");
	extract(argument[1], (unsigned)threads);
}

int main(void)
{
	static const struct command commands[] = {{"extract", extract_command}};
	return serve(commands, sizeof(commands) / sizeof(*commands));
}
