/* corpusfs doctor: what this machine has and lacks. */
#include "cli/cmd.h"

#include "cli/open.h"
#include "cli/output.h"
#include "corpusfs.h"

#include <string.h>

struct examination {
	bool colour;
	unsigned lacking;
};

static void print_item(void *context, const char *name, bool good, const char *text)
{
	struct examination *e = context;
	e->lacking += !good;
	const char *colour = !e->colour ? "" : good ? "\033[32m" : "\033[31m";
	(void)printf("%s%-5s%s %-20s ", colour, good ? "ok" : "lacks", e->colour ? "\033[m" : "", name);
	out_clean(stdout, text, strlen(text));
	(void)fputc('\n', stdout);
}

enum exit_code cmd_doctor(const struct config *config)
{
	struct examination e = {.colour = config_colour(stdout)};
	char error[1024];
	if (open_extractors(config, config->extractors) < 0)
		return EXIT_ERROR;
	(void)corpus_start_helper(error, sizeof(error)); /* without it the examination says so */
	corpus_doctor(print_item, &e);
	return e.lacking ? EXIT_NOTHING : EXIT_FINE;
}
