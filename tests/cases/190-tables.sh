#!/bin/bash
# tables/ on the mount: the bytes of the export's, of one moment for each open, of what the caller may read, and not held in memory.
# sanitizers: thread
. "${0%/*}/lib.sh"
need_fuse
need python3
DOCS=$TMP/docs
make_documents "$DOCS"
(cd "$DOCS" && tar -cf letters.tar handbook/leave.md budget.csv)
printf 'a name that is not UTF-8\n' >"$DOCS/$(printf 'caf\351.txt')"
mkdir -p "$DOCS/node_modules" && echo 'left out' >"$DOCS/node_modules/x.txt" && echo 'node_modules/' >"$DOCS/.gitignore"
printf '%%PDF-1.4\nbroken' >"$DOCS/broken.pdf"
settle_documents
mount_corpus "$DOCS"
wait_indexed
tables=$MNT/tables

# --- names, sizes, ways to read ---
is "$(ls -x "$tables")" 'chunks.jsonl  documents.jsonl' 'the two tables'
isnt "$(stat -c %s "$tables/chunks.jsonl")" 0 'have a size that is not 0 before anybody opened them'
cat "$tables/chunks.jsonl" >"$TMP/cat"
is "$(stat -c %s "$tables/chunks.jsonl")" "$(stat -c %s "$TMP/cat")" 'and the exact one from then on'
is "$(wc -c <"$tables/documents.jsonl")" "$(cat "$tables/documents.jsonl" | wc -c)" 'wc counts'
is_file <(tail -c 300 "$tables/chunks.jsonl") <(tail -c 300 "$TMP/cat") 'tail -c shows the end'
is_file <(tail -n 2 "$tables/chunks.jsonl") <(tail -n 2 "$TMP/cat") 'and tail -n'
cp "$tables/chunks.jsonl" "$TMP/copy"
is_file "$TMP/copy" "$TMP/cat" 'cp copies'
cat >"$TMP/map.py" <<'END'
import mmap, sys
with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as shared:
    sys.stdout.buffer.write(shared[:])
END
is_file <(python3 "$TMP/map.py" "$tables/chunks.jsonl") "$TMP/cat" 'it can be mapped'
fails 'another name is not there' cat "$tables/other.jsonl"
fails 'nothing can be written' touch "$tables/chunks.jsonl"

# --- what stands in them ---
cat >"$TMP/read.py" <<'END'
import hashlib, json, os, sys
mount = sys.argv[1]
def rows(name):
    with open(os.path.join(mount, "tables", name), encoding="utf-8") as file:
        return [json.loads(line) for line in file]
documents, chunks = rows("documents.jsonl"), rows("chunks.jsonl")
paths = [d["path"] for d in documents]
assert paths == sorted(paths, key=os.fsencode), paths
states = {d["path"]: d["state"] for d in documents}
assert states["broken.pdf"] == "failed" and states["photo.png"] == "skipped" and states["handbook/leave.md"] == "ok", states
assert len({tuple(d) for d in documents}) == 1 and len({tuple(c) for c in chunks}) == 1, "columns differ between rows"
if states["letters.tar"] == "ok": # not where libarchive is missing
    assert "letters.tar/handbook/leave.md" in states and [d["chunks"] for d in documents if d["path"] == "letters.tar"] == [0]
for d in documents:
    meta = json.load(open(os.path.join(mount, "meta", d["path"] + ".json"), encoding="utf-8"))
    assert d["source_bytes"] == meta["source"]["bytes"] and d["source_sha256"] == meta["source"].get("sha256")
    assert d["extractor"] == meta["extractor"]["name"] and d["media_type"] == meta["extractor"]["media_type"]
    assert d["title"] == meta.get("title") and d["pages"] == meta["extractor"].get("pages")
    assert d["error_code"] == meta.get("error", {}).get("code") and d["model"] == meta.get("model", {}).get("name")
    mine = [c for c in chunks if c["path"] == d["path"]]
    assert d["chunks"] == len(mine) == len(meta.get("chunks", []))
    for c, m in zip(mine, meta.get("chunks", [])):
        assert (c["chunk"], [c["first_byte"], c["end_byte"]], [c["first_line"], c["last_line"]]) == (m["chunk"], m["bytes"], m["lines"])
        assert c["page"] == m.get("page") and c["heading"] == m["heading"] and c["sha256"] == m["sha256"]
        assert c["text"].encode() == open(os.path.join(mount, "chunks", c["path"], "%04d.txt" % c["chunk"]), "rb").read()
        assert hashlib.sha256(c["text"].encode()).hexdigest() == c["sha256"]
