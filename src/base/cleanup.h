/* Cleanup attributes: a local that frees itself when it leaves scope, and the hand-over that keeps it.
 *
 * Rule of the house: a function uses cleanup variables or a single `out:` label, never both (clang refuses a goto over
 * the declaration of a cleanup variable, gcc compiles it and frees an uninitialised pointer). */
#ifndef CORPUSFS_BASE_CLEANUP_H
#define CORPUSFS_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define CLEANUP(function) __attribute__((cleanup(function)))
/* `char *CLEANUP_FREE x = NULL;` */
#define CLEANUP_FREE CLEANUP(cleanup_free_pointer)
/* `int CLEANUP_FD fd = -1;` */
#define CLEANUP_FD CLEANUP(cleanup_close_fd)

static inline void *steal_pointer_impl(void *pointer)
{
	void *value = *(void **)pointer;
	*(void **)pointer = NULL;
	return value;
}

/* Gives the value of a pointer variable away and leaves NULL in it; keeps the type, in standard C. */
#define STEAL(pointer) (0 ? (pointer) : steal_pointer_impl(&(pointer)))

static inline int steal_fd(int *fd)
{
	int value = *fd;
	*fd = -1;
	return value;
}

#endif
