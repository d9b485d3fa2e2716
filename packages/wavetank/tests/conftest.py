"""An instance in this process, without a server, and a client that talks to its front door."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from packages.wavetank.tests import sample
from wavetank import packs
from wavetank.app import apis_for
from wavetank.clock import Clock
from wavetank.database.store import Database
from wavetank.front import Front
from wavetank.ids import new_sys_id
from wavetank.instance import Instance
from wavetank.security import roles
from wavetank.security.passwords import hash_password


@functools.cache
def _image(pack: str) -> bytes:
    database = Database.open(None, now=Clock().text, new_sys_id=new_sys_id)
    packs.load(database, "" if pack == "sample" else pack)
    if pack == "sample":
        sample.load(database)
    return database.image()


@functools.cache
def _hashed(text: str) -> str:
    return hash_password(text)


@pytest.fixture
def make_database() -> Callable[..., Database]:
    """Databases with the rows of a pack, at no cost."""

    def make(pack: str = "") -> Database:
        database = Database.open(None, now=Clock().text, new_sys_id=new_sys_id)
        database.load_image(_image(pack))
        return database

    return make


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Iterator[Database]:
    made = make_database()
    yield made
    made.close()


@pytest.fixture
def instance(make_database: Callable[..., Database]) -> Iterator[Instance]:
    """An instance with the rows of sample.py."""
    clock = Clock()
    database = make_database("sample")
    database._now = clock.text
    made = Instance("dev", database, clock)
    yield made
    made.close()


class Api:
    """One user's view of the Table API of an instance."""

    def __init__(self, instance: Instance, user: str, password: str) -> None:
        self.instance = instance
        application = Front(instance, apis_for(instance), None)
        self.client = TestClient(application, base_url="http://dev.example:8080")
        self.client.auth = (user, password)

    def call(self, method: str, path: str, **more: Any) -> Any:
        base = "" if path.startswith("/") else "/api/now/table/"
        return self.client.request(method, base + path, **more)

    def get(self, path: str, **params: str) -> Any:
        """The result of a GET that must succeed."""
        answer = self.call("GET", path, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def create(self, table: str, values: Any, **params: str) -> Any:
        answer = self.call("POST", table, json=values, params=params or None)
        assert answer.status_code == 201, answer.text
        return answer.json()["result"]

    def change(self, table: str, sys_id: str, values: Any, **params: str) -> Any:
        answer = self.call("PATCH", f"{table}/{sys_id}", json=values, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def refused(self, method: str, path: str, **more: Any) -> tuple[int, str, str | None]:
        """Status, message and detail of a request that must fail."""
        answer = self.call(method, path, **more)
        assert answer.status_code >= 400, answer.text
        error = answer.json()["error"]
        return answer.status_code, error["message"], error["detail"]

    def user(self, name: str, *held: str) -> "Api":
        """A new user with roles, and its view."""
        database = self.instance.database
        row = database.insert(
            "sys_user",
            {"user_name": name, "name": name.title(), "active": "true", "user_password": _hashed("sesame")},
        )
        for role in held:
            found = database.first("sys_user_role", name=role)
            assert found, role
            database.insert(
                "sys_user_has_role",
                {"user": row["sys_id"], "role": found["sys_id"], "inherited": "false", "state": "active"},
            )
        roles.rebuild(self.instance, [row["sys_id"]])
        return Api(self.instance, name, "sesame")


@pytest.fixture
def admin(instance: Instance) -> Api:
    return Api(instance, "admin", "admin")
