#!/bin/bash
# The unit is one that systemd takes, and what it starts does what the unit says.
. "${0%/*}/lib.sh"
need systemd-analyze
# It wants to find the program where the unit says.
sed "s|/usr/local/bin/corpusfs|$PROGRAM|" "$ROOT/contrib/corpusfs.service" >"$TMP/corpusfs.service"
exits 0 'systemd-analyze verify' systemd-analyze verify --man=no "$TMP/corpusfs.service"
is "$(cat "$TMP/out" "$TMP/err")" '' 'without a remark'
sed -i 's/^Restart=/Restrat=/' "$TMP/corpusfs.service"
systemd-analyze verify --man=no "$TMP/corpusfs.service" >"$TMP/said" 2>&1
like "$(cat "$TMP/said")" Restrat 'which it would have'
is "$(grep -o 'CORPUSFS_[A-Z_]*' "$ROOT/contrib/corpusfs.service" | sort | tr '\n' ' ')" 'CORPUSFS_ALLOW_OTHER CORPUSFS_STORE ' 'its options'
done_testing
