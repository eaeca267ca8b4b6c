#!/bin/bash
# docs/waiting-request.pml in every interleaving: exactly one reply, no lost waiter, no use after free. And broken, so that spin can be seen to find it.
# sanitizers: none
. "${0%/*}/lib.sh"
need spin gcc
model=$ROOT/docs/waiting-request.pml

# check FILE OPTIMISE: runs the model through; prints spin's line about errors. The broken ones end at the first error.
check() {
	local optimise=$2
	mkdir -p "$TMP/run" && cd "$TMP/run" || return
	rm -f pan*
	spin -a "$1" >spin.log 2>&1 && gcc -w "$optimise" -DSAFETY -DCOLLAPSE -o pan pan.c >gcc.log 2>&1 && timeout 600 ./pan -m100000 >pan.log 2>&1
	grep -o 'errors: [0-9]*' pan.log
	cd / || return
}
is "$(check "$model" -O2)" 'errors: 0' 'the model holds'
note "$(grep -E 'states, stored|total actual' "$TMP/run/pan.log" | tr -s '\t ' ' ')"

# broken NAME SED-SCRIPT: without what the script takes out, spin finds an error.
broken() {
	sed "$2" "$model" >"$TMP/broken.pml"
	if cmp -s "$model" "$TMP/broken.pml"; then
		fail "$1: the model has changed, and nothing was broken"
	else
		is "$(check "$TMP/broken.pml" -O0)" 'errors: 1' "$1: spin finds it"
	fi
}
broken 'a cancel that does not look whether the wait was taken' 's/taken = attached\[r\];/taken = true;/'
broken 'a starter that keeps no reference' 's/refs\[r\] = 2;/refs[r] = 1;/'
broken 'a completion that stays in the list' 's/parked\[r\] = false;	.*list_remove.*/skip;/'
broken 'a commit that forgets who came meanwhile' 's/-> job = QUEUED	.*/-> job = NO_JOB/'

# The code has the names that the model has.
for name in REQUEST_STARTING REQUEST_WAITING REQUEST_INTERRUPTED; do
	ok "$name is in the code" grep -q "$name" "$ROOT/src/mount/request.c"
done
for name in JOB_QUEUED JOB_RUNNING JOB_PUBLISHED; do
	ok "$name is in the code" grep -q "$name" "$ROOT/src/corpus/jobs.c"
done
done_testing
