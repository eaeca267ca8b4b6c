#!/bin/bash
# Two users, three groups, one mount with allow_other: neither sees anything of what the other alone may read, in any view, not even a count.
# sanitizers: none
. "${0%/*}/lib.sh"
need_fuse
need python3 setpriv
[ "$(id -u)" -eq 0 ] || skip_all 'not root: other users cannot be tried'
PATH=/usr/bin:$PATH # one that other users may run
docs=$TMP/docs
mkdir -p "$docs"
chmod 755 "$TMP" "$docs"

# Users 6001 (groups 7001, 7003) and 6002 (group 7002), a third who may read next to nothing. Each secret has a word that stands nowhere else.
document() {
	local path=$1 owner=$2 mode=$3 word=$4
	mkdir -p "$(dirname "$docs/$path")"
	printf '# %s report\n\nThe %s of the harbour is described here. Shared words: lighthouse keeper.\n' "$word" "$word" >"$docs/$path"
	chown "$owner" "$docs/$path"
	chmod "$mode" "$docs/$path"
}
document public.txt 0:0 644 everybodyword
document anna-own.txt 6001:0 600 annaownword
document anna-group.txt 0:7001 640 annagroupword
document anna-extra.txt 0:7003 640 annaextraword
document bert-own.txt 6002:0 400 bertownword
document bert-group.txt 0:7002 040 bertgroupword
document anna-folder/inside.txt 0:0 644 annafolderword
document bert-folder/deep/inside.md 0:0 644 bertfolderword
document root-only.txt 0:0 600 rootonlyword
# The owner's bits count for the owner, even when the group's would allow more.
document bert-denied.txt 6002:7002 070 berdeniedword
# A list whose mask looks, in the mode, like a right of anna's group; the list itself gives it to another.
document list.txt 0:7001 600 listword
list=''
if command -v setfacl >/dev/null && setfacl -m g:7009:r "$docs/list.txt" 2>/dev/null; then
	list=$(stat -c %a "$docs/list.txt")
