#!/bin/bash
# Archives of two users under one mount: who may not read an archive sees nothing of what is in it. And a mount that computes nothing, or not in time.
# sanitizers: none
. "${0%/*}/lib.sh"
need_fuse
need python3 setpriv zip
[ "$(id -u)" -eq 0 ] || skip_all 'not root: other users cannot be tried'
PATH=/usr/bin:$PATH # one that other users may run
docs=$TMP/docs
mkdir "$docs" "$TMP/in"
chmod 755 "$TMP" "$docs"
archive() {
	printf 'The %s of the harbour is described here.\n' "$2" >"$TMP/in/inside.txt"
	(cd "$TMP/in" && zip -q "$docs/$1" inside.txt)
}
archive anna.zip annaword && chown 6001 "$docs/anna.zip" && chmod 600 "$docs/anna.zip"
archive bert.zip bertword && chown 6002 "$docs/bert.zip" && chmod 600 "$docs/bert.zip"
archive open.zip openword
# An archive in an archive, and one of which a part is missing.
(cd "$docs" && zip -q0 "$TMP/outer.zip" bert.zip && head -c 400 "$TMP/outer.zip" >"$docs/bert-cut.zip" && mv "$TMP/outer.zip" bert-outer.zip)
chown 6002 "$docs"/bert-* && chmod 600 "$docs"/bert-*
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }

mount_corpus "$docs" -o allow_other
ok 'indexed' wait_indexed
is "$(as 6001 cat "$MNT/clean/anna.zip/inside.txt.txt")" 'The annaword of the harbour is described here.' 'the owner of an archive reads what is in it'
fails 'another user does not list it' as 6002 ls "$MNT/clean/anna.zip"
fails 'nor reads from it' as 6002 cat "$MNT/clean/anna.zip/inside.txt.txt"
is "$(stat -c %A "$MNT/clean/anna.zip" "$MNT/clean/open.zip" "$MNT/clean/anna.zip/inside.txt.txt" | tr '\n' ' ')" 'dr-x------ dr-xr-xr-x -r-------- ' 'modes'
for user in 6001 6002 6003; do
	as $user cat "$MNT/search/harbour described/.results.jsonl" "$MNT/status/errors.jsonl" "$MNT/status/skipped.jsonl" "$MNT/tables/documents.jsonl" "$MNT/tables/chunks.jsonl" >"$TMP/seen.$user"
done
like "$(cat "$TMP/seen.6001")" 'anna.zip/inside.txt' 'anna finds what is in the own archive'
unlike "$(cat "$TMP/seen.6001")" 'bert' 'and nothing of what is in that of bert'
like "$(cat "$TMP/seen.6002")" 'bert-outer.zip/bert.zip/inside.txt' 'bert finds an archive in an archive'
like "$(cat "$TMP/seen.6002")" '"path":"bert-cut.zip"' 'and is told of the damaged one'
unlike "$(cat "$TMP/seen.6003")" 'anna|bert' 'a third finds neither'
like "$(cat "$TMP/seen.6003")" 'open.zip/inside.txt' 'but what everybody may read'
ok 'unmounts' unmount_corpus

mount_corpus "$docs" --store "$TMP/second" -o noindex,fail_fast
like "$(ls -f "$MNT/clean")" '^open\.zip$' 'an archive that was not read is listed'
like "$(cat "$MNT/clean/open.zip/inside.txt.txt" 2>&1)" 'temporarily unavailable' 'and is not read where nothing may be computed'
ok 'unmounts' unmount_corpus
done_testing
