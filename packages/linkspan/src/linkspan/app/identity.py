"""Numbers of records that are derived from names, so that the same thing built twice is the same record."""

from __future__ import annotations

import hashlib

_BITS_32 = 0xFFFFFFFF


def sys_id(*names: str) -> str:
    """32 hexadecimal digits that stand for these names, in this order."""
    return hashlib.sha256("\x1f".join(("linkspan", *names)).encode()).hexdigest()[:32]


def payload_hash(text: str) -> int:
    """Java's ``String.hashCode``: over UTF-16 code units, as a signed number of 32 bits.

    An update carries it for its payload (measured on developer instances' exports).
    """
    units = text.encode("utf-16-be", "surrogatepass")
    total = 0
    for high, low in zip(units[::2], units[1::2], strict=True):
        total = (31 * total + (high << 8 | low)) & _BITS_32
    return total - (1 << 32) if total >> 31 else total
