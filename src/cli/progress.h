/* The progress bar on a terminal: how much of how much, rates, the time that remains, the file at hand. Where standard error is no
 * terminal nothing is printed. While one is up, SIGINT and SIGTERM ask the work to end instead of ending the program. */
#ifndef CORPUSFS_CLI_PROGRESS_H
#define CORPUSFS_CLI_PROGRESS_H

#include "corpusfs.h"

#include <stdbool.h>
#include <signal.h>
#include <time.h>

struct progress {
	const char *what; /* "indexing" */
	bool terminal, drawn;
	struct timespec start;
	struct sigaction old_int, old_term;
};

/* One at a time. */
void progress_begin(struct progress *p, const char *what);
/* As corpus_index() and corpus_verify() call it, with a struct progress as context; non-zero once a signal came. */
int progress_update(void *progress, const struct corpus_progress *now);
/* Wipes the bar and gives the signals back. Returns true when a signal came. */
bool progress_end(struct progress *p);
double progress_seconds(const struct progress *p);
/* The bar's text without control sequences, cut to `width` columns. */
void progress_line(char *line, size_t size, const char *what, const struct corpus_progress *now, double seconds, unsigned width);

#endif
