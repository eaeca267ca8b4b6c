/* Extractors by configuration: outside programs that a user names for an extension or a media type, one a line:
 *
 *	# what      output    program and its arguments
 *	.djvu       text      djvutxt /dev/stdin
 *	video/mp4   markdown  /opt/listen/transcribe --short
 *
 * A program gets the document as its standard input and writes to its standard output, in the sandbox of outside programs. It goes before the
 * extractors that are built in. The table is this module's one piece of process-wide state: set once, before the helper starts and
 * threads exist, read-only afterwards. */
#ifndef CORPUSFS_EXTRACT_RULES_H
#define CORPUSFS_EXTRACT_RULES_H

#include "base/err.h"
#include "extract/format.h"

enum { RULES = 24, RULE_ARGUMENTS = 30 };

/* Reads a file of rules. A line that is wrong is an error that names file, line and remedy; a program that is not installed is none: its documents fail
 * as "no-program". 0 or a negative errno. */
int rules_read(const char *file, struct err *err);
size_t rules_count(void);
const struct format *rules_format(size_t i);
/* What stands in the file before the program: ".djvu". */
const char *rules_pattern(size_t i);
/* The program's absolute path, or NULL when it is not installed; then rules_format(i)->program->name is what was looked for. */
const char *rules_program(size_t i);
/* The first rule for a file of this name and media type, or NULL. */
const struct format *rules_choose(struct span name, const char *media_type);
/* Forgets the rules. Not while the helper runs. */
void rules_release(void);

#endif
