"""What pages of the platform ask about tables: which there are, and the columns of one.

None of it is documented. Shapes are those that public clients read: `/api/now/doc/table/schema` (all
tables, or the columns of one) and `/api/now/ui/meta/{table}`. Unlike the Table API they answer with real
booleans and numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank import errors
from wavetank.apis import media
from wavetank.apis.endpoint import undocumented

if TYPE_CHECKING:
    from wavetank.database.dictionary import Field, Table
    from wavetank.instance import Instance
    from wavetank.security.who import Session


def routes() -> list[Route]:
    """The routes of the API. They need `request.app.state.instance` and `request.state.session`."""
    return [
        Route("/api/now/doc/table/schema", undocumented(_tables), methods=["GET"]),
        Route("/api/now/doc/table/schema/{table}", undocumented(_schema), methods=["GET"]),
        Route("/api/now/ui/meta/{table}", undocumented(_meta), methods=["GET"]),
    ]


def _tables(request: Request, instance: Instance, _body: bytes) -> Response:
    """Every table that the caller may read, by label."""
    session: Session = request.state.session
    found = [
        {"label": table.label, "value": table.name, "reference": False}
        for table in instance.dictionary
        if instance.plugins.table(table.name) is not None
        and instance.access.table(session, "read", table.name)
    ]
    return _answer(request, sorted(found, key=lambda each: (str(each["label"]).lower(), each["value"])))


def _schema(request: Request, instance: Instance, _body: bytes) -> Response:
    columns = _columns(request, instance)
    if instance.settings.get("table_schema") == "list":
        short = [{"label": each["label"], "value": each["name"]} | each for each in columns.values()]
        return _answer(request, short)
    return _answer(request, {"columns": columns})


def _meta(request: Request, instance: Instance, _body: bytes) -> Response:
    return _answer(request, {"columns": _columns(request, instance)})


def _answer(request: Request, result: Any) -> Response:
    return media.answer(media.wanted(request.headers.get("accept", "")), {"result": result})


def _columns(request: Request, instance: Instance) -> dict[str, dict[str, Any]]:
    """The columns that the caller may read, inherited ones included, by name.

    Raises PlatformError 400 for no table, 403 for one that is closed or not the caller's to read.
    """
    name = request.path_params["table"]
    table = instance.plugins.table(name)
    if table is None:
        raise errors.invalid_table(name)
    session: Session = request.state.session
    if not instance.access.table(session, "read", name):
        raise errors.table_refused(name)
    denied = instance.access.fields(session, "read", name, None)
    return {
        field.name: _column(instance, table, field)
        for field in sorted(table.fields.values(), key=lambda each: each.name)
        if field.name not in denied
    }


def _column(instance: Instance, table: Table, field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": field.name,
        "label": field.label,
        "type": field.type,
        "max_length": field.max_length,
        "mandatory": field.mandatory,
        "read_only": field.read_only,
        "default": field.default,
        "base_table": field.table,
    }
    if field.reference:
        target = instance.dictionary.table(field.reference)
        shown["reference"] = field.reference
        shown["reference_display_field"] = target.display if target else "sys_id"
    if field.choice:
        known = instance.behaviour.choices.find(table.name, field.name)
        active = [each for each in known.choices if not each.inactive] if known else []
        shown["choices"] = [{"value": each.value, "label": each.label} for each in active]
    return shown
