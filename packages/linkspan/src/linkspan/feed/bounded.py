"""Everything of a table between two bounds, though rows hide, pages fail and the table goes on changing.

Pages follow a key (a time and the sys_id), never an offset. Three things make the end of a sweep hard to
know, and each is answered here:

- The limit is applied before access controls (ServiceNow docs: Table API, sysparm_limit), so a page may be
  short or empty with more behind it. A sweep ends only where the instance counts nothing more. An empty
  page with rows counted in it is cut in two by time, then by sys_id, until what is left fits one page:
  then all of it is hidden. No offset is used, so rows that leave meanwhile shift nothing out of sight.
  (The count holds hidden rows, measured on a developer instance. Where it does not, an empty page that
  counts rows has visible ones behind hidden ones; one larger page tells the two apart, once a sweep.)
- An instance may return fewer rows than asked for. A page counts as large as one has been seen to be.
- A page can be too heavy (the platform cancels a transaction after 60 s, sometimes with status 200). It is
  asked for again in halves; a single row that cannot be read is named and passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from linkspan.connection import Connection, Page, key_of
from linkspan.core import query
from linkspan.core.clock import parse_platform_time, platform_time
from linkspan.core.errors import BadReply, LinkspanError

MOST = 1000
# Every instance is taken to return at least so many rows when it is asked for them.
SURE = 100
LARGEST = 10_000
IDS = 50  # sys_ids of one request: 33 characters each, far below the 8 kB limit of a URL
GROW_AFTER = 3
EARLIEST = "1970-01-01 00:00:00"
# Errors that fewer rows may cure.
TOO_MUCH = frozenset(
    {"transaction_cancelled", "cut_reply", "too_large", "bad_reply", "html", "timeout", "server_error"}
)
_HEX = frozenset("0123456789abcdef")
_LAST = "f" * 32

Row = dict[str, str]
Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Poison:
    """A row that the instance cannot return, however little is asked for."""

    key: Key
    reason: str


@dataclass(frozen=True, kw_only=True)
class Pages:
    """What one step of a sweep brought. ``reached`` is the key up to which everything was read."""

    rows: list[Row]
    reached: Key
    poison: Poison | None = None


class PageSize:
    """How many rows are asked for at once: halved when a page fails, doubled when several worked."""

    def __init__(self, now: int = MOST, *, most: int = MOST) -> None:
        self.most = most
        self.now = max(1, min(now, most))
        self.proven = 0
        self._worked = 0

    def failed(self) -> bool:
        """Ask for less; False when it cannot be less."""
        self._worked = 0
        if self.now == 1:
            return False
        self.now = max(1, self.now // 2)
        return True

    def worked(self, rows: int) -> None:
        """A page came back with so many rows."""
        self.proven = max(self.proven, rows)
        self._worked += 1
        if self._worked >= GROW_AFTER and self.now < self.most:
            self.now, self._worked = min(self.most, self.now * 2), 0

    @property
    def covers(self) -> int:
        """So many rows fit into one page for certain."""
        return min(self.now, max(self.proven, SURE))


@dataclass(frozen=True, kw_only=True)
class Span:
    """Keys from ``low`` (exclusive) to ``high`` (inclusive). An empty sys_id is before all others.

    ``high[1]`` None means every sys_id of that second.
    """

    low: Key
    high: tuple[str, str | None]
    order: tuple[str, str] = ("sys_updated_on", "sys_id")

    def condition(self) -> str:
        """The span as one part of an encoded query."""
        first, second = self.order
        until = self.high
        terms = [query.after(self.order, self.low), query.term(first, "<=", until[0])]
        if until[1] is not None:
            earlier = query.term(first, "<", until[0])
            terms.append(query.any_of(earlier, query.term(second, "<=", until[1])))
        return query.all_of(*terms)

    def after(self, key: Key) -> Span:
        """What is left behind ``key``."""
        return replace(self, low=key)

    def halves(self) -> tuple[Span, Span]:
        """The span cut in two. Not for a single key."""
        start, end = parse_platform_time(self.low[0]), parse_platform_time(self.high[0])
        if end > start:
            middle = start + (end - start) // 2
            left = replace(self, high=(platform_time(middle), None))
            return left, replace(self, low=(platform_time(middle + 1), ""))
        least, last = self._ids()
        cut = format(least + (last - least) // 2, "032x")
        return replace(self, high=(self.high[0], cut)), replace(self, low=(self.low[0], cut))

    @property
    def is_single(self) -> bool:
        """Whether it holds one key at most, as far as sys_ids are the platform's own."""
        least, last = self._ids()
        return self.low[0] >= self.high[0] and last - least <= 1

    def _ids(self) -> tuple[int, int]:
        least = int(_digits(self.low[1]).ljust(32, "0"), 16)
        return least, int(_digits(self.high[1] or _LAST).ljust(32, "f"), 16)


