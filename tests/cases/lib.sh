# shellcheck shell=bash
# Helpers for the cases: TAP output, a temporary folder of its own for each case, mounts that never outlive it.
#
#     . "${0%/*}/lib.sh"
#     need_fuse
#     make_documents "$TMP/docs"
#     mount_corpus "$TMP/docs"                      # sets MNT and MOUNT_PID; its log is "$MNT.log"
#     is "$(cat "$MNT/raw/a.txt")" "$(cat "$TMP/docs/a.txt")" 'raw/ is the source'
#     done_testing
#
# Cases are bash. A check is `ok NAME COMMAND...`, `is GOT EXPECTED NAME`, `like GOT PATTERN NAME`, `is_file GOT EXPECTED NAME` or
# `exits STATUS NAME COMMAND...`; each prints one TAP line and none ends the case. PROGRAM is the program under test. The temporary folder
# is kept when KEEP_TMP is set.

ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd) || exit 2
PROGRAM=${PROGRAM:-$ROOT/build/corpusfs}
TOOLS=${TOOLS:-$ROOT/build/normal/tools}
CASE=${0##*/} CASE=${CASE%.sh}
TMP=$(mktemp -d "${TMPDIR:-/tmp}/corpusfs-$CASE.XXXXXX") || exit 2

# Nothing of the person who runs the tests may leak in: no options from the environment, no store but ours, one locale.
for variable in $(env | sed -n 's/^\(CORPUSFS_[A-Z_]*\)=.*/\1/p'); do
	[ "$variable" = CORPUSFS_SHARED ] || unset "$variable"
done
unset NO_COLOR XDG_CONFIG_HOME
export HOME=$TMP/home XDG_CACHE_HOME=$TMP/home/.cache LC_ALL=C.UTF-8 TERM=${TERM:-dumb} TZ=UTC
# What a sanitizer finds in any process of the case comes to files, so that done_testing sees it whatever became of standard error.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$TMP/sanitizer:suppressions=$ROOT/tests/cases/asan.supp
export UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}log_path=$TMP/sanitizer:print_stacktrace=1
export TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}log_path=$TMP/sanitizer
mkdir -p "$HOME"

checks=0 failures=0 mounts=()

# --- TAP -------------------------------------------------------------------------------------------------------------

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

pass() {
	checks=$((checks + 1))
	printf 'ok %d - %s\n' "$checks" "$1"
}

# fail NAME [DIAGNOSIS...]: a check that failed, each DIAGNOSIS on lines of its own below it.
fail() {
	checks=$((checks + 1)) failures=$((failures + 1))
	printf 'not ok %d - %s\n' "$checks" "$1"
	shift
	local line
	for line; do note "$line"; done
}

# ok NAME COMMAND...: the command succeeds. What it printed is shown when it does not.
ok() {
	local name=$1
	shift
	if "$@" >"$TMP/.out" 2>"$TMP/.err" </dev/null; then
		pass "$name"
	else
		fail "$name" "status $?: $*" "$(head -c 2000 "$TMP/.out")" "$(head -c 2000 "$TMP/.err")"
	fi
}

# fails NAME COMMAND...: the command does not succeed.
fails() {
	local name=$1
	shift
	if "$@" >"$TMP/.out" 2>"$TMP/.err" </dev/null; then
		fail "$name" "succeeded: $*"
	else
		pass "$name"
	fi
}

# exits STATUS NAME COMMAND...: the command ends with that status; its output stays in $TMP/out and $TMP/err.
exits() {
	local expected=$1 name=$2 status
	shift 2
	"$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	status=$?
	if [ "$status" -eq "$expected" ]; then
		pass "$name"
	else
		fail "$name" "status $status instead of $expected: $*" "$(head -c 2000 "$TMP/out")" "$(head -c 2000 "$TMP/err")"
	fi
}

is() {
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3" "got:      $1" "expected: $2"
	fi
}

isnt() {
	if [ "$1" != "$2" ]; then
		pass "$3"
	else
		fail "$3" "got:      $1"
	fi
}

# like GOT PATTERN NAME: an extended regular expression matches a line of GOT.
like() {
	if printf '%s\n' "$1" | grep -Eq -- "$2"; then
		pass "$3"
	else
		fail "$3" "got:      $1" "expected: $2"
	fi
}

unlike() {
	if printf '%s\n' "$1" | grep -Eq -- "$2"; then
		fail "$3" "got:      $1" "without:  $2"
	else
		pass "$3"
	fi
}

# is_file GOT EXPECTED NAME: two files hold the same bytes.
is_file() {
	if cmp "$1" "$2" >"$TMP/cmp" 2>&1; then
		pass "$3"
	else
		fail "$3" "$(cat "$TMP/cmp")"
	fi
}

# skip REASON [COUNT]: one check, or COUNT of them, cannot be made on this machine.
skip() {
	local i
	for ((i = 0; i < ${2:-1}; i++)); do
		checks=$((checks + 1))
		printf 'ok %d - # SKIP %s\n' "$checks" "$1"
	done
}

