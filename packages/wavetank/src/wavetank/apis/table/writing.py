"""Creating, changing and deleting records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from wavetank import errors
from wavetank.apis import media
from wavetank.apis.table.call import TRUE, Call, answer, formats_of, readable
from wavetank.apis.table.reading import shown_record
from wavetank.behaviour import pipeline, read_only
from wavetank.database.dictionary import PASSWORDS
from wavetank.database.store import Row
from wavetank.database.values import DROPPED, Reader, as_text

MEGABYTE = 1_048_576
# A sys_id that the caller brings is not taken for these (measured on a developer instance).
OWN_IDS = frozenset({"sys_security_acl", "sys_security_acl_role"})
# Entries are brought over with their author and date (measured by those who move them).
OWN_STAMPS = frozenset({"sys_journal_field"})
ADMIN_ONLY = "glide.rest.table_api.admin_only_sys_fields"
_STAMPS = frozenset({"sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count"})
# What a caller may bring as a sys_id: it becomes part of addresses. The platform's own check is not verified.
_SYS_ID = re.compile(r"[0-9A-Za-z_-]{1,32}")


def create(call: Call) -> Response:
    given = _body(call)
    call = _of_class(call, as_text(given.get("sys_class_name", "")))
    instance, table = call.instance, call.table.name
    allowed = instance.access.table(call.session, "create", table)
    if allowed and instance.access.needs_row(call.session, "create", table):
        allowed = instance.access.row(call.session, "create", table, {"sys_class_name": table})
    if not allowed:
        raise errors.write_refused("insert")
    values = _values(call, given, "create", None)
    if table in OWN_IDS or not _SYS_ID.fullmatch(values.get("sys_id", "")):
        values.pop("sys_id", None)
    values.pop("sys_class_name", None)
    row = pipeline.insert(instance, call.session, table, values)
    headers = {"Location": call.address + f"{table}/{row['sys_id']}"}
    return _written(call, row, 201, headers)


def _of_class(call: Call, name: str) -> Call:
    """The call, on the class below its table that the body names, where that counts (not verified)."""
    counts = call.instance.settings.get("insert_class") == "given"
    known = call.instance.dictionary.table(name)
    if not counts or known is None or name not in call.instance.dictionary.descendants(call.table.name):
        return call
    return replace(call, table=known)


def update(call: Call) -> Response:
    row = _existing(call, "write", "update")
    values = _values(call, _body(call), "write", row)
    values.pop("sys_id", None)
    values.pop("sys_class_name", None)
    row = pipeline.update(call.instance, call.session, call.table.name, row, values)
    return _written(call, row, 200, {})


def delete(call: Call) -> Response:
    row = _existing(call, "delete", "delete")
    pipeline.delete(call.instance, call.session, call.table.name, row)
    return Response(status_code=204)


def _existing(call: Call, operation: Any, name: str) -> Row:
    """The record to write. Raises 404 when the caller cannot see it, 403 when it may not write it."""
    access, session, table = call.instance.access, call.session, call.table.name
    row = call.instance.database.get(table, call.sys_id)
    if row is None or not readable(call) or not access.in_sight(session, table, call.sys_id):
        raise errors.no_record()
    if access.needs_row(session, "read", table) and not access.row(session, "read", table, row):
        raise errors.no_record()
    allowed = access.table(session, operation, table)
    if allowed and access.needs_row(session, operation, table):
        allowed = access.row(session, operation, table, row)
    if not allowed:
        raise errors.write_refused(name)
    return row


def _written(call: Call, row: Row, status: int, headers: dict[str, str]) -> Response:
    if call.headers.get("x-no-response-body", "").strip().lower() in TRUE:
        kept = call.instance.settings.get("no_response_body") == "kept"
        return Response(status_code=status if kept else 204, headers=headers)
    return answer(call, shown_record(call, row["sys_id"]) or {}, status, headers)


def _body(call: Call) -> Mapping[str, Any]:
    """The record in the body, JSON or XML; of several, the first. Raises 400 or 415."""
    allowed = int(call.instance.number("glide.rest.max_content_length", 10) * MEGABYTE)
    if len(call.body) > allowed:
        raise errors.too_large(len(call.body), allowed)
    lenient = call.instance.settings.get("json_quotes") == "single_too"
    return media.record(call.headers.get("content-type", ""), call.body, single_quotes=lenient)


def _values(call: Call, given: Mapping[str, Any], operation: Any, row: Row | None) -> dict[str, str]:
    """What is stored of a body: known fields, in their stored form, that the caller may write."""
    instance = call.instance
    denied = instance.access.fields(call.session, operation, call.table.name, row)
    refused = sorted(denied & set(given))
    if refused and instance.settings.get("field_write_denied") == "403":
        raise errors.write_refused("insert" if row is None else "update")
    read_only.check(instance, call.table, given)
    passed_over = denied | _kept_to_the_system(call) | read_only.locked(instance, call.table)
    reader = _reader(call)
    values: dict[str, str] = {}
    for name, value in given.items():
        field = call.table.fields.get(name)
        if field is None or name in passed_over:
            continue
        if field.type in PASSWORDS:
            stored = _secret(call, field.type, as_text(value))
        else:
            stored = reader.read(call.table, field, value)
        if stored is not DROPPED:
            values[name] = stored
    return values


def _kept_to_the_system(call: Call) -> frozenset[str]:
    """The system fields that a body cannot set (ServiceNow docs: Restrict write access on system fields)."""
    only_admin = call.instance.property(ADMIN_ONLY, "false") == "true"
    if only_admin and not call.session.is_admin:
        return _STAMPS | {"sys_id"}
    taken = call.flag("sysparm_suppress_auto_sys_field") or call.table.name in OWN_STAMPS
    return frozenset() if taken else _STAMPS


def _reader(call: Call) -> Reader:
    date_format, time_format = formats_of(call)
    return Reader(
        database=call.instance.database,
        choices=call.instance.behaviour.choices,
        display=call.flag("sysparm_input_display_value"),
        time_zone=call.session.time_zone,
        date_format=date_format,
        time_format=time_format,
        any_choice=call.instance.property("glide.rest.choice.allow_non_existing_value") == "true",
        clears_choices=call.instance.settings.get("empty_choice") == "cleared",
    )


def _secret(call: Call, kind: str, text: str) -> str | None:
    """A password is hashed on the display path only; a two-way secret is sealed on both."""
    from wavetank.security.passwords import hash_password

    if not text:
        return text
    if kind == "password2":
        return call.instance.seal.seal(text)
    if call.flag("sysparm_input_display_value"):
        return hash_password(text)
    return text if call.instance.settings.get("password_plain_write") == "literal" else DROPPED
