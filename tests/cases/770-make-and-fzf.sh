#!/bin/bash
# docs/examples: a pipeline of Make with verify and eval as gates; a shell script with fzf.
# sanitizers: none
. "${0%/*}/lib.sh"
. "${0%/*}/helpers/examples.sh"
mkdir -p "$TMP/bin" && ln -s "$PROGRAM" "$TMP/bin/corpusfs" && PATH=$TMP/bin:$PATH
if have make; then
	make_documents "$HOME/docs"
	settle_documents
	run_example Make
	ok 'Make: the documents are published' test -s "$HOME/published/clean/handbook/leave.md.txt" -a -s "$HOME/published/tables/chunks.jsonl"
	run_example Make
	like "$(cat "$TMP/out")" '0 documents written' 'Make: and the next run writes nothing'
	# A document that answers a query is gone: retrieval is worse, and nothing is published.
	rm "$HOME/docs/report.pdf"
	cd "$EXAMPLES_FOLDER" || exit 2
	exits 2 'Make: a gate that fails ends it' bash -e "$TMP/block"
	cd "$TMP" || exit 2
	like "$(cat "$TMP/err")" 'evaluate' 'Make: by the gate of retrieval'
	ok 'Make: what is published stays as it was' test -s "$HOME/published/clean/report.pdf.txt"
else
	skip 'make is not installed' 8
fi
rm -rf "$HOME/docs"
need_fuse
need fzf
mount_examples
FZF_DEFAULT_OPTS=--filter=manager
export FZF_DEFAULT_OPTS
run_example fzf
like "$(cat "$TMP/out")" '^[0-9]+-leave.md-0001.txt:[0-9]+:.*manager' 'fzf: the line is found among the best passages'
unlike "$(cat "$TMP/out")" 'ships before noon' 'fzf: and others are not shown'
done_testing
