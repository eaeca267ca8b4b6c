/* Many readers at once: readers PROCESSES THREADS ROUNDS < LIST OF FILES. Every thread opens files in an order of its own, reads each to its
 * end and closes it. Prints counts and times of open-to-end, and exits with 1 if anything failed or two readers of a file saw different
 * bytes. Several processes, because the limit of open files holds for these as well. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FILES = 100000, MOST_TIMES = 1 << 22, SHOWN_ERRORS = 10 };

struct shared {
	atomic_uint_fast64_t hashes[MOST_FILES]; /* of each file's bytes, 0: not read yet */
	atomic_size_t time_count, errors, differences, opens;
	atomic_bool start;
	uint32_t times[MOST_TIMES]; /* microseconds */
};

static struct shared *shared;
static char *files[MOST_FILES];
static size_t file_count;
static unsigned rounds;

static uint64_t now_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void report(const char *file, int error)
{
	if (atomic_fetch_add(&shared->errors, 1) < SHOWN_ERRORS)
		(void)fprintf(stderr, "%s: %s\n", file, strerror(error));
}

/* FNV-1a over the whole file; 0 when it could not be read. */
static uint64_t read_through(const char *file)
{
	char bytes[32768];
	uint64_t hash = 14695981039346656037U;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		report(file, errno);
		return 0;
	}
	ssize_t n;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < n; i++)
			hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211U;
	if (n < 0)
		report(file, errno);
	(void)close(fd);
	return n < 0 ? 0 : hash | 1;
}

static void *reader(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument * 2654435761U + 12345;
	while (!atomic_load(&shared->start))
		(void)usleep(1000);
	for (unsigned i = 0; i < rounds; i++) {
		state = state * 6364136223846793005U + 1442695040888963407U;
		size_t which = (size_t)(state >> 33) % file_count;
		uint64_t before = now_us(), hash = read_through(files[which]), expected = 0;
		size_t slot = atomic_fetch_add(&shared->time_count, 1);
		if (slot < MOST_TIMES)
			shared->times[slot] = (uint32_t)(now_us() - before);
		(void)atomic_fetch_add(&shared->opens, 1);
		if (hash && !atomic_compare_exchange_strong(&shared->hashes[which], &expected, hash) && expected != hash) {
			(void)atomic_fetch_add(&shared->differences, 1);
			(void)fprintf(stderr, "%s: two readers saw different bytes\n", files[which]);
		}
	}
	return NULL;
}

static int run_process(unsigned number, unsigned threads)
{
	pthread_attr_t attributes;
	pthread_t *ids = calloc(threads, sizeof(*ids));
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, (size_t)128 << 10);
	for (unsigned i = 0; i < threads; i++) {
		int error = pthread_create(&ids[i], &attributes, reader, (void *)(uintptr_t)(number * threads + i + 1));
		if (error) {
			(void)fprintf(stderr, "thread: %s\n", strerror(error));
			return 1;
		}
	}
	for (unsigned i = 0; i < threads; i++)
		(void)pthread_join(ids[i], NULL);
	free(ids);
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void print_times(void)
{
	size_t n = atomic_load(&shared->time_count);
	n = n < MOST_TIMES ? n : MOST_TIMES;
	if (n == 0)
		return;
	qsort(shared->times, n, sizeof(*shared->times), compare);
	(void)printf("%zu opens, %zu errors, %zu differences; p50 %.1f ms, p99 %.1f ms, worst %.1f ms\n", atomic_load(&shared->opens),
		     atomic_load(&shared->errors), atomic_load(&shared->differences), shared->times[n / 2] / 1e3, shared->times[n * 99 / 100] / 1e3,
		     shared->times[n - 1] / 1e3);
}

int main(int argc, char **argv)
{
	char line[8192];
	if (argc != 4)
		return 2;
	unsigned processes = (unsigned)atoi(argv[1]), threads = (unsigned)atoi(argv[2]);
	rounds = (unsigned)atoi(argv[3]);
	while (file_count < MOST_FILES && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		files[file_count++] = strdup(line);
	}
	void *map = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || file_count == 0)
		return 2;
	shared = map;
	bool failed = false;
	for (unsigned i = 0; i < processes; i++)
		if (fork() == 0)
			_exit(run_process(i, threads));
	(void)sleep(1); /* so that all of them begin together */
	atomic_store(&shared->start, true);
	for (int status; wait(&status) > 0;)
		failed = failed || status != 0;
	print_times();
	return failed || atomic_load(&shared->errors) || atomic_load(&shared->differences) ? 1 : 0;
}
