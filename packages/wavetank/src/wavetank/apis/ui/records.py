"""Records and lists for a person to read: `/<table>.do?sys_id=` and `/<table>_list.do`.

What may be read, and how it is shown, is what the Table API answers to the same user.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank.apis import table as table_api
from wavetank.apis.ui import approvals, page, updates
from wavetank.apis.ui.page import link, tag
from wavetank.database.dictionary import Field, Table
from wavetank.errors import PlatformError
from wavetank.instance import Instance
from wavetank.security.sessions import UiSession
from wavetank.updates.unload import SETS

ROWS = 20
COLUMNS = 7
# Columns of a list besides the one that names a record, where a table has them.
_PREFERRED = (
    "number",
    "name",
    "short_description",
    "state",
    "priority",
    "assignment_group",
    "assigned_to",
    "user_name",
    "email",
    "type",
    "active",
    "sys_updated_on",
)


# Tables whose form holds more than what is to be read.
_ACTS = {approvals.TABLE: approvals.question, SETS: updates.actions}


def routes() -> list[Route]:
    """These take every `.do` page that nobody else serves, so they come last."""
    return [Route("/{table}_list.do", _list), Route("/{table}.do", _record)]


async def _record(request: Request) -> Response:
    return _answer(request, _form)


async def _list(request: Request) -> Response:
    return _answer(request, _rows)


def _answer(request: Request, shown: Any) -> Response:
    instance: Instance = request.app.state.instance
    held: UiSession | None = getattr(request.state, "held", None)
    if held is None:
        return page.to_login(request)
    with instance.lock:
        table = instance.plugins.table(request.path_params["table"])
        if table is None:
            return page.show(instance, "Page not found", held=held, status=404)
        try:
            response: Response = shown(instance, held, table, request.query_params)
        except PlatformError as refused:
            return page.refusal(instance, refused, held)
    return response


def _form(instance: Instance, held: UiSession, table: Table, query: Mapping[str, str]) -> Response:
    record = _read(instance, held, table, query.get("sys_id", "") or "-1")
    title = record.get(table.display, {}).get("display_value") or table.label
    filled = [(name, value) for name, value in record.items() if value["display_value"]]
    filled.sort(key=lambda each: each[0].startswith("sys_"))  # what the platform keeps for itself comes last
    empty = sorted(_label(table, name) for name, value in record.items() if not value["display_value"])
    row = instance.database.get(table.name, record["sys_id"]["value"])
    acts = _ACTS.get(table.name)
    return page.show(
        instance,
        f"{table.label} {title}" if title != table.label else title,
        tag("p", link(f"/{table.name}_list.do", f"List of {table.label}")),
        acts(instance, held, row) if acts and row else "",
        page.table((_label(table, name), _shown(table.fields[name], value)) for name, value in filled),
        tag("details", tag("summary", f"{len(empty)} empty fields"), tag("p", ", ".join(empty))),
        held=held,
    )


def _rows(instance: Instance, held: UiSession, table: Table, query: Mapping[str, str]) -> Response:
    wanted = query.get("sysparm_query", "")
    text = query.get("sysparm_first_row", "1")
    first = max(int(text), 1) if text.isdecimal() and len(text) < 12 else 1
    names = _columns(table)
    params = {
        "sysparm_query": wanted or "ORDERBYDESCsys_updated_on",
        "sysparm_fields": ",".join(("sys_id", *names)),
        "sysparm_limit": str(ROWS),
        "sysparm_offset": str(first - 1),
    }
    answer = _get(instance, held, table, "", params)
    total = int(answer.headers.get("X-Total-Count", "0"))
    rows = [_line(table, names, row) for row in msgspec.json.decode(answer.body)["result"]]
    around = [
        ("Earlier rows", first - ROWS, first > 1),
        ("Further rows", first + ROWS, first + ROWS <= total),
    ]
    steps = [
        tag(
            "p",
            link(f"/{table.name}_list.do", label, sysparm_query=wanted, sysparm_first_row=str(max(at, 1))),
        )
        for label, at, there in around
        if there
    ]
    count = f"{total} in all; from row {first}" + (f", where {wanted}" if wanted else "")
    above = updates.import_link() if table.name == SETS else ""
    heads = tuple(_label(table, name) for name in names)
    return page.show(
        instance, table.label, above, tag("p", count), page.table(rows, heads), *steps, held=held
    )


def _line(table: Table, names: tuple[str, ...], row: Mapping[str, Any]) -> tuple[page.Part, ...]:
    first, *rest = names
    sys_id = row["sys_id"]["value"]
    named = row.get(first, {}).get("display_value") or sys_id
    cells = [_shown(table.fields[name], row[name]) if name in row else "" for name in rest]
    return (link(f"/{table.name}.do", named, sys_id=sys_id), *cells)


def _columns(table: Table) -> tuple[str, ...]:
    found = dict.fromkeys([table.display, *(name for name in _PREFERRED if name in table.fields)])
    return tuple(name for name in found if name in table.fields)[:COLUMNS]


def _shown(field: Field, value: Mapping[str, Any]) -> page.Part:
    text = str(value["display_value"] or "")
    leads = field.type == "reference" and field.key == "sys_id" and text and value["value"]
    return link(f"/{field.reference}.do", text, sys_id=value["value"]) if leads else text


def _label(table: Table, name: str) -> str:
    return table.fields[name].label


def _read(instance: Instance, held: UiSession, table: Table, sys_id: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = msgspec.json.decode(_get(instance, held, table, sys_id, {}).body)[
        "result"
    ]
    return found


def _get(
    instance: Instance, held: UiSession, table: Table, sys_id: str, params: Mapping[str, str]
) -> Response:
    shape = {"sysparm_display_value": "all", "sysparm_exclude_reference_link": "true"}
    return table_api.ask(instance, held.who, "GET", table.name, sys_id, {**shape, **params})
