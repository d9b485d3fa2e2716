"""The Aggregate API: `GET /api/now/stats/{table}`.

ServiceNow docs: "Aggregate API". Counts, groups, and the smallest, largest, sum and mean of fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from wavetank import errors
from wavetank.apis import table as table_api
from wavetank.apis.endpoint import endpoint
from wavetank.database.query import Compiled, compile_query
from wavetank.database.references import Column
from wavetank.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wavetank.apis.table import Call

FUNCTIONS = ("avg", "min", "max", "sum")
_ARITHMETIC = frozenset({"avg", "sum"})
_UNBUILT = ("sysparm_having", "sysparm_order_by")


def routes() -> list[Route]:
    """The routes of the API. They need `request.app.state.instance` and `request.state.session`."""
    answer = endpoint(lambda request, instance, _: _statistics(table_api.call_of(request, instance, b"")))
    return [Route(f"/api/now{version}/stats/{{table}}", answer) for version in ("", "/v1", "/v2")]


@dataclass(frozen=True, slots=True)
class Figure:
    """One aggregate of one field."""

    function: str
    path: str
    column: Column

    @property
    def sql(self) -> str | None:
        """The aggregate; empty fields do not count. None where there is nothing to compute with."""
        given = f"NULLIF({self.column.sql}, '')"
        if self.column.field.is_number:
            return f"{self.function.upper()}(CAST({given} AS NUMERIC))"
        return None if self.function in _ARITHMETIC else f"{self.function.upper()}({given})"


def _statistics(call: Call) -> Response:
    unbuilt = [name for name in _UNBUILT if call.params.get(name)]
    if unbuilt or call.params.get("sysparm_display_value", "").lower() not in ("", "false"):
        raise PlatformError(400, "Not built", "wavetank has no having, order or display values in statistics")
    instance, table = call.instance, call.table.name
    compiled = compile_query(instance.dictionary, table, table_api.query_of(call), table_api.context_of(call))
    groups = _columns(compiled, _named(call, "sysparm_group_by"))
    figures = [
        Figure(function, path, column)
        for function in FUNCTIONS
        for path, column in _columns(compiled, _named(call, f"sysparm_{function}_fields")).items()
    ]
    _admit(call, compiled, [*groups, *(figure.path for figure in figures)])
    counts = call.flag("sysparm_count")
    if not counts and not figures:
        if instance.settings.get("stats_nothing") == "refused":
            raise PlatformError(400, "No request parameter for aggregate operation specified", "")
        return table_api.answer(call, [] if groups else {"stats": {}})
    rows = _rows(call, compiled, groups, figures)
    shown = [_entry(groups, figures, row, counts=counts) for row in rows]
    return table_api.answer(call, shown if groups else shown[0])


def _named(call: Call, parameter: str) -> list[str]:
    asked = (each.strip() for each in call.params.get(parameter, "").split(","))
    return list(dict.fromkeys(filter(None, asked)))


def _columns(compiled: Compiled, paths: Iterable[str]) -> dict[str, Column]:
    """The columns by path; a path that leads nowhere is left out, as a query drops such a field."""
    found = ((path, compiled.source.column(path)) for path in paths)
    return {path: column for path, column in found if column is not None}


def _admit(call: Call, compiled: Compiled, paths: list[str]) -> None:
    """Raises PlatformError 403 when the table, a field or one of the rows is not the caller's to read."""
    access, session, table = call.instance.access, call.session, call.table.name
    if not table_api.readable(call):
        raise errors.table_refused(table)
    table_api.check_query(call, compiled)
    if access.query_fields(session, table, paths):
        raise table_api.query_refused(call)
    if call.instance.settings.get("stats_hidden_rows") == "counted":
        return
    if not access.needs_row(session, "read", table):
        return
    class_sql = 't0."sys_class_name"' if call.table.shared else "''"
    sql = f'SELECT t0."sys_id", {class_sql} {compiled.source.sql} WHERE {compiled.where_sql}'
    for sys_id, name in call.instance.database.execute(sql, compiled.params):
        if not access.row(session, "read", table, {"sys_id": sys_id, "sys_class_name": name}):
            raise errors.table_refused(table)


def _rows(
    call: Call, compiled: Compiled, groups: dict[str, Column], figures: list[Figure]
) -> list[tuple[Any, ...]]:
    """For each group its values, how many records it has, and its figures."""
    keys = [column.sql for column in groups.values()]
    wanted = ", ".join([*keys, "COUNT(*)", *(figure.sql or "NULL" for figure in figures)])
    grouped = f" GROUP BY {', '.join(keys)} ORDER BY {', '.join(keys)}" if keys else ""
    sql = f"SELECT {wanted} {compiled.source.sql} WHERE {compiled.where_sql}{grouped}"
    rows: list[tuple[Any, ...]] = call.instance.database.execute(sql, compiled.params).fetchall()
    return rows


def _entry(
    groups: dict[str, Column], figures: list[Figure], row: tuple[Any, ...], *, counts: bool
) -> dict[str, Any]:
    stats: dict[str, Any] = {"count": str(row[len(groups)])} if counts else {}
    for figure, value in zip(figures, row[len(groups) + 1 :], strict=True):
        stats.setdefault(figure.function, {})[figure.path] = _text(figure.function, value)
    if not groups:
        return {"stats": stats}
    fields = [{"field": path, "value": value} for path, value in zip(groups, row, strict=False)]
    return {"stats": stats, "groupby_fields": fields}


def _text(function: str, value: Any) -> str:
    """Figures are text; a mean has four decimals."""
    if value is None:
        return ""
    return f"{value:.4f}" if function == "avg" else str(value)
