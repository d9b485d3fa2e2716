"""Encoded queries: parsing, meaning, and agreement with a plain evaluator."""

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavetank import packs
from wavetank.database import query
from wavetank.database.expressions import evaluate
from wavetank.database.query import Condition, Context
from wavetank.database.store import Database
from wavetank.ids import new_sys_id

NOW = "2026-03-10 12:00:00"
ABEL, BETH = "a" * 32, "b" * 32
WORDS = ("", "disk", "Disk full", "vpn 50%", "under_score", "caret^here", "VPN", "back\\slash")
ROWS = [
    {
        "number": f"INC{index}",
        "priority": priority,
        "active": active,
        "short_description": words,
        "assigned_to": user,
        "opened_at": f"2026-03-{index % 28 + 1:02d} 10:00:00" if index % 5 else "",
    }
    for index, (priority, active, words, user) in enumerate(
        (priority, active, words, user)
        for priority in ("", "1", "2", "10")
        for active in ("true", "false", "")
        for words in WORDS
        for user in ("", ABEL, BETH)
    )
]


@cache
def store() -> Database:
    database = Database.open(None, now=lambda: NOW, new_sys_id=new_sys_id)
    packs.load(database)
    for sys_id, name in ((ABEL, "Abel Tuter"), (BETH, "Beth Anglin")):
        database.insert("sys_user", {"sys_id": sys_id, "name": name, "user_name": name[:4].lower() + ".x"})
    with database.transaction():
        for row in ROWS:
            database.insert("incident", row)
    return database


def numbers(encoded: str) -> set[str]:
    return {row["number"] for row in store().select("incident", encoded, ["number"])}


def where(test: Callable[[dict[str, str]], bool]) -> set[str]:
    return {row["number"] for row in ROWS if test(row)}


# ---------------------------------------------------------------- a plain evaluator

NAMES = {ABEL: "Abel Tuter", BETH: "Beth Anglin", "": ""}


def holds(row: dict[str, str], field: str, operator: str, value: str) -> bool:
    held = NAMES[row["assigned_to"]] if field == "assigned_to.name" else row[field]
    held, value = held.lower(), value.lower()
    match operator:
        case "=":
            return held == value
        case "!=":
            return held != value and (field == "active" or bool(held) or value == "")
        case "STARTSWITH":
            return held.startswith(value)
        case "ENDSWITH":
            return held.endswith(value)
        case "LIKE" | "CONTAINS":
            return value in held
        case "NOT LIKE":
            return bool(held) and value not in held
        case "IN":
            return bool(held) and held in value.split(",")
        case "NOT IN":
            return bool(held) and held not in value.split(",")
        case "ISEMPTY":
            return held == ""
        case "ISNOTEMPTY":
            return held != ""
        case "ANYTHING":
            return True
        case "BETWEEN":
            low, high = value.split("@")
            return ordered(field, held, low, ">=") and ordered(field, held, high, "<=")
    return ordered(field, held, value, operator)


def ordered(field: str, held: str, value: str, operator: str) -> bool:
    if not held:
        return False
    left: float | str = held
    right: float | str = value
    if field == "priority":
        try:
            left, right = float(held), float(value)
        except ValueError:
            return False
    elif not value:
        return operator in {">", ">="}
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]  # type: ignore[operator]


text_values = st.sampled_from([word for word in WORDS if "," not in word] + ["d", "full", "%", "_", "\\"])
conditions = st.one_of(
    st.tuples(
        st.just("short_description"),
        st.sampled_from(["=", "!=", "STARTSWITH", "ENDSWITH", "LIKE", "CONTAINS", "NOT LIKE"]),
        text_values,
    ).filter(lambda each: each[1] in {"=", "!="} or each[2] != ""),
    st.tuples(
        st.just("priority"),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["1", "2", "3", "10", "x"]),
    ),
    st.tuples(st.just("priority"), st.just("BETWEEN"), st.sampled_from(["1@2", "2@10", "3@1"])),
    st.tuples(st.just("priority"), st.sampled_from(["IN", "NOT IN"]), st.sampled_from(["1", "1,10", "2,x"])),
    st.tuples(st.just("active"), st.sampled_from(["=", "!="]), st.sampled_from(["true", "false"])),
    st.tuples(
        st.sampled_from(["assigned_to.name"]),
        st.sampled_from(["=", "!=", "STARTSWITH", "LIKE", "NOT LIKE"]),
        st.sampled_from(["abel TUTER", "beth", "e", "nobody"]),
    ),
    st.tuples(
        st.sampled_from(["assigned_to", "short_description", "priority", "assigned_to.name"]),
        st.sampled_from(["ISEMPTY", "ISNOTEMPTY", "ANYTHING"]),
        st.just(""),
    ),
    st.tuples(
        st.just("opened_at"),
        st.sampled_from(["<", "<=", ">", ">="]),
        st.sampled_from(["2026-03-05 10:00:00", "2026-03-20 00:00:00"]),
    ),
)
groups = st.lists(conditions, min_size=1, max_size=3)
blocks = st.lists(groups, min_size=1, max_size=3)
queries = st.lists(blocks, min_size=1, max_size=3)


