"""The XML of a retrieved update set, as "Import Update Set from XML" reads it.

Every update carries one whole record as a document of its own, in a CDATA section (ServiceNow docs: Save
an update set as an XML file; measured on developer instances' exports).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from linkspan.app.identity import payload_hash, sys_id

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_DO = 'action="INSERT_OR_UPDATE"'
# What XML 1.0 cannot hold at all, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A reference in a record; ``named`` writes the name as an attribute too, as exports do for roles."""

    sys_id: str
    display: str
    named: bool = False


Cell = str | Reference


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record to be inserted or updated. ``says`` is its kind in words, ``title`` what people call it."""

    table: str
    sys_id: str
    cells: Mapping[str, Cell]
    says: str
    title: str

    @property
    def update_name(self) -> str:
        """By what an instance knows that two updates are of the same record."""
        return f"{self.table}_{self.sys_id}"


@dataclass(frozen=True, kw_only=True)
class UpdateSet:
    """Records that are brought in together, in this order.

    ``moment`` (``YYYY-MM-DD HH:MM:SS``, UTC) is when it was built: a preview objects to an update that is
    older than the record it would change (ServiceNow docs: Preview problems).
    """

    name: str
    description: str
    moment: str
    records: tuple[Record, ...]

    @property
    def sys_id(self) -> str:
        """Of the set itself, once it is imported."""
        return sys_id("update set", self.name)

    def xml(self) -> str:
        """The file to import. Raises ValueError for text that XML cannot hold."""
        updates = "\n".join(self._update(record) for record in self.records)
        start = f"{_HEAD}\n<unload unload_date={quoteattr(self.moment)}>"
        return f"{start}\n{self._header()}\n{updates}\n</unload>\n"

    def _header(self) -> str:
        cells: dict[str, Cell] = {
            "application": Reference(sys_id="global", display="Global"),
            "application_name": "Global",
            "application_scope": "global",
            "description": self.description,
            "name": self.name,
            "remote_sys_id": sys_id("remote update set", self.name),
            "state": "loaded",
            "sys_class_name": "sys_remote_update_set",
            "sys_id": self.sys_id,
        }
        return _element("sys_remote_update_set", cells)

    def _update(self, record: Record) -> str:
        payload = _payload(record, self.moment)
        guid = sys_id("update", self.name, record.update_name, payload)
        digest = str(payload_hash(payload))
        cells: dict[str, Cell] = {
            "action": "INSERT_OR_UPDATE",
            "application": Reference(sys_id="global", display="Global"),
            "category": "customer",
            "name": record.update_name,
            "payload": payload,
            "payload_hash": digest,
            "remote_update_set": Reference(sys_id=self.sys_id, display=self.name),
            "replace_on_upgrade": "false",
            "sys_id": sys_id("update row", self.name, record.update_name),
            "sys_recorded_at": self.moment,
            "sys_updated_on": self.moment,
            "table": record.table,
            "target_name": record.title,
            "type": record.says,
            "update_domain": "global",
            "update_guid": guid,
            "update_guid_history": f"{guid}:{digest}",
        }
        return _element("sys_update_xml", cells)


def _payload(record: Record, moment: str) -> str:
    """The record as the document an update carries."""
    cells: dict[str, Cell] = {
        "sys_class_name": record.table,
        "sys_id": record.sys_id,
        "sys_name": record.title,
        "sys_policy": "",
        "sys_scope": Reference(sys_id="global", display="Global"),
        "sys_update_name": record.update_name,
        "sys_updated_on": moment,
        **record.cells,
    }
    inner = _element(record.table, cells)
    return f"{_HEAD}<record_update table={quoteattr(record.table)}>{inner}</record_update>"


def _element(name: str, cells: Mapping[str, Cell]) -> str:
    inner = "".join(_cell(field, value) for field, value in sorted(cells.items()))
    return f"<{name} {_DO}>{inner}</{name}>"


def _cell(name: str, value: Cell) -> str:
    if isinstance(value, Reference):
        attributes = f" display_value={quoteattr(_legal(value.display))}"
        if value.named:
            attributes += f" name={quoteattr(_legal(value.display))}"
        return f"<{name}{attributes}>{escape(_legal(value.sys_id))}</{name}>"
    if not value:
        return f"<{name}/>"
    if name == "payload":
        # The end of a CDATA section cannot stand inside one, so a payload is cut in two there.
        return f"<{name}><![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]></{name}>"
    return f"<{name}>{_text(value)}</{name}>"


def _text(value: str) -> str:
    """Text content; a carriage return is named, because a parser would make a line feed of it."""
    return escape(_legal(value), {"\r": "&#13;"})


def _legal(value: str) -> str:
    found = _FORBIDDEN.search(value)
    if found:
        raise ValueError(f"XML cannot hold the character U+{ord(found.group()):04X}")
    return value
