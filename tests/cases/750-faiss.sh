#!/bin/bash
# docs/examples: FAISS over mapped vectors/.
# sanitizers: none
. "${0%/*}/lib.sh"
. "${0%/*}/helpers/examples.sh"
need_fuse
need_packages FAISS
mount_examples
run_example FAISS
is "$(head -n 1 "$TMP/out")" '1.00 handbook/leave.md chunk 1' 'a passage is nearest to itself'
like "$(sed -n 2p "$TMP/out")" '^0\.[0-9]+ handbook/faq.txt chunk 1' 'then comes the one that says the same'
is "$(wc -l <"$TMP/out")" 5 'five are shown'
done_testing