def encode(parsed: list[list[list[tuple[str, str, str]]]]) -> str:
    def one(condition: tuple[str, str, str]) -> str:
        field, operator, value = condition
        return f"{field}{operator}{value.replace('^', '^^')}"

    return "^NQ".join("^".join("^OR".join(map(one, group)) for group in block) for block in parsed)


@settings(max_examples=150, deadline=None)
@given(queries)
@pytest.mark.claim("query-precedence")
@pytest.mark.claim("query-operators")
def test_the_compiled_query_agrees_with_a_plain_evaluator(
    parsed: list[list[list[tuple[str, str, str]]]],
) -> None:
    expected = where(
        lambda row: any(
            all(any(holds(row, *condition) for condition in group) for group in block) for block in parsed
        )
    )
    assert numbers(encode(parsed)) == expected


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_the_parser_or_the_sql(text: str) -> None:
    for encoded in (text, f"short_description={text}", f"number{text}", f"{text}=1^ORactive=true"):
        numbers(encoded)


def test_values_never_enter_the_sql() -> None:
    evil = "x' OR '1'='1"
    compiled = query.compile(store().dictionary, "incident", f"number={evil}", Context(now=NOW))
    assert evil not in compiled.where_sql
    assert evil in compiled.params


# ---------------------------------------------------------------- one by one


def test_precedence_reads_as_documented() -> None:
    parsed = query.parse("a=1^b=2^ORc=3^NQd=4^ORDERBYe^ORDERBYDESCf^EQ")
    assert parsed.blocks == (
        ((Condition("a", "=", "1"),), (Condition("b", "=", "2"), Condition("c", "=", "3"))),
        ((Condition("d", "=", "4"),),),
    )
    assert [(order.field, order.descending) for order in parsed.orders] == [("e", False), ("f", True)]


@pytest.mark.claim("query-caret")
def test_a_doubled_caret_is_a_literal_one() -> None:
    assert numbers("short_description=caret^^here^priority=1") == where(
        lambda row: row["short_description"] == "caret^here" and row["priority"] == "1"
    )


@pytest.mark.claim("query-unknown-field")
@pytest.mark.parametrize("encoded", ["no_such_field=banana", "^^^", "", "^", "^EQ", "no_such^ORalso_none"])
def test_what_makes_no_sense_is_dropped(encoded: str) -> None:
    assert len(numbers(encoded)) == len(ROWS)


@pytest.mark.claim("query-nonsense-value")
@pytest.mark.parametrize(
    "encoded", ["priority=NOT_A_NUMBER", "priority==1", "priority=99999", "priority<abc"]
)
def test_a_value_of_the_wrong_kind_matches_nothing(encoded: str) -> None:
    assert numbers(encoded) == set()


@pytest.mark.claim("query-not-equal-empty")
def test_not_equal_leaves_empty_fields_out_but_for_booleans() -> None:
    assert numbers("priority!=1") == where(lambda row: row["priority"] not in {"", "1"})
    assert numbers("active!=true") == where(lambda row: row["active"] != "true")


def test_an_empty_value_asks_for_emptiness() -> None:
    assert numbers("assigned_to=") == where(lambda row: row["assigned_to"] == "")
    assert numbers("assigned_to!=") == where(lambda row: row["assigned_to"] != "")


def test_a_reference_is_searched_by_what_it_shows() -> None:
    assert numbers("assigned_toLIKEangl") == where(lambda row: row["assigned_to"] == BETH)
    assert numbers("assigned_toSTARTSWITHabel") == where(lambda row: row["assigned_to"] == ABEL)


def test_the_order_follows_display_values_and_numbers() -> None:
    shown = [
        row["assigned_to"] for row in store().select("incident", "ORDERBYDESCassigned_to", ["assigned_to"])
    ]
    assert shown == sorted(shown, key=lambda sys_id: NAMES[sys_id], reverse=True)
    priorities = [
        row["priority"]
        for row in store().select("incident", "priorityISNOTEMPTY^ORDERBYpriority", ["priority"])
    ]
    assert priorities == sorted(priorities, key=int)


def test_a_field_named_order_is_no_ordering() -> None:
    assert query.parse("a=1^ORorder=1").blocks == (
        ((Condition("a", "=", "1"), Condition("order", "=", "1")),),
    )


