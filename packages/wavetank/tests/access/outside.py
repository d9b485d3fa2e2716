"""One served instance as its callers see it: people at its pages, and programs with credentials. HTTP alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from functools import cached_property
from html.parser import HTMLParser
from typing import Any

import httpx2

from wavetank import Instance

Answer = httpx2.Response
PASSWORD = "sesame-Opens-7"
EVERY = {f"apply_all_{each}": "true" for each in ("methods", "resources", "versions", "tables")}


class Caller:
    """A program: every call carries the same headers and nothing is kept from one to the next."""

    def __init__(self, http: httpx2.Client, headers: Mapping[str, str]) -> None:
        self._http = http
        self.headers = dict(headers)

    def call(self, method: str, path: str, **more: Any) -> Answer:
        """A request; a path without a leading slash is one of the Table API."""
        self._http.cookies.clear()
        headers = {"Accept": "application/json", **self.headers, **more.pop("headers", {})}
        return self._http.request(method, _full(path), headers=headers, **more)

    def get(self, path: str, query: str = "", **params: str) -> Answer:
        asked = {"sysparm_query": query} if query else {}
        return self.call("GET", path, params={**asked, **params} or None)

    def rows(self, table: str, query: str = "", **params: str) -> list[dict[str, Any]]:
        """What a list must give."""
        answer = self.get(table, query, sysparm_exclude_reference_link="true", **params)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["result"]
        return found

    def first(self, table: str, query: str) -> dict[str, Any]:
        found = self.rows(table, query, sysparm_limit="1")
        assert found, f"no {table} where {query}"
        return found[0]

    def create(self, table: str, values: Mapping[str, Any], **params: str) -> dict[str, Any]:
        answer = self.call("POST", table, json=dict(values), params=params or None)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["result"]
        return made

    def change(self, table: str, sys_id: str, values: Mapping[str, Any], **params: str) -> dict[str, Any]:
        answer = self.call("PATCH", f"{table}/{sys_id}", json=dict(values), params=params or None)
        assert answer.status_code == 200, answer.text
        changed: dict[str, Any] = answer.json()["result"]
        return changed

    def delete(self, table: str, sys_id: str) -> None:
        answer = self.call("DELETE", f"{table}/{sys_id}")
        assert answer.status_code == 204, answer.text


class Person(Caller):
    """Somebody at a browser: forms of pages, a session's cookies, and REST with the session's token."""

    def __init__(self, http: httpx2.Client, user: str, password: str) -> None:
        super().__init__(http, {})
        self.user, self.password = user, password

    def sign_in(self) -> Person:
        """By the form of the login page. AssertionError where it does not let this person in."""
        form = {"user_name": self.user, "user_password": self.password}
        assert self.submit("/login.do", form).status_code == 302, "the login page shut this person out"
        _, _, rest = self.page("/navpage.do").text.partition('g_ck = "')
        self.headers["X-UserToken"] = rest.partition('"')[0]
        return self

    def elevate(self) -> Person:
        """Elevate role, security_admin, Update."""
        answer = self.submit("/elevated_role_dialog.do", {"security_admin": "true"})
        assert answer.status_code == 302, answer.text
        return self

    def reveal(self, sys_id: str) -> str:
        """The token of an API key, by the lock icon of its form."""
        shown = fields_of(self.page(f"/api_key.do?sys_id={sys_id}&sysparm_reveal=token").text)
        return shown["api_key.token"]

    def call(self, method: str, path: str, **more: Any) -> Answer:
        headers = {"Accept": "application/json", **self.headers, **more.pop("headers", {})}
        return self._http.request(method, _full(path), headers=headers, **more)

    def page(self, path: str) -> Answer:
        return self._http.get(path)

    def submit(self, path: str, values: Mapping[str, str]) -> Answer:
        """Fills in the form of a page and sends it to where the page's form goes."""
        return self._http.post(path, data={**fields_of(self.page(path).text), **values})


