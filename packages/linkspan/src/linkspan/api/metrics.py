"""The ledger as Prometheus text (exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def render(status: Mapping[str, Any]) -> str:
    """Metrics of every sync in a ``sync status`` document."""
    syncs = status["syncs"].items()
    families = [
        ("linkspan_events", "gauge", "Events of a sync by how they ended", _events(syncs)),
        ("linkspan_events_received", "gauge", "Events received", _one(syncs, "ledger", "received")),
        ("linkspan_links", "gauge", "Links", [({"sync": n}, s.get("links")) for n, s in syncs]),
        (
            "linkspan_quiet",
            "gauge",
            "1 when nothing is left to do",
            [({"sync": n}, s.get("quiet")) for n, s in syncs],
        ),
        ("linkspan_lag_seconds", "gauge", "Lag of applied events", _lag(syncs)),
        (
            "linkspan_oldest_pending_seconds",
            "gauge",
            "Age of the oldest pending event",
            _one(syncs, "lag", "oldest_s"),
        ),
    ]
    return "".join(_family(*family) for family in families)


_Samples = Iterable[tuple[Mapping[str, str], Any]]


def _events(syncs: Iterable[tuple[str, Mapping[str, Any]]]) -> _Samples:
    for name, sync in syncs:
        for fate, count in sync.get("ledger", {}).items():
            if fate != "received":
                yield {"sync": name, "fate": fate}, count


def _lag(syncs: Iterable[tuple[str, Mapping[str, Any]]]) -> _Samples:
    for name, sync in syncs:
        for quantile, key in (("0.5", "p50_s"), ("0.95", "p95_s")):
            yield {"sync": name, "quantile": quantile}, sync.get("lag", {}).get(key)


def _one(syncs: Iterable[tuple[str, Mapping[str, Any]]], group: str, key: str) -> _Samples:
    for name, sync in syncs:
        yield {"sync": name}, sync.get(group, {}).get(key)


def _family(name: str, kind: str, about: str, samples: _Samples) -> str:
    lines = [f"# HELP {name} {about}\n# TYPE {name} {kind}\n"]
    for labels, value in samples:
        if value is None:
            continue
        text = ",".join(f'{label}="{str(word).translate(_ESCAPES)}"' for label, word in labels.items())
        lines.append(f"{name}{{{text}}} {float(value):g}\n")
    return "".join(lines)
