"""The ServiceNow side of the accounts: what their recipes need and only a person may bring in."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from linkspan.app import Record, UpdateSet, acl, role
from linkspan.config.values import AccountConfig
from linkspan.connection import Connection
from linkspan.core import clock, query
from linkspan.core.errors import ConfigError, LinkspanError, NotFound
from linkspan.flows.setup import intent
from linkspan.flows.wiring import Wiring
from linkspan.provision.desired import desire
from linkspan.provision.kinds.acl import Acl
from linkspan.provision.kinds.custom_role import described
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


def build(wiring: Wiring, instance: str, *, account: str | None = None) -> UpdateSet | None:
    """The update set an account (or all) needs on an instance; None when their recipes ask for nothing.

    The roles are looked up there (reads only), because their sys_ids differ from one instance to the next;
    one of our own that it lacks is included. The same answers give the same file but for its date.
    Raises ConfigError, NotFound for a role that is not there and not ours to make.
    """
    accounts = [one for one in _accounts(wiring, account) if instance in one.instances]
    asking = [one.name for one in accounts if intent(wiring, one).profile.acls]
    if not asking:
        return None
    line = wiring.admin(instance)
    found = [record for one in accounts for record in _records(wiring, one, line, instance)]
    records = {record.update_name: record for record in found}
    named = ", ".join(asking)
    return UpdateSet(
        name=f"linkspan: {named}",
        description=f"Access controls for the accounts of {named}. Built by linkspan; holds no secret.",
        moment=clock.platform_time(clock.now()),
        records=tuple(records.values()),
    )


def places(
    wiring: Wiring, *, account: str | None = None, instances: Collection[str] | None = None
) -> list[str]:
    """The instances on which an account (or any) is wanted, in the order of the configuration.

    Raises ConfigError for what is not configured.
    """
    wanted = {wiring.instance(name).name for name in instances} if instances else set(wiring.config.instances)
    of_accounts = {name for one in _accounts(wiring, account) for name in one.instances}
    if instances and not wanted <= of_accounts:
        away = ", ".join(sorted(wanted - of_accounts))
        raise ConfigError(
            f"{account} is not wanted on {away}" if account else f"no account is wanted on {away}",
            fix="name one of the account's instances, or add this one to it",
            where=wiring.config.where("accounts", account or ""),
        )
    return [name for name in wiring.config.instances if name in wanted & of_accounts]


def status(
    wiring: Wiring, *, account: str | None = None, instances: Collection[str] | None = None
) -> dict[str, list[Standing] | LinkspanError]:
    """How every access control stands, by instance; an instance that could not be read has its problem.

    Only reads leave. Raises ConfigError for what is not configured.
    """
    accounts = _accounts(wiring, account)
    return {
        name: _standings(wiring, name, [one for one in accounts if name in one.instances])
        for name in places(wiring, account=account, instances=instances)
    }


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


def _records(wiring: Wiring, account: AccountConfig, line: Connection, instance: str) -> Iterator[Record]:
    profile = intent(wiring, account).profile
    known = {name: _sys_id(line, name) for name in dict.fromkeys(one.role for one in profile.acls)}
    for name, sys_id in known.items():
        if not sys_id and not profile.makes(name):
            raise NotFound(
                f"{instance} has no role {name}, which {account.name} needs",
                fix="`linkspan plan` says where it comes from",
                where=instance,
            )
    for grant in profile.grants:
        if grant.made and known.get(grant.role) == "":
            ours = role(grant.role, described(grant.because))
            known[grant.role] = ours.sys_id
            yield ours
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


def _sys_id(line: Connection, role_name: str) -> str:
    """The role's sys_id on the instance; empty when it has none."""
    row = line.table.first("sys_user_role", query.term("name", "=", role_name), fields=("sys_id",))
    return str((row or {}).get("sys_id") or "")


def _accounts(wiring: Wiring, account: str | None) -> list[AccountConfig]:
    return [wiring.account(account)] if account else list(wiring.config.accounts.values())
