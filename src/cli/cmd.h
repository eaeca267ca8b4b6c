/* The verbs of the command: one file each, one row each in the table of main.c. */
#ifndef CORPUSFS_CLI_CMD_H
#define CORPUSFS_CLI_CMD_H

#include "cli/config.h"

/* As grep's. */
enum exit_code { EXIT_FINE = 0, EXIT_NOTHING = 1, EXIT_ERROR = 2 };

struct command {
	enum verb verb;
	const char *name;
	enum exit_code (*run)(const struct config *config);
	int arguments_min, arguments_max; /* words that are no options; -1: any number */
	const char *synopsis;		  /* what follows the name */
	const char *summary;		  /* one line */
	const char *text;		  /* the rest of its help */
};

enum exit_code cmd_mount(const struct config *config);
enum exit_code cmd_unmount(const struct config *config);
enum exit_code cmd_health(const struct config *config);
enum exit_code cmd_index(const struct config *config);
enum exit_code cmd_search(const struct config *config);
enum exit_code cmd_status(const struct config *config);
enum exit_code cmd_verify(const struct config *config);
enum exit_code cmd_export(const struct config *config);
enum exit_code cmd_eval(const struct config *config);
enum exit_code cmd_doctor(const struct config *config);
enum exit_code cmd_help(const struct config *config);

#endif
