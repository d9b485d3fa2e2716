"""Times to restore: the measures, on figures that others published and on real data."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkspan.core.errors import ConfigError
from linkspan.ingest.mttr import DATES, Answer, Question, mttr

DATA = Path(__file__).parents[5] / "shared" / "data"
COLUMNS = ("state", "priority", "opened_at", "sys_created_on", "sys_updated_on", "resolved_at", "closed_at")
HOUR = 3600.0
TABLE = (
    "CREATE TABLE incident (state VARCHAR, priority VARCHAR, opened_at TIMESTAMP, sys_created_on TIMESTAMP, "
    "sys_updated_on TIMESTAMP, resolved_at TIMESTAMP, closed_at TIMESTAMP, _deleted_at TIMESTAMP)"
)
Ask = Callable[..., Answer]


def asking(connection: duckdb.DuckDBPyConnection, columns: Sequence[str] = COLUMNS) -> Ask:
    def rows(sql: str, values: Sequence[Any]) -> list[Mapping[str, Any]]:
        found = connection.execute(sql, list(values))
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    kinds = {name: "TIMESTAMP" if name in DATES else "VARCHAR" for name in columns}
    return lambda **asked: mttr(rows, "incident", kinds, Question(**asked))


@pytest.fixture
def table() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(TABLE)
    return connection


def add(connection: duckdb.DuckDBPyConnection, opened: str, resolved: str | None, **others: Any) -> None:
    row = {
        "state": "6",
        "priority": "3",
        "opened_at": opened,
        "sys_created_on": opened,
        "resolved_at": resolved,
    }
    row |= {"sys_updated_on": resolved, "closed_at": None, "_deleted_at": None} | others
    names = ", ".join(row)
    connection.execute(
        f"INSERT INTO incident ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values())
    )


def test_the_published_example(table: duckdb.DuckDBPyConnection) -> None:
    """60, 30 and 180 minutes make a mean of 90 minutes."""
    add(table, "2026-01-05 09:00:00", "2026-01-05 10:00:00")
    add(table, "2026-01-05 11:00:00", "2026-01-05 11:30:00")
    add(table, "2026-01-05 13:00:00", "2026-01-05 16:00:00")
    for measure in ("resolve", "harness"):
        whole = asking(table)(measure=measure).whole
        assert (whole.n, whole.mean_s, whole.median_s) == (3, 90 * 60, 60 * 60)


def test_what_is_left_out_is_counted(table: duckdb.DuckDBPyConnection) -> None:
    add(table, "2026-01-05 09:00:00", "2026-01-05 10:00:00")
    add(table, "2026-01-05 09:00:00", None)  # nobody resolved it
    add(table, "2026-01-05 09:00:00", "2026-01-05 10:00:00", state="2")  # reopened: open, whatever it says
    add(table, "2026-01-05 09:00:00", "2026-01-05 08:00:00")  # ended before it began
    add(table, "2026-01-05 09:00:00", "2026-01-05 10:00:00", opened_at=None)
    add(table, "2026-01-05 09:00:00", "2026-01-05 10:00:00", _deleted_at="2026-01-06 00:00:00")
    answer = asking(table)()
    assert answer.whole.n == 1
    assert answer.left_out == {"not_restored": 2, "no_start": 1, "ended_before_start": 1, "other_period": 0}


def test_nothing_is_none_and_not_zero(table: duckdb.DuckDBPyConnection) -> None:
    assert asking(table)().whole.document() == {
        "n": 0,
        "mean_s": None,
        "median_s": None,
        "p90_s": None,
        "p95_s": None,
    }


def test_periods_are_half_open_in_the_reporting_zone(table: duckdb.DuckDBPyConnection) -> None:
    add(table, "2026-01-31 20:00:00", "2026-01-31 22:59:59")  # 23:59:59 in Berlin
    add(table, "2026-01-31 20:00:00", "2026-01-31 23:00:00")  # midnight in Berlin: February
    months = asking(table)(period="month", zone="Europe/Berlin").rows
    assert [(row.period, row.figures.n) for row in months] == [("2026-01", 1), ("2026-02", 1)]
    january = asking(table)(since=date(2026, 1, 1), until=date(2026, 2, 1), zone="Europe/Berlin")
    assert (january.whole.n, january.left_out["other_period"]) == (1, 1)
    assert asking(table)(since=date(2026, 1, 1), until=date(2026, 2, 1)).whole.n == 2


def test_a_month_without_incidents_is_shown(table: duckdb.DuckDBPyConnection) -> None:
    add(table, "2025-12-05 09:00:00", "2025-12-05 10:00:00")
    add(table, "2026-02-05 09:00:00", "2026-02-05 10:00:00")
    rows = asking(table)(period="month").rows
    assert [(row.period, row.figures.n) for row in rows] == [("2025-12", 1), ("2026-01", 0), ("2026-02", 1)]
    assert [row.period for row in asking(table)(period="quarter").rows] == ["2025-Q4", "2026-Q1"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"measure": "best"}, "no definition best"),
        ({"by": "mood"}, "no column mood"),
        ({"by": 'priority" FROM incident; --'}, "no column"),
        ({"period": "fortnight"}, "no period"),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"zone": "x'); DROP TABLE incident; --"}, "no time zone"),
        ({"cohort": "number"}, "does not pick"),
    ],
)
def test_what_does_not_exist_is_refused(
    table: duckdb.DuckDBPyConnection, asked: dict[str, str], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        asking(table)(**asked)


# ── real data ────────────────────────────────────────────────────────────────────────────────────

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the incident log is not beside the checkout")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The last event of each incident of a real instance's log, stamps as they are."""
    folder = tmp_path_factory.mktemp("log")
    with zipfile.ZipFile(DATA / "uci_incident_event_log.csv.zip") as archive:
        name = next(n for n in archive.namelist() if n.endswith(".csv") and not n.startswith("__MACOSX"))
        archive.extract(name, folder)
    connection = duckdb.connect()
    connection.execute(
        f"""
        CREATE TABLE incident AS
        SELECT CASE incident_state WHEN 'Closed' THEN '7' ELSE '2' END AS state, left(priority, 1) AS priority,
            strptime(opened_at, '%d/%m/%Y %H:%M') AS opened_at,
            strptime(resolved_at, '%d/%m/%Y %H:%M') AS resolved_at, NULL::TIMESTAMP AS _deleted_at
        FROM read_csv('{folder / name}', all_varchar = true, nullstr = '?')
        QUALIFY row_number() OVER (PARTITION BY number ORDER BY
            sys_mod_count::INTEGER DESC, strptime(sys_updated_at, '%d/%m/%Y %H:%M') DESC) = 1
        """
    )
    return connection


