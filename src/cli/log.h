/* Where the messages of a mount go: stderr in the foreground, else syslog, or a file that is appended to. */
#ifndef CORPUSFS_CLI_LOG_H
#define CORPUSFS_CLI_LOG_H

#include <stdbool.h>
#include <stdio.h>

struct log {
	FILE *file; /* NULL: syslog */
	bool stamped;
};

/* `path` NULL or "": stderr where `foreground`, else syslog. 0 or -errno. */
int log_open(struct log *log, const char *path, bool foreground);
void log_close(struct log *log);
/* As corpus_options.log wants it, with a struct log as context; from any thread. */
void log_line(void *log, int priority, const char *line);

#endif
