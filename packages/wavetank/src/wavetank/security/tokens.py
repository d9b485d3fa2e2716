"""OAuth tokens an instance has issued: in memory whole, in oauth_credential only as digests.

The platform answers a repeated request with the token that is still running, with what is left of its
life (ServiceNow docs: OAuth API request parameters). A restarted instance still knows its tokens by
their digests but cannot show them again, so it then issues new ones.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from wavetank.clock import FORMAT, parse

if TYPE_CHECKING:
    from wavetank.instance import Instance

Kind = Literal["access", "refresh"]
TABLE = "oauth_credential"
ACTIVE = "com.snc.platform.security.oauth.is.active"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: whose it is, which client asked, by which scheme, until when (seconds since 1970)."""

    kind: Kind
    user: str
    user_name: str
    client: str
    scheme: str
    expires: float
    row: str


class Tokens:
    """All tokens of one instance."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._known: dict[str, Token] = {}
        self._current: dict[tuple[Kind, str, str, str], str] = {}
        self._revision = -1
        self._recorded: set[str] = set()
        self.reload()

    @property
    def on(self) -> bool:
        """Whether the instance takes part in OAuth at all; while it does not, no token counts."""
        return self._instance.property(ACTIVE, "true") == "true"

    def reload(self) -> None:
        """Reads the issued tokens back, after a start or a restore."""
        self._known.clear()
        self._current.clear()
        if self._instance.dictionary.table(TABLE) is None:
            return
        for row in self._instance.database.find(TABLE):
            self._read(row)

    def issue(
        self, kind: Kind, user: Mapping[str, str], client: Mapping[str, str], scheme: str, seconds: int
    ) -> tuple[str, int]:
        """The running token of this user, client and scheme, or a new one; and its remaining seconds."""
        key = (kind, user["sys_id"], client["sys_id"], scheme)
        running = self._current.get(key)
        token = self.find(running) if running else None
        if running is None or token is None:
            running, token = self._new(kind, user, client, scheme, seconds)
            self._current[key] = running
        # The first answer already says one second less than the lifespan (measured: 1799 of 1800).
        return running, max(0, int(token.expires - self._instance.clock.seconds() - 0.001))

    def find(self, secret: str) -> Token | None:
        """The token, unless it is unknown, revoked or expired, or its record was deleted."""
        token = self._known.get(_digest(secret)) if secret else None
        if token is None or token.expires <= self._instance.clock.seconds():
            return None
        return token if self._is_recorded(token.row) else None

    def revoke(self, secret: str) -> bool:
        """Ends a token at once; says whether it was known."""
        token = self._known.pop(_digest(secret), None)
        if token is None:
            return False
        self._instance.database.delete(TABLE, token.row)
        return True

    def _is_recorded(self, row: str) -> bool:
        """Whether the record of a token is there, asked again only after one was written or deleted."""
        revision = self._instance.database.revision(TABLE)
        if revision != self._revision:
            self._revision = revision
            self._recorded.clear()
        if row not in self._recorded and self._instance.database.get(TABLE, row) is not None:
            self._recorded.add(row)
        return row in self._recorded

    def _new(
        self, kind: Kind, user: Mapping[str, str], client: Mapping[str, str], scheme: str, seconds: int
    ) -> tuple[str, Token]:
        secret = secrets.token_urlsafe(64)
        expires = self._instance.clock.now() + timedelta(seconds=seconds)
        row = self._instance.database.insert(
            TABLE,
            {
                "name": scheme,
                "token_hash": _digest(secret),
                "type": f"{kind}_token",
                "user": user["sys_id"],
                "peer": client["sys_id"],
                "token_received": self._instance.clock.text(),
                "expires": expires.strftime(FORMAT),
            },
        )
        token = Token(
            kind,
            user["sys_id"],
            user["user_name"],
            client["sys_id"],
            scheme,
            expires.timestamp(),
            row["sys_id"],
        )
        digest = _digest(secret)
        self._known[digest] = token
        self._instance.clock.at(expires, lambda: self._expire(digest))
        return secret, token

    def _read(self, row: Mapping[str, str]) -> None:
        user = self._instance.database.get("sys_user", row["user"])
        if user is None or not row["expires"]:
            return
        expires = parse(row["expires"])
        kind: Kind = "refresh" if row["type"] == "refresh_token" else "access"
        token = Token(
            kind, row["user"], user["user_name"], row["peer"], row["name"], expires.timestamp(), row["sys_id"]
        )
        digest = row["token_hash"]
        self._known[digest] = token
        self._instance.clock.at(expires, lambda: self._expire(digest))

    def _expire(self, digest: str) -> None:
        token = self._known.pop(digest, None)
        if token is not None:
            self._instance.database.delete(TABLE, token.row)


def _digest(secret: str) -> str:
    """Tokens are long and random: a plain digest is as good as a slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()
