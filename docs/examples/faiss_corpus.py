"""The passages nearest to one passage, by FAISS over vectors/. The files are mapped, so that only FAISS holds a copy."""

import os
import sys

import corpus
import faiss
import numpy as np

mount, path, chunk = sys.argv[1], sys.argv[2], int(sys.argv[3])


def matrix(document):
    return np.load(os.path.join(mount, "vectors", document + ".npy"), mmap_mode="r")


query = np.asarray(matrix(path)[chunk - 1 : chunk])
index, places = faiss.IndexFlatIP(query.shape[1]), []
for row in corpus.rows(mount, "documents"):
    if row["chunks"]:
        vectors = matrix(row["path"])
        index.add(vectors)
        places += [(row["path"], i + 1) for i in range(len(vectors))]

for score, place in zip(*(found[0] for found in index.search(query, 5))):
    print("%.2f %s chunk %d" % (score, *places[place]))
