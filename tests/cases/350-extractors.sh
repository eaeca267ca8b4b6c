#!/bin/bash
# Programs that a user names for kinds of files: what they give, how they fail, what they may not do, and when their files are read anew.
. "${0%/*}/lib.sh"
docs=$TMP/docs bin=$TMP/bin rules=$TMP/extractors
mkdir -p "$docs" "$bin" "$TMP/other"
chmod 755 "$TMP" "$bin"
printf 'a quiet harbour\n' >"$docs/sea.shout"
printf 'one\ntwo\n' >"$docs/list.lines"
for kind in hang crash net open garbage endless status silent missing; do printf 'text of %s\n' $kind >"$docs/x.$kind"; done
printf 'plain\n' >"$docs/plain.txt"
printf 'not for every program\n' >"$TMP/other/secret"
chmod 755 "$TMP/other" && chmod 644 "$TMP/other/secret"

# program NAME: a script from standard input. The shell's own commands only: nothing else may be started.
program() {
	cat >"$bin/$1"
	chmod 755 "$bin/$1"
}
program lines <<'END'
#!/bin/bash
echo '# Lines'
echo
while read -r line; do echo "- $line"; done
END
program hang <<'END'
#!/bin/bash
while read -r line; do echo "$line"; done
exec sleep 100
END
program crash <<'END'
#!/usr/bin/perl
print "begun";
print unpack 'p', pack 'J', 1; # reads where there is nothing
END
program net <<'END'
#!/bin/bash
exec 3<>/dev/udp/127.0.0.1/9 && echo connected || echo 'no network'
END
program open <<END
#!/bin/bash
read -r line <"$TMP/other/secret"
echo "got: \$line"
echo hello >"$TMP/other/written" && echo written || echo 'not written'
END
program garbage <<'END'
#!/bin/bash
printf 'text \xff\xfe\x00\x81\n'
END
program endless <<'END'
#!/bin/bash
while :; do echo 'on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on'; done
END
program status <<'END'
#!/bin/bash
echo 'half a text'
exit 7
END
program silent <<'END'
#!/bin/bash
exit 0
END
cat >"$rules" <<END
# what    output    program
.shout    text      tr a-z A-Z
.lines    markdown  $bin/lines
.hang     text      $bin/hang
.crash    text      $bin/crash
.net      text      $bin/net
.open     text      $bin/open
.garbage  text      $bin/garbage
.endless  text      $bin/endless
.status   text      $bin/status
.silent   text      $bin/silent
.missing  text      no-such-program-anywhere
END

settle_documents
exits 0 'index with extractors' "$PROGRAM" index --extractors="$rules" "$docs"
exits 0 'export shows what they gave' "$PROGRAM" export --extractors="$rules" "$docs" "$TMP/out1"
is "$(cat "$TMP/out1/clean/sea.shout.txt")" 'A QUIET HARBOUR' 'a program of the system'
is "$(cat "$TMP/out1/clean/list.lines.txt")" $'# Lines\n\n- one\n- two' 'a script, as Markdown'
like "$(cat "$TMP/out1/meta/list.lines.json")" '"Lines"' 'whose headings are headings'
is "$(cat "$TMP/out1/clean/plain.txt.txt")" plain 'other files are read as ever'
is "$("$bin/net" 2>&1)" connected 'outside of the sandbox there is one'
is "$(cat "$TMP/out1/clean/x.net.txt")" 'no network' 'a program gets no network'
code() {
	grep -o '"code": *"[^"]*"' "$TMP/out1/meta/x.$1.json" | sed 's/.*"\([^"]*\)"$/\1/'
}
if "$PROGRAM" doctor | grep -q landlock; then
	is "$(cat "$TMP/out1/clean/x.open.txt")" $'got:\nnot written' 'and opens no other file'
else
	skip 'this kernel has no Landlock'
