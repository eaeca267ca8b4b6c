#!/bin/bash
# Random trees and random operations: raw/ gives what the source gives, result and errno, for root and for a user without rights.
# SOAK: 100,000 operations instead of 5,000.
. "${0%/*}/lib.sh"
need_fuse
need python3
helpers=$ROOT/tests/cases/helpers
operations=5000 seed=${SEED:-$RANDOM}
[ -z "${SOAK:-}" ] || operations=100000

bind=-
cleanup_bind() {
	[ "$bind" = - ] || umount -l "$bind" 2>/dev/null
	cleanup
}
trap cleanup_bind EXIT

# compare SEED OPERATIONS [UID]: a new tree, a mount of it, the operations.
compare() {
	local docs=$TMP/docs.$1 other=()
	mkdir -p "$docs" "$docs.ro"
	printf 'started' >"$docs/barrier"
	chmod 755 "$TMP" "$docs"
	if [ "$(id -u)" -eq 0 ] && mount --bind "$docs" "$docs.ro" 2>/dev/null && mount -o remount,bind,ro "$docs.ro" 2>/dev/null; then
		bind=$docs.ro
	fi
	[ "$(id -u)" -ne 0 ] || other=(-o allow_other)
	mount_corpus "$docs" "${other[@]}" || return 1
	python3 "$helpers/differential.py" "$1" "$2" "$MNT/raw" "$docs" "$bind" ${3:+"$3"} >"$TMP/differences" 2>&1
	local status=$?
	unmount_corpus || status=1
	[ "$bind" = - ] || umount "$bind"
	bind=-
	note "$(tail -n 12 "$TMP/differences")"
	return $status
}

if compare "$seed" "$((operations * 7 / 10))"; then pass "raw/ and source agree"; else fail "raw/ and source agree (SEED=$seed)"; fi
if [ "$(id -u)" -eq 0 ]; then
	if compare "$((seed + 1))" "$((operations * 3 / 10))" 65534; then
		pass 'also for a user who may read only some'
	else
		fail "also for a user who may read only some (SEED=$seed)"
	fi
else
	skip 'not root: another user cannot be tried'
fi
done_testing
