"""Conditions on dates, in the time zone of the one who asks."""

from __future__ import annotations

import pytest

from packages.wavetank.tests.database.query import things
from packages.wavetank.tests.database.query.things import asked


def found(encoded: str, begun: str, due: str = "", **more: object) -> bool:
    row = {**dict.fromkeys(things.TYPES, ""), "sys_class_name": "u_thing", "sys_id": "1" * 32}
    things.fill([{**row, "begun": begun, "due": due, "day": due[:10]}], [])
    return bool(asked(encoded, **more))


@pytest.mark.claim("query-date-parts")
def test_parts_of_two_dates_are_compared_in_the_users_zone() -> None:
    # Six in the morning and three in the afternoon of one Pacific day are two days in Greenwich.
    morning, evening = "2026-01-10 14:00:00", "2026-01-11 00:00:00"
    assert found("begunSAMEASdue@day", morning, evening)
    assert not found("begunSAMEASdue@day", morning, evening, time_zone="UTC")
    assert found("begunSAMEASdue@day", "2026-08-01 12:00:00", "2026-09-01 12:00:00")
    assert found("begunSAMEASdue@hour", "2026-03-07 18:00:00", "2026-03-09 17:59:59")  # across the change
    assert not found("begunSAMEASdue@nothing", morning, morning)


@pytest.mark.claim("query-week-start")
def test_a_week_begins_on_sunday_unless_set_otherwise() -> None:
    saturday, sunday, monday = "2026-03-07 20:00:00", "2026-03-08 20:00:00", "2026-03-09 20:00:00"
    assert not found("begunSAMEASdue@week", saturday, sunday)
    assert found("begunSAMEASdue@week", sunday, monday)
    assert found("begunSAMEASdue@week", saturday, sunday, week_start="monday")
    assert not found("begunSAMEASdue@week", sunday, monday, week_start="monday")
    this_week = "begunONThis week@javascript:gs.beginningOfThisWeek()@javascript:gs.endOfThisWeek()"
    assert found(this_week, sunday)
    assert not found(this_week, sunday, week_start="monday")
    assert found("begunRELATIVEEE@week@ago@0", sunday)
    assert not found("begunRELATIVEEE@week@ago@0", sunday, week_start="monday")


@pytest.mark.claim("query-dates-apart")
@pytest.mark.parametrize(
    ("encoded", "begun", "due", "expected"),
    [
        ("begunMORETHANdue@month@before@1", "2026-02-28 12:00:00", "2026-03-31 12:00:00", True),
        ("begunMORETHANdue@month@before@1", "2026-02-28 12:00:01", "2026-03-31 12:00:00", False),
        ("begunMORETHANdue@month@after@1", "2024-02-29 12:00:00", "2024-01-31 12:00:00", True),
        ("begunMORETHANdue@year@before@1", "2023-02-28 12:00:00", "2024-02-29 12:00:00", True),
        ("begunLESSTHANdue@day@before@3", "2026-03-01 00:00:00", "2026-03-04 00:00:00", True),
        ("begunLESSTHANdue@day@before@3", "2026-03-05 00:00:00", "2026-03-04 00:00:00", False),
        ("begunLESSTHANdue@day@before or after@3", "2026-03-05 00:00:00", "2026-03-04 00:00:00", True),
        ("begunMORETHANdue@hour@after@2", "2026-03-05 02:00:00", "2026-03-05 00:00:00", True),
        ("begunMORETHANday@day@after@1", "2026-03-05 00:00:00", "2026-03-04 10:00:00", True),
        ("begunMORETHANdue@day@sideways@1", "2026-03-05 00:00:00", "2020-03-04 10:00:00", False),
        ("titleMORETHANdue@day@before@1", "2026-03-05 00:00:00", "2020-03-04 10:00:00", False),
    ],
)
def test_dates_so_far_apart(encoded: str, begun: str, due: str, expected: bool) -> None:
    assert found(encoded, begun, due) is expected


@pytest.mark.claim("query-trend")
@pytest.mark.parametrize(
    ("part", "value", "sign", "expected"),
    [
        ("dayofweek", "monday", "GE", True),
        ("dayofweek", "sunday", "EE", False),
        ("dayofweek", "tuesday", "LT", True),
        ("month", "mar", "EE", True),
        ("month", "march", "LE", True),
        ("month", "june", "GT", False),
        ("hour", "10", "EE", True),
        ("quarter", "1", "EE", True),
        ("year", "2015", "LT", False),
        ("week", "10", "EE", True),
        ("dayofweek", "someday", "EE", False),
        ("aeon", "1", "EE", False),
    ],
)
def test_trends(part: str, value: str, sign: str, expected: bool) -> None:
    encoded = f"begunDATEPARTsome label@javascript:gs.datePart('{part}','{value}','{sign}')"
    assert found(encoded, "2026-03-09 17:30:00") is expected  # Monday, half past ten in the Pacific zone


@pytest.mark.claim("query-on")
def test_on_takes_its_two_moments_and_leaves_the_label() -> None:
    today = "@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()"
    assert found(f"begunONany @ label{today}", "2026-03-11 06:59:59")
    assert not found(f"begunON{today}", "2026-03-11 07:00:00")
    assert found(f"begunNOTONToday{today}", "2026-03-11 07:00:00")
    assert not found(f"begunNOTONToday{today}", "")
    assert found(f"dayONToday{today}", "", "2026-03-10")
    assert not found(f"dayONToday{today}", "", "2026-03-11")
    assert found("begunON2026-03-04", "2026-03-04 23:59:59")
    assert found("begunON2026-03-04", "2026-03-05 07:59:59", literal_time_zone="user")
    assert not found("begunON2026-03-04", "2026-03-04 07:59:59", literal_time_zone="user")


@pytest.mark.claim("query-relative")
def test_relative_days_are_counted_from_this_second_or_whole() -> None:
    evening_before = "2026-03-09 20:00:00"
    morning_before = "2026-03-09 16:00:00"
    assert found("begunRELATIVEGE@dayofweek@ago@1", evening_before)
    assert not found("begunRELATIVEGE@dayofweek@ago@1", morning_before)
    assert found("begunRELATIVEGE@dayofweek@ago@1", morning_before, relative_days="whole")
    assert not found("begunRELATIVEGT@dayofweek@ago@1", evening_before, relative_days="whole")
    assert found("begunRELATIVELE@dayofweek@ago@1", evening_before, relative_days="whole")
    assert found("begunRELATIVEGT@hour@ago@1", "2026-03-10 17:00:01", relative_days="whole")
    assert found("begunRELATIVELT@year@ahead@1", "2027-03-10 17:00:00")
    assert not found("begunRELATIVELT@eon@ago@1", "2020-01-01 00:00:00")
    assert not found("begunRELATIVEGT@year@ago@99999", "2020-01-01 00:00:00")


@pytest.mark.claim("query-literal-dates")
def test_date_literals_are_utc_or_the_users() -> None:
    assert found("begun>=2026-03-10", "2026-03-10 00:00:00")
    assert not found("begun>=2026-03-10", "2026-03-10 00:00:00", literal_time_zone="user")
    assert found("begun>=2026-03-10", "2026-03-10 07:00:00", literal_time_zone="user")
    between = "begunBETWEENjavascript:gs.dateGenerate('2026-03-10','start')@javascript:gs.dateGenerate('2026-03-10','end')"
    assert found(between, "2026-03-11 06:59:59")
    assert not found(between, "2026-03-10 06:59:59")
    assert found("longISEMPTY^day>=javascript:gs.beginningOfToday()", "", "2026-03-10")
