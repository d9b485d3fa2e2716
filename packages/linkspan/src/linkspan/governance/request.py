"""Asking for an account: who asks whom for what, and the records that carry the question.

The question lives on the production instance as a request, a requested item and an approval for the
requester's manager (ServiceNow docs: Service Catalog, Approvals). The manager answers there, signed
in as themselves; nothing here can answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from linkspan.connection import Connection
from linkspan.core import clock, query
from linkspan.core.errors import Rejected

REQUEST, ITEM, APPROVAL = "sc_request", "sc_req_item", "sysapproval_approver"
_PERSON = ("sys_id", "user_name", "name", "active", "manager.user_name")
_TASK = ("sys_id", "number")
_DIGITS = 16

Named = Mapping[str, Mapping[str, str]]


class Creates(Protocol):
    """What makes task records once, although an answer may be lost."""

    def create(
        self, table: str, values: Mapping[str, str], *, correlation_id: str, fields: Sequence[str]
    ) -> dict[str, str]: ...


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user of the production instance. ``manager`` is a user name, empty when none is on record."""

    sys_id: str
    user_name: str
    name: str
    manager: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Exactly what a manager is asked to allow. ``gives`` and ``instances`` are lines for a person."""

    account: str
    user_name: str
    owner: str
    scheme: str
    recipe: str
    instances: tuple[str, ...]
    gives: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Stands for exactly this question: an answer to another one does not count."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]

    def words(self, requester: Person, reason: str, expires_at: float) -> str:
        """The question as the manager reads it."""
        lines = [
            f"{requester.name} ({requester.user_name}) asks for the service account {self.user_name}.",
            f"Reason: {reason}",
            f"Owner, who answers for it: {self.owner}",
            "On: " + ", ".join(self.instances),
            "For a first time, to find out its calls, it gets:",
            *(f"- {line}" for line in self.gives),
            "Afterwards it is reduced to web services only.",
            f"Without an answer by {clock.platform_time(expires_at)} UTC nothing happens.",
        ]
        return "\n".join(lines)


def person(line: Connection, user_name: str) -> Person:
    """The active user of this name. Raises Rejected when there is none."""
    try:
        wanted = query.term("user_name", "=", user_name)
    except ValueError as error:
        raise Rejected(f"{user_name!r} is no User ID", fix=str(error), code="unknown_person") from error
    row = line.table.first("sys_user", wanted, _PERSON)
    if row is None or str(row.get("user_name", "")).lower() != user_name.lower():
        raise Rejected(
            f"there is no user {user_name} on the production instance",
            fix="name people by their User ID there",
            code="unknown_person",
        )
    if row.get("active") != "true":
        raise Rejected(
            f"{user_name} is not active on the production instance",
            fix="name somebody who can answer for it",
            code="unknown_person",
        )
    return Person(
        sys_id=row["sys_id"],
        user_name=row["user_name"],
        name=row.get("name") or row["user_name"],
        manager=str(row.get("manager.user_name") or ""),
    )


def require_manager(requester: Person, named: str) -> str:
    """The user name of whoever decides: the requester's manager on record, else the one named.

    Raises Rejected when neither is known or when they differ: nobody picks who approves their request.
    """
    if requester.manager and named and named.lower() != requester.manager.lower():
        raise Rejected(
            f"{named} is not the manager of {requester.user_name}; {requester.manager} is",
            fix="leave --manager out, or correct the manager on the user record in ServiceNow",
            code="not_the_manager",
        )
    if not (requester.manager or named):
        raise Rejected(
            f"{requester.user_name} has no manager on record",
            fix="fill in the manager on their user record in ServiceNow, or name one with --manager",
            code="no_manager",
        )
    return requester.manager or named


def require_separate(*, requester: str, manager: str, owner: str, user_name: str) -> None:
    """Raise Rejected (code ``self_approval``) unless two different people stand behind a request.

    All four are user names. Whoever asks or will own the account cannot be the one who approves, and
    nobody asks for the user record they sign in with.
    """
    requester, manager, owner, user_name = (one.lower() for one in (requester, manager, owner, user_name))
    if requester == manager:
        cause, fix = f"{requester} cannot approve their own request", "somebody else has to decide"
    elif owner == manager:
        cause, fix = f"{manager} owns the account and cannot approve it", "name another owner or manager"
    elif user_name in (requester, manager, owner):
        cause = f"{user_name} is the user record of a person in this request"
        fix = "give the account a user name of its own"
    else:
        return
    raise Rejected(cause, fix=fix, code="self_approval")


def open_records(
    line: Connection,
    creates: Creates,
    *,
    asked: Asked,
    requester: Person,
    manager: Person,
    reason: str,
    expires_at: float,
    token: str,
) -> dict[str, dict[str, str]]:
    """The records of a request: table → {sys_id, number}. Repeating it finds the ones already made.

    ``token`` is this request's own; together with the digest it is the correlation id of both tasks.
    """
    words = {
        "short_description": f"Service account {asked.user_name}",
        "description": asked.words(requester, reason, expires_at),
    }
    mine = correlation(token, asked)
    request = creates.create(
        REQUEST, {**words, "requested_for": requester.sys_id}, correlation_id=mine, fields=_TASK
    )
    item = creates.create(ITEM, {**words, "request": request["sys_id"]}, correlation_id=mine, fields=_TASK)
    approval = _approval(line, item["sys_id"], manager)
    return {
        REQUEST: {name: request[name] for name in _TASK},
        ITEM: {name: item[name] for name in _TASK},
        APPROVAL: {"sys_id": approval["sys_id"], "number": item["number"]},
    }


def correlation(token: str, asked: Asked) -> str:
    """The correlation id of a request's tasks."""
    return f"linkspan:account:{token}:{asked.digest}"


def _approval(line: Connection, item: str, manager: Person) -> Mapping[str, Any]:
    """The manager's approval of an item, made unless it is there (approvals have no correlation id)."""
    mine = query.all_of(query.term("sysapproval", "=", item), query.term("approver", "=", manager.sys_id))
    rows = line.table.page(APPROVAL, query=mine, fields=("sys_id", "sysapproval", "approver"), limit=10).rows
    for row in rows:
        if row.get("sysapproval") == item and row.get("approver") == manager.sys_id:
            return row
    values = {
        "sysapproval": item,
        "approver": manager.sys_id,
        "source_table": ITEM,
        "document_id": item,
        "state": "requested",
    }
    return line.table.create(APPROVAL, values, fields=("sys_id",))
