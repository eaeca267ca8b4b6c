/* Who may read a file, said by a mode alone.
 *
 * A file with a POSIX access control list shows its mask where its group's bits are, so by the mode its group may do what only a user
 * named in the list may. Rights on the mount are those of modes; so that nobody gets more than from the source, a list narrows the mode:
 * to the group goes what the list gives the owning group and every named user, to others what it gives others and everybody it names.
 * Whoever has rights by name alone has none here. acl(5) tells how a list is read; the attribute is that of linux/posix_acl_xattr.h. */
#ifndef CORPUSFS_SOURCE_RIGHTS_H
#define CORPUSFS_SOURCE_RIGHTS_H

#include "base/span.h"

#include <sys/stat.h>

/* Narrows st_mode of the file that is open as `fd`, which may be an O_PATH descriptor. Thread-safe. */
void rights_narrow(int fd, struct stat *st);
/* The same for the bytes of the attribute. A list that cannot be read leaves the owner's rights only. */
mode_t rights_narrowed(mode_t mode, struct span list);

#endif
