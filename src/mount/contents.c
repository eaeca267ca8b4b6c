/* What open files read from. All handles of a node share one content, so that a file opened a thousand times takes one descriptor. */
#include "mount/mount_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef FUSE_CAP_PASSTHROUGH
#include <linux/fuse.h>
#include <sys/ioctl.h>
#endif

/* Under the lock. */
static void detach(struct mount *m, struct content *c)
{
	*(c->previous ? &c->previous->next : &m->contents) = c->next;
	if (c->next)
		c->next->previous = c->previous;
	if (c->node->content == c)
		c->node->content = NULL;
}

static void content_free(struct mount *m, struct content *c)
{
#ifdef FUSE_CAP_PASSTHROUGH
	uint32_t backing = (uint32_t)c->backing;
	if (backing)
		(void)ioctl(fuse_session_fd(m->session), FUSE_DEV_IOC_BACKING_CLOSE, &backing);
#endif
	corpus_blob_unref(c->blob);
	corpus_results_unref(c->results);
	if (c->fd >= 0)
		(void)close(c->fd);
	node_unref(m, c->node);
	free(c);
}

struct content *content_new(struct mount *m, struct node *n, struct corpus_blob *blob, struct corpus_results *results, int fd)
{
	struct content *c = calloc(1, sizeof(*c));
	if (!c) {
		corpus_blob_unref(blob);
		corpus_results_unref(results);
		if (fd >= 0)
			(void)close(fd);
		return NULL;
	}
	*c = (struct content){.node = node_ref(m, n), .refs = 1, .blob = blob, .results = results, .fd = fd};
	if (blob) {
		c->text = corpus_blob_data(blob);
		c->size = corpus_blob_size(blob);
	}
	(void)pthread_mutex_lock(&m->contents_lock);
	c->next = m->contents;
	if (c->next)
		c->next->previous = c;
	m->contents = c;
	(void)pthread_mutex_unlock(&m->contents_lock);
	return c;
}

struct content *content_share(struct mount *m, struct content *c)
{
	(void)pthread_mutex_lock(&m->contents_lock);
	struct content *there = c->node->content;
	if (there == c)
		there = NULL;
	if (there) {
		there->refs++;
		detach(m, c);
	} else {
		c->node->content = c;
	}
	(void)pthread_mutex_unlock(&m->contents_lock);
	if (!there)
		return c;
	content_free(m, c);
	return there;
}

struct content *content_of(struct mount *m, struct node *n)
{
	(void)pthread_mutex_lock(&m->contents_lock);
	struct content *c = n->content;
	if (c)
		c->refs++;
	(void)pthread_mutex_unlock(&m->contents_lock);
	return c;
}

void content_ref(struct mount *m, struct content *c)
{
	(void)pthread_mutex_lock(&m->contents_lock);
	c->refs++;
	(void)pthread_mutex_unlock(&m->contents_lock);
}

void content_unref(struct mount *m, struct content *c)
{
	(void)pthread_mutex_lock(&m->contents_lock);
	bool last = --c->refs == 0;
	if (last)
		detach(m, c);
	(void)pthread_mutex_unlock(&m->contents_lock);
	if (last)
		content_free(m, c);
}

size_t contents_count(struct mount *m, enum node_kind kind, uint64_t mark)
{
	size_t count = 0;
	(void)pthread_mutex_lock(&m->contents_lock);
	for (const struct content *c = m->contents; c; c = c->next)
		count += c->node->content == c && c->node->kind == kind && atomic_load(&c->node->mark) == mark;
	(void)pthread_mutex_unlock(&m->contents_lock);
	return count;
}

void contents_release(struct mount *m)
{
	while (m->contents) {
		struct content *c = m->contents;
		detach(m, c);
		content_free(m, c);
	}
}
