/* One table names every option; the three places where options stand only differ in how a name and a value are spelt. */
#include "cli/config.h"

#include "cli/output.h"
#include "corpusfs.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum option_kind {
	OPTION_FLAG,
	OPTION_NUMBER,
	OPTION_ID, /* of a user or group */
	OPTION_TEXT,
	OPTION_QUERY, /* handed to corpus_query_option(), which knows what values are right */
};

/* Where a value came from; a nearer place wins over a farther one whatever the order in which they are read. */
enum level { LEVEL_UNSET, LEVEL_ENVIRONMENT, LEVEL_MOUNT_OPTION, LEVEL_COMMAND_LINE };

struct option {
	const char *name;
	char letter; /* short form, or 0 */
	enum option_kind kind;
	unsigned verbs;
	size_t offset; /* of the field in struct config */
	const char *value; /* what the value is, for the help; NULL: none */
	const char *help;
};

#define FIELD(name) offsetof(struct config, name)
#define STORE_VERBS (VERB_MOUNT | VERB_INDEX | VERB_SEARCH | VERB_STATUS | VERB_VERIFY | VERB_EVAL | VERB_EXPORT)

#define EXTRACT_VERBS ((STORE_VERBS & ~(unsigned)VERB_STATUS) | VERB_DOCTOR)

#define EMBED_VERBS (VERB_MOUNT | VERB_INDEX | VERB_SEARCH | VERB_EVAL)

static const struct option options[] = {
	{"store", 0, OPTION_TEXT, STORE_VERBS, FIELD(store), "DIR", "where the computed files are kept (default: one per source under ~/.cache)"},
	{"extractors", 0, OPTION_TEXT, EXTRACT_VERBS, FIELD(extractors), "FILE",
	 "programs for further kinds of files (default: ~/.config/corpusfs/extractors, if there)"},
	{"ocr", 0, OPTION_FLAG, EXTRACT_VERBS, FIELD(ocr), NULL, "recognise text in PNG, JPEG and TIFF pictures and in scanned PDFs, by tesseract"},
	{"ocr_language", 0, OPTION_TEXT, EXTRACT_VERBS, FIELD(ocr_language), "NAME", "language of that text, or several: deu+fra (default eng)"},
	{"threads", 0, OPTION_NUMBER, STORE_VERBS & ~(unsigned)VERB_STATUS, FIELD(threads), "N", "threads that compute (default: one a processor)"},
	{"foreground", 'f', OPTION_FLAG, VERB_MOUNT, FIELD(foreground), NULL, "stay in the foreground, messages on stderr"},
	{"allow_other", 0, OPTION_FLAG, VERB_MOUNT, FIELD(allow_other), NULL, "other users may use the mount, with the modes of the source"},
	{"uid", 0, OPTION_ID, VERB_MOUNT, FIELD(uid), "ID", "everything belongs to this user, who may read what its owner might"},
	{"gid", 0, OPTION_ID, VERB_MOUNT, FIELD(gid), "ID", "everything belongs to this group, which may read what its group might"},
	{"passthrough", 0, OPTION_FLAG, VERB_MOUNT, FIELD(passthrough), NULL, "the kernel reads raw/ by itself, faster; an open file there is as the source's"},
	{"deadline", 0, OPTION_NUMBER, VERB_MOUNT, FIELD(deadline), "SECONDS", "a file that takes longer to compute fails with ETIMEDOUT"},
	{"fail_fast", 0, OPTION_FLAG, VERB_MOUNT, FIELD(fail_fast), NULL, "opening a file that is not computed yet fails with EAGAIN"},
	{"noindex", 0, OPTION_FLAG, VERB_MOUNT, FIELD(noindex), NULL, "compute only what is opened"},
	{"log", 0, OPTION_TEXT, VERB_MOUNT, FIELD(log), "FILE", "append messages to FILE (default: syslog, with -f stderr)"},
	{"embed", 0, OPTION_TEXT, EMBED_VERBS, FIELD(embed), "URL", "an embedding server: OpenAI's or Ollama's interface, http(s):// or unix:"},
	{"model", 0, OPTION_TEXT, EMBED_VERBS, FIELD(model), "NAME", "the model to ask it for"},
	{"key_env", 0, OPTION_TEXT, EMBED_VERBS, FIELD(key_env), "VARIABLE", "environment variable that holds its key"},
	{"key_file", 0, OPTION_TEXT, EMBED_VERBS, FIELD(key_file), "FILE", "file whose first line is its key"},
	{"query_prefix", 0, OPTION_TEXT, EMBED_VERBS, FIELD(query_prefix), "TEXT", "put before each query that is embedded"},
	{"passage_prefix", 0, OPTION_TEXT, EMBED_VERBS, FIELD(passage_prefix), "TEXT", "put before each chunk that is embedded"},
	{"embed_dims", 0, OPTION_NUMBER, EMBED_VERBS, FIELD(embed_dims), "N", "dimensions to ask for (default: what the model gives)"},
	{"rate", 0, OPTION_NUMBER, EMBED_VERBS, FIELD(rate), "N", "at most N requests a minute to the server while indexing"},
	{"budget", 0, OPTION_NUMBER, EMBED_VERBS, FIELD(budget), "N", "at most N texts a day to the server"},
	{"dry_run", 0, OPTION_FLAG, VERB_INDEX, FIELD(dry_run), NULL, "index, but only say how much would be sent to the embedding server"},
	{"k", 'k', OPTION_QUERY, VERB_SEARCH, 0, "N", "the N best chunks, 1 to 1000 (default 10)"},
	{"mode", 0, OPTION_QUERY, VERB_SEARCH | VERB_EVAL, 0, "MODE", "hybrid, keyword or vector (default hybrid)"},
	{"in", 0, OPTION_QUERY, VERB_SEARCH, 0, "FOLDER", "only below this folder, or where the path matches this glob"},
	{"type", 0, OPTION_QUERY, VERB_SEARCH, 0, "EXTENSION", "only documents with this extension"},
	{"min", 0, OPTION_QUERY, VERB_SEARCH, 0, "SCORE", "only chunks that score at least this"},
	{"since", 0, OPTION_QUERY, VERB_SEARCH, 0, "DATE", "only documents changed since this date, 2026-01-31"},
	{"per", 0, OPTION_QUERY, VERB_SEARCH, 0, "N", "at most N chunks of one document"},
	{"modes", 0, OPTION_FLAG, VERB_EVAL, FIELD(modes), NULL, "measure hybrid, keyword and vector side by side"},
	{"baseline", 0, OPTION_TEXT, VERB_EVAL, FIELD(baseline), "FILE", "compare with what --save wrote"},
	{"save", 0, OPTION_TEXT, VERB_EVAL, FIELD(save), "FILE", "write the figures of every query, as a baseline"},
	{"json", 0, OPTION_FLAG, VERB_SEARCH | VERB_STATUS | VERB_EVAL, FIELD(json), NULL, "print JSON"},
};
enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

