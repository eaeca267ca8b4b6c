"""An MCP server that lets an agent search a corpusfs mount and read what it found."""

import os
import sys

import corpus
from mcp.server.mcpserver import MCPServer

mount = os.path.realpath(sys.argv[1])
server = MCPServer("corpus", instructions="Search the documents, then read around a hit before you rely on it. Cite path and lines.")


@server.tool()
def search(query: str, folder: str = "", k: int = 8) -> str:
    """Passages that answer a query, best first, each with its path and lines. Words in "double quotes" must occur as they stand.

    `folder` limits the search to a folder or a glob, as "handbook" or "*.pdf".
    """
    options = ["@k=%d" % k]
    if folder:
        options.append("@in=" + folder.replace("%", "%25").replace("/", "%2F"))
    return corpus.search(mount, query, *options)[1]


@server.tool()
def read(path: str, first_line: int = 1, lines: int = 200) -> str:
    """Lines of a document's text, by the path and line numbers that search gives."""
    top = os.path.join(mount, "clean")
    name = os.path.realpath(os.path.join(top, path + ".txt"))
    if not name.startswith(top + os.sep):
        raise ValueError("no such document")
    with open(name, encoding="utf-8", newline="\n") as file:
        wanted = range(first_line, first_line + min(lines, 1000))
        return "".join(line for number, line in enumerate(file, 1) if number in wanted)


@server.tool()
def documents(folder: str = "") -> list[dict]:
    """Paths and titles of the documents below a folder, at most 200."""
    below = folder.strip("/") + "/" if folder.strip("/") else ""
    found = ({"path": row["path"], "title": row["title"]} for row in corpus.rows(mount, "documents") if row["chunks"])
    return [row for row, _ in zip((row for row in found if row["path"].startswith(below)), range(200))]


server.run()
