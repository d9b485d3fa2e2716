"""A person imports an update set, previews it and commits it."""

import pytest

from wavetank.security.passwords import hash_password

SETS, UPDATES, PROBLEMS = "sys_remote_update_set", "sys_update_xml", "sys_update_preview_problem"


def rows(person, table, **equal):
    return person.instance.database.find(table, **equal)


def state(person, files):
    return person.instance.database.get(SETS, files.set)["state"]


@pytest.fixture
def role(instance):
    return instance.database.first("sys_user_role", name="itil")["sys_id"]


@pytest.mark.claim("update-set-import")
def test_from_file_to_committed(person, files, role):
    person.log_in().elevate()
    made = files.record("sys_user_role", files.sid("role"), name="u_follow_ups")
    content = files.unload(files.update(made), *files.access("task", ["create", "read"], files.sid("role")))
    assert "Import Update Set from XML" in person.client.get(f"/{files.list}").text
    answer = person.upload(content)
    assert (answer.status_code, answer.headers["location"]) == (302, f"/{files.list}")
    assert state(person, files) == "loaded"
    assert len(rows(person, UPDATES, remote_update_set=files.set)) == 5
    assert not rows(person, "sys_user_role", name="u_follow_ups")
    assert "Commit Update Set" not in person.form()
    person.press("preview")
    assert person.instance.database.get(SETS, files.set)["sys_updated_by"] == "admin"
    assert state(person, files) == "previewed"
    assert person.press("commit").headers["location"] == f"/{SETS}.do?sys_id={files.set}"
    assert state(person, files) == "committed"
    assert person.instance.database.get("sys_user_role", files.sid("role"))["name"] == "u_follow_ups"
    acl = person.instance.database.get("sys_security_acl", files.sid("task create"))
    assert (acl["name"], acl["operation"], acl["admin_overrides"]) == ("task", "create", "true")
    assert 'value="commit"' not in person.form()
    assert 'value="preview"' not in person.form()


@pytest.mark.claim("update-set-upload-answer")
def test_without_a_way_back_the_answer_is_empty(person, files):
    person.log_in().elevate()
    answer = person.upload(files.unload(), sysparm_referring_url="")
    assert (answer.status_code, answer.text) == (200, "")
    away = person.upload(files.unload(), sysparm_referring_url="https://evil.example/")
    assert away.headers["location"] == "/navpage.do"


@pytest.mark.claim("update-set-elevated")
def test_who_may_import(person, files, instance):
    assert person.client.get(f"/upload.do?sysparm_target={SETS}").headers["location"].startswith("/login.do")
    assert person.client.post("/sys_upload.do").headers["location"].startswith("/login.do")
    person.log_in()
    refused = person.client.get(f"/upload.do?sysparm_target={SETS}")
    assert (refused.status_code, "security_admin" in refused.text) == (403, True)
    token = person.token("/elevated_role_dialog.do")
    assert person.upload(files.unload(), sysparm_ck=token).status_code == 403
    assert rows(person, SETS) == []
    instance.settings.update({"elevation": "off"})
    assert person.upload(files.unload(), sysparm_ck=token).status_code == 302
    assert person.client.get("/upload.do?sysparm_target=incident").status_code == 404


@pytest.mark.claim("update-set-admin")
def test_an_agent_cannot_preview_or_commit(person, files, instance):
    person.log_in().elevate().upload(files.unload())
    itil = instance.database.first("sys_user", user_name="itil")
    instance.database.update("sys_user", itil["sys_id"], {"user_password": hash_password("sesame")})
    agent = type(person)(instance).log_in("itil", "sesame")
    token = agent.client.get("/navpage.do").text.partition('g_ck = "')[2].partition('"')[0]
    for action in ("preview", "commit"):
        form = {"sysparm_ck": token, "sys_id": files.set, "sys_action": action}
        assert agent.client.post(f"/{SETS}.do", data=form).status_code == 403
    assert state(person, files) == "loaded"


@pytest.mark.claim("ui-form-token")
@pytest.mark.parametrize("path", ["/sys_upload.do", f"/{SETS}.do", f"/{PROBLEMS}.do"])
def test_a_form_of_another_session_does_nothing(person, files, path):
    person.log_in().elevate().upload(files.unload())
    form = {"sys_id": files.set, "sys_action": "preview", "sysparm_target": SETS, "sysparm_ck": "0" * 72}
    more = {"files": {"attachFile": ("a.xml", files.unload(), "text/xml")}} if "upload" in path else {}
    assert person.client.post(path, data=form, **more).status_code == 403
    assert state(person, files) == "loaded"


