#!/bin/bash
# The source changes under the mount: an open sees it as it is, an open handle keeps one version or gets ESTALE, names come and go.
. "${0%/*}/lib.sh"
need_fuse
need python3
docs=$TMP/docs
mkdir -p "$docs/sub"
printf 'first version\n' >"$docs/a.txt"
printf 'untouched\n' >"$docs/b.txt"
printf 'deep\n' >"$docs/sub/c.txt"
mount_corpus "$docs" || { fail 'mounts'; done_testing; }

clean=$MNT/clean/a.txt.txt
is "$(cat "$clean" "$MNT/raw/a.txt" "$MNT/chunks/a.txt/0001.txt" | sort -u)" 'first version' 'as it was'
exec 7<"$clean" 8<"$MNT/raw/a.txt" 9<"$MNT/meta/a.txt.json"
printf 'second, longer version\n' >"$docs/a.new" && mv "$docs/a.new" "$docs/a.txt"
is "$(cat "$clean")" 'second, longer version' 'a replaced file is seen at the next open, clean/'
is "$(cat "$MNT/raw/a.txt")" 'second, longer version' 'raw/'
is "$(cat "$MNT/chunks/a.txt/0001.txt")" 'second, longer version' 'chunks/'
like "$(cat "$MNT/meta/a.txt.json")" "$(sha256sum <"$docs/a.txt" | cut -d ' ' -f 1)" 'meta/'
is "$(cat <&7)" 'first version' 'a handle of clean/ keeps what it opened'
is "$(cat <&8)" 'first version' 'and one of raw/ what it opened'
like "$(cat <&9)" "$(printf 'first version\n' | sha256sum | cut -d ' ' -f 1)" 'and one of meta/'
exec 7<&- 8<&- 9<&-

for i in 1 2 3; do
	printf 'in place %d\n' "$i" >"$docs/a.txt"
	is "$(cat "$clean")" "in place $i" "written in place, $i: clean/"
	is "$(cat "$MNT/raw/a.txt")" "in place $i" "written in place, $i: raw/"
	is "$(cat "$MNT/chunks/a.txt/"*)" "in place $i" "written in place, $i: chunks/"
done
printf 'IN PLACE 3\n' >"$docs/a.txt"
is "$(cat "$clean")" 'IN PLACE 3' 'the same size'
touch -r "$docs/b.txt" "$docs/a.txt"
printf 'in PLACE 3\n' | dd of="$docs/a.txt" conv=notrunc status=none
touch -r "$docs/b.txt" "$docs/a.txt"
is "$(cat "$clean")" 'in PLACE 3' 'the same size and time'

# --- a handle of raw/ whose file is written to ---
head -c 3000000 /dev/zero | tr '\0' a >"$docs/big.txt"
python3 - "$MNT/raw/big.txt" "$docs/big.txt" >"$TMP/out" 2>&1 <<'END'
import errno, os, sys
f = os.open(sys.argv[1], os.O_RDONLY)
part = os.pread(f, 1000, 0)
with open(sys.argv[2], "r+b") as w:
    w.write(b"b" * 3000000)
try:
    rest = os.pread(f, 100000, 2000000)
    print("mixed" if rest[:1] != part[:1] else "old")
except OSError as e:
    print(errno.errorcode[e.errno])
os.close(f)
print(open(sys.argv[1], "rb").read(1))
END
# Where the kernel reads raw/ by itself (libfuse 3.17 and root), a handle is what POSIX says: that of the file, whoever writes to it.
if [ "$(id -u)" -eq 0 ] && ldd "$PROGRAM" 2>/dev/null | grep -q 'libfuse3\.so\.4'; then
	is "$(tail -n 1 "$TMP/out")" "b'b'" 'the next open sees the change'
else
	is "$(cat "$TMP/out")" "ESTALE
b'b'" 'gets ESTALE, never a mixture'
fi

