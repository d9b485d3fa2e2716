"""Preflight of accounts on their instances: contexts from the wiring, checks from every capability."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TypeVar

from linkspan.config.values import AccountConfig, SyncConfig
from linkspan.connection import Connection
from linkspan.core.errors import LinkspanError, SecretUnavailable
from linkspan.flows.setup import intent_on
from linkspan.flows.wiring import Wiring
from linkspan.preflight.context import Context, FarSide, Learned, RequiredAcl, RequiredRole
from linkspan.preflight.report import Report, join
from linkspan.preflight.run import run
from linkspan.store.reports import Reports

REPORT_KIND = "preflight"
_Made = TypeVar("_Made")


def preflight_all(
    wiring: Wiring,
    *,
    account: str | None = None,
    instances: Collection[str] | None = None,
    write: bool = False,
    announce: Callable[[Report], None] = lambda _report: None,
) -> Report:
    """Ask every check about every account on every instance of it; the latest report of each is kept.

    Reports are stored as kind ``preflight``, name ``INSTANCE/ACCOUNT``. Raises ConfigError for what
    is not configured; a broken instance is a failed check, not an error.
    """
    accounts = [wiring.account(account)] if account else list(wiring.config.accounts.values())
    wanted = {wiring.instance(name).name for name in instances} if instances else set(wiring.config.instances)
    reports = Reports(wiring.database)
    found: list[Report] = []
    for one in accounts:
        for instance in one.instances:
            if instance in wanted:
                report = run(wiring.checks(), context(wiring, one, instance), write=write)
                reports.save(REPORT_KIND, f"{instance}/{one.name}", report.document())
                announce(report)
                found.append(report)
    return join(found)


def context(wiring: Wiring, account: AccountConfig, instance: str) -> Context:
    """What checks may use for one account on one instance. Lines are made when first asked for."""
    meant, learned = intent_on(wiring, account, instance), Learned()
    line = _once(lambda: wiring.connection(account.name, instance, read_only=True))
    return Context(
        instance=wiring.instance(instance),
        account=account,
        line=line,
        anonymous=_once(lambda: wiring.anonymous(instance)),
        writing=_once(lambda: wiring.connection(account.name, instance)),
        admin=_once(lambda: _admin(wiring, instance, learned)),
        learned=learned,
        roles=tuple(
            RequiredRole(name=grant.role, because=grant.because, made=grant.made)
            for grant in meant.profile.grants
        ),
        acls=tuple(
            RequiredAcl(role=acl.role, table=acl.table, operation=acl.operation, name=acl.name)
            for acl in meant.profile.acls
        ),
        changes=meant.profile.changes,
        reads_only=meant.profile.reads_only,
        api_keys=meant.api_keys,
        group=meant.group,
        uses=meant.uses,
        machine=meant.profile.user.identity_type == "machine",
        services_only=meant.profile.user.web_service_access_only,
        password=lambda: _part(wiring, account.name, instance, "password"),
        client_id=lambda: _part(wiring, account.name, instance, "client_id"),
        far_sides={
            sync.name: partial(_far_side, wiring, sync)
            for sync in wiring.config.syncs.values()
            if sync.peer == "incident_io" and (sync.account, sync.instance) == (account.name, instance)
        },
    )


def _far_side(wiring: Wiring, sync: SyncConfig) -> FarSide:
    from linkspan.sync.peers.incident_io import ROLES

    line = wiring.incident_io(sync)
    me = line.identity()
    return FarSide(
        key=me.name,
        missing_roles=tuple(role for role in ROLES if role not in me.roles),
        severities=len(line.severities()),
        statuses=frozenset(status.category.value for status in line.statuses()),
    )


def _admin(wiring: Wiring, instance: str, learned: Learned) -> Connection | None:
    """The administrator's eyes, if one is configured and accepted. Never a reason to fail."""
    if not wiring.has_admin(instance):
        return None
    try:
        line = wiring.admin(instance, read_only=True)
        line.whoami()
    except LinkspanError as error:
        learned.admin_problem = error  # told by the checks that would have needed these eyes
        return None
    return line


def _part(wiring: Wiring, account: str, instance: str, name: str) -> str | None:
    try:
        return wiring.credentials(account, instance).proven_parts().get(name)
    except SecretUnavailable:
        return None


def _once(make: Callable[[], _Made]) -> Callable[[], _Made]:
    """Called once, remembered after."""
    kept: list[_Made] = []

    def get() -> _Made:
        if not kept:
            kept.append(make())
        return kept[0]

    return get
