"""Files that come in, as a bare body or as a form; nothing of them is held but what is being looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from wavetank import errors
from wavetank.apis.attachment import limits, refusals
from wavetank.apis.attachment.form import Form, Unreadable
from wavetank.apis.attachment.records import TABLE, address, answer, metadata, params_of
from wavetank.behaviour import pipeline
from wavetank.clock import FORMAT
from wavetank.clock import parse as moment
from wavetank.database import attachments as contents
from wavetank.database.attachments import Spool, TooBig
from wavetank.security import attachments as rights
from wavetank.security import virus_scan

if TYPE_CHECKING:
    from wavetank.database.store import Row
    from wavetank.instance import Instance
    from wavetank.security.who import Session

NEEDED = ("table_name", "table_sys_id", "file_name")
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file goes and what it is called there."""

    table_name: str
    table_sys_id: str
    file_name: str
    content_type: str
    created: str = ""


Receive = Callable[[Request, "Instance"], Awaitable[Response]]


def _guarded(receive: Receive) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await receive(request, request.app.state.instance)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it

    return endpoint


@_guarded
async def binary(request: Request, instance: Instance) -> Response:
    """The body is the file; the URL says where it goes."""
    place = _place(request, instance)
    _check(instance, request.state.session, place)
    _check_length(request, instance)
    spool = Spool(limits.max_size(instance))
    try:
        async for piece in request.stream():
            _take(spool, piece)
        return _attached(request, instance, place, spool)
    finally:
        spool.close()


@_guarded
async def form(request: Request, instance: Instance) -> Response:
    """A form names the place, and its last part is the file."""
    session: Session = request.state.session
    spool = Spool(limits.max_size(instance))
    found: list[Place] = []

    def begin(fields: dict[str, str], file_name: str, content_type: str) -> None:
        given = {**fields, "file_name": file_name}
        found.append(_place_of(given, content_type or UNKNOWN_TYPE))
        _check(instance, session, found[-1])

    try:
        reader = Form(request.headers.get("content-type", ""), begin, lambda data: _take(spool, data))
        async for piece in request.stream():
            reader.feed(piece)
        reader.end()
        if not found:
            raise refusals.file_missing()
        return _attached(request, instance, found[0], spool)
    except Unreadable as error:
        raise refusals.file_missing() from error
    finally:
        spool.close()


def _place(request: Request, instance: Instance) -> Place:
    given = params_of(request)
    content_type = request.headers.get("content-type", "")
    if not content_type and instance.settings.get("attachment_content_type") == "needed":
        raise refusals.missing_parameters("Content-Type")
    return _place_of(given, content_type or UNKNOWN_TYPE)


def _place_of(given: dict[str, str], content_type: str) -> Place:
    missing = [name for name in NEEDED if not given.get(name)]
    if missing:
        raise refusals.missing_parameters(*missing)
    created = given.get("creation_time", "")
    try:
        created = moment(created).strftime(FORMAT) if created else ""
    except ValueError as error:
        raise refusals.bad_moment(created) from error
    return Place(given["table_name"], given["table_sys_id"], given["file_name"], content_type, created)


def _check(instance: Instance, session: Session, place: Place) -> None:
    """Raises PlatformError unless this session may attach this file there."""
    with instance.lock:
        attachment = {"table_name": place.table_name, "table_sys_id": place.table_sys_id}
        if rights.target(instance, attachment) is None or not rights.follows(
            instance, session, "read", attachment
        ):
            raise errors.no_record()
        limits.check_role(instance, session)
        if not rights.allowed(instance, session, "create", TABLE, {"sys_class_name": TABLE}):
            raise errors.write_refused("insert")
        if not rights.follows(instance, session, "write", attachment):
            raise errors.write_refused("insert")
        limits.check_name(instance, place.file_name)


def _check_length(request: Request, instance: Instance) -> None:
    """Refuses what says beforehand that it is too large, unread."""
    said, allowed = request.headers.get("content-length", ""), limits.max_size(instance)
    if said.isdecimal() and int(said) > allowed:
        raise errors.too_large(int(said), allowed)


def _take(spool: Spool, data: bytes) -> None:
    try:
        spool.write(data)
    except TooBig as error:
        raise errors.too_large(error.size, error.allowed) from error


def _attached(request: Request, instance: Instance, place: Place, spool: Spool) -> Response:
    content = spool.finish()
    if not content.size and instance.settings.get("attachment_empty") == "refused":
        raise refusals.file_missing()
    with instance.lock:
        # Looked at again: while the file came in, its record may have gone.
        _check(instance, request.state.session, place)
        row = _stored(instance, request.state.session, place, content, spool)
        headers = {"Location": address(request, row["sys_id"])}
        return answer(request, {"result": metadata(request, row)}, 201, headers)


def _stored(
    instance: Instance, session: Session, place: Place, content: contents.Content, spool: Spool
) -> Row:
    values = {
        "table_name": place.table_name,
        "table_sys_id": place.table_sys_id,
        "file_name": place.file_name,
        "content_type": place.content_type,
        "size_bytes": str(content.size),
        "size_compressed": str(content.compressed),
        "compressed": "true",
        "chunk_size_bytes": str(contents.CHUNK),
        "hash": content.hash,
        "state": virus_scan.PENDING,
        **({"sys_created_on": place.created} if place.created else {}),
    }
    with instance.database.transaction():
        row = pipeline.insert(instance, session, TABLE, values)
        contents.keep(instance.database, row["sys_id"], spool)
    virus_scan.later(instance, row["sys_id"])
    return row
