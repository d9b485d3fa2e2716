"""Requests signed with a shared secret: HMAC authentication.

ServiceNow docs: "Configure HMAC"; the header's form, `KEYID=…,SIGNATURE=…`, is the one public clients send:
the base64 of the HMAC over the request's body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change
    from wavetank.instance import Instance

TABLE = "hmac_secret"
ALGORITHMS = {"HmacSHA256": "sha256", "HmacSHA384": "sha384", "HmacSHA512": "sha512"}
_SAID = re.compile(
    r"\s*KEYID\s*=\s*(?P<key>[^,]*?)\s*,\s*SIGNATURE\s*=\s*(?P<signature>\S+)\s*", re.IGNORECASE
)


def read(said: str, default_key: str) -> tuple[str, str]:
    """Key id and signature of what a request carries; one without a key id is of the profile's default."""
    found = _SAID.fullmatch(said)
    if found is not None:
        return found["key"], found["signature"]
    return default_key, re.sub(r"^\s*SIGNATURE\s*=\s*", "", said, flags=re.IGNORECASE).strip()


def find(instance: Instance, key_id: str) -> Mapping[str, str] | None:
    """The row of the secret with this key id, whatever its state."""
    if not key_id or instance.plugins.table(TABLE) is None:
        return None
    return instance.database.first(TABLE, key_id=key_id)


def good(
    instance: Instance, key_id: str, signature: str, body: bytes, algorithm: str
) -> Mapping[str, str] | None:
    """The row of the secret that signed a body, if it is active and not over."""
    row = find(instance, key_id)
    if row is None or row["active"] != "true" or algorithm not in ALGORITHMS:
        return None
    if row["expires"] and row["expires"] <= instance.clock.text():
        return None
    wanted = sign(instance.seal.open(row["shared_secret"]), body, algorithm)
    return row if hmac.compare_digest(wanted.encode(), signature.encode()) else None


def sign(secret: str, body: bytes, algorithm: str = "HmacSHA256") -> str:
    """The signature of a body, as a caller computes it."""
    digest = hmac.digest(secret.encode(), body, getattr(hashlib, ALGORITHMS[algorithm]))
    return base64.b64encode(digest).decode()


def identify(change: Change) -> None:
    """The platform makes the key id of a new secret and keeps it, whatever a caller writes."""
    insert = change.operation == "insert"
    change.row["key_id"] = change.instance.ids.hex(16) if insert else change.before("key_id")
