"""The start page: what a person sees at the address that `wavetank serve` names."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from wavetank import app
from wavetank.front import Front
from wavetank.instance import Instance


def browser(
    instance: Instance, base_url: str = "http://localhost:8080", *, control: bool = True
) -> TestClient:
    apis = Starlette(routes=app.api_routes())
    apis.state.instance, apis.state.control = instance, control
    return TestClient(Front(instance, apis, None), base_url=base_url, follow_redirects=False)


@pytest.mark.claim("start-page")
def test_it_says_what_runs_here_and_what_was_asked(instance: Instance) -> None:
    instance.url, instance.tls_url = "http://localhost:8080", "https://localhost:8443"
    client = browser(instance)
    client.get("/api/now/table/<b>nonsense", auth=("admin", "admin"))
    instance.configure({"acl": "off"})
    shown = client.get("/").text
    incidents = instance.database.count("incident")
    for expected in ("dev is running", "https://localhost:8443", f"<b>{incidents}</b>Incidents", "acl = off"):
        assert expected in shown
    assert "&lt;b&gt;nonsense" in shown or "%3Cb%3Enonsense" in shown
    assert "<b>nonsense" not in shown


@pytest.mark.claim("start-page")
def test_only_where_the_control_surface_is_and_only_before_login(instance: Instance) -> None:
    for client in (browser(instance, control=False), browser(instance, "http://dev.example:8080")):
        answer = client.get("/")
        assert answer.status_code == 302
        assert answer.headers["location"].startswith("/login.do")
    client = browser(instance)
    form = {"user_name": "admin", "user_password": "admin", "sys_action": "sysverb_login"}
    assert client.post("/login.do", data=form).status_code == 302
    assert "Logged in as" in client.get("/").text
