"""The records that describe attached files: lists, one, its new name, its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from wavetank import errors
from wavetank.apis import media
from wavetank.apis.attachment import refusals
from wavetank.apis.attachment.limits import check_name
from wavetank.apis.table.call import call_on, compiled_of, readable
from wavetank.apis.table.pages import total_of
from wavetank.behaviour import pipeline
from wavetank.security import attachments as rights

if TYPE_CHECKING:
    from wavetank.database.query import Compiled
    from wavetank.database.store import Row
    from wavetank.instance import Instance
    from wavetank.security.access import Operation
    from wavetank.security.who import Session

TABLE = rights.TABLE
DEFAULT_LIMIT = 1000
# In the order of the recorded records.
KEYS = (
    "size_bytes",
    "file_name",
    "sys_mod_count",
    "average_image_color",
    "image_width",
    "sys_updated_on",
    "sys_tags",
    "table_name",
    "sys_id",
    "image_height",
    "sys_updated_by",
    "download_link",
    "content_type",
    "sys_created_on",
    "size_compressed",
    "compressed",
    "state",
    "table_sys_id",
    "chunk_size_bytes",
    "hash",
    "sys_created_by",
)


def listed(request: Request, instance: Instance, _body: bytes) -> Response:
    """The records that match `sysparm_query`, or the parameters that name fields."""
    session: Session = request.state.session
    call = call_on(request, instance, b"", instance.database.known(TABLE))
    compiled = compiled_of(call, may_read=True)
    limit, offset = call.count("sysparm_limit", DEFAULT_LIMIT), call.count("sysparm_offset", 0)
    names = _Names(instance)
    shown = [
        metadata(request, row, names)
        for row in _page(instance, compiled, limit, offset)
        if rights.allowed(instance, session, "read", TABLE, row)
    ]
    total = total_of(call, compiled, readable(call))
    return answer(request, {"result": shown}, 200, {"X-Total-Count": str(total)})


def one(request: Request, instance: Instance, body: bytes) -> Response:
    """A record: read, renamed, or deleted with its file."""
    method = request.state.meant
    if method in ("GET", "HEAD"):
        return answer(request, {"result": metadata(request, seen(request, instance))})
    if method == "PATCH":
        return _renamed(request, instance, body)
    if method == "DELETE":
        row = changeable(request, instance, "delete")
        pipeline.delete(instance, request.state.session, TABLE, row)
        return Response(status_code=204)
    raise errors.method_refused(method)


def _renamed(request: Request, instance: Instance, body: bytes) -> Response:
    row = changeable(request, instance, "write")
    name = media.record(request.headers.get("content-type", ""), body).get("file_name")
    if not isinstance(name, str) or not name:
        raise refusals.missing_parameters("file_name")
    check_name(instance, name)
    pipeline.update(instance, request.state.session, TABLE, row, {"file_name": name})
    return Response(status_code=204)


def answer(
    request: Request, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response in the format the caller takes."""
    return media.answer(media.wanted(request.headers.get("accept", "")), value, status, headers)


def params_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))


def seen(request: Request, instance: Instance) -> Row:
    """The record of the path. Raises PlatformError 404 when the caller cannot see it."""
    row = instance.database.get(TABLE, request.path_params["sys_id"])
    if row is None or not rights.allowed(instance, request.state.session, "read", TABLE, row):
        raise errors.no_record()
    return row


def changeable(request: Request, instance: Instance, operation: Operation) -> Row:
    """The record of the path, to write or delete it.

    Raises PlatformError 404 when the caller cannot see it, 403 when it may only be read.
    """
    row, session = seen(request, instance), request.state.session
    allowed = rights.allowed(instance, session, operation, TABLE, row)
    if not allowed or not rights.follows(instance, session, operation, row):
        raise errors.write_refused("update" if operation == "write" else operation)
    return row


def address(request: Request, sys_id: str) -> str:
    """Where the file of an attachment is, in the version the caller used."""
    version = "/v1" if request.url.path.startswith("/api/now/v1/") else ""
    host = request.headers.get("host") or request.url.netloc
    return f"{request.url.scheme}://{host}/api/now{version}/attachment/{sys_id}/file"


class _Names:
    """Full names of users by user name, each looked up once."""

    def __init__(self, instance: Instance) -> None:
        self._database = instance.database
        self._known: dict[str, str] = {}

    def of(self, user_name: str) -> str:
        if user_name not in self._known:
            row = self._database.first("sys_user", user_name=user_name)
            self._known[user_name] = row["name"] if row else user_name
        return self._known[user_name]


def metadata(request: Request, row: Mapping[str, str], names: _Names | None = None) -> dict[str, str]:
    """A record as the API shows it."""
    instance: Instance = request.app.state.instance
    denied = instance.access.fields(request.state.session, "read", TABLE, row)
    shown = {key: row.get(key, "") for key in KEYS if key not in denied}
    shown["download_link"] = address(request, row["sys_id"])
    if instance.settings.get("attachment_author_names") == "shown":
        names = names or _Names(instance)
        shown["created_by_name"] = names.of(row["sys_created_by"])
        shown["updated_by_name"] = names.of(row["sys_updated_by"])
    return shown


def _page(instance: Instance, compiled: Compiled, limit: int, offset: int) -> list[Row]:
    """Access controls come after the limit, as in the Table API."""
    names = [name for name in KEYS if name != "download_link"]
    wanted = ", ".join(f't0."{name}"' for name in names)
    where = f"WHERE {compiled.where_sql} {compiled.order_sql} LIMIT ? OFFSET ?"
    sql = f"SELECT {wanted} {compiled.from_sql} {where}"
    rows = instance.database.execute(sql, [*compiled.params, limit, offset]).fetchall()
    return [dict(zip(names, values, strict=True)) for values in rows]
