"""Reading an event log: order, nulls, zips, and what is no log at all."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import pytest

from linkspan.core.errors import ConfigError
from linkspan.demo.log import COLUMNS, moment, read

HEADER = ["number", "incident_state", "sys_mod_count", "sys_updated_by", "sys_updated_at", "active", *COLUMNS]


def row(number: str, edition: str, at: str, state: str = "New", editor: str = "Updated by 1", **columns: str):
    filled = {name: columns.get(name, "?") for name in COLUMNS}
    return [number, state, edition, editor, at, "true", *filled.values()]


def write(path: Path, *rows: list[str], header: list[str] = HEADER) -> Path:
    with path.open("w", encoding="utf-8", newline="") as text:
        csv.writer(text).writerows([header, *rows])
    return path


def test_events_come_in_order_of_time_then_number_then_edition(tmp_path):
    log = write(
        tmp_path / "log.csv",
        row("INC0000002", "0", "1/3/2016 09:00"),
        row("INC0000001", "10", "1/3/2016 09:00"),
        row("INC0000001", "9", "1/3/2016 09:00"),
        row("INC0000009", "0", "29/2/2016 23:59"),
        row("INC0000003", "0", "1/12/2016 09:00"),
    )
    found = [(event.number, event.edition) for event in read(log, 10)]
    assert found == [
        ("INC0000009", 0),
        ("INC0000001", 9),
        ("INC0000001", 10),
        ("INC0000002", 0),
        ("INC0000003", 0),
    ]


def test_only_the_first_events_are_taken_wherever_they_stand(tmp_path):
    log = write(
        tmp_path / "log.csv",
        row("INC3", "0", "3/3/2016 09:00"),
        row("INC2", "0", "2/3/2016 09:00"),
        row("INC1", "0", "1/3/2016 09:00"),
    )
    assert [event.number for event in read(log, 2)] == ["INC1", "INC2"]


def test_null_is_empty_and_stray_blanks_are_one(tmp_path):
    log = write(tmp_path / "log.csv", row("INC1", "0", "1/3/2016 09:00", problem_id="Problem ID  2"))
    (event,) = read(log, 1)
    assert event.columns["cmdb_ci"] == ""
    assert event.columns["problem_id"] == "Problem ID 2"


def test_a_zip_may_hold_the_hidden_twin_of_its_table(tmp_path):
    log = write(tmp_path / "log.csv", row("INC1", "0", "1/3/2016 09:00"))
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as archive:
        archive.write(log, "log.csv")
        archive.writestr("__MACOSX/._log.csv", b"\x00\x05")
    assert [event.number for event in read(tmp_path / "log.zip", 5)] == ["INC1"]


def test_a_file_that_is_no_log_says_what_is_missing(tmp_path):
    log = write(tmp_path / "log.csv", ["1"], header=["number"])
    with pytest.raises(ConfigError, match="no column 'assigned_to'"):
        read(log, 1)


def test_a_row_that_is_no_event_is_named_by_its_line(tmp_path):
    log = write(tmp_path / "log.csv", row("INC1", "0", "1/3/2016 09:00"), row("INC2", "0", "yesterday"))
    with pytest.raises(ConfigError) as caught:
        read(log, 1)
    assert caught.value.where == f"{log}:3"


def test_an_absent_file_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.zip", 1)


def test_moments_sort_like_time():
    assert moment("9/10/2016 08:05") < moment("10/10/2016 07:00")
