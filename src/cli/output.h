/* What the command prints. Names and texts come from documents, so nothing of them reaches a terminal that could steer it. */
#ifndef CORPUSFS_CLI_OUTPUT_H
#define CORPUSFS_CLI_OUTPUT_H

#include "base/buf.h"
#include "cli/cmd.h"

#include <stdint.h>
#include <stdio.h>

/* One line on stderr, "corpusfs: " and the text; control characters become '?'. */
void out_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The text with control characters (C0 but tab, DEL, C1) as '?'. */
void out_clean(FILE *out, const char *text, size_t size);
/* How many columns a terminal gives the text, and how many of its bytes fit into `columns`. */
unsigned out_columns(const char *text, size_t size);
size_t out_fit(const char *text, size_t size, unsigned columns);
/* "812 B", "12.3 MB" (powers of 1000) into `text`. */
enum { OUT_SIZE_TEXT = 16 };
const char *out_size(double bytes, char text[OUT_SIZE_TEXT]);
/* "1 file", "12 files" into `text`; `many` is the plural. */
enum { OUT_COUNT_TEXT = 64 };
const char *out_count(uint64_t count, const char *one, const char *many, char text[OUT_COUNT_TEXT]);
/* Flushes standard output. `code`, or EXIT_ERROR with a line on stderr when something could not be written. */
enum exit_code out_finish(enum exit_code code);

/* Appends a file from here to its end, whatever its size says. 0 or -errno. */
int out_read_fd(int fd, struct buf *b);
int out_read_file(const char *path, struct buf *b);

#endif
