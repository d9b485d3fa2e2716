"""An attached file, sent piece by piece."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from wavetank.apis.attachment.records import metadata, seen
from wavetank.database.attachments import Reader

if TYPE_CHECKING:
    from wavetank.instance import Instance

_UNQUOTABLE = re.compile(r'[^ -~]|["\\]')
_NO_HEADER = re.compile(r"[^\t -~\xa0-\xff]")


def file(request: Request, instance: Instance, _body: bytes) -> Response:
    """The file itself, with its record in a header."""
    row = seen(request, instance)
    reader = Reader(instance.database, row["sys_id"], compressed=row["compressed"] != "false")
    headers = {
        "content-type": _NO_HEADER.sub("", row["content_type"]) or "application/octet-stream",
        "content-disposition": disposition(row["file_name"]),
        "x-attachment-metadata": json.dumps(metadata(request, row), separators=(",", ":")),
    }
    packed = _packed(request, row)
    if packed:
        headers["content-encoding"] = "gzip"
    if request.method == "HEAD":
        return Response(status_code=200, headers=headers)
    return Download(_pieces(instance, reader, packed=packed), 200, headers)


def _packed(request: Request, row: Mapping[str, str]) -> bool:
    """Whether the file goes out as it is kept: compressed, for those who take that."""
    return row["compressed"] != "false" and "gzip" in request.headers.get("accept-encoding", "")


class Download(StreamingResponse):
    """A response sent as it is read. That the caller has gone is noticed by sending, not by listening."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.stream_response(send)


async def _pieces(instance: Instance, reader: Reader, *, packed: bool) -> AsyncIterator[bytes]:
    while True:
        with instance.lock:
            piece = reader.next_piece()
        if not piece:
            return
        for step in (piece,) if packed else reader.unpacked(piece):
            if step:
                yield step


def disposition(name: str) -> str:
    """The header that names a file, for old readers and, percent-encoded, for those that know RFC 5987."""
    plain = _UNQUOTABLE.sub("_", name)
    return f"attachment;filename=\"{plain}\";filename*=UTF-8''{quote(name, safe='')}"
