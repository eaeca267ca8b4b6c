#!/bin/bash
# sanitizers: thread
# index, status and verify on a small folder, without a mount.
. "${0%/*}/lib.sh"
need pdftotext
docs=$TMP/docs
make_documents "$docs"
settle_documents

exits 0 'index succeeds' "$PROGRAM" index "$docs"
like "$(cat "$TMP/out")" '^10 files, .* in [0-9.]+ s .*: [0-9]+ computed, 0 unchanged, [0-9]+ skipped, 0 failed, 0 removed$' \
	'index prints one line that counts'
is "$(cat "$TMP/err")" '' 'index prints nothing else where there is no terminal'
ok 'the store lies under the cache folder' test -d "$XDG_CACHE_HOME/corpusfs"
is "$(find "$docs" -newer "$TMP/out" | wc -l)" 0 'nothing is written into the documents'

exits 0 'index again succeeds' "$PROGRAM" index "$docs"
like "$(cat "$TMP/out")" ': 0 computed, [0-9]+ unchanged' 'and computes nothing'
printf 'The ferry leaves at noon.\n' >"$docs/ferry.txt"
rm "$docs/add.c"
settle_documents
exits 0 'index after changes succeeds' "$PROGRAM" index "$docs"
like "$(cat "$TMP/out")" ': 1 computed, .* 1 removed$' 'and does only what changed'

exits 0 'status succeeds' "$PROGRAM" status "$docs"
cp "$TMP/out" "$TMP/status"
like "$(cat "$TMP/status")" "^source +$docs$" 'status names the source'
like "$(cat "$TMP/status")" '^files +10: [0-9]+ with text, [0-9]+ skipped, 0 failed$' 'status counts the files'
like "$(cat "$TMP/status")" '^chunks +[1-9]' 'status counts the chunks'
exits 0 'status --json succeeds' "$PROGRAM" status --json "$docs"
if have python3; then
	is "$(python3 -c 'import json,sys; print(json.load(sys.stdin)["files"]["known"])' <"$TMP/out")" 10 'status --json is JSON'
else
	skip 'python3 is not installed'
fi
exits 0 'status of a folder below is that of the source' "$PROGRAM" status "$docs/handbook"
is_file "$TMP/status" "$TMP/out" 'and the same'
mkdir "$TMP/other"
exits 2 'status without a store is an error' "$PROGRAM" status "$TMP/other"

exits 0 'verify finds no difference' "$PROGRAM" verify "$docs"
like "$(cat "$TMP/out")" '^[1-9][0-9]* documents checked, 0 differences$' 'and says how many it checked'

exits 0 'an own store' "$PROGRAM" index --store="$TMP/own" "$docs"
like "$(cat "$TMP/out")" ': [1-9][0-9]* computed, 0 unchanged' 'starts empty'
ok 'lies where it was wanted' test -d "$TMP/own"
exits 0 'the environment names a store too' env CORPUSFS_STORE="$TMP/own" "$PROGRAM" index "$docs"
like "$(cat "$TMP/out")" ': 0 computed' 'which is the same'
exits 0 'the command line wins over it' env CORPUSFS_STORE="$TMP/own" "$PROGRAM" index --store "$TMP/third" "$docs"
like "$(cat "$TMP/out")" ': [1-9][0-9]* computed' 'with another store'
exits 2 'a store that cannot be made is an error' "$PROGRAM" index --store="$docs/ferry.txt/x" "$docs"
is "$(wc -l <"$TMP/err")" 1 'in one line'
exits 0 'threads can be given' "$PROGRAM" index --threads=1 --store="$TMP/fourth" "$docs"
done_testing
