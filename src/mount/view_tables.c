/* tables/: the index as two JSON lines files, of what the caller may read. A table is made when it is opened, into a file without a name
 * (src/corpus/tables.c), so that it can be read from any place and mapped.
 *
 * A node stands for one caller and one state of the index, and shows an estimate of the size until it is opened. Handles that are open together share
 * its bytes; a caller who opens it again later may find others, since what may be read can change while the index does not. */
#include "mount/mount_impl.h"

#include "base/hash.h"

#include <errno.h>
#include <string.h>

enum {
	TABLE_ESTIMATE = 4096,
	TABLES_OPEN = 8, /* of one caller at a time: each takes room on the disk, and an old one stays while it is held open */
};

static const struct {
	const char *name;
	enum corpus_table table;
} tables[] = {{"documents.jsonl", CORPUS_TABLE_DOCUMENTS}, {"chunks.jsonl", CORPUS_TABLE_CHUNKS}};
enum { TABLE_COUNT = sizeof(tables) / sizeof(*tables) };

static size_t find_table(const char *name)
{
	size_t i = 0;
	while (i < TABLE_COUNT && strcmp(name, tables[i].name) != 0)
		i++;
	return i;
}

static int child(struct mount *m, struct node *folder, const char *name, uint64_t caller, struct found *ret)
{
	struct stat st;
	struct node *n;
	int r = corpus_stat(m->corpus, "", &st);
	if (r < 0)
		return r;
	(void)clock_gettime(CLOCK_REALTIME, &st.st_mtim);
	struct node_facts facts = {.source = &st, .mode = attributes_file_mode(st.st_mode & 0444), .size = TABLE_ESTIMATE};
	uint64_t state[] = {caller, corpus_generation(m->corpus)};
	r = node_get(m, folder, NODE_TABLE, name, checksum64(state, sizeof(state)), &facts, &n);
	if (r < 0)
		return r;
	atomic_store(&n->mark, caller);
	return view_found(m, n, 0, ret);
}

static void folder_look(struct request *r)
{
	struct found f;
	struct caller caller;
	if (find_table(r->name) == TABLE_COUNT) {
		request_reply_never(r);
		return;
	}
	request_caller(r, &caller);
	int result = child(r->mount, r->node, r->name, caller.hash, &f);
	if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_found(r, &f);
}

static int folder_entry(struct mount *m, struct folder *f, size_t *index, bool want, struct listed *ret)
{
	(void)m, (void)want; /* whose node it is depends on who looks it up */
	if (*index >= TABLE_COUNT)
		return 0;
	*ret = (struct listed){.name = tables[*index].name, .type = S_IFREG};
	ret->ino = node_child_ino(f->node, ret->name);
	++*index;
	return 1;
}

const struct node_type table_folder_type = {.look = folder_look, .stat = view_top_stat, .open_folder = view_open_fixed_folder, .entry = folder_entry};

static int table_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	(void)m;
	attributes_of(n, ret);
	*ret_timeout = 0;
	return 0;
}

static void table_ready(struct request *r, int result, void *object)
{
	if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_open_snapshot(r, content_new(r->mount, r->node, object, NULL, -1));
}

static void table_open(struct request *r)
{
	struct mount *m = r->mount;
	struct node *n = r->node;
	struct caller caller;
	request_caller(r, &caller);
	if (caller.hash != atomic_load(&n->mark)) {
		request_reply_error(r, -ESTALE); /* another user's: looked up again, it is this one's */
		return;
	}
	struct content *c = content_of(m, n);
	if (c)
		request_reply_open_snapshot(r, c);
	else if (contents_count(m, NODE_TABLE, caller.hash) >= TABLES_OPEN)
		request_reply_error(r, -EMFILE);
	else
		request_table(r, tables[find_table(n->name)].table, &caller, table_ready);
}

const struct node_type table_type = {.stat = table_stat, .open = table_open};
