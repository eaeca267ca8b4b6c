/* The helper process: a small fork server that runs every isolated format in a child of its own.
 *
 *	thread -- socket: which format, input, output, reply --> helper -- fork --> child (sandboxed, one document, then gone)
 *	thread <---------------- reply pipe: how it ended ------ helper
 *
 * The helper is forked before threads, descriptors and maps exist, so its children inherit none, and a fork of a small
 * process costs a tenth of a millisecond. Documents and texts pass through memory files. Nothing a child does reaches the
 * helper but its exit status, and nothing reaches the calling thread but the bytes it wrote, which are checked.
 *
 * The connection is this module's one piece of process-wide state: set up by helper_start, read-only until helper_stop. */
#ifndef CORPUSFS_EXTRACT_HELPER_H
#define CORPUSFS_EXTRACT_HELPER_H

#include "base/err.h"
#include "extract/format.h"

/* HELPER_FILES: folders of programs, and files that their arguments name. */
enum { HELPER_FORMATS = 64, HELPER_FILES = 256, HELPER_VERSION_SIZE = 64 };

struct helper_limits {
	unsigned progress_ms; /* without more output or more processor time used: killed */
	unsigned total_ms;
};

/* `formats` is borrowed for the life of the process. Not thread-safe; before threads. */
int helper_start(const struct format *const *formats, const struct helper_limits *limits, struct err *err);
void helper_stop(void);
/* The protections in force, or why there is no helper. */
const char *helper_describe(void);
/* "pdftotext 22.12.0", or "pdftotext none" when it is not installed or the helper is not started. Index into `formats`. */
const char *helper_program_version(size_t format);
/* The argument of a program that helper_run_page replaces with the number. */
#define HELPER_PAGE "{page}"
/* As helper_run, for one page (from 1) of a document. */
int helper_run_page(const struct format *f, unsigned page, struct span bytes, struct span name, struct buf *text, struct extract_result *about);
/* Runs one document; any thread. Fills *text and *about. Returns 0, -ENOMEM, or -EAGAIN when the machine lacks a resource for now or the
 * helper is gone. Failures of the document itself are results. */
int helper_run(const struct format *f, struct span bytes, struct span name, struct buf *text, struct extract_result *about);

#endif
