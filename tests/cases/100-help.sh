#!/bin/bash
# Help, version and what a mistyped command says: every verb, every kind of error, the exit codes.
. "${0%/*}/lib.sh"

one_line() {
	[ "$(wc -l <"$TMP/err")" -eq 1 ] && grep -q '^corpusfs: ' "$TMP/err"
}

exits 0 '--version succeeds' "$PROGRAM" --version
like "$(cat "$TMP/out")" '^corpusfs [0-9]+\.[0-9]+\.[0-9]+$' '--version prints name and number'
exits 0 '--help succeeds' "$PROGRAM" --help
cp "$TMP/out" "$TMP/help"
exits 0 'help succeeds' "$PROGRAM" help
is_file "$TMP/out" "$TMP/help" 'help is --help'
exits 2 'no verb is an error' "$PROGRAM"
like "$(cat "$TMP/err")" '^Usage: corpusfs' 'and prints the verbs'

for verb in mount unmount index search status health verify doctor help; do
	like "$(cat "$TMP/help")" "^  $verb +[a-z]" "help lists $verb"
	exits 0 "$verb --help succeeds" "$PROGRAM" "$verb" --help
	cp "$TMP/out" "$TMP/verb"
	like "$(cat "$TMP/verb")" "^Usage: corpusfs $verb" "$verb --help has its usage"
	exits 0 "help $verb succeeds" "$PROGRAM" help "$verb"
	is_file "$TMP/out" "$TMP/verb" "help $verb is $verb --help"
	exits 2 "$verb with an unknown option is an error" "$PROGRAM" "$verb" --nonsense
	ok "$verb says so in one line" one_line
	like "$(cat "$TMP/err")" '^corpusfs: --nonsense: no such option' "$verb names the option"
done
for verb in mount unmount index search status health verify; do
	exits 2 "$verb without arguments is an error" "$PROGRAM" "$verb"
	ok "$verb says so in one line" one_line
	like "$(cat "$TMP/err")" "^corpusfs: usage: corpusfs $verb" "$verb prints its usage"
done
exits 2 'too many arguments are an error' "$PROGRAM" unmount a b
exits 2 'an unknown verb is an error' "$PROGRAM" serach x y
like "$(cat "$TMP/err")" '^corpusfs: serach: no such verb; there are mount unmount index search' 'which lists the verbs'
exits 2 'help for an unknown verb is an error' "$PROGRAM" help serach

exits 2 'an unknown mount option is an error' "$PROGRAM" mount -o ro,colour=red "$TMP" "$TMP"
like "$(cat "$TMP/err")" '^corpusfs: colour: no such option; .*--store=DIR.*--allow_other' 'which lists what exists'
ok 'in one line' one_line
exits 2 '-o without options is an error' "$PROGRAM" mount "$TMP" "$TMP" -o
exits 2 'a number that is none is an error' "$PROGRAM" index --threads=many "$TMP"
like "$(cat "$TMP/err")" 'threads=many: is a whole number' 'which says what is wanted'
exits 2 'a negative number is an error' "$PROGRAM" index --threads=-1 "$TMP"
exits 2 'an option without its value is an error' "$PROGRAM" index "$TMP" --store
exits 2 'an empty value is an error' "$PROGRAM" index --store= "$TMP"
exits 2 'a flag that is neither yes nor no is an error' "$PROGRAM" mount --noindex=perhaps "$TMP" "$TMP"
CORPUSFS_THREADS=x exits 2 'so is one from the environment' env CORPUSFS_THREADS=x "$PROGRAM" index "$TMP"

for verb in index status verify; do
	exits 2 "$verb of nothing is an error" "$PROGRAM" "$verb" "$TMP/nowhere"
	like "$(cat "$TMP/err")" "^corpusfs: $TMP/nowhere: No such file or directory; name " "$verb names the folder and the remedy"
	ok "$verb says so in one line" one_line
done
touch "$TMP/file"
exits 2 'index of a file is an error' "$PROGRAM" index "$TMP/file"
exits 2 'search in nothing is an error' "$PROGRAM" search "$TMP/nowhere" words
exits 2 'an empty query is an error' "$PROGRAM" search "$TMP" ''
exits 2 'a query of blanks is an error' "$PROGRAM" search "$TMP" ' ' ' '
exits 2 'a long query is an error' "$PROGRAM" search "$TMP" "$(printf 'x%.0s' {1..1001})"
exits 2 'an unknown mode is an error' "$PROGRAM" search --mode=psychic "$TMP" words
like "$(cat "$TMP/err")" 'hybrid, keyword or vector' 'which lists the modes'
exits 2 'k=0 is an error' "$PROGRAM" search -k 0 "$TMP" words
exits 2 'a date that is none is an error' "$PROGRAM" search --since=2026-02-31 "$TMP" words

exits 2 'unmount of a folder is an error' "$PROGRAM" unmount "$TMP"
like "$(cat "$TMP/err")" 'is no mount of corpusfs' 'which says so'
exits 2 'unmount of nothing is an error' "$PROGRAM" unmount "$TMP/nowhere"

"$PROGRAM" doctor >"$TMP/out" 2>"$TMP/err"
status=$?
ok 'doctor ends with 0 or 1' test "$status" -le 1
like "$(cat "$TMP/out")" '^(ok|lacks) +/dev/fuse' 'doctor looks for /dev/fuse'
like "$(cat "$TMP/out")" '^(ok|lacks) +archives +libarchive' 'doctor looks for the library that reads archives'
like "$(cat "$TMP/out")" '^(ok|lacks) +sandbox +rlimits' 'doctor tries the sandbox'
is "$status" "$(grep -q '^lacks' "$TMP/out" && echo 1 || echo 0)" 'doctor ends with 1 exactly when something lacks'
if [ -c /dev/full ]; then
	"$PROGRAM" help >/dev/full 2>"$TMP/err"
	is $? 2 'output that cannot be written is an error'
	like "$(cat "$TMP/err")" '^corpusfs: standard output: No space left' 'which says so'
else
	skip 'no /dev/full' 2
fi
done_testing
