"""What an inventory of accounts can learn from an instance."""

import pytest


def test_a_user_has_what_an_inventory_asks_for(scene):
    fields = scene.database.known("sys_user").fields
    asked = {
        "identity_type": "string",
        "web_service_access_only": "boolean",
        "internal_integration_user": "boolean",
        "manager": "reference",
        "last_login": "glide_date",
        "last_login_time": "glide_date_time",
        "sys_created_on": "glide_date_time",
        "locked_out": "boolean",
        "source": "string",
    }
    assert {name: fields[name].type for name in asked} == asked
    assert fields["manager"].reference == "sys_user"


@pytest.mark.claim("oauth-no-last-use")
def test_a_token_says_whose_it_is_and_when_it_was_issued_but_not_when_it_was_used(scene, door):
    secret = scene.instance.seal.seal("s3cret")
    client = scene.add("oauth_entity", name="App", client_id="app", client_secret=secret, active="true")
    user = scene.user("svc", web_service_access_only="true")
    scene.instance.clock.freeze()
    issued = scene.instance.clock.text()
    form = {"grant_type": "password", "client_id": "app", "client_secret": "s3cret"}
    answer = door.token(**form, username="svc", password="sesame")
    token = f"Bearer {answer.body['access_token']}"
    scene.instance.clock.advance(60)
    assert door.ask("GET", "/api/now/table/incident", authorization=token).status == 200
    rows = scene.database.find("oauth_credential", type="access_token")
    assert [(row["user"], row["peer"], row["token_received"]) for row in rows] == [(user, client, issued)]
    assert rows[0]["expires"] > issued
    assert rows[0]["sys_updated_on"] == issued
    svc = scene.database.get("sys_user", user)
    assert (svc["last_login"], svc["last_login_time"]) == ("", "")