# --- names ---
printf 'new\n' >"$docs/new.txt"
is "$(cat "$MNT/clean/new.txt.txt")" new 'a new file is there at once'
ok 'and listed' until_true 7 eval 'ls "$MNT/clean" | grep -q "^new.txt.txt$"'
rm "$docs/new.txt"
fails 'a removed one cannot be opened' cat "$MNT/clean/new.txt.txt"
ok 'nor be found' until_true 5 eval '! test -e "$MNT/clean/new.txt.txt"'
ok 'nor in chunks/' until_true 5 eval '! test -e "$MNT/chunks/new.txt/0001.txt"'
ok 'nor is it listed' until_true 7 eval '! ls "$MNT/raw" | grep -q new.txt'
mv "$docs/sub" "$docs/moved"
is "$(cat "$MNT/clean/moved/c.txt.txt")" deep 'a moved folder is there under its new name'
fails 'and not under the old one' cat "$MNT/clean/sub/c.txt.txt"
ok 'for stat neither' until_true 5 eval '! test -e "$MNT/raw/sub/c.txt"'
rm "$docs/b.txt" && mkdir "$docs/b.txt" && printf 'now a folder\n' >"$docs/b.txt/x"
# The kernel itself says ENOTDIR while it takes the name for that of a file, which is for a few seconds.
ok 'a file that became a folder' until_true 9 cat "$MNT/raw/b.txt/x"
ok 'in clean/' until_true 9 cat "$MNT/clean/b.txt/x.txt"
is "$(cat "$MNT/raw/b.txt/x")" 'now a folder' 'with what is in it'
rm -r "$docs/b.txt" && printf 'a file again\n' >"$docs/b.txt"
is "$(cat "$MNT/clean/b.txt.txt")" 'a file again' 'and back'
chmod 400 "$docs/b.txt"
ok 'a change of mode is seen' until_true 5 eval '[ "$(stat -c %a "$MNT/clean/b.txt.txt")" = 400 ]'
printf 'longer than it was\n' >>"$docs/b.txt"
ok 'and one of size' until_true 5 eval '[ "$(stat -c %s "$MNT/raw/b.txt")" = "$(stat -c %s "$docs/b.txt")" ]'

# --- readers while a file is replaced as fast as it goes: every handle gives one version that existed ---
for i in 1 2 3; do yes "version $i of the text" | head -n $((20000 * i)) >"$TMP/v$i"; done
sha256sum "$TMP"/v? | cut -d ' ' -f 1 >"$TMP/sums"
cp "$TMP/v1" "$docs/moving.txt"
python3 - "$docs/moving.txt" "$TMP" "$MNT" >"$TMP/out" 2>&1 <<'END'
import errno, hashlib, os, shutil, sys, threading, time
source, tmp, mnt = sys.argv[1:]
sums = set(open(tmp + "/sums").read().split())
end = time.time() + 3
def write():
    i = 0
    while time.time() < end:
        i += 1
        shutil.copyfile("%s/v%d" % (tmp, i % 3 + 1), source + ".tmp")
        os.rename(source + ".tmp", source)
def write_in_place():
    i = 0
    while time.time() < end:
        i += 1
        shutil.copyfile("%s/v%d" % (tmp, i % 3 + 1), source)
counts = {}
def read(path):
    while time.time() < end:
        try:
            with open(path, "rb") as f:
                got = hashlib.sha256(f.read()).hexdigest()
            what = "good" if got in sums else "MIXED"
        except OSError as e:
            what = errno.errorcode[e.errno]
        counts[what] = counts.get(what, 0) + 1
readers = [threading.Thread(target=read, args=(mnt + "/" + p,)) for p in ("clean/moving.txt.txt", "raw/moving.txt", "clean/moving.txt.txt", "raw/moving.txt")]
writer = threading.Thread(target=write)
for t in readers + [writer]:
    t.start()
for t in readers + [writer]:
    t.join()
print(counts, file=sys.stderr)
print("mixed" if "MIXED" in counts else "whole", "read" if counts.get("good") else "never read")
print(set(counts) - {"good", "ESTALE", "EBUSY", "ENOENT"} or "no other error")
END
is "$(grep -v '^{' "$TMP/out")" 'whole read
no other error' "every handle gave one whole version: $(grep '^{' "$TMP/out")"
ok 'unmounts' unmount_corpus
done_testing
