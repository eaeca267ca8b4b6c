/* What stays out of the derived views: folders of version control, files of secrets, and what .gitignore and .corpusfsignore exclude.
 *
 * The rules of gitignore(5) hold for both files, in every folder, later and deeper lines before earlier ones, .corpusfsignore before
 * .gitignore of the same folder; a file below an excluded folder cannot be included again. Files of secrets are excluded by a built-in
 * list (docs/mount-views.md shows it) that works like lines of a file above the root's, so "!name" in a .corpusfsignore brings one back.
 * Parsed files are kept and looked at again after ignore_changed() or a second, whichever comes first. Thread-safe. */
#ifndef CORPUSFS_SOURCE_IGNORE_H
#define CORPUSFS_SOURCE_IGNORE_H

#include "source/source.h"

#include <stdbool.h>

struct ignore;

enum ignore_reason {
	IGNORE_NO,	/* not excluded */
	IGNORE_VCS,	/* in a folder of version control */
	IGNORE_SECRET,	/* looks like a file of secrets */
	IGNORE_RULE,	/* excluded by an ignore file */
};

int ignore_new(struct source *s, struct ignore **ret);
void ignore_free(struct ignore *g); /* accepts NULL */
/* Why `path` (relative to the source) stays out. `folder`: it is a folder. When memory is short the answer errs towards IGNORE_RULE. */
enum ignore_reason ignore_check(struct ignore *g, const char *path, bool folder);
/* Tells that a file changed; those that are not ignore files are passed over. "" for everything. */
void ignore_changed(struct ignore *g, const char *path);

/* One pattern against one path relative to the folder of its file, as gitignore(5) defines it, without '!' and trailing '/'. For tests. */
bool ignore_match(const char *pattern, const char *path);

#endif