@needs_data
def test_a_real_log(log: duckdb.DuckDBPyConnection) -> None:
    answer = asking(log, ("state", "priority", "opened_at", "resolved_at"))(by="priority")
    whole = answer.whole
    hours = [value / HOUR for value in (whole.mean_s, whole.median_s, whole.p90_s, whole.p95_s) if value]
    assert (whole.n, answer.left_out["not_restored"]) == (23362, 1556)
    assert hours == pytest.approx([178.1716, 22.1, 381.548, 710.518], abs=5e-4)
    by_priority = {
        row.group: (row.figures.n, (row.figures.mean_s or 0) / HOUR, (row.figures.median_s or 0) / HOUR)
        for row in answer.rows
    }
    expected = {"1": (270, 266.08, 80.24), "2": (408, 152.46, 38.23), "3": (22010, 174.35, 21.55)}
    expected |= {"4": (674, 283.19, 5.02)}
    assert {key: pytest.approx(value, abs=0.006) for key, value in expected.items()} == by_priority


@needs_data
def test_one_month_by_two_cohorts(log: duckdb.DuckDBPyConnection) -> None:
    ask = asking(log, ("state", "opened_at", "resolved_at"))
    march = {"since": date(2016, 3, 1), "until": date(2016, 4, 1)}
    assert (ask(**march).whole.mean_s or 0) / HOUR == pytest.approx(101.4, abs=0.05)
    assert (ask(cohort="opened_at", **march).whole.mean_s or 0) / HOUR == pytest.approx(240.8, abs=0.05)


@needs_data
def test_the_demo_incidents_of_a_developer_instance() -> None:
    connection = duckdb.connect()
    times = ", ".join(f"{name}::TIMESTAMP AS {name}" for name in COLUMNS[2:])
    connection.execute(
        f"CREATE TABLE incident AS SELECT incident_state AS state, priority, {times}, NULL::TIMESTAMP AS _deleted_at "
        f"FROM read_csv('{DATA / 'servicenow_demo_incidents_rest.csv'}', all_varchar = true)"
    )
    whole = asking(connection)().whole
    assert whole.n == 27
    assert whole.n * (whole.mean_s or 0) == pytest.approx(173_950_678)
    assert (whole.mean_s or 0) / HOUR == pytest.approx(1789.616, abs=5e-4)
    assert (whole.median_s or 0) / HOUR == pytest.approx(2036.070, abs=5e-4)


