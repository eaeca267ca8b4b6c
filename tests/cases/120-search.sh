#!/bin/bash
# sanitizers: thread
# search in a source folder without a mount: what is printed, filters, exit codes, folders below the source.
. "${0%/*}/lib.sh"
need pdftotext
docs=$TMP/docs
make_documents "$docs"

exits 0 'a search in a folder never indexed finds something' "$PROGRAM" search "$docs" parental leave
is "$(cat "$TMP/err")" '' 'with nothing on stderr where there is no terminal'
like "$(head -n 1 "$TMP/out")" '^handbook/leave\.md:[0-9]+-[0-9]+: [0-9.]+  Leave' 'prints path, lines, score and headings'
like "$(cat "$TMP/out")" '^    .*sixteen weeks of parental leave' 'and the best lines'
unlike "$(cat "$TMP/out")" "$(printf '\033')" 'without colours where there is no terminal'

exits 0 'words may be one argument' "$PROGRAM" search "$docs" 'parental leave'
cp "$TMP/out" "$TMP/one"
exits 0 'or several' "$PROGRAM" search "$docs" parental leave
is_file "$TMP/out" "$TMP/one" 'with the same result'
exits 0 'a query that begins with a dash stands after --' "$PROGRAM" search "$docs" -- -leave

exits 1 'nothing found' "$PROGRAM" search --mode=keyword "$docs" xylophone
is "$(cat "$TMP/out")" '' 'prints nothing'
is "$(cat "$TMP/err")" '' 'and is no error'

exits 0 '-k' "$PROGRAM" search -k 1 "$docs" the
is "$(grep -c '^[^ ]' "$TMP/out")" 1 'bounds the number of results'
exits 0 '-k2, --k=2' "$PROGRAM" search -k1 --k=2 "$docs" the
is "$(grep -c '^[^ ]' "$TMP/out")" 2 'the last one counts'
exits 0 '--type' "$PROGRAM" search --type=pdf "$docs" report
unlike "$(grep '^[^ ]' "$TMP/out")" '^[^:]*[^f]:' 'gives only that extension'
like "$(cat "$TMP/out")" '^report\.pdf:.*  page 1' 'and PDF results have a page'
exits 0 '--in' "$PROGRAM" search --in=handbook/deep "$docs" notice period
unlike "$(grep '^[^ ]' "$TMP/out")" '^(log|report|budget|handbook/leave)' 'gives only what lies there'

exits 0 'a folder below the source' "$PROGRAM" search "$docs/handbook" notice period
unlike "$(grep '^[^ ]' "$TMP/out")" '^[^h]' 'is searched alone'
exits 0 'with --in below that' "$PROGRAM" search --in=deep "$docs/handbook" leave notice
unlike "$(grep '^[^ ]' "$TMP/out")" '^handbook/leave' 'is narrowed further'
exits 0 'from inside, as a relative path' env -C "$docs/handbook/deep" "$PROGRAM" search . notice
like "$(cat "$TMP/out")" '^handbook/deep/notice\.html:' 'gives paths relative to the source'
mkdir "$docs/odd[1]*"
printf 'The axolotl lives in a lake near the city.\n' >"$docs/odd[1]*/axolotl.txt"
exits 0 'a folder with a name that is a glob' "$PROGRAM" search --mode=keyword "$docs/odd[1]*" axolotl
like "$(cat "$TMP/out")" '^odd\[1\]\*/axolotl\.txt:' 'is meant literally'
exits 1 'and finds nothing else' "$PROGRAM" search --mode=keyword "$docs/odd[1]*" notice

exits 0 '--json' "$PROGRAM" search --json -k 3 "$docs" leave
if have python3; then
	ok 'prints one hit a line' python3 -c '
import json, sys
hits = [json.loads(line) for line in open(sys.argv[1])]
assert 1 <= len(hits) <= 3 and [h["rank"] for h in hits] == list(range(1, len(hits) + 1))
assert all(h["path"] and h["text"] and h["lines"][0] <= h["lines"][1] for h in hits)' "$TMP/out"
else
	skip 'python3 is not installed'
fi
exits 0 'a word with a typing error' "$PROGRAM" search --mode=keyword "$docs" lihgthouse
like "$(cat "$TMP/err")" 'searched for "lighthouse" instead of "lihgthouse"' 'is said to be mended'
like "$(cat "$TMP/out")" '[Ll]ighthouse' 'and finds what was meant'
exits 1 'a quoted one' "$PROGRAM" search --mode=keyword "$docs" '"lihgthouse"'
is "$(cat "$TMP/err")" '' 'is meant as it stands'
exits 0 'a known word' "$PROGRAM" search --mode=keyword "$docs" lighthouse
is "$(cat "$TMP/err")" '' 'is left alone'
exits 0 'path:' "$PROGRAM" search "$docs" notice path:DEEP
unlike "$(grep '^[^ ]' "$TMP/out")" '^(log|report|budget|handbook/leave)' 'gives only what lies there'
exits 0 '-path:' "$PROGRAM" search -k 50 "$docs" 'notice -path:deep'
unlike "$(grep '^[^ ]' "$TMP/out")" '/deep/' 'gives what does not'
exits 0 'a glob' "$PROGRAM" search "$docs" 'path:*.pdf'
is "$(grep '^[^ ]' "$TMP/out" | cut -d: -f1 | sort -u)" report.pdf 'and no other word gives every document that fits'
exits 1 'no such path' "$PROGRAM" search "$docs" notice path:nowhere

for mode in keyword vector hybrid; do
	exits 0 "--mode=$mode" "$PROGRAM" search --mode=$mode "$docs" comet discovered
	like "$(head -n 1 "$TMP/out")" '^report\.pdf:' "$mode finds the document"
done
exits 0 'the mode may stand in the environment' env CORPUSFS_MODE=keyword "$PROGRAM" search "$docs" comet
exits 2 'and is checked there' env CORPUSFS_MODE=psychic "$PROGRAM" search "$docs" comet

printf 'The walrus sings at midnight.\n' >"$docs/walrus.txt"
exits 0 'a file written since' "$PROGRAM" search --mode=keyword "$docs" walrus
like "$(cat "$TMP/out")" '^walrus\.txt:' 'is found'
rm "$docs/walrus.txt"
exits 1 'a file removed since is not' "$PROGRAM" search --mode=keyword "$docs" walrus
printf 'odd \033]0;title\007 text about a quokka\n' >"$docs/$(printf 'esc\033[31m').txt"
"$PROGRAM" search --mode=keyword "$docs" quokka >"$TMP/out"
unlike "$(grep -a '^    ' "$TMP/out")" "$(printf '[\033\007]')" 'control characters of a document are not printed'

if have script; then
	script -qec "$PROGRAM search --mode=keyword '$docs' quokka lighthouse" /dev/null >"$TMP/tty" </dev/null
	like "$(cat "$TMP/tty")" "$(printf '\033')\[1;31mlighthouse" 'a terminal shows the words found in colour'
	unlike "$(cat "$TMP/tty")" "esc$(printf '\033')" 'and never the control characters of a name'
	NO_COLOR=1 script -qec "$PROGRAM search --mode=keyword '$docs' lighthouse" /dev/null >"$TMP/tty" </dev/null
	unlike "$(cat "$TMP/tty")" "$(printf '\033')\[[0-9;]*m" 'NO_COLOR is honoured'
else
	skip 'script is not installed' 3
fi
done_testing
