"""What must not lock anybody out or lose a key: odd instances, shared records, stops at the worst moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linkspan.core.errors import NotAuthorized, NotFound
from linkspan.demo.person import Person
from tests.contract.accounts import House, change, rows
from tests.contract.test_provision_api_key import POLICY, ask_as_admin, give, reveal, steps, working

OLD, NEW = "linkspan.responder", "linkspan.responder.2"


@pytest.fixture
def house(tmp_path, tank, capsys):
    house = House(tmp_path, [tank], capsys)
    house.write("api_key", recipe="rad-security", profile="write")
    return house


def brakes(document, tank):
    return [one["id"] for one in document["result"]["instances"][tank.name]["brakes"]]


def rotate(house, tank, *options):
    answer = house.command("accounts", "rotate", "responder", "--instance", tank.name, *options)
    return answer["exit"], (answer["result"] or {}).get("instances", {}).get(tank.name), answer["problems"]


def keys(tank):
    return {row["name"]: row["active"] for row in rows(tank, "api_key")}


def add_second(house):
    text = house.config.read_text()
    house.config.write_text(f"{text}{text.splitlines()[-1].replace('responder', 'second')}\n")


# --- records that two accounts share


def test_two_accounts_share_a_role_of_ours(house, tank):
    house.write("api_key", recipe="rad-security", profile="least")
    assert house.command("apply", "--yes")["exit"] == 4
    add_second(house)
    assert brakes(house.command("plan"), tank) == []
    assert house.command("apply", "--yes")["exit"] == 4
    left = house.command("plan")
    assert brakes(left, tank) == []
    assert {action for action, _ in steps(left, tank)} == {"manual"}


def test_a_role_that_came_with_our_update_set_is_ours(house, tank):
    house.write("api_key", recipe="rad-security", profile="least")
    built = house.command("app", "build", "responder", "--instance", tank.name)
    file = Path(built["result"]["instances"][tank.name]["file"])
    with Person(tank.url, *tank.admin) as person:
        person.sign_in()
        person.elevate()
        person.import_update_set(file.read_text())
    assert brakes(house.command("plan"), tank) == []
    applied = house.command("apply", "--yes")
    assert [one["kind"] for one in applied["result"]["instances"][tank.name]["manual"]] == ["credential"]


def test_a_role_of_somebody_else_stops_still(house, tank):
    house.write("api_key", recipe="rad-security", profile="least")
    tank.control("records/sys_user_role", {"name": "rad_security_integration", "description": "by hand"})
    assert brakes(house.command("plan"), tank) == ["foreign_record:custom_role/rad_security_integration"]


# --- nobody is shut out


BASIC = "name=std_http_auth^element=type^label=Basic Auth"


def test_a_method_is_known_by_its_value_where_labels_are_translated(house, tank):
    change(tank, "sys_choice", BASIC, label="Benutzer und Passwort")
    working(house, tank)
    assert ask_as_admin(tank) == 200
    assert house.command("plan")["exit"] == 0


def test_a_method_whose_type_is_unknown_is_left_to_a_person_and_nothing_wakes(house, tank):
    """A profile of a type that is none would let nobody in, and the policy would refuse everybody."""
    change(tank, "sys_choice", BASIC, label="Benutzer und Passwort", value="user_and_password")
    applied = house.command("apply", "--yes")
    assert applied["exit"] == 4, applied["problems"]
    manual = applied["result"]["instances"][tank.name]["manual"]
    assert [one["kind"] for one in manual] == ["standard_auth_profile", "credential"]
    assert ask_as_admin(tank) == 200
    assert rows(tank, "sys_api_access_policy", f"{POLICY}^active=true") == []
    assert steps(house.command("plan"), tank) == [
        ("manual", "standard_auth_profile"),
        ("manual", "credential"),
    ]
    # a person makes it, and linkspan takes it over when that is accepted
    tank.control("records/std_http_auth", {"name": "linkspan basic", "type": "basic_auth", "active": "true"})
    taken = "foreign_record:standard_auth_profile/linkspan basic"
    assert brakes(house.command("plan"), tank) == [taken]
    assert house.command("apply", "--yes", "--accept", taken)["exit"] == 4
    assert rows(tank, "sys_api_access_policy", f"{POLICY}^active=true")
    assert ask_as_admin(tank) == 200


def test_the_policy_of_somebody_else_is_told_before_anything_wakes(house, tank):
    (shipped,) = rows(tank, "sys_api_access_policy", "api_path=now/table")
    everything = dict.fromkeys(
        ("apply_all_methods", "apply_all_resources", "apply_all_versions", "apply_all_tables"), "true"
    )
    change(tank, "sys_api_access_policy", f"sys_id={shipped['sys_id']}", active="true", **everything)
    other = f"other_policy:{shipped['name']}"
    assert brakes(house.command("plan"), tank) == [other]
    assert house.command("apply", "--yes")["problems"][0]["code"] == "brake"
    assert rows(tank, "sys_api_access_policy", POLICY) == []
    assert house.command("apply", "--yes", "--accept", other)["exit"] == 4
    assert brakes(house.command("plan"), tank) == [], "told once; ours is awake"


def test_a_policy_of_another_api_does_not_wake(house, tank):
    working(house, tank)
    (other,) = rows(tank, "sys_choice", "name=sys_api_access_policy^element=api^label=Aggregate API")
    change(
        tank,
        "sys_api_access_policy",
        POLICY,
        api=other["value"],
        api_path="now/stats",
        active="false",
        apply_all_versions="false",
    )
    assert house.command("apply", "--yes")["exit"] == 4
    (policy,) = rows(tank, "sys_api_access_policy", POLICY)
    assert policy["active"] == "false"


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("sys_api_access_policy", "all_authn_scheme_authenticate_header"),
        ("sys_api_access_policy", "apply_all_tables"),
        ("inbound_auth_profile", "auth_processor"),
    ],
)
def test_a_release_without_a_column_has_nothing_left_to_do(house, tank, table, column):
    (found,) = rows(tank, "sys_dictionary", f"name={table}^element={column}")
    tank.control(f"records/sys_dictionary/{found['sys_id']}", method="DELETE")
    working(house, tank)
    assert house.command("plan")["exit"] == 0


def test_a_key_that_is_gone_already_needs_no_end(house, tank):
    working(house, tank)
    (key,) = rows(tank, "api_key", f"name={OLD}")
    tank.control(f"records/api_key/{key['sys_id']}", method="DELETE")
    house.write("oauth_client", recipe="rad-security", profile="write")
    assert house.command("apply", "--yes")["exit"] == 0
    assert house.command("plan")["exit"] == 0


def test_a_reviewed_plan_is_for_one_address(house, tank, tmp_path):
    reviewed = tmp_path / "plan.json"
    reviewed.write_text(json.dumps(house.command("plan")))
    house.config.write_text(house.config.read_text().replace("127.0.0.1", "localhost"))
    refused = house.command("apply", "--plan", str(reviewed), "--yes")
    assert (refused["exit"], refused["problems"][0]["code"]) == (1, "plan_moved")


@pytest.mark.parametrize("name", ["javascript:gs.getUserID()", "a\\nb", "a^ORactive=true", "a\\0b"])
def test_a_strange_user_name_is_a_matter_of_configuration(house, tank, name):
    text = house.config.read_text().replace("svc.responder", f'"{name}"')
    house.config.write_text(text)
    answer = house.command("plan")
    assert answer["exit"] in (1, 2)
    if answer["exit"] == 2:
        assert answer["problems"][0]["code"] == "config"


# --- rotation


def test_a_store_that_lost_its_secrets_ends_no_key(house, tank, tmp_path):
    working(house, tank)
    assert rotate(house, tank)[0] == 4
    (tmp_path / "home" / "secrets").unlink()
    code, _, problems = rotate(house, tank)
    assert keys(tank) == {OLD: "true", NEW: "true"}
    assert code != 0 or problems


def test_the_same_command_again_changes_nothing(house, tank, tmp_path):
    working(house, tank)
    assert rotate(house, tank)[0] == 4
    file = tmp_path / "token"
    file.write_text(reveal(tank, NEW))
    assert rotate(house, tank, "--token-from", str(file))[0] == 0
    code, one, problems = rotate(house, tank, "--token-from", str(file))
    assert (code, one and one["state"]) == (0, "done"), problems
    assert keys(tank) == {OLD: "false", NEW: "true"}


def test_the_same_command_goes_on_where_the_last_step_was_lost(house, tank, tmp_path):
    working(house, tank)
    assert rotate(house, tank)[0] == 4
    file = tmp_path / "token"
    file.write_text(reveal(tank, NEW))
    (old,) = rows(tank, "api_key", f"name={OLD}")
    match = {"method": "PATCH", "path": f"/api/now/table/api_key/{old['sys_id']}"}
    tank.control("faults", [{"match": match, "do": "drop_before", "times": 1}])
    assert rotate(house, tank, "--token-from", str(file))[0] == 3
    code, _, problems = rotate(house, tank, "--token-from", str(file))
    assert code == 0, problems
    assert keys(tank) == {OLD: "false", NEW: "true"}


def test_a_token_before_there_is_a_second_key_is_refused(house, tank, tmp_path):
    working(house, tank)
    file = tmp_path / "token"
    file.write_text("now_whatever")
    code, _, problems = rotate(house, tank, "--token-from", str(file))
    assert (code, problems[0]["code"]) == (1, "nothing_to_rotate")
    assert keys(tank) == {OLD: "true"}


def test_an_old_key_that_is_gone_already_does_not_hold_up_the_end(house, tank):
    working(house, tank)
    assert rotate(house, tank)[0] == 4
    (old,) = rows(tank, "api_key", f"name={OLD}")
    tank.control(f"records/api_key/{old['sys_id']}", method="DELETE")
    tank.control("records/api_key", {"name": OLD, "user": old["user"], "active": "true"})
    give(house, tank, reveal(tank, NEW))
    assert rotate(house, tank)[0] == 0


# --- what the least profiles may not do


def refused_writes(line, tables):
    """Which of create, update and delete are refused on the first record of each table."""
    found = {}
    for table, do in tables.items():
        record = line.first(table, "", fields=("sys_id",))
        sys_id = record["sys_id"] if record else "0" * 32
        calls = {
            "create": lambda table=table: line.create(table, {"short_description": "x"}),
            "update": lambda table=table, sys_id=sys_id: line.update(
                table, sys_id, {"short_description": "x"}
            ),
            "delete": lambda table=table, sys_id=sys_id: line.delete(table, sys_id),
        }
        for name in do:
            try:
                found[table, name] = calls[name]() is False  # there was nothing to delete
            except (NotAuthorized, NotFound):
                found[table, name] = True
    return found


EVERY = ("create", "update", "delete")


def test_rad_least_creates_incidents_and_changes_nothing(house, tank):
    house.write("api_key", recipe="rad-security", profile="least")
    built = house.command("app", "build", "responder", "--instance", tank.name)
    with Person(tank.url, *tank.admin) as person:
        person.sign_in()
        person.elevate()
        person.import_update_set(Path(built["result"]["instances"][tank.name]["file"]).read_text())
    working(house, tank)
    with house.wiring() as wiring:
        line = wiring.connection("responder", tank.name).table
        mine = line.create("incident", {"short_description": "mine", "correlation_id": "r"})
        assert line.first("incident", "correlation_id=r")["sys_id"] == mine["sys_id"]
        tables = {
            "incident": ("update", "delete"),
            "problem": EVERY,
            "change_request": EVERY,
            "sys_user": EVERY,
            "sys_user_role": EVERY,
            "api_key": EVERY,
        }
        assert all((found := refused_writes(line, tables)).values()), found
        with pytest.raises(NotAuthorized):
            line.update("incident", mine["sys_id"], {"short_description": "x"})


def test_rad_write_writes_incidents_only(house, tank):
    working(house, tank)
    with house.wiring() as wiring:
        line = wiring.connection("responder", tank.name).table
        mine = line.create("incident", {"short_description": "mine"})
        line.update("incident", mine["sys_id"], {"short_description": "changed"})
        tables = {
            "incident": ("delete",),
            "problem": EVERY,
            "change_request": EVERY,
            "sys_user": EVERY,
            "sys_user_role": EVERY,
            "api_key": EVERY,
        }
        assert all((found := refused_writes(line, tables)).values()), found


# --- update sets

RECIPE = """
recipe: mine
profiles:
  least:
    says: x
    grants:
      - {role: my_role, because: "it %s must", made: true}
    acls:
      - {role: my_role, table: task, operation: read, because: a, condition: active=true}
      - {role: my_role, table: task, operation: read, because: b, condition: priority=1}
