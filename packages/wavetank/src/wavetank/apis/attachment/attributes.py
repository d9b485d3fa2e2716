"""The attributes of an attachment: keys and values that anybody who may write it puts there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from wavetank import errors
from wavetank.apis import media
from wavetank.apis.attachment import refusals
from wavetank.apis.attachment.records import answer, changeable, seen
from wavetank.behaviour import pipeline
from wavetank.database.attachments import ATTRIBUTES

if TYPE_CHECKING:
    from wavetank.database.store import Row
    from wavetank.instance import Instance


def all_of(request: Request, instance: Instance, body: bytes) -> Response:
    """Every attribute of an attachment: read, one more, or none any longer."""
    method = request.state.meant
    if method in ("GET", "HEAD"):
        attachment = seen(request, instance)["sys_id"]
        return answer(request, {"result": [_shown(row) for row in _find(instance, attachment)]})
    attachment = changeable(request, instance, "write")["sys_id"]
    if method == "POST":
        return _added(request, instance, attachment, body)
    for row in _find(instance, attachment):
        pipeline.delete(instance, request.state.session, ATTRIBUTES, row)
    return Response(status_code=204)


def one(request: Request, instance: Instance, body: bytes) -> Response:
    """One attribute: read, changed, or deleted."""
    method, key = request.state.meant, request.path_params["key"]
    if method in ("GET", "HEAD"):
        return answer(request, {"result": _shown(_get(instance, seen(request, instance), key))})
    row = _get(instance, changeable(request, instance, "write"), key)
    if method == "DELETE":
        pipeline.delete(instance, request.state.session, ATTRIBUTES, row)
        return Response(status_code=204)
    if method != "PUT":
        raise errors.method_refused(method)
    values = _given(request, body, "value")
    changed = pipeline.update(instance, request.state.session, ATTRIBUTES, row, values)
    return answer(request, {"result": _shown(changed)})


def _added(request: Request, instance: Instance, attachment: str, body: bytes) -> Response:
    values = _given(request, body, "key", "value")
    if _find(instance, attachment, key=values["key"]):
        raise refusals.attribute_exists(values["key"])
    values = {"attachment": attachment, **values}
    row = pipeline.insert(instance, request.state.session, ATTRIBUTES, values)
    return answer(request, {"result": _shown(row)}, 201)


def _given(request: Request, body: bytes, *names: str) -> dict[str, str]:
    """The named fields of a body. Raises PlatformError 400 when one is missing or is no text."""
    given = media.record(request.headers.get("content-type", ""), body)
    missing = [name for name in names if not isinstance(given.get(name), str) or not given[name]]
    if missing:
        raise refusals.missing_parameters(*missing)
    return {name: given[name] for name in names}


def _get(instance: Instance, attachment: Mapping[str, str], key: str) -> Row:
    found = _find(instance, attachment["sys_id"], key=key)
    if not found:
        raise errors.no_record()
    return found[0]


def _find(instance: Instance, attachment: str, **more: str) -> list[Row]:
    return instance.database.find(ATTRIBUTES, attachment=attachment, **more)


def _shown(row: Mapping[str, str]) -> dict[str, str]:
    return {"key": row["key"], "value": row["value"]}
