/* Opening a source for the verbs that work in this process, and doing its pending work with a progress bar. */
#ifndef CORPUSFS_CLI_OPEN_H
#define CORPUSFS_CLI_OPEN_H

#include "cli/config.h"
#include "corpusfs.h"

enum open_mode {
	OPEN_OWN,     /* own the store, or fail with -EBUSY */
	OPEN_OR_READ, /* own it, or read what is there while another process owns it */
	OPEN_READ,
};

/* Hands on which extractors are wanted. 0, or -errno with one line printed. `extractors` may be NULL. */
int open_extractors(const struct config *config, const char *extractors);
/* Reads the user's extractors and starts the helper process; what mount and all that open a source do first. `extractors` may be NULL. 0, or
 * -errno with one line printed. */
int open_helper(const struct config *config, const char *extractors);
/* 0, or -errno with one line printed, but for -EBUSY, which is the caller's to explain. *ret_owned: the store is ours. */
int open_source(const struct config *config, const char *source, enum open_mode mode, struct corpus **ret, bool *ret_owned);
/* Prints why the store cannot be owned. */
void open_explain_busy(const struct config *config, const char *source);
/* All pending work. 0 or -errno with one line printed; -EINTR after a signal. */
int open_index(struct corpus *corpus, struct corpus_index_summary *ret);

#endif
