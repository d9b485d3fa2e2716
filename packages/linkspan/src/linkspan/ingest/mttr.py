"""Mean time to restore, from incidents in the warehouse, with what a mean alone hides.

A figure without its measure is not comparable: means and medians of real incident logs differ several
times over, and so does one month counted by when incidents were opened or by when they were resolved. So
an answer names start, end, the date that puts an incident into a period, how many were counted, and how many
were left out and why.
"""

# ruff: noqa: S608 - every name in the SQL is one of ours or was checked; values are bound

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from linkspan.core.errors import ConfigError

PERIODS: tuple[str, ...] = ("day", "week", "month", "quarter", "year")
RESOLVED = ("6", "7")  # Resolved and Closed of a stock instance (ServiceNow docs: Incident state model)
MOST_ROWS = 5_000

Ask = Callable[[str, Sequence[Any]], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One way to say when restoring began and ended; people ask for it as a ``definition``.

    ``cohort`` is the date that picks the period.
    """

    name: str
    says: str
    start: str
    end: str
    cohort: str
    states: tuple[str, ...] = RESOLVED


MEASURES: Mapping[str, Measure] = {
    one.name: one
    for one in (
        Measure(
            name="resolve",
            says="from opened to resolved, counted when resolved; only what is resolved or closed now",
            start="opened_at",
            end="resolved_at",
            cohort="resolved_at",
        ),
        Measure(
            name="harness",
            says="from created to resolved, whatever the state is now, counted when created",
            start="sys_created_on",
            end="resolved_at",
            cohort="sys_created_on",
            states=(),
        ),
        Measure(
            name="closed",
            says="from created to closed, counted when closed; closing often runs days after restoring",
            start="sys_created_on",
            end="closed_at",
            cohort="closed_at",
            states=("7",),
        ),
    )
}
DATES = ("opened_at", "sys_created_on", "sys_updated_on", "resolved_at", "closed_at")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked. ``since`` is in, ``until`` is out, both as dates in ``zone``; ``by`` is a column."""

    measure: str = "resolve"
    by: str = ""
    period: str = ""
    cohort: str = ""
    since: date | None = None
    until: date | None = None
    zone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Durations in seconds; None when there is nothing to count. Percentiles are interpolated."""

    n: int
    mean_s: float | None = None
    median_s: float | None = None
    p90_s: float | None = None
    p95_s: float | None = None

    def document(self) -> dict[str, Any]:
        """The published shape, seconds with three decimals."""
        found = {"mean_s": self.mean_s, "median_s": self.median_s, "p90_s": self.p90_s, "p95_s": self.p95_s}
        return {"n": self.n, **{name: None if v is None else round(v, 3) for name, v in found.items()}}


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one group in one period; either is empty when it was not asked for."""

    group: str
    period: str
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The whole and its parts. ``left_out`` says why incidents of the table are not in it."""

    question: Question
    measure: Measure
    cohort: str
    whole: Figures
    rows: Sequence[Row] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The published shape."""
        asked = self.question
        return {
            "definition": self.measure.name,
            "says": self.measure.says,
            "start": self.measure.start,
            "end": self.measure.end,
            "cohort": self.cohort,
            "by": asked.by,
            "period": asked.period,
            "zone": asked.zone,
            **self.whole.document(),
            "rows": [{"group": r.group, "period": r.period, **r.figures.document()} for r in self.rows],
            "left_out": dict(self.left_out),
        }


def mttr(ask: Ask, source: str, columns: Mapping[str, str], question: Question) -> Answer:
    """Answer a question from the incidents in ``source``, a quoted name or a query in parentheses.

    ``ask`` runs one SQL statement of the warehouse, ``columns`` are the source's with their SQL types. Raises
    ConfigError for a measure, column, period or zone that does not exist, and for a date that is kept as
    something else.
    """
    measure = _measure(question.measure)
    cohort = question.cohort or measure.cohort
    _check(question, columns, measure, cohort)
    _require_zone(ask, question.zone)
    judged = _Judged(source, measure, cohort, question)
    whole = _figures(ask(f"SELECT {_FIGURES} FROM {judged.fit}", judged.values)[0])
    return Answer(
        question=question,
        measure=measure,
        cohort=cohort,
        whole=whole,
        rows=_rows(ask, judged, question),
        left_out=_left_out(ask, judged),
    )


_FIGURES = (
    "count(*) AS n, avg(seconds) AS mean_s, quantile_cont(seconds, 0.5) AS median_s, "
    "quantile_cont(seconds, 0.9) AS p90_s, quantile_cont(seconds, 0.95) AS p95_s"
)


class _Judged:
    """The incidents with what the measure makes of them. Every name in the SQL was checked before."""

    def __init__(self, source: str, measure: Measure, cohort: str, question: Question) -> None:
        local = f"timezone('{question.zone}', timezone('UTC', {_q(cohort)}))"
        states = ", ".join(f"'{state}'" for state in measure.states)
        settled = f"coalesce(state IN ({states}), false)" if states else "true"
        group = f"coalesce(CAST({_q(question.by)} AS VARCHAR), '')" if question.by else "''"
        period = f"strftime(date_trunc('{question.period}', moment), '%Y-%m-%d')" if question.period else "''"
        inner = (
            f"SELECT {settled} AS settled, {_q(measure.start)} AS began, {_q(measure.end)} AS ended, "
            f"{local} AS moment, {group} AS grp FROM {source} WHERE _deleted_at IS NULL"
        )
        # Who lacks the date that picks a period is in none of them.
        within, self.values = "moment IS NOT NULL" if question.period else "true", []
        if question.since is not None:
            within += " AND moment >= CAST(? AS TIMESTAMP)"
            self.values.append(question.since.isoformat())
        if question.until is not None:
            within += " AND moment < CAST(? AS TIMESTAMP)"
            self.values.append(question.until.isoformat())
        self.all = (
            f"(SELECT *, epoch(ended) - epoch(began) AS seconds, {period} AS period, "
            f"coalesce({within}, false) AS within FROM ({inner}))"
        )
        self.fit = f"(SELECT * FROM {self.all} WHERE within AND settled AND seconds >= 0)"


def _rows(ask: Ask, judged: _Judged, question: Question) -> list[Row]:
    if not question.by and not question.period:
        return []
    found = ask(
        f"SELECT grp, period, {_FIGURES} FROM {judged.fit} GROUP BY grp, period "
        f"ORDER BY grp, period LIMIT {MOST_ROWS + 1}",
        judged.values,
    )
    if len(found) > MOST_ROWS:
        raise _too_many()
    rows = [Row(group=r["grp"], period=r["period"], figures=_figures(r)) for r in found]
    named = [Row(group=r.group, period=_label(r.period, question.period), figures=r.figures) for r in rows]
    if question.period and not question.by and rows:
        return _without_gaps(named, rows[0].period, rows[-1].period, question.period)
    return named


def _without_gaps(rows: Sequence[Row], first: str, last: str, period: str) -> list[Row]:
    """A period in which nothing was restored is a fact too: it is shown with n = 0."""
    known = {row.period: row for row in rows}
    filled, at = [], date.fromisoformat(first)
    end = date.fromisoformat(last)
    while True:
        label = _label(at.isoformat(), period)
        filled.append(known.get(label) or Row(group="", period=label, figures=Figures(n=0)))
        if len(filled) > MOST_ROWS:
            raise _too_many()
        if at >= end:
            return filled
        at = _next(at, period)


def _left_out(ask: Ask, judged: _Judged) -> dict[str, int]:
    (row,) = ask(
        "SELECT count(*) FILTER (ended IS NULL OR NOT settled) AS not_restored, "
        "count(*) FILTER (ended IS NOT NULL AND settled AND began IS NULL) AS no_start, "
        "count(*) FILTER (settled AND seconds < 0) AS ended_before_start, "
        "count(*) FILTER (settled AND seconds >= 0 AND NOT within) AS other_period "
        f"FROM {judged.all}",
        judged.values,
    )
    return {name: int(count) for name, count in row.items()}


def _figures(row: Mapping[str, Any]) -> Figures:
    names = ("mean_s", "median_s", "p90_s", "p95_s")
    return Figures(n=int(row["n"]), **{name: float(row[name]) for name in names if row["n"]})


def _measure(name: str) -> Measure:
    if name not in MEASURES:
        raise _invalid(f"there is no definition {name}", f"use one of: {', '.join(MEASURES)}")
    return MEASURES[name]


def _check(question: Question, columns: Mapping[str, str], measure: Measure, cohort: str) -> None:
    if question.cohort and question.cohort not in DATES:
        raise _invalid(f"{question.cohort} does not pick a period", f"use one of: {', '.join(DATES)}")
    if question.period and question.period not in PERIODS:
        raise _invalid(f"{question.period} is no period", f"use one of: {', '.join(PERIODS)}")
    dates = sorted({measure.start, measure.end, cohort})
    others = ["state"] if measure.states else []
    for name in (*dates, *others, *filter(None, [question.by])):
        if name not in columns:
            raise _invalid(
                f"the ingested incidents have no column {name}",
                "check that the stream has it, is not excluding it, and that the account may read it",
            )
    for name in dates:
        if columns[name] != "TIMESTAMP":
            raise _invalid(
                f"{name} is no time in the warehouse",
                "take it off hash, or choose a definition that does without it",
            )


def _require_zone(ask: Ask, zone: str) -> None:
    """A zone that Python and the engine both know: each has names that the other lacks."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = False
    else:
        known = bool(ask("SELECT 1 FROM pg_timezone_names() WHERE name = ?", [zone]))
    if not known:
        raise _invalid(f"{zone} is no time zone", "use one as Europe/Berlin")


def _too_many() -> ConfigError:
    return _invalid(f"that would be more than {MOST_ROWS} rows", "choose a longer period or another field")


def _invalid(cause: str, fix: str) -> ConfigError:
    return ConfigError(cause, fix=fix, code="invalid")


def _label(start: str, period: str) -> str:
    if period == "month":
        return start[:7]
    if period == "quarter":
        return f"{start[:4]}-Q{(int(start[5:7]) + 2) // 3}"
    return start[:4] if period == "year" else start


def _next(at: date, period: str) -> date:
    if period in ("day", "week"):
        return at + timedelta(days=1 if period == "day" else 7)
    months = {"month": 1, "quarter": 3, "year": 12}[period]
    month = at.month - 1 + months
    return date(at.year + month // 12, month % 12 + 1, 1)


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
