"""A service that answers a question with passages and citations, ready for a prompt."""

import os

import corpus
from fastapi import FastAPI, HTTPException, Query

app = FastAPI(title="passages")
mount = os.environ["CORPUS"]


@app.get("/passages")
def passages(q: str = Query(min_length=1, max_length=1000), budget: int = Query(default=2000, ge=1, le=100000)):
    """`context` goes into the prompt as it is; its numbers [1], [2] are those of the headings in it. `budget` is in tokens."""
    try:
        hits, context = corpus.search(mount, q, "@budget=%d" % budget)
    except (OSError, ValueError) as error:
        raise HTTPException(status_code=400, detail=str(error)) from error
    return {
        "context": context,
        "sources": [{"path": hit["path"], "citation": corpus.citation(hit), "score": hit["score"]} for hit in hits],
    }
