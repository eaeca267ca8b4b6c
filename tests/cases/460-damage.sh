#!/bin/bash
# A store file with a flipped byte or cut off: no crash, no wrong content, and indexed again it is right. SOAK: 2,000 flips and every 4 KiB.
# sanitizers: none
. "${0%/*}/lib.sh"
need_fuse
need python3
docs=$TMP/docs flips=8 cut_step=40
[ -z "${SOAK:-}" ] || flips=2000 cut_step=1
make_documents "$docs"
python3 "$ROOT/tests/cases/helpers/documents.py" "$docs" 30 0
settle_documents
queries=('parental leave' 'lighthouse keeper' 'harbour' 'comet telescope')

# search_all STORE: prints what every query finds; the highest exit status.
search_all() {
	local query worst=0 status
	for query in "${queries[@]}"; do
		"$PROGRAM" search --store="$1" -k 20 "$docs" "$query" 2>>"$TMP/search.err"
		status=$?
		[ $status -le $worst ] || worst=$status
	done
	return $worst
}

ok 'index' "$PROGRAM" index --store="$TMP/whole" "$docs"
mkdir "$TMP/expected"
mount_corpus "$docs" --store="$TMP/whole" --noindex
cp -r "$MNT/clean" "$MNT/chunks" "$TMP/expected" && ok 'a reference' true
unmount_corpus
search_all "$TMP/whole" >"$TMP/expected.search"
data=$TMP/whole/data.mdb
size=$(stat -c %s "$data")
pages=$(($(stat -c %b "$data") * 512 / 4096))
note "the store has $size bytes"

# probe WHAT: everything that people do, on $TMP/store; counts what went wrong.
crashed=0 wrong=0 unhealed=0 refused=0
probe() {
	local status
	search_all "$TMP/store" >/dev/null
	status=$?
	[ $status -lt 124 ] || { crashed=$((crashed + 1)); note "$1: search ended with $status"; }
	"$PROGRAM" mount --store="$TMP/store" --noindex -f "$docs" "$TMP/mnt" >"$TMP/mount.log" 2>&1 </dev/null &
	local pid=$!
	register_mount "$pid" "$TMP/mnt"
	while ! is_mounted "$TMP/mnt" && kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
	if is_mounted "$TMP/mnt"; then
		if ! diff -r "$TMP/expected/clean" "$TMP/mnt/clean" >"$TMP/diff" 2>&1 || ! diff -r "$TMP/expected/chunks" "$TMP/mnt/chunks" >>"$TMP/diff" 2>&1; then
			wrong=$((wrong + 1))
			note "$1: $(head -n 5 "$TMP/diff" | cut -c 1-300)"
		fi
		cat "$TMP/mnt/search/parental leave/.results.jsonl" >/dev/null 2>&1
		kill -TERM "$pid"
	else
		refused=$((refused + 1))
		note "$1: not mounted: $(tail -n 1 "$TMP/mount.log")"
	fi
	wait "$pid"
	status=$?
	[ $status -lt 124 ] || { crashed=$((crashed + 1)); note "$1: the mount ended with $status" "$(tail -n 3 "$TMP/mount.log")"; }
	mounts=()
	"$PROGRAM" index --store="$TMP/store" "$docs" >"$TMP/index.log" 2>&1
	status=$?
	[ $status -lt 124 ] || { crashed=$((crashed + 1)); note "$1: index ended with $status"; }
	search_all "$TMP/store" >"$TMP/after.search"
	if ! cmp -s "$TMP/after.search" "$TMP/expected.search" || ! "$PROGRAM" verify --store="$TMP/store" "$docs" >"$TMP/verify.log" 2>&1; then
		unhealed=$((unhealed + 1))
		note "$1: after index (status $status: $(tail -n 1 "$TMP/index.log")): $(diff "$TMP/expected.search" "$TMP/after.search" | head -n 4 | cut -c 1-200)" \
			"$(tail -n 2 "$TMP/verify.log")"
	fi
}
mkdir "$TMP/mnt"
result() {
	is "$crashed" 0 "$1: no crash"
	is "$wrong" 0 "$1: no wrong content"
	is "$refused" 0 "$1: mounted every time"
	is "$unhealed" 0 "$1: indexed again, everything is right"
	crashed=0 wrong=0 unhealed=0 refused=0
}

RANDOM=${SEED:=$RANDOM}
for ((i = 0; i < flips; i++)); do
	rm -rf "$TMP/store"
	cp -r --sparse=always "$TMP/whole" "$TMP/store"
	at=$(((RANDOM * 32768 + RANDOM) % (pages * 4096)))
	python3 - "$TMP/store/data.mdb" "$at" "$((RANDOM % 255 + 1))" <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as file:
		    file.seek(int(sys.argv[2]))
		    byte = file.read(1)[0]
		    file.seek(int(sys.argv[2]))
		    file.write(bytes([byte ^ int(sys.argv[3])]))
	END
	probe "byte $at"
done
result "$flips flipped bytes (SEED=$SEED)"

for ((cut = 0; cut < pages; cut += cut_step)); do
	rm -rf "$TMP/store"
	cp -r --sparse=always "$TMP/whole" "$TMP/store"
	truncate -s $((cut * 4096)) "$TMP/store/data.mdb"
	probe "cut at page $cut"
done
result "cut off at every $((cut_step * 4)) KiB"

head -c 300000 /dev/urandom >"$TMP/store/data.mdb"
probe 'random bytes'
cp "$docs/add.c" "$TMP/store/data.mdb"
probe 'another kind of file'
: >"$TMP/store/data.mdb"
probe 'an empty file'
result 'foreign files'
done_testing
