#!/bin/bash
# A writer at full speed and 50 readers: every handle's bytes are one version that existed, and afterwards everything is as a fresh store has it.
. "${0%/*}/lib.sh"
need_fuse
need python3
docs=$TMP/docs seconds=8 seed=${SEED:-$RANDOM}
[ -z "${SOAK:-}" ] || seconds=60
make_documents "$docs"
mount_corpus "$docs"
first=$MNT
if python3 "$ROOT/tests/cases/helpers/writer.py" "$docs" "$MNT" "$seconds" 50 "$seed" >"$TMP/writer" 2>&1; then
	pass 'no handle saw a mixture of versions'
else
	fail "no handle saw a mixture of versions (SEED=$seed)"
fi
note "$(cut -c 1-1000 "$TMP/writer" | tail -n 15)"
settle_documents
sleep 1
ok 'the indexer comes to rest' wait_indexed "$first"
mount_corpus "$docs"
second=$MNT
ok 'and a fresh store is indexed' wait_indexed "$second"
same_views "$first" "$second" 'lighthouse keeper' 'parental leave' 'north wind' 'captain anchor tide'
unmount_corpus "$second"
ok 'unmounts' unmount_corpus "$first"
done_testing
