#!/bin/bash
# The mount verb: to the background and back, what it refuses, where options come from, where messages go.
. "${0%/*}/lib.sh"
need_fuse
docs=$TMP/docs mnt=$TMP/corpus
make_documents "$docs"
mkdir "$mnt"

# The process that serves a mount of this case, by its command line; its helper, which has the same, is younger.
served_by() {
	pgrep -o -f -- "mount .*$TMP/docs $1"
}

# --- to the background ---
register_mount 0 "$mnt"
exits 0 'mount returns' "$PROGRAM" mount "$docs" "$mnt"
is "$(cat "$TMP/out" "$TMP/err")" '' 'without a word'
ok 'and the mount answers at once' test -f "$mnt/README.txt"
is "$(cat "$mnt/raw/add.c")" "$(cat "$docs/add.c")" 'with the documents in it'
pid=$(served_by "$mnt")
isnt "$pid" '' 'a process serves it'
is "$(readlink "/proc/$pid/cwd")" / 'which stands in the root folder'
is "$(readlink "/proc/$pid/fd/2")" /dev/null 'and holds no terminal'
isnt "$(ps -o sid= -p "$pid" | tr -d ' ')" "$(ps -o sid= -p $$ | tr -d ' ')" 'in a session of its own'
like "$(grep " $mnt " /proc/self/mountinfo)" ' - fuse\.corpusfs ' 'its type is fuse.corpusfs'
like "$(grep " $mnt " /proc/self/mountinfo)" " $mnt ro,nosuid,nodev,relatime .*- fuse\.corpusfs $docs " 'read-only, with the source as its device'

exits 2 'a second mount there is refused' "$PROGRAM" mount "$docs" "$mnt"
like "$(cat "$TMP/err")" "^corpusfs: $mnt: is a mount of corpusfs already" 'in so many words'
mkdir "$TMP/second"
exits 2 'a second mount of the same store is refused' "$PROGRAM" mount "$docs" "$TMP/second"
is "$(wc -l <"$TMP/err")" 1 'in one line'
like "$(cat "$TMP/err")" "$mnt" 'that names the first one'
ok 'and mounts nothing' test ! -e "$TMP/second/README.txt"

wait_indexed "$mnt"
exits 0 'index waits for the mount' "$PROGRAM" index "$docs"
like "$(cat "$TMP/out")" "^the mount at $mnt has indexed everything: 10 files$" 'and says who did it'
exits 0 'status asks the mount' "$PROGRAM" status "$docs"
like "$(cat "$TMP/out")" "^mounted at +$mnt$" 'and says where it is'
exits 0 'status of the mountpoint is the same' "$PROGRAM" status "$mnt"
exits 0 'search through the mountpoint' "$PROGRAM" search "$mnt" parental leave
like "$(head -n 1 "$TMP/out")" '^handbook/leave\.md:[0-9]+-[0-9]+: [0-9.]+  Leave' 'prints as without a mount'
cp "$TMP/out" "$TMP/through"
exits 0 'search of the source asks the mount' "$PROGRAM" search "$docs" parental leave
is_file "$TMP/out" "$TMP/through" 'with the same result'
exits 0 'search below the mount' "$PROGRAM" search "$mnt/clean/handbook/deep" notice leave
unlike "$(grep '^[^ ]' "$TMP/out")" '^handbook/leave' 'stays there'
exits 1 'nothing found through the mount' "$PROGRAM" search --mode=keyword "$mnt" xylophone
exits 0 'search --json through the mount' "$PROGRAM" search --json "$mnt" parental leave
is_file "$TMP/out" "$mnt/search/parental leave/.results.jsonl" 'is the file there'
for query in 'a/b leave' '%41 leave' '@k=1' '.git' 'README.txt' "it's \"quoted\" leave" 'ä ☃ leave'; do
	"$PROGRAM" search "$mnt" "$query" >"$TMP/out" 2>"$TMP/err"
	ok "the query $query is a query" test $? -le 1
done
exits 2 'search in search/ is refused' "$PROGRAM" search "$mnt/status" words
exits 0 'verify beside the mount' "$PROGRAM" verify "$docs"

exits 0 'unmount' "$PROGRAM" unmount "$mnt"
ok 'leaves nothing mounted' test ! -e "$mnt/README.txt"
ok 'and no process' until_true 10 eval '! served_by "$mnt"'
exits 2 'unmount again is an error' "$PROGRAM" unmount "$mnt"

exits 0 'mounted again' "$PROGRAM" mount "$docs" "$mnt"
kill -TERM "$(served_by "$mnt")"
ok 'SIGTERM unmounts' until_true 20 eval '! is_mounted "$mnt"'
ok 'and ends the process' until_true 10 eval '! served_by "$mnt"'

