from concurrent.futures import ThreadPoolExecutor

import pytest

from linkspan.core.errors import NotFound, Rejected, Stale
from linkspan.desk import SEVERITIES, STATUSES, Desk
from linkspan.store import Database


def test_declares_with_defaults_and_a_number(desk: Desk) -> None:
    first = desk.declare({"name": "Mail is down"})
    second = desk.declare(
        {"name": "Search is slow", "severity": "low", "status": "live", "summary": "p95 9 s"}
    )
    assert (first.number, first.severity, first.status, first.version) == (
        "DESK-0001",
        "moderate",
        "triage",
        1,
    )
    assert (second.number, second.values) == (
        "DESK-0002",
        {"name": "Search is slow", "severity": "low", "status": "live", "summary": "p95 9 s"},
    )
    assert desk.incident("DESK-0002") == desk.incident(second.id) == second
    assert desk.incident("nothing") is None


def test_every_change_bumps_the_version_and_leaves_one_event(desk: Desk) -> None:
    incident = desk.declare({"name": "Mail is down"}, key="api:1")
    desk.edit(incident.id, {"severity": "high", "status": "live"})
    desk.add_update(incident.id, "Looking into it", author="Ada")
    assert desk.incident(incident.id).version == 3
    assert [(e.version, e.origin, e.key) for e in desk.events()] == [
        (1, "person", "api:1"),
        (2, "person", "api:1"),
        (3, "person", "api:1"),
    ]
    assert desk.last_seq() == desk.events()[-1].seq


def test_an_edit_that_changes_nothing_is_no_event(desk: Desk) -> None:
    incident = desk.declare({"name": "Mail is down"})
    assert desk.edit(incident.id, {"name": "Mail is down"}).version == 1
    assert len(desk.events()) == 1


def test_the_same_key_has_no_further_effect(desk: Desk) -> None:
    first = desk.declare({"name": "Mail is down"}, key="k")
    assert desk.declare({"name": "Mail is down"}, key="k").id == first.id
    desk.edit(first.id, {"severity": "high"}, key="e1")
    desk.edit(first.id, {"severity": "low"}, key="e2")
    assert desk.edit(first.id, {"severity": "high"}, key="e1").severity == "low"
    note = desk.add_update(first.id, "Hello", author="Ada", key="n")
    assert desk.add_update(first.id, "Hello", author="Ada", key="n") == note
    assert desk.incidents().total == 1
    assert len(desk.timeline(first.id)) == 1
    assert len(desk.events()) == 4


def test_a_key_of_another_incident_is_refused(desk: Desk) -> None:
    one, two = desk.declare({"name": "one"}), desk.declare({"name": "two"})
    desk.edit(one.id, {"status": "live"}, key="e")
    desk.add_update(one.id, "x", author="Ada", key="n")
    with pytest.raises(Rejected) as edit:
        desk.edit(two.id, {"status": "live"}, key="e")
    with pytest.raises(Rejected) as note:
        desk.add_update(two.id, "x", author="Ada", key="n")
    assert edit.value.code == note.value.code == "key_reused"


def test_many_writers_make_no_gap_and_no_double(desk: Desk) -> None:
    def declare(n: int) -> str:
        return desk.declare({"name": f"incident {n}"}, key=f"k{n % 12}").number

    with ThreadPoolExecutor(4) as pool:
        numbers = set(pool.map(declare, range(24)))
    assert numbers == {f"DESK-{n:04d}" for n in range(1, 13)}
    assert len(desk.events()) == 12


@pytest.mark.parametrize("final", ["closed", "canceled"])
def test_final_statuses_bind_people_but_not_the_sync(desk: Desk, final: str) -> None:
    incident = desk.declare({"name": "Mail is down"})
    desk.edit(incident.id, {"status": final})
    with pytest.raises(Rejected, match=f"DESK-0001 is {final}, and that is final") as refused:
        desk.edit(incident.id, {"status": "live"})
    assert refused.value.code == "final_status"
    assert desk.edit(incident.id, {"name": "Mail was down"}).name == "Mail was down"
    assert desk.edit(incident.id, {"status": "live"}, origin="sync").status == "live"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"name": "x", "severity": "awful"}, "not a severity"),
        ({"name": "x", "status": "open"}, "not a status"),
        ({"name": "x", "owner": "me"}, "'owner' is not a field"),
        ({"name": "  "}, "needs a name"),
        ({}, "needs a name"),
        ({"name": "two\nlines"}, "single line"),
        ({"name": "x" * 201}, "201 characters"),
        ({"name": "x", "summary": "y" * 4001}, "4001 characters"),
        ({"name": "nul\x00"}, "NUL"),
        ({"name": 7}, "must be text"),
    ],
)
def test_refuses_what_it_cannot_hold(desk: Desk, values: dict[str, str], says: str) -> None:
    with pytest.raises(Rejected, match=says) as refused:
        desk.declare(values)
    assert refused.value.code == "invalid"
    assert desk.incidents().total == 0


def test_edit_at_an_old_version_is_stale(desk: Desk) -> None:
    incident = desk.declare({"name": "Mail is down"})
    desk.edit(incident.id, {"severity": "high"}, version=1)
    with pytest.raises(Stale):
        desk.edit(incident.id, {"severity": "low"}, version=1)
    with pytest.raises(NotFound):
        desk.edit("nobody", {"severity": "low"})
    with pytest.raises(NotFound):
        desk.add_update("nobody", "x", author="Ada")


def test_listeners_hear_after_the_commit_and_cannot_undo_it(desk: Desk) -> None:
    heard: list[tuple[int, int]] = []

    def deaf(event: object) -> None:
        raise RuntimeError("no")

    desk.on_change(deaf)
    desk.on_change(lambda event: heard.append((event.version, desk.incident(event.incident).version)))
    incident = desk.declare({"name": "Mail is down"})
    desk.add_update(incident.id, "x", author="Ada")
    assert heard == [(1, 1), (2, 2)]


def test_lists_page_filter_and_search(desk: Desk) -> None:
    rows = [desk.declare({"name": f"Incident {n}", "status": STATUSES[n % 6]}) for n in range(12)]
    assert desk.incidents(limit=5).total == 12
    assert len({r.id for o in (0, 5, 10) for r in desk.incidents(limit=5, offset=o).rows}) == 12
    assert desk.incidents(status="closed").total == 2
    assert desk.incidents(status="open").total == 8
    assert [r.number for r in desk.incidents(search="incident 7").rows] == ["DESK-0008"]
    assert [r.number for r in desk.incidents(search="desk-0003").rows] == ["DESK-0003"]
    assert desk.incidents(search="%").total == 0
    seq = desk.last_seq()
    desk.edit(rows[3].id, {"severity": SEVERITIES[0]})
    assert [r.id for r in desk.incidents(after_seq=seq).rows] == [rows[3].id]


def test_updates_of_all_incidents_in_order(desk: Desk, database: Database) -> None:
    one, two = desk.declare({"name": "one"}), desk.declare({"name": "two"})
    for n, incident in enumerate((one, two, one, two)):
        desk.add_update(incident.id, f"note {n}", author="Ada", at=1000.0 - n)
    everything = desk.updates()
    assert [u.text for u in everything] == ["note 0", "note 1", "note 2", "note 3"]
    assert [u.text for u in desk.updates(after=everything[1].seq, limit=1)] == ["note 2"]
    assert [u.text for u in Desk(database).timeline(two.id)] == ["note 1", "note 3"]
