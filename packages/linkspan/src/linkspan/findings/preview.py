"""What an import would do, from reads alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from linkspan.core import clock, query
from linkspan.core.errors import Rejected
from linkspan.findings.draft import draft
from linkspan.findings.finding import Entry, Finding, correlation_id
from linkspan.findings.raising import TABLE, Binding
from linkspan.store import findings as store

IDS_PER_REQUEST = 50
SHOWN = 100


class Preview:
    """Judges entries with a source's rules, on a connection that only reads."""

    def __init__(self, binding: Binding, group: Callable[[str], str]) -> None:
        self._binding = binding
        self._group = group

    def of(self, entries: Iterable[Entry]) -> dict[str, Any]:
        """``{received, created, …, incidents, blast_radius, in_need}``: fates as an import would give
        them, the incidents it would create with their columns, and how much at once that is.

        A known finding counts as unchanged; what would be written on its incident is not foretold.
        """
        counts = dict.fromkeys(("received", *store.FATES), 0)
        wanted: dict[str, tuple[Finding, dict[str, str], tuple[str, ...]]] = {}
        needs: list[dict[str, str]] = []
        for entry in entries:
            counts["received"] += 1
            fate, told = self._judge(entry, wanted)
            if told is not None:
                needs.append({"fate": fate, "place": entry.place, **told})
            if fate != "created":
                counts[fate] += 1
        existing = self._existing(list(wanted))
        incidents = [one for key, one in wanted.items() if key not in existing]
        counts["unchanged"] += len(existing)
        now = self._left()
        counts["created"], counts["queued"] = min(len(incidents), now), max(len(incidents) - now, 0)
        return {
            **counts,
            "incidents": [_incident(*one) for one in incidents[:SHOWN]],
            "blast_radius": self._blast(incidents, now),
            "in_need": needs[:SHOWN],
        }

    def _judge(
        self, entry: Entry, wanted: dict[str, tuple[Finding, dict[str, str], tuple[str, ...]]]
    ) -> tuple[str, dict[str, str] | None]:
        finding = entry.finding
        if finding is None:
            return "quarantined", {"title": "", "where": "", **(entry.problem or {})}
        with self._binding.database.read() as connection:
            known = store.known(connection, self._binding.source, finding.fingerprint)
        key = correlation_id(finding.product, finding.fingerprint)
        if (known is not None and known.sys_id) or key in wanted:
            return "unchanged", None
        try:
            decision = self._binding.rules.decide(finding)
            if finding.state != "open" or not decision.ticket:
                return "below_threshold", None
            values = draft(finding, decision, self._binding.limits, self._group)
        except Rejected as error:
            return "parked", {"title": finding.title, **error.problem()}
        wanted[key] = (finding, values, decision.because)
        return "created", None

    def _existing(self, keys: Sequence[str]) -> set[str]:
        """Those of the correlation ids that the instance has."""
        found: set[str] = set()
        for start in range(0, len(keys), IDS_PER_REQUEST):
            part = keys[start : start + IDS_PER_REQUEST]
            rows = self._binding.connection.table.page(
                TABLE, query=query.one_of("correlation_id", part), fields=("correlation_id",), limit=1000
            ).rows
            found |= {row.get("correlation_id", "") for row in rows} & set(part)
        return found

    def _left(self) -> int:
        """How many incidents may still be created this hour."""
        with self._binding.database.read() as connection:
            spent = store.created_since(connection, self._binding.source, clock.now() - store.HOUR)
        return max(self._binding.budget_per_hour - len(spent), 0)

    def _blast(
        self, incidents: Sequence[tuple[Finding, dict[str, str], tuple[str, ...]]], now: int
    ) -> dict[str, Any]:
        over = max(len(incidents) - now, 0)
        return {
            "incidents": len(incidents),
            "by_severity": dict(Counter(finding.severity for finding, _, _ in incidents)),
            "by_rule": dict(Counter(finding.rule for finding, _, _ in incidents).most_common(20)),
            "resources": len({finding.resource for finding, _, _ in incidents}),
            "hours": math.ceil(over / self._binding.budget_per_hour),
        }


def _incident(finding: Finding, values: dict[str, str], because: tuple[str, ...]) -> dict[str, Any]:
    return {
        "title": finding.title,
        "severity": finding.severity,
        "resource": finding.resource,
        "rule": finding.rule,
        "because": list(because),
        "fields": values,
    }
