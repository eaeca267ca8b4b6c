# shellcheck shell=bash
# For the cases 7NN: blocks of docs/examples/README.md are run as they stand, with docs/examples as the folder, ~/docs mounted at ~/corpus, and
# an environment of Python under build/examples/ that keeps what their pip lines install.

EXAMPLES_FOLDER=$ROOT/docs/examples
export PYTHONDONTWRITEBYTECODE=1 PIP_RETRIES=1

# example_block HEADING [N]: the Nth block of shell (the first) under "## HEADING".
example_block() {
	awk -v heading="## $1" -v wanted="${2:-1}" '/^## / { here = $0 == heading } /^```sh$/ { inside = here && ++number == wanted; next }
		/^```/ { inside = 0 } inside' "${3:-$EXAMPLES_FOLDER/README.md}"
}

# need_packages HEADING: what the block's pip line names is installed, from the registry at the first run. Not in CI, where it would be fetched
# each time, unless EXAMPLES is set.
need_packages() {
	[ -z "${CI:-}" ] || [ -n "${EXAMPLES:-}" ] || skip_all "packages of $1 are not fetched in CI without EXAMPLES=1"
	need python3
	local folder=$ROOT/build/examples
	mkdir -p "$folder"
	exec 7>"$folder/lock"
	flock 7
	# Of the system's Python, if there is one: a container or another user may not be let into the home of another.
	[ -x "$folder/venv/bin/pip" ] || PATH=/usr/bin:$PATH python3 -m venv "$folder/venv" >"$TMP/venv" 2>&1 || skip_all "python3 -m venv: $(tail -n 1 "$TMP/venv")"
	PATH=$folder/venv/bin:$PATH
	timeout 600 bash -c "$(example_block "$1" | grep '^pip install')" >"$TMP/pip" 2>&1 </dev/null ||
		skip_all "packages of $1 cannot be installed: $(tail -n 1 "$TMP/pip")"
	flock -u 7
}

# mount_examples: makes ~/docs and mounts it at ~/corpus.
mount_examples() {
	make_documents "$HOME/docs"
	printf 'Every employee may take sixteen weeks of parental leave.\nAsk the manager eight weeks before.\n' >"$HOME/docs/handbook/faq.txt"
	settle_documents
	mount_corpus "$HOME/docs" || return
	ln -s "$MNT" "$HOME/corpus"
	wait_indexed
}

# run_example HEADING [N]: runs the block; its output is in $TMP/out and $TMP/err.
run_example() {
	example_block "$@" >"$TMP/block"
	ok "$1: the README has the block" test -s "$TMP/block"
	cd "$EXAMPLES_FOLDER" || return
	exits 0 "$1: the block runs" bash -e "$TMP/block"
	cd "$TMP" || return
}
