#!/bin/bash
# sanitizers: none
# Damaged variants of every kind of document (helpers/mutate.py), through the real helper and its sandbox: every file has its text or its reason, no
# parser of ours crashes, the command does not either. SOAK: 10,000 variants. SEED=N repeats a run.
. "${0%/*}/lib.sh"
need python3 pdftotext

count=400
[ -z "${SOAK:-}" ] || count=10000
SEED=${SEED:-$RANDOM}
note "seed $SEED, $count documents"
ok 'documents are damaged' python3 "$ROOT/tests/cases/helpers/mutate.py" "$ROOT/tests/golden/extract" "$TMP/docs" "$count" "$SEED"
exits 0 'all are exported' "$PROGRAM" export --store="$TMP/store" "$TMP/docs" "$TMP/export"

# A crash of a parser child costs its document only; it is a mistake of the parser all the same. pdftotext is not ours: its crashes are counted.
python3 - "$TMP/docs" "$TMP/export/tables/documents.jsonl" >"$TMP/judgement" <<'END'
import collections
import json
import os
import sys

docs, table = sys.argv[1:]
files = {os.path.relpath(os.path.join(d, n), docs) for d, _, names in os.walk(docs) for n in names}
counts = collections.Counter()
with open(table, encoding="utf-8") as f:
    for row in map(json.loads, f):
        files.discard(row["path"])
        code = row["error_code"]
        counts[code or row["state"]] += 1
        if row["state"] != "ok" and not (code and row["error_message"]):
            print("%s: %s without a reason" % (row["path"], row["state"]))
        if code in ("crashed", "killed", "sandbox", "timeout", "stuck", "no-helper"):
            if row["extractor"].startswith("pdf ") and code != "sandbox":
                counts["of pdftotext: " + code] += 1
            else:
                print("%s: %s in %s: %s" % (row["path"], code, row["extractor"], row["error_message"]))
for name in sorted(files):
    print("%s: neither text nor a reason" % name)
print(", ".join("%d %s" % (n, c) for c, n in counts.most_common()))
END
is "$(head -n -1 "$TMP/judgement")" '' "each has text or a reason, no parser crashed: $(tail -n 1 "$TMP/judgement")"
[ "$failures" -eq 0 ] || note "seed $SEED"
done_testing
