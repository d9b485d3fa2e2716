"""The pages a person sees."""

from urllib.parse import parse_qs, urlsplit

import pytest

from wavetank.behaviour import pipeline

EVIL = "<script>alert(1)</script>"


@pytest.mark.claim("ui-json-login")
def test_the_login_of_command_line_tools(browser, person):
    person("ann")
    refused = browser.log_in_json("ann", "wrong")
    assert (refused.status_code, refused.json()["status"]) == (200, "error")
    assert refused.json()["message"]
    done = browser.log_in_json("ann", get_redirect_url="true", sysparm_goto_url="/incident_list.do")
    assert done.json() == {
        "status": "success",
        "message": "Login successful",
        "setup_multifactor_authn": False,
        "redirect_url": "/incident_list.do",
    }
    names = {line.partition("=")[0] for line in done.headers.get_list("set-cookie")}
    assert {"JSESSIONID", "glide_user_route", "glide_session_store"} <= names
    assert "redirect_url" not in browser.log_in_json("ann").json()


def test_without_a_session_there_is_no_token(browser):
    answer = browser.post("/angular.do?sysparm_type=get_user")
    assert (answer.status_code, answer.headers["X-Is-Logged-In"]) == (401, "false")
    assert "X-UserToken-Response" not in answer.headers


@pytest.mark.claim("ui-plain")
def test_a_person_logs_in_and_out(browser, person):
    person("ann", last_name="O'Neil & Co")
    form = browser.get("/login.do")
    assert 'name="user_password"' in form.text
    assert "<script" not in form.text
    assert browser.log_in("ann", sys_action="other").status_code == 200
    assert not browser.logged_in
    entered = browser.log_in("ann")
    assert (entered.status_code, entered.headers["location"]) == (302, "/navpage.do")
    for path in ("/navpage.do", "/now/nav", "/now/nav/ui/classic", "/"):
        assert "Ann O&#x27;Neil &amp; Co" in browser.get(path).text
    left = browser.get("/logout.do")
    assert (left.status_code, left.headers["location"]) == (302, "/login.do")
    assert not browser.logged_in


def test_logging_out_ends_the_session_not_only_the_cookie(browser, person):
    person("ann")
    browser.log_in("ann")
    kept = browser.client.cookies.get("JSESSIONID")
    browser.get("/logout.do")
    browser.client.cookies.clear()
    browser.client.cookies.set("JSESSIONID", kept)
    assert not browser.logged_in


def test_a_login_never_goes_on_with_an_old_session(browser, person):
    person("ann")
    browser.log_in("ann")
    first = browser.client.cookies.get("JSESSIONID")
    browser.log_in("ann")
    assert browser.client.cookies.get("JSESSIONID") != first
    browser.client.cookies.clear()
    browser.client.cookies.set("JSESSIONID", first)
    assert not browser.logged_in


@pytest.mark.claim("ui-token-on-page")
def test_the_home_page_holds_the_token(browser, person):
    person("ann")
    browser.log_in("ann")
    assert f'g_ck = "{browser.ask_token()}"' in browser.get("/navpage.do").text


@pytest.mark.claim("ui-form-token")
def test_another_site_cannot_elevate_a_session(browser):
    browser.log_in("admin", "admin")
    assert browser.post("/elevated_role_dialog.do", {"security_admin": "true"}).status_code == 403
    assert "(security_admin)" not in browser.get("/navpage.do").text
    assert browser.ask_token() in browser.get("/elevated_role_dialog.do").text


@pytest.mark.claim("ui-to-login")
def test_a_link_leads_by_the_login_page_to_its_record(browser, instance, person):
    person("ann", "itil")
    sys_id = instance.database.first("incident", number="INC0000001")["sys_id"]
    link = f"/incident.do?sys_id={sys_id}"
    sent = browser.get(link)
    assert sent.status_code == 302
    there = urlsplit(sent.headers["location"])
    assert (there.path, parse_qs(there.query)["sysparm_goto_url"]) == ("/login.do", [link])
    assert f'value="{link}"' in browser.get(sent.headers["location"]).text
    assert browser.log_in("ann", sysparm_goto_url=link).headers["location"] == link
    assert browser.get(f"/nav_to.do?uri=incident.do?sys_id={sys_id}").headers["location"] == link
    assert "INC0000001" in browser.get(link).text


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "http://[",
        "/a\r\nb",
    ],
)
def test_a_login_leads_nowhere_else(browser, person, elsewhere):
    person("ann")
    assert browser.log_in("ann", sysparm_goto_url=elsewhere).headers["location"] == "/navpage.do"


def test_slashes_in_front_lead_no_further_than_here(browser, person):
    person("ann")
    assert browser.log_in("ann", sysparm_goto_url="///evil.example").headers["location"] == "/evil.example"


