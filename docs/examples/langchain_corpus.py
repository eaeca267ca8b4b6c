"""A LangChain retriever and a document loader over a corpusfs mount."""

import sys

import corpus
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever


class CorpusRetriever(BaseRetriever):
    """Passages for a query, best first, by search/ of the mount: keywords and vectors together."""

    mount: str
    k: int = 5
    options: tuple[str, ...] = ()

    def _get_relevant_documents(self, query, *, run_manager):
        hits, _ = corpus.search(self.mount, query, "@k=%d" % self.k, *self.options)
        return [
            Document(
                id="%s#%d" % (hit["path"], hit["chunk"]),
                page_content=hit["text"],
                metadata={"source": hit["path"], "citation": corpus.citation(hit), "score": hit["score"]},
            )
            for hit in hits
        ]


class CorpusLoader(BaseLoader):
    """Every chunk of the corpus, for a vector store or an index of your own."""

    def __init__(self, mount):
        self.mount = mount

    def lazy_load(self):
        for row in corpus.rows(self.mount, "chunks"):
            yield Document(
                id="%s#%d" % (row["path"], row["chunk"]),
                page_content=row["text"],
                metadata={"source": row["path"], "page": row["page"], "heading": " > ".join(row["heading"]), "sha256": row["sha256"]},
            )


if __name__ == "__main__":
    mount, query = sys.argv[1:]
    for document in CorpusRetriever(mount=mount, k=3).invoke(query):
        print("%(score).2f %(citation)s" % document.metadata, document.page_content[:60].split("\n")[0])
    print(sum(1 for _ in CorpusLoader(mount).lazy_load()), "chunks can be loaded")
