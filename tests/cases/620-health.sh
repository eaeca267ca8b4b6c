#!/bin/bash
# `corpusfs health`: answers within seconds, whatever the mount does, and leaves nobody waiting for its output; `unmount` of what hangs does not hang.
. "${0%/*}/lib.sh"
need_fuse
make_documents "$TMP/docs"
exits 1 'a folder is no mount' "$PROGRAM" health "$TMP/docs"
like "$(cat "$TMP/err")" 'is no mount of corpusfs$' 'and told so'
exits 1 'nor is nothing' "$PROGRAM" health "$TMP/nothing"
mount_corpus "$TMP/docs" || { fail 'mounts'; done_testing; }
exits 0 'a mount is well' "$PROGRAM" health "$MNT"
is "$(cat "$TMP/out" "$TMP/err")" '' 'and says nothing'
exits 1 'a folder of it is none' "$PROGRAM" health "$MNT/raw"
ln -s "$MNT" "$TMP/link"
exits 0 'a symlink leads to it' "$PROGRAM" health "$TMP/link"

kill -STOP "$MOUNT_PID"
timeout 60 "$PROGRAM" health "$MNT" 2>&1 | cat >"$TMP/said" # ends when the last writer is gone
is "${PIPESTATUS[0]}" 1 'a mount that hangs is not well'
like "$(cat "$TMP/said")" 'no answer within 5 seconds$' 'which is said'
kill -CONT "$MOUNT_PID"
ok 'it is again when it goes on' until_true 20 "$PROGRAM" health "$MNT"

kill -KILL "$MOUNT_PID"
wait "$MOUNT_PID" 2>/dev/null
exits 1 'nor is what a killed process left' "$PROGRAM" health "$MNT"
like "$(cat "$TMP/err")" 'the mount.s process is gone' 'with the reason'
ok 'it is taken away' "$PROGRAM" unmount "$MNT"

# Something that takes each request and answers none: not even SIGKILL frees the one who asked.
if [ "$(id -u)" -ne 0 ] || ! have python3; then
	skip 'not root, or no python3: a mount that swallows requests cannot be made' 2
	done_testing
fi
register_mount 0 "$MNT"
cat >"$TMP/swallow.py" <<'END'
import ctypes, os, struct, sys
fd = os.open("/dev/fuse", os.O_RDWR)
options = "fd=%d,rootmode=40000,user_id=0,group_id=0" % fd
if ctypes.CDLL(None, use_errno=True).mount(b"nothing", os.fsencode(sys.argv[1]), b"fuse.corpusfs", 0, options.encode()) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
unique = struct.unpack_from("<Q", os.read(fd, 1 << 18), 8)[0]
os.write(fd, struct.pack("<IiQ", 80, 0, unique) + struct.pack("<IIIIHHII", 7, 31, 0, 0, 12, 9, 65536, 1).ljust(64, b"\0"))
print("ready", flush=True)
while True:
    os.read(fd, 1 << 18)
END
python3 "$TMP/swallow.py" "$MNT" >"$TMP/swallow" 2>&1 &
swallow=$!
ok 'a mount that swallows requests' until_true 20 grep -q ready "$TMP/swallow"
timeout 60 "$PROGRAM" health "$MNT" 2>&1 | cat >"$TMP/said"
like "${PIPESTATUS[0]} $(cat "$TMP/said")" '^1 .*no answer within 5 seconds$' 'is not well either, and nobody hangs'
kill "$swallow"
wait "$swallow" 2>/dev/null
done_testing
