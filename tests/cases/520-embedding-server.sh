#!/bin/bash
# What an embedding server is asked for and how: limits learned, texts refused or cut, equal texts sent once, Ollama, Unix sockets, keys, rate, budget,
# what a dry run says.
. "${0%/*}/lib.sh"
need_fuse
need python3
have_numpy || skip_all 'numpy is not installed'
servers=()
end_servers() {
	local pid
	for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null; done
	cleanup
}
trap end_servers EXIT

# serve NAME [OPTION...]: sets PORT.
serve() {
	local name=$1
	shift
	python3 "$ROOT/tests/cases/helpers/bad_embedding_server.py" "$TMP/$name" "$@" 2>"$TMP/$name.err" &
	servers+=($!)
	until_true 20 test -e "$TMP/$name"
	PORT=$(cat "$TMP/$name" 2>/dev/null)
}

# seen PORT FIELD: a figure of what the server saw.
seen() {
	python3 -c 'import json,sys,urllib.request as u; print(json.load(u.urlopen("http://127.0.0.1:%s/log" % sys.argv[1]))[sys.argv[2]])' "$1" "$2"
}

embedding() {
	python3 -c 'import json,sys; print(json.load(open(sys.argv[1] + "/status/status.json"))["embedding"][sys.argv[2]])' "$MNT" "$1"
}

serving() {
	until_true 60 eval '[ "$(embedding serving)" = True ] && [ "$(embedding chunks_missing)" = 0 ]'
}

docs=$TMP/docs
mkdir "$docs"
for i in $(seq 1 50); do printf '# Note %d\n\nThe harbour of town %d was dredged in %d.\n' "$i" "$i" $((1800 + i)) >"$docs/n$i.md"; done
cp "$docs/n1.md" "$docs/copy of n1.md"
for i in 1 2 3; do
	printf '# Section %d\n\n%s\n\n' "$i" "$(printf "In section $i the keeper of the lighthouse wrote entry %d of the log. " $(seq 1 20))"
done >"$docs/sections.md"

# --- OpenAI's interface, a limit of 8 texts a request ---
serve first --batch 8
mount_corpus "$docs" -o "embed=http://127.0.0.1:$PORT,model=m" || { fail 'mounted'; done_testing; }
ok 'a server that takes 8 texts a request embeds everything' serving
is "$(embedding kind)" openai 'it is told apart'
limit=$(embedding batch_texts)
ok 'the limit is learned' test "$limit" -le 8 -a "$limit" -ge 4
is "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["documents"])' "$MNT/status/status.json")" 51 'equal files are one document'
ok 'vectors are the server'\''s own' python3 - "$MNT" "$PORT" "$docs" <<'END'
import json, os, sys, urllib.request
import numpy
mount, port, docs = sys.argv[1:]
for i in range(1, 51):
    texts = [open(os.path.join(mount, "chunks/n%d.md" % i, n), encoding="utf-8").read() for n in sorted(os.listdir(os.path.join(mount, "chunks/n%d.md" % i)))]
    request = urllib.request.Request("http://127.0.0.1:%s/v1/embeddings" % port, json.dumps({"input": texts}).encode())
    own = numpy.array([d["embedding"] for d in json.load(urllib.request.urlopen(request))["data"]])
    ours = numpy.load(os.path.join(mount, "vectors/n%d.md.npy" % i))
    assert ours.dtype == "<f4" and ours.shape == own.shape, (ours.shape, own.shape)
    assert numpy.abs(ours - own).max() < 1e-6, i
END
is "$(python3 -c 'import json,sys; e=json.load(open(sys.argv[1])); print(e["model"], e["keyword_weight"], e["degraded"])' "$MNT/search/dredged harbour/.explain.json")" \
	'm 0.3 False' 'searches go to it'
like "$("$PROGRAM" status "$MNT")" '^embedding +m at http://127.0.0.1:[0-9]+, ok; ([0-9]+) of \1 chunks, in use$' 'status says so'
like "$(cat "$MNT/status/metrics")" '^corpusfs_embedding_requests_total [1-9]' 'metrics count requests'
like "$(cat "$MNT/meta/n1.md.json")" '"name": ?"m"' 'meta/ names the model'

# --- content addressing: what was embedded is not sent again ---
before=$(seen "$PORT" texts)
mv "$docs/n7.md" "$docs/moved.md"
printf '\n# Another section\n\nA paragraph about xylophones that nobody has written before, long enough to stand alone as a chunk of its own. %s\n' \
	"$(printf 'The xylophone sounds bright and dry. %.0s' $(seq 1 40))" >>"$docs/sections.md"
ok 'a changed document is embedded' until_true 60 eval 'grep -q xylophone "$MNT/clean/sections.md.txt" && [ "$(embedding texts_saved)" -ge 1 ] && serving'
after=$(seen "$PORT" texts)
ok 'an equal text is not sent again, and a renamed document neither' test $((after - before)) -le 12
unmount_corpus

