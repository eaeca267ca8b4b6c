#!/bin/bash
# Many readers and many open files at a low descriptor limit, large folders, deep paths, forgotten inodes.
. "${0%/*}/lib.sh"
need_fuse
need python3
docs=$TMP/docs
mkdir -p "$docs/many"
python3 - "$docs" <<'END'
import os, sys
os.chdir(sys.argv[1])
for i in range(3000):
    open("many/%04d.txt" % i, "w").write("Document %d speaks of number %d.\n" % (i, i * 7919 % 3001))
at = os.getcwd()
for i in range(20):
    name = "deep-%02d-" % i + "d" * 150
    os.mkdir(name)
    os.chdir(name)
open("bottom.txt", "w").write("At the bottom.\n")
END
ulimit -Sn 1024
mount_corpus "$docs" --noindex || { fail 'mounts'; done_testing; }
is "$(ls "$MNT/clean/many" | wc -l)" 3000 'a large folder'
is "$(ls -l "$MNT/raw/many" | wc -l)" 3001 'with attributes'
is "$(cd "$MNT/clean" && find . -name 'bottom*' | wc -l)" 1 'a deep path'
is "$(cd "$MNT/clean" && python3 -c '
import glob, os
while True:
    inside = os.listdir(".")
    deeper = [n for n in inside if n.startswith("deep-")]
    if not deeper:
        print(open("bottom.txt.txt").read(), end="")
        break
    os.chdir(deeper[0])')" 'At the bottom.' 'can be read from near'
python3 - "$MNT" >"$TMP/out" 2>&1 <<'END'
import os, sys
os.chdir(sys.argv[1])
PROCESSES, EACH = 20, 500  # so that none of them needs more descriptors than everybody has
children = []
for n in range(PROCESSES):
    told_read, told_write = os.pipe()
    go_read, go_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go_write)
        wrong, fds = 0, []
        for k in range(n * EACH, (n + 1) * EACH):
            view, suffix = (("clean", ".txt"), ("raw", ""))[k // 3000 % 2]
            fds.append((k % 3000, os.open("%s/many/%04d.txt%s" % (view, k % 3000, suffix), os.O_RDONLY)))
        os.write(told_write, b"x")
        os.read(go_read, 1)
        for i, fd in fds:
            wrong += os.read(fd, 100) != b"Document %d speaks of number %d.\n" % (i, i * 7919 % 3001)
        os._exit(min(wrong, 255))
    os.close(go_read)
    os.close(told_write)
    children.append((pid, told_read, go_write))
opened = sum(len(os.read(told, 1)) for _, told, _ in children)
for _, _, go in children:
    os.close(go)
print(opened, sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _, _ in children))
END
is "$(cat "$TMP/out")" '20 0' '10,000 files open at a time'
python3 - "$MNT" >"$TMP/out" 2>&1 <<'END'
import os, random, sys
mnt = sys.argv[1]
children = []
for n in range(100):
    pid = os.fork()
    if pid == 0:
        random.seed(n)
        for _ in range(30):
            i = random.randrange(3000)
            view, suffix = random.choice((("clean", ".txt"), ("raw", ""), ("chunks", "/0001.txt")))
            if open("%s/%s/many/%04d.txt%s" % (mnt, view, i, suffix), "rb").read() != b"Document %d speaks of number %d.\n" % (i, i * 7919 % 3001):
                os._exit(1)
        os._exit(0)
    children.append(pid)
print(sum(os.waitpid(pid, 0)[1] != 0 for pid in children))
END
is "$(cat "$TMP/out")" 0 '100 readers at a time, without an error'
if [ -w /proc/sys/vm/drop_caches ]; then
	for i in 1 2 3; do
		find "$MNT/raw" "$MNT/clean" "$MNT/chunks/many" >"$TMP/found.$i" 2>/dev/null &
		echo 2 >/proc/sys/vm/drop_caches
		wait $!
		echo 2 >/proc/sys/vm/drop_caches
	done
	is_file "$TMP/found.1" "$TMP/found.3" 'walks while the kernel forgets'
else
	skip 'the kernel cannot be told to forget'
fi
for i in {1..400}; do [ -d "$MNT/search/query number $i" ] && ls "$MNT/search/@mode=keyword/query $i" >/dev/null || echo "$i"; done >"$TMP/out"
is "$(cat "$TMP/out")" '' '400 queries, more than are kept'
ok 'unmounts' unmount_corpus
done_testing
