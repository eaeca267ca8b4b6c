#!/bin/bash
# sanitizers: none
# Real documents, when they are at hand (CORPUSFS_SHARED=folder with documents/ and train/): hundreds of PDF files and all training text mounted
# together. Every file is in raw/ byte for byte; every document that pdftotext can read has its clean text, every other one its reason; verify
# finds nothing; two runs from empty stores give the same trees.
. "${0%/*}/lib.sh"

SHARED=${CORPUSFS_SHARED:-$ROOT/../shared}
[ -f "$SHARED/documents/pdfjs.tar.xz" ] && [ -d "$SHARED/train" ] || skip_all 'no shared documents (CORPUSFS_SHARED)'
need_fuse
need pdftotext python3 xz

DOCS=$TMP/docs
mkdir -p "$DOCS"
for archive in "$SHARED"/documents/pdfjs.tar.xz "$SHARED"/train/*.tar.xz; do
	tar xJf "$archive" -C "$DOCS"
done

# The clean and chunks trees as they stand, as one hash each; a document that cannot be read is an empty line of its own.
tree_hash() {
	(cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum 2>/dev/null | sha256sum)
}

# one_run NUMBER: mounts, waits, writes what must be equal between runs to $TMP/run.NUMBER.
one_run() {
	mount_corpus "$DOCS" || return
	wait_indexed "$MNT" 900 || fail "run $1: indexed within 15 minutes" "$(cat "$MNT/status/status.json")"
	{
		tree_hash "$MNT/clean"
		tree_hash "$MNT/chunks"
		(cd "$MNT/clean" && find . -type f | wc -l)
		sort "$MNT/status/errors.jsonl"
	} >"$TMP/run.$1"
}

one_run 1 || { fail 'mounted'; done_testing; }
ok 'raw/ is the source, byte for byte' diff -r --no-dereference "$DOCS" "$MNT/raw"
like "$(cat "$MNT/status/status.json")" '"damaged":false' 'the store is whole'

# pdftotext by itself, with the same bounds, says which PDF files have text.
python3 - "$DOCS" "$MNT" >"$TMP/judgement" <<'END'
import concurrent.futures
import json
import os
import resource
import subprocess
import sys

docs, mnt = sys.argv[1:]


def bounded():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def readable(path):
    try:
        out = subprocess.run(["pdftotext", "-enc", "UTF-8", path, "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             stdin=subprocess.DEVNULL, timeout=20, preexec_fn=bounded, check=False).stdout
    except subprocess.TimeoutExpired:
        return False
    return bool(out.translate(None, bytes(range(33))))  # control characters and blanks are not text


names = [os.path.relpath(os.path.join(d, f), docs) for d, _, files in os.walk(docs) for f in files if f.endswith(".pdf")]
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    has_text = dict(zip(names, pool.map(readable, [os.path.join(docs, n) for n in names])))
with open(os.path.join(mnt, "status/errors.jsonl"), encoding="utf-8") as f:
    errors = {json.loads(line)["path"] for line in f}
for name in sorted(names):
    meta = json.load(open(os.path.join(mnt, "meta", name + ".json"), encoding="utf-8"))
    try:
        clean = open(os.path.join(mnt, "clean", name + ".txt"), "rb").read()
    except OSError:
        clean = b""
    if has_text[name] and not clean:
        print("pdftotext reads it, clean/ does not:", name, meta.get("error"))
    if not clean and (not meta.get("error", {}).get("message") or name not in errors):
        print("no text and no reason:", name)
    if clean and meta["state"] != "ok":
        print("text, but state", meta["state"], name)
print("%d PDF files, %d that pdftotext reads" % (len(names), sum(has_text.values())))
END
like "$(tail -n 1 "$TMP/judgement")" '^[0-9]+ PDF files, [1-9][0-9]* that' 'the comparison ran to its end'
is "$(grep -vc 'PDF files' "$TMP/judgement")" 0 "every PDF file has its text or its reason: $(tail -n 1 "$TMP/judgement")"
grep -v 'PDF files' "$TMP/judgement" | head -n 20 | sed 's/^/# /'

ok 'unmounted' unmount_corpus
exits 0 'verify finds no difference' "$PROGRAM" verify --store="$STORE" "$DOCS"
one_run 2 || fail 'mounted again'
is_file "$TMP/run.2" "$TMP/run.1" 'two runs from empty stores give the same trees and the same reasons'
done_testing
