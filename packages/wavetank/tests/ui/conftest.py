"""A browser at the front door of an instance in this process."""

import functools
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from wavetank.apis import oauth, table, ui
from wavetank.behaviour import pipeline
from wavetank.front import Front
from wavetank.instance import Instance
from wavetank.security import roles
from wavetank.security.passwords import hash_password

FORM = {"sysparm_type": "login", "ni.nolog.user_password": "true"}


@functools.cache
def _sesame() -> str:
    return hash_password("sesame")


class Browser:
    """Keeps cookies and follows no redirect; `token` goes along once `ask_token` has fetched it."""

    def __init__(self, instance: Instance) -> None:
        apis = Starlette(routes=[*table.routes(), *oauth.routes(), *ui.routes()])
        apis.state.instance = instance
        front = Front(instance, apis, None)
        self.instance = instance
        self.client = TestClient(front, base_url="http://dev.example:8080", follow_redirects=False)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=_named(headers))

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Any:
        return self.client.post(path, data=form or {}, headers=_named(headers))

    def log_in(self, user: str, password: str = "sesame", **more: str) -> Any:
        """By the login page."""
        form = {"user_name": user, "user_password": password, "sys_action": "sysverb_login", **more}
        return self.post("/login.do", form)

    def log_in_json(self, user: str, password: str = "sesame", **more: str) -> Any:
        """As ServiceNow's own command line tool does."""
        form = {**FORM, "user_name": user, "user_password": password, **more}
        return self.post("/angular.do?sysparm_type=view_form.login", form)

    def ask_token(self) -> str:
        token: str = self.post("/angular.do?sysparm_type=get_user").headers["X-UserToken-Response"]
        return token

    def rest(self, method: str, path: str, token: str = "", **more: Any) -> Any:
        """A REST call that carries the cookies and, where given, the token."""
        headers = {"X-UserToken": token} if token else {}
        return self.client.request(method, f"/api/now/table/{path}", headers=headers, **more)

    def basic(self, user: str, password: str = "sesame") -> Any:
        """A REST call of somebody else's client: Basic authentication, no cookies of this browser."""
        client = TestClient(self.client.app)
        return client.get("/api/now/table/sys_user?sysparm_limit=1", auth=(user, password))

    @property
    def logged_in(self) -> bool:
        return bool(self.get("/navpage.do").status_code == 200)


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def browser(instance: Instance) -> Browser:
    return Browser(instance)


@pytest.fixture
def person(instance: Instance) -> Any:
    """`person("ann", "itil", active="false")`: a user with the password "sesame", by the rules; its row."""

    def make(name: str, *held: str, **values: str) -> dict[str, str]:
        fresh = {"user_name": name, "first_name": name.title(), "user_password": _sesame(), **values}
        row = pipeline.insert(instance, None, "sys_user", fresh)
        for role in held:
            grant(instance, row["sys_id"], role)
        return row

    return make


def grant(instance: Instance, user: str, role: str) -> None:
    found = instance.database.first("sys_user_role", name=role)
    assert found, role
    values = {"user": user, "role": found["sys_id"], "inherited": "false", "state": "active"}
    instance.database.insert("sys_user_has_role", values)
    roles.rebuild(instance, [user])
