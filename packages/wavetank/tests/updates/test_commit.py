"""What a commit writes, and when it refuses to."""

import pytest

from wavetank.security.passwords import Seal
from wavetank.updates import retrieved
from wavetank.updates.commit import NotCommitted, commit

SETS, UPDATES, PROBLEMS = "sys_remote_update_set", "sys_update_xml", "sys_update_preview_problem"


@pytest.fixture
def run(instance, files):
    """Loads, previews and commits updates; the set."""

    def go(*updates, **values):
        (row,) = retrieved.load(instance, files.unload(*updates, **values))
        return commit(instance, retrieved.preview(instance, row), "jo")

    return go


@pytest.fixture
def role(instance):
    return instance.database.first("sys_user_role", name="itil")["sys_id"]


@pytest.mark.claim("update-set-problems-first")
def test_problems_are_resolved_one_by_one_on_the_page(person, files, role):
    person.log_in().elevate()
    kept = files.update(files.record("sys_user_role", files.sid("kept"), name="u_kept"))
    bad = files.access("task", ["read", "write"], files.sid("nowhere"))
    person.upload(files.unload(kept, *bad))
    person.press("preview")
    assert "Could not find a record in sys_user_role" in person.form()
    first, second = retrieved.problems(person.instance, files.set)
    person.press("skip", first["sys_id"], PROBLEMS)
    assert 'value="commit"' not in person.form()
    assert person.post("commit").status_code == 400
    assert person.press("accept", second["sys_id"], PROBLEMS).status_code == 302
    statuses = [row["status"] for row in retrieved.problems(person.instance, files.set)]
    assert statuses == ["skipped", "ignored"]
    person.press("commit")
    written = {row["sys_id"] for row in person.instance.database.find("sys_security_acl_role")}
    skipped, accepted = (files.sid(files.sid(f"task {name}") + " role") for name in ("read", "write"))
    assert (skipped in written, accepted in written) == (False, True)
    assert person.instance.database.get("sys_user_role", files.sid("kept"))


@pytest.mark.claim("update-set-as-it-is")
def test_a_record_is_written_as_the_file_has_it(instance, files, run):
    rule = files.record(
        "sys_script",
        files.sid("rule"),
        name="Tell & show",
        collection="incident",
        script="if (a < b) {\n  gs.log('x');\n}",
        sys_created_on="2020-01-01 00:00:00",
        sys_updated_on="2021-01-01 00:00:00",
        sys_mod_count="7",
        u_unknown="x",
    )
    run(files.update(rule))
    row = instance.database.get("sys_script", files.sid("rule"))
    assert (row["name"], row["order"]) == ("Tell & show", "100")
    assert row["script"] == "if (a < b) {\n  gs.log('x');\n}"
    assert (row["sys_created_on"], row["sys_updated_on"]) == ("2020-01-01 00:00:00", "2021-01-01 00:00:00")
    assert (row["sys_mod_count"], row["sys_updated_by"]) == ("7", "jo")
    assert row["sys_update_name"] == f"sys_script_{files.sid('rule')}"


@pytest.mark.claim("update-set-as-it-is")
def test_a_record_that_is_there_gets_the_fields_of_the_file_only(instance, files, run):
    sys_id = files.sid("p")
    given = {"sys_id": sys_id, "name": "x.p", "value": "1", "description": "kept"}
    instance.database.insert("sys_properties", {**given, "sys_updated_on": "2020-01-01 00:00:00"})
    run(files.update(files.record("sys_properties", sys_id, value="2")))
    row = instance.database.get("sys_properties", sys_id)
    assert (row["name"], row["value"], row["description"]) == ("x.p", "2", "kept")
    assert (row["sys_updated_on"], row["sys_mod_count"]) == ("2026-11-01 10:00:00", "1")


def test_the_same_set_again_is_no_collision(instance, files, run, role):
    run(*files.access("task", ["read"], role))
    assert run(*files.access("task", ["read"], role))["state"] == "committed"