"""


def test_two_access_controls_that_differ_in_their_condition_are_two(house, tank, tmp_path):
    (tmp_path / "mine.yaml").write_text(RECIPE % "")
    house.write("basic", recipe="mine.yaml", profile="least")
    built = house.command("app", "build", "responder", "--instance", tank.name)
    records = built["result"]["instances"][tank.name]["records"]
    assert sorted(one["table"] for one in records) == [
        *["sys_security_acl"] * 2,
        *["sys_security_acl_role"] * 2,
        "sys_user_role",
    ]
    manual = [key for action, key in steps(house.command("plan"), tank) if action == "manual"]
    assert manual == ["acl", "acl"]
    with Person(tank.url, *tank.admin) as person:
        person.sign_in()
        person.elevate()
        person.import_update_set(Path(built["result"]["instances"][tank.name]["file"]).read_text())
    assert house.command("apply", "--yes")["exit"] == 0
    assert house.command("plan")["exit"] == 0


def test_what_xml_cannot_hold_is_a_matter_of_the_recipe(house, tank, tmp_path):
    (tmp_path / "mine.yaml").write_text(RECIPE % "\\x01")
    house.write("basic", recipe="mine.yaml", profile="least")
    built = house.command("app", "build", "responder", "--instance", tank.name)
    assert (built["exit"], built["problems"][0]["code"]) == (2, "config")


def test_a_file_that_cannot_be_written_is_told(house, tank, tmp_path):
    house.write("api_key", recipe="rad-security", profile="least")
    away = str(tmp_path / "nowhere" / "set.xml")
    built = house.command("app", "build", "responder", "--instance", tank.name, "--out", away)
    assert (built["exit"], built["problems"][0]["code"]) == (2, "config")
