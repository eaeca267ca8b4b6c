#!/bin/bash
# Everything that can stand in a folder besides ordinary documents. SOAK: a folder of 200,000 files, a tree of a million, a 1 GB line.
# sanitizers: none
. "${0%/*}/lib.sh"
need_fuse
need python3
docs=$TMP/docs device=device
make_documents "$docs"
cd "$docs" || exit
mkfifo pipe
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
mknod device c 1 5 2>/dev/null || device=
ln -s add.c link-inside.c
ln -s handbook link-folder
ln -s /etc/hostname link-outside
ln -s ../../../../../../etc link-up
ln -s circle-b circle-a && ln -s circle-a circle-b
ln -s . circle-self
ln -s "$(printf 'n%.0s' {1..200})" link-nowhere
ln 'log book.txt' 'handbook/hard link.txt'
name=$(printf 'n%.0s' {1..251}).txt
printf 'The name of this file has 255 bytes, dodecahedron.\n' >"$name"
python3 - <<-'END'
	# As deep as a path can go: 15 folders of 250 bytes, the file with a path of 4,000 bytes.
	import os
	for i in range(15):
	    os.mkdir("d" * 250)
	    os.chdir("d" * 250)
	with open("f" * 230 + ".txt", "w") as file:
	    file.write("Here is a text far down, icosahedron.\n")
END
yes 'A line of text, and then nothing for long.' | head -c 8192 >sparse.txt
truncate -s 2G sparse.txt
truncate -s 100M sparse-small.txt
printf 'tetrahedron' | dd of=sparse-small.txt bs=1 seek=50000000 conv=notrunc 2>/dev/null
python3 -c 'open("line.log", "w").write("GET /octahedron 200 " * (80 << 20 >> 4))' # 100 MB without a line end
mkdir inner
inner=
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs none inner 2>/dev/null; then
	inner=$docs/inner
	printf 'On another file system, cuboctahedron.\n' >inner/elsewhere.txt
fi
end_inner() {
	cd / || exit
	[ -z "$inner" ] || umount -l "$inner" 2>/dev/null
	cleanup
}
trap end_inner EXIT
printf 'secret=1\n' >.env
python3 -c 'open(b"invalid \xff\xfe.txt", "w").write("A name that is no UTF-8, rhombus.\n")'
printf 'With a line end in its name, trapezoid.\n' >$'line\nend.txt'
cd / || exit

mount_corpus "$docs"
ok 'everything is indexed' wait_indexed "$MNT" 300
is "$(timeout 20 stat -c %F "$MNT/raw/pipe")" 'fifo' 'a FIFO is shown'
is "$(timeout 20 stat -c %F "$MNT/raw/socket")" 'socket' 'a socket too'
if [ -n "$device" ]; then
	is "$(timeout 20 stat -c %F "$MNT/raw/device")" 'character special file' 'and a device'
else
	skip 'no device: it takes root with CAP_MKNOD to make one'
fi
for name_of in pipe socket $device link-inside.c link-outside circle-a link-nowhere; do
	ok "$name_of is in no derived view" test ! -e "$MNT/clean/$name_of.txt" -a ! -e "$MNT/chunks/$name_of" -a ! -e "$MNT/meta/$name_of.json"
done
ok 'a folder that is a link is none' test ! -e "$MNT/clean/link-folder" -a ! -e "$MNT/clean/circle-self" -a ! -e "$MNT/clean/link-up"
is "$(readlink "$MNT/raw/link-outside")" /etc/hostname 'a link shows where it leads'
is "$(cat "$MNT/raw/link-inside.c")" "$(cat "$docs/add.c")" 'one inside can be followed'
fails 'a circle ends' timeout 20 cat "$MNT/raw/circle-a"
like "$(cat "$TMP/.err")" 'Too many levels of symbolic links' 'with ELOOP'
fails 'what lies behind a link that leads out is not there' cat "$MNT/clean/link-up/hostname.txt"
is_file "$MNT/clean/handbook/hard link.txt.txt" "$MNT/clean/log book.txt.txt" 'a hard link has the same text'
is "$(timeout 60 find "$MNT/raw" -name 'circle-*' | wc -l)" 3 'find ends'
is "$(cat "$MNT/clean/$name.txt")" "$(cat "$docs/$name")" 'a name of 255 bytes'
is "$(find "$MNT/chunks/$name" -type f | wc -l)" 1 'has chunks'

finds() { timeout 60 cat "$MNT/search/@mode=keyword/$1/.results.jsonl"; }
like "$(finds dodecahedron)" '"path": *"nnnn' 'and is found'
like "$(finds icosahedron)" 'ffff\.txt"' 'a path of 4,000 bytes is found'
ok 'and read, step by step' python3 - "$MNT" <<-'END'
	import os, sys
	for view, suffix in (("raw", ""), ("clean", ".txt")):
	    os.chdir(os.path.join(sys.argv[1], view))
	    for i in range(15):
	        os.chdir("d" * 250)
	    assert "icosahedron" in open("f" * 230 + ".txt" + suffix).read()
END
ok 'so is that' test -n "$(finds rhombus)" -a -n "$(finds trapezoid)"
is "$(cat "$MNT/clean/"$'line\nend.txt.txt')" "$(cat "$docs/"$'line\nend.txt')" 'a name with a line end'
if [ -n "$inner" ]; then
	is "$(cat "$MNT/raw/inner/elsewhere.txt")" "$(cat "$inner/elsewhere.txt")" 'a file system mounted inside is shown'
	like "$(finds cuboctahedron)" 'inner/elsewhere.txt' 'and searched'
