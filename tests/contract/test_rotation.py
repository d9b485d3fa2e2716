"""An API key is replaced while calls go on: four steps, no refused request, resumable at each."""

from __future__ import annotations

import threading

import pytest

from linkspan.core.errors import LinkspanError
from linkspan.flows.setup import apply_all, plan_all
from linkspan.store.ledger import Ledger
from tests.contract.accounts import House, change, last_request, requests_since, rows
from tests.contract.test_provision_api_key import give, reveal, steps

OLD, NEW = "linkspan.responder", "linkspan.responder.2"


@pytest.fixture
def house(tmp_path, tank, capsys):
    """An account whose key is proven."""
    house = House(tmp_path, [tank], capsys)
    house.write("api_key", recipe="rad-security", profile="write")
    with house.wiring() as wiring:
        assert apply_all(wiring, plan_all(wiring)).problems == ()
    give(house, tank, reveal(tank))
    with house.wiring() as wiring:
        assert apply_all(wiring, plan_all(wiring)).problems == ()
    return house


def rotate(house, tank, *options):
    answer = house.command("accounts", "rotate", "responder", "--instance", tank.name, *options)
    return answer["exit"], (answer["result"] or {}).get("instances", {}).get(tank.name), answer["problems"]


def keys(tank):
    return {row["name"]: row["active"] for row in rows(tank, "api_key")}


def token_in_use(house, tank):
    with house.wiring() as wiring:
        return wiring.credentials("responder", tank.name).proven_parts()["token"]


class Caller(threading.Thread):
    """Somebody who works with the account all the time, over one connection, as the hub does."""

    def __init__(self, house, tank):
        super().__init__(daemon=True)
        self.house, self.tank = house, tank
        self.stopping = threading.Event()
        self.calls, self.refused = 0, []

    def run(self):
        with self.house.wiring() as wiring:
            line = wiring.connection("responder", self.tank.name)
            while not self.stopping.wait(0.01):
                try:
                    line.table.page("incident", fields=("number",), limit=1)
                    self.calls += 1
                except LinkspanError as error:
                    self.refused.append(error)

    def stop(self):
        self.stopping.set()
        self.join(10)


def test_four_steps_without_a_failed_call(house, tank, tmp_path):
    caller, start = Caller(house, tank), last_request(tank)
    caller.start()
    old_token = token_in_use(house, tank)

    code, one, _ = rotate(house, tank)
    assert (code, one["state"], one["old_key"], one["new_key"]) == (4, "waiting", OLD, NEW)
    assert f"linkspan accounts rotate responder --instance {tank.name}" in one["step"]
    assert keys(tank) == {OLD: "true", NEW: "true"}
    assert rotate(house, tank)[0] == 4, "it waits as often as it is asked"
    assert len(rows(tank, "api_key")) == 2
    assert steps(house.command("plan"), tank) == [("manual", "credential")]
    assert token_in_use(house, tank) == old_token

    file = tmp_path / "token"
    file.write_text(reveal(tank, NEW) + "\n")
    code, one, problems = rotate(house, tank, "--token-from", str(file))
    assert (code, one and one["state"]) == (0, "done"), problems
    assert one["evidence"].startswith("sample incident INC")
    assert keys(tank) == {OLD: "false", NEW: "true"}
    assert token_in_use(house, tank) == file.read_text().strip()
    assert house.command("plan")["exit"] == 0
    before = caller.calls
    while caller.calls < before + 5:
        assert not caller.stopping.wait(0.02)
    caller.stop()

    assert caller.refused == []
    sent = requests_since(tank, start)
    # The account may not delete its sample, tries, and resolves it instead; nothing else is refused.
    assert {one["method"] for one in sent if one["status"] >= 400} <= {"DELETE"}
    samples = rows(tank, "incident", "correlation_idSTARTSWITHlinkspan-preflight-")
    assert all(row["state"] in ("6", "7") for row in samples)
    with house.wiring() as wiring:
        entries = [
            (one["action"], one["subject"])
            for one in Ledger(wiring.database).entries()
            if one["actor"] == "linkspan accounts rotate"
        ]
        book = str(Ledger(wiring.database).entries())
    where = f"{tank.name}/api_key"
    assert entries == [
        ("create", f"{where}/{NEW}"),
        ("rotate", f"{where}/{NEW}"),
        ("deactivate", f"{where}/{OLD}"),
    ]
    assert file.read_text().strip() not in book