fi
printf '%%PDF-1.4\nbroken' >"$docs/bert-broken.pdf" && chown 6002:0 "$docs/bert-broken.pdf" && chmod 600 "$docs/bert-broken.pdf"
printf '\211PNG\r\n\032\n' >"$docs/bert-photo.png" && chown 6002:0 "$docs/bert-photo.png" && chmod 600 "$docs/bert-photo.png"
# The same text under a name of each.
printf 'One text, twin twinword, under two names.\n' | tee "$docs/anna-twin.txt" >"$docs/bert-twin.txt"
chown 6001:0 "$docs/anna-twin.txt" && chown 6002:0 "$docs/bert-twin.txt" && chmod 600 "$docs"/*-twin.txt
chown 0:7001 "$docs/anna-folder" && chmod 750 "$docs/anna-folder"
chown 6002:0 "$docs/bert-folder" && chmod 700 "$docs/bert-folder"

as() {
	local who=$1
	shift
	case $who in
	anna) setpriv --reuid=6001 --regid=6001 --groups=7001,7003 "$@" ;;
	bert) setpriv --reuid=6002 --regid=6002 --groups=7002 "$@" ;;
	nobody) setpriv --reuid=6003 --regid=6003 --clear-groups "$@" ;;
	root) "$@" ;;
	esac
}

mount_corpus "$docs" -o allow_other
ok 'indexed' wait_indexed
settle_documents
wait_indexed

# What each sees: every name, every readable byte, every result and attribute of a search, in one file. Root goes first and between, so that
# whatever is kept for one is there to be shown to another.
cat >"$TMP/look.py" <<'END'
import json, os, sys
mount = sys.argv[1]
words = sys.argv[2].split()
for top, folders, files in os.walk(mount):
    print("FOLDER", top, sorted(folders))
    for name in sorted(files):
        path = os.path.join(top, name)
        try:
            st = os.lstat(path)
            print("FILE", path, st.st_size)
            with open(path, "rb") as file:
                print(file.read())
        except OSError as error:
            print("REFUSED", path, error.strerror)
for word in words + ["lighthouse keeper", "anna-twin", "bert-twin", "bert-own", "harbour report", "twin"]:
    for options in ("", "@mode=keyword/", "@mode=vector/", "@k=50/@per=5/"):
        folder = os.path.join(mount, "search", options + word)
        for name in sorted(os.listdir(folder)) + [".results.jsonl", ".results.json", ".context.md", ".explain.json"]:
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    text = file.read().decode(errors="replace")
                print("RESULT", options, word, name, len(text), text if name != ".explain.json" else json.dumps(json.loads(text)))
                for attribute in os.listxattr(os.path.join(folder, name)):
                    print(attribute, os.getxattr(os.path.join(folder, name), attribute))
            except OSError as error:
                print("REFUSED", name, error.strerror)
for path in ["public.txt", "anna-own.txt", "bert-own.txt", "anna-twin.txt", "bert-twin.txt", "bert-folder/deep/inside.md"]:
    try:
        for name in sorted(os.listdir(os.path.join(mount, "similar", path))) + [".results.jsonl"]:
            with open(os.path.join(mount, "similar", path, name), "rb") as file:
                print("SIMILAR", path, name, file.read())
    except OSError as error:
        print("REFUSED similar", path, error.strerror)
END
chmod 644 "$TMP/look.py"
all='everybodyword annaownword annagroupword annaextraword bertownword bertgroupword annafolderword bertfolderword rootonlyword berdeniedword listword twinword'
for who in root anna bert nobody root bert anna; do
	as "$who" python3 "$TMP/look.py" "$MNT" "$all" >"$TMP/seen.$who" 2>"$TMP/seen.$who.err" || fail "$who looks at everything" "$(tail -n 3 "$TMP/seen.$who.err")"
done

# The question itself stands in .explain.json and so on; what must not come is the text around the word.
text_of() { grep -c "The $1 of the harbour" "$TMP/seen.$2"; }
sees() { isnt "$(text_of "$2" "$1")" 0 "$1 sees $2"; }
hides() { is "$(text_of "$2" "$1")" 0 "$1 sees nothing of $2"; }
for word in everybodyword annaownword annagroupword annaextraword annafolderword; do sees anna $word; done
for word in bertownword bertgroupword bertfolderword rootonlyword berdeniedword listword; do hides anna $word; done
for word in everybodyword bertownword bertgroupword bertfolderword; do sees bert $word; done
for word in annaownword annagroupword annaextraword annafolderword rootonlyword berdeniedword; do hides bert $word; done
sees nobody everybodyword
for word in annaownword annagroupword annaextraword annafolderword bertownword bertgroupword bertfolderword rootonlyword; do hides nobody $word; done
for word in $all; do [ "$word" = twinword ] || sees root "$word"; done

if [ -n "$list" ]; then
	is "$list $(stat -c %a "$MNT/raw/list.txt" "$MNT/clean/list.txt.txt" | tr '\n' ' ')" '640 400 400 ' 'a list gives nobody a right that it does not name'
	ok 'and the file can be read by its owner' cmp "$docs/list.txt" "$MNT/raw/list.txt"
else
	skip 'no access control lists here: it takes setfacl and a file system that has them' 2
fi

# Names that a folder's listing shows are no secret, as in the source: only what is in the results, reports and texts is looked at here.
derived() { grep -Ev '^(FOLDER|FILE|REFUSED)' "$TMP/seen.$1"; }
is "$(derived anna | grep -c 'bert-[a-z]*\.')" 0 'no text, result or report of anna names a file of bert'
is "$(derived bert | grep -c 'anna-[a-z]*\.')" 0 'nor the other way round'
isnt "$(derived anna | grep -c 'anna-twin\.txt')" 0 'a text that both have is shown under the own name'
is "$(grep -v '^REFUSED similar' "$TMP/seen.anna" | grep -c 'bert-folder/deep')" 0 'nothing below a closed folder is named at all'
is "$(derived nobody | grep -c 'twin twinword')" 0 'and to a third it is not shown'
is "$(as anna python3 -c 'import json,sys; print(sum("bert" in l for l in open(sys.argv[1])))' "$MNT/search/bert-twin/.results.jsonl")" 0 'asked for by the name that the other gave it, it comes under the own name'

# --- counts ---
count_of() { as "$1" python3 -c 'import json,sys; f=json.load(open(sys.argv[1]+"/status/status.json")); print(f["files"]["known"], f["files"]["ok"], f["files"]["skipped"], f["files"]["failed"], f["documents"], f["chunks"])' "$MNT"; }
is "$(count_of anna)" '6 6 0 0 6 6' 'anna is told the counts of what anna may read'
is "$(count_of bert)" '7 5 1 1 5 5' 'bert those of bert'
is "$(count_of nobody)" '1 1 0 0 1 1' 'a third that of what everybody may'
is "$(count_of root)" '15 13 1 1 12 12' 'root all of them'
is "$(as bert cat "$MNT/status/errors.jsonl" | wc -l)" 1 'bert has an error'
is "$(as anna cat "$MNT/status/errors.jsonl" "$MNT/status/skipped.jsonl" | wc -c)" 0 'of which anna is told nothing'
like "$(as anna cat "$MNT/status/metrics")" 'corpusfs_files 6' 'the metrics are the own ones'
unlike "$(as anna cat "$MNT/status/metrics" "$MNT/status/status.json")" 'store_bytes|searches_total|generation|looked_at|current|map_bytes' 'without what all have in common'
unlike "$(as anna cat "$MNT/search/lighthouse keeper/.explain.json")" 'coverage|scored_by|generation' 'nor does a search tell'
like "$(cat "$MNT/search/lighthouse keeper/.explain.json")" '"coverage"' 'as it tells root'

# --- tables ---
exec 9<"$MNT/tables/documents.jsonl" 8<"$MNT/tables/chunks.jsonl" # root's, open meanwhile
rows_of() { as "$1" cat "$MNT/tables/documents.jsonl" | wc -l; as "$1" cat "$MNT/tables/chunks.jsonl" | wc -l; }
is "$(rows_of anna | tr '\n' ' ')" '6 6 ' 'anna has the rows of what anna may read'
is "$(rows_of bert | tr '\n' ' ')" '7 5 ' 'bert those of bert'
is "$(rows_of nobody | tr '\n' ' ')" '1 1 ' 'a third that of what everybody may'
is "$(rows_of root | tr '\n' ' ')" '15 13 ' 'root all of them'
exec 9<&- 8<&-

# --- a file becomes secret ---
chmod 600 "$docs/public.txt"
ok 'a file that becomes secret is gone from searches' until_true 20 eval '! as anna cat "$MNT/search/everybodyword/.results.jsonl" | grep -q "The everybodyword"'
fails 'and from clean/' as anna cat "$MNT/clean/public.txt.txt"
is "$(as anna cat "$MNT/tables/chunks.jsonl" | grep -c everybodyword)" 0 'and from tables/'
chmod 644 "$docs/public.txt"
ok 'and comes back' until_true 20 eval 'as anna cat "$MNT/search/everybodyword/.results.jsonl" | grep -q "The everybodyword"'
ok 'unmounts' unmount_corpus
done_testing
