#!/bin/bash
# Mounts by those who may not mount: in a user namespace of their own, and through a descriptor that somebody else mounted.
. "${0%/*}/lib.sh"
need_fuse
need unshare python3
make_documents "$TMP/docs"
chmod 755 "$TMP"
user=() open_fuse=() mnt=$TMP/mnt
mkdir "$TMP/own" "$mnt"
if [ "$(id -u)" -eq 0 ]; then
	need setpriv
	chmod -R a+rX "$TMP/docs"
	chown 6001:6001 "$TMP/own"
	user=(setpriv --reuid=6001 --regid=6001 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs)
	# Whoever builds in a folder of root's tests a copy that others may run.
	install -m 755 "$PROGRAM" "$TMP/corpusfs"
	PROGRAM=$TMP/corpusfs
	# Where no udev has run the device is root's alone; another one is laid over it, for this test to see.
	"${user[@]}" test -r /dev/fuse -a -w /dev/fuse || mknod -m 666 "$TMP/fuse" c 10 229 2>"$TMP/err" ||
		skip_all "/dev/fuse is not for every user, and no other can be made: $(cat "$TMP/err")"
	[ ! -e "$TMP/fuse" ] || open_fuse=(unshare -m sh -c 'mount --bind "$0" /dev/fuse && exec "$@"' "$TMP/fuse")
fi

# --- a user namespace ---
"${user[@]}" unshare -Urm true 2>"$TMP/err" || {
	skip "no user namespace: $(cat "$TMP/err")" 1
	no_namespace=1
}
if [ -z "${no_namespace:-}" ]; then
	cat >"$TMP/inside.sh" <<'INSIDE'
cd "$OWN" && mkdir mnt
id -u
"$PROGRAM" mount --store="$OWN/store" --log="$OWN/log" "$DOCS" mnt || exit
"$PROGRAM" health mnt && echo healthy
cmp "$DOCS/add.c" mnt/raw/add.c && echo 'raw is the source'
grep -c 'sixteen weeks' mnt/clean/handbook/leave.md.txt
cat mnt/clean/report.pdf.txt | grep -c observatory
grep -rl 'notice period' mnt/chunks
"$PROGRAM" search -k 1 mnt parental leave | head -n 1 | cut -d: -f1
"$PROGRAM" unmount mnt && echo unmounted
ls mnt | wc -l
INSIDE
	is "$(OWN=$TMP/own DOCS=$TMP/docs PROGRAM=$PROGRAM "${open_fuse[@]}" "${user[@]}" unshare -Urm sh "$TMP/inside.sh" 2>&1)" '0
healthy
raw is the source
1
1
mnt/chunks/handbook/deep/notice.html/0001.txt
handbook/leave.md
unmounted
0' 'a mount without root, in a user namespace'
	is "$(ls "$TMP/own/mnt" | wc -l)" 0 'nobody outside saw it'
	# The namespace takes its mount along, also when nobody unmounts.
	ok 'the end of the namespace' env OWN="$TMP/own" DOCS="$TMP/docs" PROGRAM="$PROGRAM" "${open_fuse[@]}" "${user[@]}" unshare -Urmpf --mount-proc --kill-child \
		sh -c 'cd "$OWN" && "$PROGRAM" mount --store="$OWN/store" --log="$OWN/log" "$DOCS" mnt && test -e mnt/README.txt'
	ok 'is the end of the mount' until_true 20 eval '! pgrep -f "corpusfs mount .*$TMP/docs"'
fi

# --- a descriptor: the one who mounts has the rights, the one who serves has none ---
if [ "$(id -u)" -ne 0 ]; then
	skip 'not root: nobody can mount for another'
	done_testing
fi
register_mount 0 "$mnt"
cat >"$TMP/mount.py" <<'END'
import ctypes, os, sys
mountpoint, command = sys.argv[1], sys.argv[2:]
fd = os.open("/dev/fuse", os.O_RDWR)
options = "fd=%d,rootmode=40000,user_id=6001,group_id=6001,default_permissions,allow_other" % fd
if ctypes.CDLL(None, use_errno=True).mount(b"corpusfs", os.fsencode(mountpoint), b"fuse.corpusfs", 1, options.encode()) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.set_inheritable(fd, True)
os.execvp(command[0], [word.replace("FD", str(fd)) for word in command])
END
printf 'The heron is a secret of root.\n' >"$TMP/docs/secret.txt"
printf 'The heron is a secret of the one who serves.\n' >"$TMP/docs/served.txt"
chown 6001 "$TMP/docs/served.txt"
chmod 600 "$TMP/docs/secret.txt" "$TMP/docs/served.txt"
python3 "$TMP/mount.py" "$mnt" "${user[@]}" "$PROGRAM" mount -f --store="$TMP/own/store2" "$TMP/docs" /dev/fd/FD >"$TMP/log" 2>&1 &
pid=$!
ok 'answers' until_true 20 test -f "$mnt/README.txt"
is "$(stat -c %u "/proc/$pid")$(sed -n 's/^CapEff:\t0*$/ none/p' "/proc/$pid/status")" '6001 none' 'the one who serves has no rights'
is "$(cat "$mnt/clean/report.pdf.txt" | grep -c observatory)" 1 'what is computed'
ok 'is indexed' wait_indexed "$mnt"
fails 'what the one who serves may not read, nobody does' cat "$mnt/raw/secret.txt"
found() { "$@" cat "$mnt/search/@mode=keyword/heron/.results.jsonl" | python3 -c 'import json, sys; print(*sorted(json.loads(l)["path"] for l in sys.stdin))'; }
is "$(found "${user[@]}")" 'served.txt' 'a search finds what it may read'
# Who else was let in is not known, so each is shown the own.
is "$(found setpriv --reuid=6002 --regid=6002 --clear-groups)" '' 'but not for others, who may not'
umount "$mnt"
wait "$pid"
is $? 0 'and ends well'
done_testing
