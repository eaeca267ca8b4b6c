#!/bin/bash
# An embedding server that misbehaves in every way we know: the mount answers all the same, says what is wrong, and in the end is as beside a
# server that always behaved.
. "${0%/*}/lib.sh"
need_fuse
need python3 openssl

python3 "$ROOT/tests/cases/helpers/embedding_failures.py" "$PROGRAM" "$TMP/failures" >"$TMP/result" 2>"$TMP/errors"
while read -r verdict rest; do
	case $verdict in
	ok) pass "$rest" ;;
	*) fail "${rest#ok }" ;;
	esac
done <"$TMP/result"
is "$(cat "$TMP/errors")" '' 'every way was tried'
is "$(wc -l <"$TMP/result")" 35 'none is missing'
done_testing
