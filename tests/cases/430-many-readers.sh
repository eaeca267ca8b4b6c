#!/bin/bash
# 2,000 readers of cached and uncached files where 1,024 descriptors are all that the mount may have, and 10,000 open files.
# sanitizers: none
. "${0%/*}/lib.sh"
need_fuse
need python3
[ -x "$TOOLS/readers" ] || skip_all "$TOOLS/readers is not built; make check builds it"
docs=$TMP/docs
python3 - "$docs" <<-'END'
	import os, sys
	for i in range(2500):
	    folder = "%s/%02d" % (sys.argv[1], i % 50)
	    os.makedirs(folder, exist_ok=True)
	    with open("%s/note%d.%s" % (folder, i, ("txt", "md")[i % 2]), "w") as file:
	        file.write("# Note %d\n\nThe keeper of lighthouse %d counted ships.\n" % (i, i) * (1 + i % 40))
END

# --- 10,000 open files: four views of 2,500 documents, at the limit that this machine gives ---
mount_corpus "$docs" --noindex
find "$docs" -name 'note*' -printf '%P\n' | sort >"$TMP/names"
if python3 - "$MNT" "$TMP/names" >"$TMP/held" 2>&1 <<-'END'; then
	import os, sys
	mount, names = sys.argv[1], open(sys.argv[2]).read().split("\n")[:-1]
	forms = ["raw/%s", "clean/%s.txt", "meta/%s.json", "chunks/%s/0001.txt"]
	paths = [os.path.join(mount, form % name) for name in names for form in forms]
	children = []
	for first in range(0, len(paths), 500):
	    says, said = os.pipe(), os.pipe()
	    pid = os.fork()
	    if pid == 0:
	        os.close(says[0]), os.close(said[1])
	        problem = b""
	        try:
	            handles = [os.open(path, os.O_RDONLY) for path in paths[first:first + 500]]
	        except OSError as error:
	            problem = str(error).encode()
	        os.write(says[1], problem or b"open")
	        os.read(said[0], 1)
	        try:
	            assert problem or all(os.pread(fd, 100, 0) for fd in handles)
	        except OSError as error:
	            print(error)
	            os._exit(1)
	        os._exit(bool(problem))
	    os.close(says[1]), os.close(said[0])
	    children.append((pid, says[0], said[1]))
	answers = {os.read(child[1], 300) for child in children}
	print("%d handles" % len(paths), answers)
	failed = answers != {b"open"}
	for pid, _, said in children:
	    os.write(said, b'x')
	    failed = os.waitpid(pid, 0)[1] != 0 or failed
	sys.exit(failed)
END
	pass '10,000 files open at once, all readable'
else
	fail '10,000 files open at once, all readable'
fi
note "$(cat "$TMP/held")"
ok 'unmounts' unmount_corpus

# --- 2,000 readers ---
(
	cd "$docs" || exit
	find . -name 'note*' | sort | head -n 900 | sed 's|^\./||' >"$TMP/names"
)
rounds=3
[ -z "${SOAK:-}" ] || rounds=200
for_readers() {
	ulimit -n 1024 # of this shell too, so this comes last
	mount_corpus "$docs" --noindex || return 1
	# A third of the texts is cached, raw/ needs a descriptor for each open file.
	awk 'NR % 3 == 0' "$TMP/names" | while read -r name; do cat "$MNT/clean/$name.txt"; done >/dev/null
	{
		sed "s|.*|$MNT/clean/&.txt|" "$TMP/names"
		sed "s|.*|$MNT/raw/&|" "$TMP/names"
		sed "s|.*|$MNT/meta/&.json|" "$TMP/names"
		sed "s|.*|$MNT/chunks/&/0001.txt|" "$TMP/names"
	} >"$TMP/files"
	"$TOOLS/readers" 4 500 "$rounds" <"$TMP/files" >"$TMP/readers" 2>&1
}
if for_readers; then
	pass "2,000 readers with 1,024 descriptors: no errors"
else
	fail "2,000 readers with 1,024 descriptors: no errors"
fi
note "$(cat "$TMP/readers")"
ok 'the mount is well afterwards' test -e "$MNT/README.txt"
ok 'unmounts' unmount_corpus
done_testing
