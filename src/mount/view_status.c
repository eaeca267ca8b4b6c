/* status/: what the corpus is doing. Each open takes a snapshot, so two handles of one file may hold different bytes: these are the only
 * files that the kernel does not cache. */
#include "mount/mount_impl.h"

#include <errno.h>
#include <string.h>

enum { REPORT_ESTIMATE = 4096 };

static const struct {
	const char *name;
	enum corpus_report report;
} reports[] = {
	{"status.json", CORPUS_STATUS_JSON},
	{"errors.jsonl", CORPUS_ERRORS_JSONL},
	{"skipped.jsonl", CORPUS_SKIPPED_JSONL},
	{"metrics", CORPUS_METRICS},
};
enum { REPORT_COUNT = sizeof(reports) / sizeof(*reports) };

static size_t find_report(const char *name)
{
	size_t i = 0;
	while (i < REPORT_COUNT && strcmp(name, reports[i].name) != 0)
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
	struct node_facts facts = {.source = &st, .mode = attributes_file_mode(st.st_mode & 0444), .size = REPORT_ESTIMATE};
	r = node_get(m, folder, NODE_STATUS, name, caller, &facts, &n);
	/* Each caller has a node of his own, because even a size tells something. */
	return r < 0 ? r : view_found(m, n, m->options->allow_other ? 0 : TIMEOUT_FOREVER, ret);
}

static void folder_look(struct request *r)
{
	struct found f;
	struct caller caller;
	size_t i = find_report(r->name);
	if (i == REPORT_COUNT) {
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
	if (*index >= REPORT_COUNT)
		return 0;
	*ret = (struct listed){.name = reports[*index].name, .type = S_IFREG};
	ret->ino = node_child_ino(f->node, ret->name);
	++*index;
	/* Whose node it is depends on who looks it up. */
	int r = want && !m->options->allow_other ? child(m, f->node, ret->name, 0, &ret->found) : 0;
	return r < 0 ? r : 1;
}

const struct node_type status_folder_type = {.look = folder_look, .stat = view_top_stat, .open_folder = view_open_fixed_folder, .entry = folder_entry};

/* The size is that of the snapshot taken last, which is the caller's own unless he takes several at a time. */
static int report_stat(struct mount *m, struct node *n, struct stat *ret, double *ret_timeout)
{
	(void)m;
	attributes_of(n, ret);
	*ret_timeout = 0;
	return 0;
}

static void report_ready(struct request *r, int result, void *object)
{
	if (result < 0)
		request_reply_error(r, result);
	else
		request_reply_open_unshared(r, content_new(r->mount, r->node, object, NULL, -1));
}

static void report_open(struct request *r)
{
	struct caller caller;
	request_caller(r, &caller);
	if (caller.hash != r->node->version)
		request_reply_error(r, -ESTALE); /* another user's: looked up again, it is this one's */
	else
		request_report(r, reports[find_report(r->node->name)].report, &caller, report_ready);
}

const struct node_type status_type = {.stat = report_stat, .open = report_open};
