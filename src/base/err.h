/* An error in words, for a person. The code (a negative errno) says what to do, the words say what happened and to
 * which file. Only seams where a person reads the failure take a `struct err *`; it may be NULL and is written on
 * failure only. A struct err belongs to its caller; not shared between threads. */
#ifndef CORPUSFS_BASE_ERR_H
#define CORPUSFS_BASE_ERR_H

enum { ERR_TEXT_SIZE = 512 };

struct err {
	char text[ERR_TEXT_SIZE]; /* one line, NUL-terminated, no trailing newline; control characters replaced by '?' */
};

/* Formats into *err (if not NULL) and returns `code`, so that `return err_fail(err, -EIO, "...")` reads as one step.
 * The text is cut at ERR_TEXT_SIZE - 1 bytes. */
int err_fail(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
