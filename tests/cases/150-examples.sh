#!/bin/bash
# The examples of the README and of the manual do what they say: every command of them is run, on a folder that has what they name.
. "${0%/*}/lib.sh"
need_fuse
need python3 pdftotext
have_numpy || skip_all 'python3-numpy is not installed'
make_documents "$HOME/docs"
mkdir -p "$HOME/corpus" "$TMP/bin"
ln -s "$PROGRAM" "$TMP/bin/corpusfs"
export PATH=$TMP/bin:$PATH
register_mount 0 "$HOME/corpus"

# The process behind a mount puts its store down after unmount returned where it cannot be waited for.
settle() {
	until_true 20 eval '! pgrep -f "mount .*$HOME/docs"'
}

run_lines() {
	local title=$1 line
	while IFS= read -r line; do
		ok "$title: $line" bash -c "cd '$ROOT' && $line"
		case $line in
		*' mount '*) wait_indexed "$HOME/corpus" ;;
		*' unmount '*) settle ;;
		esac
	done
}

# Fences marked sh are run; the first block of the README comes after quickstart has mounted.
fenced() {
	awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside && NF' "$1"
}
exits 0 'the documents are mounted' corpusfs mount "$HOME/docs" "$HOME/corpus"
wait_indexed "$HOME/corpus"
run_lines README < <(fenced "$ROOT/README.md")
run_lines manual < <(awk '/^\.Bd -literal/ { inside = 1; next } /^\.Ed/ { inside = 0 } inside && /^(corpusfs|cat|grep) /' "$ROOT/docs/corpusfs.1")
ok 'nothing is left mounted' eval '! is_mounted "$HOME/corpus"'

# What the documents point to is there.
for document in README.md $(cd "$ROOT" && ls docs/*.md docs/*/*.md); do
	for target in $(grep -o '](\([^)]*\))' "$ROOT/$document" | sed 's/](\(.*\))/\1/; s/#.*//' | grep -v '^http' | grep -F .); do
		ok "$document points to $target" test -e "$ROOT/$(dirname "$document")/$target"
	done
done

# The manual and the program name the same options.
for verb in mount index search status verify export eval; do
	for option in $("$PROGRAM" help $verb | sed -n 's/^ .*--\([a-z_]*\).*/\1/p'); do
		ok "the manual has --$option of $verb" grep -Eq "(Fl|,) -$option|Fl f , -$option" "$ROOT/docs/corpusfs.1"
	done
done
if have mandoc; then
	ok 'the manual is well-formed' mandoc -Tlint -W warning "$ROOT/docs/corpusfs.1"
else
	skip 'mandoc is not installed'
fi
done_testing
