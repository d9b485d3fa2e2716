"""Can the Scan Engine of each instance call the others? The configuration says what should be.

Each instance ends with one of the six words that Scan Engine itself uses for a connection (ServiceNow
docs: Add and view Scan Engine related lists; Validate your instance connection), its cause and its fix.
Scan Engine does not publish its columns: they are found by their labels in the dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from linkspan.config.values import InstanceConfig
from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import (
    LinkspanError,
    NotAuthorized,
    NotFound,
    Rejected,
    SecretUnavailable,
    Unreachable,
)

TABLE = "sn_se_my_sn_instances"
ROLES = ("sn_se.internal_rest_integration", "sn_se.scan_engine_admin")
PRODUCTION = "Production"
APPROVALS = "enable_exception_reason_approvals_in_production"
Status = Literal[
    "Connection Valid",
    "Connection Invalid",
    "Authentication method is not configured",
    "User not setup on target instance",
    "API User is missing role",
    "Approvals not configured in production",
]
STATUSES: tuple[Status, ...] = get_args(Status)
LABELS = {
    "name": "Instance Name",
    "url": "Instance URL",
    "environment": "Environment",
    "authentication": "Authentication Type",
    "basic": "API Credential Config",
    "oauth": "OAuth User Profile",
    "validated": "Validated",
    "status": "Connection Status",
}
_MOST = 200
_HIDDEN = (NotAuthorized, NotFound, Rejected)


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One record of My SN Instances, as it lies on the instance ``on``."""

    on: str
    sys_id: str
    name: str
    url: str
    environment: str
    authentication: str
    credential: str
    validated: bool
    status: str

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "on": self.on,
            "sys_id": self.sys_id,
            "instance_name": self.name,
            "url": self.url,
            "environment": self.environment,
            "authentication_type": self.authentication,
            "validated": self.validated,
            "connection_status": self.status,
        }


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen of one instance. None stands for what could not be told; ``hidden`` says why.

    ``login`` is why the account was refused, None when it was accepted. ``user`` is its record as an
    administrator sees it: empty when there is none. ``registrations`` are those that lie here.
    """

    instance: InstanceConfig
    login: LinkspanError | None = None
    user: Mapping[str, str] | None = None
    roles: frozenset[str] | None = None
    known_roles: frozenset[str] | None = None
    name: str | None = None
    approvals: bool | None = None
    registrations: tuple[Registration, ...] | None = None
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a connection is not valid; ``cause`` is stable."""

    cause: str
    status: Status
    says: str
    fix: str

    def document(self) -> dict[str, str]:
        """The published shape."""
        return {"cause": self.cause, "status": self.status, "says": self.says, "fix": self.fix}


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How one instance stands. The gravest problem, which is the first, gives the status."""

    seen: Seen
    problems: tuple[Problem, ...] = ()
    registrations: tuple[Registration, ...] = field(default=())

    @property
    def status(self) -> Status:
        """One of the six."""
        return self.problems[0].status if self.problems else "Connection Valid"

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "status": self.status,
            "certain": not self.seen.hidden,
            "environment": self.seen.instance.environment,
            "url": self.seen.instance.url,
            "instance_name": self.seen.name,
            "problems": [one.document() for one in self.problems],
            "registrations": [one.document() for one in self.registrations],
            "hidden": list(self.seen.hidden),
        }


@lru_cache(maxsize=1)
def causes() -> Mapping[str, Mapping[str, str]]:
    """Every published cause with its status, what it says and its fix; the gravest first."""
    from ruamel.yaml import YAML

    text = (resources.files("linkspan.scan") / "causes.yaml").read_text(encoding="utf-8")
    return {str(id): dict(entry) for id, entry in YAML(typ="safe").load(text).items()}


class Look:
    """Reads one instance, with the account's own line and the administrator's eyes where there are any."""

    def __init__(self, instance: InstanceConfig, user_name: str) -> None:
        self._instance = instance
        self._user_name = user_name
        self._hidden: list[str] = []

    def see(
        self, line: Connection | None, admin: Connection | None, refused: LinkspanError | None = None
    ) -> Seen:
        """What can be seen. ``refused`` is why there is no line. Both connections are read-only.

        Nothing is raised for a broken instance.
        """
        sys_id, login = "", refused
        if line is not None:
            try:
                sys_id = str(line.whoami().get("sys_id", ""))
            except NotFound as error:  # accepted, and not shown its own record
                self._hidden.append(error.cause)
            except LinkspanError as error:
                login = error
        eyes = admin if admin is not None else line if login is None else None
        if eyes is None:
            self._hidden.append("nobody can look: the account is refused and there is no administrator")
            return Seen(instance=self._instance, login=login, hidden=tuple(self._hidden))
        user = self._user(eyes)
        sys_id = sys_id or (user or {}).get("sys_id", "")
        return Seen(
            instance=self._instance,
            login=login,
            user=user if admin is not None else None,
            roles=self._roles(eyes, sys_id) if sys_id else None,
            known_roles=self._known_roles(eyes),
            name=self._name(eyes),
            approvals=self._approvals(eyes),
            registrations=self._registrations(eyes),
            hidden=tuple(self._hidden),
        )

    def _user(self, line: Connection) -> dict[str, str] | None:
        rows = self._rows(
            line,
            "sys_user",
            query.term("user_name", "=", self._user_name),
            ("sys_id", "active", "locked_out"),
        )
        if rows is None:
            return None
        return {name: str(value) for name, value in rows[0].items()} if rows else {}

    def _roles(self, line: Connection, user: str) -> frozenset[str] | None:
        text = query.all_of(
            query.term("user", "=", user), query.one_of("role.name", ROLES), "state!=inactive"
        )
        return self._names(line, "sys_user_has_role", text, "role.name")

    def _known_roles(self, line: Connection) -> frozenset[str] | None:
        return self._names(line, "sys_user_role", query.one_of("name", ROLES), "name")

    def _name(self, line: Connection) -> str | None:
        rows = self._rows(line, "sys_properties", query.term("name", "=", "instance_name"), ("value",))
        return str(rows[0].get("value", "")) or None if rows else None

    def _approvals(self, line: Connection) -> bool | None:
        """The switch on a production instance. The record's columns are public (ServiceNow docs: Scan
        Engine properties); a release without them tells nothing."""
        if self._instance.environment != "production":
            return None
        try:
            row = line.table.first("sn_se_properties", "", ("sys_id", APPROVALS))
        except LinkspanError:
            return None  # told by no other means; the status stays what the rest says
        return str(row[APPROVALS]) == "true" if row and APPROVALS in row else None

    def _registrations(self, line: Connection) -> tuple[Registration, ...] | None:
        columns = self._columns(line)
        if columns is None:
            return None
        try:
            page = line.table.page(TABLE, fields=("sys_id", *columns.values()), limit=_MOST, display="true")
        except _HIDDEN as error:
            self._hidden.append(f"My SN Instances: {error.cause}")
            return None
        if page.total is not None and page.total > len(page.rows):
            self._hidden.append(f"My SN Instances: {page.total - len(page.rows)} records are hidden")
            return None
        return tuple(_registration(self._instance.name, row, columns) for row in page.rows)

    def _columns(self, line: Connection) -> dict[str, str] | None:
        """Our words for the fields → their columns on this instance."""
        rows = self._rows(
            line, "sys_dictionary", query.term("name", "=", TABLE), ("element", "column_label"), "Labels"
        )
        by_label = {str(row.get("column_label")): str(row["element"]) for row in rows or () if row["element"]}
        columns = {word: by_label[label] for word, label in LABELS.items() if label in by_label}
        missing = [LABELS[word] for word in ("name", "url", "environment") if word not in columns]
        if missing:
            if rows is not None:
                self._hidden.append(
                    f"My SN Instances: no field {', '.join(missing)} can be found (is Scan Engine installed?)"
                )
            return None
        return columns

    def _names(self, line: Connection, table: str, text: str, name: str) -> frozenset[str] | None:
        rows = self._rows(line, table, text, (name,))
        return None if rows is None else frozenset(str(row.get(name, "")) for row in rows) - {""}

    def _rows(
        self, line: Connection, table: str, text: str, fields: Sequence[str], title: str = ""
    ) -> list[dict[str, Any]] | None:
        """All matching rows, or None when some are hidden or the instance does not say."""
        try:
            page = line.table.page(table, query=text, fields=fields, limit=_MOST)
        except LinkspanError as error:
            self._hidden.append(f"{title or table}: {error.cause}")
            return None
        if page.total is None or page.total > len(page.rows):
            self._hidden.append(f"{title or table}: rows are hidden from whoever looked")
            return None
        return page.rows


def judge(seen: Mapping[str, Seen], *, account: str, user_name: str) -> dict[str, Judgement]:
    """How each instance stands, judged from what was seen of all of them."""
    fleet = tuple(seen.values())
    order = list(causes())
    judgements = {}
    for name, one in seen.items():
        about = tuple(row for other in fleet for row in other.registrations or () if _is_about(row, one))
        problems = [
            _problem(cause, one, {"account": account, "user": user_name, **facts})
            for cause, facts in (
                *_own(one),
                *_registered(one, fleet),
                *_written(one, about),
                *_productions(fleet),
            )
        ]
        problems.sort(key=lambda problem: order.index(problem.cause))
        judgements[name] = Judgement(seen=one, problems=tuple(problems), registrations=about)
    return judgements


Found = tuple[str, dict[str, str]]


def _own(one: Seen) -> list[Found]:
    """What is wrong with the account on the instance."""
    found: list[Found] = []
    if one.login is not None:
        found.append((_refusal(one, one.login), {"detail": one.login.cause}))
    for role in ROLES:
        if one.known_roles is not None and role not in one.known_roles:
            found.append(("application_missing", {"found": role}))
        elif one.roles is not None and role not in one.roles:
            found.append(("role_missing", {"found": role}))
    if one.user == {}:  # whoever does not exist holds nothing; one cause is enough
        return [entry for entry in found if entry[0] != "role_missing"]
    return found


def _refusal(one: Seen, login: LinkspanError) -> str:
    if isinstance(login, SecretUnavailable):
        return "secret_missing"
    if isinstance(login, Unreachable):
        return "unreachable"
    if one.user is not None and one.user.get("active") != "true":
        return "user_inactive" if one.user else "user_missing"
    if one.user is not None and one.user.get("locked_out") == "true":
        return "locked_out"
    return "login_refused"


def _registered(one: Seen, fleet: Sequence[Seen]) -> list[Found]:
    """Where the instance ought to be registered and is not."""
    return [
        ("not_registered", {"on": other.instance.name})
        for other in fleet
        if other.registrations is not None and not any(_is_about(row, one) for row in other.registrations)
    ]


def _written(one: Seen, about: Sequence[Registration]) -> list[Found]:
    """What is wrong in the records about the instance."""
    found: list[Found] = []
    is_production = one.instance.environment == "production"
    for row in about:
        if not row.authentication:
            found.append(("no_authentication_type", {"on": row.on}))
        elif not row.credential:
            found.append(("no_credential_record", {"on": row.on}))
        if row.url != one.instance.url:
            found.append(("wrong_url", {"on": row.on, "found": row.url or "(empty)"}))
        if one.name is not None and row.name != one.name:
            found.append(("wrong_name", {"on": row.on, "found": row.name or "(empty)", "name": one.name}))
        if (row.environment == PRODUCTION) != is_production:
            found.append(("wrong_environment", {"on": row.on, "found": row.environment or "(empty)"}))
    return found


def _productions(fleet: Sequence[Seen]) -> list[Found]:
    """Exactly one instance is production, and it takes approvals."""
    productions = [one for one in fleet if one.instance.environment == "production"]
    if len(productions) > 1:
        return [("several_productions", {"found": ", ".join(one.instance.name for one in productions)})]
    if not productions:
        return [("no_production", {})]
    if productions[0].approvals is False:
        return [("approvals_off", {"production": productions[0].instance.name})]
    return []


def _is_about(row: Registration, one: Seen) -> bool:
    """By its name, or by a url that leads to the same host."""
    if row.name and row.name in (one.name, one.instance.name):
        return True
    return _host(row.url) == _host(one.instance.url)


def _host(url: str) -> str:
    """Host and port, without what people write around them."""
    try:
        place = urlsplit(url if "//" in url else f"//{url}")
        return f"{(place.hostname or '').removeprefix('www.')}:{place.port or ''}"
    except ValueError:
        return url


def _registration(on: str, row: Mapping[str, Any], columns: Mapping[str, str]) -> Registration:
    def value(word: str) -> str:
        return str(row.get(columns.get(word, ""), "") or "").strip()

    return Registration(
        on=on,
        sys_id=str(row["sys_id"]),
        name=value("name"),
        url=value("url"),
        environment=value("environment"),
        authentication=value("authentication"),
        credential=value("basic") or value("oauth"),
        validated=value("validated") == "true",
        status=value("status"),
    )


def _problem(cause: str, one: Seen, facts: Mapping[str, str]) -> Problem:
    entry = causes()[cause]
    known = {
        "instance": one.instance.name,
        "url": one.instance.url,
        "environment": one.instance.environment,
        **facts,
    }
    (status,) = (word for word in STATUSES if word == entry["status"])
    return Problem(
        cause=cause,
        status=status,
        says=entry["says"].format_map(known).strip(),
        fix=entry["fix"].format_map(known).strip(),
    )