class House:
    """An instance, its administrator, and who else is made."""

    def __init__(self, instance: Instance, transport: httpx2.BaseTransport) -> None:
        self.instance = instance
        self._transport = transport
        self._programs = self._client()

    def _client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.instance.url, transport=self._transport, follow_redirects=False)

    @cached_property
    def admin(self) -> Person:
        """The administrator in the UI, not elevated."""
        return self.person(*self.instance.admin)

    @cached_property
    def guard(self) -> Person:
        """The administrator in another session, elevated to security_admin."""
        return self.person(*self.instance.admin).elevate()

    def person(self, user: str, password: str = PASSWORD) -> Person:
        """Somebody who has signed in."""
        return Person(self._client(), user, password).sign_in()

    def nobody(self) -> Caller:
        return Caller(self._programs, {})

    def basic(self, user: str, password: str = PASSWORD) -> Caller:
        told = base64.b64encode(f"{user}:{password}".encode()).decode()
        return Caller(self._programs, {"Authorization": f"Basic {told}"})

    def bearer(self, token: str) -> Caller:
        return Caller(self._programs, {"Authorization": f"Bearer {token}"})

    def key(self, token: str, header: str = "x-sn-apikey") -> Caller:
        return Caller(self._programs, {header: token})

    # -- what an administrator does

    def user(self, name: str, *held: str, **values: str) -> dict[str, Any]:
        """A new service account with roles; its password is PASSWORD."""
        flags = {"web_service_access_only": "true", "active": "true", **values}
        made = self.admin.create(
            "sys_user",
            {"user_name": name, "last_name": name, "user_password": PASSWORD, **flags},
            sysparm_input_display_value="true",
        )
        for role in held:
            self.grant(made["sys_id"], role)
        return made

    def role(self, name: str) -> str:
        """The sys_id of a role."""
        return str(self.admin.first("sys_user_role", f"name={name}")["sys_id"])

    def grant(self, user: str, role: str) -> dict[str, Any]:
        return self.admin.create("sys_user_has_role", {"user": user, "role": self.role(role)})

    def revoke(self, user: str, role: str) -> None:
        for row in self.admin.rows("sys_user_has_role", f"user={user}^role.name={role}^inherited=false"):
            self.admin.delete("sys_user_has_role", row["sys_id"])

    def caller(self, name: str, *held: str, **values: str) -> Caller:
        """A new account over Basic authentication."""
        self.user(name, *held, **values)
        return self.basic(name)

    def rule(self, name: str, operation: str, *held: str, **values: str) -> str:
        """A new access control with its roles, made in an elevated session; its sys_id."""
        row = {"name": name, "operation": operation, "type": "record", "active": "true"}
        row |= {"decision_type": "allow", "admin_overrides": "true", **values}
        made = self.guard.create("sys_security_acl", row)["sys_id"]
        for role in held:
            link = {"sys_security_acl": made, "sys_user_role": self.role(role)}
            self.guard.create("sys_security_acl_role", link)
        return str(made)

    def set_property(self, name: str, value: str) -> None:
        """A system property; "" takes it away."""
        held = self.guard.rows("sys_properties", f"name={name}")
        if held and value:
            self.guard.change("sys_properties", held[0]["sys_id"], {"value": value})
        elif held:
            self.guard.delete("sys_properties", held[0]["sys_id"])
        else:
            self.guard.create("sys_properties", {"name": name, "value": value, "type": "string"})

    def incident(self, **values: str) -> dict[str, Any]:
        return self.admin.create("incident", {"short_description": "The printer is on fire", **values})

    def policy(self, *profiles: str, **values: str) -> str:
        """An active access policy on the whole Table API, with profiles mapped in this order; its sys_id."""
        row = {"name": "Tables", "active": "true", "api": self.table_api, **EVERY, **values}
        made = str(self.admin.create("sys_api_access_policy", row)["sys_id"])
        for profile in profiles:
            self.map(made, profile)
        return made

    def map(self, policy: str, profile: str) -> str:
        link = {"api_access_policy": policy, "inbound_auth_profile": profile}
        return str(self.admin.create("sys_auth_profile_mapping", link)["sys_id"])

    @cached_property
    def table_api(self) -> str:
        """What the field `api` of a policy holds for the Table API, as the shipped policy has it."""
        return str(self.admin.first("sys_api_access_policy", "name=Table GET API Access Policy")["api"])

    def profile(self, kind: str) -> str:
        """The shipped profile of a standard way of signing in: basic_auth, oauth."""
        return str(self.admin.first("std_http_auth", f"type={kind}")["sys_id"])

    def key_profile(self, where: str = "auth_header", **values: str) -> str:
        """A new profile that looks for API keys: in the header, or as a query_parameter."""
        parameter = self.admin.first("sys_token_auth_parameter", f"parameter_name=x-sn-apikey^type={where}")[
            "sys_id"
        ]
        row = {"name": f"Keys ({where})", "auth_parameter": parameter, **values}
        return str(self.admin.create("http_key_auth", row)["sys_id"])

    def plugin(self, source: str, *, active: bool) -> None:
        """Switches a plugin on or off, which no REST call does on an instance."""
        (row,) = self.instance.rows("sys_plugins", f"source={source}")
        state = {"active": "active" if active else "inactive"}
        self.instance.control(f"records/sys_plugins/{row['sys_id']}", state, "PATCH")


def _full(path: str) -> str:
    return path if path.startswith(("/", "http://")) else f"/api/now/table/{path}"


# -- what an answer must be


def refused(answer: Answer, status: int, message: str, detail: str | None) -> None:
    """The error envelope, whole."""
    assert (answer.status_code, answer.json()) == (
        status,
        {"error": {"message": message, "detail": detail}, "status": "failure"},
    ), answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-is-logged-in"] == ("false" if status == 401 else "true")


def unauthenticated(answer: Answer) -> None:
    """The one 401 that tells nothing."""
    refused(answer, 401, "User is not authenticated", "Required to provide Auth information")


def no_record(answer: Answer) -> None:
    refused(answer, 404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def fine(answer: Answer) -> None:
    assert answer.status_code in {200, 201, 204}, answer.text


def denied(operation: str) -> Any:
    """The refusal of a write by access controls."""
    detail = f"ACL Exception {operation} Failed due to security constraints"
    return lambda answer: refused(answer, 403, "Operation Failed", detail)


# -- pages


def fields_of(text: str) -> dict[str, str]:
    """The inputs of a page by name, check boxes left out."""
    return dict(_inputs(text))


def _inputs(text: str) -> Iterator[tuple[str, str]]:
    reader = _Reader()
    reader.feed(text)
    return ((one["name"], one.get("value", "")) for one in reader.found)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "input" and "name" in said and said.get("type") != "checkbox":
            self.found.append(said)
