"""What is excluded is nowhere, what is hashed joins, and history is taken out for good."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from linkspan.cli import run
from linkspan.ingest.exclude import KEY_NAME, Exclusion
from linkspan.store.secrets import SecretStore
from tests import needs
from tests.contract.accounts import requests_since, rows
from tests.contract.intake import T0, Reader, plant

CANARY = "Zugvogel-7f3a91"
FREE_TEXT = ("description", "comments", "work_notes", "close_notes", "u_free_text")


@pytest.fixture
def reader(tmp_path: Path, wavetank: Any, capsys: pytest.CaptureFixture[str]) -> Reader:
    return Reader(tmp_path, [wavetank], capsys)


def said(reader: Reader, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Everything a command prints."""
    run(["ingest", *arguments, "--config", str(reader.config)])
    return "".join(capsys.readouterr())


def said_apart(reader: Reader, *arguments: str) -> str:
    """The same, as a process of its own."""
    line = [*needs.LINKSPAN, "ingest", *arguments]
    done = subprocess.run(
        [*line, "--config", str(reader.config)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ,
        check=False,
    )
    return done.stdout + done.stderr


def holding(folder: Path, text: str) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and (text.encode() in path.read_bytes() or text in path.name):
            yield path.name


@pytest.mark.slow
def test_an_excluded_text_is_nowhere(
    reader: Reader, wavetank: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """In no request, no file of the home while it runs or after, and nothing that is printed."""
    field = {
        "name": "incident",
        "element": "u_free_text",
        "internal_type": "string",
        "max_length": "200",
        "active": "true",
    }
    plant(wavetank, "sys_dictionary", [field])
    planted = {name: f"{CANARY} {name}" for name in FREE_TEXT if name not in ("comments", "work_notes")}
    (row,) = plant(wavetank, "incident", [{"short_description": "kept", "sys_updated_on": T0, **planted}])
    reader.setup(streams=f"incident: {{exclude: [{', '.join(FREE_TEXT)}]}}")
    with reader.wiring() as wiring:
        for name in ("comments", "work_notes"):
            wiring.admin("dev", read_only=False).table.update(
                "incident", row["sys_id"], {name: f"{CANARY} {name}"}
            )
    before = max(one["n"] for one in requests_since(wavetank))
    wavetank.control("faults", [{"match": {"table": "incident"}, "do": "truncate", "after": 1, "times": 2}])
    printed = said_apart(reader, "run", "--full", "--json")
    for arguments in (["run"], ["verify"], ["status"], ["export", "--out", str(reader.folder / "out")]):
        printed += said(reader, capsys, *arguments)
    assert "verified" in printed
    asked = [one["path"] + "?" + one["query"] for one in requests_since(wavetank, before)]
    assert asked
    for name in FREE_TEXT:
        assert [one for one in asked if name in re.split("%2C|,|=|&", one)] == []
    assert CANARY not in printed + "".join(asked)
    assert list(holding(reader.folder, CANARY)) == []
    stored = reader.stored(where=f"sys_id = '{row['sys_id']}'")
    assert [one["short_description"] for one in stored] == ["kept"]
    assert not set(FREE_TEXT) & set(reader.warehouse.columns("dev", "incident"))


def test_without_the_exclusion_the_text_is_found(reader: Reader, wavetank: Any) -> None:
    """The test above can fail."""
    plant(wavetank, "incident", [{"description": f"{CANARY} description", "sys_updated_on": T0}])
    reader.setup(streams="incident: {}")
    reader.stream()
    assert any(CANARY in (row["description"] or "") for row in reader.stored())
    assert list(holding(reader.folder, CANARY)) == ["warehouse.duckdb"]


def test_a_hash_is_the_same_everywhere_and_names_nobody(reader: Reader, wavetank: Any) -> None:
    (person,) = rows(wavetank, "sys_user", "user_name=abel.tuter")
    row = {"caller_id": person["sys_id"], "opened_by": person["sys_id"], "sys_updated_on": T0}
    plant(wavetank, "incident", [row, {"caller_id": "", "sys_updated_on": T0}])
    plant(wavetank, "change_request", [{"requested_by": person["sys_id"], "sys_updated_on": T0}])
    reader.setup(
        streams="incident: {hash: [caller_id, opened_by, sys_created_by, sys_updated_by]}, change_request: {hash: [requested_by]}"
    )
    assert reader.ingest()["exit"] == 0
    hashed = {one["caller_id"] for one in reader.stored(where=f"sys_updated_on = '{T0}'")}
    (change,) = reader.stored("change_request", where=f"sys_updated_on = '{T0}'")
    key = bytes.fromhex(SecretStore(Path(os.environ["LINKSPAN_HOME"])).get(KEY_NAME))
    assert hashed == {None, change["requested_by"]}
    assert change["requested_by"] == Exclusion(hash=frozenset({"x"}), key=key).digest(person["sys_id"])
    assert change["requested_by"] != hashlib.sha256(person["sys_id"].encode()).hexdigest()
    status = reader.command("ingest", "status")["result"]["streams"]["incident"]
    assert status["fields"]["hashed"] == ["caller_id", "opened_by", "sys_created_by", "sys_updated_by"]
    assert list(holding(reader.folder / "home", person["sys_id"])) == []


def test_key_columns_are_refused(reader: Reader) -> None:
    reader.streams("incident: {exclude: [sys_updated_on]}")
    done = reader.ingest()
    assert (done["exit"], done["problems"][0]["code"]) == (2, "config")
    assert "linkspan.yaml:" in done["problems"][0]["where"]


@pytest.mark.parametrize("roles", [("itil", "personalize_dictionary"), ("sn_incident_read",)])
def test_a_slip_of_the_pen_lets_nothing_through(reader: Reader, roles: tuple[str, ...]) -> None:
    reader.setup(roles=roles, streams="incident: {exclude: [descripton]}")
    done = reader.ingest()
    assert (done["exit"], done["problems"][0]["code"]) == (2, "no_such_field")
    assert "description?" in done["problems"][0]["fix"]
    assert reader.warehouse.streams() == []


def test_a_later_exclusion_warns_and_purge_takes_the_history_out(reader: Reader, wavetank: Any) -> None:
    plant(
        wavetank,
        "incident",
        [
            {"description": f"{CANARY} number {n}", "short_description": f"s{n}", "sys_updated_on": T0}
            for n in range(50)
        ],
    )
    reader.setup(streams="incident: {}")
    reader.stream()
    assert list(holding(reader.folder, CANARY)) == ["warehouse.duckdb"]
    assert reader.command("ingest", "purge", "incident", "--field", "description")["exit"] == 2
    reader.streams("incident: {exclude: [description]}")
    assert any("ingest purge incident --field description" in one for one in reader.stream()["warnings"])
    done = reader.command("ingest", "purge", "incident", "--field", "description")
    purged = done["result"]["streams"]["incident"]
    assert (done["exit"], purged["proven"]) == (0, True)
    assert purged["values"] >= 50
    assert purged["searched"] >= 50
    assert list(holding(reader.folder, CANARY)) == []
    assert reader.stream()["warnings"] == [] or not any("purge" in one for one in reader.stream()["warnings"])
    assert reader.stream()["verified"]
    assert reader.warehouse.file.stat().st_mode & 0o777 == 0o600


def test_purge_says_where_the_same_text_is_still_kept(reader: Reader, wavetank: Any) -> None:
    plant(wavetank, "incident", [{"description": CANARY, "short_description": CANARY, "sys_updated_on": T0}])
    reader.setup(streams="incident: {}")
    reader.stream()
    reader.streams("incident: {exclude: [description]}")
    done = reader.command("ingest", "purge", "incident", "--field", "description")
    assert done["exit"] == 1
    assert done["result"]["streams"]["incident"]["found_in"] == ["warehouse.duckdb"]


def test_a_field_hashed_later_warns_until_its_clear_values_are_gone(reader: Reader, wavetank: Any) -> None:
    (person,) = rows(wavetank, "sys_user", "user_name=abel.tuter")
    plant(wavetank, "incident", [{"caller_id": person["sys_id"], "sys_updated_on": T0}])
    reader.setup(streams="incident: {}")
    reader.stream()
    reader.streams("incident: {hash: [caller_id]}")
    for _ in range(2):
        assert any("in the clear" in one for one in reader.stream()["warnings"])
    reader.command("ingest", "purge", "incident", "--field", "caller_id")
    outcome = reader.stream("incident", "--full")
    assert not any("in the clear" in one for one in outcome["warnings"])
    (row,) = reader.stored(where=f"sys_updated_on = '{T0}'")
    assert len(row["caller_id"]) == 64


def test_exports_hold_what_is_stored_and_no_formula(reader: Reader, wavetank: Any, tmp_path: Path) -> None:
    texts = ['=HYPERLINK("http://evil")', "+1", "-1", "@x", "\uff1d1+1", 'plain, "quoted"\nline']
    plant(wavetank, "incident", [{"short_description": text, "sys_updated_on": T0} for text in texts])
    reader.setup(streams="incident: {}")
    reader.stream()
    out = tmp_path / "out put"
    done = reader.command("ingest", "export", "--format", "csv", "--out", str(out))
    ((path, count),) = done["result"]["files"].items()
    assert count == len(reader.stored())
    with Path(path).open(newline="") as file:
        found = {row["sys_id"]: row["short_description"] for row in csv.DictReader(file)}
    wanted = {row["sys_id"]: row["short_description"] or "" for row in reader.stored()}
    assert {sys_id: text.removeprefix("'") for sys_id, text in found.items()} == wanted
    assert not [text for text in found.values() if text[:1] in ("=", "+", "-", "@", "\uff1d")]
    done = reader.command("ingest", "export", "--out", str(out))
    ((path, _),) = done["result"]["files"].items()
    assert Path(path).stat().st_mode & 0o777 == 0o600
    kinds = duckdb.sql(f"SELECT * FROM '{path}'")
    assert dict(zip(kinds.columns, map(str, kinds.types), strict=True)) == reader.warehouse.columns(
        "dev", "incident"
    )
    assert reader.command("ingest", "export", "--format", "xlsx", "--out", str(out))["exit"] == 2
    assert json.dumps(done["result"])
