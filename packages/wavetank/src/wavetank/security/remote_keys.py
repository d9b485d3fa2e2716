"""Public keys that applications publish as a JSON Web Key Set, kept for as long as their registry entry says.

ServiceNow docs: Configure an OAuth JSON web token bearer grant, "JWKS URL" and "JWKS cache lifespan". An
emulated instance calls nobody but this machine.
"""

import http.client
import ipaddress
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from wavetank.instance import Instance

LIFESPAN = 720  # minutes
SECONDS, BYTES = 5, 1024 * 1024
_PORTS = {"http": 80, "https": 443}


class Unreadable(Exception):
    """A key set that cannot be had; the text says why."""


class RemoteKeys:
    """The key sets an instance has fetched. The caller holds the instance's lock."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._known: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def clear(self) -> None:
        self._known.clear()

    def held(self, url: str, minutes: int) -> Mapping[str, Any] | None:
        """The keys of an address by their id, if they were fetched within so many minutes."""
        fetched, keys = self._known.get(url, (0.0, {}))
        young = self._instance.clock.seconds() - fetched < 60 * minutes
        return keys if url in self._known and young else None

    def keep(self, url: str, keys: Mapping[str, Any]) -> None:
        self._known[url] = (self._instance.clock.seconds(), keys)


def fetch(url: str) -> Mapping[str, Any]:
    """The keys an address on this machine publishes, by their id. Waits; raises Unreadable."""
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError) as wrong:
        raise Unreadable(f"{url!r} is no address of the web") from wrong
    host = parts.hostname or ""
    if not _is_here(host):
        raise Unreadable(f"{host!r} is not this machine, and wavetank calls no other")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    line = kind(host, port, timeout=SECONDS)
    try:
        line.request("GET", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")
        answer = line.getresponse()
        body = answer.read(BYTES + 1)
    except (OSError, http.client.HTTPException, UnicodeError) as failed:
        raise Unreadable(f"{url!r} does not answer: {failed}") from failed
    finally:
        line.close()
    if answer.status != 200 or len(body) > BYTES:
        raise Unreadable(f"{url!r} answers {answer.status}, {len(body)} bytes")
    return _keys(url, body)


def _keys(url: str, body: bytes) -> Mapping[str, Any]:
    import jwt

    try:
        found = jwt.PyJWKSet.from_dict(json.loads(body)).keys
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as wrong:
        raise Unreadable(f"{url!r} publishes no key set: {wrong}") from wrong
    return {str(key.key_id): key.key for key in found if key.key_type in ("RSA", "EC")}


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
