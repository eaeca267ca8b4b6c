#!/bin/bash
# Archives as folders of documents: ZIP, TAR and its compressed forms, 7z, one in another; hostile ones (bombs, names, damage); changed and removed while
# mounted; found by searches; exported as mounted.
. "${0%/*}/lib.sh"
need_fuse
need python3 bsdtar zip

# --- the documents ---------------------------------------------------------------------------------------------------

mkdir -p "$TMP/docs/sub" "$TMP/in/inner" "$TMP/in/übung"
printf '# Report\n\nThe zebra crossing needs new paint.\n' >"$TMP/in/inner/report.md"
printf 'Top level text about giraffes.\n' >"$TMP/in/top.txt"
printf 'Grüße aus der Übung.\n' >"$TMP/in/übung/grüße.txt"
cp "$ROOT/tests/golden/extract/handbook.docx" "$TMP/in/inner/"
in=(inner/report.md inner/handbook.docx top.txt übung/grüße.txt)
(cd "$TMP/in" && zip -qr "$TMP/docs/a.zip" "${in[@]}")
(cd "$TMP/in" && tar -cf "$TMP/docs/a.tar" "${in[@]}")
(cd "$TMP/in" && bsdtar --format 7zip -cf "$TMP/docs/a.7z" "${in[@]}")
gzip -c "$TMP/docs/a.tar" >"$TMP/docs/a.tar.gz"
cp "$TMP/docs/a.tar.gz" "$TMP/docs/a.tgz"
bzip2 -c "$TMP/docs/a.tar" >"$TMP/docs/a.tar.bz2"
xz -c "$TMP/docs/a.tar" >"$TMP/docs/a.tar.xz"
zstd -qc "$TMP/docs/a.tar" >"$TMP/docs/a.tar.zst"
cp "$TMP/docs/a.tar" "$TMP/docs/sub/nameless"
printf 'PK is how a letter may begin\n' >"$TMP/docs/letter.zip"
cp "$ROOT/tests/golden/extract/handbook.docx" "$TMP/docs/office.zip"
(cd "$TMP/in" && zip -qP secret "$TMP/docs/locked.zip" top.txt && zip -q "$TMP/docs/locked.zip" inner/report.md)

python3 - "$TMP/docs" <<'END'
import io
import os
import random
import struct
import sys
import tarfile
import zipfile

docs = sys.argv[1]