/* Options that mount(8) and /etc/fstab give to every filesystem. The kernel learns of those that mean something to it. */
static const struct kernel_option {
	const char *name;
	bool pass;
} kernel_options[] = {
	{"ro", false},	    {"rw", false},	 {"defaults", false}, {"auto", false},	    {"noauto", false},	 {"user", false},
	{"nouser", false},  {"users", false},	 {"owner", false},    {"group", false},	    {"nofail", false},	 {"_netdev", false},
	{"exec", true},	    {"noexec", true},	 {"suid", true},      {"nosuid", true},	    {"dev", true},	 {"nodev", true},
	{"atime", true},    {"noatime", true},	 {"diratime", false}, {"nodiratime", false}, {"relatime", false}, {"norelatime", false},
	{"strictatime", false}, {"nostrictatime", false}, {"sync", true}, {"async", true}, {"dirsync", true}, {"default_permissions", false},
};
enum { KERNEL_OPTION_COUNT = sizeof(kernel_options) / sizeof(kernel_options[0]) };

struct parser {
	struct config *config;
	enum verb verb;
	const char *verb_name;
	enum level levels[OPTION_COUNT];
};

static int complain(const char *text)
{
	out_error("%s", text);
	return -EINVAL;
}

/* "allow-other" is "allow_other". */
static bool same_name(const char *name, size_t size, const char *option_name)
{
	if (strlen(option_name) != size)
		return false;
	for (size_t i = 0; i < size; i++)
		if ((name[i] == '-' ? '_' : name[i]) != option_name[i])
			return false;
	return true;
}

