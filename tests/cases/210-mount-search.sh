#!/bin/bash
# search/ and similar/ through the mount: what a name may be, what each wrong one gives, and that only opening ranks.
. "${0%/*}/lib.sh"
need_fuse
need python3
docs=$TMP/docs
make_documents "$docs"
mount_corpus "$docs" || { fail 'mounts'; done_testing; }
ok 'is indexed' wait_indexed
searches() {
	sed -n 's/^corpusfs_searches_total //p' "$MNT/status/metrics"
}
error_of() {
	python3 -c 'import errno, os, sys
try:
    os.stat(os.fsencode(sys.argv[1]))
    print("there")
except OSError as e:
    print(errno.errorcode[e.errno])' "$1"
}

# --- names that are looked up ---
is "$(ls -A "$MNT/search")" README.txt 'ls search/ lists its README.txt'
is "$(ls -A "$MNT/search/@k=5")" README.txt 'and so does a folder of options'
before=$(searches)
for name in 'parental leave' '%2Fetc%2Fpasswd' '100%' '%zz' "it's" '"quoted"' $'two\nlines' '😀 emoji' $'bad \xff byte' '%2Ehidden' '%40home' 'x' \
	"$(printf 'q%.0s' {1..255})" "$(printf 'q%.0s' {1..1000})" '@k=1/x' '@k=1000/@mode=vector/@in=handbook/x' '@mode=keyword/@type=md/@min=0.1/x' \
	'@since=2020-01-31/@per=2/@budget=100/x' '@in=handbook%2Fdeep/x' '-' "$(printf '%%71%.0s' {1..300})"; do
	is "$(error_of "$MNT/search/$name")" there "search/$(printf '%s' "$name" | tr '\n\377' '??' | cut -c 1-40) is a folder"
done
for name in .git .Trash .hidden ..x '@k=1/.git'; do
	is "$(error_of "$MNT/search/$name")" ENOENT "search/$name does not exist"
done
for name in '@' '@k' '@k=' '@k=0' '@k=1001' '@k=x' '@mode=best' '@since=yesterday' '@nothing=1' '@as=tar' '@min=low' '@k=1/@k=x/q' ' ' '%20%09' '@K=1'; do
	is "$(error_of "$MNT/search/$name")" EINVAL "search/$name is EINVAL"
done
is "$(error_of "$MNT/search/$(printf 'q%.0s' {1..1001})")" ENAMETOOLONG 'a query of 1,001 bytes is ENAMETOOLONG'
is "$(error_of "$MNT/search/$(printf 'q%.0s' {1..4000})")" ENAMETOOLONG 'one of 4,000 as well'
is "$(error_of "$MNT/search/$(for i in {1..40}; do printf '@k=%d/' $i; done)x")" EINVAL 'too many options are EINVAL'
for name in .results.json .context.md .git HEAD nothing; do
	error_of "$MNT/search/one more/$name" >/dev/null
done
is "$(searches)" "$before" 'all that without one search'