@pytest.mark.claim("update-set-order")
def test_a_table_comes_before_its_rows_whatever_the_order_of_the_file(instance, files, run, admin):
    row = files.update(files.record("u_boat", files.sid("boat"), u_name="Wave"))
    field = files.record(
        "sys_dictionary", files.sid("f"), name="u_boat", element="u_name", internal_type="string"
    )
    table = files.record("sys_db_object", files.sid("t"), name="u_boat", label="Boat")
    run(row, files.update(field), files.update(table))
    assert admin.get(f"u_boat/{files.sid('boat')}")["u_name"] == "Wave"


@pytest.mark.claim("update-set-order")
def test_deletions_come_last_and_take_along_what_hangs_on_them(instance, files, run, role):
    run(*files.access("task", ["read"], role))
    acl = files.sid("task read")
    gone = files.record("sys_security_acl", acl, action="DELETE", name="task")
    (row,) = retrieved.load(
        instance, files.unload(files.update(gone, action="DELETE", of="d0" * 16), sys_id="d0" * 16)
    )
    done = retrieved.preview(instance, row)
    assert done["deleted"] == "1"
    commit(instance, done)
    assert instance.database.get("sys_security_acl", acl) is None
    assert instance.database.find("sys_security_acl_role", sys_security_acl=acl) == []


@pytest.mark.claim("update-set-whole")
def test_a_commit_that_fails_leaves_nothing(person, files, instance):
    person.log_in().elevate()
    new = files.update(files.record("sys_user_role", files.sid("new"), name="u_new"))
    taken = files.update(files.record("sys_user_role", files.sid("taken"), name="itil"))
    person.upload(files.unload(new, taken))
    person.press("preview")
    answer = person.press("commit")
    assert (answer.status_code, "Unique Key violation" in answer.text) == (400, True)
    assert instance.database.get("sys_user_role", files.sid("new")) is None
    assert instance.database.get(SETS, files.set)["state"] == "previewed"


def test_a_record_without_its_table_is_not_dropped_in_silence(instance, files):
    (row,) = retrieved.load(instance, files.unload(files.update(files.record("u_gone", files.sid("x")))))
    row = retrieved.preview(instance, row)
    (problem,) = retrieved.problems(instance, row["sys_id"])
    instance.database.update(PROBLEMS, problem["sys_id"], {"status": "ignored"})
    with pytest.raises(NotCommitted, match="no table u_gone"):
        commit(instance, row)


@pytest.mark.claim("update-set-local-copy")
def test_a_commit_leaves_a_local_set(instance, files, run):
    done = run(files.update(files.record("sys_user_role", files.sid("r"), name="u_r")))
    local = instance.database.get("sys_update_set", done["update_set"])
    assert (local["name"], local["state"], local["remote_sys_id"]) == ("Follow-ups", "complete", files.set)
    (copy,) = instance.database.find(UPDATES, update_set=local["sys_id"])
    assert (copy["table"] or copy["name"], copy["remote_update_set"]) == (copy["name"], "")
    assert done["commit_date"] == instance.clock.text()
    with pytest.raises(NotCommitted, match="committed"):
        commit(instance, done)


@pytest.mark.claim("update-set-effect")
def test_what_is_committed_counts_at_once(instance, files, run, admin):
    made = files.record("sys_user_role", files.sid("r"), name="u_task_writer")
    instance.database.insert(
        "sys_user_role",
        {"sys_id": files.sid("r"), "name": "u_task_writer", "sys_updated_on": "2020-01-01 00:00:00"},
    )
    writer = admin.user("writer", "u_task_writer")
    assert writer.refused("POST", "task", json={})[0] == 403
    run(files.update(made), *files.access("task", ["create", "read", "write"], files.sid("r")))
    assert writer.create("task", {"short_description": "x"})["short_description"] == "x"


@pytest.mark.claim("update-set-data")
def test_data_made_by_hand_is_committed_like_any_other(instance, files, run):
    user, role = files.sid("user"), files.sid("role")
    run(
        files.update(files.record("sys_user", user, user_name="jo", active="true")),
        files.update(files.record("sys_user_role", role, name="u_r")),
        files.update(
            files.record("sys_user_role_contains", files.sid("c"), role=role, contains=files.sid("in"))
        ),
        files.update(files.record("sys_user_role", files.sid("in"), name="u_in")),
        files.update(files.record("sys_user_has_role", files.sid("h"), user=user, role=role)),
    )
    held = {row["role"]: row["inherited"] for row in instance.database.find("sys_user_has_role", user=user)}
    assert held == {role: "false", files.sid("in"): "true"}