static int find_option(const struct parser *p, const char *name, size_t size)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if ((options[i].verbs & p->verb) && same_name(name, size, options[i].name))
			return i;
	return -1;
}

static int unknown_option(const struct parser *p, const char *name, size_t size)
{
	char list[1024] = "";
	size_t used = 0;
	for (int i = 0; i < OPTION_COUNT; i++)
		if ((options[i].verbs & p->verb) && used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, " --%s%s%s", options[i].name, options[i].value ? "=" : "",
						 options[i].value ? options[i].value : "");
	out_error("%.*s: no such option; `corpusfs %s` has%s%s", (int)(size > 200 ? 200 : size), name, p->verb_name, list,
		  p->verb == VERB_MOUNT ? " -o OPT[=VALUE],..." : " --help");
	return -EINVAL;
}

static int parse_flag(const char *name, const char *value, bool *ret)
{
	static const char *const yes[] = {"1", "yes", "true", "on"}, *const no[] = {"0", "no", "false", "off", ""};
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcmp(value, yes[i]) == 0) {
			*ret = true;
			return 0;
		}
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (strcmp(value, no[i]) == 0) {
			*ret = false;
			return 0;
		}
	}
	out_error("%s=%s: is yes or no; write %s=1 or %s=0", name, value, name, name);
	return -EINVAL;
}

/* The highest one stands for "none" in system calls. */
static int parse_id(const char *name, const char *value, struct config_id *ret)
{
	enum { DIGITS = 10 };
	char *end = NULL;
	unsigned long long number = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)value[0]) || *end || end - value > DIGITS || number >= UINT32_MAX) {
		out_error("%s=%s: is a number from 0 to %u; `id` prints it", name, value, UINT32_MAX - 1);
		return -EINVAL;
	}
	*ret = (struct config_id){.given = true, .id = (id_t)number};
	return 0;
}

static int parse_number(const char *name, const char *value, unsigned *ret)
{
	enum { MOST = 1000000 };
	char *end = NULL;
	errno = 0;
	unsigned long number = strtoul(value, &end, 10);
	if (errno || !isdigit((unsigned char)value[0]) || *end || number > MOST) {
		out_error("%s=%s: is a whole number from 0 to %d", name, value, MOST);
		return -EINVAL;
	}
	*ret = (unsigned)number;
	return 0;
}

static int set_text(char **field, const char *name, const char *value)
{
	if (!*value) {
		out_error("%s: needs a value; write %s=VALUE", name, name);
		return -EINVAL;
	}
	char *copy = strdup(value);
	if (!copy)
		return complain("out of memory");
	free(*field);
	*field = copy;
	return 0;
}

/* A query option replaces an earlier one of the same name. */
static int set_query_option(struct config *config, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 3, prefix = strlen(name) + 2;
	char *text = malloc(size);
	if (!text)
		return complain("out of memory");
	(void)snprintf(text, size, "@%s=%s", name, value);
	size_t i = 0;
	while (i < config->query_option_count && strncmp(config->query_options[i], text, prefix) != 0)
		i++;
	if (i == config->query_option_count)
		config->query_option_count++;
	free(config->query_options[i]);
	config->query_options[i] = text;
	return 0;
}

/* `value` NULL: the name stood alone. */
static int set_option(struct parser *p, int index, const char *value, enum level level)
{
	const struct option *o = &options[index];
	if (level < p->levels[index])
		return 0;
	p->levels[index] = level;
	char *field = (char *)p->config + o->offset;
	if (o->kind == OPTION_FLAG)
		return parse_flag(o->name, value ? value : "1", (bool *)field);
	if (!value) {
		out_error("%s: needs a value; write %s=%s", o->name, o->name, o->value);
		return -EINVAL;
	}
	if (o->kind == OPTION_NUMBER)
		return parse_number(o->name, value, (unsigned *)(void *)field);
	if (o->kind == OPTION_ID)
		return parse_id(o->name, value, (struct config_id *)(void *)field);
	if (o->kind == OPTION_QUERY)
		return set_query_option(p->config, o->name, value);
	return set_text((char **)(void *)field, o->name, value);
}

