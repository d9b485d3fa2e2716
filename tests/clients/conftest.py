"""An instance with the demo pack, accounts on it, and a client in its own environment."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme

from tests.clients.environments import Client
from wavetank.running import Instance

AGENT, READER = ("fulfiller", "Secr3t-agent"), ("nobody", "Secr3t-reader")
OAUTH, JOB = (
    ("a1b2c3d4e5f60718293a4b5c6d7e8f90", "app-s3cret"),
    ("0f9e8d7c6b5a49382716f5e4d3c2b1a0", "app-s3cret"),
)
KEY = "now_key_3f9a1c77d2"
CLIENT_GRANT = "glide.oauth.inbound.client.credential.grant_type.enabled"
TABLE_API = "4be1d2c7a35b40c39f1e6d80b7a4c512"


@dataclass(frozen=True)
class Scene:
    """An instance, fresh for the test, with an itil user, a user without roles, OAuth clients and a key."""

    instance: Instance

    @property
    def url(self) -> str:
        return self.instance.url

    @property
    def tls_url(self) -> str:
        return self.instance.tls_url

    @property
    def host(self) -> str:
        return self.instance.url.partition("://")[2]

    @property
    def tls_host(self) -> str:
        return self.instance.tls_url.partition("://")[2]

    @property
    def ca(self) -> str:
        return str(self.instance.ca)

    def let_keys_in(self) -> str:
        """Maps keys, Basic and OAuth to the Table API; the key is the agent's."""
        instance = self.instance
        agent = self.rows("sys_user", f"user_name={AGENT[0]}")[0]["sys_id"]
        instance.insert("api_key", [{"name": "Key", "user": agent, "token": KEY, "active": "true"}])
        header = instance.rows("sys_token_auth_parameter", "type=auth_header^parameter_name=x-sn-apikey")[0][
            "sys_id"
        ]
        by_key = instance.insert(
            "http_key_auth", [{"name": "Key", "active": "true", "auth_parameter": header}]
        )
        profiles = [*by_key, *instance.rows("std_http_auth")]
        every = {f"apply_all_{name}": "true" for name in ("methods", "resources", "versions", "tables")}
        row = {"name": "Tables", "active": "true", "api_path": "now/table", **every}
        policy = instance.insert("sys_api_access_policy", [{**row, "api": TABLE_API}])[0]["sys_id"]
        instance.insert("sys_auth_profile_mapping", [
            {"api_access_policy": policy, "inbound_auth_profile": profile["sys_id"]} for profile in profiles
        ])  # fmt: skip
        return KEY

    def token(self) -> str:
        """An access token of the agent."""
        form = {"grant_type": "password", "username": AGENT[0], "password": AGENT[1],
                "client_id": OAUTH[0], "client_secret": OAUTH[1]}  # fmt: skip
        answer = httpx2.post(f"{self.url}/oauth_token.do", data=form, trust_env=False)
        return str(answer.json()["access_token"])

    def upload(self, table: str, sys_id: str, name: str, content: bytes) -> str:
        """Attaches a file to a record; the attachment's sys_id."""
        on = {"table_name": table, "table_sys_id": sys_id, "file_name": name}
        answer = httpx2.post(f"{self.url}/api/now/attachment/file", params=on, content=content,
                            auth=self.instance.admin, trust_env=False,
                            headers={"Content-Type": "application/octet-stream"})  # fmt: skip
        assert answer.status_code == 201, answer.text
        return str(answer.json()["result"]["sys_id"])

    def incidents(self, count: int, text: str) -> list[str]:
        """Puts in that many incidents, "<text> 000" and so on; their sys_ids in that order."""
        rows = [{"short_description": f"{text} {n:03}", "number": f"INC8{n:06}", "state": "1", "active": "true",
                 "impact": "3", "urgency": "3", "priority": "5"} for n in range(count)]  # fmt: skip
        return [row["sys_id"] for row in self.instance.insert("incident", rows)]

    def rows(self, table: str, query: str = "") -> Any:
        """Records past every rule."""
        return self.instance.rows(table, query)

    def paths(self) -> list[str]:
        """The method and path of every request so far, without the control surface."""
        return [f"{one['method']} {one['path']}" for one in self.instance.requests()]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Who issues the certificates that clients may show."""
    return trustme.CA()


@pytest.fixture(scope="session")
def _demo(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA
) -> Iterator[Instance]:
    cache = getattr(pytestconfig, "cache", None)
    tls = cache.mkdir("wavetank-tls") if cache else Path(tempfile.mkdtemp(prefix="wavetank-tls-"))
    clients = tmp_path_factory.mktemp("authority") / "clients.pem"
    authority.cert_pem.write_to_path(str(clients))
    with Instance(pack="demo", tls_dir=tls, client_ca=clients) as started:
        _lay_out(started)
        started.snapshot("scene")
        yield started


@pytest.fixture
def scene(_demo: Instance) -> Scene:
    _demo.restore("scene")
    for what in ("requests", "faults"):
        _demo.control(what, method="DELETE")
    return Scene(_demo)


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest, _demo: Instance) -> Iterator[Client]:
    """The client that the module's CLIENT names, in a shell that knows the instance's authority."""
    ca = str(_demo.ca)
    trust = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), ca)
    made = Client(request.module.CLIENT, {**trust, "OAUTHLIB_INSECURE_TRANSPORT": "1"})
    yield made
    made.close()


def _lay_out(instance: Instance) -> None:
    """Accounts, OAuth clients and an API key, past every rule."""
    agent = _person(instance, *AGENT, "itil")
    _person(instance, *READER)
    secret = {"client_secret": OAUTH[1], "active": "true"}
    instance.insert("oauth_entity", [{"name": "App", "client_id": OAUTH[0], **secret},
                                     {"name": "Job", "client_id": JOB[0], "user": agent, **secret}])  # fmt: skip
    instance.insert("sys_properties", [{"name": CLIENT_GRANT, "value": "true", "type": "boolean"}])


def _person(instance: Instance, name: str, password: str, *roles: str) -> str:
    values = {"user_name": name, "first_name": name.title(), "last_name": "Person", "active": "true",
              "name": f"{name.title()} Person"}  # fmt: skip
    made = instance.insert(
        "sys_user", [{**values, "user_password": password, "email": f"{name}@example.com"}]
    )
    for role in (*roles, "snc_basic_auth_api_access"):
        found = instance.rows("sys_user_role", f"name={role}")[0]["sys_id"]
        held = {"user": made[0]["sys_id"], "role": found, "state": "active"}
        instance.insert("sys_user_has_role", [held])
    return made[0]["sys_id"]