def test_the_token_may_come_by_way_of_the_secret_store(house, tank):
    assert rotate(house, tank)[0] == 4
    give(house, tank, reveal(tank, NEW))
    assert rotate(house, tank)[0] == 0
    assert keys(tank) == {OLD: "false", NEW: "true"}
    # and the next rotation goes on from there
    assert rotate(house, tank)[1]["new_key"] == "linkspan.responder.3"
    give(house, tank, reveal(tank, "linkspan.responder.3"))
    assert rotate(house, tank)[0] == 0
    assert keys(tank) == {OLD: "false", NEW: "false", "linkspan.responder.3": "true"}


@pytest.mark.parametrize("wrong", ["old", "foreign", "nonsense"])
def test_a_wrong_token_changes_nothing(house, tank, wrong, tmp_path):
    assert rotate(house, tank)[0] == 4
    in_use = token_in_use(house, tank)
    if wrong == "foreign":
        (other,) = rows(tank, "sys_user", "user_name=abel.tuter")
        foreign = {"name": "other", "user": other["sys_id"], "token": "now_other", "active": "true"}
        tank.control("records/api_key", foreign)
    file = tmp_path / "token"
    file.write_text({"old": in_use, "foreign": "now_other", "nonsense": "now_nonsense"}[wrong])
    code, _, problems = rotate(house, tank, "--token-from", str(file))
    expected = {"old": "same_token", "foreign": "wrong_account", "nonsense": "not_authenticated"}[wrong]
    assert (code, problems[0]["code"]) == (1, expected)
    assert token_in_use(house, tank) == in_use
    found = keys(tank)
    assert (found[OLD], found[NEW]) == ("true", "true")
    file.write_text(reveal(tank, NEW))
    assert rotate(house, tank, "--token-from", str(file))[0] == 0


def test_a_new_key_that_cannot_do_the_work_does_not_take_over(house, tank):
    assert rotate(house, tank)[0] == 4
    give(house, tank, reveal(tank, NEW))
    change(tank, "sys_db_object", "name=incident", ws_access="false")
    code, _, problems = rotate(house, tank)
    assert (code, problems[0]["code"]) == (1, "table_not_accessible")
    assert keys(tank) == {OLD: "true", NEW: "true"}
    change(tank, "sys_db_object", "name=incident", ws_access="true")
    assert rotate(house, tank)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("do", ["drop_before", "drop_after_commit"])
def test_it_goes_on_after_any_lost_answer(house, tank, do):
    """Every write of a rotation is lost once: the second key, the sample, the end of the old key."""
    for number in range(12):
        for method in ("POST", "PATCH"):
            match = {"method": method, "path": "/api/now/table/*"}
            tank.control("faults", [{"match": match, "do": do, "after": number, "times": 1}])
        token = ""
        for _ in range(4):
            code, one, _ = rotate(house, tank)
            if code == 0:
                break
            if code == 4 and not token:
                token = reveal(tank, one["new_key"])
                give(house, tank, token)
        assert code == 0, number
        answer = tank.control("faults")
        hits = sum(one["hits"] for one in (answer["result"] if isinstance(answer, dict) else answer))
        tank.control("faults", method="DELETE")
        assert [name for name, active in keys(tank).items() if active == "true"] == [one["new_key"]]
        assert token_in_use(house, tank) == token
        assert house.command("plan")["exit"] == 0
        if not hits:
            break
    assert number >= 2
    assert not hits


def test_other_schemes_say_that_it_is_not_built(house, tank):
    house.write("basic")
    code, _, problems = rotate(house, tank)
    assert (code, problems[0]["code"]) == (2, "config")
    assert "not built yet for scheme basic" in problems[0]["cause"]


def test_nothing_is_begun_before_the_first_key_is_proven(tmp_path, wavetank, capsys):
    house = House(tmp_path, [wavetank], capsys)
    house.write("api_key", recipe="rad-security", profile="write")
    assert rotate(house, wavetank)[2][0]["code"] == "nothing_to_rotate"
    assert house.command("apply", "--yes")["exit"] == 4
    assert rotate(house, wavetank)[2][0]["code"] == "nothing_to_rotate"
    assert list(keys(wavetank)) == [OLD]
