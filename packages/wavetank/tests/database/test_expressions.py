"""The guarded language: what it computes, and that nothing else gets through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavetank.database.expressions import Context, NotAllowed, evaluate
from wavetank.database.store import Database

# A Tuesday, 11 in the morning in the Pacific zone, two days after summer time began there.
CONTEXT = Context(
    now="2026-03-10 18:00:00",
    user="a" * 32,
    user_name="abel.tuter",
    time_zone="US/Pacific",
    groups=lambda: ["g1", "g2"],
    roles=frozenset({"itil"}),
)


@pytest.mark.claim("guarded-script")
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'a' + 'b'", "ab"),
        ("'state=' + 1 + 2", "state=12"),
        ("1 + 2 - 4", "-1"),
        ("0.5 + 1", "1.5"),
        ("-3", "-3"),
        ("1 < 2", "true"),
        ("'b' < 'a'", "false"),
        ("1 !== '1'", "true"),
        ("1 < 2 && 'yes'", "yes"),
        ("null && 'yes'", ""),
        ("gs.hasRole('itil') ? 'fulfiller' : 'requester'", "fulfiller"),
        ("gs.hasRole('admin,catalog') ? 'x' : 1 < 2 ? 'y' : 'z'", "y"),
        ("[1, 'x', [true]]", ["1", "x", "true"]),
        ("['a', 'b'][1]", "b"),
        ("'a,b'.split(',')[0].toUpperCase()", "A"),
        ("['a', 'b'].join('^OR')", "a^ORb"),
        ("'abc'.length", "3"),
        ("typeof 'x'", "string"),
        ("[1] instanceof Array", "true"),
        ("new GlideDateTime('2026-01-05 08:00:00').getDayOfWeekUTC()", "1"),
        ("new GlideDate('2026-01-05').getByFormat()", "2026-01-05"),
        ("new GlideDate('2026-01-05').getByFormat('d MMM yyyy')", "5 Jan 2026"),
        ("('x')", "x"),
        ("gs.getUser().getMyGroups()", ["g1", "g2"]),
        ("'sys_idIN' + gs.getUser().getMyGroups()", "sys_idINg1,g2"),
        ("getMyGroups();", ["g1", "g2"]),
        ("gs.getUserID()", "a" * 32),
        ("gs.getUserName()", "abel.tuter"),
        ("gs.nil('')", "true"),
        ("gs.getMessage('{0} of {1}', ['one', 'two'])", "one of two"),
        ("gs.getDurationDate('1 8:00:30')", "1970-01-02 08:00:30"),
        ("gs.dateDiff('2026-01-01 00:00:00', '2026-01-02 01:00:00', true)", "90000"),
        ("gs.dateDiff('2026-01-01 00:00:00', '2026-01-02 01:00:00', false)", "1 01:00:00"),
        ("gs.isFirstDayOfWeek('2026-03-09 18:00:00')", "true"),
        ("gs.isLastDayOfMonth('2026-02-28 18:00:00')", "true"),
        ("Number.parseInt('12px')", "12"),
    ],
)
def test_expressions(expression: str, value: str | list[str]) -> None:
    assert evaluate(expression, CONTEXT) == value


@pytest.mark.claim("guarded-script-dates")
@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("beginningOfToday()", "2026-03-10 07:00:00"),
        ("endOfToday()", "2026-03-11 06:59:59"),
        ("beginningOfYesterday()", "2026-03-09 07:00:00"),
        ("endOfTomorrow()", "2026-03-12 06:59:59"),
        ("beginningOfThisWeek()", "2026-03-08 08:00:00"),  # before summer time
        ("endOfThisWeek()", "2026-03-15 06:59:59"),
        ("beginningOfLastWeek()", "2026-03-01 08:00:00"),
        ("endOfNextWeek()", "2026-03-22 06:59:59"),
        ("beginningOfThisMonth()", "2026-03-01 08:00:00"),
        ("endOfLastMonth()", "2026-03-01 07:59:59"),
        ("endOfNextMonth()", "2026-05-01 06:59:59"),
        ("beginningOfThisQuarter()", "2026-01-01 08:00:00"),
        ("endOfNext2Quarters()", "2026-07-01 06:59:59"),
        ("beginningOfLastYear()", "2025-01-01 08:00:00"),
        ("endOfNextYear()", "2028-01-01 07:59:59"),
        ("beginningOfOneYearAgo()", "2025-03-10 07:00:00"),
        ("beginningOfLast30Days()", "2026-02-09 08:00:00"),
        ("beginningOfCurrentHour()", "2026-03-10 18:00:00"),
        ("endOfLastMinute()", "2026-03-10 17:59:59"),
        ("daysAgo(3)", "2026-03-07 19:00:00"),
        ("hoursAgo(72)", "2026-03-07 18:00:00"),
        ("daysAgo(-1)", "2026-03-11 18:00:00"),
        ("daysAgoStart(1)", "2026-03-09 07:00:00"),
        ("daysAgoEnd(2)", "2026-03-09 06:59:59"),
        ("daysAgoLocal(1)", "2026-03-09 00:00:00"),
        ("minutesAgoEnd(30)", "2026-03-10 17:30:59"),
        ("monthsAgo(1)", "2026-02-10 19:00:00"),
        ("monthsAgoStart(3)", "2025-12-01 08:00:00"),
        ("quartersAgoEnd(1)", "2026-01-01 07:59:59"),
        ("yearsAgo(1)", "2025-03-10 18:00:00"),
        ("lastWeek()", "2026-03-03 19:00:00"),
        ("yesterday()", "2026-03-09 18:00:00"),
        ("dateGenerate('2026-01-05', 'end')", "2026-01-06 07:59:59"),
        ('dateGenerate("2026-07-05 08:30:00")', "2026-07-05 15:30:00"),
        ("now()", "2026-03-10"),
        ("nowNoTZ()", "2026-03-10 18:00:00"),
        ("nowGlideDateTime()", "2026-03-10 18:00:00"),
    ],
)
def test_moments_are_computed_in_the_users_zone_and_told_in_utc(call: str, value: str) -> None:
    assert evaluate(f"gs.{call}", CONTEXT) == value


@pytest.mark.claim("guarded-script-now")
def test_now_in_the_sessions_zone() -> None:
    assert evaluate("gs.nowDateTime()", CONTEXT) == "2026-03-10 18:00:00"
    there = replace(CONTEXT, now_date_time="session")
    assert evaluate("gs.nowDateTime()", there) == "2026-03-10 11:00:00"


@pytest.mark.claim("guarded-script-people")
def test_the_one_who_asks(database: Database) -> None:
    boss = database.insert("sys_user", {"user_name": "q.b", "name": "Q Boss"})["sys_id"]
    place = database.insert("cmn_location", {"name": "Here"})["sys_id"]
    company = database.insert("core_company", {"name": "Q Company", "city": "Rotterdam"})["sys_id"]
    user = database.insert(
        "sys_user",
        {"user_name": "q.u", "name": "Q User", "manager": boss, "location": place, "company": company},
    )["sys_id"]
    led = database.insert("sys_user_group", {"name": "Led", "manager": user})["sys_id"]
    database.insert("sys_properties", {"name": "q.colour", "value": "teal"})
    context = replace(CONTEXT, user=user, rows=database, groups=lambda: [led])

    def value(expression: str) -> str | list[str]:
        return evaluate(expression, context)

    assert value("gs.getUser().getLocation()") == place
    assert value("gs.getUser().getManagerName()") == "Q Boss"
    assert value("gs.getUser().getManagedGroups()") == [led]
    assert value("gs.getUser().isMemberOf('Led') ? 1 : 2") == "1"
    assert value("gs.getUserDisplayName()") == "Q User"
    assert value("gs.getUser().getCompanyRecord().getDisplayValue()") == "Q Company"
    assert value("gs.getUser().getCompanyRecord().getValue('city')") == "Rotterdam"
    assert value("gs.getUser().getCompanyRecord()") == company
    assert value("GlideProperties.get('q.colour', 'x') + GlideProperties.get('q.none', 'x')") == "tealx"
    assert "incident" in value("TableUtils.getAllExtensions('task')")


@pytest.mark.claim("guarded-script")
@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1;2",
        "var x = 1",
        "x",
        "x = 1",
        "1 == 1",
        "1 || 2",
        "!true",
        "2 * 3",
        "a[b]",
        "(function(){return 1})()",
        "() => 1",
        "if (true) 1",
        "new GlideRecord('incident')",
        "new GlideRecord('incident').query()",
        "gs.getUser().getID()",
        "gs.getUser",
        "gs.getProperty('x')",
        "gs.getSession()",
        "gs.include('x')",
        "gs.eval('1')",
        "gs.log('x')",
        "gs.beginningOfLast7Years()",
        "gs.yearsAgoStart(1)",
        "gs.__class__",
        "gs.call('x')",
        "''.__class__",
        "''.constructor('x')",
        "''.format('x')",
        "[].map(1)",
        "GlideProperties.set('a', 'b')",
        "Packages.java.lang.System",
        "eval('1')",
        "getSomething()",
        "`x`",
        "/x/",
        "{}",
        "'unfinished",
        "1 +",
        "gs.daysAgo(",
        "gs.dateGenerate('not a day','start')",
        "gs.daysAgo(9999999)",
        "'" + "x" * 5000 + "'",
        "(" * 30 + "1" + ")" * 30,
        "-" * 60 + "1",
        "[" * 60,
        "+".join(["1"] * 400),
        "'aaaaaaaaaa'" + ".split('').join('bbbbbbbbbb')" * 12,
    ],
)
def test_everything_else_is_refused(expression: str) -> None:
    with pytest.raises(NotAllowed):
        evaluate(expression, CONTEXT)


_PIECES = st.sampled_from(
    [
        "gs",
        ".",
        "(",
        ")",
        "[",
        "]",
        "'a'",
        '"b"',
        "1",
        "0",
        "+",
        "-",
        "<",
        "!==",
        "&&",
        "?",
        ":",
        ",",
        "null",
        "true",
        "split",
        "replace",
        "join",
        "length",
        "getUser",
        "daysAgo",
        "GlideDateTime",
        "Array",
        "of",
        "slice",
        "toFixed",
        "substr",
        "at",
        "String",
        "fromCharCode",
        "99999",
        "new ",
        "typeof ",
        "instanceof ",
    ]
)


_NAMES = (Path(__file__).parent / "guarded_names.txt").read_text(encoding="utf-8")
_ON_THE_LIST = [
    (kind, name) for line in _NAMES.replace("\n    ", " ").splitlines()
    for kind, names in [line.split(": ")] for name in names.split()
]  # fmt: skip
_GIVEN = {
    "dateGenerate": "'2026-01-01', 'start'",
    "calDateDiff": "'2026-01-01', '2026-01-02'",
    "dateDiff": "'2026-01-01', '2026-01-02'",
    "getDurationDate": "'1 0:0:0'",
    "datePart": "'month', '1', 'EE'",
}


@pytest.mark.claim("guarded-script")
@pytest.mark.parametrize(("kind", "name"), _ON_THE_LIST)
def test_what_the_list_allows_answers(kind: str, name: str) -> None:
    before = {"GlideSystem": "gs", "GlideUser": "gs.getUser()"}.get(kind, f"new {kind}()")
    expression = f"{before}.{name}({_GIVEN.get(name, chr(39) + '2026-01-01' + chr(39))})"
    if "SchedulePeriod" in name or name == "dateAdd":
        with pytest.raises(NotAllowed):
            evaluate(expression, CONTEXT)
    else:
        evaluate(expression, CONTEXT)


@pytest.mark.claim("guarded-script-unbuilt")
@pytest.mark.parametrize(
    "expression",
    [
        "gs.beginningOfThisSchedulePeriod()",
        "gs.dateAdd('2026-01-01', 1)",
        "new GlideBusinessCalendarUtil().getCalendars()",
        "GlideCounter.next('x')",
        "GlideListFilter.getItilDefaultGroupTypes()",
        "new DashboardFiltersParser().getRecent()",
        "GlideNumberManager.getNextObjNumberPadded()",
        "current.getValue('x')",
        "new MyScriptInclude().answer()",
        "Math.max(1, 2)",
    ],
)
def test_what_is_allowed_there_and_not_built_here(expression: str) -> None:
    with pytest.raises(NotAllowed):
        evaluate(expression, CONTEXT)


@pytest.mark.claim("guarded-script")
@settings(max_examples=300, deadline=1000)
@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=14).map("".join)))
def test_any_text_is_a_value_or_refused(expression: str) -> None:
    try:
        value = evaluate(expression, CONTEXT)
    except NotAllowed:
        return
    texts = [value] if isinstance(value, str) else value
    assert all(isinstance(each, str) for each in texts)
