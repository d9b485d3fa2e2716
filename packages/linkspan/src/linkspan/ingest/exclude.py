"""What shall not leave the instance, and what leaves only as a keyed hash.

An excluded field is not asked for, so it travels nowhere: not in an answer, a spool, the warehouse or a log.
A hashed field is replaced here, before the row is handed to anybody. Display values are never asked for, so
a hashed reference leaves no name behind.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from linkspan.core.errors import ConfigError
from linkspan.store.secrets import SecretStore

KEY_NAME = "ingest/hash-key"
NEEDED = frozenset({"sys_id", "sys_updated_on", "sys_mod_count", "sys_created_on"})


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """Fields that are left out and fields that are hashed. The same value has the same hash everywhere."""

    exclude: frozenset[str] = frozenset()
    hash: frozenset[str] = frozenset()
    key: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        for name in sorted(NEEDED & (self.exclude | self.hash)):
            raise ConfigError(f"{name} is needed to follow a table", fix="take it off exclude and hash")
        if self.hash and not self.key:
            raise ValueError("hashing needs a key")

    def apply(self, rows: Iterable[dict[str, str]], wanted: frozenset[str]) -> list[dict[str, str]]:
        """The rows with ``wanted`` fields only, hashed where that is asked for. Empty stays empty."""
        return [
            {
                name: self.digest(_plain(value)) if value and name in self.hash else _plain(value)
                for name, value in row.items()
                if name in wanted and name not in self.exclude
            }
            for row in rows
        ]

    def digest(self, value: str) -> str:
        """HMAC-SHA-256 of a value under the home's key, in hexadecimal."""
        return hmac.digest(self.key, value.encode(), "sha256").hex()


def _plain(value: object) -> str:
    """A reference may come as an object, although it was asked for without its link."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return str(value.get("value") or "")
    return "" if value is None else str(value)


def exclusion(exclude: Sequence[str], hashed: Sequence[str], store: SecretStore) -> Exclusion:
    """An exclusion with this home's key, which is made when it is first needed. Raises SecretUnavailable."""
    both = sorted(set(exclude) & set(hashed))
    if both:
        raise ConfigError(f"{both[0]} is both excluded and hashed", fix="choose one of them")
    key = _key(store) if hashed else b""
    return Exclusion(exclude=frozenset(exclude), hash=frozenset(hashed), key=key)


def _key(store: SecretStore) -> bytes:
    found = store.get(KEY_NAME)
    if found is None:
        store.put(KEY_NAME, secrets.token_hex(32))
        found = store.get(KEY_NAME)
    assert found is not None
    return bytes.fromhex(found)