def sweep(
    connection: Connection,
    table: str,
    *,
    span: Span,
    fields: Sequence[str],
    condition: str = "",
    size: PageSize | None = None,
) -> Iterator[Pages]:
    """All visible rows of ``table`` in ``span`` that match ``condition``, in order of the key, none twice.

    ``fields`` must hold both fields of the key. Rows that change meanwhile may leave the span; nothing
    else is lost. Raises BadReply with code filter_ignored or order_ignored when rows come that were not
    asked for, NotAuthorized when a field of the key may not be read, and what the line raises.
    """
    size = size or PageSize()
    todo: list[tuple[Span, bool]] = [(span, False)]
    hidden = _Hidden(connection, table, condition)
    while todo:
        here, counted = todo.pop()
        asked = size.now
        page, poison = _read(connection, table, here, fields, condition, size, counted=counted)
        if poison is not None:
            yield Pages(rows=[], reached=poison.key, poison=poison)
            todo.append((here.after(poison.key), True))
            continue
        rows = [row for row in page.rows if row]
        if rows:
            _require_order(table, rows, here)
            reached = key_of(table, rows[-1], here.order)
            yield Pages(rows=rows, reached=reached)
            if page.total is None or page.total > len(rows):
                # Counting costs the instance; it is asked when the end may be near.
                todo.append((here.after(reached), len(rows) < asked))
        elif page.total is None:
            if counted:
                raise _uncounted(table)
            todo.append((here, True))
        elif page.total:
            todo += hidden.behind(here, page.total, size.covers)


class _Hidden:
    """Where to look further when a page is empty and rows are counted. For one sweep."""

    def __init__(self, connection: Connection, table: str, condition: str) -> None:
        self._connection = connection
        self._table = table
        self._condition = condition
        self._cut: set[Span] = set()
        self._counts_hidden: bool | None = None

    def behind(self, span: Span, total: int, covers: int) -> list[tuple[Span, bool]]:
        """Parts of ``span`` that may show rows, last one first; none when all that is counted is hidden.

        A page of ``covers`` rows of it was empty. Raises BadReply (code count_wrong) when there is no room
        for what is counted.
        """
        if total <= covers:
            if self._counts_hidden is None:
                self._counts_hidden = not self._shows(span)
            if self._counts_hidden:
                return []
        if span.is_single or span in self._cut:
            raise BadReply(
                f"{self._table}: {total} rows are counted where there is no room for them",
                where=self._table,
                code="count_wrong",
                fix="run again; if it stays, the instance counts without regard to the query",
            )
        self._cut.add(span)
        if self._counts_hidden is False:
            return [(half, True) for half in reversed(span.halves())]
        return self._parts(span, total, covers)

    def _shows(self, span: Span) -> bool:
        """Whether a page as large as an instance gives shows anything of the span."""
        condition = query.restrict(self._condition, span.condition())
        text = query.all_of(condition, query.order_by(*span.order))
        page = self._connection.table.page(
            self._table, query=text, fields=span.order, limit=LARGEST, counted=False
        )
        return any(page.rows)

    def _parts(self, span: Span, total: int, covers: int) -> list[tuple[Span, bool]]:
        """The span cut so that its first part fits into one page. Where nothing is counted is left out."""
        parts: list[tuple[Span, bool]] = []
        end = span.high
        while total > covers and not span.is_single:
            left, right = span.halves()
            condition = query.restrict(self._condition, left.condition())
            inside = count(self._connection, self._table, condition)
            if not inside:
                span = right  # its first page is the hidden one still
            elif inside >= total:
                span = left  # nothing seems to be behind it, so what is there joins the part that is next
            else:
                parts.append((replace(right, high=end), True))
                span, total, end = left, inside, left.high
        return [*parts, (replace(span, high=end), True)]


def count(connection: Connection, table: str, condition: str) -> int:
    """How many rows the instance counts, those included that the account may not see.

    Raises BadReply when it does not tell.
    """
    total = connection.table.page(table, query=condition, fields=("sys_id",), limit=1).total
    if total is None:
        raise _uncounted(table)
    return total


