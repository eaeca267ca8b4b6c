"""Holds what became of documents against what may: outcomes.py MOUNT LIST SECRET_WORD. LIST has lines of NAME<TAB>PATTERN, where the pattern
must match "STATE CODE" whole. Prints a line a document that is not as it must be, and at the end a count by outcome."""
import collections
import json
import os
import re
import sys

mount, names, secret = sys.argv[1:]
counts = collections.Counter()
with open(names, encoding="utf-8") as f:
    wanted = [line.rstrip("\n").split("\t") for line in f]
for name, pattern in wanted:
    with open(os.path.join(mount, "meta", name + ".json"), encoding="utf-8") as f:
        meta = json.load(f)
    error = meta.get("error") or {}
    outcome = "%s %s" % (meta["state"], error.get("code", ""))
    counts[outcome.strip()] += 1
    if not re.fullmatch(pattern, outcome):
        print("%s: %s instead of %s (%s)" % (name, outcome, pattern, error.get("message", "")))
    if meta["state"] != "ok":
        if not error.get("message"):
            print("%s: %s without a message" % (name, outcome))
        continue
    with open(os.path.join(mount, "clean", name + ".txt"), "rb") as f:
        text = f.read()
    if secret.encode() in text:
        print("%s: shows a file outside of itself" % name)
    if len(text) > 64 << 20:
        print("%s: %d bytes of text" % (name, len(text)))
print("%d documents: %s" % (len(wanted), ", ".join("%d %s" % (n, o) for o, n in counts.most_common())))
