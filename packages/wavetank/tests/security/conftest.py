"""An instance in this process, without a server, and short words to people it."""

import functools

import pytest

from wavetank import packs
from wavetank.clock import Clock
from wavetank.database.store import Database
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
            self.add("sys_user_has_role", user=sys_id, role=self.role(role), state="active", inherited="false")
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
        row = {"type": "record", "active": "true", "admin_overrides": "true", "decision_type": "allow", **values}
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
