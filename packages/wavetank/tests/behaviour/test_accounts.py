"""Fields of users and what writing them does, over the Table API."""

import pytest

from wavetank.behaviour import pipeline

HASHED = {"sysparm_input_display_value": "true"}


def _user(admin, name="ada", **values):
    return admin.create("sys_user", {"user_name": name, "first_name": "Ada", **values}, **HASHED)


def _row(instance, name):
    found = instance.database.first("sys_user", user_name=name)
    assert found is not None
    return found


@pytest.mark.claim("user-minimum")
@pytest.mark.parametrize(
    ("values", "asked", "status"),
    [
        ({"user_name": "ada"}, "form", 201),
        ({"user_name": "ada"}, "always", 403),
        ({"first_name": "Ada"}, "always", 403),
        ({"user_name": "ada", "last_name": "L"}, "always", 201),
        ({"user_name": "ada", "first_name": "A"}, "always", 201),
    ],
)
def test_what_a_user_needs(admin, instance, values, asked, status):
    instance.configure({"user_minimum": asked})
    assert admin.call("POST", "sys_user", json=values).status_code == status


def test_both_names_are_not_cleared_at_once_where_they_are_asked_for(admin, instance):
    instance.configure({"user_minimum": "always"})
    made = _user(admin, last_name="L")
    assert admin.change("sys_user", made["sys_id"], {"first_name": ""})["last_name"] == "L"
    assert admin.refused("PATCH", f"sys_user/{made['sys_id']}", json={"last_name": ""})[0] == 403


@pytest.mark.claim("user-own-lock")
def test_an_admin_does_not_lock_itself_out(admin, instance):
    mine = _row(instance, "admin")["sys_id"]
    status, message, _ = admin.refused("PATCH", f"sys_user/{mine}", json={"locked_out": "true"})
    assert (status, message) == (403, "Operation Failed")
    assert admin.get(f"sys_user/{mine}")["locked_out"] == "false"
    other = _user(admin)
    assert admin.change("sys_user", other["sys_id"], {"locked_out": "true"})["locked_out"] == "true"
    ben = admin.user("ben", "user_admin")
    own = _row(instance, "ben")["sys_id"]
    assert ben.change("sys_user", own, {"locked_out": "true"})["locked_out"] == "true"


@pytest.mark.claim("user-ai-type-stays")
def test_the_identity_type_ai_is_neither_taken_nor_left(admin):
    made = admin.create("sys_user", {"user_name": "bot", "last_name": "Bot", "identity_type": "ai_agent"})
    path = f"sys_user/{made['sys_id']}"
    assert admin.refused("PATCH", path, json={"identity_type": "human"})[0] == 403
    other = admin.create("sys_user", {"user_name": "ada", "last_name": "Ada"})
    assert admin.refused("PATCH", f"sys_user/{other['sys_id']}", json={"identity_type": "ai_agent"})[0] == 403
    assert (
        admin.change("sys_user", other["sys_id"], {"identity_type": "machine"})["identity_type"] == "machine"
    )


@pytest.mark.claim("user-password-change")
def test_whether_changing_anothers_password_takes_elevation_is_a_setting(admin, instance):
    made = _user(admin, user_password="first")
    path = f"sys_user/{made['sys_id']}"

    def signs_in(password):
        answer = type(admin)(instance, "ada", password).call("GET", "sys_user?sysparm_limit=1")
        return answer.status_code == 200

    assert signs_in("first")
    admin.change("sys_user", made["sys_id"], {"user_password": "second"}, **HASHED)
    assert signs_in("second")
    instance.configure({"password_change": "elevated"})
    refused = admin.refused("PATCH", path, json={"user_password": "third"}, params=HASHED)
    assert refused == (403, "Operation Failed", "Error during update of sys_user")
    assert signs_in("second")
    assert admin.change("sys_user", made["sys_id"], {"title": "Dr"})["title"] == "Dr"
    fresh = _user(admin, "new.one", user_password="first")
    assert fresh["user_name"] == "new.one"
    mine = _row(instance, "admin")
    admin.change("sys_user", mine["sys_id"], {"user_password": "admin"}, **HASHED)
    who = instance.identity.session(mine, "session").raised(on=True)
    pipeline.update(instance, who, "sys_user", _row(instance, "ada"), {"user_password": "x"})


