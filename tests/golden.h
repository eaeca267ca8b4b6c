/* Golden documents: a folder of inputs, and beside each what it gives, NAME.expected. With UPDATE set in the environment the
 * expected file is written anew: read the difference before it is committed. */
#ifndef CORPUSFS_TESTS_GOLDEN_H
#define CORPUSFS_TESTS_GOLDEN_H

#include "tap.h"

#include "base/buf.h"

#include <dirent.h>
#include <stdlib.h>

static void golden_read(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rbe");
	char piece[4096];
	size_t n;
	while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, piece, n);
	if (f)
		(void)fclose(f);
}

static void golden_write(const char *path, struct span s)
{
	FILE *f = fopen(path, "wbe");
	if (!f)
		return;
	(void)fwrite(s.data, 1, s.size, f);
	(void)fclose(f);
}

static int golden_is_input(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);
	return entry->d_name[0] != '.' && strcmp(entry->d_name, "run") != 0 &&
	       (size < 9 || strcmp(entry->d_name + size - 9, ".expected") != 0);
}

/* One check: `give` appends to `out` what the input `in` of this name gives. */
static void golden_document(const char *folder, const char *name, void (*give)(const char *name, struct span in, struct buf *out))
{
	char path[1024];
	struct buf in, got, expected;
	buf_init(&in, 1 << 24);
	buf_init(&got, 1 << 24);
	buf_init(&expected, 1 << 24);
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	golden_read(path, &in);
	give(name, buf_span(&in), &got);
	(void)snprintf(path, sizeof(path), "%s/%s.expected", folder, name);
	if (getenv("UPDATE"))
		golden_write(path, buf_span(&got));
	golden_read(path, &expected);
	if (!CHECK_NAMED(span_equal(buf_span(&got), buf_span(&expected)), "%s", name))
		printf("# got:\n%s\n", got.data ? got.data : "");
	buf_release(&in);
	buf_release(&got);
	buf_release(&expected);
}

static void golden_folder(const char *folder, void (*give)(const char *name, struct span in, struct buf *out))
{
	struct dirent **entries;
	int count = scandir(folder, &entries, golden_is_input, alphasort);
	CHECK_NAMED(count > 0, "there are golden documents");
	for (int i = 0; i < count; i++) {
		golden_document(folder, entries[i]->d_name, give);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

#endif
