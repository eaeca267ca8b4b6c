#!/bin/bash
# The image and the recipes of docs/containers.md with a real runtime: what is run here is what stands there. Takes minutes, needs a network
# for the packages of the image, and is not for CI.
# sanitizers: none
. "${0%/*}/lib.sh"
[ -z "${CI:-}" ] || skip_all 'a container runtime is not tried in CI'
need_fuse
[ "$(id -u)" -eq 0 ] || skip_all 'not root: containers with a mount of their own cannot be tried'
need podman runc git python3 awk
git -C "$ROOT" rev-parse --git-dir >"$TMP/git" 2>&1 || skip_all 'not a checkout: there is no clone to build from'

tag=corpusfs-test-$$ share=$TMP/srv/corpusfs docs=$TMP/srv/documents own_base=
made_base=localhost/corpusfs-bare-bookworm
podman() {
	local verb=$1 limits=()
	shift
	case $verb in
	run | build) limits=(--ulimit nofile=1024:1024 --ulimit nproc=1024:1024) ;;
	esac
	[ "$verb" != run ] || limits+=(--network none)
	# Without systemd podman cannot plan a health check, and says so each time; the one that stays is asked by hand.
	[ "$verb" != run ] || [ "$1" = -d ] || limits+=(--no-healthcheck)
	command podman --runtime runc "$verb" "${limits[@]}" "$@"
}
end_containers() {
	local name
	for name in "$tag" "$tag-reader" "$tag-direct" "$tag-descriptor"; do podman rm -f -t 1 -v "$name"; done
	podman volume rm -f "$tag-store"
	podman rmi -f "localhost/$tag"
	[ -z "$own_base" ] || podman rmi -f "$made_base"
	for name in "$share/corpus" "$share" "$share" "$TMP/mnt"; do umount -l "$name"; done
} >"$TMP/end" 2>&1
trap 'end_containers; cleanup' EXIT

# --- the image, from what a clone has -------------------------------------------------------------------------------------
base=${CORPUSFS_TEST_BASE:-$made_base}
if ! podman image exists "$base"; then
	[ "$base" = "$made_base" ] || skip_all "no image $base"
	have debootstrap || skip_all "no image $base, and no debootstrap to make it"
	"$ROOT/scripts/bare-image" bookworm >"$TMP/out" 2>&1 || skip_all "no bare Debian can be made: $(tail -n 1 "$TMP/out")"
	own_base=1
fi
podman run --rm "$base" true >"$TMP/out" 2>&1 || skip_all "podman runs nothing here: $(tail -n 1 "$TMP/out")"
mkdir -p "$TMP/clone" "$docs"
(cd "$ROOT" && git ls-files -co --exclude-standard -z | xargs -0 cp --parents -t "$TMP/clone") 2>"$TMP/err" || fail 'clones' "$(cat "$TMP/err")"

