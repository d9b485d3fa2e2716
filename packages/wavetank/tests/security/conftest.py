"""An instance in this process, without a server, and short words to people it."""

import asyncio
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wavetank import packs
from wavetank.apis import oauth
from wavetank.clock import Clock
from wavetank.database.store import Database
from wavetank.front import Front
from wavetank.ids import new_sys_id
from wavetank.instance import Instance
from wavetank.security import roles
from wavetank.security.passwords import hash_password
from wavetank.security.who import Session


@functools.cache
def _image() -> bytes:
    database = Database.open(None, now=Clock().text, new_sys_id=new_sys_id)
    packs.load(database)
    return database.image()


class Scene:
    """An instance and what tests say about it."""

    def __init__(self) -> None:
        clock = Clock()
        self.database = Database.open(None, now=clock.text, new_sys_id=new_sys_id)
        self.database.load_image(_image())
        self.instance = Instance("dev", self.database, clock)

    def add(self, table: str, **values: str) -> str:
        """A row, past every rule; its sys_id."""
        return self.database.insert(table, values)["sys_id"]

    def user(self, name: str, *held: str, **values: str) -> str:
        """A user with the password "sesame" and granted roles."""
        row = {"user_password": hash_password("sesame"), "active": "true", **values}
        sys_id = self.add("sys_user", user_name=name, **row)
        for role in held:
            self.add(
                "sys_user_has_role", user=sys_id, role=self.role(role), state="active", inherited="false"
            )
        roles.rebuild(self.instance, [sys_id])
        return sys_id

    def role(self, name: str) -> str:
        """The role of that name, made if there is none."""
        row = self.database.first("sys_user_role", name=name)
        return row["sys_id"] if row else self.add("sys_user_role", name=name)

    def session(self, name: str, *held: str, **values: str) -> Session:
        """The session of a (new) user."""
        row = self.database.first("sys_user", user_name=name)
        sys_id = row["sys_id"] if row else self.user(name, *held, **values)
        user = self.database.get("sys_user", sys_id)
        assert user is not None
        return self.instance.identity.session(user, "basic")

    def acl(self, name: str, operation: str, *held: str, **values: str) -> str:
        """An access control on records with its roles."""
        row = {
            "type": "record",
            "active": "true",
            "admin_overrides": "true",
            "decision_type": "allow",
            **values,
        }
        sys_id = self.add("sys_security_acl", name=name, operation=operation, **row)
        for role in held:
            self.add("sys_security_acl_role", sys_security_acl=sys_id, sys_user_role=self.role(role))
        return sys_id

    def bare(self) -> "Scene":
        """The same without any access control."""
        for table in ("sys_security_acl", "sys_security_acl_role"):
            for row in self.database.find(table):
                self.database.delete(table, row["sys_id"])
        return self


@pytest.fixture
def scene() -> Scene:
    return Scene()


@dataclass
class Answer:
    """What came back through the front door."""

    status: int
    headers: dict[str, str]
    body: Any


class Door:
    """The instance's ASGI application, called in this process."""

    def __init__(self, instance: Instance) -> None:
        apis = Starlette(routes=[*oauth.routes(), Route("/api/now/table/{table}", self._whoami)])
        apis.state.instance = instance
        self._front = Front(instance, apis, None)

    def ask(self, method: str, path: str, body: bytes = b"", query: str = "", **headers: str) -> Answer:
        """One request; header names are written with underscores."""
        return asyncio.run(self._ask(method, path, query, headers, body))

    def token(self, query: str = "", headers: Mapping[str, str] | None = None, **form: str) -> Answer:
        kind = {"content_type": "application/x-www-form-urlencoded"}
        return self.ask(
            "POST", "/oauth_token.do", urlencode(form).encode(), query, **{**kind, **(headers or {})}
        )

    async def _ask(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        sent: list[Any] = []
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "scheme": "http",
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        }

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._front(scope, receive, send)
        headers_back = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        text = b"".join(message.get("body", b"") for message in sent[1:])
        json_body = "json" in headers_back.get("content-type", "")
        return Answer(sent[0]["status"], headers_back, json.loads(text) if json_body else text)

    @staticmethod
    async def _whoami(request: Request) -> Response:
        session = request.state.session
        return JSONResponse({"result": [session.user_name, session.scheme]})


@pytest.fixture
def door(scene: Scene) -> Door:
    return Door(scene.instance)