@pytest.mark.claim("update-set-commit-elevation")
def test_access_controls_need_the_session_elevated_at_the_commit_too(person, files, instance, role):
    person.log_in().elevate()
    person.upload(files.unload(*files.access("task", ["create"], role)))
    person.press("preview")
    lower = {"sysparm_ck": person.token("/elevated_role_dialog.do")}
    person.client.post("/elevated_role_dialog.do", data=lower)
    assert person.press("commit").status_code == 403
    assert state(person, files) == "previewed"
    instance.settings.update({"commit_elevation": "off"})
    assert person.press("commit").status_code == 302
    assert state(person, files) == "committed"


@pytest.mark.claim("update-set-malformed")
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read"),
        (b"<unload><broken></unload>", "cannot be read"),
        (b"<html/>", "not an &lt;unload&gt;"),
        (b"<unload/>", "no update set"),
        (b'<?xml version="1.0" encoding="no-such"?><unload/>', "cannot be read"),
        (b'<!DOCTYPE unload [<!ENTITY a "b">]><unload>&a;</unload>', "document type"),
        (b'<!DOCTYPE unload SYSTEM "file:///etc/passwd"><unload/>', "document type"),
        (b"<unload>" + b"<a>" * 40 + b"</a>" * 40 + b"</unload>", "nested deeper"),
        (b"<unload>" + b"<a/>" * 300_000 + b"</unload>", "more than 250000 elements"),
    ],
)
def test_a_file_that_is_no_update_set_is_refused(person, content, says):
    person.log_in().elevate()
    answer = person.upload(content)
    assert answer.status_code == 400
    assert says in answer.text
    assert rows(person, SETS) == []


@pytest.mark.claim("update-set-malformed")
def test_nothing_is_half_loaded(person, files):
    person.log_in().elevate()
    good = files.update(files.record("sys_user_role", files.sid("r"), name="u_r"))
    foreign = good.replace(files.set, "ab" * 16)
    unnamed = good.replace("<name>sys_user_role", "<nome>sys_user_role").replace("</name>", "</nome>", 1)
    for bad, says in (
        (files.update("<record_update/>"), "holds no record"),
        (files.update("no xml"), "cannot be read"),
        (files.update('<!DOCTYPE x [<!ENTITY e "f">]><record_update/>'), "document type"),
        (files.update(files.record("incident", "1")), "has no sys_id"),
        (foreign, "no update set of the file"),
        ("<sys_user action='INSERT_OR_UPDATE'><user_name>x</user_name></sys_user>", "outside an update set"),
        (good.replace('action="INSERT_OR_UPDATE"', 'action="MERGE"', 1), "neither"),
        (unnamed, ""),
    ):
        answer = person.upload(files.unload(good, bad))
        assert answer.status_code == 400, bad
        assert says in answer.text
    assert (rows(person, SETS), rows(person, UPDATES)) == ([], [])


@pytest.mark.claim("update-set-size")
def test_a_file_too_large_is_refused_unread(person, files):
    person.log_in().elevate()
    answer = person.upload(files.unload(description="x" * 17 * 1024 * 1024))
    assert answer.status_code == 413
    assert person.upload(b"").status_code == 400
    assert rows(person, SETS) == []


def test_a_form_that_is_none(person):
    person.log_in().elevate()
    kind = {"content-type": "multipart/form-data"}
    assert person.client.post("/sys_upload.do", content=b"--x", headers=kind).status_code == 400
    assert person.client.post("/sys_upload.do", data={"sysparm_ck": "x"}).status_code == 403


@pytest.mark.claim("update-set-twice")
def test_a_set_that_is_there_is_opened_again(person, files):
    person.log_in().elevate()
    content = files.unload(files.update(files.record("sys_user_role", files.sid("r"), name="u_r")))
    person.upload(content)
    person.press("preview")
    person.upload(content)
    assert state(person, files) == "loaded"
    assert len(rows(person, SETS)) == 1
    assert len(rows(person, UPDATES, remote_update_set=files.set)) == 2


@pytest.mark.claim("update-set-state")
def test_the_state_is_not_written_over_rest(person, files, admin):
    person.log_in().elevate().upload(files.unload())
    assert admin.change(SETS, files.set, {"state": "committed", "description": "x"})["state"] == "loaded"
    assert admin.get(f"{SETS}/{files.set}")["description"] == "x"
    made = admin.create(SETS, {"name": "by hand", "state": "loaded"})
    assert made["state"] == ""
    assert person.post("preview", made["sys_id"]).status_code == 400


def test_what_is_not_there(person, files):
    person.log_in().elevate().upload(files.unload())
    assert person.post("preview", "0" * 32).status_code == 404
    assert person.post("burn").status_code == 404
    assert person.post("commit").status_code == 400
    assert person.post("accept", "0" * 32, PROBLEMS).status_code == 404