@pytest.mark.claim("user-admin-row")
def test_who_writes_the_row_of_an_admin_is_a_setting(admin, instance):
    clerk = admin.user("clerk", "user_admin")
    admin.user("boss", "admin")
    boss = _row(instance, "boss")["sys_id"]
    assert clerk.change("sys_user", boss, {"title": "A"})["title"] == "A"
    instance.configure({"admin_row_write": "admin"})
    assert clerk.refused("PATCH", f"sys_user/{boss}", json={"title": "B"})[0] == 403
    assert clerk.refused("DELETE", f"sys_user/{boss}")[0] == 403
    assert admin.change("sys_user", boss, {"title": "C"})["title"] == "C"
    admin.user("ada")
    assert clerk.change("sys_user", _row(instance, "ada")["sys_id"], {"title": "D"})["title"] == "D"


@pytest.mark.claim("user-web-service-only")
def test_an_account_for_web_services_calls_apis_and_has_no_last_login(admin, instance):
    made = _user(admin, "svc", user_password="sesame", identity_type="Machine")
    assert made["web_service_access_only"] == "true"
    service = type(admin)(instance, "svc", "sesame")
    assert service.get("sys_user", sysparm_limit="1")
    page = {"user_name": "svc", "user_password": "sesame", "sysparm_type": "login"}
    answer = service.client.post("/angular.do?sysparm_type=view_form.login", data=page, auth=None)
    assert answer.json()["status"] == "error"
    row = _row(instance, "svc")
    assert (row["last_login"], row["last_login_time"]) == ("", "")


@pytest.mark.claim("user-internal-integration")
def test_an_internal_integration_user_is_no_exception_to_anything(admin, instance):
    instance.configure({"basic_auth_restriction": "enforce"})
    for name, only in (("svc.a", "false"), ("svc.b", "true")):
        values = {"internal_integration_user": "true", "web_service_access_only": only}
        pipeline.insert(
            instance,
            None,
            "sys_user",
            {"user_name": name, "user_password": _row(instance, "admin")["user_password"], **values},
        )
    seen = [
        type(admin)(instance, name, "admin").call("GET", "incident").status_code
        for name in ("svc.a", "svc.b")
    ]
    assert seen == [401, 200]


@pytest.mark.claim("user-formats")
def test_time_zone_and_formats_shape_display_values(admin, instance):
    values = {"time_zone": "Asia/Tokyo", "date_format": "dd/MM/yyyy", "time_format": "HH-mm-ss"}
    reader = admin.user("reader", "itil")
    row = _row(instance, "reader")
    incident = instance.database.first("incident")
    assert incident is not None
    instance.database.update("incident", incident["sys_id"], {"opened_at": "2026-03-01 20:30:40"})
    path = f"incident/{incident['sys_id']}"
    shown = {"sysparm_display_value": "true", "sysparm_fields": "opened_at"}
    assert reader.get(path, **shown)["opened_at"] == "2026-03-01 12:30:40"
    pipeline.update(instance, None, "sys_user", row, values)
    assert reader.get(path, **shown)["opened_at"] == "02/03/2026 05-30-40"
    assert reader.get(path, sysparm_fields="opened_at")["opened_at"] == "2026-03-01 20:30:40"


@pytest.mark.claim("user-plain-fields")
def test_who_owns_an_account_is_kept_and_the_defaults_are_the_documented_ones(admin, instance):
    owner = _row(instance, "admin")["sys_id"]
    made = admin.create("sys_user", {"user_name": "svc", "manager": owner, "source": "linkspan"})
    assert (made["manager"]["value"], made["source"]) == (owner, "linkspan")
    shipped = {
        "active": "true",
        "locked_out": "false",
        "password_needs_reset": "false",
        "web_service_access_only": "false",
        "internal_integration_user": "false",
        "enable_multifactor_authn": "false",
        "identity_type": "unclassified",
        "notification": "2",
        "vip": "false",
    }
    assert {name: made[name] for name in shipped} == shipped


@pytest.mark.claim("user-name-unique")
def test_two_users_do_not_share_a_user_id(admin):
    _user(admin)
    status, message, detail = admin.refused("POST", "sys_user", json={"user_name": "ada"})
    assert (status, message) == (403, "Operation Failed")
    assert "Unique Key violation" in str(detail)
