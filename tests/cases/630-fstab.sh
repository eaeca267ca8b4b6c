#!/bin/bash
# A line of /etc/fstab, by way of mount.corpusfs, in a mount namespace of its own: the machine's fstab and its mounts are not touched.
. "${0%/*}/lib.sh"
need_fuse
need unshare mount umount findmnt make pgrep
[ "$(id -u)" -eq 0 ] || skip_all 'not root: what fstab mounts is mounted by root'
unshare -m true 2>"$TMP/err" || skip_all "no mount namespace: $(cat "$TMP/err")"

ok 'make install' make -s -C "$ROOT" install DESTDIR="$TMP/staged" PROGRAM="$PROGRAM" --old-file=all
is "$(cd "$TMP/staged" && find . -type f | sort | tr '\n' ' ')" \
	'./usr/local/bin/corpusfs ./usr/local/share/man/man1/corpusfs.1 ./usr/sbin/mount.corpusfs ' 'it installs these'
ok 'make install elsewhere' make -s -C "$ROOT" install PREFIX="$TMP/root" PROGRAM="$PROGRAM" --old-file=all

make_documents "$TMP/docs"
mkdir -p "$TMP/mnt" "$TMP/over"
echo "$TMP/docs $TMP/mnt corpusfs allow_other,nofail,nosuid,_netdev,x-systemd.automount,store=$TMP/store,uid=1000,log=$TMP/log 0 0" >"$TMP/fstab"
cat >"$TMP/inside.sh" <<'INSIDE'
set -eu
exec 2>&1
mount --make-rprivate /
mount --bind "$TMP/fstab" /etc/fstab
# mount(8) looks for its helpers in /usr/sbin alone: ours is laid over that folder, in here.
mount -t tmpfs tmpfs "$TMP/over"
mkdir "$TMP/over/upper" "$TMP/over/work"
mount -t overlay -o "lowerdir=$TMP/root/sbin:/usr/sbin,upperdir=$TMP/over/upper,workdir=$TMP/over/work" overlay /usr/sbin || {
	echo 'no overlay'
	exit
}
PATH=$TMP/root/bin:$PATH
ours() { findmnt -rno TARGET -t fuse.corpusfs | grep -cF "$TMP"; }
mount "$TMP/mnt"
findmnt -no FSTYPE,SOURCE "$TMP/mnt"
cmp "$TMP/docs/add.c" "$TMP/mnt/raw/add.c" && echo 'raw is the source'
grep -c 'sixteen weeks' "$TMP/mnt/clean/handbook/leave.md.txt"
stat -c %u "$TMP/mnt/raw/add.c"
mount -a
ours
corpusfs health "$TMP/mnt" && echo healthy
umount "$TMP/mnt"
ours || true
mount --fake "$TMP/mnt"
ours || echo 'a fake mount mounts nothing'
mount -t corpusfs -o nonsense "$TMP/docs" "$TMP/mnt" >/dev/null || echo "refused with $?"
INSIDE
export TMP
said=$(unshare -m bash "$TMP/inside.sh" | grep -v 'no such option')
case $said in *'no overlay') skip_all 'no overlay: a helper of mount cannot be tried' ;; esac
is "$said" "fuse.corpusfs $TMP/docs
raw is the source
1
1000
1
healthy
0
0
a fake mount mounts nothing
refused with 2" 'mount, mount -a, umount, mount --fake'
ok 'the process is gone' until_true 20 eval '! pgrep -f "corpusfs mount .*$TMP/docs"'
done_testing
