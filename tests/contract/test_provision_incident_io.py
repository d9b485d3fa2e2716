"""The recipe incident-io: an account that reaches tasks through access controls a person brings in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from linkspan.core import clock
from linkspan.core.errors import NotAuthorized
from linkspan.demo.person import Person
from tests.contract.accounts import House, change, rows
from wavetank import Instance
from wavetank.running import fleet

ROLE = "linkspan_follow_ups"
OPERATIONS = {"create", "read", "write"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Instance]]:
    with fleet(pack="demo,incident_io", tls_dir=tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture
def house(tmp_path, running, capsys):
    for one in running.values():
        one.reset()
    house = House(tmp_path, running.values(), capsys)
    house.write("oauth_password", recipe="incident-io")
    return house


def changes_of(house, instance="dev"):
    document = house.command("plan")
    return document["result"]["instances"][instance]["changes"]


def bring_in(house, *names):
    """What the administrator of each instance does with the file built for it."""
    for name in names or house.instances:
        tank, out = house.instances[name], house.folder / f"{name}.xml"
        built = house.command("app", "build", "responder", "--instance", name, "--out", str(out))
        assert built["exit"] == 0, built["problems"]
        with Person(tank.url, *tank.admin) as admin:
            admin.sign_in()
            admin.elevate()
            admin.import_update_set(out.read_text())


@pytest.mark.parametrize("profile", ["least", "documented"])
def test_from_nothing_to_an_empty_plan(house, profile):
    house.write("oauth_password", recipe="incident-io", profile=profile)
    applied = house.command("apply", "--yes")
    assert applied["exit"] == 4, applied["problems"]
    for name, one in applied["result"]["instances"].items():
        assert [step["kind"] for step in one["manual"]] == ["acl"] * 3
        artefact = one["manual"][0]["artefact"]
        assert f"`linkspan app build responder --instance {name}`" in artefact
        assert one["logins"] == {"responder": "svc.responder"}
    assert house.command("app", "status")["exit"] == 1

    bring_in(house)
    assert house.command("plan")["exit"] == 0
    status = house.command("app", "status")
    assert status["exit"] == 0
    assert {one["state"] for it in status["result"]["instances"].values() for one in it["acls"]} == {
        "present"
    }
    assert house.command("app", "install")["exit"] == 0
    checks = house.command("preflight", "--write", "--instance", "qa")["result"]["checks"]
    assert [one for one in checks if one["outcome"] in ("fail", "unknown")] == []


def test_the_account_works_on_tasks_and_on_nothing_more(house):
    house.apply()
    dev = house.instances["dev"]
    with house.wiring() as wiring:
        line = wiring.connection("responder", "dev").table
        with pytest.raises(NotAuthorized):
            line.create("task", {"short_description": "too early"})
        bring_in(house, "dev")
        created = line.create("task", {"short_description": "Follow up", "sys_class_name": "task"})
        changed = line.update("task", created["sys_id"], {"short_description": "Followed up"})
        assert changed["short_description"] == "Followed up"
        assert line.get("task", created["sys_id"])["number"] == created["number"]
        with pytest.raises(NotAuthorized):
            line.delete("task", created["sys_id"])
        for table in ("problem", "change_request", "sys_user", "sys_user_has_role"):
            with pytest.raises(NotAuthorized):
                line.create(table, {})
        incident = line.create("incident", {"short_description": "Down"})
        with pytest.raises(NotAuthorized):
            line.delete("incident", incident["sys_id"])
    assert rows(dev, "task", f"sys_id={created['sys_id']}^sys_created_by=svc.responder")


def test_built_and_imported_again_it_is_the_same(house):
    house.apply()
    first = house.command("app", "build", "responder")["result"]
    bring_in(house)
    bring_in(house, "qa")
    assert house.command("app", "build", "responder")["result"] == first
    assert len(rows(house.instances["qa"], "sys_security_acl_role", f"sys_user_role.name={ROLE}")) == 3


def test_a_role_of_ours_that_an_instance_lacks_is_brought_along(house):
    bring_in(house, "dev")
    dev = house.instances["dev"]
    assert len(rows(dev, "sys_security_acl_role", f"sys_user_role.name={ROLE}")) == 3
    assert house.command("plan")["result"]["instances"]["dev"]["brakes"] == [], "it is known again as ours"
    change(dev, "sys_user_role", f"name={ROLE}", description="Made by hand")
    (brake,) = house.command("plan")["result"]["instances"]["dev"]["brakes"]
    assert brake["id"] == f"foreign_record:custom_role/{ROLE}"


def test_the_file_holds_no_secret(house):
    house.apply()
    out = house.folder / "dev.xml"
    house.command("app", "build", "responder", "--instance", "dev", "--out", str(out))
    with house.wiring() as wiring:
        parts = wiring.credentials("responder", "dev").parts()
    assert all(part not in out.read_text() for part in parts.values())
    assert "svc.responder" not in out.read_text()


@pytest.mark.parametrize(
    ("table", "values", "said"),
    [
        ("sys_security_acl", {"active": "false"}, "is not active"),
        ("sys_security_acl", {"condition": "priority=1"}, "has the condition priority=1"),
        ("sys_security_acl_role", {"sys_user_role": ""}, f"lacks the role {ROLE}"),
    ],
)
def test_drift_is_told_and_the_same_file_mends_it(house, table, values, said):
    house.apply()
    bring_in(house, "dev")
    dev = house.instances["dev"]
    mine = rows(dev, "sys_security_acl_role", f"sys_user_role.name={ROLE}^sys_security_acl.operation=write")
    (rule,) = mine
    sys_id = rule["sys_id"] if table.endswith("_role") else rule["sys_security_acl"]
    change(dev, table, f"sys_id={sys_id}", **values, sys_updated_on=clock.platform_time(time.time()))
    (found,) = changes_of(house)
    assert (found["action"], found["kind"], found["key"]) == ("manual", "acl", f"write task: {ROLE}")
    assert said in found["artefact"]
    bring_in(house, "dev")
    assert changes_of(house) == []


def test_access_controls_made_by_hand_count_as_well(house):
    house.apply()
    dev = house.instances["dev"]
    (role,) = rows(dev, "sys_user_role", f"name={ROLE}")
    for operation in OPERATIONS:
        values = {"name": "task", "operation": operation, "type": "record", "active": "true"}
        made = dev.control("records/sys_security_acl", values)["result"]
        rule = made[0] if isinstance(made, list) else made
        dev.control(
            "records/sys_security_acl_role",
            {"sys_security_acl": rule["sys_id"], "sys_user_role": role["sys_id"]},
        )
    assert changes_of(house) == []


def test_the_documented_profile_waits_for_the_store_app(tmp_path, wavetank, capsys):
    house = House(tmp_path, [wavetank], capsys)
    house.write("oauth_password", recipe="incident-io", profile="documented")
    found = changes_of(house, wavetank.name)
    assert [one["key"] for one in found if one["action"] == "manual"] == ["x_incident_io.api_user"]
    assert "ServiceNow Store" in next(one["artefact"] for one in found if one["action"] == "manual")


def test_a_file_is_for_one_instance(house):
    refused = house.command("app", "build", "--out", "any.xml")
    assert refused["exit"] == 2
    house.write("oauth_password", recipe="incident-io", qa="http://127.0.0.1:9")
    built = house.command("app", "build")
    assert built["exit"] == 3
    assert built["result"]["instances"]["prod"]["file"]


def test_the_scope_of_the_guide_is_given(house):
    house.write("oauth_password", recipe="incident-io", profile="documented")
    house.apply()
    dev = house.instances["dev"]
    (mapped,) = rows(dev, "oauth_entity_auth_scope_mapping", "oauth_entity.name=linkspan.responder")
    (scope,) = rows(dev, "sys_auth_scope", f"sys_id={mapped['auth_scope']}")
    assert scope["name"] == "useraccount"


def test_what_remains_by_hand_is_said_step_by_step(house):
    house.apply()
    steps = house.command("app", "install", "--instance", "qa")
    assert steps["exit"] == 4
    (qa,) = steps["result"]["instances"].values()
    assert Path(qa["file"]).is_file()
    assert any("/upload.do" in step for step in qa["steps"])
    assert qa["steps"][-1] == "linkspan app status --instance qa"


def test_nothing_to_build_where_no_recipe_asks(tmp_path, wavetank, capsys):
    house = House(tmp_path, [wavetank], capsys)
    built = house.command("app", "build")
    assert (built["exit"], built["result"]["instances"][wavetank.name]["file"]) == (0, None)
    wrong = house.command("app", "build", "responder", "--instance", "nowhere")
    assert wrong["exit"] == 2
