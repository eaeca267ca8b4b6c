/* Where outside programs lie: see programs.h. */
#include "extract/programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool programs_find(const char *name, char path[PATH_MAX])
{
	if (name[0] == '/' && snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && access(path, X_OK) == 0)
		return true;
	const char *folders = name[0] == '/' ? "" : getenv("PATH");
	for (const char *at = folders ? folders : "/usr/local/bin:/usr/bin:/bin"; *at;) {
		size_t size = strcspn(at, ":");
		/* Relative entries would mean another program in another folder. */
		if (size > 0 && at[0] == '/' && snprintf(path, PATH_MAX, "%.*s/%s", (int)size, at, name) < PATH_MAX && access(path, X_OK) == 0)
			return true;
		at += size + (at[size] == ':');
	}
	path[0] = '\0';
	return false;
}