else
	skip 'nothing can be mounted inside the source' 2
fi
ok 'a secret is in raw/' test -e "$MNT/raw/.env"
ok 'and in no other view' test ! -e "$MNT/clean/.env.txt"
like "$(cat "$MNT/status/skipped.jsonl")" '"\.env"' 'but listed with its reason'

# --- too large ---
too_large() {
	fails "$1 has no text" timeout 60 cat "$MNT/clean/$1.txt"
	like "$(cat "$TMP/.err")" 'Input/output error' "$1: EIO"
	like "$(grep "\"$1\"" "$MNT/status/errors.jsonl")" "$2" "$1: the status says why"
	like "$(cat "$MNT/meta/$1.json")" "$2" "$1: so does meta/"
}
too_large sparse.txt 'too-large'
is "$(stat -c %s "$MNT/raw/sparse.txt")" 2147483648 'it is in raw/ as large as it is'
is "$(dd if="$MNT/raw/sparse-small.txt" bs=1 skip=50000000 count=11 2>/dev/null)" tetrahedron 'a sparse file is read anywhere'
too_large line.log 'too-large'
note "most memory of the mount: $(grep VmHWM "/proc/$MOUNT_PID/status" | tr -s '\t ' ' ')"
ok 'with less than 1.5 GB of memory' test "$(awk '/VmHWM/ { print $2 }' "/proc/$MOUNT_PID/status")" -lt 1500000
ok 'unmounts' unmount_corpus

# --- what the user may not read; without a mount, which not every user can make ---
if [ "$(id -u)" -eq 0 ] && have setpriv; then
	chmod 755 "$TMP"
	mkdir -p "$TMP/small/closed" "$TMP/small/open" "$TMP/small.store"
	printf 'Nobody reads this, pentagon.\n' >"$TMP/small/unreadable.txt"
	printf 'Nor this, hexagon.\n' >"$TMP/small/closed/inside.txt"
	printf 'But this, heptagon.\n' >"$TMP/small/open/inside.txt"
	chmod 000 "$TMP/small/unreadable.txt" "$TMP/small/closed"
	chown 6001 "$TMP/small.store"
	cp "$PROGRAM" "$TMP/corpusfs" # which the user can run, wherever the tests stand
	as_user() { setpriv --reuid=6001 --regid=6001 --clear-groups env HOME="$TMP/small.store" XDG_CACHE_HOME="$TMP/small.store" "$TMP/corpusfs" "$@"; }
	exits 0 'a folder with unreadable parts is indexed' as_user index "$TMP/small"
	like "$(cat "$TMP/out" "$TMP/err")" '1 failed' 'the file counts as failed'
	like "$(cat "$TMP/err")" 'closed' 'the folder is named'
	exits 0 'what can be read is found' as_user search "$TMP/small" heptagon
	exits 1 'the rest is not' as_user search --mode=keyword "$TMP/small" pentagon
else
	skip 'not root, or no setpriv: unreadable files cannot be tried' 5
fi

# --- many ---
many() {
	python3 - "$1" "$2" "$3" <<-'END'
		import os, sys
		top, folders, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		for i in range(folders):
		    folder = "%s/%04d" % (top, i)
		    os.makedirs(folder)
		    for k in range(files):
		        fd = os.open("%s/entry-%06d.%s" % (folder, k, ("txt", "dat")[k % 10 > 0]), os.O_CREAT | os.O_WRONLY)
		        if k % 1000 == 0:
		            os.write(fd, b"Entry %d of folder %d.\n" % (k, i))
		        os.close(fd)
	END
}
folders=1 files=5000
[ -z "${SOAK:-}" ] || files=200000
many "$TMP/wide" $folders $files
mount_corpus "$TMP/wide"
is "$(find "$MNT/raw" -type f | wc -l)" "$files" "a folder of $files files"
is "$(find "$MNT/meta" -type f | wc -l)" "$files" 'in meta/ too'
ok 'indexed' wait_indexed "$MNT" 1200
note "$(grep -E 'VmHWM|VmRSS' "/proc/$MOUNT_PID/status" | tr -s '\t\n ' ' ')"
ok 'unmounts' unmount_corpus
if [ -n "${SOAK:-}" ]; then
	many "$TMP/tree" 1000 1000
	mount_corpus "$TMP/tree"
	is "$(find "$MNT/raw" -type f | wc -l)" 1000000 'a tree of a million files'
	ok 'indexed' wait_indexed "$MNT" 3600
	note "$(grep -E 'VmHWM|VmRSS' "/proc/$MOUNT_PID/status" | tr -s '\t\n ' ' ')" "indexed after $SECONDS s"
	ok 'unmounts' unmount_corpus
	rm -rf "$TMP/tree" "$TMP/wide"
	mkdir "$TMP/large"
	python3 -c 'f = open("'"$TMP"'/large/line.log", "w"); [f.write("GET /octahedron 200 " * 50000) for i in range(1000)]'
	mount_corpus "$TMP/large"
	ok 'a line of 1 GB is indexed' wait_indexed "$MNT" 600
	too_large line.log 'too-large'
	ok 'with little memory' test "$(awk '/VmHWM/ { print $2 }' "/proc/$MOUNT_PID/status")" -lt 1500000
	ok 'unmounts' unmount_corpus
fi
done_testing
