/* The command: a table of verbs. Everything it does is done by the library (include/corpusfs.h) or the mount. */
#include "cli/cmd.h"
#include "cli/output.h"
#include "corpusfs.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
	{VERB_MOUNT, "mount", cmd_mount, 2, 2, "[OPTION...] SOURCE MOUNTPOINT", "show a folder of documents as raw/ clean/ chunks/ vectors/ meta/ search/",
	 "Returns when the mount answers; -f stays in the foreground. `corpusfs unmount` or SIGTERM ends it.\n"
	 "A line of /etc/fstab: /home/me/docs /mnt/corpus corpusfs allow_other,nofail,store=/var/cache/corpusfs 0 0"},
	{VERB_UNMOUNT, "unmount", cmd_unmount, 1, 1, "MOUNTPOINT", "end a mount", "Also removes what a killed process left behind."},
	{VERB_INDEX, "index", cmd_index, 1, 1, "[OPTION...] SOURCE", "do all pending work now",
	 "Needs no mount. Where a mount of SOURCE is at work already, waits for it and shows its progress."},
	{VERB_SEARCH, "search", cmd_search, 2, -1, "[OPTION...] WHERE QUERY...", "print the best chunks for a query, as grep prints lines",
	 "WHERE is a source folder, a mountpoint or a folder below either. Exit status: 0 found, 1 nothing found, 2 error."},
	{VERB_STATUS, "status", cmd_status, 1, 1, "[OPTION...] WHERE", "print documents, chunks, coverage, model, queue, errors, sizes",
	 "WHERE is a source folder or a mountpoint."},
	{VERB_HEALTH, "health", cmd_health, 1, 1, "MOUNTPOINT", "say whether a mount answers, within five seconds",
	 "For supervisors: never hangs, whatever the mount does. Exit status: 0 it answers, 1 it does not or is no mount."},
	{VERB_VERIFY, "verify", cmd_verify, 1, 1, "[OPTION...] SOURCE", "recompute text and chunks and compare them with what is stored",
	 "Exit status: 0 all agree, 1 a difference, 2 error."},
	{VERB_EXPORT, "export", cmd_export, 2, 2, "[OPTION...] SOURCE DIR", "write the mount's tree as plain files, where FUSE is forbidden",
	 "Writes clean/, chunks/, vectors/, meta/ and tables/ into DIR; the next export writes only what changed and removes what is gone.\n"
	 "Exit status: 0 fine, 1 some documents could not be written, 2 error."},
	{VERB_EVAL, "eval", cmd_eval, 3, 3, "[OPTION...] WHERE QUERIES QRELS", "measure retrieval with your own queries and judgements",
	 "QUERIES: lines of ID<TAB>TEXT, or TREC topics. QRELS: lines of QUERY DOCUMENT GAIN, or TREC's with an iteration.\n"
	 "A document is a path, or a file name, with or without its extension. --save writes a baseline, --baseline compares with one.\n"
	 "Exit status: 0 fine, 1 ndcg@10 fell by more than 0.01 or significantly (p < 0.05), 2 error."},
	{VERB_DOCTOR, "doctor", cmd_doctor, 0, 0, "[OPTION...]", "print what this machine has and lacks", "Exit status: 0 nothing lacks, 1 something does."},
	{VERB_HELP, "help", cmd_help, 0, 1, "[VERB]", "print this, or the help of one verb", ""},
};
enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static const struct command *find_command(const char *name)
{
	for (int i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void print_overview(FILE *out)
{
	(void)fputs("Usage: corpusfs VERB [OPTION...] ...\n\n", out);
	for (int i = 0; i < COMMAND_COUNT; i++)
		(void)fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
	(void)fputs("\n`corpusfs help VERB` prints the options of a verb; `man corpusfs` tells the rest.\n"
		    "Options may also stand in the environment: --store=DIR is CORPUSFS_STORE=DIR.\n",
		    out);
}

static void print_help(FILE *out, const struct command *c)
{
	(void)fprintf(out, "Usage: corpusfs %s %s\n\n%c%s.\n%s%s", c->name, c->synopsis, c->summary[0] - 'a' + 'A', c->summary + 1, c->text,
		      *c->text ? "\n" : "");
	if (c->verb != VERB_UNMOUNT && c->verb != VERB_HEALTH && c->verb != VERB_HELP)
		(void)fputc('\n', out);
	config_print_options(out, c->verb);
}

static enum exit_code unknown_verb(const char *name)
{
	char list[256] = "";
	size_t used = 0;
	for (int i = 0; i < COMMAND_COUNT; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, " %s", commands[i].name);
	out_error("%s: no such verb; there are%s", name, list);
	return EXIT_ERROR;
}

enum exit_code cmd_help(const struct config *config)
{
	const struct command *c = config->argument_count ? find_command(config->arguments[0]) : NULL;
	if (config->argument_count && !c)
		return unknown_verb(config->arguments[0]);
	if (c)
		print_help(stdout, c);
	else
		print_overview(stdout);
	return EXIT_FINE;
}

static enum exit_code run(const struct command *c, int argc, char **argv)
{
	struct config config;
	enum exit_code code = EXIT_ERROR;
	if (config_parse(&config, c->verb, c->name, argc, argv) == 0) {
		if (config.help) {
			print_help(stdout, c);
			code = EXIT_FINE;
		} else if (config.argument_count < c->arguments_min || (c->arguments_max >= 0 && config.argument_count > c->arguments_max)) {
			out_error("usage: corpusfs %s %s", c->name, c->synopsis);
		} else {
			code = c->run(&config);
		}
	}
	config_release(&config);
	return out_finish(code);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	if (!*verb) {
		print_overview(stderr);
		return EXIT_ERROR;
	}
	if (strcmp(verb, "--version") == 0) {
		(void)printf("corpusfs %s\n", corpus_version());
		return out_finish(EXIT_FINE);
	}
	if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0)
		verb = "help";
	/* mount.fuse3(8), which serves a line of /etc/fstab, starts us as `corpusfs SOURCE MOUNTPOINT -o OPTIONS`. */
	if (verb[0] == '/')
		return run(find_command("mount"), argc - 1, argv + 1);
	const struct command *c = find_command(verb);
	return c ? run(c, argc - 2, argv + 2) : unknown_verb(verb);
}
