#!/bin/bash
# A descriptor of /dev/fuse that somebody with more rights has mounted: the mount is served through it, and writes are refused even where
# whoever mounted it forgot to make it read-only.
. "${0%/*}/lib.sh"
need_fuse
need python3
[ "$(id -u)" -eq 0 ] || skip_all 'only root can mount for another'
docs=$TMP/docs mnt=$TMP/corpus
make_documents "$docs"
mkdir "$mnt"
register_mount 0 "$mnt"
cat >"$TMP/mount.py" <<'END'
import ctypes, os, sys
program, docs, mnt, store = sys.argv[1:]
fd = os.open("/dev/fuse", os.O_RDWR)
os.set_inheritable(fd, True)
libc = ctypes.CDLL(None, use_errno=True)
options = "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other" % fd
if libc.mount(b"corpusfs", os.fsencode(mnt), b"fuse.corpusfs", 0, options.encode()) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.execv(program, [program, "mount", "-f", "--store=" + store, docs, "/dev/fd/%d" % fd])
END
python3 "$TMP/mount.py" "$PROGRAM" "$docs" "$mnt" "$TMP/store" >"$TMP/log" 2>&1 &
pid=$!
ok 'answers' until_true 20 test -f "$mnt/README.txt"
is "$(cat "$mnt/raw/add.c")" "$(cat "$docs/add.c")" 'serves raw/'
is "$(cat "$mnt/clean/report.pdf.txt" | grep -c observatory)" 1 'and what is computed'
python3 - "$mnt" >"$TMP/out" 2>&1 <<'END'
import errno, os, sys
os.chdir(sys.argv[1])
def refused(what, call, *args):
    try:
        call(*args)
        print(what, "succeeded")
    except OSError as e:
        if e.errno != errno.EROFS:
            print(what, errno.errorcode[e.errno])
refused("write", os.open, "raw/add.c", os.O_WRONLY)
refused("truncate", os.truncate, "raw/add.c", 0)
refused("chmod", os.chmod, "raw/add.c", 0o777)
refused("utime", os.utime, "raw/add.c")
refused("unlink", os.unlink, "raw/add.c")
refused("rename", os.rename, "raw/add.c", "raw/b.c")
refused("link", os.link, "raw/add.c", "raw/b.c")
refused("mkdir", os.mkdir, "raw/new")
refused("rmdir", os.rmdir, "raw/handbook")
refused("symlink", os.symlink, "x", "raw/new")
refused("mknod", os.mkfifo, "raw/new")
refused("create", os.open, "raw/new", os.O_WRONLY | os.O_CREAT)
refused("setxattr", os.setxattr, "raw/add.c", "user.x", b"y")
refused("removexattr", os.removexattr, "raw/add.c", "user.x")
END
is "$(cat "$TMP/out")" '' 'every attempt to write is EROFS'
is "$(cat "$docs/add.c" | wc -l)" 4 'and the source is as it was'
umount "$mnt"
wait "$pid"
is $? 0 'the process ends well when it is unmounted'
done_testing
