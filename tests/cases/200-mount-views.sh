#!/bin/bash
# What stands on the mount and under which name; sizes, times, modes and errors before and after a file is computed.
. "${0%/*}/lib.sh"
need_fuse
need python3
docs=$TMP/docs
make_documents "$docs"
long=$(printf 'n%.0s' {1..250}).md
printf '# Long name\n\nThe heron stands in the shallow water.\n' >"$docs/$long"
mkdir "$docs/x.txt" "$docs/x.txt.d" "$docs/y.txt" "$docs/.git"
printf 'document x\n' >"$docs/x"
printf 'inside x.txt\n' >"$docs/x.txt/in.txt"
printf 'inside x.txt.d\n' >"$docs/x.txt.d/in.txt"
printf 'inside y.txt\n' >"$docs/y.txt/in"
printf 'config\n' >"$docs/.git/config"
printf 'bad \377 name\n' >"$docs/"$'bad\377name.txt'
printf 'new\nline\n' >"$docs/"$'new\nline.txt'
printf '%%PDF-1.4\nthis is no PDF\n' >"$docs/broken.pdf"
printf '#!/bin/sh\necho hello\n' >"$docs/tool.sh"
chmod 750 "$docs/tool.sh"
chmod 640 "$docs/latin1.txt"
touch -d '2001-02-03 04:05:06.789' "$docs/latin1.txt"
ln -s add.c "$docs/link"
ln -s /etc/hostname "$docs/outside"
ln -s nowhere "$docs/dangling"
ln -s handbook "$docs/folder-link"
mkfifo "$docs/fifo"
mount_corpus "$docs" --noindex || { fail 'mounts'; done_testing; }

is "$(ls -x -w 0 "$MNT")" "$(printf '%s  ' README.txt chunks clean meta raw search similar status tables vectors | sed 's/ *$//')" 'the top'
is "$(stat -c %A "$MNT/clean" "$MNT/status" "$MNT/search" "$MNT/README.txt" | tr '\n' ' ')" 'dr-xr-xr-x dr-xr-xr-x dr-xr-xr-x -r--r--r-- ' 'nothing there can be written'
is_file <(head -c 100000 "$MNT/README.txt") "$MNT/README.txt" 'the README'
is "$(stat -c %s "$MNT/README.txt")" "$(wc -c <"$MNT/README.txt")" 'has its size at once'

# --- raw/ ---
ok 'raw/ is the source' diff -r --no-dereference -x fifo "$docs" "$MNT/raw"
is "$(cd "$MNT/raw" && find . -printf '%P %y %s %l %T@\n' | grep -v ' d ' | sort)" "$(cd "$docs" && find . -printf '%P %y %s %l %T@\n' | grep -v ' d ' | sort)" \
	'with the types, sizes, times and links of the source'
is "$(stat -c %A "$MNT/raw/tool.sh" "$MNT/raw/fifo" "$MNT/raw/handbook" | tr '\n' ' ')" '-r-xr-x--- pr--r--r-- dr-xr-xr-x ' 'and its modes, without those to write'
is "$(readlink "$MNT/raw/outside")" /etc/hostname 'a link that leads out is shown'
is "$(cat "$MNT/raw/link")" "$(cat "$docs/add.c")" 'a link inside is followed by the kernel'
fails 'a dangling one is not there' cat "$MNT/raw/dangling"
is "$(cd "$MNT/raw" && find . | wc -l)" "$(cd "$docs" && find . | wc -l)" 'find sees the same'

# --- before anything is computed ---
is "$(stat -c %Y.%a.%u "$MNT/clean/latin1.txt.txt")" "$(stat -c %Y.440.%u "$docs/latin1.txt")" 'time, mode and owner are those of the source'
is "$(stat -c %a "$MNT/clean/tool.sh.txt")" 550 'without the bits to write'
is "$(stat -c %a "$MNT/chunks/latin1.txt")" 550 'a folder made from a file can be entered by who may read the file'
isnt "$(stat -c %s "$MNT/clean/latin1.txt.txt")" 0 'a size is estimated'
isnt "$(stat -c %b "$MNT/clean/latin1.txt.txt")" 0 'with blocks'
is "$(cat "$MNT/clean/latin1.txt.txt")" 'Café crème costs three euros; the waiter speaks français and naïve tourists are déjà là.' 'opening computes'
is "$(stat -c %s "$MNT/clean/latin1.txt.txt")" "$(wc -c <"$MNT/clean/latin1.txt.txt")" 'and then the size is exact'
isnt "$(stat -c %s "$MNT/clean/empty.txt.txt")" 0 'a file that may have content is not empty'
is "$(cat "$MNT/clean/empty.txt.txt")" '' 'until it was found to be'
is "$(stat -c %s "$MNT/clean/empty.txt.txt")" 0 'and then it is'
python3 - "$MNT" >"$TMP/out" <<'END'
import mmap, os, sys
os.chdir(sys.argv[1])
for name in ["clean/log book.txt.txt", "meta/log book.txt.json", "vectors/log book.txt.npy", "chunks/log book.txt/0002.txt"]:
    f = open(name, "rb")
    whole = f.read()
    m = mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
    assert m[:] == whole and len(whole) == os.fstat(f.fileno()).st_size, name
    assert os.pread(f.fileno(), 50, 10) == whole[10:60], name
    assert os.pread(f.fileno(), 50, len(whole)) == b"" and f.seek(0, 2) == len(whole), name
chunks = sorted(os.listdir("chunks/log book.txt"))
assert chunks[0] == "0001.txt" and len(chunks) > 2, chunks
text = open("clean/log book.txt.txt", "rb").read()
at = 0
for c in chunks:
    piece = open("chunks/log book.txt/" + c, "rb").read()
    assert piece in text
    at += len(piece)
