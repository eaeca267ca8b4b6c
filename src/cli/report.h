/* Reads what the library reports as JSON (status.json, .explain.json): the same from a mount and from this process. */
#ifndef CORPUSFS_CLI_REPORT_H
#define CORPUSFS_CLI_REPORT_H

#include "base/span.h"
#include "corpusfs.h"

#include <stdbool.h>
#include <stdio.h>

/* status.json for people; as it stands when it cannot be understood. */
void report_print(FILE *out, struct span json);

struct report_progress {
	struct corpus_progress progress;
	char current[256]; /* what progress.current points to */
	bool indexes;	   /* the mount does work in the background */
	bool complete;	   /* nothing is left to do */
	uint64_t files;	   /* known to the store */
	long pid;	   /* of the process that has the mount, 0: unknown */
};
/* 0, or -EBADMSG for what is no status. */
int report_read_progress(struct span json, struct report_progress *ret);
/* Calls `each` with the path of every hit of .results.jsonl, in order. 0, or -EBADMSG. */
int report_each_path(struct span jsonl, void (*each)(void *context, const char *path), void *context);
/* What `eval --save` wrote: nDCG@10 by query. 0, -EBADMSG. */
struct report_baseline;
int report_baseline_open(struct span json, struct report_baseline **ret);
void report_baseline_close(struct report_baseline *b); /* accepts NULL */
/* 0, -ENOENT for a query that is not in it, -EBADMSG. */
int report_baseline_value(const struct report_baseline *b, const char *query, double *ret);
/* What an explanation of a search (.explain.json) says that its asker should know. */
enum { REPORT_CORRECTIONS = 8 };
struct report_explanation {
	bool degraded;
	struct {
		char typed[104], searched[104];
	} corrections[REPORT_CORRECTIONS];
	unsigned correction_count;
};
/* Of text that is no such explanation, nothing. */
void report_read_explanation(struct span json, struct report_explanation *ret);

#endif