# recipe NAME: a block of the page, with the folders, names and images of this test.
recipe() {
	awk -v name="<!-- try: $1 -->" '/^```/ { inside = wanted && !inside; wanted = wanted && inside; next } $0 == name { wanted = 1 } inside' \
		"$ROOT/docs/containers.md" |
		sed -e "s|/srv/|$TMP/srv/|g" -e "s|corpusfs-store|$tag-store|" -e "s|--name corpusfs|--name $tag|" -e "s|start corpusfs|start $tag|" \
			-e "s|-t corpusfs|-t localhost/$tag|" -e "s|:/store corpusfs |:/store localhost/$tag |" -e "s|:rshared corpusfs|:rshared localhost/$tag|" \
			-e "s|debian:bookworm-slim|$base|"
}
try() {
	local text
	text=$(recipe "$1")
	[ -n "$text" ] || { fail "the page has the recipe $1"; return 1; }
	eval "$text"
}
build() {
	cd "$TMP/clone" && [ -n "$(recipe build)" ] && eval "$(recipe build | sed "s|build|build --layers=false --network host --build-arg BASE=$base|")"
}
(build) >"$TMP/build.log" 2>&1 || {
	grep -q 'Temporary failure resolving\|Could not connect to\|Unable to fetch some archives' "$TMP/build.log" && skip_all 'no network for the packages of the image'
	fail 'the image builds' "$(tail -n 30 "$TMP/build.log")"
	done_testing
}
pass 'the image builds from a clean clone'
size() { podman image inspect --format '{{.Size}}' "$1"; }
added=$((($(size "localhost/$tag") - $(size "$base")) / 1000000))
note "added to the base: $added MB"
ok 'it adds less than 60 MB' test "$added" -gt 0 -a "$added" -lt 60
inside() { podman run --rm --entrypoint sh "$@"; }
is "$(inside "localhost/$tag" -c 'command -v gcc cc c++ make ld')" '' 'no compiler is in it'
is "$(inside "localhost/$tag" -c 'ldd /usr/local/bin/corpusfs | grep -c "not found"')" 0 'no library lacks'
like "$(inside "localhost/$tag" -c 'corpusfs --version; ls /usr/sbin/mount.corpusfs' | tr '\n' ' ')" '^corpusfs [0-9.]+ /usr/sbin/mount.corpusfs ' 'the program is in it'

# --- (a) beside the mount -------------------------------------------------------------------------------------------------
chmod 755 "$TMP" "$TMP/srv" "$docs"
printf '# Leave\n\nSixteen weeks of parental leave.\n' >"$docs/leave.md"
printf 'A secret of root about parental matters.\n' >"$docs/secret.txt"
printf 'A matter of the group, parental.\n' >"$docs/group.txt"
chmod 600 "$docs/secret.txt"
chown 0:7001 "$docs/group.txt"
chmod 640 "$docs/group.txt"
is "$(try beside 2>"$TMP/err" | sort | tr '\n' ' ')" '/corpus/chunks/leave.md/0001.txt ' 'a program beside the mount reads chunks/'
is "$(cat "$TMP/err")" '' 'and nothing is said'
beside() { podman run --rm --device /dev/fuse --cap-add SYS_ADMIN --security-opt apparmor=unconfined -v "$docs:/documents:ro" "$@"; }
exits 7 'its status is the status' beside "localhost/$tag" sh -c 'exit 7'
exits 2 'a mount that cannot be made is 2' podman run --rm -v "$docs:/documents:ro" "localhost/$tag" true
like "$(cat "$TMP/err")" '^corpusfs: /' 'and says why'
is "$(echo parental | beside -i "localhost/$tag" grep -f - /corpus/clean/leave.md.txt)" 'Sixteen weeks of parental leave.' 'it has the standard input'
like "$(beside --read-only --cap-drop ALL "localhost/$tag" corpusfs search -k 1 /corpus parental leave)" '^leave.md:' 'read-only, with SYS_ADMIN alone'
mknod -m 666 "$TMP/fuse" c 10 229
chmod 644 "$docs/leave.md"
like "$(podman run --rm --user 1234:1234 --read-only --tmpfs /share:mode=1777 --device "$TMP/fuse:/dev/fuse" --cap-add SYS_ADMIN \
	--security-opt apparmor=unconfined -v "$docs:/documents:ro" "localhost/$tag" sh -c 'id -u; cat /corpus/clean/leave.md.txt' 2>&1 | tr '\n' ' ')" \
	'^1234 # Leave' 'as any user'
# docker gives a user no capabilities, but leaves them to be had by setuid programs.
like "$(podman run --rm --user 1000:1000 --read-only --tmpfs /share:mode=1777,notmpcopyup --device "$TMP/fuse:/dev/fuse" --cap-add SYS_ADMIN \
	--security-opt apparmor=unconfined -v "$docs:/documents:ro" --entrypoint setpriv "localhost/$tag" --inh-caps=-all --ambient-caps=-all \
	corpusfs-container sh -c 'sed -n "s/^CapEff:.0*/caps /p" /proc/self/status; cat /corpus/clean/leave.md.txt' 2>&1 | tr '\n' ' ')" \
	'^caps  # Leave' 'also without a capability of its own'
