"""Scans over the fleet: lines from the wiring, definitions from the suites, results in the store."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from linkspan.config.values import AccountConfig
from linkspan.connection import Connection
from linkspan.core.errors import ConfigError, LinkspanError, NotFound, SecretUnavailable
from linkspan.flows.wiring import Wiring
from linkspan.scan import definitions as catalogue
from linkspan.scan.compare import matrix
from linkspan.scan.instances import Look, Seen, judge
from linkspan.scan.run import FleetScan, InstanceScan, run
from linkspan.store import Database
from linkspan.store.reports import Reports
from linkspan.store.scans import ScanRun, Scans

RUN_KIND = "scan"
INSTANCES_KIND = "scan_instances"
Document = dict[str, Any]


def scan_account(wiring: Wiring) -> AccountConfig:
    """The account of ``scan:`` in linkspan.yaml. Raises ConfigError when there is none."""
    name = wiring.config.scan.get("account")
    if name is None:
        raise ConfigError(
            "there is no scan",
            fix="add scan: {account: NAME}, with the account that looks",
            where=wiring.config.path.name,
        )
    return wiring.account(name)


def scan_fleet(
    wiring: Wiring,
    *,
    instances: Collection[str] | None = None,
    suites: Collection[str] = (),
    as_admin: bool = False,
    announce: Callable[[InstanceScan], None] = lambda _done: None,
) -> FleetScan:
    """Run the suites (those of linkspan.yaml when none is named) on the account's instances.

    Only reads leave: one read-only connection for each instance, as the scan's account, or with
    ``as_admin`` as the instance's administrator. Raises ConfigError for what is not configured.
    """
    account = scan_account(wiring)
    wanted = [wiring.instance(name).name for name in instances] if instances else list(account.instances)
    chosen = tuple(suites) or tuple(wiring.config.scan.get("suites", ())) or catalogue.suites()
    chosen_definitions = catalogue.load(chosen, where=wiring.config.where("scan", "suites"))
    lines = {name: partial(_line, wiring, account, name, as_admin) for name in wanted}
    done = run(Scans(wiring.database), chosen_definitions, chosen, lines, announce=announce)
    # Open pages watch the reports; what the run found is in its own tables.
    Reports(wiring.database).save(RUN_KIND, "fleet", {"run": done.run})
    return done


def scan_instances(wiring: Wiring) -> Document:
    """How the instances of the scan's account stand: ``{"account", "user", "instances": {NAME: …}}``.

    The account's own line tells whether it gets in; the rest is read with the administrator's eyes
    where there is one. Only reads leave. The answer is kept for the page.
    """
    account = scan_account(wiring)
    seen = {name: _look(wiring, account, name) for name in account.instances}
    judgements = judge(seen, account=account.name, user_name=account.user_name)
    found = {
        "account": account.name,
        "user": account.user_name,
        "instances": {name: one.document() for name, one in judgements.items()},
    }
    Reports(wiring.database).save(INSTANCES_KIND, "fleet", found)
    return found


def scan_findings(
    wiring: Wiring,
    *,
    instance: str | None = None,
    level: str | None = None,
    definition: str | None = None,
) -> Document:
    """``{"run", "at", "findings", "unknown"}`` of the newest run. Raises NotFound before the first."""
    found = newest(wiring.database)
    known = {one.id: one for one in catalogue.load()}
    rows = [
        {
            "fingerprint": row["fingerprint"],
            "instance": row["instance"],
            "definition": row["definition"],
            "mirrors": known[row["definition"]].mirrors if row["definition"] in known else "",
            "level": row["level"],
            "category": row["category"],
            "says": known[row["definition"]].says if row["definition"] in known else "",
            "fix": known[row["definition"]].fix if row["definition"] in known else "",
            "table": row["table_name"],
            "sys_id": row["sys_id"],
            "display": row["display"],
            "detail": row["detail"],
        }
        for row in Scans(wiring.database).findings(found.id, instance=instance)
        if level in (None, row["level"]) and definition in (None, row["definition"])
    ]
    rows.sort(key=lambda row: catalogue.LEVELS.index(row["level"]))
    unknown = [
        {"instance": name, "definition": key, "reason": cell["reason"]}
        for name, one in _scanned(found).items()
        if instance in (None, name)
        for key, cell in one["definitions"].items()
        if cell["verdict"] == "unknown" and definition in (None, key)
    ]
    return {"run": found.id, "at": found.finished_at, "findings": rows, "unknown": unknown}


def scan_comparison(database: Database) -> Document:
    """``{"run", "at", "levels", "instances", "definitions"}``: what differs between the instances of
    the newest run. Raises NotFound before the first."""
    found = newest(database)
    scanned = _scanned(found)
    return {
        "run": found.id,
        "at": found.finished_at,
        "levels": (found.counts or {}).get("levels", {}),
        "instances": {
            name: {key: value for key, value in one.items() if key != "definitions"}
            for name, one in scanned.items()
        },
        "definitions": matrix(catalogue.load(), scanned, Scans(database).findings(found.id)),
    }


def newest(database: Database) -> ScanRun:
    """The newest complete run. Raises NotFound before the first."""
    found = Scans(database).latest()
    if found is None:
        raise NotFound("nothing has been scanned yet", fix="run `linkspan scan run`", where="scan")
    return found


def _scanned(found: ScanRun) -> Document:
    return dict((found.counts or {}).get("instances", {}))


def _look(wiring: Wiring, account: AccountConfig, instance: str) -> Seen:
    look = Look(wiring.instance(instance), account.user_name)
    admin = _admin(wiring, instance)
    try:
        line = wiring.connection(account.name, instance, read_only=True)
    except SecretUnavailable as error:
        return look.see(None, admin, refused=error)
    return look.see(line, admin)


def _admin(wiring: Wiring, instance: str) -> Connection | None:
    """The administrator's eyes, if one is configured and accepted."""
    if not wiring.has_admin(instance):
        return None
    line = wiring.admin(instance, read_only=True)
    try:
        line.whoami()
    except LinkspanError:
        return None  # what needed these eyes is listed as hidden
    return line


def _line(wiring: Wiring, account: AccountConfig, instance: str, as_admin: bool) -> Connection:
    if as_admin:
        return wiring.admin(instance, read_only=True)
    return wiring.connection(account.name, instance, read_only=True)
