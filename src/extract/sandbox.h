/* What a process that parses a hostile document may still do. Two profiles:
 *
 * parser	our own code in a child: memory, its two descriptors, the clock, and nothing else. Any other system call kills it.
 * program	an outside program: it may be executed once, read system folders, and write to what it inherited. Other calls fail.
 *
 * Layers are used as far as the machine has them: rlimits, another user (when started as root), no_new_privs, Landlock, seccomp.
 * Filters and rulesets are built once, by the helper, before the first document. Single-threaded. */
#ifndef CORPUSFS_EXTRACT_SANDBOX_H
#define CORPUSFS_EXTRACT_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

struct sandbox;

/* Bits of what is in force. */
enum { SANDBOX_RLIMITS = 1, SANDBOX_USER = 2, SANDBOX_NO_NEW_PRIVS = 4, SANDBOX_LANDLOCK = 8, SANDBOX_SECCOMP = 16 };
enum sandbox_profile { SANDBOX_PARSER, SANDBOX_PROGRAM };

/* Address space of a child: what real documents need, several times over. */
#define SANDBOX_ADDRESS_SPACE ((size_t)1 << 30)
/* Stack of a child: parsers recurse as deep as a document nests. */
#define SANDBOX_STACK ((size_t)64 << 20)

/* `paths`, `count`: folders where outside programs lie and files that they need, readable to SANDBOX_PROGRAM beside the system's folders. NULL: out of memory. A
 * layer that this machine lacks is left out. */
struct sandbox *sandbox_new(const char *const *paths, size_t count);
void sandbox_free(struct sandbox *s);
/* Restricts the calling process for the rest of its life and closes every descriptor from `keep` on. `cpu_seconds`, `output_bytes`: rlimits.
 * Returns the bits in force. */
unsigned sandbox_enter(const struct sandbox *s, enum sandbox_profile profile, unsigned keep, unsigned cpu_seconds, size_t output_bytes);
/* Closes every descriptor from `first` on. */
void sandbox_close_from(unsigned first);
/* Enters the profile in a forked child and returns the bits that were in force there. */
unsigned sandbox_probe(const struct sandbox *s, enum sandbox_profile profile);
/* "rlimits, other user, no-new-privs, landlock 7, seccomp". */
void sandbox_describe(const struct sandbox *s, unsigned bits, char *out, size_t size);

#endif
