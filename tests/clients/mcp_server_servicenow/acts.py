"""What is asked of mcp-server-servicenow over standard input and output, as an assistant does. Runs there."""

import asyncio
import atexit
import os
import sys
import threading
from pathlib import Path

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

PROGRAM = str(Path(sys.executable).with_name("mcp-server-servicenow"))
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
servers = {}


def _on_loop(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)


def server(arguments):
    """The running server with these arguments; started with the first that asks."""
    key = tuple(arguments)
    if key not in servers:
        line = [*arguments, "--audit-log", "off"]
        client = Client(StdioTransport(command=PROGRAM, args=line, env=dict(os.environ)))
        _on_loop(client.__aenter__())
        servers[key] = client
    return servers[key]


def tools(arguments):
    """The names of the tools that are offered."""
    return [tool.name for tool in _on_loop(server(arguments).list_tools())]


def call(arguments, tool, words):
    """What a tool answers: its data, or the words of its refusal."""
    answer = _on_loop(server(arguments).call_tool(tool, words, raise_on_error=False))
    text = "".join(part.text for part in answer.content if hasattr(part, "text"))
    return {"failed": answer.is_error, "text": text, "data": answer.structured_content}


@atexit.register
def _end():
    for client in servers.values():
        _on_loop(client.__aexit__(None, None, None))