# --- the command, on the store that the mount filled ---
exits 0 'index with everything embedded' "$PROGRAM" index --store="$STORE" "--embed=http://127.0.0.1:$PORT" --model=m "$docs"
exits 0 'a dry run' "$PROGRAM" index --dry-run --store="$TMP/dry" "--embed=http://127.0.0.1:$PORT" --model=m "$docs"
like "$(head -n 1 "$TMP/out")" '^to be embedded by the server: [0-9]+ chunks of [0-9]+, .* about [0-9]+ tokens in [0-9]+ requests$' 'says what would be sent'
requests=$(seen "$PORT" requests)
"$PROGRAM" index --dry-run --store="$TMP/dry" "--embed=http://127.0.0.1:$PORT" --model=m "$docs" >/dev/null
is "$(seen "$PORT" requests)" "$requests" 'and sends nothing'

# --- a text that is refused, texts that are too long ---
poison=$TMP/poison
mkdir "$poison"
for i in $(seq 1 40); do printf 'A plain sentence with the number %d in it.\n' "$i" >"$poison/p$i.txt"; done
printf 'This one holds the word UNSPEAKABLE and nothing else of note.\n' >"$poison/p17.txt"
for status in 400 500; do
	serve "poison$status" --poison UNSPEAKABLE --poison-status $status
	mount_corpus "$poison" -o "embed=http://127.0.0.1:$PORT,model=m" || { fail 'mounted'; done_testing; }
	ok "one text that is refused with $status does not keep the others" serving
	is "$(embedding batch_texts)" 32 'and says nothing about the size of a batch'
	ok 'its vector is zero or made of its parts' python3 -c 'import numpy,sys; x=numpy.load(sys.argv[1]); assert x.shape == (1, 96)' "$MNT/vectors/p17.txt.npy"
	unmount_corpus
done
mkdir "$TMP/few"
cp "$poison/p1.txt" "$poison/p17.txt" "$TMP/few"
serve lonely --poison UNSPEAKABLE --poison-status 500
exits 0 'nor when it is in the only batch there is' timeout 60 "$PROGRAM" index --store="$TMP/fewstore" "--embed=http://127.0.0.1:$PORT" --model=m "$TMP/few"
serve limited --longest 400
mkdir "$TMP/long"
printf '%s\n' "$(printf 'Long paragraphs say the same thing in many words, %d times over. ' $(seq 1 12))" >"$TMP/long/long.txt"
printf 'Short.\n' >"$TMP/long/short.txt"
mount_corpus "$TMP/long" -o "embed=http://127.0.0.1:$PORT,model=m" || { fail 'mounted'; done_testing; }
ok 'texts too long for the model are embedded in pieces' serving
is "$(embedding texts_in_pieces)" 1 'and counted'
like "$(cat "$MNT/meta/long.txt.json")" '"vector": ?"in pieces"' 'meta/ says so'
unlike "$(cat "$MNT/meta/short.txt.json")" '"vector"' 'of those alone'
ok 'to a vector of unit length' python3 -c 'import numpy,sys; x=numpy.load(sys.argv[1]); assert numpy.allclose(numpy.linalg.norm(x, axis=1), 1, atol=1e-5)' \
	"$MNT/vectors/long.txt.npy"
unmount_corpus

# --- Ollama, a Unix socket, prefixes ---
serve ollama --ollama
mount_corpus "$poison" -o "embed=http://127.0.0.1:$PORT,model=m,query_prefix=query: ,passage_prefix=passage: " || { fail 'mounted'; done_testing; }
ok 'Ollama' serving
is "$(embedding kind)" ollama 'is told apart'
like "$(seen "$PORT" seen)" "$(printf 'passage: A plain sentence with the number 1 in it.\n' | sha256sum | cut -c1-16)" 'passages carry their prefix'
cat "$MNT/search/plain words/.results.jsonl" >/dev/null
like "$(seen "$PORT" seen)" "$(printf 'query: plain words' | sha256sum | cut -c1-16)" 'queries carry theirs'
unmount_corpus
serve unix --unix "$TMP/socket"
mount_corpus "$poison" -o "embed=unix:$TMP/socket,model=m" || { fail 'mounted'; done_testing; }
ok 'a server on a Unix socket' serving
unmount_corpus

for other in 200 403; do
	serve "gateway$other" --other $other
	exits 0 "a gateway that answers $other to paths it does not have" "$PROGRAM" index --store="$TMP/g$other" "--embed=http://127.0.0.1:$PORT" --model=m "$poison"
done

