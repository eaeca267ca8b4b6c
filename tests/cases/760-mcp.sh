#!/bin/bash
# docs/examples: the MCP server, spoken to by the protocol's own client.
# sanitizers: none
. "${0%/*}/lib.sh"
. "${0%/*}/helpers/examples.sh"
need_fuse
need_packages MCP
mount_examples
echo 'not in the documents' >"$TMP/outside.txt" # ../../outside, from clean/ of the mount
example_block MCP >"$TMP/block"
cat >"$TMP/client.py" <<'END'
import asyncio, sys
from mcp import Client, StdioServerParameters

async def main():
    async with Client(StdioServerParameters(command="bash", args=["-e", sys.argv[1]], cwd=sys.argv[2], env={"HOME": sys.argv[3], "PATH": sys.argv[4]})) as client:
        async def call(name, **arguments):
            result = await client.call_tool(name, arguments)
            return result.is_error, "\n".join(part.text for part in result.content)
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"search", "read", "documents"}, tools
        assert all(tool.description for tool in tools.values())
        error, text = await call("search", query="how much parental leave do I get", folder="handbook", k=2)
        assert not error and "sixteen weeks" in text and "handbook/leave.md, lines 1-9" in text, text
        error, text = await call("read", path="handbook/leave.md", first_line=3, lines=3)
        assert not error and text.startswith("## Parental leave\n") and "Sick" not in text, text
        error, text = await call("documents", folder="handbook")
        assert not error and "handbook/leave.md" in text and "add.c" not in text, text
        for path in ("../../outside", "/etc/passwd", "../../../../../../../../etc/hostname", "handbook/none.md", ""):
            error, text = await call("read", path=path)
            assert error, (path, text)
        for query in ("", " ", "x" * 2000):
            error, text = await call("search", query=query)
            assert error, (query, text)
        error, text = await call("search", query="a/b/../.. %2F leave")
        assert not error, text
asyncio.run(asyncio.wait_for(main(), 100))
END
ok 'an agent searches and reads, and gets nothing else' python3 "$TMP/client.py" "$TMP/block" "$EXAMPLES_FOLDER" "$HOME" "$PATH"
ok 'it is short' test "$(wc -l <"$EXAMPLES_FOLDER/mcp_server.py")" -lt 150
done_testing