static int read_environment(struct parser *p)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (!(options[i].verbs & p->verb))
			continue;
		char name[64];
		int size = snprintf(name, sizeof(name), "CORPUSFS_%s", options[i].name);
		for (int j = 0; j < size; j++)
			name[j] = (char)toupper((unsigned char)name[j]);
		const char *value = getenv(name);
		int r = value ? set_option(p, i, value, LEVEL_ENVIRONMENT) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- mount options ------------------------------------------------------------------------------------------------- */

static int pass_to_kernel(struct config *config, const char *option)
{
	size_t used = strlen(config->kernel_options), size = strlen(option);
	char *longer = realloc(config->kernel_options, used + size + 2);
	if (!longer)
		return complain("out of memory");
	config->kernel_options = longer;
	(void)snprintf(longer + used, size + 2, "%s%s", used ? "," : "", option);
	return 0;
}

/* x-... and comment= are notes that other programs leave in /etc/fstab. */
static bool is_note(const char *option)
{
	return strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0 || strncmp(option, "comment=", 8) == 0;
}

static int set_mount_option(struct parser *p, char *option)
{
	char *equals = strchr(option, '=');
	size_t name_size = equals ? (size_t)(equals - option) : strlen(option);
	if (name_size == 0 && !equals)
		return 0;
	int index = find_option(p, option, name_size);
	if (index >= 0)
		return set_option(p, index, equals ? equals + 1 : NULL, LEVEL_MOUNT_OPTION);
	if (is_note(option))
		return 0;
	for (int i = 0; i < KERNEL_OPTION_COUNT; i++)
		if (strcmp(option, kernel_options[i].name) == 0)
			return kernel_options[i].pass ? pass_to_kernel(p->config, option) : 0;
	return unknown_option(p, option, name_size);
}

/* A backslash takes the next byte as it is, so that a value may hold commas: mount(8) writes them so. */
static int parse_mount_options(struct parser *p, const char *list)
{
	char *option = malloc(strlen(list) + 1);
	if (!option)
		return complain("out of memory");
	int r = 0;
	while (r == 0 && *list) {
		size_t size = 0;
		for (; *list && *list != ','; list++) {
			if (*list == '\\' && list[1])
				list++;
			option[size++] = *list;
		}
		option[size] = '\0';
		list += *list == ',';
		r = set_mount_option(p, option);
	}
	free(option);
	return r;
}

/* --- the command line ---------------------------------------------------------------------------------------------- */

/* The value of an option stands in the same word (`inside`, not NULL) or in the next one. */
static const char *take_value(const char *inside, int argc, char **argv, int *at)
{
	if (inside)
		return inside;
	return *at + 1 < argc ? argv[++*at] : NULL;
}

static int parse_long(struct parser *p, int argc, char **argv, int *at)
{
	const char *word = argv[*at], *name = word + 2, *equals = strchr(name, '=');
	size_t size = equals ? (size_t)(equals - name) : strlen(name);
	if (same_name(name, size, "help")) {
		p->config->help = true;
		return 0;
	}
	int index = find_option(p, name, size);
	if (index < 0)
		return unknown_option(p, word, size + 2);
	const char *value = equals ? equals + 1 : NULL;
	if (options[index].kind != OPTION_FLAG)
		value = take_value(value, argc, argv, at);
	return set_option(p, index, value, LEVEL_COMMAND_LINE);
}

static int parse_short(struct parser *p, int argc, char **argv, int *at)
{
	const char *word = argv[*at];
	if (strcmp(word, "-h") == 0) {
		p->config->help = true;
		return 0;
	}
	if (word[1] == 'o' && p->verb == VERB_MOUNT) {
		const char *list = take_value(word[2] ? word + 2 : NULL, argc, argv, at);
		return list ? parse_mount_options(p, list) : complain("-o: needs options; write -o OPT[=VALUE],...");
	}
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (options[i].letter != word[1] || !(options[i].verbs & p->verb))
			continue;
		if (options[i].kind != OPTION_FLAG)
			return set_option(p, i, take_value(word[2] ? word + 2 : NULL, argc, argv, at), LEVEL_COMMAND_LINE);
		return word[2] ? unknown_option(p, word, strlen(word)) : set_option(p, i, NULL, LEVEL_COMMAND_LINE);
	}
	return unknown_option(p, word, strlen(word));
}

