"""Everybody and everything the log mentions, made by the admin before the story starts.

All of it goes through the Table API, as an administrator's script would do it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from linkspan.core.errors import Rejected
from linkspan.demo.line import Line, basic
from linkspan.demo.log import LogEvent
from linkspan.demo.translate import (
    CLOSE_STATES,
    COLUMNS,
    EVIDENCE_HOLD,
    NO_CLOSE_CODE,
    STATES,
    Edit,
    Reference,
    Value,
    choice_value,
)

# The custom columns of that company, as far as their log shows them.
CUSTOM_COLUMNS: tuple[Mapping[str, str], ...] = (
    {"element": "u_symptom", "column_label": "Symptom", "internal_type": "string", "choice": "1"},
    {"element": "u_vendor", "column_label": "Vendor", "internal_type": "string", "choice": "1"},
    {"element": "u_priority_confirmation", "column_label": "Priority confirmed", "internal_type": "boolean"},
)
EDITORS_GROUP = "Incident editors of the log"
THREADS = 2
Choice = tuple[str, str, str]
"""Element, stored value, label."""


class Cast:
    """The sys_ids of what the log names, and the Authorization header of every editor."""

    def __init__(self, records: Mapping[Reference, str], editors: Mapping[str, Mapping[str, str]]) -> None:
        self._records, self._editors = records, editors

    def headers(self, editor: str) -> Mapping[str, str]:
        """How this editor logs in."""
        return self._editors[editor]

    def wire(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Values with each reference as the sys_id it stands for."""
        return {
            name: self._records[value] if isinstance(value, Reference) else value
            for name, value in values.items()
        }


def gather(admin: Line, events: Iterable[LogEvent], edits: Iterable[Edit]) -> Cast:
    """Create columns, choices, records and editors on the instance of ``admin``.

    Raises Rejected when the instance refuses any of it.
    """
    edits = list(edits)
    for column in CUSTOM_COLUMNS:
        _create(admin, "sys_dictionary", {"name": "incident", "max_length": "40", **column})
    wanted = _choices(events) - _existing_choices(admin)
    references = sorted(_references(edits), key=lambda reference: (reference.table, reference.name))
    people = sorted({edit.editor for edit in edits})
    password = secrets.token_urlsafe(18)
    group = _editors_group(admin)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda choice: _create_choice(admin, choice), sorted(wanted)))
        records = dict(
            zip(references, pool.map(lambda it: _create_record(admin, it), references), strict=True)
        )
        list(pool.map(lambda name: _create_editor(admin, name, password, group), people))
    return Cast(records, {name: basic(_user_name(name), password) for name in people})


def _references(edits: Iterable[Edit]) -> set[Reference]:
    return {value for edit in edits for value in edit.values.values() if isinstance(value, Reference)}


def _choices(events: Iterable[LogEvent]) -> set[Choice]:
    return set(_words(events))


def _words(events: Iterable[LogEvent]) -> Iterator[Choice]:
    for event in events:
        for name, column in COLUMNS.items():
            word = event.columns[name]
            if word and column.kind == "choice":
                yield (column.field, choice_value(word), word)
        if event.state in CLOSE_STATES:
            word = event.columns["closed_code"] or NO_CLOSE_CODE
            yield ("close_code", choice_value(word), word)
        if event.state == EVIDENCE_HOLD:
            yield ("hold_reason", STATES[EVIDENCE_HOLD][1], EVIDENCE_HOLD)


def _existing_choices(admin: Line) -> set[Choice]:
    elements = sorted(
        {column.field for column in COLUMNS.values() if column.kind == "choice"} | {"close_code"}
    )
    rows = _find(admin, "sys_choice", f"name=incident^elementIN{','.join(elements)}", "element,value,label")
    return {(row["element"], row["value"], row["label"]) for row in rows}


def _create_choice(admin: Line, choice: Choice) -> str:
    element, value, label = choice
    return _create(
        admin,
        "sys_choice",
        {"name": "incident", "element": element, "value": value, "label": label, "language": "en"},
    )


def _create_record(admin: Line, reference: Reference) -> str:
    if reference.table == "sys_user":
        return _create(admin, "sys_user", _person(reference.name))
    if reference.table in {"problem", "change_request"}:
        return _create(admin, reference.table, {"short_description": reference.name})
    return _create(admin, reference.table, {"name": reference.name})


def _create_editor(admin: Line, name: str, password: str, group: str) -> None:
    # A password is only ever hashed when it is given as a display value.
    user = _create(admin, "sys_user", {**_person(name), "user_password": password}, input_display=True)
    _create(admin, "sys_user_grmember", {"user": user, "group": group})


def _editors_group(admin: Line) -> str:
    role = _find(admin, "sys_user_role", "name=itil", "sys_id")
    if not role:
        raise Rejected("the instance has no role itil", where=admin.url)
    group = _create(admin, "sys_user_group", {"name": EDITORS_GROUP})
    _create(admin, "sys_group_has_role", {"group": group, "role": role[0]["sys_id"]})
    return group


def _person(name: str) -> dict[str, str]:
    first, _, last = name.rpartition(" ")
    return {"user_name": _user_name(name), "first_name": first, "last_name": last}


def _user_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", ".", name.lower())


def _find(admin: Line, table: str, query: str, fields: str) -> list[dict[str, Any]]:
    reply = admin.get(
        f"/api/now/table/{table}", sysparm_query=query, sysparm_fields=fields, sysparm_limit=10000
    )
    rows: list[dict[str, Any]] = reply["result"]
    return rows


def _create(admin: Line, table: str, values: Mapping[str, str], *, input_display: bool = False) -> str:
    params = {"sysparm_fields": "sys_id", "sysparm_exclude_reference_link": "true"}
    if input_display:
        params["sysparm_input_display_value"] = "true"
    answer = admin.call("POST", f"/api/now/table/{table}", params=params, body=values)
    if not answer.ok:
        raise Rejected(f"{table} {values} was refused: {answer.status} {answer.body}", where=admin.url)
    return str(answer.body["result"]["sys_id"])