# ── what a table may hold ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("period", ["day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize("by", ["", "priority"])
def test_an_incident_without_the_date_of_its_period_is_in_none(
    table: duckdb.DuckDBPyConnection, period: str, by: str
) -> None:
    """Resolved and not closed yet, counted by when it was closed."""
    add(table, "2026-01-05 09:00:00", "2026-01-05 10:00:00")
    add(table, "2026-01-05 09:00:00", "2026-01-05 11:00:00", closed_at="2026-01-07 09:00:00", state="7")
    answer = asking(table)(cohort="closed_at", period=period, by=by)
    assert (answer.whole.n, [row.figures.n for row in answer.rows]) == (1, [1])
    assert answer.left_out["other_period"] == 1
    assert asking(table)(cohort="closed_at", by=by).whole.n == 2  # where no period is asked for, both count


@pytest.mark.parametrize(
    ("period", "far"), [("day", "1971"), ("day", "9999"), ("year", "9999"), ("week", "0002")]
)
def test_a_date_far_away_fills_no_million_of_periods(
    table: duckdb.DuckDBPyConnection, period: str, far: str
) -> None:
    add(table, f"{far}-12-30 09:00:00", f"{far}-12-31 10:00:00")
    add(table, "2026-01-05 09:00:00", "2026-01-05 10:00:00")
    with pytest.raises(ConfigError, match="more than 5000 rows"):
        asking(table)(period=period)


@pytest.mark.parametrize("zone", ["Europe", "right/UTC", "", "x" * 300])
def test_what_only_looks_like_a_zone_is_refused(table: duckdb.DuckDBPyConnection, zone: str) -> None:
    with pytest.raises(ConfigError, match="no time zone"):
        asking(table)(zone=zone)


def test_without_the_state_its_measure_cannot_be_answered(table: duckdb.DuckDBPyConnection) -> None:
    without = [name for name in COLUMNS if name != "state"]
    with pytest.raises(ConfigError, match="no column state"):
        asking(table, without)()
    assert asking(table, without)(measure="harness").whole.n == 0


def test_a_date_that_is_kept_as_a_hash_is_refused(table: duckdb.DuckDBPyConnection) -> None:
    kinds = dict.fromkeys(COLUMNS, "TIMESTAMP") | {"opened_at": "VARCHAR"}
    with pytest.raises(ConfigError, match="opened_at is no time"):
        mttr(lambda _sql, _values: [], "incident", kinds, Question())


def quantile(values: Sequence[float], share: float) -> float:
    at = (len(values) - 1) * share
    low, high = values[math.floor(at)], values[math.ceil(at)]
    return low + (high - low) * (at - math.floor(at))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3 * 365 * 86400),
            st.none() | st.integers(-7200, 40 * 86400),
            st.sampled_from(["1", "2", "6", "7", "8"]),
            st.sampled_from(["1", "2", None]),
        ),
        max_size=25,
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"]),
)
@settings(max_examples=12, deadline=None)
def test_every_figure_is_what_plain_arithmetic_says(
    rows: list[tuple[int, int | None, str, str | None]], zone: str
) -> None:
    stored: list[tuple[Any, ...]] = []
    expected: dict[tuple[str, str], list[float]] = {}
    for opened, seconds, state, priority in rows:
        start = datetime.fromtimestamp(1_704_067_200 + opened, UTC).replace(tzinfo=None)
        end = None if seconds is None else start + timedelta(seconds=seconds)
        stored.append((state, priority, start, start, end, end, None, None))
        if end is not None and state in ("6", "7") and end >= start:
            month = f"{end.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)):%Y-%m}"
            expected.setdefault((priority or "", month), []).append((end - start).total_seconds())
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(TABLE)
    if stored:
        connection.executemany("INSERT INTO incident VALUES (?, ?, ?, ?, ?, ?, ?, ?)", stored)
    answer = asking(connection)(by="priority", period="month", zone=zone)
    found = {(row.group, row.period): row.figures for row in answer.rows}
    assert {key: figures.n for key, figures in found.items()} == {k: len(v) for k, v in expected.items()}
    everything = [one for some in expected.values() for one in some]
    assert answer.whole.n == len(everything)
    assert answer.whole.n + sum(answer.left_out.values()) == len(rows)
    for figures, values in [
        *((found[key], some) for key, some in expected.items()),
        (answer.whole, everything),
    ]:
        if values:
            ordered = sorted(values)
            wanted = [sum(values) / len(values), *(quantile(ordered, share) for share in (0.5, 0.9, 0.95))]
            got = (figures.mean_s, figures.median_s, figures.p90_s, figures.p95_s)
            assert got == pytest.approx(wanted, rel=1e-9, abs=1e-6)
