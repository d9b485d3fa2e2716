"""The ServiceNow side of the accounts: what their recipes need and only a person may bring in."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from linkspan.app import Record, UpdateSet, acl, role
from linkspan.config.values import AccountConfig
from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import ConfigError, LinkspanError
from linkspan.flows.setup import intent
from linkspan.flows.wiring import Wiring
from linkspan.provision.desired import desire
from linkspan.provision.kinds.acl import Acl
from linkspan.provision.observed import Reader

_ROLES = ("role", "custom_role")
_ACL = Acl()


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One access control on one instance. ``wrong`` says what is wrong with those that nearly serve."""

    account: str
    key: str
    because: str
    sys_id: str = ""
    wrong: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """``present``, ``drifted`` (one is there and does not serve) or ``missing``."""
        if self.sys_id:
            return "present"
        return "drifted" if self.wrong else "missing"

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "account": self.account,
            "acl": self.key,
            "state": self.state,
            "because": self.because,
            "wrong": list(self.wrong),
        }


def build(wiring: Wiring, *, account: str | None = None, instance: str | None = None) -> UpdateSet | None:
    """The update set for an account or for all; None when their recipes need nothing of the kind.

    With ``instance`` its roles are looked up (reads only) and referred to as they stand there; without,
    by name, and roles of our own are included. The same input gives the same file. Raises ConfigError.
    """
    accounts = _accounts(wiring, account, {instance} if instance else None)
    line = wiring.admin(instance) if instance else None
    records: dict[str, Record] = {}
    for one in accounts:
        for record in _records(wiring, one, line):
            records.setdefault(record.update_name, record)
    if not records:
        return None
    named = ", ".join(one.name for one in accounts if intent(wiring, one).profile.acls)
    return UpdateSet(
        name=f"linkspan: {named}",
        description=f"Access controls for the accounts of {named}. Built by linkspan; holds no secret.",
        records=tuple(records.values()),
    )


def status(
    wiring: Wiring, *, account: str | None = None, instances: Collection[str] | None = None
) -> dict[str, list[Standing] | LinkspanError]:
    """How every access control stands, by instance; an instance that could not be read has its problem.

    Only reads leave. Raises ConfigError for what is not configured.
    """
    wanted = {wiring.instance(name).name for name in instances} if instances else set(wiring.config.instances)
    accounts = _accounts(wiring, account, None)
    found: dict[str, list[Standing] | LinkspanError] = {}
    for name in wiring.config.instances:
        here = [one for one in accounts if name in one.instances]
        if name in wanted and here:
            found[name] = _standings(wiring, name, here)
    return found


def _standings(wiring: Wiring, name: str, accounts: list[AccountConfig]) -> list[Standing] | LinkspanError:
    try:
        reader = Reader(wiring.admin(name))
        return [standing for one in accounts for standing in _of_account(wiring, one, reader)]
    except ConfigError:
        raise
    except LinkspanError as error:
        return error


def _of_account(wiring: Wiring, account: AccountConfig, reader: Reader) -> Iterator[Standing]:
    for wanted in desire(intent(wiring, account)):
        if wanted.kind in _ROLES:
            reader.find(wanted)
        elif wanted.kind == _ACL.name:
            seen = _ACL.standing(reader, wanted)
            yield Standing(
                account=account.name,
                key=wanted.key,
                because=wanted.because,
                sys_id=seen.sys_id,
                wrong=seen.wrong,
            )


def _records(wiring: Wiring, account: AccountConfig, line: Connection | None) -> Iterator[Record]:
    profile = intent(wiring, account).profile
    known = {name: _sys_id(line, name) for name in dict.fromkeys(one.role for one in profile.acls)}
    for grant in profile.grants:
        if grant.made and known.get(grant.role) == "":
            yield role(grant.role, grant.because)
    for one in profile.acls:
        yield from acl(
            table=one.table,
            operation=one.operation,
            role=one.role,
            role_sys_id=known[one.role],
            field=one.field,
            condition=one.condition,
            because=one.because,
        )


def _sys_id(line: Connection | None, role_name: str) -> str:
    """The role's sys_id on the instance; empty when it has none, or no instance was named."""
    if line is None:
        return ""
    row = line.table.first("sys_user_role", query.term("name", "=", role_name), fields=("sys_id",))
    return str((row or {}).get("sys_id") or "")


def _accounts(wiring: Wiring, account: str | None, instances: Collection[str] | None) -> list[AccountConfig]:
    accounts = [wiring.account(account)] if account else list(wiring.config.accounts.values())
    if not instances:
        return accounts
    wanted = {wiring.instance(name).name for name in instances}
    here = [one for one in accounts if wanted & set(one.instances)]
    if account and not here:
        raise ConfigError(
            f"{account} is not wanted on {', '.join(sorted(wanted))}",
            fix="name one of its instances, or add this one to the account",
            where=wiring.config.where("accounts", account, "instances"),
        )
    return here
