#!/bin/bash
# docs/examples: the retriever and the document loader for LangChain, with LangChain.
# sanitizers: none
. "${0%/*}/lib.sh"
. "${0%/*}/helpers/examples.sh"
need_fuse
need_packages LangChain
mount_examples
run_example LangChain
like "$(head -n 1 "$TMP/out")" '^[0-9.]+ handbook/(leave.md:1-9 # Leave|faq.txt:1-2 Every employee)' 'the best passage comes first, with its place'
is "$(tail -n 1 "$TMP/out")" "$(find "$HOME/corpus/chunks/" -name '*.txt' -type f | wc -l) chunks can be loaded" 'the loader gives every chunk'

# In the chain that it is made for, and with a query that is no plain name.
cat >"$TMP/chain.py" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from langchain_core.runnables import RunnableLambda
from langchain_corpus import CorpusLoader, CorpusRetriever
mount = sys.argv[2]
chain = CorpusRetriever(mount=mount, k=2, options=("@in=handbook",)) | RunnableLambda(lambda found: [d.metadata["source"] for d in found])
for query in ("parental leave", "a/b parental leave 100%", "@k=1 parental leave", ".leave", "%2F leave"):
    found = chain.invoke(query)
    assert found and all(path.startswith("handbook/") for path in found), (query, found)
loaded = {d.id: d for d in CorpusLoader(mount).load()}
assert "sixteen weeks" in loaded["handbook/leave.md#1"].page_content
END
ok 'it is a part of a chain, whatever the query' python3 "$TMP/chain.py" "$EXAMPLES_FOLDER" "$HOME/corpus"
done_testing
