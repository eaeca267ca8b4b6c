#!/bin/bash
# Files compressed with gzip, bzip2, xz and zstd: read as what is inside; bombs and damage end with their own reasons.
. "${0%/*}/lib.sh"
need_fuse
need python3 gzip bzip2 xz zstd

mkdir "$TMP/docs"
printf '# Expenses\n\nThe allowance for lunch is twelve crowns.\n' >"$TMP/docs/plain.md"
for pair in gzip:gz bzip2:bz2 xz:xz zstd:zst; do
	"${pair%:*}" -qc <"$TMP/docs/plain.md" >"$TMP/docs/plain.md.${pair#*:}"
	# 300 MB of zeros, which is more than is unpacked of one file, in a few kilobytes.
	head -c 300000000 /dev/zero | "${pair%:*}" -qc -1 >"$TMP/docs/bomb.${pair#*:}"
done
# A frame that asks for a window of 2 GB, and one stream after another.
seq 1 200000 | zstd -q --ultra --long=31 -c >"$TMP/docs/window.txt.zst"
cat "$TMP/docs/plain.md.xz" "$TMP/docs/plain.md.xz" >"$TMP/docs/twice.md.xz"
seq 1 200000 | xz -c | head -c 30000 >"$TMP/docs/cut.txt.xz"
tar -C "$TMP/docs" -cf - plain.md | zstd -qc >"$TMP/docs/a.zst"
printf 'BZh91AY&SY\0\1\2\3\4\5\6\7 and so on' >"$TMP/docs/broken.bz2"

mount_corpus "$TMP/docs" || { fail 'mounted'; done_testing; }
ok 'indexed' wait_indexed "$MNT" 120
for suffix in gz bz2 xz zst; do
	is_file "$MNT/clean/plain.md.$suffix.txt" "$MNT/clean/plain.md.txt" "$suffix: as the file inside"
	fails "$suffix: a bomb has no text" cat "$MNT/clean/bomb.$suffix.txt"
	is "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["error"]["code"])' "$MNT/meta/bomb.$suffix.json")" too-large \
		"$suffix: it has its reason"
done
is "$(grep -c 'twelve crowns' "$MNT/clean/twice.md.xz.txt")" 2 'both streams of a file are read'
is "$(head -n 100 "$MNT/clean/cut.txt.xz.txt")" "$(seq 1 100)" 'a file that is cut off has its beginning'
code() {
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["error"]["code"])' "$MNT/meta/$1.json"
}
is "$(code broken.bz2)" damaged 'a damaged file'
is "$(code a.zst)" archive 'an archive without the name of one'
like "$(code window.txt.zst)" '^(damaged|memory)$' 'a window that is too large'
like "$(ls "$MNT/search/twelve crowns allowance lunch")" 'plain.md' 'found by its words'
done_testing
