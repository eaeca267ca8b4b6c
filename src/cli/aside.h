/* A question to a mount that may hang, asked by a process of its own, so that we do not hang with it. */
#ifndef CORPUSFS_CLI_ASIDE_H
#define CORPUSFS_CLI_ASIDE_H

/* What question(path), run in a child, returned; -ETIMEDOUT when it had no answer after `timeout_ms`, or another -errno. A child in the middle of a
 * request cannot be killed before the mount answers or ends: it is left behind, not waited for. Before threads are started. */
long aside_ask(long (*question)(const char *path), const char *path, int timeout_ms);

#endif
