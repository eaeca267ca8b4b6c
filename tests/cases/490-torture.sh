#!/bin/bash
# Index, read, search, change, mount and unmount with one call failing: an allocation, a write to the store, the start of a process or thread. No
# crash, no hang, no wrong content, and the next calm run is right. SOAK (make torture): every call in turn instead of a sample.
# sanitizers: none
. "${0%/*}/lib.sh"
need_fuse
need python3
[ -e "$TOOLS/fail.so" ] || skip_all "$TOOLS/fail.so is not built; make check builds it"
docs=$TMP/docs mnt=$TMP/mnt
mkdir "$mnt"
make_documents "$docs"
settle_documents
RANDOM=${SEED:=$RANDOM}
store=$TMP/store

calm() { "$PROGRAM" "$@" --store="$store"; }
under() {
	local what=$1 at=$2
	shift 2
	timeout -k 5 60 env LD_PRELOAD="$TOOLS/fail.so" FAIL="$what" FAIL_AT="$at" FAIL_COUNT="$TMP/count" ${FAIL_ON:+FAIL_ON=1} "$@"
}

ok 'an undisturbed index' calm index "$docs"
expect() {
	local query
	for query in 'parental leave' 'lighthouse keeper' 'comet'; do calm search -k 5 "$docs" "$query"; done
}
expect >"$TMP/expected"
mkdir "$TMP/texts"
mount_corpus "$docs"
cp -r "$MNT/clean/." "$TMP/texts"
unmount_corpus

crashes=0 hangs=0 wrong=0 late=0
# judge STATUS WHAT: a status of 124 is a hang, of 125 and more an end by signal.
judge() {
	case $1 in
	124) hangs=$((hangs + 1)) && note "hang: $2" ;;
	12[5-9] | 1[3-9]? | 2??) crashes=$((crashes + 1)) && note "ended with $1: $2" "$(tail -n 3 "$TMP/torture.err" | cut -c 1-300)" ;;
	esac
}

# calm_again WHAT: indexing again without failures gives what an undisturbed run gave.
calm_again() {
	calm index "$docs" >"$TMP/calm.log" 2>&1
	expect >"$TMP/got" 2>&1
	cmp -s "$TMP/expected" "$TMP/got" && return
	late=$((late + 1))
	note "not right afterwards: $1" "$(tail -n 2 "$TMP/calm.log")" "$(diff "$TMP/expected" "$TMP/got" | head -n 4 | cut -c 1-200)"
}

# Each scenario takes WHAT and the number of the call that fails.
index_new() {
	rm -rf "$store"
	under "$1" "$2" "$PROGRAM" index --store="$store" "$docs" >/dev/null 2>"$TMP/torture.err"
	judge $? "index, $1 $2"
	calm_again "index, $1 $2"
}
index_changed() {
	rm -rf "$store" && cp -r "$TMP/old" "$store"
	under "$1" "$2" "$PROGRAM" index --store="$store" "$docs" >/dev/null 2>"$TMP/torture.err"
	judge $? "index of changes, $1 $2"
	calm_again "index of changes, $1 $2"
}
search_store() {
	under "$1" "$2" "$PROGRAM" search --store="$store" -k 5 "$docs" 'parental leave' >"$TMP/got" 2>"$TMP/torture.err"
	local status=$?
	judge $status "search, $1 $2"
	# Whatever came is right, or an error or a lack was told.
	[ $status -ne 0 ] || [ -s "$TMP/torture.err" ] || cmp -s "$TMP/got" "$TMP/expected.leave" || { wrong=$((wrong + 1)) && note "search gave something else, $1 $2"; }
}
mount_read() {
	rm -rf "$store"
	under "$1" "$2" "$PROGRAM" mount --store="$store" -f "$docs" "$mnt" >/dev/null 2>"$TMP/torture.err" </dev/null &
	local pid=$! status file
	while ! is_mounted "$mnt" && kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
	if is_mounted "$mnt"; then
		for file in 'log book.txt' handbook/leave.md report.pdf handbook/deep/notice.html; do
			timeout 20 cat "$mnt/clean/$file.txt" >"$TMP/got" 2>/dev/null
			status=$?
			[ $status -ne 124 ] || { hangs=$((hangs + 1)) && note "reading $file hangs, $1 $2"; }
			[ $status -ne 0 ] || cmp -s "$TMP/got" "$TMP/texts/$file.txt" || { wrong=$((wrong + 1)) && note "$file reads wrong, $1 $2"; }
		done
		timeout 20 ls -lR "$mnt/raw" "$mnt/chunks/handbook" "$mnt/meta" "$mnt/status" >/dev/null 2>&1
		[ $? -ne 124 ] || { hangs=$((hangs + 1)) && note "a listing hangs, $1 $2"; }
		timeout 20 cat "$mnt/search/parental leave/.results.jsonl" "$mnt/status/status.json" "$mnt/meta/report.pdf.json" "$mnt/vectors/report.pdf.npy" \
			"$mnt/similar/report.pdf"/* >/dev/null 2>&1
		[ $? -ne 124 ] || { hangs=$((hangs + 1)) && note "a search or status hangs, $1 $2"; }
		timeout 30 "$PROGRAM" unmount "$mnt" >/dev/null 2>&1 || umount -l "$mnt" 2>/dev/null
	fi
	wait "$pid"
	judge $? "mount, $1 $2"
	! is_mounted "$mnt" || umount -l "$mnt"
	calm_again "mount, $1 $2"
}

calm search -k 5 "$docs" 'parental leave' >"$TMP/expected.leave"
# A store of an older state, for index_changed.
cp -r "$docs" "$TMP/docs.now"
printf '# Leave\n\nThere was none.\n' >"$docs/handbook/leave.md" && mv "$docs/add.c" "$docs/subtract.c"
cp -r "$store" "$TMP/keep" && calm index "$docs" >/dev/null && mv "$store" "$TMP/old" && mv "$TMP/keep" "$store"
cp -p "$TMP/docs.now/handbook/leave.md" "$docs/handbook/leave.md" && mv "$docs/subtract.c" "$docs/add.c"
settle_documents
calm index "$docs" >/dev/null
cp -r "$store" "$TMP/whole"

# step SCENARIO WHAT SAMPLE: counts the calls of a run in which none fails, then lets them fail, all or a sample.
step() {
	local scenario=$1 what=$2 sample=$3 total i at
	crashes=0 hangs=0 wrong=0 late=0
	rm -f "$TMP/count"
	"$scenario" "$what" 0
	total=$(sort -n "$TMP/count" | tail -n 1)
	[ -z "${SOAK:-}" ] && [ "$total" -gt "$sample" ] || sample=$total
	for ((i = 1; i <= sample; i++)); do
		at=$((sample == total ? i : 1 + (RANDOM * 32768 + RANDOM) % total))
		"$scenario" "$what" "$at"
	done
	is "$crashes crashes, $hangs hangs, $wrong wrong, $late not healed" '0 crashes, 0 hangs, 0 wrong, 0 not healed' \
		"$scenario: $sample of $total, $what fails (SEED=$SEED)"
}
rm -rf "$store"
step index_new memory 25
step index_new write 10
step index_new fork 8
step index_new thread 8
step index_changed memory 10
step index_changed write 8
rm -rf "$store" && cp -r "$TMP/whole" "$store"
step search_store memory 25
step search_store thread 4
step mount_read memory 25
step mount_read write 6
step mount_read fork 6
step mount_read thread 10
# A disk that is full from some write on.
export FAIL_ON=1
step index_new write 6
step mount_read write 4
done_testing
