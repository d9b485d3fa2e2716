"""The HTTP protocol of the server, with the one thing ASGI hides: the connection itself.

Faults close or reset connections, so the request's scope carries the transport.
"""

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "wavetank.transport"


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol; every scope names its transport."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"transport": self.transport}}


def drop(scope: Mapping[str, Any], *, reset: bool = False) -> None:
    """Closes the request's connection without an answer: an orderly end, or a TCP reset.

    Raises LookupError when the server runs on a foreign protocol (an in-memory test client).
    """
    transport: asyncio.Transport = scope["extensions"][EXTENSION]["transport"]
    if not reset:
        transport.close()
        return
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
