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

# --- in a container: the root of this machine serves as the image, with the packages of the test ---
podman() {
	local limits=()
	[ "$1" != run ] || limits=(--ulimit nofile=1024:1024 --ulimit nproc=1024:1024)
	command podman --runtime runc "$1" "${limits[@]}" "${@:2}"
}
export -f podman
end_service() {
	kill -- "-$service" 2>/dev/null
	podman rm -f -t 1 "$name" >"$TMP/end" 2>&1
	cleanup
}
venv=$ROOT/build/examples/venv name=passages-$$
# Without the temporary /run of --read-only, which would begin as a copy of the one here.
export IMAGE="--read-only-tmpfs=false -v $venv:$venv:ro -e PATH=$venv/bin:/usr/bin:/bin --rootfs /:O"
reason=
have podman && have runc || reason='podman or runc is not installed'
[ -z "${CI:-}" ] || reason='a container runtime is not tried in CI'
[ -n "$reason" ] || podman run --rm --network=none --rootfs /:O true >"$TMP/out" 2>&1 || reason="podman runs nothing here: $(tail -n 1 "$TMP/out")"
if [ -n "$reason" ]; then
	skip "$reason" 4
	done_testing
fi
example_block FastAPI 3 | sed "s/--name passages/--name $name/" >"$TMP/block"
ok 'container: the README has the block' test -s "$TMP/block"
cd "$EXAMPLES_FOLDER" || exit 2
exits 0 'container: the block runs' bash -e "$TMP/block"
cd "$TMP" || exit 2
ok 'container: the service starts' until_true 60 test -S "$HOME/run/socket"
curl -sG --unix-socket "$HOME/run/socket" http://localhost/passages --data-urlencode 'q=how much parental leave do I get' >"$TMP/out"
ok 'container: passages and citations' python3 "$TMP/answer.py" "$TMP/out"
done_testing