def test_long_lists_are_bound_as_one() -> None:
    listed = ",".join(row["number"] for row in ROWS[:50]) + "," + ",".join(f"X{n}" for n in range(40_000))
    assert numbers(f"numberIN{listed}") == {row["number"] for row in ROWS[:50]}


def test_long_and_deep_queries_are_within_the_databases_bounds() -> None:
    wanted = [row["number"] for row in ROWS[:3]]
    many = [f"X{number}" for number in range(3000)]
    assert numbers("^OR".join(f"number={each}" for each in [*many, *wanted])) == set(wanted)
    assert numbers("^NQ".join(f"number={each}" for each in [*many, *wanted])) == set(wanted)
    assert numbers("^".join(f"number!={each}" for each in many)) == {row["number"] for row in ROWS}
    assert numbers("short_descriptionLIKE" + "x" * 60_000) == set()
    assert numbers("parent." * 70 + "number=1") == {row["number"] for row in ROWS}


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        ("opened_atBETWEEN2026-03-02 00:00:00@2026-03-03 23:59:59", ("2026-03-02", "2026-03-03")),
        (
            "opened_atONx@javascript:gs.dateGenerate('2026-03-02','start')@2026-03-02 23:59:59",
            ("2026-03-02",),
        ),
        ("opened_atON2026-03-04", ("2026-03-04",)),
        ("opened_at>=javascript:gs.daysAgoStart(0)^opened_at<=javascript:gs.endOfToday()", ("2026-03-10",)),
        ("opened_atRELATIVEGE@dayofweek@ago@1^opened_at<2026-03-12", ("2026-03-10", "2026-03-11")),
    ],
)
def test_dates(encoded: str, expected: tuple[str, ...]) -> None:
    assert numbers(encoded) == where(lambda row: row["opened_at"][:10] in expected)
    assert numbers(encoded)


@pytest.mark.claim("guarded-script")
@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("gs.beginningOfToday()", "US/Pacific", "2026-03-10 07:00:00"),
        ("gs.endOfToday()", "UTC", "2026-03-10 23:59:59"),
        ("gs.beginningOfLastMonth()", "UTC", "2026-02-01 00:00:00"),
        ("gs.endOfLastMonth()", "UTC", "2026-02-28 23:59:59"),
        ("gs.beginningOfThisQuarter()", "UTC", "2026-01-01 00:00:00"),
        ("gs.beginningOfThisWeek()", "UTC", "2026-03-08 00:00:00"),
        ("gs.beginningOfLast7Days()", "UTC", "2026-03-04 00:00:00"),
        ("gs.hoursAgo(3)", "UTC", "2026-03-10 09:00:00"),
        ("gs.monthsAgoStart(1)", "UTC", "2026-02-01 00:00:00"),
        ("gs.dateGenerate('2026-01-05','end')", "UTC", "2026-01-05 23:59:59"),
        ('gs.dateGenerate("2026-01-05 08:00:00")', "UTC", "2026-01-05 08:00:00"),
        ("gs.getUserID()", "UTC", ABEL),
    ],
)
def test_guarded_expressions(expression: str, zone: str, expected: str) -> None:
    assert evaluate(expression, Context(now=NOW, user=ABEL, time_zone=zone)) == expected


@pytest.mark.parametrize(
    "expression", ["new GlideRecord('incident')", "gs.eval('1')", "gs.daysAgo(f())", "1;2"]
)
def test_what_is_not_allowed_matches_nothing(expression: str) -> None:
    assert numbers(f"number=javascript:{expression}") == set()


def test_a_date_literal_may_be_read_in_the_users_zone() -> None:
    context = Context(now=NOW, time_zone="US/Pacific", literal_time_zone="user")
    compiled = query.compile(store().dictionary, "incident", "opened_at>2026-03-01 00:00:00", context)
    assert compiled.params[-1] == "2026-03-01 08:00:00"


def test_unknown_fields_may_answer_nothing() -> None:
    compiled = query.compile(
        store().dictionary, "incident", "nope=1", Context(now=NOW, unknown_field="no_rows")
    )
    assert compiled.unknown == ("nope",)
    assert (
        store()
        .execute(f"SELECT 1 {compiled.from_sql} WHERE {compiled.where_sql}", compiled.params)
        .fetchall()
        == []
    )


def test_a_row_that_is_not_stored_can_be_asked() -> None:
    context = Context(now=NOW)
    row = {"state": "6", "assigned_to": BETH}
    assert store().matches("incident", row, "stateIN6,7^assigned_to.name=beth anglin^EQ", context)
    assert not store().matches("incident", row, "state=1", context)
