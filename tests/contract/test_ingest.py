"""Ingestion from a running instance: what is visible there is stored here, once, in its newest version."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from linkspan.core import clock
from linkspan.core.errors import BadReply
from linkspan.ingest.extract import extract, shape
from linkspan.ingest.load import load, state_of
from linkspan.ingest.run import run
from linkspan.ingest.values import Batch, State
from tests.contract.accounts import rows
from tests.contract.intake import NOTHING, T0, Reader, hide, plant, there
from tests.contract.test_json_output import shapes, unlike


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


def stamp(instance: Any, sys_id: str, **values: str) -> None:
    """Change one incident past every rule."""
    instance.control(f"records/incident/{sys_id}", values, method="PATCH")


def spread(count: int, **more: str) -> list[dict[str, str]]:
    """Incidents of different days."""
    return [
        {
            "short_description": f"n{n}",
            "sys_updated_on": f"2026-{1 + n % 9:02}-{1 + n % 28:02} 10:00:00",
            **more,
        }
        for n in range(count)
    ]


def test_hidden_rows_are_told_from_missing_ones(reader: Reader, wavetank: Any) -> None:
    plant(wavetank, "incident", spread(40, category="secret"))
    visible = there(wavetank, "incident", "category!=secret")
    hide(wavetank, "category!=secret")
    outcome = reader.stream()
    assert reader.live() == visible
    assert (outcome["hidden"], outcome["counted"]) == (40, len(visible) + 40)
    assert outcome["verified"]


def test_a_row_updated_again_within_the_same_second_ends_in_its_last_state(
    reader: Reader, wavetank: Any
) -> None:
    (row,) = plant(
        wavetank, "incident", [{"short_description": "first", "sys_updated_on": T0, "sys_mod_count": "9"}]
    )
    reader.stream()
    stamp(wavetank, row["sys_id"], short_description="second", sys_mod_count="10")
    assert reader.stream()["verified"]
    (stored,) = reader.stored(where=f"sys_id = '{row['sys_id']}'")
    assert (stored["short_description"], stored["sys_mod_count"]) == ("second", 10)


def test_a_row_that_becomes_visible_after_its_stamp_is_found(reader: Reader, wavetank: Any) -> None:
    now = time.time()
    plant(wavetank, "incident", [{"short_description": "early", "sys_updated_on": clock.platform_time(now)}])
    reader.stream()
    plant(
        wavetank, "incident", [{"short_description": "late", "sys_updated_on": clock.platform_time(now - 60)}]
    )
    # By the overlap alone: the keys are not compared.
    line = reader.wiring().connection("responder", "dev", read_only=True)
    form = shape(line, "incident", NOTHING)
    batches = list(extract(line, form, NOTHING, state_of(reader.warehouse, "dev", "incident")))
    assert "late" in {row["short_description"] for batch in batches for row in batch.rows}
    assert reader.stream()["verified"]
    assert reader.live() == there(wavetank)


@pytest.mark.parametrize("skew", [-600, 600])
def test_our_clock_does_not_matter(reader: Reader, wavetank: Any, skew: int) -> None:
    try:
        for text in ("one", "two"):
            now = clock.platform_time(time.time())
            clock.set_clock(lambda: time.time() + skew)
            plant(wavetank, "incident", [{"short_description": text, "sys_updated_on": now}])
            assert reader.stream()["verified"]
            assert reader.live() == there(wavetank)
    finally:
        clock.set_clock(None)


def test_an_older_version_never_replaces_a_newer_one(reader: Reader, wavetank: Any) -> None:
    (row,) = plant(
        wavetank, "incident", [{"short_description": "old", "sys_updated_on": T0, "sys_mod_count": "9"}]
    )
    with reader.wiring() as wiring:
        line = wiring.connection("responder", "dev", read_only=True)
        form = shape(line, "incident", NOTHING)
        old = list(extract(line, form, NOTHING, State()))
        stamp(wavetank, row["sys_id"], short_description="new", sys_mod_count="10")
        new = list(extract(line, form, NOTHING, State()))
    for batch in (*new, *old):
        load(reader.warehouse, batch)
    (stored,) = reader.stored(where=f"sys_id = '{row['sys_id']}'")
    assert stored["short_description"] == "new"


def test_a_batch_survives_its_way_as_json_and_loading_it_twice(reader: Reader, wavetank: Any) -> None:
    plant(wavetank, "incident", spread(30))
    with reader.wiring() as wiring:
        line = wiring.connection("responder", "dev", read_only=True)
        form = shape(line, "incident", NOTHING)
        for batch in extract(line, form, NOTHING, State()):
            arrived = Batch.decode(batch.encode())
            assert arrived == batch
            load(reader.warehouse, arrived)
            load(reader.warehouse, arrived)
    assert reader.live() == there(wavetank)


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "quota_200", "after": 3, "times": 3},
        {"do": "html_200", "body": "<html>Log in</html>", "after": 3, "times": 2},
        {"do": "truncate", "after": 3, "times": 2},
        {"do": "status", "status": 503, "after": 3, "times": 1},
        {"do": "reset", "after": 3, "times": 1},
        {"do": "rate_limit", "seconds": 1, "after": 3, "times": 1},
    ],
    ids=lambda fault: fault["do"],
)
def test_a_bad_page_is_asked_for_again_and_never_stored(
    reader: Reader, wavetank: Any, fault: dict[str, Any]
) -> None:
    plant(wavetank, "incident", spread(300))
    wavetank.control("faults", [{"match": {"table": "incident"}, **fault}])
    outcome = reader.stream()
    assert outcome["verified"]
    assert reader.live() == there(wavetank)
    (told,) = wavetank.control("faults")["result"]
    assert told["hits"] > 0


def test_a_refusal_on_the_way_does_not_move_the_cursor(
    reader: Reader, wavetank: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linkspan.ingest.extract.BATCH_ROWS", 1000)
    plant(wavetank, "incident", spread(2500))
    wavetank.control("faults", [{"match": {"table": "incident"}, "do": "status", "status": 403, "after": 5}])
    done = reader.ingest()
    assert (done["exit"], done["problems"][0]["code"]) == (
        1,
        "edge_refused" if "edge" in done["problems"][0]["code"] else done["problems"][0]["code"],
    )
    state = state_of(reader.warehouse, "dev", "incident")
    assert state.cursor == ""
    assert state.sweep is not None, "what was read is kept"
    assert len(reader.stored()) == 2000
    wavetank.control("faults", method="DELETE")
    outcome = reader.stream()
    assert outcome["verified"]
    assert outcome["read"] < 1500, "what was read before is not read again"
    assert reader.live() == there(wavetank)


@pytest.mark.slow
def test_deletions_are_found_with_and_without_the_audit_and_lifted_again(
    tmp_path: Path, wavetank: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = Reader(tmp_path, [wavetank], capsys)
    reader.setup(roles=("admin",), streams="incident: {}")
    plant(wavetank, "incident", spread(60))
    assert reader.stream()["deleted"] == 0
    a, b, c = [row["sys_id"] for row in rows(wavetank, "incident", "short_descriptionINn1,n2,n3")]
    with reader.wiring() as wiring:
        assert wiring.admin("dev", read_only=False).table.delete("incident", a)  # leaves an audit entry
    (entry,) = rows(wavetank, "sys_audit_delete", f"documentkey={a}")
    (kept,) = rows(wavetank, "incident", f"sys_id={b}")
    for sys_id in (b, c):
        wavetank.control(f"records/incident/{sys_id}", method="DELETE")  # leaves none
    outcome = reader.stream()
    assert (outcome["deleted"], outcome["verified"]) == (3, True)
    gone = {row["sys_id"]: row["_deleted_at"] for row in reader.stored(where="_deleted_at IS NOT NULL")}
    assert set(gone) == {a, b, c}
    assert f"{gone[a]:%Y-%m-%d %H:%M:%S}" == entry["sys_created_on"]
    plant(wavetank, "incident", [kept])  # restored, with the stamp it had
    outcome = reader.stream()
    assert (outcome["deleted"], outcome["verified"]) == (2, True)
    assert reader.live() == there(wavetank)


def test_a_restored_record_is_not_buried_by_its_audit_entry(
    tmp_path: Path, wavetank: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = Reader(tmp_path, [wavetank], capsys)
    reader.setup(roles=("admin",), streams="incident: {}")
    (row,) = plant(wavetank, "incident", [{"short_description": "phoenix", "sys_updated_on": T0}])
    reader.stream()
    with reader.wiring() as wiring:
        wiring.admin("dev", read_only=False).table.delete("incident", row["sys_id"])
    plant(wavetank, "incident", [row])
    assert reader.stream()["deleted"] == 0


def test_the_audit_names_the_class_and_the_base_is_ingested(
    tmp_path: Path, wavetank: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = Reader(tmp_path, [wavetank], capsys)
    reader.setup(roles=("admin",), streams="task: {}")
    (row,) = plant(wavetank, "incident", [{"short_description": "of a class", "sys_updated_on": T0}])
    reader.stream("task")
    with reader.wiring() as wiring:
        wiring.admin("dev", read_only=False).table.delete("incident", row["sys_id"])
        line = wiring.connection("responder", "dev", read_only=True)
        form = shape(line, "task", NOTHING)
        *_, last = extract(line, form, NOTHING, state_of(reader.warehouse, "dev", "task"))
    assert [one.sys_id for one in last.deleted] == [row["sys_id"]]
    assert {row["sys_class_name"] for row in reader.stored("task")} >= {"incident"}


@pytest.mark.slow
def test_lost_rights_are_not_taken_for_deletions(reader: Reader, wavetank: Any) -> None:
    plant(wavetank, "incident", spread(60, category="secret"))
    reader.stream()
    everything = reader.live()
    hide(wavetank, "category!=secret")
    done = reader.ingest()
    outcome = done["result"]["streams"]["incident"]
    assert done["exit"] == 1
    assert [gap["kind"] for gap in outcome["gaps"]] == ["visibility_changed"]
    assert reader.live() == everything
    assert reader.ingest("--accept-vanished")["exit"] == 0
    assert reader.live() == there(wavetank, "incident", "category!=secret")


@pytest.mark.slow
def test_a_few_rows_that_are_hidden_now_are_not_taken_for_deletions_either(
    reader: Reader, wavetank: Any
) -> None:
    plant(wavetank, "incident", spread(60, category="inquiry"))
    secret = plant(wavetank, "incident", spread(4, category="secret"))
    gone = plant(wavetank, "incident", spread(3, category="inquiry"))
    reader.stream()
    hide(wavetank, "category!=secret")
    for row in gone:
        wavetank.control(f"records/incident/{row['sys_id']}", method="DELETE")
    done = reader.ingest()
    outcome = done["result"]["streams"]["incident"]
    assert [(gap["kind"], set(gap["sys_ids"])) for gap in outcome["gaps"]] == [
        ("visibility_changed", {row["sys_id"] for row in secret})
    ]
    deleted = {row["sys_id"] for row in reader.stored(where="_deleted_at IS NOT NULL")}
    assert deleted == {row["sys_id"] for row in gone}
    assert reader.ingest("--accept-vanished")["exit"] == 0


@pytest.mark.slow
def test_a_new_column_is_taken_up_and_a_type_that_does_not_hold_keeps_the_text(
    reader: Reader, wavetank: Any
) -> None:
    (row,) = plant(wavetank, "incident", [{"short_description": "x", "sys_updated_on": T0}])
    reader.stream()
    field = {
        "name": "incident",
        "element": "u_ward",
        "column_label": "Ward",
        "internal_type": "integer",
        "active": "true",
    }
    plant(wavetank, "sys_dictionary", [field])
    stamp(wavetank, row["sys_id"], u_ward="seven", sys_mod_count="1")
    reader.stream()
    (stored,) = reader.stored(where=f"sys_id = '{row['sys_id']}'")
    assert stored["u_ward"] is None
    assert json.loads(stored["_unparsed"]) == [{"field": "u_ward", "text": "seven"}]
    stamp(wavetank, row["sys_id"], u_ward="7", sys_mod_count="2")
    reader.stream()
    (stored,) = reader.stored(where=f"sys_id = '{row['sys_id']}'")
    assert (stored["u_ward"], stored["_unparsed"]) == (7, None)
    (event,) = reader.command("ingest", "status")["result"]["streams"]["incident"]["events"]
    assert (event["kind"], event["detail"]) == ("field_added", "u_ward")


def test_values_have_their_types(reader: Reader, wavetank: Any) -> None:
    (row,) = plant(
        wavetank,
        "incident",
        [
            {
                "opened_at": "2026-01-05 08:00:00",
                "resolved_at": "",
                "active": "false",
                "priority": "2",
                "calendar_duration": "1970-01-02 00:04:53",
                "short_description": 'ünï\ncode "quoted"',
                "sys_updated_on": T0,
            }
        ],
    )
    reader.stream()
    (stored,) = reader.stored(where=f"sys_id = '{row['sys_id']}'")
    assert f"{stored['opened_at']:%Y-%m-%d %H:%M:%S}" == "2026-01-05 08:00:00"
    assert (stored["resolved_at"], stored["active"], stored["priority"]) == (None, False, 2)
    assert stored["calendar_duration"] == 86_693
    assert stored["short_description"] == 'ünï\ncode "quoted"'


def test_without_the_dictionary_the_stream_is_read_and_says_what_it_lacks(
    tmp_path: Path, wavetank: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = Reader(tmp_path, [wavetank], capsys)
    reader.setup(roles=("sn_incident_read",), streams="incident: {}, cmdb_ci: {}")
    done = reader.ingest()
    outcome = done["result"]["streams"]["incident"]
    assert outcome["verified"]
    assert any("dictionary is closed" in warning for warning in outcome["warnings"])
    assert reader.live() == there(wavetank)
    assert [problem["code"] for problem in done["problems"]] == ["dictionary_closed"]


def test_a_field_that_may_no_longer_be_read_keeps_what_was_stored(reader: Reader, wavetank: Any) -> None:
    (row,) = plant(wavetank, "incident", [{"close_code": "Solved", "sys_updated_on": T0}])
    reader.stream()
    plant(
        wavetank,
        "sys_security_acl",
        [
            {
                "name": "incident.close_code",
                "operation": "read",
                "type": "record",
                "active": "true",
                "condition": "active=nonsense",
            }
        ],
    )
    stamp(wavetank, row["sys_id"], short_description="touched", sys_mod_count="1")
    outcome = reader.stream()
    (stored,) = reader.stored(where=f"sys_id = '{row['sys_id']}'")
    assert (stored["short_description"], stored["close_code"]) == ("touched", "Solved")
    assert any("close_code" in warning for warning in outcome["warnings"])


def test_another_address_is_another_base(reader: Reader, wavetank: Any) -> None:
    reader.stream()
    text = reader.config.read_text()
    reader.config.write_text(text.replace(wavetank.url, wavetank.url.replace("127.0.0.1", "localhost")))
    done = reader.ingest()
    assert done["problems"][0]["code"] == "base_changed"
    assert reader.stream("incident", "--full")["verified"]


def test_two_runs_of_one_stream_do_not_meet(reader: Reader, wavetank: Any) -> None:
    from linkspan.store.warehouse import lease

    place = reader.warehouse.file.parent / "leases" / "dev.incident.lock"
    with lease(place, "the other one", wait=0):
        done = reader.ingest()
    assert (done["exit"], done["problems"][0]["code"]) == (1, "warehouse_busy")
    assert "the other one" in done["problems"][0]["cause"]


def test_three_tables_of_the_guide(tmp_path: Path, wavetank: Any, capsys: pytest.CaptureFixture[str]) -> None:
    reader = Reader(tmp_path, [wavetank], capsys)
    reader.setup(streams="incident: {}, change_request: {}, sys_user: {}")
    plant(
        wavetank,
        "change_request",
        [{"short_description": "c", "work_end": "2026-02-01 11:00:00", "sys_updated_on": T0}],
    )
    done = reader.ingest()
    assert done["exit"] == 0, done
    for table in ("incident", "change_request", "sys_user"):
        assert reader.live(table) == there(wavetank, table), table
    assert "user_password" not in reader.warehouse.columns("dev", "sys_user")
    assert reader.command("ingest", "verify")["exit"] == 0
    plant(wavetank, "change_request", [{"short_description": "new", "sys_updated_on": T0}])
    looked = reader.command("ingest", "verify")
    assert looked["exit"] == 1
    assert [gap["kind"] for gap in looked["result"]["streams"]["change_request"]["gaps"]] == ["missing"]


def test_what_is_documented_is_what_is_printed(reader: Reader, wavetank: Any, tmp_path: Path) -> None:
    shape = shapes()
    plant(wavetank, "incident", [{"short_description": "x", "sys_updated_on": T0}])
    ran = reader.ingest()["result"]
    assert unlike(shape["ingest run"], ran) == []
    plant(wavetank, "incident", [{"short_description": "y", "sys_updated_on": T0}])
    verified = reader.command("ingest", "verify")
    assert verified["result"]["streams"]["incident"]["gaps"]
    assert unlike(shape["ingest run"], verified["result"]) == []
    assert unlike(shape["ingest status"], reader.command("ingest", "status")["result"]) == []
    reader.streams("incident: {exclude: [category]}")
    purged = reader.command("ingest", "purge", "incident", "--field", "category")
    assert unlike(shape["ingest purge"], purged["result"]) == []
    exported = reader.command("ingest", "export", "--out", str(tmp_path / "out"))
    assert unlike(shape["ingest export"], exported["result"]) == []


@pytest.mark.slow
def test_streams_of_several_instances_are_told_apart(
    tmp_path: Path, wavetank_fleet: Mapping[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    reader = Reader(tmp_path, [wavetank_fleet["dev"], wavetank_fleet["prod"]], capsys)
    reader.setup(streams="incident: {}, sys_user: {}")
    plant(wavetank_fleet["dev"], "incident", [{"short_description": "on dev", "sys_updated_on": T0}])
    done = reader.ingest("prod/incident", "dev/incident")
    assert set(done["result"]["streams"]) == {"dev/incident", "prod/incident"}
    assert done["exit"] == 0, done
    done = reader.ingest("incident", "--instance", "prod")
    assert set(done["result"]["streams"]) == {"prod/incident"}
    texts = {
        name: {
            row["short_description"]
            for row in reader.warehouse.rows(f"SELECT * FROM {reader.warehouse.table(name, 'incident')}")
        }
        for name in ("dev", "prod")
    }
    assert texts["dev"] - texts["prod"] == {"on dev"}
    assert reader.ingest("problem")["exit"] == 2
    wavetank_fleet["dev"].control("faults", [{"do": "drop_before"}])
    done = reader.ingest("incident")
    assert done["exit"] == 3
    assert set(done["result"]["streams"]) == {"prod/incident"}, "one that fails does not keep the other"


@pytest.mark.slow
def test_many_rows_of_one_second(reader: Reader, wavetank: Any) -> None:
    for _ in range(5):
        plant(wavetank, "incident", [{"short_description": "tie", "sys_updated_on": T0}] * 2500)
    assert reader.stream()["verified"]
    assert len(reader.stored(where=f"sys_updated_on = '{T0}'", columns="sys_id")) == 12_500


@pytest.mark.slow
def test_a_record_that_cannot_be_returned_is_set_aside_until_it_can(reader: Reader, wavetank: Any) -> None:
    made = plant(wavetank, "incident", spread(40))
    poison = made[20]["sys_id"]
    with reader.wiring() as wiring:
        line = wiring.connection("responder", "dev", read_only=True)
        call = line.call

        def failing(method: str, path: str, **named: Any) -> Any:
            reply = call(method, path, **named)
            wide = "short_description" in str(named.get("params"))
            if wide and any(row.get("sys_id") == poison for row in reply.result):
                raise BadReply("Transaction cancelled", code="transaction_cancelled")
            return reply

        line.call = failing  # type: ignore[method-assign]
        for _ in range(2):
            outcome = run(line, reader.warehouse, "incident", NOTHING)
            assert [(gap["kind"], gap["sys_ids"]) for gap in outcome.gaps] == [("quarantined", [poison])]
            assert {one[0] for one in there(wavetank)} - {one[0] for one in reader.live()} == {poison}
    status = reader.command("ingest", "status")["result"]["streams"]["incident"]
    assert status["quarantined"] == [{"sys_id": poison, "reason": "transaction_cancelled"}]
    assert reader.stream()["verified"]
    assert reader.command("ingest", "status")["result"]["streams"]["incident"]["quarantined"] == []


@pytest.mark.slow
def test_a_large_table_is_compared_when_its_count_does_not_fit(
    reader: Reader, wavetank: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linkspan.ingest.run.COMPARE_EACH_TIME", 0)
    plant(wavetank, "incident", spread(30, category="secret"))
    plant(wavetank, "incident", spread(30, category="inquiry"))
    hide(wavetank, "category!=secret")
    first = reader.stream()
    assert (first["hidden"], first["verified"]) == (30, True)
    second = reader.stream()
    assert (second["hidden"], second["verified"]) == (30, True)
    assert second["requests"] < first["requests"], "the keys were compared again"
    wavetank.control(
        f"records/incident/{rows(wavetank, 'incident', 'category!=secret')[0]['sys_id']}", method="DELETE"
    )
    third = reader.stream()
    assert (third["deleted"], third["verified"]) == (1, True)


def test_a_change_that_leaves_no_stamp_is_seen_by_a_full_run(reader: Reader, wavetank: Any) -> None:
    (row,) = plant(wavetank, "incident", [{"short_description": "before", "sys_updated_on": T0}])
    plant(wavetank, "incident", [{"sys_updated_on": "2026-06-01 00:00:00"}])
    reader.stream()
    stamp(wavetank, row["sys_id"], short_description="after")
    assert reader.stream("incident", "--full")["verified"]
    assert [one["short_description"] for one in reader.stored(where=f"sys_id = '{row['sys_id']}'")] == [
        "after"
    ]


def test_a_stamp_that_moves_back_ends_in_what_the_instance_shows(reader: Reader, wavetank: Any) -> None:
    """A clone, an import or a correction of stamps makes the live version look older than the stored one."""
    (row,) = plant(
        wavetank, "incident", [{"short_description": "a", "sys_updated_on": T0, "sys_mod_count": "9"}]
    )
    reader.stream()
    stamp(
        wavetank,
        row["sys_id"],
        short_description="b",
        sys_updated_on="2025-06-01 10:00:00",
        sys_mod_count="2",
    )
    assert reader.stream()["gaps"] == []
    (stored,) = reader.stored(where=f"sys_id = '{row['sys_id']}'")
    assert stored["short_description"] == "b"
    assert reader.live() == there(wavetank)


def test_a_batch_is_bounded_by_its_size_too(
    reader: Reader, wavetank: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linkspan.ingest.extract.BATCH_LETTERS", 20_000)
    monkeypatch.setattr("linkspan.feed.bounded.MOST", 5)
    plant(wavetank, "incident", [one | {"short_description": "x" * 1000} for one in spread(40)])
    with reader.wiring() as wiring:
        line = wiring.connection("responder", "dev", read_only=True)
        form = shape(line, "incident", NOTHING)
        sizes = [len(batch.rows) for batch in extract(line, form, NOTHING, State())]
    assert sum(sizes) >= 40
    assert max(sizes) <= 25
