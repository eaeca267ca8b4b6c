#!/bin/bash
# corpusfs export: the mount's tree as plain files, byte for byte; what changed is written again, what is gone is removed; tables/ for data people.
# sanitizers: address
. "${0%/*}/lib.sh"
need python3

DOCS=$TMP/docs OUT=$TMP/exported
make_documents "$DOCS"
(cd "$DOCS" && tar -cf letters.tar handbook/leave.md budget.csv)
mkdir -p "$DOCS/clash.txt" "$DOCS/node_modules"
echo 'a document beside a folder of its text name' >"$DOCS/clash"
echo 'inside that folder' >"$DOCS/clash.txt/inner"
echo 'left out' >"$DOCS/node_modules/x.txt"
echo 'node_modules/' >"$DOCS/.gitignore"

export_corpus() {
	"$PROGRAM" export --store="$TMP/store" "$DOCS" "$OUT"
}

exits 0 'export writes' export_corpus
like "$(cat "$TMP/out")" '^[0-9]+ documents written, 0 unchanged, 0 removed' 'and says what'
every_file() { (cd "$OUT" && find . -type f ! -name .corpusfs-manifest -printf '%p %i %T@ %s\n' | sort); }
every_file >"$TMP/first"
exits 0 'export again' export_corpus
like "$(cat "$TMP/out")" '^0 documents written, [0-9]+ unchanged, 0 removed' 'writes nothing'
is "$(every_file)" "$(cat "$TMP/first")" 'not even a table'

# Documents without text have no file in the export; in the mount opening one fails.
cat >"$TMP/same.py" <<'END'
import os, sys
mount, out = sys.argv[1:]
def files(top):
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            try:
                found[os.path.relpath(path, top)] = open(path, "rb").read()
            except OSError:
                pass
    return found
a, b = files(mount), files(out)
for path in sorted(set(a) | set(b)):
    if a.get(path) != b.get(path):
        print(path, path in a, path in b)
sys.exit(a != b or len(a) < 2)
END
same_as_mount() {
	local view
	if [ -c /dev/fuse ] && mount_corpus "$DOCS" "--store=$TMP/store"; then
		wait_indexed
		for view in clean chunks vectors meta tables; do
			ok "$view/ is that of the mount$1" python3 "$TMP/same.py" "$MNT/$view" "$OUT/$view"
		done
		unmount_corpus
	else
		skip 'no mount' 5
	fi
}
same_as_mount ''

echo 'and one more line' >>"$DOCS/handbook/leave.md"
rm "$DOCS/add.c"
exits 0 'export after a change' export_corpus
like "$(cat "$TMP/out")" '^1 documents written, [0-9]+ unchanged, 1 removed' 'writes that document and removes the one that is gone'
like "$(cat "$OUT/clean/handbook/leave.md.txt")" 'one more line' 'the change is there'
fails 'the removed document is gone' ls "$OUT/clean/add.c.txt" "$OUT/chunks/add.c" "$OUT/meta/add.c.json" "$OUT/vectors/add.c.npy"
every_file >"$TMP/after"
is "$(comm -13 "$TMP/first" "$TMP/after" | cut -d ' ' -f 1 | grep -v '^./chunks/handbook/leave.md/' | tr '\n' ' ')" \
	'./clean/handbook/leave.md.txt ./meta/handbook/leave.md.json ./tables/chunks.jsonl ./tables/documents.jsonl ./vectors/handbook/leave.md.npy ' \
	'nothing else was written but that document and the tables'
is "$(comm -23 "$TMP/first" "$TMP/after" | cut -d ' ' -f 1 | grep -vFf <(comm -13 "$TMP/first" "$TMP/after" | cut -d ' ' -f 1) | tr '\n' ' ')" \
	'./chunks/add.c/0001.txt ./clean/add.c.txt ./meta/add.c.json ./vectors/add.c.npy ' 'and nothing removed but what is gone'
same_as_mount ' after the change'

cat >"$TMP/tables.py" <<'END'
import hashlib, json, os, sys
out = sys.argv[1]
documents = [json.loads(l) for l in open(os.path.join(out, "tables/documents.jsonl"), encoding="utf-8")]
chunks = [json.loads(l) for l in open(os.path.join(out, "tables/chunks.jsonl"), encoding="utf-8")]
assert {d["state"] for d in documents} >= {"ok", "skipped"}
by_path = {}
for c in chunks:
    by_path.setdefault(c["path"], []).append(c)
    assert hashlib.sha256(c["text"].encode()).hexdigest() == c["sha256"], c["path"]
for d in documents:
    if d["clean_sha256"] and d["path"] != "clash": # not of an archive
        text = "".join(c["text"] for c in by_path.get(d["path"], []))
        clean = "".join(open(os.path.join(out, "clean", d["path"] + ".txt"), encoding="utf-8", newline="")) if d["path"].find("clash") < 0 else text
        assert text == clean, d["path"]
        assert d["chunks"] == len(by_path.get(d["path"], []))
END
ok 'tables/ are JSON lines that agree with the files' python3 "$TMP/tables.py" "$OUT"
exits 2 'a missing source is an error' "$PROGRAM" export --store="$TMP/store" "$TMP/none" "$OUT"
done_testing
