#!/bin/bash
# docs/examples: one DuckDB query over tables/ and vectors/; the line of docs/tables.md that makes Parquet.
# sanitizers: none
. "${0%/*}/lib.sh"
. "${0%/*}/helpers/examples.sh"
need_fuse
need_packages DuckDB
mount_examples
run_example DuckDB
like "$(cat "$TMP/out")" 'handbook/faq.txt .*handbook/leave.md .*text/plain .*0\.[0-9]+ .*Every employee' 'two passages that say the same are found'
cd "$TMP" || exit 2
example_block Parquet 1 "$ROOT/docs/tables.md" >"$TMP/block"
exits 0 'Parquet: the block runs' bash -e "$TMP/block"
cat >"$TMP/compare.py" <<'END'
import json, sys
import pyarrow.parquet as parquet
rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
table = parquet.read_table(sys.argv[2])
assert table.column_names == list(rows[0]), table.schema
assert table.to_pylist() == rows
END
ok 'Parquet: the rows are the same' python3 "$TMP/compare.py" "$HOME/corpus/tables/chunks.jsonl" "$TMP/chunks.parquet"
done_testing
