#include "cli/where.h"

#include "cli/output.h"
#include "corpusfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the kernel's table of mounts ---------------------------------------------------------------------------------- */

/* Blanks and backslashes stand as three octal digits there (proc(5)). In place. */
static void unescape(char *text)
{
	char *out = text;
	for (const char *in = text; *in; out++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] && in[3]) {
			*out = (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0'));
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

static bool copy(char *out, size_t size, const char *text)
{
	size_t length = strlen(text);
	if (length >= size)
		return false;
	memcpy(out, text, length + 1);
	return true;
}

/* "36 35 98:0 / /mnt rw,noatime shared:1 - fuse.corpusfs /docs ro": the mountpoint is the fifth word; type and source follow " - ". */
static bool parse_entry(char *line, struct mount_entry *ret)
{
	char *rest = strstr(line, " - "), *save = NULL;
	if (!rest)
		return false;
	*rest = '\0';
	char *word = strtok_r(line, " ", &save);
	for (int i = 0; word && i < 4; i++)
		word = strtok_r(NULL, " ", &save);
	char *type = strtok_r(rest + 3, " ", &save), *source = strtok_r(NULL, " ", &save);
	if (!word || !type || !source)
		return false;
	unescape(word);
	unescape(source);
	return copy(ret->mountpoint, sizeof(ret->mountpoint), word) && copy(ret->type, sizeof(ret->type), type) &&
	       copy(ret->source, sizeof(ret->source), source);
}

/* What follows `folder` and a slash in `path`, or NULL when it is not below it. "" when they are the same. */
static const char *below(const char *path, const char *folder)
{
	size_t size = strlen(folder);
	if (strcmp(folder, "/") == 0)
		return path + 1;
	if (strncmp(path, folder, size) != 0 || (path[size] && path[size] != '/'))
		return NULL;
	return path[size] ? path + size + 1 : path + size;
}

int where_mount_of(const char *path, struct mount_entry *ret)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	if (!table)
		return -errno;
	struct mount_entry *entry = malloc(sizeof(*entry));
	char *line = NULL;
	size_t capacity = 0, best = 0;
	while (entry && getline(&line, &capacity, table) > 0) {
		line[strcspn(line, "\n")] = '\0';
		/* Of two mounts on one folder the later one is seen. */
		if (parse_entry(line, entry) && below(path, entry->mountpoint) && strlen(entry->mountpoint) >= best) {
			best = strlen(entry->mountpoint);
			*ret = *entry;
		}
	}
	free(line);
	free(entry);
	(void)fclose(table);
	return best ? 0 : -ENOENT;
}

bool where_is_ours(const struct mount_entry *entry)
{
	return strcmp(entry->type, "fuse.corpusfs") == 0;
}

void where_explain(const char *name, int error)
{
	bool gone = error == ENOTCONN || error == ECONNABORTED;
	out_error("%s: %s%s", name, strerror(error), gone ? "; the mount's process is gone, `corpusfs unmount` removes it" : "");
}

int where_absolute(const char *path, char ret[PATH_MAX])
{
	if (realpath(path, ret))
		return 0;
	if (errno != ENOTCONN)
		return -errno;
	char parent[PATH_MAX], resolved[PATH_MAX];
	if (!copy(parent, sizeof(parent), path))
		return -ENAMETOOLONG;
	for (size_t size = strlen(parent); size > 1 && parent[size - 1] == '/'; size--)
		parent[size - 1] = '\0';
	char *slash = strrchr(parent, '/');
	const char *last = slash ? slash + 1 : parent;
	if (slash)
		*slash = '\0';
	if (!realpath(slash ? (*parent ? parent : "/") : ".", resolved))
		return -errno;
	int size = snprintf(ret, PATH_MAX, "%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, last);
	return size < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* --- WHERE --------------------------------------------------------------------------------------------------------- */

/* Folder `rest` of a mount: its path below the source. */
static int inside_mount(const char *name, const char *rest, struct where *ret)
{
	static const char *const views[] = {"raw", "clean", "chunks", "vectors", "meta", "similar"};
	const char *inside = *rest ? NULL : rest;
	for (size_t i = 0; !inside && i < sizeof(views) / sizeof(views[0]); i++)
		inside = below(rest, views[i]);
	if (!inside) {
		out_error("%s: is not a folder of documents; name the mountpoint or a folder below its raw/, clean/ or chunks/", name);
		return -EINVAL;
	}
	return copy(ret->inside, sizeof(ret->inside), inside) ? 0 : -ENAMETOOLONG;
}

static bool has_store(const char *source)
{
	struct corpus_options options = {.source = source};
	char store[PATH_MAX];
	return corpus_store_path(&options, store, sizeof(store)) == 0 && access(store, F_OK) == 0;
}

/* A folder below an indexed one belongs to it; the nearest counts. Without any, the folder itself is the source. */
static void find_source(const char *path, const struct config *config, struct where *ret)
{
	char *source = ret->source;
	(void)copy(source, PATH_MAX, path);
	while (!config->store && *source && !has_store(source))
		*strrchr(source, '/') = '\0';
	if (!*source)
		(void)copy(source, PATH_MAX, path);
	(void)copy(ret->inside, sizeof(ret->inside), below(path, source));
}

/* Whoever owns the store is asked through its mount, where we may look into it. */
static void find_owner(const struct config *config, struct where *ret)
{
	struct corpus_options options = config_corpus_options(config, ret->source);
	char readme[PATH_MAX + 16];
	if (corpus_find_owner(&options, ret->mountpoint, sizeof(ret->mountpoint)) == 0) {
		(void)snprintf(readme, sizeof(readme), "%s/README.txt", ret->mountpoint);
		if (access(readme, R_OK) == 0)
			return;
	}
	ret->mountpoint[0] = '\0';
}

static int resolve(const char *name, char path[PATH_MAX], struct stat *ret_st)
{
	if (realpath(name, path) && stat(path, ret_st) == 0)
		return 0;
	int error = errno;
	if (error == ENOTCONN)
		where_explain(name, error);
	else
		out_error("%s: %s; name a source folder or a mountpoint", name, strerror(error));
	return -error;
}

/* Its source is known where the mount says it and the folder is seen from here. */
static void take_mount(const struct mount_entry *entry, struct where *ret)
{
	(void)copy(ret->mountpoint, sizeof(ret->mountpoint), entry->mountpoint);
	if (entry->source[0] == '/')
		(void)copy(ret->source, sizeof(ret->source), entry->source);
}

int where_find(const char *name, const struct config *config, struct where *ret)
{
	char path[PATH_MAX];
	struct stat st;
	*ret = (struct where){0};
	int r = resolve(name, path, &st);
	if (r < 0)
		return r;
	struct mount_entry entry;
	if (where_mount_of(path, &entry) == 0 && where_is_ours(&entry)) {
		take_mount(&entry, ret);
		return inside_mount(name, below(path, entry.mountpoint), ret);
	}
	find_source(path, config, ret);
	if (!*ret->inside && !S_ISDIR(st.st_mode)) {
		out_error("%s: is not a folder; name a source folder or a mountpoint", name);
		return -ENOTDIR;
	}
	find_owner(config, ret);
	return 0;
}

int where_find_source(const char *name, const struct config *config, struct where *ret)
{
	char path[PATH_MAX];
	struct stat st;
	*ret = (struct where){0};
	int r = resolve(name, path, &st);
	if (r < 0)
		return r;
	struct mount_entry entry;
	if (where_mount_of(path, &entry) == 0 && where_is_ours(&entry)) {
		take_mount(&entry, ret);
		if (strcmp(path, entry.mountpoint) == 0)
			return 0;
		out_error("%s: lies in a mount of corpusfs; name the source folder", name);
		return -EINVAL;
	}
	if (!S_ISDIR(st.st_mode)) {
		out_error("%s: is not a folder; name the source folder", name);
		return -ENOTDIR;
	}
	(void)copy(ret->source, sizeof(ret->source), path);
	find_owner(config, ret);
	return 0;
}
