"""Every account of a machine on an instance, whoever made it. Only reads leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import NotAuthorized, NotFound, Rejected

_BATCH = 50  # users asked about in one query: 50 sys_ids keep the address well under its limit
_FLAGS = ("web_service_access_only", "internal_integration_user")
_USER = (
    *("sys_id", "user_name", "name", "active", "locked_out", "identity_type", *_FLAGS),
    *("manager.user_name", "last_login_time", "source"),
)


@dataclass(frozen=True, kw_only=True)
class Held:
    """A role of an account; ``inherited`` through a group or another role."""

    name: str
    inherited: bool


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One account as the instance has it.

    ``why`` says why it counts as a machine's. ``last_used`` is the platform's UTC text, empty when
    unknown; ``because`` says what that moment is worth or why there is none. ``account`` is its name in
    linkspan.yaml, empty when it is not ours.
    """

    user_name: str
    name: str
    account: str
    why: tuple[str, ...]
    owner: str
    active: bool
    locked_out: bool
    identity_type: str
    web_services_only: bool
    groups: tuple[str, ...]
    roles: tuple[Held, ...]
    last_used: str
    because: str

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            **asdict(self),
            "why": list(self.why),
            "groups": list(self.groups),
            "roles": [asdict(role) for role in self.roles],
        }


def take_inventory(line: Connection, ours: Mapping[str, str]) -> list[Listed]:
    """All accounts of machines on an instance, by user name.

    ``line`` is a read-only connection of somebody who may read users and their roles; ``ours`` maps
    user names to account names of linkspan.yaml. Reads sys_user, sys_user_has_role and
    sys_user_grmember, and oauth_credential where it may; raises what the connection raises.
    """
    users = sorted(_users(line, ours), key=lambda row: str(row["user_name"]))
    roles = _by_user(line, users, "sys_user_has_role", ("role.name", "inherited"))
    groups = _by_user(line, users, "sys_user_grmember", ("group.name",))
    tokens = _tokens(line, users)
    return [
        _listed(
            row,
            ours,
            roles=roles.get(row["sys_id"], ()),
            groups=groups.get(row["sys_id"], ()),
            token_issued=tokens.get(row["sys_id"], ""),
        )
        for row in users
    ]


def _tokens(line: Connection, users: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """When each user's newest OAuth token was issued; nothing where the table may not be read."""
    try:
        found = _by_user(line, users, "oauth_credential", ("sys_created_on",))
    except (NotAuthorized, NotFound, Rejected):
        return {}  # an instance without it, or an administrator who may not: a reason less, no failure
    return {user: max(str(row.get("sys_created_on") or "") for row in rows) for user, rows in found.items()}


def _users(line: Connection, ours: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    wanted = query.any_of(
        query.term("identity_type", "=", "machine"),
        *(query.term(flag, "=", "true") for flag in _FLAGS),
        *(query.term("user_name", "=", name) for name in sorted(ours)),
    )
    for page in line.table.keyset("sys_user", query=wanted, fields=_USER):
        # An instance without one of the fields drops that condition and may answer with people.
        yield from (row for row in page if reasons(row, ours))


def reasons(row: Mapping[str, Any], ours: Mapping[str, str]) -> tuple[str, ...]:
    """Why a user counts as a machine's account; empty for a person."""
    return tuple(
        word
        for word, holds in (
            ("identity type machine", row.get("identity_type") == "machine"),
            ("web service access only", row.get("web_service_access_only") == "true"),
            ("internal integration user", row.get("internal_integration_user") == "true"),
            ("in linkspan.yaml", row.get("user_name") in ours),
        )
        if holds
    )


def last_use(row: Mapping[str, Any], token_issued: str = "") -> tuple[str, str]:
    """When a user was last used as far as the instance tells, and what that is worth.

    The platform stamps a user's last login when it signs in to the pages; calls of web services leave
    no mark there, so an account for web services only never has one (measured on a developer instance).
    An OAuth token's record tells when it was issued, not when it was used.
    """
    at = str(row.get("last_login_time") or "")
    only_services = row.get("web_service_access_only") == "true"
    if token_issued > at:
        return token_issued, "a token was issued to it then; what it did with it since leaves no mark"
    if at and only_services:
        return at, "signed in to the pages before it was reduced to web services; its calls leave no mark"
    if at:
        return at, "signed in to the pages; calls of web services leave no mark on a user"
    if only_services:
        return "", "web services only: the platform stamps sign-ins to the pages, and it can have none"
    return "", "never signed in to the pages; calls of web services leave no mark on a user"


def _listed(
    row: Mapping[str, Any],
    ours: Mapping[str, str],
    *,
    roles: Sequence[Mapping[str, Any]],
    groups: Sequence[Mapping[str, Any]],
    token_issued: str,
) -> Listed:
    at, because = last_use(row, token_issued)
    held: dict[str, bool] = {}
    for one in roles:
        name = str(one.get("role.name") or "")
        held[name] = held.get(name, True) and one.get("inherited") == "true"
    return Listed(
        user_name=str(row["user_name"]),
        name=str(row.get("name") or ""),
        account=ours.get(str(row["user_name"]), ""),
        why=reasons(row, ours),
        owner=str(row.get("manager.user_name") or ""),
        active=row.get("active") == "true",
        locked_out=row.get("locked_out") == "true",
        identity_type=str(row.get("identity_type") or ""),
        web_services_only=row.get("web_service_access_only") == "true",
        groups=tuple(sorted(str(one.get("group.name") or "") for one in groups)),
        roles=tuple(Held(name=name, inherited=held[name]) for name in sorted(held) if name),
        last_used=at,
        because=because,
    )


def _by_user(
    line: Connection, users: Iterable[Mapping[str, Any]], table: str, fields: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    ids = [str(row["sys_id"]) for row in users]
    for batch in (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)):
        for page in line.table.keyset(table, query=query.one_of("user", batch), fields=("user", *fields)):
            for row in page:
                found.setdefault(str(row["user"]), []).append(row)
    return found
