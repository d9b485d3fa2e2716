"""What a check may use: one account on one instance, the lines to it, and what earlier checks learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from linkspan.config.values import AccountConfig, InstanceConfig
from linkspan.connection import Connection
from linkspan.core.check import Cause, Certainty
from linkspan.core.errors import LinkspanError
from linkspan.preflight import causes


@dataclass(frozen=True, kw_only=True)
class RequiredRole:
    """A role the account's recipe grants, and why; ``made`` by linkspan, or come with the platform."""

    name: str
    because: str
    made: bool = False


@dataclass(frozen=True, kw_only=True)
class RequiredAcl:
    """An access control the account's recipe names; ``name`` is the table's, or the field's."""

    role: str
    table: str
    operation: str
    name: str


@dataclass(kw_only=True)
class Learned:
    """Facts that later checks build on."""

    me: dict[str, Any] = field(default_factory=dict)
    user_sys_id: str = ""
    admin_problem: LinkspanError | None = None


@dataclass(frozen=True, kw_only=True)
class FarSide:
    """What the far side of a sync answered: the name of our key, the roles it lacks, how many severities
    there are, and the categories of its statuses."""

    key: str
    missing_roles: tuple[str, ...]
    severities: int
    statuses: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Context:
    """One account on one instance.

    ``line``, ``anonymous`` and ``writing`` make connections: as the account (read-only), as nobody,
    and as the account with writing allowed. ``admin`` gives the administrator's read-only connection,
    or None when there is none or it is refused (``learned.admin_problem``). ``password`` and
    ``client_id`` are what the account signs in with, None when not part of the scheme or not stored.
    ``uses`` are the tables whose records its recipe works on; ``machine`` and ``services_only`` are the
    user flags it asks for, ``changes`` whether it changes what it created,
    ``reads_only`` whether it creates nothing either. ``api_keys`` are the names of its
    keys here, oldest first. ``far_sides`` ask the other products of the account's syncs, by sync; each raises
    the errors of ``core.errors``.
    """

    instance: InstanceConfig
    account: AccountConfig
    line: Callable[[], Connection]
    anonymous: Callable[[], Connection]
    writing: Callable[[], Connection]
    admin: Callable[[], Connection | None]
    roles: tuple[RequiredRole, ...] = ()
    group: str = ""
    uses: tuple[str, ...] = ("incident",)
    machine: bool = True
    services_only: bool = True
    changes: bool = True
    reads_only: bool = False
    acls: tuple[RequiredAcl, ...] = ()
    api_keys: tuple[str, ...] = ()
    password: Callable[[], str | None] = lambda: None
    client_id: Callable[[], str | None] = lambda: None
    far_sides: Mapping[str, Callable[[], FarSide]] = field(default_factory=dict)
    learned: Learned = field(default_factory=Learned)

    def cause(self, id: str, certainty: Certainty = "certain", **facts: Any) -> Cause:
        """A published cause, its fix filled with this account and instance."""
        known: dict[str, Any] = {
            "instance": self.instance.name,
            "url": self.instance.url,
            "account": self.account.name,
            "user": self.account.user_name,
            "scheme": self.account.scheme,
            "group": self.group,
        }
        return causes.cause(id, certainty, **{**known, **facts})
