/* Exclusion rules: see ignore.h. */
#include "source/ignore.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/limits.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	MAX_FILE_BYTES = 1 << 20, /* of an ignore file; the rest is not read */
	MAX_RULES = 10000,	  /* in one folder */
	MAX_PATTERN_BYTES = 1024, /* longer lines are passed over */
	BUCKETS = 1024,
	KEEP_SECONDS = 1,
	MAX_FOLDERS = 1 << 16, /* whose rules are kept at a time */
};

struct rule {
	char *pattern;
	bool negated, only_folders, anchored;
};

/* The rules of one folder, from both its files. */
struct folder_rules {
	struct folder_rules *next;
	char *path;
	struct rule *rules;
	size_t count;
	time_t read_at;
};

struct ignore {
	struct source *source;
	pthread_mutex_t lock;
	struct folder_rules *buckets[BUCKETS];
	size_t folder_count;
};

static const char *const vcs_folders[] = {".git", ".hg", ".svn", ".bzr", "_darcs", ".jj", "CVS", ".pijul"};

/* Names under which programs keep secrets. Kept short on purpose: what is on it is missing from every view but raw/. */
static const char *const secret_names[] = {
	".env",		".env.*",	 "*.pem",	   "*.key",	     "*.p12",	     "*.pfx",	   "*.jks",	 "*.keystore",
	"*.kdbx",	"*.ppk",	 "id_rsa",	   "id_dsa",	     "id_ecdsa",     "id_ed25519", ".netrc",	 "_netrc",
	".pgpass",	".htpasswd",	 ".npmrc",	   ".pypirc",	     ".dockercfg",   ".git-credentials", "secring.gpg", "*.ovpn",
	"credentials.json", ".aws/credentials", ".docker/config.json", ".kube/config", ".config/gcloud/*.json", "*.agekey",
};

/* --- patterns ------------------------------------------------------------------------------------------------------ */

/* One bracket expression at *pattern ('[' already seen). Advances past it. An unclosed one matches nothing. */
static bool match_bracket(const char **pattern, unsigned char c)
{
	const char *p = *pattern;
	bool negated = *p == '!' || *p == '^', found = false, first = true;
	p += negated;
	while (*p && (first || *p != ']')) {
		first = false;
		p += *p == '\\' && p[1];
		unsigned char low = (unsigned char)*p++, high = low;
		if (*p == '-' && p[1] && p[1] != ']') {
			p++;
			p += *p == '\\' && p[1];
			high = (unsigned char)*p++;
		}
		found = found || (low <= c && c <= high);
	}
	if (*p != ']')
		return false;
	*pattern = p + 1;
	return found != negated && c != '/';
}

/* One element that is not a star, against one byte. */
static bool match_one(const char **pattern, unsigned char c)
{
	const char *p = *pattern;
	if (*p == '?') {
		*pattern = p + 1;
		return c != '/';
	}
	if (*p == '[') {
		*pattern = p + 1;
		return match_bracket(pattern, c);
	}
	p += *p == '\\' && p[1];
	*pattern = p + 1;
	return (unsigned char)*p == c;
}

/* Where to go on when a star takes one byte more. */
struct retry {
	const char *pattern, *path; /* NULL: none */
};

/* Two stars or more between slashes or at an end cross slashes; any other run of stars does not. Returns the run's length, or 0. */
static size_t double_star_length(const char *start, const char *p)
{
	if (*p != '*')
		return 0;
	size_t n = strspn(p, "*");
	return n >= 2 && (p == start || p[-1] == '/') && (p[n] == '\0' || p[n] == '/') ? n : 0;
}

bool ignore_match(const char *pattern, const char *path)
{
	const char *start = pattern;
	struct retry star = {NULL, NULL}, double_star = {NULL, NULL};
	for (;;) {
		size_t stars = double_star_length(start, pattern);
		if (stars) {
			pattern += stars;
			if (!*pattern)
				return *path != '\0';
			pattern++; /* the slash: "**" + "/" may match nothing at all */
			double_star = (struct retry){pattern, path};
			star.path = NULL;
			continue;
		}
		if (*pattern == '*') {
			while (*pattern == '*')
				pattern++;
			star = (struct retry){pattern, path};
			continue;
		}
		if (*path && *pattern && match_one(&pattern, (unsigned char)*path)) {
			path++;
			continue;
		}
		if (!*path && !*pattern)
			return true;
		if (star.path && *star.path && *star.path != '/') {
			path = ++star.path;
			pattern = star.pattern;
			continue;
		}
		const char *slash = double_star.path ? strchr(double_star.path, '/') : NULL;
		if (!slash)
			return false;
		path = double_star.path = slash + 1;
		pattern = double_star.pattern;
		star.path = NULL;
	}
}

