import re

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from linkspan.core import clock
from linkspan.desk import DeskPeer
from linkspan.flows.hub import Hub
from linkspan.store.reports import Reports
from linkspan.store.tables import inbox, link

HTMX = {"HX-Request": "true"}


def linked(hub: Hub, incident: str, reference: str, fates: list[str | None]) -> None:
    """A link of this incident with an event for each fate (None: pending)."""
    now = clock.now()
    with hub.database.begin() as transaction:
        row = transaction.execute(
            sa.insert(link)
            .values(
                sync="desk",
                instance="prod",
                table_name="incident",
                sys_id="5" * 32,
                number="INC0012345",
                peer_id=incident,
                peer_reference=reference,
                created_at=now,
                synced_at=now,
            )
            .returning(link.c.id)
        ).scalar_one()
        for n, fate in enumerate(fates):
            values = {"fate": fate, "fated_at": now if fate else None, "received_at": now - 1}
            event = {"sync": "desk", "link_id": row, "side": "peer", "event_id": str(n), "version": n}
            transaction.execute(sa.insert(inbox).values(**event, **values))


def words(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_the_fleet_page_shows_the_equation(client: TestClient, hub: Hub) -> None:
    incident = hub.desk.declare({"name": "Mail is down"})
    linked(hub, incident.id, incident.number, ["applied", "applied", "echo", "parked", None])
    page = client.get("/")
    assert page.status_code == 200
    assert (
        "5 received = 2 applied + 0 coalesced + 1 echo + 0 filtered + 1 parked + 0 dead + 1 pending"
        in words(page.text)
    )
    assert "Balanced" in page.text
    assert '<rect class="fate-echo" x="40.0%" width="20.0%"' in page.text
    assert 'href="/desk/DESK-0001"' in page.text


def test_a_failed_check_shows_its_cause_and_fix(client: TestClient, hub: Hub) -> None:
    cause = {"id": "wrong_password", "certainty": "certain", "fix": "Run `linkspan apply`.", "detail": ""}
    check = {"instance": "prod", "account": "responder", "check": "login", "title": "It can log in"}
    Reports(hub.database).save(
        "preflight", "prod/responder", {"checks": [{**check, "outcome": "fail", "causes": [cause], "ms": 1}]}
    )
    text = client.get("/").text
    assert "Preflight failed" in text
    assert "It can log in Wrong password Run linkspan apply ." in words(text)
    assert "<code>linkspan apply</code>" in text


def test_empty_hubs_say_what_to_do(client: TestClient) -> None:
    assert "Nothing has moved yet." in client.get("/").text
    assert "No incidents here" in client.get("/desk").text
    assert "Nothing found" in client.get("/desk", params={"q": "zebra"}).text


def test_a_person_declares_edits_and_updates_without_javascript(client: TestClient, hub: Hub) -> None:
    form = {"name": "Mail is down", "severity": "high", "summary": "One\r\ntwo", "key": "abc"}
    page = client.post("/desk", data=form)
    assert page.url.path == "/desk/DESK-0001"
    assert "Not linked yet." in page.text
    client.post("/desk", data=form)  # the same form once more, as a double click sends it
    incident = hub.desk.incident("DESK-0001")
    assert incident is not None
    assert hub.desk.incidents().total == 1
    assert (incident.summary, incident.key) == ("One\ntwo", "web:abc")
    client.post("/desk/DESK-0001/edit", data={"status": "live"})
    client.post("/desk/DESK-0001/updates", data={"text": "Looking", "author": "Ada", "key": "n1"})
    text = words(client.get("/desk/DESK-0001").text)
    assert "Ada just now Looking" in text
    assert hub.desk.incident("DESK-0001").status == "live"


def test_what_people_write_is_shown_as_text(client: TestClient, hub: Hub) -> None:
    evil = '<script>alert("x")</script>'
    incident = hub.desk.declare({"name": evil, "summary": evil})
    hub.desk.add_update(incident.id, evil, author=evil)
    for path in ("/", "/desk", "/desk/DESK-0001"):
        assert "<script>alert" not in client.get(path).text
    assert "&lt;script&gt;alert" in client.get("/desk/DESK-0001").text


def test_an_edit_keeps_what_somebody_else_wrote_meanwhile(client: TestClient, hub: Hub) -> None:
    incident = hub.desk.declare({"name": "Mail is down", "summary": "old"})
    seen = {"was_name": "Mail is down", "was_summary": "old"}
    hub.desk.edit(incident.id, {"summary": "from afar"}, origin="sync")
    kept = client.post("/desk/DESK-0001/edit", data={**seen, "name": "Mail is slow", "summary": "old"})
    assert kept.status_code == 200
    assert hub.desk.incident("DESK-0001").values["summary"] == "from afar"
    refused = client.post(
        "/desk/DESK-0001/edit",
        data={**seen, "was_name": "Mail is slow", "name": "Mail is slow", "summary": "mine"},
    )
    assert refused.status_code == 409
    assert "changed meanwhile to “from afar”" in refused.text
    assert hub.desk.incident("DESK-0001").summary == "from afar"


def test_refusals_become_a_notice(client: TestClient, hub: Hub) -> None:
    incident = hub.desk.declare({"name": "Mail is down", "status": "closed"})
    again = client.post("/desk/DESK-0001/edit", data={"status": "live"}, headers=HTMX)
    assert (again.status_code, again.headers["hx-retarget"]) == (409, "#notice")
    assert "DESK-0001 is closed, and that is final." in again.text
    assert "<html" not in again.text
    empty = client.post("/desk", data={"name": " ", "severity": "low", "summary": "kept"})
    assert empty.status_code == 422
    assert "An incident needs a name." in empty.text
    assert ">kept</textarea>" in empty.text
    assert client.post(f"/desk/{incident.number}/updates", data={"text": " "}).status_code == 422
    assert client.post("/desk", data={"name": "x", "severity": "awful"}, headers=HTMX).status_code == 422


def test_htmx_gets_the_live_part(client: TestClient, hub: Hub) -> None:
    made = client.post("/desk", data={"name": "Mail is down"}, headers=HTMX)
    assert made.headers["hx-redirect"] == "/desk/DESK-0001"
    part = client.post("/desk/DESK-0001/edit", data={"severity": "low"}, headers=HTMX)
    assert part.status_code == 200
    assert "<html" not in part.text
    assert re.search(r'value="low"[^>]*aria-pressed="true"', part.text)


def test_the_linked_record_and_its_notes_show(client: TestClient, hub: Hub) -> None:
    incident = hub.desk.declare({"name": "Mail is down"})
    linked(hub, incident.id, incident.number, ["applied"])
    DeskPeer(hub.desk).add_note(incident.id, "Seen", author="Beth", at=clock.now(), key="journal:1")
    page = client.get("/desk/DESK-0001")
    assert f'href="http://127.0.0.1:2/incident.do?sys_id={"5" * 32}"' in page.text
    assert "INC0012345" in page.text
    assert "in step" in page.text
    assert "Beth from ServiceNow" in words(page.text)
    assert "INC0012345" in client.get("/desk").text


def test_lists_page_and_search(client: TestClient, hub: Hub) -> None:
    for n in range(30):
        hub.desk.declare({"name": f"Incident {n}", "status": "closed" if n == 7 else "live"})
    first = client.get("/desk", params={"status": "all"})
    assert first.text.count('id="row-') == 25
    assert "30 incidents" in first.text
    older = re.search(r'href="(/desk\?[^"]+)">Older', first.text)
    assert older
    assert client.get(older[1].replace("&amp;", "&")).text.count('id="row-') == 5
    assert client.get("/desk", params={"status": "closed"}).text.count('id="row-') == 1
    assert client.get("/desk", params={"q": "incident 12"}).text.count('id="row-') == 1


@pytest.mark.parametrize("path", ["/desk/DESK-9999", "/nowhere"])
def test_a_wrong_address_is_a_page_for_people(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 404
    assert "Not found" in page.text
    assert (
        client.get(path, headers={"Accept": "application/json"}).json()["problems"][0]["code"] == "not_found"
    )


def test_sign_in_is_open_and_says_when_a_token_is_wrong(client: TestClient) -> None:
    client.cookies.clear()
    assert "Sign in to this hub" in client.get("/desk").text
    wrong = client.get("/", params={"token": "wrong"})
    assert wrong.status_code == 401
    assert "not one of this hub" in wrong.text
    assert client.get("/static/linkspan.css").status_code == 200


def test_a_person_adds_edits_and_completes_a_follow_up_without_javascript(
    client: TestClient, hub: Hub
) -> None:
    incident = hub.desk.declare({"name": "Mail is down", "summary": "Nobody can send."})
    form = {"title": "Buy a spare", "priority": "high", "assignee": "ada@example.com", "key": "abc"}
    for _ in range(2):  # the same form once more, as a double click sends it
        page = client.post("/desk/DESK-0001/follow-ups", data=form)
    assert "0 of" not in page.text
    assert "1 of 1 outstanding" in page.text
    (made,) = hub.desk.follow_ups.of(incident.id)
    assert (made.title, made.priority, made.assignee) == ("Buy a spare", "high", "ada@example.com")
    seen = {"was_title": made.title, "was_priority": "high", "was_assignee": made.assignee}
    changed = {**seen, "title": "Buy two", "description": "Soon", "priority": "low", "assignee": ""}
    client.post("/follow-ups/FU-0001/edit", data=changed)
    client.post("/follow-ups/FU-0001/edit", data={"status": "completed"})
    after = hub.desk.follow_ups.find(made.id)
    assert after is not None
    assert after.values == {
        "title": "Buy two",
        "description": "Soon",
        "status": "completed",
        "priority": "low",
        "assignee": "",
    }
    assert "0 of 1 outstanding" in client.get("/desk/DESK-0001").text
    refused = client.post("/follow-ups/FU-0001/edit", data={**seen, "title": "Mine"})
    assert refused.status_code == 409
    assert client.post("/desk/DESK-0001/follow-ups", data={"title": " "}).status_code == 422
    assert client.get("/follow-ups/FU-0001", follow_redirects=False).headers["location"].endswith("#FU-0001")
    assert client.get("/follow-ups/FU-0099").status_code == 404
    emptied = {"was_name": "Mail is down", "was_summary": "Nobody can send.", "name": "Mail is down"}
    client.post("/desk/DESK-0001/edit", data={**emptied, "summary": ""})
    assert hub.desk.incident("DESK-0001").summary == ""
