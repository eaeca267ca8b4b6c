#!/bin/bash
# Requests that wait: they hold up nobody else, end when their reader is interrupted, and are answered when the mount ends.
. "${0%/*}/lib.sh"
need_fuse
need pdftotext python3
docs=$TMP/docs
make_documents "$docs"
for i in {1..40}; do make_pdf "$docs/slow$i.pdf" "Document number $i waits"; done
# Files whose time is that of their reading are read again at each open, for two seconds.
sleep 2.5
mount_corpus "$docs" --noindex || { fail 'mounts'; done_testing; }
cat "$MNT/clean/handbook/leave.md.txt" "$MNT/clean/report.pdf.txt" >/dev/null

# Documents are parsed in a process of their own: stopped, it makes every PDF wait.
helpers() {
	pgrep -P "$MOUNT_PID"
}
stop_helper() {
	kill -STOP $(helpers)
}
go_on() {
	kill -CONT $(helpers)
}
isnt "$(helpers)" '' 'there is a helper process'
stop_helper
pids=()
for i in {1..30}; do
	cat "$MNT/clean/slow$i.pdf.txt" >"$TMP/slow$i" 2>&1 &
	pids+=($!)
done
sleep 0.3

# answers NAME COMMAND...: within five seconds, which is for a machine under load; what would wait here waits for the stopped process.
answers() {
	local name=$1
	shift
	ok "$name" timeout -k 1 5 "$@"
}
answers 'a computed file is read while 30 wait' cat "$MNT/clean/report.pdf.txt"
answers 'a listing' ls "$MNT/clean" "$MNT/chunks" "$MNT/search"
answers 'a stat of a file that is being waited for' stat "$MNT/clean/slow1.pdf.txt"
answers 'raw/' cmp "$MNT/raw/slow1.pdf" "$docs/slow1.pdf"
answers 'a query' ls "$MNT/search/parental leave"
answers 'the status' cat "$MNT/status/status.json"
answers 'a file that needs nobody' cat "$MNT/README.txt"

# ends_by SIGNAL NAME COMMAND...: a command that waits ends within two seconds of the signal.
ends_by() {
	local signal=$1 name=$2
	shift 2
	"$@" >/dev/null 2>&1 &
	local pid=$!
	sleep 0.3
	kill -0 "$pid" 2>/dev/null || fail "$name waits"
	kill "-$signal" "$pid"
	ok "$name ends by SIG$signal" until_true 2 eval "! [ -e /proc/$pid ] || grep -q '^State:.Z' /proc/$pid/status"
}
for signal in TERM KILL; do
	ends_by $signal 'cat of clean/' cat "$MNT/clean/slow31.pdf.txt"
	ends_by $signal 'ls of chunks/' ls "$MNT/chunks/slow32.pdf"
	ends_by $signal 'stat of a chunk' stat "$MNT/chunks/slow33.pdf/0001.txt"
	ends_by $signal 'cat of vectors/' cat "$MNT/vectors/slow34.pdf.npy"
done
is "$(python3 -c '
import os, signal, sys, threading
def nothing(*a): pass
signal.signal(signal.SIGALRM, nothing)
signal.siginterrupt(signal.SIGALRM, True)
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
signal.setitimer(signal.ITIMER_REAL, 0.5)
fd = libc.open(os.fsencode(sys.argv[1]), os.O_RDONLY)
print(fd, os.strerror(ctypes.get_errno()))' "$MNT/clean/slow35.pdf.txt")" '-1 Interrupted system call' 'an interrupted open is EINTR'
go_on
wait "${pids[@]}"
bad=0
for i in {1..30}; do grep -q "Document number $i waits" "$TMP/slow$i" || bad=$((bad + 1)); done
is "$bad" 0 'all 30 got their own text in the end'
is "$(cat "$MNT/clean/slow31.pdf.txt" | grep -c waits)" 1 'and so does who asks again'

# --- the mount ends while some wait ---
stop_helper
pids=()
for i in 36 37 38; do
	cat "$MNT/clean/slow$i.pdf.txt" >"$TMP/slow$i" 2>&1 &
	pids+=($!)
done
ls "$MNT/chunks/slow39.pdf" >"$TMP/slow39" 2>&1 &
pids+=($!)
sleep 0.3
pid=$MOUNT_PID
(sleep 1; kill -CONT $(helpers)) 2>/dev/null &
continuing=$!
kill -TERM "$pid"
ok 'SIGTERM ends the mount at once' until_true 5 eval '! is_mounted "$MNT"'
wait "${pids[@]}"
is "$(cat "$TMP/slow36" | sed 's/.*: //')" 'Cannot send after transport endpoint shutdown' 'those who waited are told'
is "$(cat "$TMP"/slow3[6789] | sed 's/.*: //' | sort -u | wc -l)" 1 'all of them'
wait $continuing
wait "$pid"
is $? 0 'and the process ends well'

# --- a deadline ---
mount_corpus "$docs" --noindex --deadline=1 || fail 'mounts'
stop_helper
is "$(cat "$MNT/clean/slow40.pdf.txt" 2>&1 | sed 's/.*: //')" 'Connection timed out' 'after the deadline ETIMEDOUT'
go_on
ok 'while the job goes on' until_true 10 cat "$MNT/clean/slow40.pdf.txt"
ok 'unmounts' unmount_corpus
done_testing
