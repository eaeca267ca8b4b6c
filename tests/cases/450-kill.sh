#!/bin/bash
# kill -9 at random instants while indexing, a new mount each time: the end is that of an undisturbed run, and what was acknowledged stays.
. "${0%/*}/lib.sh"
need_fuse
need python3
docs=$TMP/docs kills=10 count=800
[ -z "${SOAK:-}" ] || kills=100
RANDOM=${SEED:=$RANDOM}
generate() { python3 "$ROOT/tests/cases/helpers/documents.py" "$docs" "$count" "$1"; }
generate 0
mkdir "$TMP/mnt"

start() {
	"$PROGRAM" mount --store="$TMP/store" -f "$docs" "$TMP/mnt" >>"$TMP/log" 2>&1 </dev/null &
	pid=$!
	register_mount "$pid" "$TMP/mnt"
	until_true 60 cat "$TMP/mnt/status/status.json" # a dead mount's attributes may be cached still
}
indexed() {
	sed -n 's/.*"ok": *\([0-9]*\).*/\1/p' "$TMP/mnt/status/status.json" | head -n 1
}

trouble=0 lost=0 killed_at_work=0
for ((i = 1; i <= kills; i++)); do
	start || { trouble=$((trouble + 1)); note "kill $i: no mount (SEED=$SEED)" "$(tail -n 3 "$TMP/log")"; break; }
	now=$(indexed)
	# A changed file counts until the indexer has come to it, so the number never falls but when documents are changed.
	if [ "$i" -gt 1 ] && [ "${now:-0}" -lt "${before:-0}" ]; then
		lost=$((lost + 1))
		note "kill $i: $before files before, $now after"
	fi
	sleep "0.$(printf '%03d' $((RANDOM % 700)))"
	before=$(indexed)
	grep -q '"complete": *false' "$TMP/mnt/status/status.json" && killed_at_work=$((killed_at_work + 1))
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	[ $((i % 4)) -ne 0 ] || generate "$i"
done 2>/dev/null
is "$trouble" 0 "$kills times killed, mounted again each time"
note "$killed_at_work of them while it was indexing"
is "$lost" 0 'nothing acknowledged was lost'
unlike "$(cat "$TMP/log")" 'begun anew|damaged' 'and the store was never begun anew'

settle_documents
start
ok 'it goes on to the end' wait_indexed "$TMP/mnt"
mount_corpus "$docs"
ok 'an undisturbed run too' wait_indexed
same_views "$TMP/mnt" "$MNT" 'lighthouse keeper' 'parental leave' 'the same text' 'comet telescope observatory' 'salary contract notice' 'rng choice'
ok 'unmounts' unmount_corpus
ok 'unmounts' "$PROGRAM" unmount "$TMP/mnt"
wait "$pid"
exits 0 'verify finds no difference' "$PROGRAM" verify --store="$TMP/store" "$docs"
done_testing
