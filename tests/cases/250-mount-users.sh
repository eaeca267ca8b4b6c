#!/bin/bash
# A mount that others may look at: each user sees what he could read in the source, in every view, and nothing of what another saw.
. "${0%/*}/lib.sh"
need_fuse
need setpriv python3
[ "$(id -u)" -eq 0 ] || skip_all 'only root can look as another user'
docs=$TMP/docs
mkdir -p "$docs/private"
chmod 755 "$TMP"
printf 'The heron is a bird that everybody may know of.\n' >"$docs/all.txt"
printf 'The heron of Anna is secret, she calls it Annaheron.\n' >"$docs/anna.txt"
printf 'The heron of Bert is secret, he calls it Bertheron.\n' >"$docs/bert.txt"
printf 'The heron of the group is called Groupheron.\n' >"$docs/group.txt"
printf 'The heron in the private folder is called Deepheron.\n' >"$docs/private/deep.txt"
printf '%%PDF-1.4\nbroken\n' >"$docs/annas-broken.pdf"
chown 20001:20001 "$docs/anna.txt" "$docs/annas-broken.pdf"
chown 20002:20002 "$docs/bert.txt"
chown 0:20009 "$docs/group.txt"
chown 20001:20001 "$docs/private"
chmod 600 "$docs/anna.txt" "$docs/bert.txt" "$docs/annas-broken.pdf"
chmod 640 "$docs/group.txt"
chmod 700 "$docs/private"
mount_corpus "$docs" --allow-other || mount_corpus "$docs" -o allow_other || { fail 'mounts'; done_testing; }
ok 'is indexed' wait_indexed
anna() { setpriv --reuid 20001 --regid 20001 --clear-groups -- "$@"; }
bert() { setpriv --reuid 20002 --regid 20002 --groups 20009 -- "$@"; }
found() {
	"$1" cat "$MNT/search/heron/.results.jsonl" | python3 -c 'import json, sys; print(*sorted(json.loads(l)["path"] for l in sys.stdin))'
}
for turn in 1 2; do
	is "$(found anna)" 'all.txt anna.txt private/deep.txt' "what Anna finds, $turn"
	is "$(found bert)" 'all.txt bert.txt group.txt' "what Bert finds, $turn"
	is "$(anna ls "$MNT/search/heron" | wc -l)" 3 "what Anna lists, $turn"
	is "$(bert sh -c "cat '$MNT/search/heron/'*" | grep -o '[A-Z][a-z]*heron' | sort | tr '\n' ' ')" 'Bertheron Groupheron ' "what Bert reads, $turn"
	is "$(cat "$MNT/search/heron/.results.jsonl" | wc -l)" 5 "root finds everything, $turn"
	is "$(anna sh -c "stat -c %s '$MNT/search/heron/.results.jsonl'; cat '$MNT/search/heron/.results.jsonl' | wc -c" | tail -n 1)" \
		"$(anna sh -c "cat '$MNT/search/heron/.results.jsonl' >/dev/null; stat -c %s '$MNT/search/heron/.results.jsonl'")" "a size is of the caller's own, $turn"
done
name=$(anna ls "$MNT/search/heron" | grep anna)
ok 'Anna opens her hit' anna cat "$MNT/search/heron/$name"
fails 'Bert does not find it' bert cat "$MNT/search/heron/$name"
fails 'not even its name' bert stat "$MNT/search/heron/$name"
for path in clean/anna.txt.txt raw/anna.txt chunks/anna.txt/0001.txt vectors/anna.txt.npy meta/anna.txt.json clean/private/deep.txt.txt; do
	ok "Anna reads $path" anna cat "$MNT/$path"
	fails "Bert does not read $path" bert cat "$MNT/$path"
done
fails 'Bert does not list her chunks' bert ls "$MNT/chunks/anna.txt"
fails 'nor her folder' bert ls "$MNT/clean/private"
ok 'Bert reads what his second group may' bert cat "$MNT/clean/group.txt.txt"
fails 'which Anna does not' anna cat "$MNT/clean/group.txt.txt"
like "$(bert ls "$MNT/similar/all.txt" | tr '\n' ' ')" 'bert' 'similar/ for Bert'
unlike "$(bert ls "$MNT/similar/all.txt" | tr '\n' ' ')" 'anna|deep' 'without what he may not read'
fails 'nor similar/ of what he may not read' bert ls "$MNT/similar/anna.txt"
like "$(anna cat "$MNT/status/errors.jsonl")" annas-broken 'Anna sees her error'
is "$(bert cat "$MNT/status/errors.jsonl")" '' 'Bert does not'
is "$(bert stat -c %s "$MNT/status/errors.jsonl")" 0 'nor its size'
like "$(anna cat "$MNT/status/errors.jsonl")" annas-broken 'and Anna still does'
# Root as containers have it: the kernel lets it read what user 0 may read by the modes, and so does a search.
root_without() { setpriv --inh-caps=-all --bounding-set=-all -- "$@"; }
fails 'a root without capabilities does not read hers' root_without cat "$MNT/clean/anna.txt.txt"
is "$(found root_without)" 'all.txt group.txt' 'nor finds it'
is "$(root_without cat "$MNT/status/errors.jsonl")" '' 'nor sees the error'
is "$(cat "$MNT/search/heron/.results.jsonl" | wc -l)" 5 'which a real one still does'
fails 'nobody writes' anna touch "$MNT/raw/anna.txt"
ok 'unmounts' unmount_corpus
done_testing
