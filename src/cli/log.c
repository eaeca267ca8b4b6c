#include "cli/log.h"

#include "cli/output.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

int log_open(struct log *log, const char *path, bool foreground)
{
	*log = (struct log){0};
	if (path && *path) {
		log->file = fopen(path, "ae");
		log->stamped = true;
		return log->file ? 0 : -errno;
	}
	if (foreground)
		log->file = stderr;
	else
		openlog("corpusfs", LOG_PID, LOG_DAEMON);
	return 0;
}

void log_close(struct log *log)
{
	if (!log->file)
		closelog();
	else if (log->file != stderr)
		(void)fclose(log->file);
	log->file = NULL;
}

static void print_time(FILE *out)
{
	time_t now = time(NULL);
	struct tm utc;
	char text[32];
	if (gmtime_r(&now, &utc) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc))
		(void)fprintf(out, "%s ", text);
}

void log_line(void *context, int priority, const char *line)
{
	struct log *log = context;
	if (priority > LOG_INFO)
		return;
	if (!log->file) {
		syslog(priority, "%s", line);
		return;
	}
	flockfile(log->file);
	if (log->stamped)
		print_time(log->file);
	else
		(void)fputs("corpusfs: ", log->file);
	out_clean(log->file, line, strlen(line));
	(void)fputc('\n', log->file);
	(void)fflush(log->file);
	funlockfile(log->file);
}
