"""What tools write, read into findings: one file for each format.

A format is a module with ``NAME`` and a reader that yields an entry for everything the file holds: a
finding, or a problem with its place. What cannot be read at all raises ``Unreadable``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from linkspan.findings.finding import Entry, Unreadable, cut
from linkspan.findings.formats import ocsf, sarif

NAMES = (sarif.NAME, ocsf.NAME)
SIZE_LIMIT = 64 * 1_048_576
KEPT_TEXT = 2_000

LOOKED_AT = 100  # entries of a list that are asked which format it is

_BYTE = re.compile(r"\(byte (\d+)\)")
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def read(data: bytes, *, format_name: str | None = None) -> Iterator[Entry]:
    """Entries of ``data``, in order. The format is recognised unless it is named.

    ``data`` is a SARIF log, an OCSF event, an array of them, or one event on each line. Entries are
    decoded one by one, so what is held in memory is ``data`` and one entry. Raises Unreadable (codes
    ``empty``, ``too_large``, ``encoding``, ``cut_json``, ``not_json``, ``too_deep``,
    ``unknown_format``, ``sarif_version``, ``wrong_type``) before the first entry.
    """
    data = _checked(data)
    raws: Iterator[tuple[str, bytes]]
    if data.startswith(b"["):
        items = _decode(data, list[msgspec.Raw])
        raws = ((f"[{place}]", bytes(item)) for place, item in enumerate(items))
        return _entries(raws, format_name or _format_of(items))
    try:
        top = _decode(data, dict[str, msgspec.Raw])
    except Unreadable:
        rows = data.splitlines()
        if len(rows) < 2 or not _is_object(rows[0]):
            raise
        raws = ((f"line {number}", row) for number, row in enumerate(rows, 1) if row.strip())
        return _entries(raws, format_name or _format_of(rows))
    if (format_name or _format_of([data])) == sarif.NAME:
        return sarif.read(top, _problem)
    return _entries(iter([("[0]", data)]), format_name or ocsf.NAME)


def _entries(raws: Iterator[tuple[str, bytes]], format_name: str) -> Iterator[Entry]:
    if format_name != ocsf.NAME:
        raise Unreadable(
            f"this is not {format_name}: a SARIF log is one object",
            code="wrong_type",
            fix="name the right --format, or none",
        )
    return (_entry(place, raw) for place, raw in raws)


def _entry(place: str, raw: bytes) -> Entry:
    try:
        content = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        problem = {"code": "not_json", "cause": f"not JSON: {error}", "fix": "have the tool write it anew"}
        return _problem(place, problem, raw)
    return ocsf.entry(place, content, _problem, raw)


def _problem(place: str, problem: Any, raw: bytes) -> Entry:
    text = raw.decode(errors="replace").replace("\0", "")
    return Entry(place=place, problem=dict(problem), text=cut(text, KEPT_TEXT))


def _checked(data: bytes) -> bytes:
    if len(data) > SIZE_LIMIT:
        raise Unreadable(
            f"larger than {SIZE_LIMIT // 1_048_576} MiB",
            code="too_large",
            fix="split it: one run or one day to a file",
        )
    data = data.removeprefix(b"\xef\xbb\xbf").strip()
    if not data:
        raise Unreadable("the file is empty", code="empty", fix="let the tool write its report again")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"not UTF-8 from byte {error.start} on", code="encoding", fix="have the tool write JSON as UTF-8"
        ) from error
    if data[:1] not in (b"{", b"["):
        raise Unreadable("this is not JSON", code="not_json", fix="give SARIF or OCSF as JSON")
    return _ESCAPE.sub(_whole, data) if _HALF.search(data) else data


def _whole(escape: re.Match[bytes]) -> bytes:
    """Half a character, as of an emoji that a tool cut in two, is no text: the sign for that instead."""
    return b"\\ufffd" if escape[1] else escape[0]


def _decode(data: bytes, wanted: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=wanted)
    except RecursionError as error:
        raise Unreadable("nested too deep", code="too_deep", fix="have the tool write it anew") from error
    except msgspec.ValidationError as error:
        raise Unreadable(str(error), code="wrong_type", fix="give SARIF or OCSF as JSON") from error
    except msgspec.DecodeError as error:
        cut_off = "truncated" in str(error)
        raise Unreadable(
            "the file ends in the middle" if cut_off else f"not JSON: {error}",
            code="cut_json" if cut_off else "not_json",
            fix="have the tool write it anew, or fetch it again in full",
            where=_place(data, str(error)),
        ) from error


def _place(data: bytes, message: str) -> str:
    told = _BYTE.search(message)
    at = int(told[1]) if told else len(data)
    before = data[:at]
    line, column = before.count(b"\n") + 1, at - before.rfind(b"\n")
    return f"line {line}, column {column}"


def _is_object(row: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(row), dict)
    except (msgspec.DecodeError, RecursionError):
        return False


def _format_of(raws: list[Any]) -> str:
    """The format, by the keys of the first object that is of any. Raises Unreadable."""
    if not raws:
        return ocsf.NAME  # an empty list: no finding
    for raw in raws[:LOOKED_AT]:
        try:
            keys = msgspec.json.decode(bytes(raw), type=dict[str, msgspec.Raw]).keys()
        except (msgspec.DecodeError, RecursionError):
            continue
        if "runs" in keys:
            return sarif.NAME
        if keys & {"class_uid", "finding_info", "metadata"}:
            return ocsf.NAME
    raise Unreadable(
        "neither SARIF (runs) nor OCSF (class_uid, finding_info)",
        code="unknown_format",
        fix=f"give one of: {', '.join(NAMES)}",
    )
