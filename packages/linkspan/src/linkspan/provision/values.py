"""The plain values of provisioning: wanted, observed, change, brake, plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from linkspan.core.errors import LinkspanError

Action = Literal["create", "update", "delete", "manual"]


@dataclass(frozen=True)
class Ref:
    """A reference to another wanted record, by kind and natural key."""

    kind: str
    key: str

    @property
    def id(self) -> str:
        """The same form as ``Wanted.id``."""
        return f"{self.kind}/{self.key}"


@dataclass(frozen=True)
class Choice:
    """A value of a choice field by its label; the instance keeps another text for it, maybe one of
    ``values``."""

    label: str
    values: tuple[str, ...] = ()


Value = str | Ref | Choice


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One record as it should be. ``match`` is its natural key, ``fields`` the rest that we answer for.

    ``initial``: given to a new record and not looked at afterwards. ``common``: it serves several accounts
    and stays when one of them lets go of it. ``secret_of``: the record carries the account's secret on
    this instance. ``blocked``: what a person has to do before it can be made. ``instructions``: what to
    do where a record is missing that is not ours to make.
    """

    kind: str
    key: str
    match: Mapping[str, Value]
    fields: Mapping[str, Value] = field(default_factory=dict)
    because: str
    after: tuple[str, ...] = ()
    initial: Mapping[str, Value] = field(default_factory=dict)
    common: bool = False
    secret_of: str = ""
    blocked: str = ""
    instructions: str = ""

    @property
    def id(self) -> str:
        """``kind/key``, unique on an instance."""
        return f"{self.kind}/{self.key}"

    @property
    def values(self) -> dict[str, Value]:
        """Everything a new record is given."""
        return {**self.match, **self.initial, **self.fields}


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """What a field holds and what it will hold, in words fit for a person (never a secret)."""

    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """One step of a plan. ``wanted`` and ``sys_id`` serve apply and are not shown."""

    account: str
    action: Action
    kind: str
    key: str
    fields: Mapping[str, FieldChange] = field(default_factory=dict)
    because: str
    after: tuple[str, ...] = ()
    artefact: str | None = None
    wanted: Wanted | None = None
    sys_id: str = ""

    @property
    def id(self) -> str:
        """``kind/key``."""
        return f"{self.kind}/{self.key}"

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "action": self.action,
            "kind": self.kind,
            "key": self.key,
            "fields": {name: {"from": one.before, "to": one.after} for name, one in self.fields.items()},
            "because": self.because,
            "after": list(self.after),
            "artefact": self.artefact,
            "account": self.account,
        }


@dataclass(frozen=True, kw_only=True)
class Brake:
    """Why an instance is not touched until a person accepts this brake by its id."""

    id: str
    cause: str
    fix: str

    def document(self) -> dict[str, str]:
        """The published shape."""
        return {"id": self.id, "cause": self.cause, "fix": self.fix}


@dataclass(frozen=True, kw_only=True)
class InstancePlan:
    """What is to be done on one instance.

    ``known`` maps ids of records that exist to their sys_id; ``accounts`` are those compared.
    ``problem`` is set when the instance could not be read; then there are no changes. ``url`` is the address
    it was read at: a plan that was reviewed is for that one.
    """

    instance: str
    url: str = ""
    changes: tuple[Change, ...] = ()
    brakes: tuple[Brake, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    accounts: tuple[str, ...] = ()
    problem: LinkspanError | None = None

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "url": self.url,
            "changes": [change.document() for change in self.changes],
            "brakes": [brake.document() for brake in self.brakes],
        }


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The difference between what should be and what is, on every instance asked about."""

    instances: Mapping[str, InstancePlan]

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes, instance by instance."""
        return tuple(change for one in self.instances.values() for change in one.changes)

    @property
    def problems(self) -> tuple[LinkspanError, ...]:
        """Instances that could not be read."""
        return tuple(one.problem for one in self.instances.values() if one.problem is not None)

    @property
    def checksum(self) -> str:
        """Stands for exactly these changes."""
        return checksum({name: one.document() for name, one in self.instances.items()})

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "checksum": self.checksum,
            "instances": {name: one.document() for name, one in self.instances.items()},
        }


def checksum(instances: Mapping[str, Any]) -> str:
    """SHA-256 of the published ``instances`` of a plan, independent of key order and spacing."""
    text = json.dumps(instances, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
