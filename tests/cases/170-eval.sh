#!/bin/bash
# corpusfs eval: measures against judgements, agrees with trec_eval, compares with a baseline, explains what is wrong with its input.
# sanitizers: address
. "${0%/*}/lib.sh"
need python3

DOCS=$TMP/docs
mkdir -p "$DOCS"
python3 - "$DOCS" "$TMP" <<'END'
import random
import sys

docs, tmp = sys.argv[1:]
random.seed(7)
words = ["harbour", "comet", "lichen", "sonata", "glacier", "ledger", "orchid", "turbine", "quarry", "saffron", "violin", "walnut"]
texts = []
for number in range(120):
    text = [random.choice(words) for _ in range(random.randint(8, 30))]
    texts.append(text)
    with open("%s/doc%03d.txt" % (docs, number), "w", encoding="utf-8") as f:
        f.write(" ".join(text) + "\n")
with open(tmp + "/queries.tsv", "w", encoding="utf-8") as q, open(tmp + "/qrels.tsv", "w", encoding="utf-8") as r:
    for number in range(20):
        query = random.sample(words, 3)
        q.write("q%d\t%s\n" % (number, " ".join(query)))
        for d, text in enumerate(texts):
            gain = sum(text.count(w) > 1 for w in query)
            if gain or random.random() < 0.1:
                r.write("q%d\tdoc%03d\t%d\n" % (number, d, gain))
END

eval_corpus() {
	"$PROGRAM" eval --store="$TMP/store" "$@" "$DOCS" "$TMP/queries.tsv" "$TMP/qrels.tsv"
}

exits 0 'eval measures' eval_corpus --modes
like "$(cat "$TMP/out")" '^hybrid +0\.[0-9]{4} \[' 'hybrid has a row with intervals'
like "$(cat "$TMP/out")" '^keyword +0\.' 'keyword has a row'
like "$(cat "$TMP/out")" '^vector +0\.' 'vector has a row'
exits 0 'a baseline is saved' eval_corpus --mode=keyword --save="$TMP/base.json"
exits 0 'and is equal to itself' eval_corpus --mode=keyword --baseline="$TMP/base.json"
like "$(cat "$TMP/out")" 'difference \+0\.0000' 'no difference'
python3 - "$TMP/base.json" <<'END'
import json
import sys
base = json.load(open(sys.argv[1], encoding="utf-8"))
for values in base["queries"].values():
    values[0] = min(1.0, values[0] + 0.2)
json.dump(base, open(sys.argv[1] + ".better", "w", encoding="utf-8"))
END
exits 1 'worse than the baseline is exit status 1' eval_corpus --mode=keyword --baseline="$TMP/base.json.better"
like "$(cat "$TMP/out")" '^worse, by ndcg@10' 'the queries that lost are listed'
exits 2 'a missing baseline is an error' eval_corpus --baseline="$TMP/none.json"
like "$(cat "$TMP/err")" 'none.json: .*--save' 'which says how to make one'
printf 'no tab here\n' >"$TMP/bad.tsv"
exits 2 'a bad file of queries is an error' "$PROGRAM" eval --store="$TMP/store" "$DOCS" "$TMP/bad.tsv" "$TMP/qrels.tsv"
like "$(cat "$TMP/err")" 'bad.tsv:1: not "ID<TAB>QUERY"' 'with file and line'
exits 2 'bad judgements are an error' "$PROGRAM" eval --store="$TMP/store" "$DOCS" "$TMP/queries.tsv" "$TMP/bad.tsv"
exits 2 'an unknown mode is an error' eval_corpus --mode=magic

# TREC's own formats give the same figures.
awk -F'\t' '{ printf "<top>\n<num> Number: %s\n<title> %s\n</top>\n", $1, $2 }' "$TMP/queries.tsv" >"$TMP/topics"
awk '{ print $1, 0, $2, $3 }' "$TMP/qrels.tsv" >"$TMP/trec.qrels"
exits 0 'TREC formats are read' "$PROGRAM" eval --store="$TMP/store" --mode=keyword --json "$DOCS" "$TMP/topics" "$TMP/trec.qrels"
is_file "$TMP/out" "$TMP/base.json" 'and give the same figures'

if [ -c /dev/fuse ] && mount_corpus "$DOCS" "--store=$TMP/store"; then
	wait_indexed
	exits 0 'through a mount' "$PROGRAM" eval --mode=keyword --json "$MNT" "$TMP/queries.tsv" "$TMP/qrels.tsv"
	is_file "$TMP/out" "$TMP/base.json" 'the figures are the same'
	unmount_corpus
else
	skip 'no mount' 2
fi

# trec_eval itself, as its Python binding: the wheel of pytrec_eval that needs no download while it is built.
VENV=$ROOT/build/venv-trec
if [ ! -x "$VENV/bin/python" ] || ! "$VENV/bin/python" -c 'import pytrec_eval' 2>/dev/null; then
	python3 -m venv "$VENV" >/dev/null 2>&1 && "$VENV/bin/pip" install -q pytrec-eval-terrier >/dev/null 2>&1
fi
if ! "$VENV/bin/python" -c 'import pytrec_eval' 2>/dev/null; then
	skip 'pytrec_eval cannot be installed from PyPI'
	done_testing
fi
"$PROGRAM" search --store="$TMP/store" --json -k 100 --mode=keyword --per=1 "$DOCS" harbour >/dev/null
cat >"$TMP/trec.py" <<'END'
import json
import subprocess
import sys

import pytrec_eval

program, store, docs, queries, qrels, base = sys.argv[1:]
judged, run = {}, {}
for line in open(qrels, encoding="utf-8"):
    query, document, gain = line.split("\t")
    judged.setdefault(query, {})[document] = int(gain)
for line in open(queries, encoding="utf-8"):
    query, text = line.rstrip("\n").split("\t")
    out = subprocess.run([program, "search", "--store=" + store, "--json", "-k", "100", "--mode=keyword", "--per=1", docs, text],
                         stdout=subprocess.PIPE, check=False).stdout.decode()
    hits = [json.loads(l) for l in out.splitlines()]
    run[query] = {h["path"][:-4]: 1000.0 - h["rank"] for h in hits}
ours = json.load(open(base, encoding="utf-8"))["queries"]
judged = {q: j for q, j in judged.items() if any(g > 0 for g in j.values())}
theirs = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10", "recip_rank", "recall.10,100", "success.1"}).evaluate(run)
names = ["ndcg_cut_10", "recip_rank", "recall_10", "recall_100", "success_1"]
bad = 0
for query in judged:
    for i, name in enumerate(names):
        value = theirs[query][name]
        if name == "recip_rank" and value < 0.1:
            value = 0.0  # beyond rank 10
        if abs(value - ours[query][i]) > 5e-5:
            bad += 1
            print(query, name, value, ours[query][i])
sys.exit(bad != 0)
END
ok 'trec_eval gives the same to four digits, for every query and measure' \
	"$VENV/bin/python" "$TMP/trec.py" "$PROGRAM" "$TMP/store" "$DOCS" "$TMP/queries.tsv" "$TMP/qrels.tsv" "$TMP/base.json"
done_testing