def packed(members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in members:
            z.writestr(name, data)
    return out.getvalue()


def tarred(members, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as t:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if data is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                t.addfile(info)
            else:
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def put(name, data):
    with open(os.path.join(docs, name), "wb") as f:
        f.write(data)


# One in another: two more levels are opened, the fourth is not.
four = packed([("deepest.txt", b"never seen\n")])
three = packed([("third.txt", b"a third level walrus\n"), ("four.zip", four)])
two = tarred([("second.txt", b"second level\n"), ("three.zip", three)], "w:gz")
put("one.zip", packed([("first.txt", b"first level\n"), ("two.tar.gz", two)]))

# Names.
long = "l" * 300 + ".txt"
put("names.tar", tarred([("../../etc/evil.txt", b"evil\n"), ("/abs/olute.txt", b"absolute\n"), ("./a//b/./c.txt", b"first\n"),
                         ("a/b/c.txt", b"other spelling\n"), ("twice.txt", b"old\n"), ("twice.txt", b"new\n"), ("..", b"nothing\n"),
                         ("both", b"a file\n"), ("both/below.txt", b"and a folder\n"), (long, b"long\n"),
                         ("link.txt", None), (".git/config", b"hidden\n"), (".env", b"SECRET=1\n")]))
put("latin1.zip", packed([("x.txt", b"a name in Latin-1\n")], zipfile.ZIP_STORED).replace(b"x.txt", b"\xe9.txt"))

# Bombs.
zeros = bytes(8 << 20)
put("flat.zip", packed([("big.txt", bytes(300 << 20)), ("after.txt", b"after the bomb\n")]))
put("many.zip", packed([("readme.txt", b"before the bomb\n")] + [("%03d.txt" % i, zeros) for i in range(100)]))
bomb = packed([("0.txt", zeros)])
for level in range(5):
    bomb = packed([("%d.zip" % i, bomb) for i in range(10)])
put("tower.zip", bomb)
# Every entry of the directory is the same member.
whole = packed([("k.txt", b"kernel " * 100000)])
at = whole.index(b"PK\1\2")
record = whole[at:whole.index(b"PK\5\6")]
count = 20000
records = b"".join(record.replace(b"k.txt", b"%05x" % i) for i in range(count))
put("overlap.zip", whole[:at] + records + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(records), at, 0))
# It says that its member is small.
lie = bytearray(packed([("lie.txt", b"tell " * 1000000)]))
for signature, field in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
    struct.pack_into("<I", lie, lie.index(signature) + field, 100)
put("lie.zip", bytes(lie))

# Damage.
random.seed(7)
members = [("m%02d.txt" % i, b"walnut %d " % i + bytes(random.randrange(97, 123) for _ in range(20000))) for i in range(20)]
put("cut.tar.gz", tarred(members, "w:gz")[:150000])
put("cut.zip", packed(members)[:150000])
flipped = bytearray(packed(members))
flipped[60000:60100] = bytes(100)
put("flipped.zip", bytes(flipped))
put("garbage.7z", b"7z\xbc\xaf\x27\x1c" + bytes(random.randrange(256) for _ in range(5000)))
put("empty.zip", packed([]))
END

mount_corpus "$TMP/docs" || { fail 'mounted'; done_testing; }
# What only has the name of an archive is listed as a folder until it is looked at, so find may complain; it must end.
timeout 300 find "$MNT/clean" "$MNT/meta" -type f >/dev/null 2>&1
ok 'find over the mount ends before anything is indexed' test $? -le 1
ok 'indexed' wait_indexed "$MNT" 300

code() {
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get("error", {}).get("code", ""))' "$MNT/meta/$1.json"
}
files() {
	(cd "$MNT/clean/$1" && find . -type f | sed 's|^\./||' | LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//')
}

# --- what is in them -------------------------------------------------------------------------------------------------

for archive in a.zip a.tar a.7z a.tar.gz a.tgz a.tar.bz2 a.tar.xz a.tar.zst sub/nameless; do
	is "$(files "$archive")" 'inner/handbook.docx.txt inner/report.md.txt top.txt.txt übung/grüße.txt.txt' "$archive: its members"
	is "$(cat "$MNT/clean/$archive/inner/report.md.txt")" "$(cat "$TMP/in/inner/report.md")" "$archive: their text"
done
cmp -s "$MNT/clean/a.zip/inner/handbook.docx.txt" "$MNT/clean/office.zip.txt"
is $? 0 'a member is read as a file is; an Office document with the name of an archive is a document'
fails 'which is no folder' test -d "$MNT/clean/office.zip"
is "$(cat "$MNT/clean/letter.zip.txt")" 'PK is how a letter may begin' 'a text with the name of an archive is a text'
is_file "$MNT/raw/a.zip" "$TMP/docs/a.zip" 'raw/ has the archive as it is'
fails 'nothing is below it in raw/' test -e "$MNT/raw/a.zip/top.txt"
fails 'an archive has no text of its own' test -e "$MNT/clean/a.zip.txt"
is "$(cat "$MNT/chunks/a.7z/inner/report.md/0001.txt")" "$(cat "$TMP/in/inner/report.md")" 'chunks/'
is "$(stat -c %s "$MNT/vectors/a.tar.xz/top.txt.npy")" 1152 'vectors/'
is "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["path"])' "$MNT/meta/a.zip/top.txt.json")" a.zip/top.txt 'meta/ of a member'
is "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["archive"]["members"])' "$MNT/meta/a.zip.json")" 4 'meta/ of the archive'
is "$(stat -c %Y "$MNT/clean/a.zip/top.txt.txt")" "$(stat -c %Y "$TMP/docs/a.zip")" 'a member has the time of its archive'
is "$(ls "$MNT/clean/empty.zip")" '' 'an empty archive is an empty folder'
like "$(ls "$MNT/similar/a.zip/inner/report.md")" 'top\.txt' 'similar/ of a member'
like "$(cut -d, -f2 "$MNT/search/zebra crossing/.results.jsonl")" '"path":"a.*/inner/report.md"' 'a search finds members'
like "$(cut -d, -f2 "$MNT/search/@in=one.zip/walrus/.results.jsonl" | head -n 1)" '"path":"one.zip/two.tar.gz/three.zip/third.txt"' '@in= an archive'
is "$(files one.zip)" 'first.txt.txt two.tar.gz/second.txt.txt two.tar.gz/three.zip/third.txt.txt' 'archives in archives'
is "$(code one.zip/two.tar.gz/three.zip/four.zip)" archive 'a fourth level is not opened'

# --- names -----------------------------------------------------------------------------------------------------------

got=$(cd "$MNT/clean/names.tar" && find . -type f -printf '%P:' -exec cat '{}' ';' | LC_ALL=C sort)
like "$got" '^etc/evil\.txt\.txt:evil$' 'a name with .. stays in the archive'
like "$got" '^abs/olute\.txt\.txt:absolute$' 'an absolute name as well'
like "$got" '^a/b/c\.txt\.txt:first$' 'a name is cleaned'
like "$got" '^a/b/c~2\.txt\.txt:other spelling$' 'another that comes to the same is numbered'
like "$got" '^twice\.txt\.txt:new$' 'of two equal names the last counts'
unlike "$got" ':old' 'and the first does not'
like "$got" '^both~2\.txt:a file$' 'a file that is a folder as well is numbered'
like "$got" '^both/below\.txt\.txt:and a folder$' 'and the folder is there'
like "$got" '^l{200}~[0-9a-f]{8}\.txt\.txt:long$' 'a name over 255 bytes is shortened'
unlike "$got" 'hidden|SECRET|link' 'no links, nothing that is hidden elsewhere'
is "$(wc -l <<<"$got")" 8 'and nothing else'
is "$(cat "$MNT/clean/latin1.zip/"$'\xe9.txt.txt')" 'a name in Latin-1' 'a name that is not UTF-8 is kept as it is'

# --- hostile ones ----------------------------------------------------------------------------------------------------

is "$(code flat.zip/big.txt)" too-large 'a member that is too large has its reason'
is "$(cat "$MNT/clean/flat.zip/after.txt.txt")" 'after the bomb' 'and its neighbours are read'
is "$(code many.zip)" expansion 'an archive that expands too far'
is "$(cat "$MNT/clean/many.zip/readme.txt.txt")" 'before the bomb' 'shows what comes before'
ok 'and not all' test "$(ls "$MNT/meta/many.zip" | wc -l)" -lt 100
ok 'members that overlap are bounded' test "$(find "$MNT/meta/overlap.zip" -type f | wc -l)" -lt 1000
ok 'a tower of archives is bounded' test "$(find "$MNT/meta/tower.zip" -type f | wc -l)" -lt 1200
is "$(code lie.zip/lie.txt)" damaged 'a member that is larger than it says'
is "$(code locked.zip/top.txt)" encrypted 'an encrypted member'
is "$(cat "$MNT/clean/locked.zip/inner/report.md.txt")" "$(cat "$TMP/in/inner/report.md")" 'beside one that is not'
errors=$(cat "$MNT/status/errors.jsonl")
like "$errors" '"path":"locked.zip/top.txt".*"code":"encrypted"' 'it is in errors.jsonl'
for archive in cut.tar.gz cut.zip; do
	is "$(code $archive)" damaged "$archive: its reason"
	like "$errors" "\"path\":\"$archive\".*\"code\":\"damaged\"" "$archive: in errors.jsonl"
	like "$(cat "$MNT/clean/$archive/m00.txt.txt")" '^walnut 0 ' "$archive: shows what comes before the damage"
done
is "$(ls "$MNT/clean/flipped.zip" | wc -l)" 20 'a member that is damaged is listed'
is "$(for i in 00 19; do head -c 8 "$MNT/clean/flipped.zip/m$i.txt.txt"; done)" 'walnut 0walnut 1' 'and leaves the others alone'
like "$(cat "$MNT"/clean/flipped.zip/* 2>&1 >/dev/null)" 'Input/output error' 'it cannot be read itself'
is "$(code garbage.7z)" damaged 'an archive that is nothing but damage is a document that failed'

# --- while mounted ---------------------------------------------------------------------------------------------------

exec 7<"$MNT/clean/a.zip/top.txt.txt"
mkdir "$TMP/new"
printf 'Now about hippos.\n' >"$TMP/new/top.txt"
printf 'Another one.\n' >"$TMP/new/added.txt"
(cd "$TMP/new" && zip -q "$TMP/new.zip" top.txt added.txt)
mv "$TMP/new.zip" "$TMP/docs/a.zip"
is "$(cat "$MNT/clean/a.zip/top.txt.txt")" 'Now about hippos.' 'a changed archive shows its new members at once'
is "$(cat <&7)" 'Top level text about giraffes.' 'who has one open reads the old version'
exec 7<&-
is "$(files a.zip)" 'added.txt.txt top.txt.txt' 'those that are gone are gone'
ok 'indexed' wait_indexed "$MNT" 60
like "$(cut -d, -f2 "$MNT/search/@in=a.zip/hippos/.results.jsonl")" '"path":"a.zip/top.txt"' 'the new ones are found'
unlike "$(cat "$MNT/search/@in=a.zip/zebra crossing/.results.jsonl")" 'report.md' 'the old ones are not'
printf 'no archive any more\n' >"$TMP/docs/a.tgz"
is "$(cat "$MNT/clean/a.tgz.txt")" 'no archive any more' 'an archive that becomes a text'
fails 'is no folder' test -d "$MNT/clean/a.tgz"
rm "$TMP/docs/one.zip"
ok 'indexed' wait_indexed "$MNT" 60
fails 'a removed archive is gone' test -e "$MNT/clean/one.zip"
unlike "$(cat "$MNT/search/walrus third level/.results.jsonl")" 'one.zip' 'and its members with it'
unlike "$("$PROGRAM" status "$TMP/docs" --json 2>/dev/null; cat "$MNT/status/errors.jsonl" "$MNT/status/skipped.jsonl")" 'one.zip' 'and what was noted of them'
unmount_corpus "$MNT"

# --- without a mount -------------------------------------------------------------------------------------------------

ok 'index' "$PROGRAM" index --store "$TMP/store" "$TMP/docs"
sleep 2 # until no stamp is so young that it might hide a change
exits 0 'index again' "$PROGRAM" index --store "$TMP/store" "$TMP/docs"
exits 0 'and again' "$PROGRAM" index --store "$TMP/store" "$TMP/docs"
like "$(cat "$TMP/out" "$TMP/err")" ': 0 computed, [0-9]+ unchanged, 0 skipped, 0 failed' 'finds that nothing changed'
exits 0 'verify agrees' "$PROGRAM" verify --store "$TMP/store" "$TMP/docs"
ok 'export' "$PROGRAM" export --store "$TMP/store" "$TMP/docs" "$TMP/export"
mount_corpus "$TMP/docs" --store "$TMP/store"
is_file "$TMP/export/tables/documents.jsonl" "$MNT/tables/documents.jsonl" 'the table of documents'
like "$(cat "$MNT/tables/documents.jsonl")" '"path":"cut.zip","state":"ok".*"clean_sha256":null.*"error_code":"damaged"' 'an archive has no text there, but its reason'
for view in clean chunks vectors meta; do
	(cd "$TMP/export/$view" && find . -type f | LC_ALL=C sort) >"$TMP/exported"
	(cd "$MNT/$view" && find . -type f | LC_ALL=C sort) >"$TMP/mounted"
	# What fails is in the listing of the mount, and nowhere else.
	[ "$view" = meta ] && is_file "$TMP/exported" "$TMP/mounted" 'export has what the mount has'
	different=0
	while IFS= read -r file; do cmp -s "$TMP/export/$view/$file" "$MNT/$view/$file" || different=$((different + 1)); done <"$TMP/exported"
	is $different 0 "$view/: the exported bytes are those of the mount"
done
done_testing
