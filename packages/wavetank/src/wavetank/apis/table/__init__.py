"""The Table API: /api/now/table, /api/now/v1/table and /api/now/v2/table.

ServiceNow docs: "Table API"; shapes and headers as recorded on developer instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from wavetank import errors
from wavetank.apis.endpoint import endpoint
from wavetank.apis.table.call import (
    JSON,
    Call,
    answer,
    call_of,
    compiled_of,
    json_of,
    query_refused,
    readable,
)
from wavetank.apis.table.reading import list_of, record_of
from wavetank.apis.table.writing import create, delete, update
from wavetank.behaviour import late

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.who import Session

__all__ = [
    "JSON",
    "Call",
    "answer",
    "ask",
    "call_of",
    "compiled_of",
    "json_of",
    "query_refused",
    "readable",
    "routes",
]

# By method, and whether the address names a record.
_WRITES = {
    ("POST", False): create,
    ("PUT", True): update,
    ("PATCH", True): update,
    ("DELETE", True): delete,
}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def routes() -> list[Route]:
    """The routes of the API. They need `app.state.instance`, `state.session` and `state.meant`."""
    served = endpoint(lambda request, instance, body: _dispatch(call_of(request, instance, body)))
    return [
        Route(f"/api/now{version}/table/{path}", served, methods=_METHODS)
        for version in ("", "/v1", "/v2")
        for path in ("{table}", "{table}/{sys_id}")
    ]


def ask(
    instance: Instance,
    session: Session,
    method: str,
    table: str,
    sys_id: str = "",
    params: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """What the API answers to this session: the pages of the UI go through it. Raises PlatformError."""
    known = instance.plugins.table(table)
    if known is None:
        raise errors.invalid_table(table)
    return _dispatch(
        Call(
            instance=instance,
            session=session,
            method=method,
            version="",
            table=known,
            sys_id=sys_id,
            base="",
            path="",
            query_string="",
            params=params or {},
            headers={},
            body=body,
        )
    )


def _dispatch(call: Call) -> Response:
    if call.method in {"GET", "HEAD"}:
        return record_of(call) if call.sys_id else list_of(call)
    write = _WRITES.get((call.method, bool(call.sys_id)))
    if write is None:
        raise errors.method_refused(call.method)
    with late.commit(call.instance):
        return write(call)
