"""Tables and vectors in one query: passages of different documents that say nearly the same."""

import os
import sys

import corpus
import duckdb
import numpy as np
import pyarrow as pa

mount = sys.argv[1]
documents = duckdb.read_json(os.path.join(mount, "tables/documents.jsonl"))
chunks = duckdb.read_json(os.path.join(mount, "tables/chunks.jsonl"))

# Row i of vectors/PATH.npy is chunk i + 1 of PATH.
paths = [row["path"] for row in corpus.rows(mount, "documents") if row["chunks"]]
parts = [np.load(os.path.join(mount, "vectors", path + ".npy"), mmap_mode="r") for path in paths]
matrix = np.concatenate(parts)
vectors = pa.table(
    {
        "path": np.repeat(paths, [len(part) for part in parts]),
        "chunk": np.concatenate([np.arange(1, len(part) + 1) for part in parts]),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1]),
    }
)

# DuckDB finds `documents`, `chunks` and `vectors` by the names of the variables.
print(
    duckdb.sql("""
        SELECT a.path, b.path AS other, d.media_type, round(array_cosine_similarity(a.vector, b.vector), 2) AS cosine, left(c.text, 40) AS text
        FROM vectors a
        JOIN vectors b ON a.path < b.path
        JOIN chunks c ON c.path = a.path AND c.chunk = a.chunk
        JOIN documents d ON d.path = a.path
        ORDER BY cosine DESC, a.path, other
        LIMIT 5
    """)
)
