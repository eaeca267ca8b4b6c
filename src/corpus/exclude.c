/* What stays out of the derived views, as records of the store: an excluded file or folder is kept as skipped, with the reason, so that nothing
 * is left out without a word. */
#include "corpus_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const codes[] = {[IGNORE_NO] = "", [IGNORE_VCS] = "version-control", [IGNORE_SECRET] = "secret", [IGNORE_RULE] = "ignored"};
static const char *const messages[] = {
	[IGNORE_NO] = "",
	[IGNORE_VCS] = "belongs to a version control system",
	[IGNORE_SECRET] = "its name is one under which secrets are kept; a line !NAME in .corpusfsignore lets it in",
	[IGNORE_RULE] = "excluded by .gitignore or .corpusfsignore",
};

const char *exclusion_code(enum ignore_reason reason)
{
	return codes[reason];
}

const char *exclusion_message(enum ignore_reason reason)
{
	return messages[reason];
}

struct hash exclusion_key(enum ignore_reason reason)
{
	struct span parts[] = {span_of("excluded"), span_of(codes[reason])};
	return hash_parts(parts, 2);
}

bool exclusion_outdated(struct corpus *c, const char *path, const struct hash *key)
{
	enum ignore_reason now = ignore_check(c->ignore, path, false), then = IGNORE_NO;
	for (enum ignore_reason r = IGNORE_VCS; r <= IGNORE_RULE; r++)
		if (hash_equal(&c->exclusion_keys[r], key))
			then = r;
	return now != then;
}

struct folder_note {
	struct store_op op;
	enum ignore_reason reason;
	char path[];
};

static int run_note(struct store_write *w, struct store_op *op)
{
	struct folder_note *n = (struct folder_note *)op; /* op is the first member */
	struct store_file file = {.state = STORE_SKIPPED, .extraction = exclusion_key(n->reason)}, old;
	if (store_get_file(store_write_view(w), span_of(n->path), &old) == 0 && hash_equal(&old.extraction, &file.extraction))
		return 0;
	struct store_extraction x = {.state = STORE_SKIPPED,
				     .extractor = span_of("none"),
				     .media_type = span_of("inode/directory"),
				     .encoding = span_of(""),
				     .title = span_of(""),
				     .code = span_of(codes[n->reason]),
				     .message = span_of(messages[n->reason])};
	uint32_t orphan;
	int r = store_put_extraction(w, &file.extraction, &x);
	return r < 0 ? r : store_put_file(w, span_of(n->path), &file, &orphan);
}

static void done_note(struct store_op *op, int result)
{
	(void)result; /* it is noted again at the next walk */
	free(op);
}

int exclusion_put_folder(struct corpus *c, const char *path, enum ignore_reason reason)
{
	size_t n = strlen(path);
	struct folder_note *note = n < LIMIT_PATH_BYTES ? calloc(1, sizeof(*note) + n + 2) : NULL;
	if (!note)
		return -ENOMEM;
	note->op = (struct store_op){.run = run_note, .done = done_note, .bytes = 256};
	note->reason = reason;
	memcpy(note->path, path, n);
	note->path[n] = '/';
	store_submit(c->store, &note->op);
	return 0;
}
