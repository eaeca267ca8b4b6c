/* Asking and waiting: see ask.h. */
#include "cli/ask.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* As a component under search/: a slash and a percent sign never stand for themselves, and some first bytes mean something else there. */
void ask_add_component(struct buf *path, const char *text)
{
	bool special = text[0] == '.' || strcmp(text, "README.txt") == 0;
	for (size_t i = 0; text[i]; i++) {
		if (text[i] == '/' || text[i] == '%' || (i == 0 && special))
			buf_addf(path, "%%%02X", (unsigned char)text[i]);
		else
			buf_add_char(path, text[i]);
	}
}

void ask_add_query(struct buf *path, const char *text)
{
	if (*text == '@') {
		buf_add_string(path, "%40");
		text++;
	}
	ask_add_component(path, text);
}

/* Turns the library's call-back into a call that waits. */
struct answer {
	struct corpus_wait wait; /* first, so that a pointer to it is one to the answer */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	int result;
	void *object;
};

static void answer_done(struct corpus_wait *wait, int result, void *object)
{
	struct answer *a = (struct answer *)(void *)wait;
	(void)pthread_mutex_lock(&a->lock);
	a->done = true;
	a->result = result;
	a->object = object;
	(void)pthread_cond_signal(&a->changed);
	(void)pthread_mutex_unlock(&a->lock);
}

static int answer_wait(struct answer *a, void **ret)
{
	(void)pthread_mutex_lock(&a->lock);
	while (!a->done)
		(void)pthread_cond_wait(&a->changed, &a->lock);
	(void)pthread_mutex_unlock(&a->lock);
	if (a->result == 0)
		*ret = a->object;
	return a->result;
}

int ask_corpus(struct corpus *corpus, const struct corpus_query *query, struct corpus_results **ret)
{
	struct answer a = {.wait = {.done = answer_done}, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	void *object = NULL;
	int r = corpus_search(corpus, query, NULL, &a.wait);
	r = r == -EINPROGRESS ? answer_wait(&a, &object) : r;
	if (r == 0)
		*ret = object;
	return r;
}

int ask_document(struct corpus *corpus, const char *path, enum corpus_view view, struct corpus_doc **ret)
{
	struct answer a = {.wait = {.done = answer_done}, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	void *object = NULL;
	int r = corpus_get(corpus, path, view, &a.wait, ret);
	if (r != -EINPROGRESS)
		return r;
	r = answer_wait(&a, &object);
	if (r == 0)
		*ret = object;
	return r;
}
