"""What is written, as it is stored, and what is stored, as it is shown: type by type."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavetank.database import formats, listing
from wavetank.database.choices import Choices
from wavetank.database.dictionary import Field, Table
from wavetank.database.display import Renderer
from wavetank.database.formats import Style
from wavetank.database.values import DROPPED, Reader

DATES = (
    "yyyy-MM-dd",
    "MM-dd-yyyy",
    "dd/MM/yyyy",
    "dd-MM-yyyy",
    "dd.MM.yyyy",
    "d MMM yyyy",
    "EEEE, MMMM d, yyyy",
)
TIMES = ("HH:mm:ss", "hh:mm:ss a", "h:mm:ss a", "hh.mm.ss a", "HH.mm.ss", "H:m:s")


def field(kind: str, **more: Any) -> Field:
    return Field(name="x", type=kind, table="t", **more)


@pytest.fixture
def table(database: Any) -> Table:
    found = database.dictionary.table("incident")
    assert found is not None
    return found


def reader(database: Any, *, display: bool = False, **more: str) -> Reader:
    style = {"time_zone": "UTC", "date_format": "%Y-%m-%d", "time_format": "%H:%M:%S", **more}
    return Reader(database=database, choices=Choices(database), display=display, any_choice=False, **style)


def shown(kind: str, value: str, **more: str) -> str | None:
    style = {"time_zone": "UTC", "date_format": "%Y-%m-%d", "time_format": "%H:%M:%S", **more}
    return formats.shower(field(kind), Style(mode="true", links="", **style), None)(value)  # type: ignore[arg-type]


@pytest.mark.claim("value-user-formats")
@pytest.mark.parametrize(
    ("java", "text"),
    [
        ("yyyy-MM-dd HH:mm:ss", "2026-03-05 18:07:09"),
        ("MM-dd-yyyy hh:mm:ss a", "03-05-2026 06:07:09 PM"),
        ("dd.MM.yyyy H:m", "05.03.2026 18:7"),
        ("d MMM yy", "5 Mar 26"),
        ("EEE, MMMM d", "Thu, March 5"),
        ("yyyy'year' ''mm''", "2026year '07'"),
        ("100% yyyy", "100% 2026"),
    ],
)
def test_java_patterns(java: str, text: str) -> None:
    moment = datetime(2026, 3, 5, 18, 7, 9, tzinfo=UTC)
    assert moment.strftime(formats.strftime_format(java)) == text


@pytest.mark.claim("value-user-formats")
@given(
    seconds=st.integers(0, 4_000_000_000),
    date=st.sampled_from(DATES),
    time=st.sampled_from(TIMES),
    zone=st.sampled_from(("UTC", "US/Pacific", "Asia/Kolkata", "Pacific/Auckland", "no such zone")),
)
def test_what_a_person_sees_can_be_typed_in_again(seconds: int, date: str, time: str, zone: str) -> None:
    stored = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
    style = {
        "time_zone": zone,
        "date_format": formats.strftime_format(date),
        "time_format": formats.strftime_format(time),
    }
    text = shown("glide_date_time", stored, **style)
    assert text is not None
    again = reader(None, display=True, **style).read(None, field("glide_date_time"), text)  # type: ignore[arg-type]
    # An hour that a clock shows twice a year may be the other one of the two.
    assert again == stored or abs(_seconds(str(again)) - seconds) == 3600
    day = shown("glide_date", stored[:10], **style)
    assert reader(None, display=True, **style).read(None, field("glide_date"), day) == stored[:10]  # type: ignore[arg-type]


def _seconds(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())


@pytest.mark.claim("value-numbers")
@pytest.mark.parametrize(
    ("kind", "stored", "text"),
    [
        ("integer", "102197", "102,197"),
        ("longint", "-1234567", "-1,234,567"),
        ("integer", "", ""),
        ("decimal", "1234567.891", "1,234,567.891"),
        ("decimal", "-0.5", "-0.5"),
        ("float", "139.99", "139.99"),
        ("float", "n/a", "n/a"),
        ("boolean", "true", "true"),
        ("password", "secret", "********"),
        ("password2", "", ""),
    ],
)
def test_numbers_and_masks(kind: str, stored: str, text: str) -> None:
    assert shown(kind, stored) == text


@pytest.mark.claim("value-durations")
@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("1970-01-02 04:23:17", "1 Day 4 Hours 23 Minutes"),
        ("1970-01-01 08:00:00", "8 Hours"),
        ("1970-01-01 00:00:05", "5 Seconds"),
        ("1970-01-01 00:00:01", "1 Second"),
        ("1971-01-01 00:01:00", "365 Days 1 Minute"),
        ("", ""),
        ("odd", "odd"),
    ],
)
def test_durations_in_words(stored: str, text: str) -> None:
    assert shown("glide_duration", stored) == text


@pytest.mark.claim("value-durations")
@pytest.mark.parametrize(
    ("given_text", "display", "stored"),
    [
        ("1970-01-02 04:23:17", False, "1970-01-02 04:23:17"),
        ("08:00:00", False, "1970-01-01 08:00:00"),
        ("2 08:00:00", False, "1970-01-03 08:00:00"),
        ("1 Day 4 Hours 23 Minutes", True, "1970-01-02 04:23:00"),
        ("1 Day 4 Hours 23 Minutes", False, DROPPED),
        ("5 seconds", True, "1970-01-01 00:00:05"),
        ("soon", True, DROPPED),
        ("999999 00:00:00", False, "4707-11-28 00:00:00"),
    ],
)
def test_durations_as_they_are_written(
    database: Any, table: Table, given_text: str, display: bool, stored: str
) -> None:
    assert reader(database, display=display).read(table, field("glide_duration"), given_text) == stored


@pytest.mark.claim("value-durations")
@given(st.integers(0, 10_000_000))
def test_a_duration_in_words_can_be_typed_in_again(seconds: int) -> None:
    stored = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
    words = formats.duration_text(stored)
    again = reader(None, display=True).read(None, field("glide_duration"), words)  # type: ignore[arg-type]
    assert again is not None
    lost = seconds % 60 if seconds >= 60 else 0
    assert _seconds(again) == seconds - lost


@pytest.mark.claim("value-money")
@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("509.95", "$509.95"),
        ("0", "$0.00"),
        ("1234567.5", "$1,234,567.50"),
        ("-3", "-$3.00"),
        ("", ""),
        ("x", "x"),
    ],
)
def test_money_is_shown_with_its_currency(stored: str, text: str) -> None:
    assert shown("currency", stored) == shown("price", stored) == text


@pytest.mark.claim("value-money-one-currency")
@pytest.mark.parametrize(
    ("given_text", "display", "stored"),
    [
        ("509.95", False, "509.95"),
        ("USD;509.95", False, "509.95"),
        ("EUR;100", False, "108.00"),
        ("JPY;160", False, "1.08"),
        ("XXX;1", False, DROPPED),
        ("$1,509.95", True, "1509.95"),
        ("$1,509.95", False, DROPPED),
        ("much", True, DROPPED),
    ],
)
def test_money_as_it_is_written(
    database: Any, table: Table, given_text: str, display: bool, stored: str
) -> None:
    assert reader(database, display=display).read(table, field("price"), given_text) == stored


@pytest.mark.claim("value-money")
def test_both_ways_of_money_are_shown_together(admin: Any) -> None:
    [item] = admin.get("sc_cat_item", sysparm_limit="1")
    changed = admin.change("sc_cat_item", item["sys_id"], {"price": "509.95"}, sysparm_display_value="all")
    assert changed["price"] == {
        "display_value": "$509.95",
        "value": "509.95",
        "currency_display_value": "USD;509.95",
    }


@pytest.mark.claim("value-written")
@pytest.mark.parametrize(
    ("kind", "given_value", "stored"),
    [
        ("integer", 3, "3"),
        ("integer", "3.9", "3"),
        ("integer", "-.5", "0"),
        ("integer", "007", "7"),
        ("integer", "three", DROPPED),
        ("integer", "9" * 41, DROPPED),
        ("decimal", 3.25, "3.25"),
        ("boolean", True, "true"),
        ("boolean", "1", "true"),
        ("boolean", "FALSE", "false"),
        ("boolean", "perhaps", DROPPED),
        ("string", None, ""),
        ("string", ["a", 1], "[a, 1]"),
        ("string", {"link": "x", "value": None}, "{link=x, value=null}"),
        ("glide_date", "2026-03-05", "2026-03-05"),
        ("glide_date", "2026-02-30", DROPPED),
        ("glide_date_time", "2026-03-05", "2026-03-05 00:00:00"),
        ("glide_date_time", "yesterday", DROPPED),
        ("glide_time", "18:30", "1970-01-01 18:30:00"),
    ],
)
def test_written_values(database: Any, table: Table, kind: str, given_value: object, stored: str) -> None:
    assert reader(database).read(table, field(kind), given_value) == stored


@pytest.mark.claim("value-cut")
def test_text_is_cut_at_the_fields_length(admin: Any) -> None:
    long = "ä" * 200
    made = admin.create("incident", {"short_description": long, "description": long * 30})
    assert made["short_description"] == long[:160]
    assert made["description"] == (long * 30)[:4000]


@pytest.mark.claim("value-empty-due-date")
def test_a_due_date_without_a_value(admin: Any) -> None:
    made = admin.create("incident", {}, sysparm_display_value="all")
    assert made["activity_due"] == {"display_value": "UNKNOWN", "value": ""}
    assert made["category"]["value"] != ""
    assert made["close_code"] == {"display_value": None, "value": ""}


@pytest.mark.claim("value-lists")
def test_lists_are_text_of_sys_ids_and_shown_by_name(admin: Any) -> None:
    rows = admin.get("sys_user", sysparm_query="user_nameINabel.tuter,beth.anglin^ORDERBYname")
    first, second = rows
    names = f"{first['name']}, {second['name']}"
    made = admin.create(
        "incident", {"watch_list": f"{names},x@example.com"}, sysparm_input_display_value="true"
    )
    assert made["watch_list"] == f"{first['sys_id']},{second['sys_id']},x@example.com"
    [seen] = admin.get("incident", sysparm_query=f"sys_id={made['sys_id']}", sysparm_display_value="all")
    assert seen["watch_list"] == {"display_value": f"{names}, x@example.com", "value": made["watch_list"]}


@pytest.mark.claim("value-dangling")
def test_a_reference_to_nothing_keeps_its_value(admin: Any) -> None:
    made = admin.create("incident", {"caller_id": "no such person"}, sysparm_display_value="all")
    assert (made["caller_id"]["value"], made["caller_id"]["display_value"]) == ("no such person", "")


@pytest.mark.claim("value-choices-inherited")
def test_choices_of_a_class_hide_those_it_inherits(admin: Any) -> None:
    incident = admin.create("incident", {}, sysparm_display_value="all")
    assert incident["state"] == {"display_value": "New", "value": "1"}
    assert incident["priority"] == {"display_value": "5 - Planning", "value": "5"}
    [task] = admin.get(
        "task", sysparm_query=f"sys_id={incident['sys_id']['value']}", sysparm_display_value="all"
    )
    assert task["state"]["value"] == "1"
    assert task["sys_class_name"] == {"display_value": "Incident", "value": "incident"}


@pytest.mark.parametrize("key", ['x" = "x" OR 1=1 --', "no_such_column", "sys_id"])
def test_a_reference_key_cannot_break_out(admin: Any, key: str) -> None:
    column = {
        "name": "incident",
        "element": "u_friend",
        "internal_type": "reference",
        "reference": "sys_user",
    }
    admin.create("sys_dictionary", {**column, "column_label": "Friend", "attributes": f"reference_key={key}"})
    made = admin.create("incident", {"u_friend": "David Loo"}, sysparm_input_display_value="true")
    for mode in ("false", "true", "all"):
        asked = {
            "sysparm_display_value": mode,
            "sysparm_query": f"u_friend.user_nameISEMPTY^sys_id={made['sys_id']}",
        }
        assert len(admin.get("incident", **asked)) <= 1


def test_display_fields_that_lead_in_a_circle_are_followed_once_round(database: Any) -> None:
    for name in ("u_left", "u_right"):
        database.insert("sys_db_object", {"name": name, "label": name, "ws_access": "true"})
    for name, other in (("u_left", "u_right"), ("u_right", "u_left")):
        entry = {"name": name, "element": "u_other", "internal_type": "reference", "reference": other}
        database.insert("sys_dictionary", {**entry, "display": "true", "active": "true"})
    left = database.insert("u_left", {})["sys_id"]
    right = database.insert("u_right", {"u_other": left})["sys_id"]
    database.update("u_left", left, {"u_other": right})
    table = database.known("u_left")
    style = Style("true", "", "UTC", "%Y-%m-%d", "%H:%M:%S")
    renderer = Renderer(database, Choices(database), table, ["u_other"], style)
    (text,) = renderer.texts(listing.record(database, table, left)).values()
    assert json.loads(text) == {"u_other": right}
