/* Taking a mount away; used by `unmount`, and by `mount` where a killed process left one behind. */
#ifndef CORPUSFS_CLI_UNMOUNT_H
#define CORPUSFS_CLI_UNMOUNT_H

/* 0; -EBUSY: it is in use, has left the tree and ends with its last open file; or -errno. */
int unmount_path(const char *mountpoint);

#endif
