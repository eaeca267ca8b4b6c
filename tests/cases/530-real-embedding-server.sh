#!/bin/bash
# A real model behind a server: bge-small-en-v1.5 (from Maven Central, with its tokenizer) run by onnxruntime, asked through OpenAI's interface.
# Vectors are the server's own, and search with it is better than with the built-in model. EMBEDDING_MODEL names a folder that holds
# bge-small-en-v1.5-q.onnx and bge-small-en-v1.5-q-tokenizer.json, EMBEDDING_PYTHON a Python with onnxruntime, tokenizers and numpy;
# scripts/fetch-embedding-model makes both.
. "${0%/*}/lib.sh"
need_fuse
need python3
model=${EMBEDDING_MODEL:-$ROOT/build/embedding-model} python=${EMBEDDING_PYTHON:-$ROOT/build/embedding-model/venv/bin/python}
if [ -n "${CI:-}" ] && [ ! -x "$python" ]; then
	"$ROOT/scripts/fetch-embedding-model" >"$TMP/fetch" 2>&1 || note "$(tail -n 5 "$TMP/fetch")"
fi
[ -e "$model/bge-small-en-v1.5-q.onnx" ] && [ -x "$python" ] || skip_all 'no model: scripts/fetch-embedding-model fetches it'

server=
end_server() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	cleanup
}
trap end_server EXIT
"$python" "$ROOT/tests/cases/helpers/onnx_embedding_server.py" "$model/bge-small-en-v1.5-q.onnx" "$model/bge-small-en-v1.5-q-tokenizer.json" "$TMP/port" \
	2>"$TMP/server.err" &
server=$!
until_true 60 test -e "$TMP/port" || { fail 'the server starts' "$(cat "$TMP/server.err")"; done_testing; }
port=$(cat "$TMP/port")

docs=$TMP/docs
mkdir "$docs"
"$python" - "$docs" <<'END'
import sys
# Passages and, below, questions that share no word with their passage: what a transformer finds and words do not.
passages = {
    "cardiac": "Myocardial infarction results from occlusion of a coronary artery.",
    "canine": "Puppies need vaccination against distemper and parvovirus in their first months.",
    "loan": "The borrower shall repay the principal in equal monthly instalments.",
    "storm": "Hurricanes weaken rapidly once they move over land and lose their supply of moist air.",
    "bread": "Knead the dough until it is elastic, then let it prove for two hours.",
    "solar": "Photovoltaic panels convert sunlight into direct current.",
    "exam": "Pupils who fail the final test may sit it once more in September.",
    "rent": "The tenant must give three months' notice before vacating the flat.",
    "ship": "The vessel sank after striking an iceberg in the Atlantic.",
    "vote": "Ballots are counted by hand in every constituency after polling stations close.",
    "malaria": "Mosquitoes transmit the parasite that causes recurring fever.",
    "piano": "The concerto opens with a slow solo passage before the orchestra enters.",
    "car": "Automobiles emit carbon monoxide when fuel burns incompletely.",
    "glacier": "Rivers of ice retreat as average temperatures climb.",
    "law": "The accused is presumed innocent until proven guilty.",
    "school": "Children learn to read fastest when parents read aloud to them.",
}
for name, text in passages.items():
    with open("%s/%s.txt" % (sys.argv[1], name), "w", encoding="ascii") as f:
        f.write(text + "\n")
END
cat >"$TMP/queries.tsv" <<'END'
cardiac	heart attack cause
canine	dog shots
loan	paying back money to a bank
storm	cyclone on shore
bread	baking a loaf
solar	electricity from the sun
exam	second chance for students
rent	moving out of an apartment
ship	Titanic disaster
vote	election results tally
malaria	disease spread by insects
piano	classical music work
car	vehicle exhaust pollution
glacier	global warming melts frozen masses
law	rights of defendants in court
school	literacy of kids
END

# found FILE...: how many first hits are right.
first_hits() {
	local name query right=0 hit
	while IFS=$'\t' read -r name query; do
		hit=$(head -n 1 "$MNT/search/@mode=vector/$query/.results.jsonl" | python3 -c 'import json,sys; print(json.loads(sys.stdin.read() or "{}").get("path"))')
		[ "$hit" = "$name.txt" ] && right=$((right + 1))
	done <"$TMP/queries.tsv"
	echo "$right"
}

mount_corpus "$docs" || { fail 'mounted'; done_testing; }
wait_indexed
own=$(first_hits)
unmount_corpus
mount_corpus "$docs" -o "embed=http://127.0.0.1:$port,model=bge-small-en-v1.5,query_prefix=Represent this sentence for searching relevant passages: " ||
	{ fail 'mounted'; done_testing; }
ok 'everything is embedded' until_true 120 grep -Eq '"serving": *true' "$MNT/status/status.json"
remote=$(first_hits)
note "right first hits of 16: built-in model $own, bge-small behind the server $remote"
ok 'search is better than with the built-in model' test "$remote" -gt "$own"
ok 'and good' test "$remote" -ge 14
ok 'vectors are the server'\''s own' "$python" - "$MNT" "$port" <<'END'
import json, os, sys, urllib.request
import numpy
mount, port = sys.argv[1:]
for name in sorted(os.listdir(os.path.join(mount, "vectors"))):
    folder = os.path.join(mount, "chunks", name[:-4])
    texts = [open(os.path.join(folder, n), encoding="utf-8").read() for n in sorted(os.listdir(folder))]
    request = urllib.request.Request("http://127.0.0.1:%s/v1/embeddings" % port, json.dumps({"input": texts, "model": "m"}).encode())
    own = numpy.array([d["embedding"] for d in json.load(urllib.request.urlopen(request))["data"]])
    ours = numpy.load(os.path.join(mount, "vectors", name))
    assert ours.shape == own.shape == (len(texts), 384)
    assert numpy.abs(ours - own).max() < 1e-5, (name, numpy.abs(ours - own).max())
END
kill "$server"
wait "$server" 2>/dev/null
server=
like "$(cat "$MNT/search/a question never asked/.explain.json")" '"degraded": *true' 'without the server a search says that it is degraded'
like "$(getfattr --only-values -n user.corpusfs.degraded "$MNT/search/a question never asked"/01* 2>&1)" 'embedding server' 'and its results do'
ok 'what was embedded stays' "$python" -c 'import numpy,sys; assert numpy.load(sys.argv[1]).shape == (1, 384)' "$MNT/vectors/car.txt.npy"
done_testing