def _uncounted(table: str) -> BadReply:
    return BadReply(
        f"{table}: the instance does not count its rows",
        where=table,
        code="uncounted",
        fix="let X-Total-Count pass through what stands between here and the instance",
    )


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Which of some records are shown, and which are counted and not shown. The others are not there."""

    visible: frozenset[str]
    hidden: frozenset[str]


def standing(connection: Connection, table: str, sys_ids: Sequence[str], *, condition: str = "") -> Standing:
    """How these records stand. Where the instance does not count hidden rows, none is told to be hidden."""
    visible: set[str] = set()
    hidden: set[str] = set()
    todo = [list(sys_ids[start : start + IDS]) for start in range(0, len(sys_ids), IDS)]
    while todo:
        part = todo.pop()
        terms = query.restrict(condition, query.one_of("sys_id", part))
        page = connection.table.page(table, query=terms, fields=("sys_id",), limit=len(part))
        shown = {row["sys_id"] for row in page.rows if row}
        visible |= shown
        rest = [one for one in part if one not in shown]
        unseen = (page.total or 0) - len(shown)
        if rest and unseen >= len(rest):
            hidden |= set(rest)
        elif unseen > 0:
            half = len(rest) // 2
            todo += [rest[:half], rest[half:]]
    return Standing(visible=frozenset(visible), hidden=frozenset(hidden))


def server_time(connection: Connection, table: str) -> str:
    """The instance's own clock in the platform's text. Our clock is nowhere compared with its stamps."""
    params: dict[str, str | int] = {
        "sysparm_fields": "sys_id",
        "sysparm_limit": 1,
        "sysparm_no_count": "true",
    }
    reply = connection.call("GET", f"/api/now/table/{table}", params=params)
    try:
        return platform_time(parsedate_to_datetime(reply.headers["date"]).timestamp())
    except (KeyError, ValueError) as error:
        raise BadReply(
            "the instance does not tell its time",
            where=connection.instance.name,
            code="undated",
            fix="let the header Date pass through what stands between here and the instance",
        ) from error


def require_utc_literals(connection: Connection, table: str) -> None:
    """Raise BadReply (code time_zone) when the instance reads times in queries in another zone than UTC.

    Sources disagree whether a time in an encoded query follows the user's zone, so it is tried: a row
    has to be found by its own stamp.
    """
    row = connection.table.first(table, query.order_by("sys_updated_on"), ("sys_id", "sys_updated_on"))
    if row is None or not row.get("sys_updated_on"):
        return
    exact = query.all_of(
        query.term("sys_id", "=", row["sys_id"]), query.term("sys_updated_on", "=", row["sys_updated_on"])
    )
    if connection.table.first(table, exact, ("sys_id",)) is None:
        raise BadReply(
            "the instance reads times in queries in the account's time zone, which is not UTC",
            where=connection.instance.name,
            code="time_zone",
            fix="set the account's time zone to GMT",
        )


def _read(
    connection: Connection,
    table: str,
    span: Span,
    fields: Sequence[str],
    condition: str,
    size: PageSize,
    *,
    counted: bool,
) -> tuple[Page, Poison | None]:
    text = query.all_of(query.restrict(condition, span.condition()), query.order_by(*span.order))
    while True:
        try:
            page = connection.table.page(table, query=text, fields=fields, limit=size.now, counted=counted)
        except LinkspanError as error:
            if error.code not in TOO_MUCH:
                raise
            if not size.failed():
                return Page(rows=[], total=None), _isolated(connection, table, span, text, error)
            counted = True
        else:
            size.worked(len(page.rows))
            return page, None


def _isolated(connection: Connection, table: str, span: Span, text: str, error: LinkspanError) -> Poison:
    """The one row that cannot be read. Raises ``error`` again when it is not the row's fault."""
    page = connection.table.page(table, query=text, fields=span.order, limit=1)
    if not page.rows:
        raise error
    _require_order(table, page.rows, span)
    return Poison(key=key_of(table, page.rows[0], span.order), reason=error.code)


def _require_order(table: str, rows: Sequence[Row], span: Span) -> None:
    """Every row lies in the span and none before its predecessor.

    An instance leaves out of a query what it finds invalid, and returns rows all the same
    (ServiceNow docs: Table API).
    """
    before = span.low
    for row in rows:
        key = key_of(table, row, span.order)
        if not span.low[0] <= key[0] <= span.high[0] or not _follows(key, span.low):
            raise BadReply(
                f"{table} answered with a row that was not asked for ({span.order[0]} {key[0]})",
                where=table,
                code="filter_ignored",
                fix=f"check that the account may query {table}.{span.order[0]} (query ACLs)",
            )
        if not _follows(key, before):
            raise BadReply(
                f"{table} answered out of order",
                where=table,
                code="order_ignored",
                fix=f"check that the account may sort by {table}.{span.order[0]} (query_range ACLs)",
            )
        before = key


def _follows(key: Key, before: Key) -> bool:
    if key[0] != before[0]:
        return key[0] > before[0]
    # Only the platform's own sys_ids sort here as they do there.
    plain = _HEX.issuperset(key[1]) and _HEX.issuperset(before[1])
    return key[1] > before[1] if plain else key[1] != before[1]


def _digits(sys_id: str) -> str:
    """The leading hexadecimal digits of a sys_id."""
    text = sys_id.lower()
    end = next((at for at, letter in enumerate(text) if letter not in _HEX), len(text))
    return text[: min(end, 32)]
