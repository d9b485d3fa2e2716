"""The latest report of each kind, for pages that show it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import Database, upsert
from linkspan.store.tables import report


class Reports:
    """Documents by kind and name; saving one replaces the one before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, kind: str, name: str, document: Mapping[str, Any]) -> None:
        """Keep this document as the latest."""
        row = {"kind": kind, "name": name, "document": dict(document), "at": clock.now()}
        with self._database.begin() as connection:
            upsert(connection, report, row, keys=("kind", "name"))

    def load(self, kind: str, name: str) -> dict[str, Any] | None:
        """The latest document with ``at`` (epoch seconds) added, or None."""
        query = sa.select(report).where((report.c.kind == kind) & (report.c.name == name))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else {**row.document, "at": row.at}

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """Latest documents of a kind by name, ``at`` added."""
        query = sa.select(report).where(report.c.kind == kind).order_by(report.c.name)
        with self._database.read() as connection:
            return {row.name: {**row.document, "at": row.at} for row in connection.execute(query)}
