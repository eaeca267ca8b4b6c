#!/bin/bash
# docs/examples: the FastAPI service answers with passages and citations.
# sanitizers: none
. "${0%/*}/lib.sh"
. "${0%/*}/helpers/examples.sh"
need_fuse
need curl python3
need_packages FastAPI
mount_examples
cd "$EXAMPLES_FOLDER" || exit 2
setsid bash -c "$(example_block FastAPI)" >"$TMP/service" 2>&1 </dev/null &
service=$!
end_service() {
	kill -- "-$service" 2>/dev/null
	cleanup
}
trap end_service EXIT
ok 'the service starts' until_true 60 test -S "$HOME/passages.sock"
run_example FastAPI 2
cat >"$TMP/answer.py" <<'END'
import json, sys
answer = json.load(open(sys.argv[1]))
assert "sixteen weeks of parental leave" in answer["context"] and "[1]" in answer["context"], answer
assert answer["sources"][0]["path"].startswith("handbook/") and ":" in answer["sources"][0]["citation"], answer
END
ok 'passages and citations' python3 "$TMP/answer.py" "$TMP/out"
ask() { curl -s -o "$TMP/body" -w '%{http_code}' -G --unix-socket "$HOME/passages.sock" http://localhost/passages "$@"; }
is "$(ask --data-urlencode 'q=a/b ../../etc/passwd' | tail -c 3)" 200 'a query with slashes is a query'
is "$(ask --data-urlencode "q=$(printf '%01100d' 7)")" 422 'one that is too long is refused'
is "$(ask --data-urlencode 'q= ')" 400 'and so is a blank one'
is "$(ask --data-urlencode 'q=leave' --data-urlencode 'budget=0')" 422 'and a budget of nothing'
done_testing
