/* Makes one call of a program fail: LD_PRELOAD=fail.so FAIL=WHAT FAIL_AT=N program...
 *
 * WHAT: `memory` (malloc, calloc, realloc, reallocarray, strdup, strndup, aligned_alloc as the program itself calls them; what libraries do
 * inside is their makers' business), `write` (write, pwrite, writev, pwritev, fdatasync, fsync, ftruncate of the store's file: ENOSPC), `fork`
 * (EAGAIN), `thread` (pthread_create: EAGAIN). The N-th call fails, counted from 1 in each process; N 0: none. FAIL_ON=1: all that follow too, as
 * on a full disk. With FAIL_COUNT=FILE every process appends the number of calls it made when it ends. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum kind { NOTHING, MEMORY, WRITE, FORK, THREAD };

static enum kind failing;
static unsigned long fail_at;
static bool fail_on;
static atomic_ulong calls;
static uintptr_t program_first, program_end;

/* glibc's own, so that nothing has to be looked up before memory can be allocated. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);

/* The first object is the program. */
static int find_program(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	(void)context;
	program_first = UINTPTR_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		uintptr_t first = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, end = first + info->dlpi_phdr[i].p_memsz;
		program_first = first < program_first ? first : program_first;
		program_end = end > program_end ? end : program_end;
	}
	return 1;
}

__attribute__((constructor)) static void begin(void)
{
	static const char *const names[] = {[MEMORY] = "memory", [WRITE] = "write", [FORK] = "fork", [THREAD] = "thread"};
	const char *what = getenv("FAIL"), *at = getenv("FAIL_AT");
	(void)dl_iterate_phdr(find_program, NULL);
	fail_at = at ? strtoul(at, NULL, 10) : 0;
	fail_on = getenv("FAIL_ON") != NULL;
	for (int i = MEMORY; what && i <= THREAD; i++)
		if (strcmp(what, names[i]) == 0)
			failing = (enum kind)i;
}

__attribute__((destructor)) static void end(void)
{
	const char *file = getenv("FAIL_COUNT");
	if (!file)
		return;
	char line[32];
	int n = snprintf(line, sizeof(line), "%lu\n", atomic_load(&calls)), fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && n > 0)
		(void)!write(fd, line, (size_t)n);
	if (fd >= 0)
		(void)close(fd);
}

static bool fails(enum kind kind)
{
	if (kind != failing)
		return false;
	unsigned long n = atomic_fetch_add(&calls, 1) + 1;
	return fail_at && (n == fail_at || (fail_on && n > fail_at));
}

static bool memory_fails(const void *caller)
{
	if (failing != MEMORY || (uintptr_t)caller < program_first || (uintptr_t)caller >= program_end || !fails(MEMORY))
		return false;
	errno = ENOMEM;
	return true;
}

EXPORT void *malloc(size_t size)
{
	return memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	return memory_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	return memory_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}

EXPORT void *reallocarray(void *p, size_t count, size_t size)
{
	size_t bytes;
	if (memory_fails(__builtin_return_address(0)))
		return NULL;
	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, bytes);
}

static char *copy(const char *s, size_t size)
{
	char *p = __libc_malloc(size + 1);
	if (p) {
		memcpy(p, s, size);
		p[size] = '\0';
	}
	return p;
}

#undef strdup
#undef strndup
EXPORT char *strdup(const char *s)
{
	return memory_fails(__builtin_return_address(0)) ? NULL : copy(s, strlen(s));
}

EXPORT char *strndup(const char *s, size_t size)
{
	return memory_fails(__builtin_return_address(0)) ? NULL : copy(s, strnlen(s, size));
}

/* --- the store's file ------------------------------------------------------------------------------------------------ */

static bool write_fails(int fd)
{
	char link[64], path[4096];
	if (failing != WRITE)
		return false;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	const char *name = strrchr(path, '/');
	if (!name || strcmp(name, "/data.mdb") != 0 || !fails(WRITE))
		return false;
	errno = ENOSPC;
	return true;
}

#define NEXT(type, name) ((type)(uintptr_t)dlsym(RTLD_NEXT, name))

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
	return write_fails(fd) ? -1 : NEXT(ssize_t(*)(int, const void *, size_t), "write")(fd, data, size);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	return write_fails(fd) ? -1 : NEXT(ssize_t(*)(int, const void *, size_t, off_t), "pwrite")(fd, data, size, at);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
	return write_fails(fd) ? -1 : NEXT(ssize_t(*)(int, const void *, size_t, off_t), "pwrite64")(fd, data, size, at);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return write_fails(fd) ? -1 : NEXT(ssize_t(*)(int, const struct iovec *, int), "writev")(fd, parts, count);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
	return write_fails(fd) ? -1 : NEXT(ssize_t(*)(int, const struct iovec *, int, off_t), "pwritev")(fd, parts, count, at);
}

EXPORT int fdatasync(int fd)
{
	return write_fails(fd) ? -1 : NEXT(int (*)(int), "fdatasync")(fd);
}

EXPORT int fsync(int fd)
{
	return write_fails(fd) ? -1 : NEXT(int (*)(int), "fsync")(fd);
}

EXPORT int ftruncate(int fd, off_t size)
{
	return write_fails(fd) ? -1 : NEXT(int (*)(int, off_t), "ftruncate")(fd, size);
}

/* --- processes and threads -------------------------------------------------------------------------------------------- */

EXPORT pid_t fork(void)
{
	if (fails(FORK)) {
		errno = EAGAIN;
		return -1;
	}
	pid_t pid = NEXT(pid_t(*)(void), "fork")();
	/* A sandboxed child may not even ask what a descriptor is; the store is the first process's business anyway. */
	if (pid == 0 && failing == WRITE)
		failing = NOTHING;
	return pid;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	return fails(THREAD) ? EAGAIN : NEXT(int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *), "pthread_create")(thread, attributes, run, argument);
}