# --- keys ---
serve key
printf 'sk-from-a-file\n' >"$TMP/key-file"
exits 0 'a key from a file' "$PROGRAM" index --store="$TMP/k" "--embed=http://127.0.0.1:$PORT/v1" --key-file="$TMP/key-file" "$TMP/long"
like "$(seen "$PORT" keys)" "$(printf 'Bearer sk-from-a-file' | sha256sum | cut -c1-64)" 'is sent'
exits 2 'a variable that is not there is an error' "$PROGRAM" index --store="$TMP/k" "--embed=http://127.0.0.1:$PORT" --key-env=NO_SUCH_VARIABLE "$TMP/long"
like "$(cat "$TMP/err")" 'NO_SUCH_VARIABLE' 'that names it'
exits 2 'a server address that is none is an error' "$PROGRAM" index --store="$TMP/k" --embed=localhost:11434 "$TMP/long"

# --- rate and budget ---
serve rate
exits 2 'a budget of 20 texts a day' "$PROGRAM" index --store="$TMP/b" "--embed=http://127.0.0.1:$PORT" --model=m --budget=31 "$poison"
like "$(cat "$TMP/err")" 'not embedded by the server yet' 'leaves the rest for later'
ok 'and holds' test "$(seen "$PORT" texts)" -le 35
exits 2 'also after a restart' "$PROGRAM" index --store="$TMP/b" "--embed=http://127.0.0.1:$PORT" --model=m --budget=31 "$poison"
ok 'when nothing but the question who it is is sent' test "$(seen "$PORT" texts)" -le 38
start=$SECONDS
exits 0 'a rate of 30 requests a minute' "$PROGRAM" index --store="$TMP/r" "--embed=http://127.0.0.1:$PORT" --model=m --rate=30 "$poison"
ok 'holds' test $((SECONDS - start)) -ge 1

# --- a proxy, and TLS with an authority that is trusted (in a mount namespace of its own, because that is a file of the system) ---
serve behind
cat >"$TMP/proxy.py" <<'END'
import http.server, sys, urllib.request
class Proxy(http.server.BaseHTTPRequestHandler):
    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        host, path = self.path.removeprefix("http://").split("/", 1)
        print(host, path, file=sys.stderr, flush=True)
        request = urllib.request.Request("http://127.0.0.1:%s/%s" % (sys.argv[2], path), body, {"Content-Type": "application/json"})
        try:
            reply = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
        except urllib.error.HTTPError as error:
            reply = error
        data = reply.read()
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    do_GET = do_POST = forward
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
with open(sys.argv[1] + ".part", "w") as f:
    f.write(str(server.server_port))
import os
os.rename(sys.argv[1] + ".part", sys.argv[1])
server.serve_forever()
END
python3 "$TMP/proxy.py" "$TMP/proxy" "$PORT" 2>"$TMP/proxied" &
servers+=($!)
until_true 20 test -e "$TMP/proxy"
exits 0 'through a proxy' env "http_proxy=http://127.0.0.1:$(cat "$TMP/proxy")" "$PROGRAM" index --store="$TMP/p" --embed=http://embed.example --model=m "$poison"
like "$(cat "$TMP/proxied")" '^embed.example v1/embeddings' 'which is asked for the server by its name'

# certify NAME SUBJECT DAYS ALTERNATIVE-NAME: NAME.pem and NAME.key, signed by the authority.
certify() {
	openssl req -new -newkey rsa:2048 -nodes -keyout "$TMP/$1.key" -out "$TMP/$1.csr" -subj "/CN=$2" 2>/dev/null
	openssl x509 -req -in "$TMP/$1.csr" -CA "$TMP/ca.pem" -CAkey "$TMP/ca.key" -CAcreateserial -days "$3" -out "$TMP/$1.pem" \
		-extfile <(printf 'subjectAltName=%s' "$4") 2>/dev/null
}
trusting() {
	unshare -m sh -c 'mount --bind "$1" /etc/ssl/certs/ca-certificates.crt && shift && exec "$@"' sh "$TMP/ca.pem" "$@"
}
if [ -e /etc/ssl/certs/ca-certificates.crt ] && command -v openssl >/dev/null &&
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$TMP/ca.key" -out "$TMP/ca.pem" -subj '/CN=An authority' -days 2 2>/dev/null &&
	trusting true 2>/dev/null; then
	certify good localhost 2 DNS:localhost
	certify name elsewhere.example 2 DNS:elsewhere.example
	for kind in good name; do
		serve "tls-$kind" --tls "$TMP/$kind.pem" "$TMP/$kind.key"
		eval "tls_$kind=https://localhost:$PORT"
	done
	exits 0 'TLS with a certificate of a trusted authority' trusting "$PROGRAM" index --store="$TMP/t" "--embed=$tls_good" --model=m "$poison"
	exits 2 'but not with another name' trusting "$PROGRAM" index --store="$TMP/t2" "--embed=$tls_name" --model=m "$poison"
	like "$(cat "$TMP/err")" 'certificate|TLS|SSL' 'which is said'
	exits 2 'nor of an authority that is not trusted' "$PROGRAM" index --store="$TMP/t3" "--embed=$tls_good" --model=m "$poison"
else
	skip 'no certificate can be made trusted here: it takes openssl, ca-certificates and a mount namespace' 4
fi
done_testing