skip_all() {
	skip "$CASE: $1"
	done_testing
}

# Ends the mounts that are left. A process that did not end well is a failure of the case: it crashed, or a sanitizer spoke.
done_testing() {
	local entry
	for entry in "${mounts[@]}"; do
		end_mount "$entry"
		judge_end "$entry"
	done
	mounts=()
	for entry in "$TMP"/sanitizer.*; do
		[ ! -s "$entry" ] || fail 'no sanitizer found anything' "$(head -n 80 "$entry")"
	done
	printf '1..%d\n' "$checks"
	[ "$failures" -eq 0 ]
	exit
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# A Python that has numpy; the system's comes first where another one without it stands before it in PATH.
have_numpy() {
	python3 -c 'import numpy' 2>/dev/null && return
	/usr/bin/python3 -c 'import numpy' 2>/dev/null && PATH=/usr/bin:$PATH
}

# need COMMAND...: skips the whole case when one is missing.
need() {
	local command
	for command; do
		have "$command" || skip_all "$command is not installed"
	done
}

# Skips the case where nothing can be mounted; where CI is set that is a failure, because there it must work.
need_fuse() {
	local reason=
	if [ ! -c /dev/fuse ]; then
		reason='no /dev/fuse'
	elif [ "$(id -u)" -ne 0 ] && ! have fusermount3; then
		reason='no fusermount3, and not root'
	fi
	[ -n "$reason" ] || return 0
	if [ -n "${CI:-}" ]; then
		fail "a filesystem can be mounted: $reason"
		done_testing
	fi
	echo "# $CASE mounts nothing: $reason" >&2
	skip_all "$reason"
}

# --- mounts ----------------------------------------------------------------------------------------------------------

is_mounted() {
	# mountpoint(1) calls stat, which a dead mount answers with ENOTCONN; the table has it all the same.
	grep -q " $(printf '%s' "$1" | sed 's/ /\\\\040/g') " /proc/self/mountinfo
}

# until SECONDS COMMAND...: repeats the command until it succeeds; fails after that many seconds.
until_true() {
	local end=$((SECONDS + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# mount_corpus SOURCE [OPTION...]: mounts SOURCE in the foreground of a background job and waits until it answers. Sets MNT, MOUNT_PID and
# STORE. The store is the mount's own unless an option names one. Returns 1, with the log shown, when nothing is mounted after 60 seconds.
mount_corpus() {
	local source=$1 number=${#mounts[@]} own=1 option
	shift
	MNT=$TMP/mnt.$number STORE=$TMP/store.$number
	mkdir -p "$MNT"
	for option; do
		case $option in
		*store=*)
			STORE=${option##*store=} STORE=${STORE%%,*}
			own=
			;;
		esac
	done
	"$PROGRAM" mount ${own:+"--store=$STORE"} "$@" -f "$source" "$MNT" >"$MNT.log" 2>&1 </dev/null &
	MOUNT_PID=$!
	mounts+=("$MOUNT_PID:$MNT")
	local end=$((SECONDS + 60))
	until is_mounted "$MNT" && [ -e "$MNT/README.txt" ]; do
		if [ $SECONDS -ge $end ] || ! kill -0 "$MOUNT_PID" 2>/dev/null; then
			note "nothing is mounted at $MNT" "$(tail -n 20 "$MNT.log")"
			return 1
		fi
		sleep 0.02
	done
}

# register_mount PID MOUNTPOINT: a mount that the case made in another way, to be taken away at the end. PID 0: not known.
register_mount() {
	mounts+=("$1:$2")
}

# unmount_corpus [MOUNTPOINT]: unmounts (the last mount by default) and waits for its process; returns the process's exit status.
unmount_corpus() {
	local mountpoint=${1:-$MNT} entry pid=0
	for entry in "${mounts[@]}"; do
		[ "${entry#*:}" = "$mountpoint" ] && pid=${entry%%:*}
	done
	"$PROGRAM" unmount "$mountpoint" || return
	[ "$pid" -eq 0 ] || wait "$pid"
}

# wait_indexed [MOUNTPOINT] [SECONDS]: until the background indexer has nothing left to do.
wait_indexed() {
	until_true "${2:-120}" grep -Eq '"complete": *true' "${1:-$MNT}/status/status.json"
}

end_mount() {
	local pid=${1%%:*} mountpoint=${1#*:}
	[ "$pid" -eq 0 ] || kill -TERM "$pid" 2>/dev/null
	if is_mounted "$mountpoint"; then
		[ "$pid" -ne 0 ] && until_true 5 eval '! is_mounted "$mountpoint"'
		while is_mounted "$mountpoint"; do
			fusermount3 -uzq "$mountpoint" 2>/dev/null || umount -l "$mountpoint" 2>/dev/null || break
		done
	fi
	if [ "$pid" -ne 0 ] && kill -0 "$pid" 2>/dev/null; then
		until_true 5 eval '! kill -0 "$pid"' || kill -KILL "$pid" 2>/dev/null
	fi
}

# SIGKILL is what a case sent itself, or what end_mount had to; 127 is a process that the case has waited for.
judge_end() {
	local pid=${1%%:*} mountpoint=${1#*:} status
	[ "$pid" -ne 0 ] || return 0
	wait "$pid" 2>/dev/null
	status=$?
	case $status in
	0 | 127 | 137) ;;
	*) fail "the process of $mountpoint ended with status $status" "$(tail -n 60 "$mountpoint.log")" ;;
	esac
}

cleanup() {
	local entry
	trap - EXIT INT TERM HUP
	for entry in "${mounts[@]}"; do end_mount "$entry"; done
	if [ -n "${KEEP_TMP:-}" ]; then
		echo "# kept $TMP" >&2
	else
		chmod -R u+rwX "$TMP" 2>/dev/null
		rm -rf --one-file-system "$TMP"
	fi
}
trap cleanup EXIT
trap 'exit 143' INT TERM HUP

# same_views MOUNT OTHER QUERY...: two checks a view and query: every file is the same, byte for byte, and the queries find the same.
same_views() {
	local one=$1 other=$2 view query
	shift 2
	for view in raw clean chunks vectors meta; do
		ok "$view/ is the same" diff -rq --no-dereference "$one/$view" "$other/$view"
	done
	for query; do
		ok "the same is found for: $query" cmp "$one/search/@k=50/$query/.results.jsonl" "$other/search/@k=50/$query/.results.jsonl"
	done
}

# --- documents -------------------------------------------------------------------------------------------------------

# make_pdf FILE TEXT...: a PDF with one page for each TEXT. It has no table of offsets; readers rebuild it.
make_pdf() {
	local file=$1 number=4 kids='' text content
	shift
	{
		printf '%%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n'
		printf '3 0 obj\n<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>\nendobj\n'
		for text; do
			content="BT /F1 12 Tf 72 720 Td ($text) Tj ET"
			printf '%d 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>\nendobj\n' \
				"$number" $((number + 1))
			printf '%d 0 obj\n<</Length %d>>\nstream\n%s\nendstream\nendobj\n' $((number + 1)) ${#content} "$content"
			kids="$kids $number 0 R"
			number=$((number + 2))
		done
		printf '2 0 obj\n<</Type/Pages/Count %d/Kids[%s]>>\nendobj\n' $# "$kids"
		printf 'trailer\n<</Root 1 0 R/Size %d>>\n%%%%EOF\n' "$number"
	} >"$file"
}

# settle_documents: a file written within the last two seconds is looked at again, because its stamp cannot tell a second write; what counts
# unchanged files waits for that to pass.
settle_documents() {
	sleep 2.5
}

# make_documents FOLDER: a small folder with one of most kinds, a folder below it, a name with a space, a file of no known kind.
make_documents() {
	local folder=$1 i
	mkdir -p "$folder/handbook/deep" || return
	cat >"$folder/handbook/leave.md" <<-'END'
		# Leave

		## Parental leave

		Every employee may take sixteen weeks of parental leave. Tell your manager eight weeks before it begins.

		## Sick leave

		Call before nine in the morning. From the third day a note from a doctor is needed.
	END
	cat >"$folder/handbook/deep/notice.html" <<-'END'
		<!DOCTYPE html><html><head><title>Notice period</title><script>var hidden = "tracker";</script></head>
		<body><nav>Home | About</nav><h1>Notice period</h1><p>The notice period is <b>three months</b> to the end of a quarter.</p>
		<table><tr><th>Years</th><th>Months</th></tr><tr><td>2</td><td>1</td></tr></table></body></html>
	END
	{
		printf 'The harbour of the town was dredged in the year 1887.\r\n\r\n'
		for ((i = 1; i <= 120; i++)); do
			printf 'Entry %d of the log: the wind came from the north and the lighthouse keeper counted %d ships before noon.\r\n' $i $((i * 7 % 41))
			[ $((i % 10)) -ne 0 ] || printf '\r\n'
		done
	} >"$folder/log book.txt"
	printf 'Caf\351 cr\350me costs three euros; the waiter speaks fran\347ais and na\357ve tourists are d\351j\340 l\340.\n' >"$folder/latin1.txt"
	printf 'name,amount\nrent,1200\nelectricity,85\n' >"$folder/budget.csv"
	printf '{"colour": "vermilion", "sizes": [38, 40]}\n' >"$folder/shirt.json"
	printf 'int add(int a, int b)\n{\n\treturn a + b;\n}\n' >"$folder/add.c"
	make_pdf "$folder/report.pdf" 'Annual report of the observatory' 'A comet was discovered in October'
	printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\2\0\0\0' >"$folder/photo.png"
	: >"$folder/empty.txt"
}
