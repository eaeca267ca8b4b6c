#!/bin/bash
# sanitizers: none
# Documents made to break their reader (helpers/hostile.py): bombs, entities, deep nesting, gigantic dimensions, page trees that lie, mail of 10,000
# parts. Each ends inside its bounds, with text or with a named reason; nothing outside of them is read; their neighbours do not notice. SOAK: those
# too that need their deadline.
. "${0%/*}/lib.sh"
need_fuse
need python3 pdftotext

echo 'the-secret-of-this-machine' >"$TMP/secret"
mkdir -p "$TMP/docs/hostile"
make_documents "$TMP/docs/neighbours"
make_documents "$TMP/alone"
ok 'hostile documents are made' python3 "$ROOT/tests/cases/helpers/hostile.py" "$TMP/docs/hostile" "$TMP/secret" ${SOAK:+long}
sed 's,^,hostile/,' "$TMP/.out" >"$TMP/list"
[ "$(wc -l <"$TMP/list")" -gt 100 ] || fail 'there are hostile documents' "$(cat "$TMP/.err")"

mount_corpus "$TMP/docs" || { fail 'mounted'; done_testing; }
python3 "$ROOT/tests/cases/helpers/private_memory.py" "$MOUNT_PID" "$TMP/memory" &
# A neighbour is read while the others are being worked on.
like "$(cat "$MNT/clean/neighbours/handbook/deep/notice.html.txt")" 'three months' 'a neighbour is read at once'
ok 'all are worked through' wait_indexed "$MNT" 1200
python3 "$ROOT/tests/cases/helpers/outcomes.py" "$MNT" "$TMP/list" the-secret-of-this-machine >"$TMP/outcomes"
is "$(head -n -1 "$TMP/outcomes")" '' "each ends with text or its reason: $(tail -n 1 "$TMP/outcomes")"
megabytes=$(cat "$TMP/memory")
if [ "$megabytes" -lt 512 ]; then pass "the daemon never had more than 512 MB of its own ($megabytes MB)"; else fail "private memory: $megabytes MB"; fi

hostile=$MNT
mount_corpus "$TMP/alone" || { fail 'mounted'; done_testing; }
ok 'the neighbours are indexed alone' wait_indexed
for view in clean chunks; do
	ok "$view/ of the neighbours is what it is without them" diff -r "$hostile/$view/neighbours" "$MNT/$view"
done
ok 'unmounted' unmount_corpus "$hostile"
done_testing