exits 0 'mounted once more' "$PROGRAM" mount "$docs" "$mnt"
kill -KILL "$(served_by "$mnt")"
ok 'a killed mount is dead' until_true 10 eval '! test -e "$mnt/README.txt"'
exits 2 'search there says so' "$PROGRAM" search "$mnt" words
like "$(cat "$TMP/err")" 'Transport endpoint is not connected; .*unmount' 'and what to do'
exits 0 'mount replaces it' until_true 10 "$PROGRAM" mount "$docs" "$mnt"
ok 'and answers' test -e "$mnt/README.txt"
kill -KILL "$(served_by "$mnt")"
until_true 10 eval '! test -e "$mnt/README.txt"'
exits 0 'unmount removes a dead mount' "$PROGRAM" unmount "$mnt"
ok 'and leaves nothing mounted' eval '! is_mounted "$mnt"'

exits 0 'a relative name' env -C "$TMP" "$PROGRAM" mount docs corpus
exec 9<"$mnt/raw/add.c"
exits 0 'unmount of a mount in use' env -C "$TMP" "$PROGRAM" unmount corpus
is "$(cat <&9)" "$(cat "$docs/add.c")" 'the open file can still be read'
exec 9<&-
ok 'and leaves nothing mounted' eval '! is_mounted "$mnt"'
ok 'nor a process' until_true 20 eval '! served_by ".*corpus"'

# --- what is refused ---
refuse() {
	local name=$1 pattern=$2
	shift 2
	exits 2 "$name is refused" "$PROGRAM" mount "$@"
	is "$(wc -l <"$TMP/err")" 1 "$name: in one line"
	like "$(cat "$TMP/err")" "$pattern" "$name: that says why"
}
refuse 'a source that is not there' "^corpusfs: $TMP/nowhere: No such file or directory; name the folder" "$TMP/nowhere" "$mnt"
refuse 'a source that is a file' 'is not a folder; name the folder' "$docs/add.c" "$mnt"
refuse 'a mountpoint that is not there' 'No such file or directory; create the mountpoint' "$docs" "$TMP/nowhere"
refuse 'a mountpoint that is a file' 'is not a folder' "$docs" "$docs/add.c"
refuse 'a mountpoint inside the source' 'lies inside its source folder' "$docs" "$docs/handbook"
refuse 'a mountpoint above the source' 'contains its source folder' "$docs" "$TMP"
refuse 'the source as mountpoint' 'is its source folder' "$docs" "$docs"
refuse 'a log that cannot be written' "^corpusfs: $TMP/nowhere/log: No such file" --log="$TMP/nowhere/log" "$docs" "$mnt"
refuse 'a store that cannot be made' "$docs/add.c/store" --store="$docs/add.c/store" "$docs" "$mnt"
ok 'nothing was mounted meanwhile' eval '! is_mounted "$mnt"'

# --- options ---
mounted_store() {
	find "$TMP" -maxdepth 1 -name 'store-*' -exec basename {} \; | sort | tr '\n' ' '
	find "$TMP" -maxdepth 1 -name 'store-*' -exec rm -r {} +
}
try_options() {
	local name=$1 expected=$2
	shift 2
	exits 0 "$name: mounts" env "$@"
	is "$(mounted_store)" "$expected " "$name: is the store taken"
	"$PROGRAM" unmount "$mnt" 2>/dev/null
	until_true 20 eval '! served_by "$mnt"'
}
try_options 'environment' store-env CORPUSFS_STORE="$TMP/store-env" "$PROGRAM" mount "$docs" "$mnt"
try_options '-o before environment' store-o CORPUSFS_STORE="$TMP/store-env" "$PROGRAM" mount "$docs" "$mnt" -o store="$TMP/store-o"
try_options 'command line before -o' store-c CORPUSFS_STORE="$TMP/store-env" "$PROGRAM" mount --store="$TMP/store-c" "$docs" "$mnt" -o store="$TMP/store-o"
try_options 'as mount.fuse3 calls it' store-o "$PROGRAM" "$docs" "$mnt" -o rw,nosuid,nodev,noatime,nofail,_netdev,x-systemd.automount,store="$TMP/store-o",noindex
try_options 'a comma in a value' 'store-a,b' "$PROGRAM" mount -o noindex,store="$TMP/store-a\\,b" "$docs" "$mnt"
try_options 'the last -o counts' store-2 "$PROGRAM" mount -o store="$TMP/store-1" -ostore="$TMP/store-2" "$docs" "$mnt"

exits 0 'a mount that does not index' "$PROGRAM" mount --noindex --log="$TMP/log" --deadline=30 --threads=2 "$docs" "$mnt"
exits 2 'index says that it will not' "$PROGRAM" index "$docs"
like "$(cat "$TMP/err")" 'was told not to index' 'and why'
ok 'the log is there' test -f "$TMP/log"
exits 0 'unmounted' "$PROGRAM" unmount "$mnt"
until_true 20 eval '! served_by "$mnt"'

# --- in the foreground ---
mount_corpus "$docs" || fail 'mounts in the foreground'
is "$(cat "$MNT/raw/add.c")" "$(cat "$docs/add.c")" 'the foreground serves as well'
ok 'unmount ends it with 0' unmount_corpus
mount_corpus "$docs" || fail 'mounts in the foreground'
kill -INT "$MOUNT_PID"
wait "$MOUNT_PID"
is $? 0 'so does SIGINT'
ok 'and nothing is mounted' eval '! is_mounted "$MNT"'
done_testing
