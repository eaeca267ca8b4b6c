#!/bin/sh
# pick.sh MOUNT QUERY: choose among the lines of the fifty best passages by fuzzy matching, with the whole passage beside them.
cd "$1/search/@k=50/$2" || exit 2
grep -Hn . -- * | fzf --delimiter : --preview 'cat {1}'