fi
ok 'and writes none' test ! -e "$TMP/other/written"
is "$(code hang)" stuck 'one that hangs is stopped'
is "$(code crash)" crashed 'one that crashes'
is "$(code garbage)" no-utf8 'one that prints garbage'
is "$(code endless)" too-large 'one that prints without end'
is "$(code status)" program-failed 'one that fails'
like "$(cat "$TMP/out1/meta/x.status.json")" 'ended with status 7' 'with its status'
is "$(code silent)" no-text 'one that prints nothing'
is "$(code missing)" no-program 'one that is not installed'

exits 1 'doctor misses a program' "$PROGRAM" doctor --extractors="$rules"
like "$(cat "$TMP/out")" '^ok +extractor \.shout +/.*/tr' 'names those that are there'
like "$(cat "$TMP/out")" '^lacks +extractor \.missing +no-such-program-anywhere: not found' 'and those that are not'

# --- when files are read anew ----------------------------------------------------------------------------------------
# computed: documents that the last index worked on, those that may pass aside.
rm "$docs"/x.*
sed -i '/bin\/lines/!{/shout/!d}' "$rules"
"$PROGRAM" index --extractors="$rules" "$docs" >/dev/null
exits 0 'index once more' "$PROGRAM" index --extractors="$rules" "$docs"
like "$(cat "$TMP/out")" ': 0 computed' 'computes nothing'
sed -i 's/# Lines/# All lines/' "$bin/lines"
exits 0 'index after a change of one program' "$PROGRAM" index --extractors="$rules" "$docs"
like "$(cat "$TMP/out")" ': 1 computed, 2 unchanged' 'reads its file anew, and no other'
exits 0 'a search finds the new text' "$PROGRAM" search --extractors="$rules" --mode=keyword "$docs" all lines
like "$(cat "$TMP/out")" 'list\.lines' 'in the file'
sed -i 's/A-Z$/A-Y/' "$rules"
exits 0 'index after a change of arguments' "$PROGRAM" index --extractors="$rules" "$docs"
like "$(cat "$TMP/out")" ': 1 computed, 2 unchanged' 'reads that file anew'
exits 0 'index without the file of extractors' "$PROGRAM" index "$docs"
like "$(cat "$TMP/out")" ': 2 computed, 1 unchanged' 'reads both as built-in kinds'
mkdir -p "$HOME/.config/corpusfs"
cp "$rules" "$HOME/.config/corpusfs/extractors"
exits 0 'index with the file where a user keeps it' "$PROGRAM" index "$docs"
like "$(cat "$TMP/out")" ': 2 computed, 1 unchanged' 'reads both by program'

# --- errors ----------------------------------------------------------------------------------------------------------
# wrong LINE MESSAGE
wrong() {
	printf '# a comment\n\n%s\n' "$1" >"$TMP/wrong"
	exits 2 "refused: $1" "$PROGRAM" index --extractors="$TMP/wrong" "$docs"
	is "$(cat "$TMP/err")" "corpusfs: $TMP/wrong:3: $2" 'with one line that says why'
}
usage='write PATTERN text PROGRAM [ARGUMENT...] or PATTERN markdown PROGRAM [ARGUMENT...]'
wrong '.x' "$usage"
wrong '.x text' "$usage"
wrong '.x html tr' "$usage"
wrong 'x text tr' 'x: write an extension (.djvu) or a media type (image/png, image/*)'
wrong '.x text bin/tr' "bin/tr: write the program's whole path, or its name alone"
exits 2 'a file that is not there' "$PROGRAM" index --extractors="$TMP/nowhere" "$docs"
is "$(cat "$TMP/err")" "corpusfs: $TMP/nowhere: No such file or directory; name a file of extractors with --extractors" 'is named'

need_fuse
mount_corpus "$docs" --extractors="$rules"
is "$(cat "$MNT/clean/list.lines.txt")" $'# All lines\n\n- one\n- two' 'a mount uses them too'
sed -i 's/# All lines/# No lines/' "$bin/lines"
is "$(cat "$MNT/clean/list.lines.txt")" $'# All lines\n\n- one\n- two' 'as they were when it began'
done_testing
