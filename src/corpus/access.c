/* May this caller read that source file? Asked for search results, which are made by the daemon's rights and shown to others.
 *
 * The classic rule of path_resolution(7): search permission on every folder of the path, read permission on the file, the first class that
 * applies (owner, group, others) decides. What an access control list takes away is gone from the modes that come from source_stat(); what it
 * gives by name is not seen. */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REMEMBERED_FOLDERS = 256 };

struct access {
	struct corpus *c;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	bool everything; /* the owner of the process, or a root with a root's rights: sees what the daemon sees */
	struct {
		uint64_t hash; /* of the folder's path; 0: empty */
		bool may_pass;
	} folders[REMEMBERED_FOLDERS];
};

int access_new(struct corpus *c, const struct corpus_caller *caller, struct access **ret)
{
	struct access *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->c = c;
	a->everything = !caller || caller->everything || (caller->uid != 0 && caller->uid == geteuid());
	if (caller) {
		a->uid = caller->uid;
		a->gid = caller->gid;
		a->group_count = caller->group_count;
		a->groups = calloc(caller->group_count + 1, sizeof(*a->groups));
		if (!a->groups) {
			free(a);
			return -ENOMEM;
		}
		if (caller->group_count)
			memcpy(a->groups, caller->groups, caller->group_count * sizeof(*a->groups));
	}
	*ret = a;
	return 0;
}

void access_free(struct access *a)
{
	if (!a)
		return;
	free(a->groups);
	free(a);
}

static bool in_group(const struct access *a, gid_t gid)
{
	if (gid == a->gid)
		return true;
	for (size_t i = 0; i < a->group_count; i++)
		if (a->groups[i] == gid)
			return true;
	return false;
}

/* `bit`: 4 for reading, 1 for passing through a folder. */
static bool mode_allows(const struct access *a, const struct stat *st, unsigned bit)
{
	if (st->st_uid == a->uid)
		return st->st_mode >> 6 & bit;
	if (in_group(a, st->st_gid))
		return st->st_mode >> 3 & bit;
	return st->st_mode & bit;
}

static bool folder_allows(struct access *a, const char *path)
{
	uint64_t hash = checksum64(path, strlen(path)) | 1;
	size_t slot = hash >> 32 & (REMEMBERED_FOLDERS - 1);
	if (a->folders[slot].hash == hash)
		return a->folders[slot].may_pass;
	struct stat st;
	bool may = tree_stat(a->c, path, &st) == 0 && mode_allows(a, &st, S_ISDIR(st.st_mode) ? 1 : 4); /* who reads an archive reads its members */
	a->folders[slot].hash = hash;
	a->folders[slot].may_pass = may;
	return may;
}

static bool folders_allow(struct access *a, const char *path)
{
	char folder[LIMIT_PATH_BYTES + 1];
	if (!folder_allows(a, ""))
		return false;
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t n = (size_t)(slash - path);
		if (n > LIMIT_PATH_BYTES)
			return false;
		memcpy(folder, path, n);
		folder[n] = '\0';
		if (!folder_allows(a, folder))
			return false;
	}
	return true;
}

bool access_sees_everything(const struct access *a)
{
	return a->everything;
}

bool access_may_see(struct access *a, const char *path)
{
	return a->everything || folders_allow(a, path);
}

bool access_may_read(struct access *a, const char *path, struct stat *ret_st)
{
	if (tree_stat(a->c, path, ret_st) < 0 || !S_ISREG(ret_st->st_mode))
		return false;
	return a->everything || (mode_allows(a, ret_st, 4) && folders_allow(a, path));
}
