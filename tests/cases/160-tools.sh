#!/bin/bash
# The programs that people read files with give the right bytes on a file never opened before, and again afterwards, in every view.
#
# Each program has a document of its own for each view, on a mount that computes nothing by itself. What is right is what the same
# program gives on a plain copy, made from a second mount with a store of its own.
. "${0%/*}/lib.sh"
need_fuse
docs=$TMP/docs expected=$TMP/expected work=$TMP/work
mkdir -p "$docs" "$expected" "$work"

# name, then the command: it reads $f and writes what it made of it to standard output. wc takes the width of its columns from sizes that
# it asks for before it opens; `diff -q` and `cmp -s` go by such sizes alone, so they are not here.
tools=$(
	cat <<'END'
cat	cat "$f"
cp	cp "$f" "$work/cp" && cat "$work/cp"
head	head -c 100 "$f"
tail	tail -c 60 "$f"
tail-lines	tail -n 2 "$f"
wc	wc "$f" | awk '{ $1 = $1; print }'
wc-c	wc -c "$f"
grep	grep -n -a e "$f"
grep-r	grep -r -a -c '' "$f"
rg	rg --no-config -a -n . "$f"
dd	dd if="$f" bs=37 status=none
dd-direct	dd if="$f" bs=4096 skip=0 count=1 status=none
md5sum	md5sum "$f"
sha256sum	sha256sum <"$f"
sort	sort "$f"
file	file -b "$f"
stat	cat "$f" >/dev/null && stat -c %s "$f"
cmp	cmp "$f" "$copy" && echo same
diff	diff -a "$f" "$copy" && echo same
tar	tar cf "$work/tar" "$f" && tar xOf "$work/tar"
zip	rm -f "$work/zip.zip" && zip -q "$work/zip" "$f" && unzip -p "$work/zip"
rsync	rsync -c "$f" "$work/rsync" && cat "$work/rsync"
gzip	gzip -c "$f" | gzip -dc
xz	xz -c "$f" | xz -dc
git	git hash-object "$f"
less	less "$f" | cat
awk	awk '{ n += length($0) } END { print NR, n }' "$f"
split	rm -f "$work"/part.* && split -b 100 "$f" "$work/part." && cat "$work"/part.*
xxd	xxd "$f"
install	install -m 600 "$f" "$work/install" && cat "$work/install"
bash-read	bash -c 'cat <"$0"' "$f"
perl-slurp	perl -e 'open(F, "<", $ARGV[0]); print -s F, "\n"; local $/; print <F>' "$f"
python-read	python3 -c 'import sys; sys.stdout.buffer.write(open(sys.argv[1], "rb").read())' "$f"
python-seek	python3 -c 'import sys; g = open(sys.argv[1], "rb"); n = g.seek(0, 2); g.seek(n // 2); sys.stdout.buffer.write(g.read()); print(n)' "$f"
python-mmap	python3 -c 'import mmap, sys; g = open(sys.argv[1], "rb"); m = mmap.mmap(g.fileno(), 0, access=mmap.ACCESS_READ); print(len(m)); sys.stdout.buffer.write(m[:])' "$f"
python-pread	python3 -c 'import os, sys; g = os.open(sys.argv[1], 0); print(os.pread(g, 50, 10), os.pread(g, 50, 1 << 40), os.fstat(g).st_size)' "$f"
node	node -e 'process.stdout.write(require("fs").readFileSync(process.argv[1]))' "$f"
go	"$work/goreader" "$f"
java	java -cp "$work" Reader "$f"
END
)

# Readers in Go and Java, where these are at hand; they are compiled once.
if have go; then
	printf 'package main\nimport "os"\nfunc main() { b, e := os.ReadFile(os.Args[1]); if e != nil { panic(e) }; os.Stdout.Write(b) }\n' >"$work/reader.go"
	(cd "$work" && GOCACHE=$TMP/gocache GOFLAGS=-mod=mod GO111MODULE=off go build -o goreader reader.go) >"$work/log" 2>&1
fi
if have javac && have java; then
	printf 'public class Reader { public static void main(String[] a) throws Exception { System.out.write(java.nio.file.Files.readAllBytes(java.nio.file.Path.of(a[0]))); System.out.flush(); } }\n' >"$work/Reader.java"
	(cd "$work" && javac Reader.java) >"$work/log" 2>&1
fi

usable() {
	case $1 in
	go) [ -x "$work/goreader" ] ;;
	java) [ -f "$work/Reader.class" ] ;;
	tail-lines | wc-c | grep-r | bash-read | dd-direct) true ;;
	perl-slurp) have perl ;;
	python-*) have python3 ;;
	zip) have zip && have unzip ;;
	*) have "$1" ;;
	esac
}

