#!/bin/bash
# sanitizers: none
# All real documents that are at hand (CORPUSFS_SHARED=folder with documents/) mounted as one folder: the daemon lives, ends its work and never has
# more than 512 MB of its own; every file has clean text or its own reason; no parser of ours crashes. Counts are printed.
. "${0%/*}/lib.sh"

SHARED=${CORPUSFS_SHARED:-$ROOT/../shared}
[ -f "$SHARED/documents/tika.tar.xz" ] || skip_all 'no shared documents (CORPUSFS_SHARED)'
need_fuse
need pdftotext python3 xz

mkdir "$TMP/docs"
for archive in "$SHARED"/documents/*.tar.xz; do
	tar xJf "$archive" -C "$TMP/docs"
done
mount_corpus "$TMP/docs" || { fail 'mounted'; done_testing; }
python3 "$ROOT/tests/cases/helpers/private_memory.py" "$MOUNT_PID" "$TMP/memory" &
ok 'all are worked through' wait_indexed "$MNT" 1800

python3 - "$TMP/docs" "$MNT" >"$TMP/judgement" <<'END'
import collections
import json
import os
import sys

docs, mnt = sys.argv[1:]
counts = collections.Counter()
with open(os.path.join(mnt, "status/errors.jsonl"), encoding="utf-8") as f:
    listed = {json.loads(line)["path"] for line in f}
for folder, _, names in os.walk(docs):
    for name in names:
        path = os.path.relpath(os.path.join(folder, name), docs)
        with open(os.path.join(mnt, "meta", path + ".json"), encoding="utf-8") as f:
            meta = json.load(f)
        state, error = meta["state"], meta.get("error") or {}
        counts[error.get("code") or state] += 1
        if state == "ok":
            with open(os.path.join(mnt, "clean", path + ".txt"), "rb") as f:
                text = f.read()
            text.decode("utf-8")
            # An empty file, plain or compressed, is an empty text.
            if b"\0" in text or not text and meta["extractor"]["name"].split()[0] not in ("text", "gzip", "bzip2", "xz", "zstd"):
                print("no text, though it is said to have some:", path)
        elif not (error.get("code") and error.get("message")):
            print("neither text nor a reason:", path)
        if state == "failed" and path not in listed:
            print("not in status/errors.jsonl:", path)
        if error.get("code") in ("crashed", "killed", "sandbox", "stuck", "no-helper") and not meta["extractor"]["name"].startswith("pdf "):
            print("a parser ended badly:", path, error)
print("%d files: %s" % (sum(counts.values()), ", ".join("%d %s" % (n, c) for c, n in counts.most_common())))
END
is "$(head -n -1 "$TMP/judgement")" '' "each has text or its reason: $(tail -n 1 "$TMP/judgement")"
ok 'the mount answers still' ls "$MNT/search/apache/"
megabytes=$(cat "$TMP/memory")
if [ "$megabytes" -lt 512 ]; then pass "the daemon never had more than 512 MB of its own ($megabytes MB)"; else fail "private memory: $megabytes MB"; fi
ok 'unmounted' unmount_corpus
done_testing
