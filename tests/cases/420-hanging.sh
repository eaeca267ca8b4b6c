#!/bin/bash
# Extractions that hang keep nobody else waiting, and whoever waits for one can leave. They hang because the process that extracts is stopped.
# sanitizers: thread
. "${0%/*}/lib.sh"
need_fuse
need python3 ps
docs=$TMP/docs
make_documents "$docs"
for i in 1 2 3 4 5 6 7 8 9; do make_pdf "$docs/hang$i.pdf" "A page that takes for ever, number $i"; done

helper_of() {
	ps -o pid=,comm= --ppid "$1" | awk '$2 ~ /corpusfs-helper/ { print $1; exit }'
}

# The number of processes among those given that still run.
alive() {
	local pid count=0
	for pid; do
		if kill -0 "$pid" 2>/dev/null; then count=$((count + 1)); fi
	done
	echo "$count"
}

milliseconds() {
	date +%s%3N
}

readers=()
read_hanging() {
	# Not by cat from this shell: background jobs of a shell without job control ignore SIGINT.
	python3 - "$1" >/dev/null 2>"$2" <<-'END' &
		import signal, sys
		signal.signal(signal.SIGINT, signal.SIG_DFL)
		try:
		    open(sys.argv[1], "rb").read()
		except OSError as error:
		    print(error.strerror, file=sys.stderr)
		    sys.exit(1)
	END
	readers+=($!)
}

mount_corpus "$docs" --noindex || { fail 'mounts'; done_testing; }
cat "$MNT/clean/log book.txt.txt" "$MNT/clean/add.c.txt" >/dev/null
ok 'what was read is found' until_true 20 grep -q . "$MNT/search/lighthouse/.results.jsonl"
helper=$(helper_of "$MOUNT_PID")
kill -STOP "$helper"
for i in 1 2 3 4 5 6 7 8; do read_hanging "$MNT/clean/hang$i.pdf.txt" "$TMP/reader$i"; done
sleep 1
is "$(alive "${readers[@]}")" 8 'eight readers wait for extractions that hang'

if python3 "$ROOT/tests/cases/helpers/latency.py" "$MNT" 100 'clean/log book.txt.txt' >"$TMP/latency" 2>&1; then
	pass 'a cached file, a listing and a query answer meanwhile'
else
	fail 'a cached file, a listing and a query answer meanwhile'
fi
note "$(cat "$TMP/latency")"
is "$(timeout 20 cat "$MNT/clean/latin1.txt.txt" | head -c 5)" 'Café' 'so does a file that needs no such extraction'
ok 'and the status' timeout 20 grep -q '"files"' "$MNT/status/status.json"
ok 'and attributes of one that hangs' timeout 20 stat "$MNT/clean/hang1.pdf.txt"

# ends SIGNAL PID: how long a reader lives after a signal.
ends() {
	local start
	start=$(milliseconds)
	kill "-$1" "$2"
	until_true 5 eval '! kill -0 '"$2"
	local status=$?
	note "a waiting reader ended $(($(milliseconds) - start)) ms after SIG$1"
	return $status
}
ok_noted() {
	local name=$1
	shift
	if "$@"; then pass "$name"; else fail "$name"; fi
}
ok_noted 'a waiting reader ends on Ctrl-C' ends INT "${readers[0]}"
ok_noted 'and on SIGKILL' ends KILL "${readers[1]}"
is "$(alive "${readers[@]}")" 6 'the others wait on'
kill -CONT "$helper"
for i in 2 3 4 5 6 7; do
	wait "${readers[i]}" || fail "reader $i of a document that hung for a while" "$(cat "$TMP/reader$((i + 1))")"
done
pass 'and get their documents when the work goes on'
like "$(cat "$MNT/clean/hang1.pdf.txt")" 'number 1' 'as does whoever asks again'
ok 'each was extracted once' grep -qx 'corpusfs_extractions_total 11' "$MNT/status/metrics"
ok 'unmounts' unmount_corpus

# --- at the end of the mount ---
mount_corpus "$docs" --noindex
kill -STOP "$(helper_of "$MOUNT_PID")"
readers=()
read_hanging "$MNT/clean/hang1.pdf.txt" "$TMP/reader1"
sleep 1
start=$(milliseconds)
helper=$(helper_of "$MOUNT_PID")
kill -TERM "$MOUNT_PID"
ok 'the end of the mount ends a wait' until_true 10 eval "! kill -0 ${readers[0]}"
note "after $(($(milliseconds) - start)) ms: $(cat "$TMP/reader1")"
kill -CONT "$helper"
wait "$MOUNT_PID"
is $? 0 'and the process ends well'

# --- deadline and fail_fast ---
mount_corpus "$docs" --noindex --deadline=1
helper=$(helper_of "$MOUNT_PID")
kill -STOP "$helper"
start=$(milliseconds)
fails 'a wait has a deadline' timeout 20 cat "$MNT/clean/hang1.pdf.txt"
note "after $(($(milliseconds) - start)) ms of --deadline=1"
like "$(cat "$TMP/.err")" 'Connection timed out' 'which is ETIMEDOUT'
kill -CONT "$helper"
ok 'the work went on' until_true 20 grep -q 'number 1' "$MNT/clean/hang1.pdf.txt"
ok 'and was done once' grep -qx 'corpusfs_extractions_total 1' "$MNT/status/metrics"
ok 'unmounts' unmount_corpus

mount_corpus "$docs" --noindex --fail-fast
fails 'fail_fast: a file that is not computed is not opened' cat "$MNT/clean/add.c.txt"
like "$(cat "$TMP/.err")" 'Resource temporarily unavailable' 'which is EAGAIN'
is "$(cat "$MNT/raw/add.c")" "$(cat "$docs/add.c")" 'raw/ is'
ok 'unmounts' unmount_corpus
mount_corpus "$docs" --fail-fast
ok 'what the indexer computed is' until_true 60 cat "$MNT/clean/add.c.txt"
done_testing