static bool rule_matches(const struct rule *r, const char *below, bool folder)
{
	if (r->only_folders && !folder)
		return false;
	const char *slash = strrchr(below, '/');
	return ignore_match(r->pattern, r->anchored || !slash ? below : slash + 1);
}

/* --- files --------------------------------------------------------------------------------------------------------- */

/* Parses one line into a rule: 1, or 0 when the line says nothing, or -ENOMEM. */
static int parse_line(const char *line, size_t size, struct rule *ret)
{
	if (size && line[size - 1] == '\r')
		size--;
	while (size && line[size - 1] == ' ' && !(size > 1 && line[size - 2] == '\\'))
		size--;
	struct rule r = {0};
	if (size == 0 || line[0] == '#')
		return 0;
	r.negated = line[0] == '!';
	line += r.negated;
	size -= r.negated;
	r.only_folders = size && line[size - 1] == '/';
	size -= r.only_folders;
	r.anchored = memchr(line, '/', size) != NULL;
	if (size && line[0] == '/') {
		line++;
		size--;
	}
	if (size == 0 || size > MAX_PATTERN_BYTES || memchr(line, '\0', size))
		return 0;
	r.pattern = strndup(line, size);
	*ret = r;
	return r.pattern ? 1 : -ENOMEM;
}

static int add_rules(struct folder_rules *f, const char *text, size_t size)
{
	while (size && f->count < MAX_RULES) {
		const char *end = memchr(text, '\n', size);
		size_t n = end ? (size_t)(end - text) : size;
		struct rule rule;
		int r = parse_line(text, n, &rule);
		struct rule *rules = r > 0 ? reallocarray(f->rules, f->count + 1, sizeof(*rules)) : NULL;
		if (r > 0 && !rules) {
			free(rule.pattern);
			r = -ENOMEM;
		}
		if (r < 0)
			return r;
		if (r > 0) {
			f->rules = rules;
			f->rules[f->count++] = rule;
		}
		n += end != NULL;
		text += n;
		size -= n;
	}
	return 0;
}

static void folder_rules_free(struct folder_rules *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->rules[i].pattern);
	free(f->rules);
	free(f->path);
	free(f);
}

static int read_file(struct ignore *g, struct folder_rules *f, const char *name)
{
	char path[LIMIT_PATH_BYTES + 32];
	(void)snprintf(path, sizeof(path), "%s%s%s", f->path, *f->path ? "/" : "", name);
	char *CLEANUP_FREE text = malloc(MAX_FILE_BYTES);
	struct stat st;
	if (!text)
		return -ENOMEM;
	ssize_t n = source_read_head(g->source, path, text, MAX_FILE_BYTES, &st);
	return n > 0 ? add_rules(f, text, (size_t)n) : 0;
}

static bool has_file(struct ignore *g, const char *folder, const char *name)
{
	char path[LIMIT_PATH_BYTES + 32];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s%s%s", folder, *folder ? "/" : "", name);
	return source_stat(g->source, path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Under the lock. */
static void forget_all(struct ignore *g)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (g->buckets[i]) {
			struct folder_rules *f = g->buckets[i];
			g->buckets[i] = f->next;
			folder_rules_free(f);
		}
	g->folder_count = 0;
}

/* Under the lock: the rules of a folder, read again when they are old. NULL: out of memory. */
static const struct folder_rules *rules_of(struct ignore *g, const char *folder, time_t now)
{
	static const char *const names[] = {".gitignore", ".corpusfsignore"};
	if (g->folder_count >= MAX_FOLDERS)
		forget_all(g);
	struct folder_rules **at = &g->buckets[checksum64(folder, strlen(folder)) % BUCKETS];
	while (*at && strcmp((*at)->path, folder) != 0)
		at = &(*at)->next;
	if (*at && now - (*at)->read_at <= KEEP_SECONDS)
		return *at;
	if (*at) {
		struct folder_rules *old = *at;
		*at = old->next;
		folder_rules_free(old);
		g->folder_count--;
	}
	struct folder_rules *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->path = strdup(folder);
	f->read_at = now;
	int r = f->path ? 0 : -ENOMEM;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && r == 0; i++)
		r = has_file(g, folder, names[i]) ? read_file(g, f, names[i]) : 0;
	if (r < 0) {
		folder_rules_free(f);
		return NULL;
	}
	f->next = *at;
	*at = f;
	g->folder_count++;
	return f;
}

