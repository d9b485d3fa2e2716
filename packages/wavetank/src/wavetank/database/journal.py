"""Journal fields: each entry is a row of `sys_journal_field`; the field itself holds nothing.

Text format of the display value: recorded on developer instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from wavetank.database import listing
from wavetank.database.dictionary import Table
from wavetank.database.store import Database, Row

BOTH = "comments_and_work_notes"


def write(database: Database, table: str, sys_id: str, element: str, text: str, *, by: str) -> Row:
    """Add one entry to a record's journal field."""
    return database.insert(
        "sys_journal_field",
        {"name": table, "element": element, "element_id": sys_id, "value": text},
        by=by,
    )


def texts(
    database: Database,
    table: Table,
    elements: Iterable[str],
    sys_ids: Sequence[str],
    stamp: Callable[[str], str],
) -> dict[tuple[str, str], str]:
    """What journal fields of records show: {(sys_id, element): text}, newest entry first.

    `stamp` shows a moment to the caller.
    """
    wanted = set(elements)
    stored = {field.name for field in table.fields.values() if field.type == "journal_input"}
    read = (stored if BOTH in wanted else set()) | (wanted & stored)
    if not read or not sys_ids:
        return {}
    marks = ", ".join("?" * len(read))
    sql = (
        "SELECT j.element_id, j.element, j.value, j.sys_created_on, j.sys_created_by, IFNULL(u.name, '')"  # noqa: S608
        " FROM sys_journal_field j LEFT JOIN sys_user u ON u.user_name = j.sys_created_by"
        f" WHERE j.element_id IN (SELECT value FROM json_each(?)) AND j.element IN ({marks})"
        " ORDER BY j.sys_created_on DESC, j.rowid DESC"
    )
    params = [listing.packed(sys_ids), *sorted(read)]
    found: dict[tuple[str, str], list[str]] = {}
    for sys_id, element, value, created, by, name in database.execute(sql, params):
        label = table.fields[element].label
        entry = f"{stamp(created)} - {name or by} ({label})\n{value}\n\n"
        for key in {element, BOTH} & wanted:
            found.setdefault((sys_id, key), []).append(entry)
    return {key: "".join(entries) for key, entries in found.items()}