# What contrib/compose.yaml leaves it.
like "$(beside --read-only --cap-drop ALL $(sed -n 's/.*cap_add: \[\(.*\)\]/\1/p' "$ROOT/contrib/compose.yaml" | tr -d ' ' | tr ',' '\n' | sed 's/^/--cap-add /') \
	"localhost/$tag" corpusfs status /corpus | grep sandbox)" 'other user.*seccomp' 'with the capabilities of the compose file documents are parsed by another user'

# --- (b) shared with other containers -------------------------------------------------------------------------------------
ok 'the folder is shared' try share
# One that binds the folder before there is a mount, and one that will bind the mount itself.
ok 'a reader starts before the mount' podman run -d --name "$tag-reader" --user 1000:1000 --group-add 7001 --cap-drop ALL --read-only \
	-v "$share:/share:ro,rslave" "$base" sleep 10000
ok 'the mount is served' try serve
serving() { podman exec "$tag" corpusfs health /corpus; }
ok 'and answers' until_true 60 serving
ok 'its health check says so' podman healthcheck run "$tag"
ok 'and the host sees it' "$PROGRAM" health "$share/corpus"
ok 'indexed' wait_indexed "$share/corpus"
# leave.md alone has what is looked for and may be read by user 1000.
answer=$(try read 2>"$TMP/err")
is "$(printf '%s\n' "$answer" | head -n 4)" "$(printf '# Leave\n\nSixteen weeks of parental leave.\n/share/corpus/chunks/leave.md/0001.txt')" \
	'user 1000, without capabilities, read-only, reads clean/ and greps chunks/'
is "$(printf '%s\n' "$answer" | tail -n +5 | python3 -c 'import json, sys; print(*(json.loads(l)["path"] for l in sys.stdin))')" leave.md 'and searches, finding what it may read'
like "$(cat "$TMP/err")" 'secret.*Permission denied|^$' 'and may not read the rest'
reader() { podman exec "$tag-reader" "$@"; }
is "$(reader cat /share/corpus/raw/leave.md)" "$(cat "$docs/leave.md")" 'the one that was there before sees it, too'
fails 'not what is secret' reader cat /share/corpus/raw/secret.txt
fails 'nor may it write' reader touch /share/corpus/raw/new
is "$(reader cat /share/corpus/clean/group.txt.txt)" "$(cat "$docs/group.txt")" 'what a further group may read, it opens'
is "$(reader sh -c 'cat "/share/corpus/search/parental/.results.jsonl"' | grep -c group.txt)" 0 'but does not find'
# The secret is root's own here; what another user keeps to itself is the question.
chown 6009 "$docs/secret.txt"
ok 'it is read afresh' until_true 20 eval '[ "$(stat -c %u "$share/corpus/raw/secret.txt")" = 6009 ]'
query=/share/corpus/search/@mode=keyword/secret/.results.jsonl
is "$(podman run --rm --cap-drop ALL -v "$share:/share:ro,rslave" "$base" cat "$query" | grep -c secret.txt)" 0 'a root without capabilities does not find it'
is "$(podman exec "$tag" cat "$query" | grep -c secret.txt)" 1 'root in the container of the mount does'
like "$(reader grep -E '^Cap(Eff|Bnd)' /proc/self/status | tr -d '\n\t')" '^CapEff:0+CapBnd:0+$' 'it has no capability'