assert at >= len(text)
print("good")
END
is "$(cat "$TMP/out")" good 'reading at offsets, mapping, and the chunks of a document'

# --- names ---
names() {
	(cd "$MNT/$1" && find . -maxdepth 1 -printf '%P\0' | sort -z | tr '\0\n\377' ' ??')
}
like "$(names clean)" '(^| )x\.txt x\.txt\.d x\.txt\.d\.d y\.txt( |$)' 'a folder gives way to a document of its name'
is "$(cat "$MNT/clean/x.txt")" 'document x' 'whose text it is'
is "$(cat "$MNT/clean/x.txt.d/in.txt.txt")" 'inside x.txt' 'the folder goes by .d'
is "$(cat "$MNT/clean/x.txt.d.d/in.txt.txt")" 'inside x.txt.d' 'and so does one of that name'
is "$(cat "$MNT/clean/y.txt/in.txt")" 'inside y.txt' 'others keep theirs'
is "$(cat "$MNT/chunks/x.txt/in.txt/0001.txt")" 'inside x.txt' 'in chunks/ nothing gives way'
is "$(cat "$MNT/chunks/x/0001.txt")" 'document x' 'because nothing has a suffix'
fails 'nothing is under the plain name of the folder' test -d "$MNT/clean/x.txt"
is "$(cat "$MNT/clean/$long.txt")" "$(cat "$docs/$long")" 'a name of 253 bytes and its suffix'
ok 'a name that is not UTF-8' grep -q 'name' "$MNT/clean/"$'bad\377name.txt.txt'
ok 'a name with a newline' grep -q line "$MNT/clean/"$'new\nline.txt.txt'
fails 'a link is no document' test -e "$MNT/clean/link.txt"
fails 'nor is a FIFO' test -e "$MNT/meta/fifo.json"
fails 'nor what is in .git' test -e "$MNT/clean/.git"
is "$(cat "$MNT/raw/.git/config")" config 'which is in raw/'
for name in clean/add.c clean/add.c.txt.txt clean/.txt chunks/add.c/0000.txt chunks/add.c/0002.txt chunks/add.c/1.txt chunks/add.c/00001.txt \
	chunks/add.c/0001 meta/add.c vectors/add.c.txt nothing raw/nothing clean/nothing.txt/x status/nothing similar/nothing; do
	fails "there is no $name" test -e "$MNT/$name"
done
is "$(find "$MNT" -name '*.c' -path '*/chunks/*' 2>/dev/null | wc -l)" 1 'find over the whole mount ends'

# --- errors ---
is "$(cat "$MNT/clean/broken.pdf.txt" 2>&1)" "cat: $MNT/clean/broken.pdf.txt: Input/output error" 'a document that cannot be read is EIO'
is "$(ls "$MNT/chunks/broken.pdf" 2>&1)" "ls: cannot open directory '$MNT/chunks/broken.pdf': Input/output error" 'in every view'
like "$(cat "$MNT/meta/broken.pdf.json")" '"state": ?"failed"' 'and its reason is in meta/'
ok 'it is listed' test -f "$MNT/clean/broken.pdf.txt"
fails 'a photo has no text' test -e "$MNT/clean/photo.png.txt"
like "$(cat "$MNT/meta/photo.png.json")" '"state": ?"skipped"' 'and says why in meta/'

# --- every write is refused as on any read-only file system ---
python3 - "$MNT" >"$TMP/out" 2>&1 <<'END'
import errno, os, sys
os.chdir(sys.argv[1])
def refused(what, call, *args, **more):
    try:
        call(*args, **more)
        print(what, "succeeded", args)
    except OSError as e:
        if e.errno != errno.EROFS:
            print(what, errno.errorcode[e.errno], args)
files = ["raw/add.c", "clean/add.c.txt", "chunks/add.c/0001.txt", "meta/add.c.json", "status/metrics", "README.txt", "raw/tool.sh"]
# Not search/ itself: every name is there already, so what would make one says EEXIST.
folders = ["", "raw/", "clean/", "chunks/add.c/", "status/", "search/a query/", "similar/"]
for f in files:
    refused("write", os.open, f, os.O_WRONLY)
    refused("read and write", os.open, f, os.O_RDWR)
    refused("append", os.open, f, os.O_WRONLY | os.O_APPEND)
    refused("open to truncate", os.open, f, os.O_RDONLY | os.O_TRUNC)
    refused("truncate", os.truncate, f, 0)
    refused("chmod", os.chmod, f, 0o777)
    refused("chown", os.chown, f, 1, 1)
    refused("utime", os.utime, f)
    refused("unlink", os.unlink, f)
    refused("rename", os.rename, f, "raw/new")
    refused("link", os.link, f, "raw/new")
    refused("setxattr", os.setxattr, f, "user.x", b"y")
    refused("removexattr", os.removexattr, f, "user.x")
    if os.access(f, os.W_OK):
        print("writable", f)
for d in folders:
    refused("create", os.open, d + "new-file", os.O_WRONLY | os.O_CREAT, 0o600)
    refused("mkdir", os.mkdir, d + "new.folder")
    refused("symlink", os.symlink, "x", d + "new-link")
    refused("mknod", os.mkfifo, d + "new-fifo")
refused("rmdir", os.rmdir, "raw/handbook")
END
is "$(cat "$TMP/out")" '' 'every attempt to write is EROFS'
ok 'df works' df "$MNT/raw"
ok 'unmounts' unmount_corpus

mount_corpus "$docs" -o passthrough
ok 'with passthrough, which may not be possible here, raw/ is the same' cmp "$docs/add.c" "$MNT/raw/add.c"
ok 'and again' cmp "$docs/add.c" "$MNT/raw/add.c"
ok 'unmounts' unmount_corpus
done_testing
