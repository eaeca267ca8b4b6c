#!/bin/bash
# Exact things are found first: 500 generated queries (file names, titles, identifiers, quoted phrases) over the Python standard library, each with
# one right document. At least 490 must be at rank 1.
. "${0%/*}/lib.sh"
need_fuse
need python3

python3 - "$TMP/docs" <<'END'
import os
import shutil
import sys
import sysconfig

library, target = sysconfig.get_paths()["stdlib"], sys.argv[1]
for folder, folders, names in os.walk(library):
    folders[:] = sorted(f for f in folders if f not in ("test", "tests", "site-packages", "idlelib", "lib2to3", "__pycache__", "dist-packages"))
    for name in sorted(names):
        path = os.path.join(folder, name)
        if name.endswith(".py") and os.path.getsize(path) > 500:
            out = os.path.join(target, os.path.relpath(path, library))
            os.makedirs(os.path.dirname(out), exist_ok=True)
            shutil.copyfile(path, out)
END
mount_corpus "$TMP/docs" || { fail 'mounted'; done_testing; }
ok 'indexed' wait_indexed "$MNT" 300
python3 - "$TMP/docs" "$MNT" >"$TMP/result" <<'END'
import collections
import json
import os
import random
import re
import sys

docs, mnt = sys.argv[1:]
random.seed(11)
texts = {}
for folder, _, names in os.walk(docs):
    for name in names:
        path = os.path.relpath(os.path.join(folder, name), docs)
        with open(os.path.join(docs, path), encoding="utf-8", errors="replace") as f:
            texts[path] = f.read()
queries = []


def add(kind, candidates):
    unique = [(q, p) for q, p in sorted(candidates.items()) if p]
    for query, path in random.sample(unique, min(125, len(unique))):
        queries.append((kind, query, path))


def once(pairs):
    found = {}
    for query, path in pairs:
        found[query] = None if query in found and found[query] != path else path
    return found


names = once((os.path.basename(p), p) for p in texts)
add("file name", names)
titles = once((json.load(open(os.path.join(mnt, "meta", p + ".json"), encoding="utf-8")).get("title", ""), p) for p in texts)
add("title", {t: p for t, p in titles.items() if len(t.split()) >= 3 and len(t) < 200})
word_files = collections.defaultdict(set)
for path, text in texts.items():
    for word in set(re.findall(r"[A-Za-z_][A-Za-z0-9_]{7,}", text)):
        word_files[word.lower()].add(path)
identifiers = once((w, p) for p, t in texts.items() for w in re.findall(r"(?:def|class) ([A-Za-z_][A-Za-z0-9_]{7,})", t))
add("identifier", {w: p for w, p in identifiers.items() if len(word_files[w.lower()]) == 1 and re.search("[_A-Z]", w[1:].strip("_"))})
phrases = {}
for path, text in sorted(texts.items()):
    for line in random.sample(text.split("\n"), min(40, text.count("\n"))):
        words = re.findall(r"[A-Za-z]{3,}", line)
        if 4 <= len(words) <= 12 and re.fullmatch(r"[# ]*[A-Za-z ,]+[.]?", line):
            phrase = " ".join(line.strip(" #.").split()[:6])
            if len(phrase.split()) >= 4:
                phrases['"%s"' % phrase] = path
folded = {p: " ".join(t.lower().split()) for p, t in texts.items()}
add("phrase", {q: p for q, p in phrases.items() if sum(q.strip('"').lower() in t for t in folded.values()) == 1})

wrong = collections.Counter()
for kind, query, path in queries:
    component = query.replace("%", "%25").replace("/", "%2F")
    component = "%40" + component[1:] if component[0] == "@" else "%2E" + component[1:] if component[0] == "." else component
    with open(os.path.join(mnt, "search", component, ".results.jsonl"), encoding="utf-8") as f:
        first = f.readline()
    got = json.loads(first)["path"] if first else None
    if got != path:
        wrong[kind] += 1
        print("# %s: %s: %s instead of %s" % (kind, query, got, path))
counts = collections.Counter(k for k, _, _ in queries)
print("%d of %d first (%s)" % (len(queries) - sum(wrong.values()), len(queries), ", ".join("%s %d/%d" % (k, n - wrong[k], n) for k, n in counts.items())))
END
grep '^#' "$TMP/result" | head -n 30
summary=$(tail -n 1 "$TMP/result")
right=${summary%% of*} total=$(echo "$summary" | sed 's/.* of \([0-9]*\) first.*/\1/')
if [ "${total:-0}" -ge 450 ] && [ $((right * 100)) -ge $((total * 98)) ]; then pass "$summary"; else fail "$summary"; fi
done_testing
