"""What a run found on one instance and not on another. Pure functions over what the store keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from linkspan.scan.definitions import Definition

Document = dict[str, Any]


def matrix(
    definitions: Sequence[Definition],
    instances: Mapping[str, Mapping[str, Any]],
    findings: Iterable[Mapping[str, Any]],
) -> list[Document]:
    """One row for each definition: its cells by instance, and what differs between them.

    ``instances`` is what a run's counts hold by instance. Findings are the same thing on two
    instances when they have the same display: sys_ids differ there. An instance whose verdict is
    unknown, or of which not every finding is kept, is never said to lack something.
    """
    names: dict[str, dict[str, set[str]]] = {}
    for one in findings:
        found = names.setdefault(one["definition"], {}).setdefault(one["instance"], set())
        found.add(one["display"])
    return [
        _row(definition, _cells(definition, instances), names.get(definition.id, {}))
        for definition in definitions
        if any(definition.id in one["definitions"] for one in instances.values())
    ]


def _cells(definition: Definition, instances: Mapping[str, Mapping[str, Any]]) -> dict[str, Document]:
    unasked = {"verdict": "unknown", "count": 0, "kept": 0, "reason": "not part of this run"}
    return {name: dict(one["definitions"].get(definition.id, unasked)) for name, one in instances.items()}


def _row(definition: Definition, cells: dict[str, Document], names: Mapping[str, set[str]]) -> Document:
    return {
        "definition": definition.id,
        "mirrors": definition.mirrors,
        "suite": definition.suite,
        "level": definition.level,
        "category": definition.category,
        "says": definition.says,
        "fix": definition.fix,
        "instances": cells,
        "differs": differs(cells, names),
    }


def differs(cells: Mapping[str, Mapping[str, Any]], names: Mapping[str, set[str]]) -> list[Document]:
    """Displays found on some instances and certainly not on others: ``{display, found_on, missing_on}``."""
    certain = [name for name, cell in cells.items() if _whole(cell)]
    told: list[Document] = []
    for display in sorted(set().union(*names.values())):
        found = [name for name in cells if display in names.get(name, ())]
        missing = [name for name in certain if name not in found]
        if missing:
            told.append({"display": display, "found_on": found, "missing_on": missing})
    return told


def _whole(cell: Mapping[str, Any]) -> bool:
    return cell["verdict"] != "unknown" and not cell["reason"] and cell["kept"] == cell["count"]
