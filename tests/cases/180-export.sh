#!/bin/bash
# corpusfs export: the mount's tree as plain files, byte for byte; what changed is written again, what is gone is removed; tables/ for data people.
# sanitizers: address
. "${0%/*}/lib.sh"
need python3

DOCS=$TMP/docs OUT=$TMP/exported
make_documents "$DOCS"
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
exits 0 'export again' export_corpus
like "$(cat "$TMP/out")" '^0 documents written, [0-9]+ unchanged, 0 removed' 'writes nothing'

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
sys.exit(a != b or len(a) < 5)
END
if [ -c /dev/fuse ] && mount_corpus "$DOCS" "--store=$TMP/store"; then
	wait_indexed
	for view in clean chunks vectors meta; do
		# Documents without text have no file in the export; in the mount opening one fails.
		ok "$view/ is that of the mount" python3 "$TMP/same.py" "$MNT/$view" "$OUT/$view"
	done
	unmount_corpus
else
	skip 'no mount' 4
fi

stat -c '%n %Y %i' "$OUT"/clean/*.txt | sort >"$TMP/before"
echo 'and one more line' >>"$DOCS/handbook/leave.md"
rm "$DOCS/add.c"
exits 0 'export after a change' export_corpus
like "$(cat "$TMP/out")" '^1 documents written, [0-9]+ unchanged, 1 removed' 'writes that document and removes the one that is gone'
like "$(cat "$OUT/clean/handbook/leave.md.txt")" 'one more line' 'the change is there'
fails 'the removed document is gone' ls "$OUT/clean/add.c.txt" "$OUT/chunks/add.c" "$OUT/meta/add.c.json" "$OUT/vectors/add.c.npy"
stat -c '%n %Y %i' "$OUT"/clean/*.txt | sort >"$TMP/after"
is "$(comm -13 "$TMP/before" "$TMP/after" | wc -l)" 0 'other files were not touched'

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
    if d["state"] == "ok" and d["path"] != "clash":
        text = "".join(c["text"] for c in by_path.get(d["path"], []))
        clean = "".join(open(os.path.join(out, "clean", d["path"] + ".txt"), encoding="utf-8", newline="")) if d["path"].find("clash") < 0 else text
        assert text == clean, d["path"]
        assert d["chunks"] == len(by_path.get(d["path"], []))
END
ok 'tables/ are JSON lines that agree with the files' python3 "$TMP/tables.py" "$OUT"
exits 2 'a missing source is an error' "$PROGRAM" export --store="$TMP/store" "$TMP/none" "$OUT"
done_testing
