"""Answers that are made while they are sent: a long list never lies in memory as a whole.

A transaction that outlives its quota while its answer is under way has sent its status already. What then
follows was recorded: the list is cut behind a comma and the error stands beside it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CANCELLED = "Transaction cancelled: maximum execution time exceeded"
# The key of a request's state: until when its transaction may last, on the clock of time.perf_counter.
DEADLINE = "deadline"


class Streamed(Response):
    """`{"result":[…]}` as JSON. Each of `chunks` is a piece of the list: JSON texts with commas between.

    `more` is what stands after the list, "" or beginning with a comma. A HEAD takes no chunk at all.
    """

    def __init__(
        self, chunks: Iterator[bytes], headers: Mapping[str, str], media_type: str, more: bytes = b""
    ) -> None:
        super().__init__(None, 200, dict(headers), media_type)
        del self.headers["content-length"]
        self._chunks = chunks
        self._more = more

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's
        """Raises what `send` raises when the caller is gone; nothing more is read then."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        deadline = scope.get("state", {}).get(DEADLINE)
        before, end = b'{"result":[', b"]" + self._more + b"}"
        for chunk in self._chunks:
            await send({"type": "http.response.body", "body": before + chunk, "more_body": True})
            before = b","
            if deadline is not None and time.perf_counter() > deadline:
                before, end = b"", cut()
                break
        if before == b",":
            before = b""
        await send({"type": "http.response.body", "body": before + end})


def cut() -> bytes:
    """What ends a list that is cancelled under way, after its last whole row."""
    error = {"message": CANCELLED, "detail": f"{CANCELLED}. Check logs for error trace."}
    return b',],"error":' + msgspec.json.encode(error) + b',"status":"failure"}'