END
ok 'they say what meta/ and chunks/ say' python3 "$TMP/read.py" "$MNT"
is "$(grep -c 'caf' "$tables/documents.jsonl")" 0 'a path that is not UTF-8 is left out'
is "$(grep -c 'node_modules/x' "$tables/documents.jsonl")" 0 'and so is what an excluded folder holds'

# --- one moment for each open ---
exec 9<"$tables/chunks.jsonl"
echo 'A sentence with the word quicksilver.' >"$DOCS/later.txt"
ok 'a new document comes into the table' until_true 30 grep -q quicksilver "$tables/chunks.jsonl"
is_file <(cat <&9) "$TMP/cat" 'a handle that was open shows the table as it was'
exec 9<&-
rm "$DOCS/later.txt"
ok 'a document that is gone leaves it' until_true 30 eval '! grep -q quicksilver "$tables/chunks.jsonl"'
is_file "$tables/chunks.jsonl" "$TMP/cat" 'and the bytes are those of before'
for i in 1 2 3 4 5 6 7 8; do cat "$tables/chunks.jsonl" >"$TMP/many.$i" & readers[i]=$!; done
wait "${readers[@]}"
is "$(for i in 1 2 3 4 5 6 7 8; do cmp "$TMP/many.$i" "$TMP/cat" && echo same; done | wc -l)" 8 'eight readers at once get the same'

# A caller cannot fill the disk with tables that are held open.
cat >"$TMP/hold.py" <<'END'
import errno, os, sys, time
tables, documents = sys.argv[1:]
held = []
for i in range(60):
    with open(os.path.join(documents, "held.txt"), "w") as file:
        file.write("version %d\n" % i)
    end = time.time() + 30
    while time.time() < end:
        try:
            with open(os.path.join(tables, "chunks.jsonl")) as file:
                if "version %d\\n" % i in file.read():
                    break
        except OSError as error:
            sys.exit(0 if error.errno == errno.EMFILE and len(held) >= 7 else "%s after %d" % (error, len(held)))
        time.sleep(0.02)
    try:
        held.append(open(os.path.join(tables, "chunks.jsonl")))
    except OSError as error:
        sys.exit(0 if error.errno == errno.EMFILE and len(held) >= 7 else "%s after %d" % (error, len(held)))
sys.exit("%d are open" % len(held))
END
ok 'old tables that are held open are bounded' python3 "$TMP/hold.py" "$tables" "$DOCS"
rm "$DOCS/held.txt"
ok 'and closed again, all is as before' until_true 30 cmp "$tables/chunks.jsonl" "$TMP/cat"
ok 'unmounts' unmount_corpus

# --- memory ---
# Of a folder with much text, the table is larger than what the process takes for making and holding it.
mkdir -p "$TMP/large"
python3 - "$TMP/large" <<'END'
import os, sys
words = "harbour lighthouse keeper north wind ship noon entry log tide rope anchor sail storm".split()
for i in range(300):
    with open(os.path.join(sys.argv[1], "%03d.txt" % i), "w") as file:
        for k in range(1200):
            file.write(" ".join(words[(i * 7 + k * j + j) % len(words)] for j in range(12)) + " %d.\n" % (i * k))
END
settle_documents
mount_corpus "$TMP/large"
wait_indexed "$MNT" 300
anonymous() { sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$MOUNT_PID/status"; }
cat "$MNT/tables/documents.jsonl" >"$TMP/null" # threads have started and buffers are there
before=$(anonymous)
exec 9<"$MNT/tables/chunks.jsonl"
tail -c 1 <&9 >"$TMP/null"
after=$(anonymous)
size=$(stat -L -c %s /proc/self/fd/9)
note "a table of $((size / 1024)) kB; memory of the process grew from $before to $after kB"
ok 'the table is large' test "$size" -gt $((20 << 20))
ok 'and is not held in memory' test $(((after - before) * 4)) -lt $((size / 1024))
exec 9<&-

# One who gives up stops the work, and the mount ends while a table is being made.
(timeout -s INT 0.1 cat "$MNT/tables/chunks.jsonl" >"$TMP/null"; exit 0)
cat "$MNT/tables/chunks.jsonl" >"$TMP/null" 2>&1 &
reader=$!
kill -TERM "$MOUNT_PID"
wait "$MOUNT_PID"
is $? 0 'the mount ends while a table is being made'
wait "$reader"
done_testing