/* A key comes by way of the environment or a file, never on a command line, which every user of the machine may read. */
static int read_key(struct config *config)
{
	if (!config->key_env)
		return 0;
	if (!config->embed)
		return complain("key_env: there is no embed=URL to send a key to");
	config->key = getenv(config->key_env);
	if (config->key && *config->key)
		return 0;
	out_error("key_env=%s: there is no such variable in the environment, or it is empty", config->key_env);
	return -EINVAL;
}

/* Without the option: what the user has configured for good. */
static int find_extractors(struct config *config)
{
	const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	bool own = folder && folder[0] == '/';
	char path[4096];
	if (config->extractors || (!own && !(home && home[0] == '/')))
		return 0;
	int size = snprintf(path, sizeof(path), "%s%s/corpusfs/extractors", own ? folder : home, own ? "" : "/.config");
	if (size >= (int)sizeof(path) || access(path, F_OK) != 0)
		return 0;
	config->extractors = strdup(path);
	return config->extractors ? 0 : complain("out of memory");
}

int config_parse(struct config *config, enum verb verb, const char *verb_name, int argc, char **argv)
{
	*config = (struct config){.arguments = calloc((size_t)argc + 1, sizeof(char *)), .kernel_options = calloc(1, 1)};
	if (!config->arguments || !config->kernel_options)
		return complain("out of memory");
	struct parser p = {.config = config, .verb = verb, .verb_name = verb_name};
	int r = read_environment(&p);
	bool only_words = false;
	for (int i = 0; r == 0 && i < argc; i++) {
		if (only_words || argv[i][0] != '-' || !argv[i][1])
			config->arguments[config->argument_count++] = argv[i];
		else if (strcmp(argv[i], "--") == 0)
			only_words = true;
		else if (argv[i][1] == '-')
			r = parse_long(&p, argc, argv, &i);
		else
			r = parse_short(&p, argc, argv, &i);
	}
	if (r == 0 && !config->help)
		r = read_key(config);
	return r == 0 && (verb & EXTRACT_VERBS) ? find_extractors(config) : r;
}

void config_release(struct config *config)
{
	free(config->store);
	free(config->log);
	free(config->extractors);
	free(config->ocr_language);
	char *texts[] = {config->embed, config->model, config->key_env, config->key_file, config->query_prefix, config->passage_prefix};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	free(config->baseline);
	free(config->save);
	for (size_t i = 0; i < config->query_option_count; i++)
		free(config->query_options[i]);
	free(config->kernel_options);
	free(config->arguments);
	*config = (struct config){0};
}

struct corpus_options config_corpus_options(const struct config *config, const char *source)
{
	return (struct corpus_options){
		.source = source,
		.store = config->store,
		.access = CORPUS_BATCH,
		.threads = config->threads,
		.deadline_ms = config->deadline * 1000,
		.fail_fast = config->fail_fast,
		.no_index = config->noindex,
		.uid = config->uid.given ? &config->uid.id : NULL,
		.gid = config->gid.given ? &config->gid.id : NULL,
		.embed_url = config->embed,
		.embed_model = config->model,
		.embed_key = config->key,
		.embed_key_file = config->key_file,
		.embed_query_prefix = config->query_prefix,
		.embed_passage_prefix = config->passage_prefix,
		.embed_dims = config->embed_dims,
		.embed_rate = config->rate,
		.embed_budget = config->budget,
	};
}

void config_print_options(FILE *out, enum verb verb)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &options[i];
		if (!(o->verbs & (unsigned)verb))
			continue;
		char left[48], letter[8] = "";
		if (o->letter)
			(void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		(void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->value ? "=" : "", o->value ? o->value : "");
		(void)fprintf(out, "  %-22s %s\n", left, o->help);
	}
	if (verb == VERB_MOUNT)
		(void)fprintf(out, "  %-22s %s\n", "-o OPT[=VALUE],...", "the same options as mount(8) and /etc/fstab write them, beside its own");
}

/* --- the terminal -------------------------------------------------------------------------------------------------- */

bool config_colour(FILE *stream)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return !(no && *no) && !(term && strcmp(term, "dumb") == 0) && isatty(fileno(stream));
}

unsigned config_width(FILE *stream)
{
	struct winsize size;
	if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}