@pytest.mark.claim("update-set-secrets")
def test_a_secret_of_another_instance_cannot_be_read(instance, files, run):
    sealed = Seal(Seal.new_key()).seal("sesame")
    entity = files.record("oauth_entity", files.sid("o"), name="app", client_id="c", client_secret=sealed)
    run(files.update(entity))
    stored = instance.database.get("oauth_entity", files.sid("o"))["client_secret"]
    assert stored == sealed
    with pytest.raises(ValueError, match="another instance"):
        instance.seal.open(stored)


@pytest.mark.claim("update-set-plain-secrets")
def test_a_secret_in_the_clear_is_not_taken(instance, files, run):
    entity = files.record("oauth_entity", files.sid("o"), name="app", client_id="c", client_secret="sesame")
    run(files.update(entity))
    assert instance.database.get("oauth_entity", files.sid("o"))["client_secret"] == ""


def test_a_record_inside_an_update_may_be_deleted_as_well(instance, files, run, role):
    run(*files.access("task", ["read"], role))
    gone = files.record("sys_security_acl", files.sid("task read"), action="DELETE", name="task")
    (row,) = retrieved.load(instance, files.unload(files.update(gone, of="d0" * 16), sys_id="d0" * 16))
    commit(instance, retrieved.preview(instance, row))
    assert instance.database.get("sys_security_acl", files.sid("task read")) is None


def test_a_column_that_cannot_be_is_refused_with_all_the_rest(instance, files):
    role = files.update(files.record("sys_user_role", files.sid("r"), name="u_r"))
    for element in ("rowid", "Number", "a b"):
        field = files.record(
            "sys_dictionary", files.sid("f"), name="incident", element=element, internal_type="string"
        )
        (row,) = retrieved.load(instance, files.unload(role, files.update(field)))
        with pytest.raises(NotCommitted, match="cannot name"):
            commit(instance, retrieved.preview(instance, row))
        for update in instance.database.find(UPDATES):
            instance.database.delete(UPDATES, update["sys_id"])
    assert instance.database.get("sys_user_role", files.sid("r")) is None


def test_what_is_no_table_to_write_to_is_refused(instance, files):
    (row,) = retrieved.load(
        instance, files.unload(files.update(files.record("sys_metadata", files.sid("m"))))
    )
    with pytest.raises(NotCommitted):
        commit(instance, retrieved.preview(instance, row))


@pytest.mark.claim("update-set-commit-elevation")
def test_a_grant_of_security_admin_needs_the_session_elevated(person, files, instance):
    person.log_in().elevate()
    role = instance.database.first("sys_user_role", name="security_admin")["sys_id"]
    user = instance.database.first("sys_user", user_name="fred.luddy")["sys_id"]
    grant = files.update(files.record("sys_user_has_role", files.sid("h"), user=user, role=role))
    person.upload(files.unload(grant))
    person.press("preview")
    person.client.post(
        "/elevated_role_dialog.do", data={"sysparm_ck": person.token("/elevated_role_dialog.do")}
    )
    assert person.press("commit").status_code == 403
    assert instance.database.get("sys_user_has_role", files.sid("h")) is None
    person.elevate()
    assert person.press("commit").status_code == 302
    assert instance.database.get("sys_user_has_role", files.sid("h"))


def test_a_payload_cut_in_two_is_one_text(instance, files):
    script = "var a = b[c[0]]>1;"
    made = files.record("sys_script", files.sid("s"), name="s", collection="incident", script=script)
    whole = files.update(made.replace("]]&gt;", "]]]]><![CDATA[&gt;"))
    (row,) = retrieved.load(instance, files.unload(whole))
    commit(instance, retrieved.preview(instance, row))
    assert instance.database.get("sys_script", files.sid("s"))["script"] == script