# --- the process dies -----------------------------------------------------------------------------------------------------
ok 'one binds the mount itself' podman run -d --name "$tag-direct" --user 1000:1000 -v "$share/corpus:/own:ro,rslave" "$base" sleep 10000
direct() { podman exec "$tag-direct" ls /own; }
ok 'and sees it' direct
podman exec -i "$tag-reader" sh -c 'cd /share/corpus/clean && echo && read -r line; ls' >"$TMP/held" 2>&1 < <(until [ -e "$TMP/killed" ]; do sleep 0.1; done; echo) &
held=$!
ok 'one works in a folder of it' until_true 20 test -s "$TMP/held"
ok 'kill -9' podman kill -s KILL "$tag"
ok 'it is dead' until_true 20 eval '[ "$(podman inspect --format "{{.State.Status}}" "$tag")" = exited ]'
like "$(reader ls /share/corpus 2>&1)" 'Transport endpoint is not connected' 'readers are told'
like "$(direct 2>&1)" 'Transport endpoint is not connected' 'both of them'
fails 'who binds the dead mount itself does not start' podman run --rm -v "$share/corpus:/own:ro,rslave" "$base" true
ok 'who binds the folder above does' podman run --rm -v "$share:/share:ro,rslave" "$base" true
ok 'it is started again' try restart
ok 'and answers again' until_true 60 serving
touch "$TMP/killed"
is "$(reader cat /share/corpus/clean/leave.md.txt)" "$(cat "$docs/leave.md")" 'the reader reads on without a restart'
wait "$held"
like "$(tail -n +2 "$TMP/held")" 'Transport endpoint is not connected' 'but who worked in the old one stays in it'
fails 'who bound the mount itself keeps the dead one' direct
podman restart -t 1 "$tag-direct" >"$TMP/out" 2>&1
ok 'until it is started again' direct
is "$(grep -c " $share/corpus " /proc/self/mountinfo)" 1 'one mount is left on the host'

# --- SIGTERM --------------------------------------------------------------------------------------------------------------
podman rm -f -t 1 "$tag-direct" >"$TMP/out" 2>&1
ok 'SIGTERM' podman stop -t 30 "$tag"
is "$(podman inspect --format '{{.State.ExitCode}}' "$tag")" 0 'ends with 0'
is "$(grep -c " $share/corpus " /proc/self/mountinfo)" 0 'and leaves no mount on the host'
is "$(reader ls /share/corpus)" '' 'nor with the reader'
podman logs "$tag" >"$TMP/stdout" 2>"$TMP/stderr"
is "$(cat "$TMP/stdout")" '' 'nothing is on standard output'

# --- a descriptor: a container without any right serves a mount that was made for it ----------------------------------------
mkdir "$TMP/mnt" "$TMP/store.fd"
chown 1000 "$TMP/store.fd"
cat >"$TMP/mount.py" <<'END'
import ctypes, os, sys
fd = os.open("/dev/fuse", os.O_RDWR)
options = "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other" % fd
if ctypes.CDLL(None, use_errno=True).mount(b"corpusfs", os.fsencode(sys.argv[1]), b"fuse.corpusfs", 1, options.encode()) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
if fd != 3:
    os.dup2(fd, 3)
    os.close(fd)
os.set_inheritable(3, True)
os.execvp(sys.argv[2], sys.argv[2:])
END
python3 "$TMP/mount.py" "$TMP/mnt" podman --runtime runc run --rm --name "$tag-descriptor" --preserve-fds=1 --network none --no-healthcheck \
	--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --user 1000:1000 --cap-drop ALL --security-opt no-new-privileges --read-only \
	-v "$docs:/documents:ro" -v "$TMP/store.fd:/store" --entrypoint corpusfs "localhost/$tag" mount -f /documents /dev/fd/3 >"$TMP/fd.log" 2>&1 &
descriptor=$!
ok 'a mount by descriptor answers' until_true 60 test -f "$TMP/mnt/README.txt"
is "$(cat "$TMP/mnt/clean/leave.md.txt")" "$(cat "$docs/leave.md")" 'and is read'
umount "$TMP/mnt"
wait "$descriptor"
is $? 0 'it ends well'
done_testing
