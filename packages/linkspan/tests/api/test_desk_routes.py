import pytest
from starlette.testclient import TestClient

from linkspan.flows.hub import Hub

INCIDENTS = "/api/desk/incidents"


def declare(client: TestClient, key: str = "", **fields: str) -> dict[str, object]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = client.post(INCIDENTS, json={"name": "Mail is down", **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()  # type: ignore[no-any-return]


def test_an_incident_from_declaration_to_its_end(client: TestClient) -> None:
    made = declare(client, severity="high", summary="Nobody can send.")
    path = f"{INCIDENTS}/{made['id']}"
    assert client.patch(path, json={"status": "live"}).json()["version"] == 2
    note = client.post(f"{path}/updates", json={"text": "Looking", "author": "Ada"})
    assert note.status_code == 201
    shown = client.get(f"{INCIDENTS}/{made['number']}").json()
    assert (shown["status"], shown["severity"], shown["version"]) == ("live", "high", 3)
    assert [(u["text"], u["author"]) for u in shown["updates"]] == [("Looking", "Ada")]
    assert shown["created_at"].endswith("Z")
    assert shown["link"] is None
    client.patch(path, json={"status": "closed"})
    again = client.patch(path, json={"status": "live"})
    assert again.status_code == 409
    assert again.json()["problems"][0]["cause"] == "DESK-0001 is closed, and that is final."


def test_a_repeated_write_has_one_effect(client: TestClient, hub: Hub) -> None:
    first, second = declare(client, "k1"), declare(client, "k1")
    assert first["id"] == second["id"]
    path = f"{INCIDENTS}/{first['id']}"
    for _ in range(2):
        client.patch(path, json={"severity": "low"}, headers={"Idempotency-Key": "k2"})
        client.post(f"{path}/updates", json={"text": "x"}, headers={"Idempotency-Key": "k3"})
    assert client.get(path).json()["version"] == 3
    assert hub.desk.incident(str(first["id"])).key == "api:k1"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"name": "x", "owner": "me"}, "'owner' is not a key of this request."),
        ({}, "'name' is missing."),
        ({"name": 5}, "'name': Input should be a valid string."),
        ({"name": "x", "severity": "awful"}, "'awful' is not a severity of the desk."),
        ({"name": " "}, "An incident needs a name."),
        ({"name": "x" * 300}, "name has 300 characters; the desk takes 200."),
    ],
)
def test_a_wrong_body_is_told_in_a_sentence(client: TestClient, body: dict[str, object], says: str) -> None:
    answer = client.post(INCIDENTS, json=body)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["cause"] == says


def test_not_json_unknown_and_null(client: TestClient) -> None:
    answer = client.post(INCIDENTS, content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["problems"][0]["cause"]) == (422, "The body is not JSON.")
    made = declare(client)
    assert client.patch(f"{INCIDENTS}/{made['id']}", json={"name": None}).status_code == 422
    assert client.patch(f"{INCIDENTS}/{made['id']}", json={"number": "X"}).status_code == 422
    assert client.get(f"{INCIDENTS}/nobody").status_code == 404
    assert client.patch(f"{INCIDENTS}/{made['id']}", json={"name": "y", "version": 9}).status_code == 409


def test_lists_page_and_follow(client: TestClient) -> None:
    made = [declare(client, name=f"Incident {n}") for n in range(7)]
    seen, offset = [], 0
    while offset is not None:
        page = client.get(INCIDENTS, params={"limit": 3, "offset": offset}).json()
        seen += [row["id"] for row in page["incidents"]]
        offset = page["next"]
    assert sorted(seen) == sorted(str(row["id"]) for row in made)
    seq = page["seq"]
    client.patch(f"{INCIDENTS}/{made[2]['id']}", json={"status": "live"})
    changed = client.get(INCIDENTS, params={"after_seq": seq}).json()
    assert [row["id"] for row in changed["incidents"]] == [made[2]["id"]]
    assert client.get(INCIDENTS, params={"limit": 501}).status_code == 422


def test_updates_of_all_incidents_in_order(client: TestClient) -> None:
    one, two = declare(client), declare(client)
    for n, incident in enumerate((one, two, one)):
        client.post(f"{INCIDENTS}/{incident['id']}/updates", json={"text": f"n{n}", "author": "Ada"})
    first = client.get("/api/desk/updates", params={"limit": 2}).json()
    rest = client.get("/api/desk/updates", params={"after": first["next"]}).json()
    assert [u["text"] for u in first["updates"] + rest["updates"]] == ["n0", "n1", "n2"]
    assert rest["updates"][0]["incident"] == one["id"]
    assert client.get("/api/desk/updates", params={"after": rest["next"]}).json()["next"] == rest["next"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/desk/incidents?after_seq={10**30}", 422),
        (f"/api/desk/updates?after={2**63}", 422),
        (f"/api/desk/incidents/DESK-{10**30}", 404),
        (f"/api/desk/incidents?q={10**30}", 200),
        ("/api/desk/incidents/%00", 404),
        ("/api/desk/incidents?q=%00%ff", 200),
    ],
)
def test_values_beyond_every_column_are_no_failure_of_the_hub(
    client: TestClient, path: str, status: int
) -> None:
    assert client.get(path).status_code == status


def test_text_that_is_no_unicode_is_refused(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/desk/incidents", content=b'{"name": "half \\ud83d"}', headers=headers)
    assert answer.status_code == 422


def test_follow_ups_are_added_changed_and_shown_with_their_incident(client: TestClient, hub: Hub) -> None:
    made = declare(client)
    path = f"{INCIDENTS}/{made['number']}/follow-ups"
    body = {"title": "Buy a spare", "assignee": "ada@example.com"}
    answers = [client.post(path, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    first, second = (answer.json() for answer in answers)
    assert first == second
    assert (first["number"], first["status"], first["priority"]) == ("FU-0001", "outstanding", "medium")
    edit = f"/api/desk/follow-ups/{first['id']}"
    done = client.patch(edit, json={"status": "completed", "version": 1})
    assert (done.json()["status"], done.json()["version"]) == ("completed", 2)
    assert client.patch(edit, json={"status": "not_doing", "version": 1}).status_code == 409
    assert client.patch(edit, json={"title": None}).status_code == 422
    assert client.get("/api/desk/follow-ups/FU-0001").json()["link"] is None
    (shown,) = client.get(f"{INCIDENTS}/{made['id']}").json()["follow_ups"]
    assert shown == client.get(edit).json()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"title": "x", "owner": "me"}, "'owner' is not a key of this request."),
        ({"title": " "}, "A follow-up needs a title."),
        ({"title": "x", "priority": "moderate"}, "'moderate' is not a priority of the desk."),
        ({"title": "x", "status": "open"}, "'open' is not a status of the desk."),
        ({"title": "x", "assignee": "Ada"}, "'Ada' is not an e-mail address."),
    ],
)
def test_a_wrong_follow_up_is_told_in_a_sentence(
    client: TestClient, body: dict[str, object], says: str
) -> None:
    made = declare(client)
    answer = client.post(f"{INCIDENTS}/{made['id']}/follow-ups", json=body)
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["cause"] == says
    assert client.post(f"{INCIDENTS}/nobody/follow-ups", json={"title": "x"}).status_code == 404
