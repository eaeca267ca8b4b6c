"""A LlamaIndex retriever and a reader over a corpusfs mount."""

import itertools
import sys

import corpus
from llama_index.core.readers.base import BaseReader
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import Document, NodeWithScore, TextNode


class CorpusRetriever(BaseRetriever):
    """Passages for a query, best first, by search/ of the mount: keywords and vectors together."""

    def __init__(self, mount, k=5, options=()):
        super().__init__()
        self._mount, self._options = mount, ("@k=%d" % k, *options)

    def _retrieve(self, query_bundle):
        hits, _ = corpus.search(self._mount, query_bundle.query_str, *self._options)
        return [
            NodeWithScore(
                node=TextNode(
                    id_="%s#%d" % (hit["path"], hit["chunk"]),
                    text=hit["text"],
                    metadata={"path": hit["path"], "citation": corpus.citation(hit)},
                ),
                score=hit["score"],
            )
            for hit in hits
        ]


class CorpusReader(BaseReader):
    """Every document of the corpus as a whole: its chunks, in order, are its text."""

    def __init__(self, mount):
        self._mount = mount

    def lazy_load_data(self):
        for path, chunks in itertools.groupby(corpus.rows(self._mount, "chunks"), lambda row: row["path"]):
            yield Document(id_=path, text="".join(row["text"] for row in chunks), metadata={"path": path})


if __name__ == "__main__":
    mount, query = sys.argv[1:]
    for found in CorpusRetriever(mount, k=3).retrieve(query):
        print("%.2f" % found.score, found.metadata["citation"], found.text[:60].split("\n")[0])
    print(sum(1 for _ in CorpusReader(mount).lazy_load_data()), "documents can be loaded")
