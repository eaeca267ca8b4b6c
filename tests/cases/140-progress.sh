#!/bin/bash
# The progress bar on a terminal: its width, its contents, what is left when it is done, a signal in the middle.
. "${0%/*}/lib.sh"
need python3
docs=$TMP/docs
mkdir "$docs"
# Enough text that a fast machine draws the bar more than once.
python3 - "$docs" <<'END'
import sys
for i in range(3000):
    name = "a document with a rather long name that does not fit into a narrow terminal \u2014 number %d.txt" % i
    with open(sys.argv[1] + "/" + name, "w", encoding="utf-8") as f:
        for k in range(150):
            f.write("Document %d speaks of %d apples, of the weather in week %d and of nothing else.\n" % (i, i * 37 + k, (i + k) % 52))
END

# Runs a command on a pseudo-terminal of the width given and keeps what it writes there; SIGNAL is sent once the bar is up.
cat >"$TMP/terminal" <<'END'
import fcntl, os, pty, signal, struct, sys, termios
columns, keep, wanted = int(sys.argv[1]), sys.argv[2], sys.argv[3]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.execv(sys.argv[4], sys.argv[4:])
written = b""
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    written += part
    if wanted != "-" and b"\r" in written:
        os.kill(pid, getattr(signal, wanted))
        wanted = "-"
open(keep, "wb").write(written)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END

# Each drawing of the bar on a line of its own.
bars() {
	sed 's/\x1b\[K/\n/g; s/\r/\n/g' "$1" | grep -a ' files'
}

# The longest line of standard input in columns (no wide characters here).
longest() {
	python3 -c 'import sys; print(max((len(line.rstrip("\n")) for line in sys.stdin), default=0))'
}

export TERM=xterm
for columns in 40 80 120; do
	exits 0 "indexing on a terminal of $columns columns" python3 "$TMP/terminal" $columns "$TMP/tty" - "$PROGRAM" index --store="$TMP/s$columns" "$docs"
	like "$(bars "$TMP/tty")" '^indexing .*[0-9]+/[0-9]+\+? files' "$columns columns: shows files"
	ok "$columns columns: fits" test "$(bars "$TMP/tty" | grep -av ' in [0-9.]* s (' | longest)" -lt $columns
	like "$(tail -n 1 "$TMP/tty")" '3000 files, .* in [0-9.]+ s .*: 3000 computed' "$columns columns: ends with the summary"
done
# Enough work that the signal comes in the middle of it.
python3 - "$TMP/many" <<'END'
import os, sys
for i in range(40000):
    if i % 1000 == 0:
        os.makedirs("%s/%d" % (sys.argv[1], i // 1000))
    with open("%s/%d/%d.txt" % (sys.argv[1], i // 1000, i), "w") as f:
        f.write("".join("Line %d of document %d is about the number %d.\n" % (k, i, i * k) for k in range(20)))
END
exits 2 'SIGINT ends it' python3 "$TMP/terminal" 100 "$TMP/tty" SIGINT "$PROGRAM" index --store="$TMP/s" "$TMP/many"
like "$(tr '\r' '\n' <"$TMP/tty")" 'corpusfs: interrupted; what was done is kept' 'with a line that says what that means'
exits 0 'and indexing goes on from there' "$PROGRAM" index --store="$TMP/s" "$TMP/many"
like "$(cat "$TMP/out")" '^40000 files, ' 'to the end'
is "$(cat "$TMP/err")" '' 'no bar where there is no terminal'
exits 0 'verify has a bar as well' python3 "$TMP/terminal" 80 "$TMP/tty" - "$PROGRAM" verify --store="$TMP/s80" "$docs"
like "$(tail -n 1 "$TMP/tty")" '^.*3000 documents checked, 0 differences' 'and ends with its summary'
done_testing
