#!/bin/bash
# docs/examples: the retriever and the reader for LlamaIndex, with LlamaIndex.
# sanitizers: none
. "${0%/*}/lib.sh"
. "${0%/*}/helpers/examples.sh"
need_fuse
need_packages LlamaIndex
mount_examples
run_example LlamaIndex
like "$(head -n 1 "$TMP/out")" '^[0-9.]+ handbook/(leave.md:1-9 # Leave|faq.txt:1-2 Every employee)' 'the best passage comes first, with its place'
like "$(tail -n 1 "$TMP/out")" '^[0-9]+ documents can be loaded' 'the reader gives documents'

cat >"$TMP/engine.py" <<'END'
import os, sys
sys.path.insert(0, sys.argv[1])
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llamaindex_corpus import CorpusReader, CorpusRetriever
mount = sys.argv[2]
answer = RetrieverQueryEngine.from_args(CorpusRetriever(mount, k=3), llm=MockLLM()).query("parental leave")
assert "sixteen weeks" in answer.source_nodes[0].text, answer
for document in CorpusReader(mount).load_data():
    clean = open(os.path.join(mount, "clean", document.id_ + ".txt"), encoding="utf-8", newline="").read()
    assert document.text == clean, document.id_
END
ok 'it serves a query engine, and a document is its clean text' python3 "$TMP/engine.py" "$EXAMPLES_FOLDER" "$HOME/corpus"
done_testing