# --- what is opened ---
first=$(ls "$MNT/search/parental leave" | head -n 1)
is "$first" 01-leave.md-0001.txt 'the best hit comes first'
is "$(searches)" $((before + 1)) 'which took one search'
cat "$MNT/search/parental leave/"* >"$TMP/all"
ok 'reading all hits' grep -q 'sixteen weeks' "$TMP/all"
cat "$MNT/search/parental leave/.results.jsonl" "$MNT/search/parental leave/.context.md" >/dev/null
is "$(searches)" $((before + 1)) 'and the dot-files took none'
is "$(ls -A "$MNT/search/parental leave" | head -n 4 | tr '\n' ' ')" '.context.md .explain.json .results.json .results.jsonl ' 'there are four dot-files'
is_file "$MNT/search/parental leave/$first" "$MNT/chunks/handbook/leave.md/0001.txt" 'a hit is its chunk'
ok 'another process finds a name without listing' test -f "$MNT/search/leave parental/01-leave.md-0001.txt"
fails 'a name that is no hit' test -e "$MNT/search/parental leave/99-leave.md-0001.txt"
fails 'a name that differs from the hit' test -e "$MNT/search/parental leave/01-leave.md-0002.txt"
is "$(error_of "$MNT/search/parental leave/HEAD")" ENOENT 'nor what cannot be one'
is "$(ls "$MNT/search/@k=2/parental leave" | wc -l)" 2 '@k'
is "$(find "$MNT/search/@in=handbook%2Fdeep/leave notice" -name '[0-9]*' ! -name '*notice*' | wc -l)" 0 '@in, with a slash'
is "$(ls "$MNT/search/@mode=keyword/xylophone zither" | wc -l)" 0 'nothing found is an empty folder'
is "$(grep -l 'sixteen weeks' "$MNT/search/parental leave/"*)" "$MNT/search/parental leave/$first" 'grep -l over the hits'
is "$(grep -r -l 'sixteen weeks' "$MNT/search/parental leave" | wc -l)" 4 'grep -r sees the dot-files, too'
is "$(grep -r harbour "$MNT/search" | wc -l)" 0 'grep -r over search/ ends'
is "$(wc -c <"$MNT/search/parental leave/.context.md")" "$(stat -c %s "$MNT/search/parental leave/.context.md")" 'a dot-file has its size once read'
python3 - "$MNT/search/parental leave" >"$TMP/out" <<'END'
import json, os, sys
folder = sys.argv[1]
hits = [json.loads(line) for line in open(folder + "/.results.jsonl", encoding="utf-8")]
names = sorted(n for n in os.listdir(folder) if n[0] != ".")
assert len(hits) == len(names)
for hit, name in zip(hits, names):
    path = folder + "/" + name
    def get(key):
        return os.getxattr(path, "user.corpusfs." + key).decode()
    assert open(path, encoding="utf-8", newline="").read() == hit["text"]
    assert get("path") == hit["path"] and int(get("chunk")) == hit["chunk"]
    assert [int(n) for n in get("bytes").split("-")] == hit["bytes"] and [int(n) for n in get("lines").split("-")] == hit["lines"]
    assert abs(float(get("score")) - hit["score"]) < 1e-5 and float(get("bm25")) >= 0
    listed = os.listxattr(path)
    assert ("user.corpusfs.page" in listed) == (hit["page"] is not None), listed
    assert ("user.corpusfs.heading" in listed) == bool(hit["heading"]), listed
assert os.listxattr(folder) == []
try:
    os.getxattr(path, "user.corpusfs.nothing")
except OSError as e:
    assert e.strerror == "No data available"
print("good")
END
is "$(cat "$TMP/out")" good 'the attributes of a hit say what .results.jsonl says'

# --- links ---
link="$MNT/search/@as=link/@k=1/parental leave/01-leave.md-0001.txt"
is "$(readlink "$link")" ../../../../chunks/handbook/leave.md/0001.txt '@as=link gives relative links into chunks/'
is_file "$link" "$MNT/chunks/handbook/leave.md/0001.txt" 'that lead there'

# --- a set stays as it is until it is looked up afresh after a change ---
folder="$MNT/search/lighthouse keeper"
ls "$folder" >"$TMP/names"
cd "$folder" || fail 'cd into a result folder'
printf '# Keeper\n\nThe lighthouse keeper of the northern lighthouse is a keeper of lighthouses.\n' >"$docs/keeper.md"
ok 'a new document is found' until_true 20 eval 'ls "$folder" | grep -q keeper.md'
is "$(ls)" "$(cat "$TMP/names")" 'while a folder that is held shows what it showed'
cd "$TMP" || exit
ok 'and names of the set before are still found' cat "$folder/$(head -n 1 "$TMP/names")"

# --- similar/ ---
like "$(ls "$MNT/similar/handbook/leave.md")" '^01-.*\.txt$' 'similar documents'
unlike "$(ls "$MNT/similar/handbook/leave.md")" '-leave\.md\.txt$' 'without the document itself'
fails 'of a photo there are none' test -e "$MNT/similar/photo.png"
ok 'similar/ has dot-files too' grep -q '"path"' "$MNT/similar/handbook/leave.md/.results.jsonl"
is "$(ls "$MNT/similar/@k=2/handbook/leave.md" | wc -l)" 2 'options of similar/'
is "$(ls "$MNT/similar/@k=2/@in=handbook/handbook/leave.md")" 01-notice.html.txt 'two of them'
is "$(ls "$MNT/similar/@k=2" | head -n 1)" "$(ls "$MNT/similar" | head -n 1)" 'show what similar/ shows'
is_file "$MNT/similar/@k=1/@as=link/handbook/leave.md/$(ls "$MNT/similar/@k=1/handbook/leave.md")" "$MNT/similar/@k=1/handbook/leave.md/$(ls "$MNT/similar/@k=1/handbook/leave.md")" 'links'
is "$(error_of "$MNT/similar/@k=0")" EINVAL 'a wrong one is EINVAL'
is "$(error_of "$MNT/similar/handbook/@k=2")" ENOENT 'and they come first'
ok 'unmounts' unmount_corpus
done_testing
