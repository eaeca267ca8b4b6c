/* Options: the same names on the command line (--store=DIR), as mount options (-o store=DIR) and in the environment
 * (CORPUSFS_STORE). What stands nearer to the person wins: command line, then -o, then environment.
 *
 * This is the only place that reads the environment; the library is handed a struct of options. Used by one thread. */
#ifndef CORPUSFS_CLI_CONFIG_H
#define CORPUSFS_CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct corpus_options;

/* The verbs that an option belongs to. */
enum verb {
	VERB_MOUNT = 1 << 0,
	VERB_UNMOUNT = 1 << 1,
	VERB_INDEX = 1 << 2,
	VERB_SEARCH = 1 << 3,
	VERB_STATUS = 1 << 4,
	VERB_VERIFY = 1 << 5,
	VERB_DOCTOR = 1 << 6,
	VERB_HELP = 1 << 7,
	VERB_EVAL = 1 << 8,
	VERB_EXPORT = 1 << 9,
	VERB_HEALTH = 1 << 10,
};

struct config_id {
	bool given;
	id_t id; /* uid_t and gid_t are the same type in Linux */
};

/* Strings are NULL when not given, numbers 0. */
struct config {
	char *store;
	unsigned threads;
	bool ocr, foreground, allow_other, passthrough, fail_fast, noindex, json, modes, dry_run;
	struct config_id uid, gid; /* of everything on the mount */
	unsigned deadline; /* seconds */
	char *log, *baseline, *save;
	char *ocr_language;
	char *extractors; /* as given, else the user's own file if there is one, else NULL */
	char *embed, *model, *key_env, *key_file, *query_prefix, *passage_prefix; /* of the embedding server */
	const char *key; /* the environment's, or NULL */
	unsigned embed_dims, rate, budget;
	char *query_options[16]; /* "@k=50", ...: as corpus_query_option() takes them */
	size_t query_option_count;
	char *kernel_options; /* those of mount(8), comma-separated, to be passed on; never NULL after config_parse */
	bool help;
	char **arguments; /* the words that are no options, in order; they belong to argv */
	int argument_count;
};

/* Reads the environment and the words after the verb. Returns 0, or -EINVAL with one line printed on stderr. Release it either way. */
int config_parse(struct config *config, enum verb verb, const char *verb_name, int argc, char **argv);
void config_release(struct config *config);
/* What the library needs to know; the strings stay the config's. */
struct corpus_options config_corpus_options(const struct config *config, const char *source);
/* Prints the options of a verb, one a line. */
void config_print_options(FILE *out, enum verb verb);

/* Colours are wanted on this stream: a terminal, and neither NO_COLOR (no-color.org) nor TERM=dumb is set. */
bool config_colour(FILE *stream);
/* Columns of the terminal behind the stream; 80 when that is not known. */
unsigned config_width(FILE *stream);

#endif
