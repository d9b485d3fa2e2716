import pytest

from linkspan.core.errors import Rejected, Stale
from linkspan.core.peer import Peer
from linkspan.desk import Desk, DeskPeer


@pytest.fixture
def peer(desk: Desk) -> Peer:
    return DeskPeer(desk, url="http://127.0.0.1:8700/")


def test_pull_goes_on_from_its_cursor(desk: Desk, peer: Peer) -> None:
    incidents = [desk.declare({"name": f"i{n}"}, key=f"k{n}") for n in range(5)]
    first = peer.pull("", limit=3)
    rest = peer.pull(first.cursor)
    assert [e.incident for e in (*first.events, *rest.events)] == [i.id for i in incidents]
    assert [e.key for e in rest.events] == ["k3", "k4"]
    assert peer.pull(rest.cursor).events == ()
    assert peer.pull(rest.cursor).cursor == rest.cursor
    with pytest.raises(Rejected):
        peer.pull("yesterday")


def test_create_is_repeatable_and_takes_what_people_may_not(peer: Peer) -> None:
    made = peer.create({"name": "", "severity": "high", "status": "live", "summary": "s" * 5000}, key="sn:1")
    again = peer.create({"name": "other"}, key="sn:1")
    assert again.id == made.id
    assert (made.reference, made.version, made.key) == ("DESK-0001", 1, "sn:1")
    assert made.url == "http://127.0.0.1:8700/desk/DESK-0001"
    assert len(peer.pull("").events) == 1


def test_update_needs_the_version_it_read(desk: Desk, peer: Peer) -> None:
    incident = peer.create({"name": "x", "severity": "low", "status": "triage", "summary": ""}, key="a")
    changed = peer.update(incident.id, {"status": "live"}, version=1)
    assert (changed.version, changed.values["status"]) == (2, "live")
    desk.edit(incident.id, {"severity": "high"})
    with pytest.raises(Stale):
        peer.update(incident.id, {"status": "paused"}, version=2)
    assert [e.origin for e in desk.events()] == ["sync", "sync", "person"]


def test_notes_are_added_once_with_their_author_and_time(desk: Desk, peer: Peer) -> None:
    incident = peer.create({"name": "x", "severity": "low", "status": "triage", "summary": ""}, key="a")
    desk.add_update(incident.id, "from the desk", author="Ada")
    note = peer.add_note(incident.id, "from afar", author="Beth Anglin", at=12.5, key="journal:1")
    assert peer.add_note(incident.id, "from afar", author="Beth Anglin", at=12.5, key="journal:1") == note
    seen = peer.fetch(incident.id)
    assert seen is not None
    assert seen.version == 3
    assert [(n.text, n.author, n.key) for n in seen.notes] == [
        ("from the desk", "Ada", ""),
        ("from afar", "Beth Anglin", "journal:1"),
    ]
    assert seen.notes[1].at == 12.5
    assert peer.fetch("gone") is None