# A document that no other one equals, with several chunks and a few characters beyond ASCII.
write_document() {
	local file=$1 word=$2 i
	{
		printf '# The %s report\n\n' "$word"
		for ((i = 1; i <= 60; i++)); do
			printf 'Paragraph %d tells of the %s and its café: on day %d it was seen %d times near the old harbour wall.\n\n' \
				$i "$word" $((i * 3)) $(((i * 7919 + ${#word}) % 1000))
		done
	} >"$file"
}

views='clean chunks vectors meta'
path_in() {
	case $1 in
	clean) echo "clean/$2.txt" ;;
	chunks) echo "chunks/$2/0002.txt" ;;
	vectors) echo "vectors/$2.npy" ;;
	meta) echo "meta/$2.json" ;;
	esac
}

while IFS=$'\t' read -r name command; do
	for view in $views search; do write_document "$docs/$name-$view.md" "$name-$view"; done
done <<<"$tools"
write_document "$docs/numpy.md" numpy
write_document "$docs/numpy-mmap.md" numpy-mmap
write_document "$docs/listing.md" listing

# What is right: everything from a mount of its own, copied with dd after it was computed.
mount_corpus "$docs" || fail 'mounts'
ok 'the mount to compare with is indexed' wait_indexed
reference=$MNT
copy_expected() {
	mkdir -p "$expected/$(dirname "$1")" && dd if="$reference/$1" of="$expected/$1" bs=64k status=none
}
mount_corpus "$docs" --noindex || fail 'mounts a second time'

check() {
	local name=$1 path=$2 command=$3 turn
	if ! usable "$name"; then
		skip "$name is not installed ($path)" 2
		return
	fi
	copy_expected "$path"
	# Names are relative, so that what prints them prints the same.
	(cd "$expected" && f=$path copy=$expected/$path work=$work && eval "$command") >"$TMP/right" 2>"$TMP/right.err" </dev/null
	for turn in first again; do
		(cd "$MNT" && f=$path copy=$expected/$path work=$work && eval "$command") >"$TMP/got" 2>"$TMP/got.err" </dev/null
		if cmp -s "$TMP/got" "$TMP/right" && { [ -s "$TMP/right" ] || [ "$name" = file ]; }; then
			pass "$name $path, $turn"
		else
			fail "$name $path, $turn" "$(cmp "$TMP/got" "$TMP/right" 2>&1)" "$(head -c 500 "$TMP/got.err")"
		fi
	done
}

while IFS=$'\t' read -r name command; do
	for view in $views; do check "$name" "$(path_in $view "$name-$view.md")" "$command"; done
done <<<"$tools"

if have_numpy; then
	copy_expected vectors/numpy.md.npy
	for mode in None '"r"'; do
		document=numpy
		[ "$mode" = None ] || document=numpy-mmap
		copy_expected "vectors/$document.md.npy"
		for turn in first again; do
			ok "numpy.load with mmap_mode=$mode, $turn" python3 -c "
import numpy, sys
a = numpy.load(sys.argv[1], mmap_mode=$mode)
b = numpy.load(sys.argv[2])
assert a.dtype == numpy.float32 and a.ndim == 2 and a.shape == b.shape and len(a) > 1 and (a == b).all()" \
				"$MNT/vectors/$document.md.npy" "$expected/vectors/$document.md.npy"
		done
	done
else
	skip 'python3-numpy is not installed' 4
fi

# --- folders as a whole, never opened before: a document each ---
for tool in 'ls -1' 'grep -r -c ""' 'tar cf - --mtime=@0' 'find'; do
	for turn in first again; do
		(cd "$reference/chunks" && eval "$tool listing.md") | sort -a >"$TMP/right" 2>/dev/null || (cd "$reference/chunks" && eval "$tool listing.md") | sort >"$TMP/right"
		(cd "$MNT/chunks" && eval "$tool listing.md") | sort >"$TMP/got"
		is_file "$TMP/got" "$TMP/right" "$tool chunks/listing.md, $turn"
	done
done

# --- search/: a query of its own for each program, on an indexed mount; the names of the results come from a third one ---
unmount_corpus
mount_corpus "$docs" || fail 'mounts a third time'
ok 'that mount is indexed' wait_indexed
while IFS=$'\t' read -r name command; do
	query="search/where was the $name-search seen"
	entry=$(cd "$reference/$query" && ls | head -n 1)
	check "$name" "$query/$entry" "$command"
done <<<"$tools"
for form in .results.jsonl .results.json .context.md; do
	path="search/the harbour wall/$form"
	cat "$reference/$path" >"$TMP/right"
	for turn in first again; do
		cat "$MNT/$path" >"$TMP/got"
		is_file "$TMP/got" "$TMP/right" "cat $form, $turn"
	done
done
done_testing
