"""Scan runs and their findings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import Database, insert_all_new
from linkspan.store.tables import scan_finding, scan_run


@dataclass(frozen=True, kw_only=True)
class ScanRun:
    """One run over the fleet. ``counts`` is None while it runs, or when it was cut off."""

    id: int
    suites: Sequence[str]
    started_at: float
    finished_at: float | None
    counts: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class NewFinding:
    """One scan finding to be kept."""

    definition: str
    level: str
    category: str
    table: str = ""
    sys_id: str = ""
    display: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


class Scans:
    """Runs and findings of this home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_run(self, suites: Sequence[str]) -> int:
        """A new run; its id."""
        row = {"suites": list(suites), "started_at": clock.now()}
        with self._database.begin() as connection:
            key = connection.execute(scan_run.insert(), row).inserted_primary_key
            assert key is not None
            return int(key[0])

    def add(self, run: int, instance: str, findings: Iterable[NewFinding]) -> int:
        """Add what a run found on an instance, in one transaction; how many of it are new to the run."""
        rows = [
            {
                "run_id": run,
                "instance": instance,
                "definition": one.definition,
                "level": one.level,
                "category": one.category,
                "table_name": one.table,
                "sys_id": one.sys_id,
                "display": one.display,
                "detail": dict(one.detail),
                "fingerprint": fingerprint(one.definition, instance, one.table, one.sys_id),
            }
            for one in findings
        ]
        if not rows:
            return 0
        with self._database.begin() as connection:
            return insert_all_new(connection, scan_finding, rows)

    def close_run(self, run: int, counts: Mapping[str, Any]) -> None:
        """The run is complete."""
        done = {"finished_at": clock.now(), "counts": dict(counts)}
        with self._database.begin() as connection:
            connection.execute(sa.update(scan_run).where(scan_run.c.id == run).values(done))

    def latest(self) -> ScanRun | None:
        """The newest complete run."""
        query = (
            sa.select(scan_run)
            .where(scan_run.c.finished_at.is_not(None))
            .order_by(scan_run.c.id.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else ScanRun(**row._mapping)

    def findings(self, run: int, *, instance: str | None = None) -> list[dict[str, Any]]:
        """Findings of a run, by definition and instance."""
        query = (
            sa.select(scan_finding)
            .where(scan_finding.c.run_id == run)
            .order_by(scan_finding.c.definition, scan_finding.c.instance, scan_finding.c.display)
        )
        if instance is not None:
            query = query.where(scan_finding.c.instance == instance)
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]


def fingerprint(definition: str, instance: str, table: str, sys_id: str) -> str:
    """The same problem found again has the same fingerprint."""
    return hashlib.sha256(f"{definition}|{instance}|{table}|{sys_id}".encode()).hexdigest()[:32]
