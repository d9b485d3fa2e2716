"""What a preview finds before anything is written."""

import pytest

from wavetank.updates import retrieved
from wavetank.updates.commit import NotCommitted, commit

PROBLEMS = "sys_update_preview_problem"
MISSING = "Could not find a record in {} referenced in this update"


@pytest.fixture
def found(instance, files):
    """Loads and previews updates, and no older ones; what the problems say."""

    def ask(*updates, **values):
        for row in instance.database.find("sys_update_xml", remote_update_set=files.set):
            instance.database.delete("sys_update_xml", row["sys_id"])
        (row,) = retrieved.load(instance, files.unload(*updates, **values))
        retrieved.preview(instance, row)
        return [each["description"] for each in retrieved.problems(instance, row["sys_id"])]

    return ask


@pytest.fixture
def role(instance):
    return instance.database.first("sys_user_role", name="itil")["sys_id"]


@pytest.mark.claim("update-set-missing")
def test_what_is_referred_to_must_be_here_or_come_along(instance, files, found, role):
    away = files.sid("nowhere")
    assert found(*files.access("task", ["read"], role)) == []
    assert found(*files.access("task", ["read"], away)) == [MISSING.format("sys_user_role")]
    (problem,) = instance.database.find(PROBLEMS)
    assert (problem["missing_item"], problem["missing_item_table"]) == (away, "sys_user_role")
    assert problem["type"] == "error"
    brought = files.update(files.record("sys_user_role", away, name="u_new"))
    assert found(brought, *files.access("task", ["read"], away)) == []
    assert found(*files.access("task", ["burn"], role)) == [MISSING.format("sys_security_operation")]
    assert found(files.update(files.record("u_gone", files.sid("x")))) == [MISSING.format("sys_db_object")]


@pytest.mark.claim("update-set-missing")
def test_what_waits_in_another_set_is_told(instance, files, found):
    role = files.sid("waiting")
    other = files.unload(
        files.update(files.record("sys_user_role", role, name="u_w"), of="0f" * 16), sys_id="0f" * 16
    )
    (row,) = retrieved.load(instance, other)
    (text,) = found(*files.access("task", ["read"], role))
    assert text == MISSING.format("sys_user_role") + ", but did find it in another uncommitted update set"
    commit(instance, retrieved.preview(instance, row))
    (mine,) = instance.database.find("sys_remote_update_set", state="previewed")
    retrieved.preview(instance, mine)
    assert retrieved.problems(instance, mine["sys_id"]) == []


@pytest.mark.claim("update-set-missing-data")
def test_data_is_not_looked_for_unless_asked(instance, files, found):
    held = files.update(files.record("oauth_entity", files.sid("o"), name="app", user=files.sid("nobody")))
    assert found(held) == []
    instance.settings.update({"preview_data": "checked"})
    assert found(held)[0] == MISSING.format("sys_user")


@pytest.mark.claim("update-set-collision")
def test_a_newer_record_here_is_a_collision(instance, files, found, role):
    acl = instance.database.insert(
        "sys_security_acl", {"name": "task", "operation": "read", "type": "record"}
    )

    def incoming(moment, **more):
        fields = {"name": "task", "operation": "read", "type": "record", **more}
        return files.update(files.record("sys_security_acl", acl["sys_id"], sys_updated_on=moment, **fields))

    assert found(incoming("2001-01-01 00:00:00")) == ["Found a local update that is newer than this one"]
    row = instance.database.get("sys_remote_update_set", files.set)
    assert (row["collisions"], row["updated"], row["inserted"], row["deleted"]) == ("1", "1", "0", "0")
    assert found(incoming("2999-01-01 00:00:00")) == []


@pytest.mark.claim("update-set-local-changes")
def test_the_moment_of_an_update_is_the_best_that_is_told(instance, files, found):
    acl = instance.database.insert(
        "sys_security_acl", {"name": "task", "operation": "read", "type": "record"}
    )
    plain = files.record("sys_security_acl", acl["sys_id"], name="task", operation="read", type="record")
    assert found(files.update(plain), date="2999-01-01 00:00:00") == []
    assert len(found(files.update(plain), date="2001-01-01 00:00:00")) == 1
    assert found(files.update(plain, sys_recorded_at="2999-01-01 00:00:00"), date="2001-01-01 00:00:00") == []
    assert not [row for row in instance.database.find("sys_update_xml") if not row["remote_update_set"]]


@pytest.mark.claim("update-set-scope")
def test_an_update_belongs_to_the_application_of_its_set(instance, files, found):
    plain = files.record("sys_user_role", files.sid("r"), name="u_r")
    scope = files.sid("scope")
    (other, missing) = found(files.update(plain, application=scope))
    assert other.startswith("Cannot commit Update Set 'Follow-ups' because: Update scope id")
    assert scope in missing
    app = files.record("sys_scope", scope, name="App", scope="x_app")
    both = (files.update(app, application=scope), files.update(plain, application=scope))
    assert found(*both, application=scope) == []


@pytest.mark.claim("update-set-table-data")
def test_a_table_with_rows_stays(instance, files, found, admin):
    admin.create("sys_db_object", {"name": "u_boat", "label": "Boat"})
    admin.create("u_boat", {})
    table = instance.database.first("sys_db_object", name="u_boat")["sys_id"]
    gone = files.update(files.record("sys_db_object", table, name="u_boat"), action="DELETE")
    assert found(gone, date="2999-01-01 00:00:00") == ["Table to be deleted has data"]
    (problem,) = instance.database.find(PROBLEMS)
    instance.database.update(PROBLEMS, problem["sys_id"], {"status": "ignored"})
    with pytest.raises(NotCommitted, match="cannot be deleted"):
        commit(instance, instance.database.get("sys_remote_update_set", files.set))
    assert instance.dictionary.table("u_boat")


def test_a_preview_again_starts_anew(instance, files, found):
    bad = files.access("task", ["read"], files.sid("nowhere"))
    assert len(found(*bad)) == 1
    row = instance.database.get("sys_remote_update_set", files.set)
    instance.database.insert("sys_user_role", {"sys_id": files.sid("nowhere"), "name": "u_here"})
    retrieved.preview(instance, row)
    assert instance.database.find(PROBLEMS) == []


def test_a_payload_spoilt_since_the_import_is_told(person, files):
    person.log_in().elevate()
    person.upload(files.unload(files.update(files.record("sys_user_role", files.sid("r"), name="u_r"))))
    (row,) = person.instance.database.find("sys_update_xml")
    person.instance.database.update("sys_update_xml", row["sys_id"], {"payload": "<no/>"})
    answer = person.press("preview")
    assert (answer.status_code, "not a &lt;record_update&gt;" in answer.text) == (400, True)
