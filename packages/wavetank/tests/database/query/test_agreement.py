"""Generated queries over generated rows: the SQL and a plain evaluator agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from packages.wavetank.tests.database.query import plain, things
from packages.wavetank.tests.database.query.things import ADA, BOB, CYD, DOT, GONE, LINES

WORDS = ["", "disk", "Disk full", "50%", "under_score", "caret^x", "back\\slash", "Zed", "NULL and void"]
NUMBERS = ["", "-5", "0", "1", "2", "10"]
MOMENTS = [
    "",
    "2024-02-29 12:00:00",
    "2025-12-31 23:59:59",
    "2026-01-01 08:00:00",
    "2026-01-31 23:30:00",
    "2026-02-28 23:30:00",
    "2026-03-08 09:59:59",
    "2026-03-08 10:00:00",
    "2026-03-09 18:00:00",
    "2026-03-10 07:00:00",
    "2026-03-10 18:00:00",
    "2026-03-11 06:59:59",
    "2026-11-01 09:00:00",
]
DAYS = ["", "2026-02-28", "2026-03-09", "2026-03-10", "2026-03-31"]
LENGTHS = ["", "1970-01-01 08:00:00", "1970-01-02 00:00:00", "1970-01-12 06:00:00"]
PEOPLE = ["", ADA, BOB, CYD, DOT, GONE]

things_rows = st.lists(
    st.fixed_dictionaries(
        {
            "sys_class_name": st.sampled_from(["u_thing", "u_thing_big"]),
            "title": st.sampled_from(WORDS),
            "other": st.sampled_from(WORDS),
            "count": st.sampled_from(NUMBERS),
            "limit": st.sampled_from(NUMBERS),
            "weight": st.sampled_from(["", "0.5", "1.50", "1.5", "10"]),
            "price": st.sampled_from(["", "0", "5", "10.25"]),
            "open": st.sampled_from(["", "true", "false"]),
            "late": st.sampled_from(["", "true", "false"]),
            "begun": st.sampled_from(MOMENTS),
            "due": st.sampled_from(MOMENTS),
            "day": st.sampled_from(DAYS),
            "long": st.sampled_from(LENGTHS),
            "owner": st.sampled_from(PEOPLE),
            "helper": st.sampled_from(PEOPLE),
            "watchers": st.sampled_from(["", ADA, f"{BOB},{ADA}", CYD]),
            "notes": st.sampled_from(["", "disk is full", "disk is full|vpn", "VPN|vpn again"]),
        }
    ),
    min_size=1,
    max_size=10,
)
parts_rows = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["1", "2"])), max_size=12)


@dataclass(frozen=True)
class Asked:
    """One condition: as it is written, and what it says of a row."""

    text: str
    holds: Callable[[plain.World, plain.Row], bool]


def condition(field: str, sign: str, value: str) -> Asked:
    written = f"{field}{sign}{value.replace('^', '^^')}"
    return Asked(written, lambda world, row: plain.meets(world, row, field, sign, value))


def of(fields: list[str], signs: list[str], values: list[str]) -> st.SearchStrategy[Asked]:
    return st.builds(condition, st.sampled_from(fields), st.sampled_from(signs), st.sampled_from(values))


EMPTY = ["ISEMPTY", "ISNOTEMPTY", "ANYTHING", "EMPTYSTRING"]
COMPARE = ["<", "<=", ">", ">="]
FIELD = ["GT_FIELD", "LT_FIELD", "GT_OR_EQUALS_FIELD", "LT_OR_EQUALS_FIELD", "SAMEAS", "NSAMEAS"]
DATES = ["begun", "due"]
PARTS = [
    f"x@javascript:gs.datePart('{part}','{value}','{sign}')"
    for part, values in {
        "dayofweek": ["sunday", "monday", "saturday"],
        "month": ["1", "3"],
        "quarter": ["1", "4"],
        "year": ["2026"],
        "week": ["0", "10"],
        "hour": ["0", "15"],
    }.items()
    for value in values
    for sign in ("EE", "GT", "GE", "LT", "LE")
]
RELATIVE = [
    f"@{unit}@{way}@{count}"
    for unit in ("minute", "hour", "dayofweek", "week", "month", "quarter", "year")
    for way in ("ago", "ahead")
    for count in ("0", "1", "24")
]
APART = [
    f"{field}@{unit}@{side}@{count}"
    for field in DATES
    for unit in ("hour", "day", "week", "month", "quarter", "year")
    for side in ("before", "after", "before or after")
    for count in ("0", "1", "30")
]


def related(sign: str, count: int, size: str, documented: bool) -> Asked:
    """A query on the parts of a thing, in the usual form or in the one that the documents show."""
    inner = f"size={size}" if size else ""
    more = f",{inner}" if documented and inner else f"^{inner}" if inner else ""
    text = f"RLQUERYu_part.thing,{sign}{count}{more}^ENDRLQUERY"
    return Asked(text, lambda world, row: plain.related(world, row, sign, count, size))


def joined(size: str) -> Asked:
    text = f"JOINu_thing.sys_id=u_part.thing!size={size}"
    return Asked(text, lambda world, row: plain.related(world, row, ">", 0, size))


FAMILIES = [
    of(
        ["title", "other"],
        ["=", "!=", "STARTSWITH", "ENDSWITH", "LIKE", "NOT LIKE", *COMPARE],
        [*WORDS[1:], "d", "%", "_"],
    ),
    of(["title", "count", "owner", "open", "begun", "day"], ["=", "!="], ["", "NULL"]),
    of(["title", "count", "open", "begun", "day", "owner", "owner.name", "watchers"], EMPTY, [""]),
    of(["title"], ["IN", "NOT IN"], ["disk,ZED", "disk", ",Zed", ",", "nobody"]),
    of(["title"], ["BETWEEN"], ["a@m", "disk@disk full", "z@a"]),
    of(["count", "limit"], ["=", "!=", *COMPARE], [*NUMBERS[1:], "01", "1.0", "1.5", "x", "1 "]),
    of(["count"], ["IN", "NOT IN"], ["1,2", "01,x", "10"]),
    of(["count", "weight", "price"], ["BETWEEN"], ["0@2", "-5@1.5", "x@3", "2@1"]),
    of(["weight", "price"], ["=", "!=", *COMPARE], ["1.5", "0", "5.0", "10", "cheap"]),
    of(["open", "late"], ["=", "!="], ["true", "TRUE", "True", "1", "0", "false"]),
    of(["begun", "due"], ["=", "!=", *COMPARE], [*MOMENTS[1:5], "2026-03-10", "soon"]),
    of(["day"], ["=", "!=", *COMPARE], [*DAYS[1:], "2026-03-10 10:00:00"]),
    of(["long"], ["=", *COMPARE], LENGTHS[1:]),
    of(["begun"], ["BETWEEN"], ["2026-01-01@2026-03-08 10:00:00", "2026-03-10@2026-03-01"]),
    of(["begun"], ["ON", "NOTON"], ["Today@2026-03-10 07:00:00@2026-03-11 06:59:59"]),
    of(["day"], ["ON", "NOTON"], ["x@2026-03-09@2026-03-10"]),
    of([*DATES, "day"], ["DATEPART"], PARTS),
    of(
        [*DATES, "day"],
        ["RELATIVEGT", "RELATIVEGE", "RELATIVELT", "RELATIVELE", "RELATIVEEE"],
        RELATIVE,
    ),
    of(DATES, ["MORETHAN", "LESSTHAN"], APART),
    of(
        DATES,
        ["SAMEAS", "NSAMEAS"],
        [f"due@{part}" for part in ("hour", "day", "week", "month", "quarter", "year")],
    ),
    of(["count"], FIELD, ["limit", "count", "owner.level"]),
    of(["title"], FIELD, ["other", "owner.name"]),
    of(["begun"], FIELD, ["due"]),
    of(["open"], ["SAMEAS", "NSAMEAS"], ["late"]),
    of(["owner"], ["SAMEAS", "NSAMEAS"], ["helper", "owner.boss"]),
    of(["owner", "helper", "owner.boss"], ["=", "!="], PEOPLE),
    of(["owner"], ["IN", "NOT IN"], [f"{ADA},{BOB}", GONE]),
    of(
        ["owner.name", "owner.boss.name"],
        ["=", "!=", "STARTSWITH", "ENDSWITH", "LIKE", "NOT LIKE", *EMPTY],
        ["ada", "BOB stone", "o", "_50%"],
    ),
    of(["owner.boss.level"], ["=", "!=", *COMPARE], ["9", "10", "2"]),
    of(["watchers"], ["LIKE", "NOT LIKE", "="], [ADA, CYD]),
    of(["owner", "watchers"], ["DYNAMIC"], ["90d1921e5f510100a9ad2572f2b477fe"]),
    of(["owner", "owner.boss"], ["IN_HIERARCHY"], [f"{LINES}@{node}" for node in PEOPLE[1:]]),
    of(["notes"], ["LIKE", "NOT LIKE", "=", "ISEMPTY", "ISNOTEMPTY"], ["vpn", "full", "again"]),
    st.builds(
        related,
        st.sampled_from(["=", "!=", ">", ">=", "<", "<="]),
        st.integers(0, 2),
        st.sampled_from(["", "1", "2"]),
        st.booleans(),
    ),
]
conditions = st.one_of(FAMILIES)
groups = st.lists(conditions, min_size=1, max_size=3)
blocks = st.lists(groups, min_size=1, max_size=3)
queries = st.lists(blocks, min_size=1, max_size=3)


def _world(made: list[dict[str, str]], parts: list[tuple[int, str]]) -> plain.World:
    for place, row in enumerate(made):
        row["sys_id"] = f"{place:032d}"
    held = [{"thing": made[place % len(made)]["sys_id"], "size": size} for place, size in parts]
    things.fill(made, held)
    types = {"sys_class_name": "string", **{name: kind for name, (kind, _) in things.TYPES.items()}}
    return plain.World(types, things.OWNERS, held, things.NOW, things.ZONE, ADA)


@pytest.mark.claim("query-operators")
@pytest.mark.parametrize("family", FAMILIES, ids=range(len(FAMILIES)))
def test_each_condition_means_the_same_in_plain_python(family: st.SearchStrategy[Asked]) -> None:
    @settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
    @given(things_rows, parts_rows, family)
    def agrees(made: list[dict[str, str]], parts: list[tuple[int, str]], each: Asked) -> None:
        world = _world(made, parts)
        expected = {row["sys_id"] for row in made if each.holds(world, row)}
        assert set(things.asked(each.text)) == expected, each.text

    agrees()


@pytest.mark.claim("query-precedence")
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(things_rows, parts_rows, queries, st.sampled_from(["u_thing", "u_thing_big"]))
def test_generated_queries_mean_the_same_in_plain_python(
    made: list[dict[str, str]],
    parts: list[tuple[int, str]],
    parsed: list[list[list[Asked]]],
    table: str,
) -> None:
    world = _world(made, parts)
    encoded = "^NQ".join(
        "^".join("^OR".join(each.text for each in group) for group in block) for block in parsed
    )
    expected = {
        row["sys_id"]
        for row in made
        if row["sys_class_name"] in {table, "u_thing_big"}
        and any(all(any(each.holds(world, row) for each in group) for group in block) for block in parsed)
    }
    assert set(things.asked(encoded, table)) == expected, encoded


@pytest.mark.claim("query-join")
@settings(max_examples=40, deadline=None)
@given(things_rows, parts_rows, blocks, st.sampled_from(["1", "2"]))
def test_a_join_after_other_conditions_means_the_same_in_plain_python(
    made: list[dict[str, str]], parts: list[tuple[int, str]], block: list[list[Asked]], size: str
) -> None:
    world = _world(made, parts)
    block = [*block, [joined(size)]]
    encoded = "^".join("^OR".join(each.text for each in group) for group in block)
    expected = {
        row["sys_id"] for row in made if all(any(each.holds(world, row) for each in group) for group in block)
    }
    assert set(things.asked(f"{encoded}^ORDERBYDESCtitle")) == expected, encoded


@pytest.mark.claim("query-stored-or-not")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(things_rows, parts_rows, blocks)
def test_a_row_asked_by_itself_answers_the_same(
    made: list[dict[str, str]], parts: list[tuple[int, str]], block: list[list[Asked]]
) -> None:
    _world(made, parts)
    encoded = "^".join("^OR".join(each.text for each in group) for group in block)
    found = set(things.asked(encoded))
    for row in made:
        alone = things.world().matches(row["sys_class_name"], {**row, "notes": ""}, encoded, things.context())
        assert alone == (row["sys_id"] in found), encoded
