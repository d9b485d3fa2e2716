"""Ingestion from a running instance: what is visible there is stored here, once, in its newest version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.accounts import KEY, rows
from tests.contract.intake import Reader, plant, there


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKSPAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LINKSPAN_KEY", KEY)
    monkeypatch.setenv("TANK_ADMIN", "admin")
    monkeypatch.delenv("LINKSPAN_DATABASE_URL", raising=False)


@pytest.fixture
def reader(tmp_path: Path, wavetank: Any, capsys: pytest.CaptureFixture[str]) -> Reader:
    reader = Reader(tmp_path, [wavetank], capsys)
    reader.setup(streams="incident: {}")
    return reader


def test_a_run_stores_what_is_visible_and_the_next_reads_only_what_is_new(
    reader: Reader, wavetank: Any
) -> None:
    plant(
        wavetank,
        "incident",
        [
            {"short_description": f"n{n}", "sys_updated_on": f"2026-03-{1 + n % 28:02} 10:00:00"}
            for n in range(120)
        ],
    )
    first = reader.stream()
    assert first["verified"], first
    assert reader.live() == there(wavetank, "incident")
    assert (first["counted"], first["hidden"]) == (first["stored"], 0)
    (row,) = rows(wavetank, "incident", "short_description=n7")
    wavetank.control(
        f"records/incident/{row['sys_id']}",
        {"short_description": "changed", "sys_updated_on": "2026-04-01 00:00:00", "sys_mod_count": "1"},
        method="PATCH",
    )
    second = reader.stream()
    assert second["read"] < 10
    assert second["verified"]
    assert reader.live() == there(wavetank, "incident")
    assert [row["short_description"] for row in reader.stored(where=f"sys_id='{row['sys_id']}'")] == [
        "changed"
    ]
    assert reader.command("ingest", "verify")["exit"] == 0
