/* The tree of documents: the source with its archives opened. A path that goes on below a file of the source names a *member*:
 * "a.zip/report.pdf", "a.zip/old.tar.gz/notes.md". Everything in this folder that looks at a document goes through here.
 *
 * What is in an archive stands in its catalogue, which is the archive's own extraction (extract/archive.h) and is kept in the store like any other;
 * so a look at a member costs a look at the archive's stamp and at the store, and no work. A member's identity is its archive's: owner, times and
 * device are the archive's, its inode number is made from the archive's and its name. While an archive has not been read in its present
 * version, questions about what is below it are answered with -EINPROGRESS: whoever can wait asks for the archive first.
 *
 * Thread-safe. What is kept between calls: a few parsed catalogues, and a few batches of unpacked members for those who read one after the other. */
#ifndef CORPUSFS_CORPUS_TREE_H
#define CORPUSFS_CORPUS_TREE_H

#include "corpus_impl.h"

struct tree;

int tree_new(struct tree **ret);
void tree_free(struct tree *t); /* accepts NULL */
/* Frees what is only kept for the next member, when nothing is going on. */
void tree_rest(struct tree *t);

/* lstat of a path of the source, or what stands for it of a member (a regular file, or a folder). -EINPROGRESS as above. */
int tree_stat(struct corpus *c, const char *path, struct stat *ret);
/* The same as derived views show it: an archive is a folder. -EINPROGRESS also for one that has the name of an archive and has not been read. */
int tree_stat_shown(struct corpus *c, const char *path, struct stat *ret);
/* Whether a file that was not read yet may turn out to be an archive that is opened: by its name, and by how deep it lies in others. */
bool tree_may_be_archive(struct corpus *c, const char *path);
/* Entries of a folder of the source, of an archive, or of a folder in one. */
int tree_list(struct corpus *c, const char *path, corpus_entry_fn *each, void *context);
/* As source_walk; a file that is an archive is followed by its members, as far as it has been read. `racy_too`: also when its stamp is so young that
 * it will be read again. */
int tree_walk(struct corpus *c, const char *path, bool racy_too, const struct source_visitor *visitor);
/* The members of one archive, and of archives in it under the same condition. */
int tree_walk_members(struct corpus *c, const char *path, bool racy_too, const struct source_visitor *visitor);
/* The archive on the way to `path`, or `path` itself, that has to be read before questions about `path` can be answered: 0 with its path, or
 * -ENOENT when none has. */
int tree_unread(struct corpus *c, const char *path, char ret[LIMIT_PATH_BYTES + 1]);

/* The bytes of a member. Reads archives: for job threads. */
struct member_bytes {
	char *data; /* owned; NULL when the member cannot be read */
	size_t size;
	struct stat st;
	unsigned depth; /* archives that it lies in */
	char code[32], message[256]; /* why it cannot be read, or "" */
};
/* 0, also for a member that cannot be read; -ENOTDIR for a path that is not below an archive, -ENOENT, -EBUSY when the archive keeps changing,
 * -ENOMEM, -EAGAIN. */
int tree_read_member(struct corpus *c, const char *path, struct member_bytes *ret);

#endif
