"""The Aggregate API: `GET /api/now/stats/{table}`.

ServiceNow docs: "Aggregate API". Counts, groups, and the smallest, largest, sum and mean of fields.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from wavetank import errors
from wavetank.apis import table as table_api
from wavetank.apis.endpoint import endpoint
from wavetank.apis.table.pages import renderer_for
from wavetank.database.query import Compiled
from wavetank.database.references import Column
from wavetank.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wavetank.apis.table import Call

FUNCTIONS = ("avg", "min", "max", "sum")
_ARITHMETIC = frozenset({"avg", "sum"})
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_DIRECTIONS = {"ASC": False, "DESC": True}
Row = tuple[Any, ...]


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


@dataclass(frozen=True, slots=True)
class Having:
    """What a group must satisfy to be told: an aggregate (None: its number of records) against a value."""

    figure: Figure | None
    compare: str
    value: str

    def holds(self, found: Any) -> bool:
        """Whether the group's figure is as wanted; one that cannot be computed never is."""
        if found is None:
            return False
        try:
            return _COMPARED[self.compare](float(found), float(self.value))
        except ValueError:
            return _COMPARED[self.compare](str(found), self.value)


@dataclass(frozen=True, slots=True)
class Order:
    """What groups are sorted by: a field of theirs, an aggregate, or with neither their number of records."""

    path: str
    figure: Figure | None
    descending: bool


def _statistics(call: Call) -> Response:
    instance, table = call.instance, call.table.name
    if not table_api.readable(call):
        raise errors.table_refused(table)
    compiled = table_api.compiled_of(call, may_read=True)
    groups = _columns(compiled, _named(call, "sysparm_group_by"))
    figures = [
        Figure(function, path, column)
        for function in FUNCTIONS
        for path, column in _columns(compiled, _named(call, f"sysparm_{function}_fields")).items()
    ]
    conditions = _havings(call, compiled) if groups else []
    orders = _orders(call, compiled, groups)
    extra = [*(condition.figure for condition in conditions), *(order.figure for order in orders)]
    further = [figure for figure in extra if figure is not None]
    _admit(call, compiled, [*groups, *(figure.path for figure in (*figures, *further))])
    counts = call.flag("sysparm_count")
    if not counts and not figures:
        if instance.settings.get("stats_nothing") == "refused":
            raise PlatformError(400, "No request parameter for aggregate operation specified", "")
        return table_api.answer(call, [] if groups else {"stats": {}})
    measured = [*figures, *further]
    rows = _rows(call, compiled, groups, measured)
    rows = _chosen(rows, len(groups), measured, conditions)
    rows = _sorted(rows, groups, measured, orders)
    shown = [_entry(groups, figures, row, counts=counts) for row in rows]
    if groups:
        _label(call, groups, rows, shown)
    return table_api.answer(call, shown if groups else shown[0])


def _havings(call: Call, compiled: Compiled) -> list[Having]:
    """sysparm_having, `count^priority^>^3,avg^…`; what cannot be read is left out."""
    found = []
    for text in _named(call, "sysparm_having"):
        function, _, rest = text.partition("^")
        path, _, rest = rest.partition("^")
        compare, _, value = rest.partition("^")
        known, figure = _aggregate(compiled, function, path)
        if known and compare in _COMPARED and value:
            found.append(Having(figure, compare, value))
    return found


def _orders(call: Call, compiled: Compiled, groups: dict[str, Column]) -> list[Order]:
    """sysparm_order_by, `AVG^state,COUNT^DESC,state`; what cannot be read is left out."""
    found = []
    for text in _named(call, "sysparm_order_by"):
        parts = text.split("^")
        descending = _DIRECTIONS.get(parts[-1].upper()) if len(parts) > 1 else None
        if descending is not None:
            parts.pop()
        first, path = parts[0], parts[1] if len(parts) > 1 else ""
        known, figure = _aggregate(compiled, first, path)
        if known or first in groups:
            found.append(Order("" if known else first, figure, bool(descending)))
    return found


def _aggregate(compiled: Compiled, function: str, path: str) -> tuple[bool, Figure | None]:
    """Whether there is such an aggregate, and its figure; a count has none."""
    name = function.lower()
    if name == "count":
        return True, None
    column = compiled.source.column(path) if name in FUNCTIONS and path else None
    return column is not None, Figure(name, path, column) if column else None


def _chosen(rows: list[Row], keys: int, measured: list[Figure], conditions: list[Having]) -> list[Row]:
    """The groups that satisfy every condition. A row is its keys, its count, its figures."""

    def place(figure: Figure | None) -> int:
        return keys if figure is None else keys + 1 + measured.index(figure)

    return [row for row in rows if all(each.holds(row[place(each.figure)]) for each in conditions)]


def _sorted(
    rows: list[Row], groups: dict[str, Column], measured: list[Figure], orders: list[Order]
) -> list[Row]:
    paths = list(groups)
    for order in reversed(orders):
        at = len(paths) if order.figure is None else len(paths) + 1 + measured.index(order.figure)
        number = True
        if order.path:
            at, number = paths.index(order.path), groups[order.path].field.is_number
        rows = sorted(rows, key=_sort_key(at, number=number), reverse=order.descending)
    return rows


def _sort_key(at: int, *, number: bool) -> Callable[[Row], tuple[bool, float, str]]:
    """Numbers by size before texts, nothing at all before both."""

    def key(row: Row) -> tuple[bool, float, str]:
        value = row[at]
        if value in (None, ""):
            return False, 0.0, ""
        try:
            return True, float(value) if number else 0.0, str(value)
        except ValueError:
            return True, 0.0, str(value)

    return key


def _label(call: Call, groups: dict[str, Column], rows: list[Row], shown: list[dict[str, Any]]) -> None:
    """Puts what the groups' values look like into the entries, where display values are asked for."""
    mode = call.params.get("sysparm_display_value", "").strip().lower()
    if mode not in ("true", "all"):
        return
    instead = mode == "true" and call.instance.settings.get("stats_display") == "instead"
    renderer = renderer_for(call, list(groups))
    for index, column in enumerate(groups.values()):
        labels = renderer.labels(column, {row[index] or "" for row in rows})
        for entry in shown:
            field = entry["groupby_fields"][index]
            field["display_value"] = labels[field["value"] or ""]
            if instead:
                del field["value"]


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


def _rows(call: Call, compiled: Compiled, groups: dict[str, Column], figures: list[Figure]) -> list[Row]:
    """For each group its values, how many records it has, and its figures."""
    keys = [column.sql for column in groups.values()]
    wanted = ", ".join([*keys, "COUNT(*)", *(figure.sql or "NULL" for figure in figures)])
    grouped = f" GROUP BY {', '.join(keys)} ORDER BY {', '.join(keys)}" if keys else ""
    sql = f"SELECT {wanted} {compiled.source.sql} WHERE {compiled.where_sql}{grouped}"
    rows: list[Row] = call.instance.database.execute(sql, compiled.params).fetchall()
    return rows


def _entry(groups: dict[str, Column], figures: list[Figure], row: Row, *, counts: bool) -> dict[str, Any]:
    stats: dict[str, Any] = {"count": str(row[len(groups)])} if counts else {}
    for figure, value in zip(figures, row[len(groups) + 1 :], strict=False):
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
