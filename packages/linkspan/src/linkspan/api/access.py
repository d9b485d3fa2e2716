"""Who may talk to the hub: tokens, the cookie that stands for one, and the names it answers to."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

COOKIE = "linkspan"
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


class Access:
    """Accepts any of ``tokens``; answers only when addressed by one of ``names`` or a loopback name.

    A browser holds a value derived from a token, never the token itself. Names come without port.
    ``url`` is where people reach the hub when that is another address: its host counts as a name,
    and its pages as our own whatever name a proxy in between asks for.
    """

    def __init__(self, tokens: Iterable[str], names: Iterable[str] = (), *, url: str = "") -> None:
        self._tokens = tuple(token.encode() for token in tokens if token)
        if not self._tokens:
            raise ValueError("a hub needs at least one token")
        self._sessions = tuple(_session(token) for token in self._tokens)
        self._origin = url.lower()
        self._names = LOOPBACK_NAMES | {
            name.lower() for name in (*names, urlsplit(url).hostname or "") if name
        }

    def session_for(self, token: str) -> str | None:
        """The cookie value for this token, None when the token is not accepted."""
        return _session(token.encode()) if _among(token.encode(), self._tokens) else None

    def bearer_is_good(self, authorization: str) -> bool:
        """Whether an Authorization header carries an accepted token."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and _among(token.strip().encode(), self._tokens)

    def cookie_is_good(self, header: str) -> bool:
        """Whether a Cookie header carries a session made from an accepted token."""
        try:
            morsel = SimpleCookie(header).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and _among(morsel.value.encode(), [s.encode() for s in self._sessions])

    def host_is_good(self, host: str) -> bool:
        """Whether a Host header names this hub: a page elsewhere cannot rebind its name to us."""
        return _name_in(host) in self._names

    def origin_is_good(self, origin: str, host: str) -> bool:
        """Whether an Origin header names one of our own pages, ``host`` being the Host header."""
        return _is_same(origin, host) or bool(self._origin and origin.lower() == self._origin)


def _is_same(origin: str, host: str) -> bool:
    """Whether an Origin header names the very host and port that the request was sent to."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and parts.netloc.lower() == host.lower()


def _name_in(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _session(token: bytes) -> str:
    return hmac.new(token, b"linkspan browser session", hashlib.sha256).hexdigest()


def _among(candidate: bytes, accepted: Iterable[bytes]) -> bool:
    found = False
    for one in accepted:  # to the end, so that the time taken tells nothing
        found |= hmac.compare_digest(candidate, one)
    return found
