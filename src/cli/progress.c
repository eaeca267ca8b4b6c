#include "cli/progress.h"

#include "cli/output.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is done before anybody can read a bar shows none. */
#define QUIET_SECONDS 0.3

/* The one thing a signal handler may touch. */
static atomic_int interrupted;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&interrupted, 1);
}

void progress_begin(struct progress *p, const char *what)
{
	*p = (struct progress){.what = what, .terminal = isatty(STDERR_FILENO) != 0};
	atomic_store(&interrupted, 0);
	struct sigaction action = {.sa_handler = on_signal};
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, &p->old_int);
	(void)sigaction(SIGTERM, &action, &p->old_term);
	(void)clock_gettime(CLOCK_MONOTONIC, &p->start);
}

double progress_seconds(const struct progress *p)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - p->start.tv_sec) + (double)(now.tv_nsec - p->start.tv_nsec) / 1e9;
}

/* Bytes tell more than files do, where there are any. */
static double share_done(const struct corpus_progress *now)
{
	double share = 0;
	if (now->bytes_total > 0)
		share = (double)now->bytes_done / (double)now->bytes_total;
	else if (now->files_total > 0)
		share = (double)now->files_done / (double)now->files_total;
	return share > 1 ? 1 : share;
}

static void append(char *line, size_t size, const char *text)
{
	size_t used = strlen(line);
	(void)snprintf(line + used, size - used, "%s", text);
}

/* While the tree is still being walked the end is not known, so there is neither a bar nor a remaining time. */
static void append_share(char *line, size_t size, double share, unsigned width)
{
	char text[16];
	(void)snprintf(text, sizeof(text), " %3.0f%%", share * 100);
	append(line, size, text);
	if (width < 90)
		return;
	char bar[] = " [--------------------]";
	enum { CELLS = sizeof(bar) - 4 };
	memset(bar + 2, '#', (size_t)(share * CELLS));
	append(line, size, bar);
}

static void append_remaining(char *line, size_t size, double share, double seconds)
{
	if (share <= 0 || seconds < 1)
		return;
	unsigned long left = (unsigned long)(seconds * (1 - share) / share + 0.5);
	char text[48];
	if (left >= 3600)
		(void)snprintf(text, sizeof(text), "  %lu:%02lu:%02lu left", left / 3600, left / 60 % 60, left % 60);
	else
		(void)snprintf(text, sizeof(text), "  %lu:%02lu left", left / 60, left % 60);
	append(line, size, text);
}

void progress_line(char *line, size_t size, const char *what, const struct corpus_progress *now, double seconds, unsigned width)
{
	char text[96], rate[OUT_SIZE_TEXT];
	double share = share_done(now);
	(void)snprintf(line, size, "%s", what);
	if (now->walked)
		append_share(line, size, share, width);
	(void)snprintf(text, sizeof(text), "  %llu/%llu%s files", (unsigned long long)now->files_done, (unsigned long long)now->files_total,
		       now->walked ? "" : "+");
	append(line, size, text);
	if (seconds > 0.2) {
		(void)snprintf(text, sizeof(text), "  %s/s  %.0f files/s", out_size((double)now->bytes_done / seconds, rate),
			       (double)now->files_done / seconds);
		append(line, size, text);
	}
	if (now->walked)
		append_remaining(line, size, share, seconds);
	if (now->current) {
		append(line, size, "  ");
		append(line, size, now->current);
	}
	line[out_fit(line, strlen(line), width)] = '\0';
}

int progress_update(void *progress, const struct corpus_progress *now)
{
	struct progress *p = progress;
	double seconds = progress_seconds(p);
	if (p->terminal && seconds > QUIET_SECONDS) {
		char line[1024];
		/* The last column stays free: some terminals wrap as soon as it is written. */
		progress_line(line, sizeof(line), p->what, now, seconds, config_width(stderr) - 1);
		(void)fputc('\r', stderr);
		out_clean(stderr, line, strlen(line));
		(void)fputs("\033[K", stderr);
		(void)fflush(stderr);
		p->drawn = true;
	}
	return atomic_load(&interrupted);
}

bool progress_end(struct progress *p)
{
	if (p->drawn)
		(void)fputs("\r\033[K", stderr);
	(void)sigaction(SIGINT, &p->old_int, NULL);
	(void)sigaction(SIGTERM, &p->old_term, NULL);
	return atomic_load(&interrupted) != 0;
}
