/* How names of the source are written in the derived views, and back. Pure functions on one component of a path.
 *
 * clean/, vectors/ and meta/ add a suffix to the whole name of a document and leave names of folders alone. The two can meet only where a
 * document "x" stands beside a folder "x.txt": there the folder is shown as "x.txt.d", and, so that this name is free, a folder
 * "x.txt.d" as "x.txt.d.d", and so on. Without such a document no folder's name changes. So the mapping is one-to-one for every name. */
#ifndef CORPUSFS_MOUNT_NAMES_H
#define CORPUSFS_MOUNT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NAMES_CHUNK_SIZE = 20,	 /* room for a chunk's name */
	NAMES_SUFFIX_SIZE = 8,	 /* room that a document's or folder's name grows by, NUL included */
};

/* Length of the document's name in `shown` ("x.txt" with suffix ".txt" gives 1), or 0 when it is not a document's name. */
size_t names_document(const char *shown, const char *suffix);
/* Length of the name of the document that would push a folder called `name` aside: of "x" for "x.txt", "x.txt.d", "x.txt.d.d"; 0 when no
 * document could. */
size_t names_rival(const char *name, const char *suffix);
/* True when a folder shown as `shown`, beside an existing rival, is one that was pushed aside: its own name is without the last ".d". */
bool names_pushed_aside(const char *shown);

/* "0007.txt" gives 7; 0 for anything that names_chunk does not write. */
uint32_t names_chunk_number(const char *shown);
/* At least four digits. `number` counts from 1. */
void names_chunk(uint32_t number, char out[NAMES_CHUNK_SIZE]);

/* True for what an entry of a result folder can look like: digits, then '-'. */
bool names_may_be_hit(const char *shown);

#endif