@pytest.mark.claim("ui-records-read-only")
def test_a_record_as_its_reader_sees_it(browser, instance, person):
    person("ann", "itil")
    person("joe")
    row = instance.database.first("incident", number="INC0000001")
    instance.database.update("incident", row["sys_id"], {"short_description": EVIL})
    path = f"/incident.do?sys_id={row['sys_id']}"
    browser.log_in("ann")
    shown = browser.get(path).text
    assert "&lt;script&gt;" in shown
    assert EVIL not in shown
    assert f'<a href="/sys_user.do?sys_id={row["caller_id"]}">Abel Tuter</a>' in shown
    assert browser.post(path, {"short_description": "mine"}).status_code == 405
    browser.log_in("joe")
    hidden = browser.get(path)
    assert hidden.status_code == 404
    assert "INC0000001" not in hidden.text


def test_a_password_is_never_shown(browser, instance):
    browser.log_in("admin", "admin")
    row = instance.database.first("sys_user", user_name="admin")
    shown = browser.get(f"/sys_user.do?sys_id={row['sys_id']}").text
    assert "System Administrator" in shown
    assert row["user_password"] not in shown


def test_a_list_goes_on_from_page_to_page(browser, instance, person):
    person("ann", "itil")
    for number in range(25):
        instance.database.insert("incident", {"number": f"TRY{number:04}", "short_description": EVIL})
    browser.log_in("ann")
    path = "/incident_list.do?sysparm_query=numberSTARTSWITHTRY%5EORDERBYnumber"
    first = browser.get(path).text
    assert "25 in all" in first
    assert ("TRY0019" in first, "TRY0020" in first, "Further rows" in first) == (True, False, True)
    assert EVIL not in first
    second = browser.get(f"{path}&sysparm_first_row=21").text
    assert ("TRY0019" in second, "TRY0020" in second) == (False, True)
    assert ("Earlier rows" in second, "Further rows" in second) == (True, False)
    assert browser.get("/incident_list.do?sysparm_first_row=x").status_code == 200


def test_what_is_not_there_is_a_page_too(browser):
    browser.log_in("admin", "admin")
    assert browser.get("/no_such_table.do?sys_id=1").status_code == 404
    assert browser.get("/no_such_table_list.do").status_code == 404
    assert browser.get("/incident.do").status_code == 404
    assert browser.get(f"/incident.do?sys_id={'0' * 32}").status_code == 404
    assert browser.post("/angular.do?sysparm_type=other").status_code == 404


@pytest.fixture
def approval(instance, person):
    """An approval that waits for ann: its row."""
    ann = person("ann")["sys_id"]
    person("joe")
    task = pipeline.insert(
        instance, None, "sc_request", {"short_description": "An account", "opened_by": ann}
    )
    values = {"approver": ann, "sysapproval": task["sys_id"], "state": "requested"}
    return pipeline.insert(instance, None, "sysapproval_approver", values)


@pytest.mark.claim("ui-approval")
@pytest.mark.parametrize(("action", "state"), [("approve", "approved"), ("reject", "rejected")])
def test_an_approver_decides_on_the_page(browser, instance, approval, action, state):
    browser.log_in("ann")
    listed = browser.get("/navpage.do").text.partition("/sysapproval_approver_list.do")[2]
    assert listed.partition(">")[2].startswith("My approvals")
    path = f"/sysapproval_approver.do?sys_id={approval['sys_id']}"
    assert "Approve</button>" in browser.get(path).text
    form = {"sys_id": approval["sys_id"], "sys_action": action, "comments": "Seen"}
    assert browser.post("/sysapproval_approver.do", form).status_code == 403
    decided = browser.post("/sysapproval_approver.do", {**form, "sysparm_ck": browser.ask_token()})
    assert (decided.status_code, decided.headers["location"]) == (302, path)
    row = instance.database.get("sysapproval_approver", approval["sys_id"])
    assert (row["state"], row["sys_updated_by"]) == (state, "ann")
    assert instance.database.get("sc_request", approval["sysapproval"])["approval"] == state
    assert "Approve</button>" not in browser.get(path).text


def test_nobody_else_decides(browser, instance, approval):
    form = {"sys_id": approval["sys_id"], "sys_action": "approve"}
    assert browser.post("/sysapproval_approver.do", form).headers["location"].startswith("/login.do?")
    browser.log_in("joe")
    token = browser.ask_token()
    assert browser.post("/sysapproval_approver.do", {**form, "sysparm_ck": token}).status_code == 404
    browser.log_in("admin", "admin")
    own = {**form, "sysparm_ck": browser.ask_token()}
    assert browser.post("/sysapproval_approver.do", {**own, "sys_action": "delete"}).status_code == 404
    row = instance.database.get("sysapproval_approver", approval["sys_id"])
    assert row["state"] == "requested"