/* --- checking ------------------------------------------------------------------------------------------------------ */

static bool is_vcs(const char *name)
{
	for (size_t i = 0; i < sizeof(vcs_folders) / sizeof(*vcs_folders); i++)
		if (strcmp(name, vcs_folders[i]) == 0)
			return true;
	return false;
}

/* What most names fail at: the first and the last letter. The list has neither ? nor [. */
static bool may_match(const char *pattern, const char *name, char last)
{
	char end = pattern[strlen(pattern) - 1];
	return (pattern[0] == '*' || pattern[0] == name[0]) && (end == '*' || end == last);
}

static bool is_secret(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char last = *name ? name[strlen(name) - 1] : '\0';
	for (size_t i = 0; i < sizeof(secret_names) / sizeof(*secret_names); i++) {
		const char *pattern = secret_names[i];
		if (!strchr(pattern, '/')) {
			if (may_match(pattern, name, last) && ignore_match(pattern, name))
				return true;
			continue;
		}
		/* ".aws/credentials" wherever that folder lies. */
		for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
			if (may_match(pattern, at, last) && ignore_match(pattern, at))
				return true;
	}
	return false;
}

/* Under the lock: what the ignore files of all folders above say of one path, itself not below an excluded folder. */
static enum ignore_reason check_one(struct ignore *g, char *path, bool folder, time_t now)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	if (folder && is_vcs(name))
		return IGNORE_VCS;
	enum ignore_reason reason = !folder && is_secret(path) ? IGNORE_SECRET : IGNORE_NO;
	/* From the root down, so that what is said deeper and later is said last. */
	for (char *end = path; end; end = strchr(end == path ? path : end + 1, '/')) {
		size_t n = end == path ? 0 : (size_t)(end - path);
		char kept = path[n];
		path[n] = '\0';
		const struct folder_rules *f = rules_of(g, path, now);
		path[n] = kept;
		if (!f)
			return IGNORE_RULE;
		const char *below = path + n + (n > 0);
		for (size_t i = 0; i < f->count; i++)
			if (rule_matches(&f->rules[i], below, folder))
				reason = f->rules[i].negated ? IGNORE_NO : IGNORE_RULE;
	}
	return reason;
}

enum ignore_reason ignore_check(struct ignore *g, const char *path, bool folder)
{
	char copy[LIMIT_PATH_BYTES + 1];
	size_t size = strlen(path);
	if (size == 0)
		return IGNORE_NO;
	if (size > LIMIT_PATH_BYTES)
		return IGNORE_RULE;
	memcpy(copy, path, size + 1);
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	enum ignore_reason reason = IGNORE_NO;
	(void)pthread_mutex_lock(&g->lock);
	for (char *end = strchr(copy, '/'); end && reason == IGNORE_NO; end = strchr(end + 1, '/')) {
		*end = '\0';
		reason = check_one(g, copy, true, now.tv_sec);
		*end = '/';
	}
	if (reason == IGNORE_NO)
		reason = check_one(g, copy, folder, now.tv_sec);
	(void)pthread_mutex_unlock(&g->lock);
	return reason;
}

void ignore_changed(struct ignore *g, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	if (*path && strcmp(name, ".gitignore") != 0 && strcmp(name, ".corpusfsignore") != 0)
		return;
	(void)pthread_mutex_lock(&g->lock);
	forget_all(g);
	(void)pthread_mutex_unlock(&g->lock);
}

int ignore_new(struct source *s, struct ignore **ret)
{
	struct ignore *g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->source = s;
	(void)pthread_mutex_init(&g->lock, NULL);
	*ret = g;
	return 0;
}

void ignore_free(struct ignore *g)
{
	if (!g)
		return;
	forget_all(g);
	(void)pthread_mutex_destroy(&g->lock);
	free(g);
}
