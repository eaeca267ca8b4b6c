#!/bin/bash
# uid= and gid=: everything belongs to one user and one group, in what is shown as in who may read what, in every view.
. "${0%/*}/lib.sh"
need_fuse
need setpriv python3
[ "$(id -u)" -eq 0 ] || skip_all 'only root can look as another user'
docs=$TMP/docs
mkdir -p "$docs/closed"
chmod 755 "$TMP" "$docs"
printf 'The heron that everybody may see is called Openheron.\n' >"$docs/all.txt"
printf 'The heron of the owner is called Ownerheron.\n' >"$docs/owner.txt"
printf 'The heron of the group is called Groupheron.\n' >"$docs/group.txt"
printf 'The heron that only others may see is called Otherheron.\n' >"$docs/others.txt"
printf 'The heron in the closed folder is called Closedheron.\n' >"$docs/closed/deep.txt"
chown -R 20001:20002 "$docs/"*
chmod 644 "$docs/all.txt" "$docs/closed/deep.txt"
chmod 600 "$docs/owner.txt"
chmod 040 "$docs/group.txt"
chmod 004 "$docs/others.txt"
chmod 700 "$docs/closed"
ln -s all.txt "$docs/link"

mount_corpus "$docs" -o allow_other,uid=1000,gid=2000 || { fail 'mounts'; done_testing; }
ok 'is indexed' wait_indexed
is "$(find "$MNT" -printf '%U:%G\n' | sort -u)" 1000:2000 'everything on the mount is shown as theirs'
is "$(stat -c %u:%g "$docs/owner.txt")" 20001:20002 'nothing changed in the source'
is "$(cd "$MNT/raw" && stat -c '%a %n' owner.txt group.txt others.txt closed)" "$(printf '%s\n' '400 owner.txt' '40 group.txt' '4 others.txt' '500 closed')" 'modes stay'
is "$(python3 -c 'import os, sys; print(os.fstat(os.open(sys.argv[1], os.O_RDONLY)).st_uid)' "$MNT/raw/owner.txt")" 1000 'also of an open file'

as() {
	setpriv --reuid "$1" --regid "$2" --clear-groups -- "${@:3}"
}
# What a caller reads in each view, and what a search shows: the two agree.
reads() {
	local path word=''
	for path in all owner group others closed/deep; do
		as "$1" "$2" cat "$MNT/$3/$path.txt$4" >"$TMP/read" 2>/dev/null && word="$word $path"
	done
	echo "$word"
}
found() {
	as "$1" "$2" cat "$MNT/search/@k=20/heron/.results.jsonl" | python3 -c 'import json, sys; print("", *sorted(json.loads(l)["path"][:-4] for l in sys.stdin))'
}
sees() {
	local name=$1 uid=$2 gid=$3 expected=$4
	is "$(reads "$uid" "$gid" raw '')" "$expected" "$name reads in raw/"
	is "$(reads "$uid" "$gid" clean .txt)" "$expected" "$name reads in clean/"
	is "$(reads "$uid" "$gid" chunks /0001.txt)" "$expected" "$name reads in chunks/"
	is "$(found "$uid" "$gid" | tr ' ' '\n' | sort)" "$(echo "$expected" | tr ' ' '\n' | sort)" "$name finds"
	is "$(as "$uid" "$gid" sed -n 's/.*"files":{"known":\([0-9]*\).*/\1/p' "$MNT/status/status.json")" "$(echo "$expected" | wc -w)" "$name is told the number"
}
sees 'the user' 1000 1000 ' all owner closed/deep'
sees 'the group' 1001 2000 ' all group'
sees 'a stranger' 1002 1002 ' all others'
sees 'the owner in the source, now a stranger,' 20001 20001 ' all others'
sees 'and the former group' 20003 20002 ' all others'
ok 'unmounts' unmount_corpus

mount_corpus "$docs" --uid=4294967294 --allow-other || { fail 'mounts with the highest id'; done_testing; }
is "$(stat -c %u:%g "$MNT/raw/owner.txt")" 4294967294:20002 'one alone leaves the other as it is'
ok 'unmounts again' unmount_corpus
for value in 4294967295 -1 nobody 1x '' 99999999999999999999; do
	exits 2 "uid=$value is refused" "$PROGRAM" mount -f --store="$TMP/store" "--uid=$value" "$docs" "$TMP/mnt.0"
done
done_testing
