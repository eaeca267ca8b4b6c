/* Modes of files with access control lists: see rights.h. */
#include "source/rights.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

enum { LIST_BYTES = 64 << 10, ENTRY_BYTES = sizeof(struct posix_acl_xattr_entry) };

mode_t rights_narrowed(mode_t mode, struct span list)
{
	struct posix_acl_xattr_header header;
	unsigned group = mode >> 3 & 7, other = mode & 7, mask = 7, users = 7, named = 7;
	bool has_names = false;
	mode &= ~(mode_t)077;
	if (list.size < sizeof(header) || (list.size - sizeof(header)) % ENTRY_BYTES)
		return mode;
	memcpy(&header, list.data, sizeof(header));
	if (le32toh(header.a_version) != POSIX_ACL_XATTR_VERSION)
		return mode;
	for (size_t at = sizeof(header); at < list.size; at += ENTRY_BYTES) {
		struct posix_acl_xattr_entry e;
		memcpy(&e, list.data + at, ENTRY_BYTES);
		unsigned may = le16toh(e.e_perm) & 7;
		switch (le16toh(e.e_tag)) {
		case ACL_USER_OBJ:
			break;
		case ACL_USER:
			users &= may;
			__attribute__((fallthrough));
		case ACL_GROUP:
			named &= may;
			has_names = true;
			break;
		case ACL_GROUP_OBJ:
			group = may;
			break;
		case ACL_MASK:
			mask = may;
			break;
		case ACL_OTHER:
			other = may;
			break;
		default:
			return mode;
		}
	}
	group &= mask & users;
	if (has_names)
		other &= named & mask;
	return mode | group << 3 | other;
}

void rights_narrow(int fd, struct stat *st)
{
	char path[32], list[LIST_BYTES];
	if (S_ISLNK(st->st_mode))
		return;
	/* By way of /proc, because an O_PATH descriptor has no attributes to ask for. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = getxattr(path, "system.posix_acl_access", list, sizeof(list));
	if (n > 0)
		st->st_mode = rights_narrowed(st->st_mode, (struct span){list, (size_t)n});
	else if (n < 0 && errno == ERANGE)
		st->st_mode &= ~(mode_t)077;
}
