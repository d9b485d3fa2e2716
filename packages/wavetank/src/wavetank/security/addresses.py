"""Which addresses may reach the instance at all: the rules of IP Address Access Control.

ServiceNow docs: "IP address access control". An address is blocked where an active Deny rule for inbound
traffic holds it and no Allow rule does; a blocked caller never reaches the instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from wavetank.errors import operation_failed
from wavetank.security import plugins
from wavetank.security.remembered import Remembered

if TYPE_CHECKING:
    from wavetank.answers import Scope
    from wavetank.behaviour.change import Change
    from wavetank.database.store import Row
    from wavetank.instance import Instance

TABLE = "ip_access"
# ServiceNow docs: which ranges of ServiceNow's own may come in. There is nobody of theirs here.
STRICT = "glide.ip.authenticate.strict"
Address = IPv4Address | IPv6Address
_INBOUND = ("inbound", "bidirectional")


@dataclass(frozen=True, slots=True)
class Range:
    """All addresses between two of the same kind, both included."""

    first: Address
    last: Address

    def holds(self, address: Address) -> bool:
        kind = address.version
        if self.first.version != kind or self.last.version != kind:
            return False
        return int(self.first) <= int(address) <= int(self.last)


class Addresses:
    """The inbound rules of one instance, read again only after one was written."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._rules = Remembered(instance, (TABLE, "sys_plugins"), self._read)

    @property
    def guarded(self) -> bool:
        """Whether anybody is kept out."""
        return bool(self._rules.now().get("deny"))

    def admits(self, address: str) -> bool:
        """Whether requests from an address come in. One that is no address is not looked at."""
        rules = self._rules.now()
        caller = read(address)
        if caller is None or not any(each.holds(caller) for each in rules.get("deny", ())):
            return True
        return any(each.holds(caller) for each in rules.get("allow", ()))

    def _read(self) -> dict[str, tuple[Range, ...]]:
        instance = self._instance
        if not instance.plugins.active(plugins.IP_RANGES) or instance.dictionary.table(TABLE) is None:
            return {}
        rows = [row for row in instance.database.find(TABLE, active="true") if row["direction"] in _INBOUND]
        found = {kind: [_range(row) for row in rows if row["type"] == kind] for kind in ("allow", "deny")}
        return {kind: tuple(each for each in ranges if each) for kind, ranges in found.items()}


def caller(instance: Instance, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
    """The address a request comes from.

    Where the setting `forwarded_for` trusts it, the first address of X-Forwarded-For; else the
    connection's own.
    """
    if instance.settings.get("forwarded_for") == "trusted":
        said = headers.get(b"x-forwarded-for", b"").decode("latin-1").partition(",")[0].strip()
        if said:
            return said
    client = scope.get("client")
    return str(client[0]) if client else ""


def read(text: str) -> Address | None:
    """The address a text names; None for anything else, ranges like 10.0.0.0/8 and 10.* among it."""
    try:
        found = ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def sound(change: Change) -> None:
    """A rule names two whole addresses, no blocks (ServiceNow docs: IP address access control)."""
    if _range(change.row) is None:
        raise operation_failed("Range start and range end are IP addresses of one kind, in this order")


def _range(row: Row) -> Range | None:
    first, last = read(row["range_start"]), read(row["range_end"])
    if first is None or last is None or first.version != last.version or int(first) > int(last):
        return None
    return Range(first, last)
