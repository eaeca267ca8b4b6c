"""What the Python examples share: a corpusfs mount is read with open()."""

import json
import os


def _component(query):
    """The query as one name under search/: a slash, a percent sign and a first @ or dot would mean something else there."""
    name = query.replace("%", "%25").replace("/", "%2F")
    return "%%%02X%s" % (ord(name[0]), name[1:]) if name[0] in "@." else name


def search(mount, query, *options):
    """The hits for a query, best first, and the same passages as one text with numbered citations.

    `options` are those of docs/mount-views.md, such as "@k=5" or "@in=handbook". Each hit is a row of .results.jsonl.
    """
    if not query.strip():
        raise ValueError("an empty query")
    # The folder is held open, so that both files are of the same results.
    folder = os.open(os.path.join(mount, "search", *options, _component(query)), os.O_RDONLY | os.O_DIRECTORY)

    def read(name):
        with open(name, encoding="utf-8", opener=lambda path, flags: os.open(path, flags, dir_fd=folder)) as file:
            return file.read()

    try:
        hits = [json.loads(line) for line in read(".results.jsonl").split("\n") if line]
        return hits, read(".context.md")
    finally:
        os.close(folder)


def rows(mount, table):
    """The rows of tables/documents.jsonl or tables/chunks.jsonl, one at a time (docs/tables.md)."""
    with open(os.path.join(mount, "tables", table + ".jsonl"), encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def citation(hit):
    """Where a hit stands, for people: "handbook/leave.md:5-9" or "report.pdf, page 3"."""
    if hit["page"]:
        return "%s, page %d" % (hit["path"], hit["page"])
    return "%s:%d-%d" % (hit["path"], *hit["lines"])
