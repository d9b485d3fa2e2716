"""OAuth tokens an instance has issued: in memory whole, in oauth_credential only as digests.

The platform answers a repeated request with the token that is still running, with what is left of its
life (ServiceNow docs: OAuth API request parameters). A restarted instance still knows its tokens by
their digests but cannot show them again, so it then issues new ones. A token that is over stays on record
until a job cleans up (ServiceNow docs: Manage OAuth tokens).
"""

import hashlib
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wavetank.clock import parse, text_of
from wavetank.database.dictionary import PASSWORDS
from wavetank.security.assertions import Assertions
from wavetank.security.signing import Signing

if TYPE_CHECKING:
    from wavetank.instance import Instance

Kind = Literal["access", "refresh"]
TABLE = "oauth_credential"
ACTIVE = "com.snc.platform.security.oauth.is.active"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: whose it is, which client asked, by which scheme, until when (seconds since 1970).

    `row` is its record, `scope` what it was issued for.
    """

    kind: Kind
    user: str
    user_name: str
    client: str
    scheme: str
    expires: float
    row: str
    scope: str = ""


class Tokens:
    """All tokens of one instance."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._known: dict[str, Token] = {}
        self._current: dict[tuple[str, ...], str] = {}
        self._revision = -1
        self._recorded: dict[str, float] = {}
        self.signing = Signing(instance)
        self.assertions = Assertions(instance)
        self.reload()

    @property
    def on(self) -> bool:
        """Whether the instance takes part in OAuth at all; while it does not, no token counts."""
        return self._instance.property(ACTIVE, "true") == "true"

    def reload(self) -> None:
        """Reads the issued tokens back, after a start or a restore."""
        self._known.clear()
        self._current.clear()
        self.assertions.clear()
        if self._instance.dictionary.table(TABLE) is None:
            return
        for row in self._instance.database.find(TABLE):
            self._read(row)

    def issue(
        self,
        kind: Kind,
        user: Mapping[str, str],
        client: Mapping[str, str],
        scheme: str,
        seconds: int,
        scope: str = "",
    ) -> tuple[str, int]:
        """The running token of this user, client and scheme, or a new one; and its remaining seconds."""
        signed = kind == "access" and client["token_format"] == "jwt"  # noqa: S105  a format
        key = (kind, user["sys_id"], client["sys_id"], scheme, scope, "jwt" if signed else "opaque")
        running = self._current.get(key)
        token = self.find(running) if running else None
        if running is None or token is None:
            expires = self._instance.clock.seconds() + seconds
            claims = self._claims(user, client, scope, expires)
            running = self.signing.sign(claims) if signed else secrets.token_urlsafe(64)
            token = self._keep(running, kind, user, client, scheme, expires, scope)
            self._current[key] = running
        # The first answer already says one second less than the lifespan (measured: 1799 of 1800).
        return running, max(0, int(token.expires - self._instance.clock.seconds() - 0.001))

    def find(self, secret: str) -> Token | None:
        """The token, unless it is unknown, revoked or expired, or its record was deleted."""
        token = self._known.get(_digest(secret)) if secret else None
        now = self._instance.clock.seconds()
        return token if token is not None and min(token.expires, self._until(token.row)) > now else None

    def runs(self, row: str) -> bool:
        """Whether the token of a record (its sys_id) still counts."""
        return self._until(row) > self._instance.clock.seconds()

    def revoke(self, secret: str) -> bool:
        """Ends a token at once, on its record too; says whether it was known."""
        token = self.find(secret)
        if token is None:
            return False
        ended = {"expires": self._instance.clock.text()}
        self._instance.database.update(TABLE, token.row, ended, system=False)
        self._known.pop(_digest(secret), None)
        return True

    def clean(self) -> int:
        """Deletes the records of tokens that are over; says how many."""
        if self._instance.dictionary.table(TABLE) is None:
            return 0
        now = self._instance.clock.text()
        over = self._instance.database.select(TABLE, f"expires<={now}", columns=("sys_id",))
        for row in over:
            self._instance.database.delete(TABLE, row["sys_id"])
        gone = {row["sys_id"] for row in over}
        self._known = {digest: token for digest, token in self._known.items() if token.row not in gone}
        return len(over)

    def _until(self, row: str) -> float:
        """Until when a record lets its token run, read again only after a record was written or deleted."""
        revision = self._instance.database.revision(TABLE)
        if revision != self._revision:
            self._revision = revision
            self._recorded.clear()
        if row not in self._recorded:
            found = self._instance.database.get(TABLE, row)
            self._recorded[row] = parse(found["expires"]).timestamp() if found and found["expires"] else 0.0
        return self._recorded[row]

    def _claims(
        self, user: Mapping[str, str], client: Mapping[str, str], scope: str, expires: float
    ) -> dict[str, object]:
        """What a signed token says; the subject is the field of the user that the client names."""
        instance = self._instance
        named = instance.database.known("sys_user").fields.get(client["sub_claim"])
        shown = named.name if named is not None and named.type not in PASSWORDS else "sys_id"
        return {
            "iss": instance.url or f"https://{instance.name}.service-now.com",
            "sub": user.get(shown) or user["sys_id"],
            "aud": client["client_id"],
            "iat": int(instance.clock.seconds()),
            "exp": int(expires),
            "jti": instance.ids.hex(32),
            "scope": scope or "useraccount",
        }

    def _keep(
        self,
        secret: str,
        kind: Kind,
        user: Mapping[str, str],
        client: Mapping[str, str],
        scheme: str,
        expires: float,
        scope: str,
    ) -> Token:
        row = self._instance.database.insert(
            TABLE,
            {
                "name": scheme,
                "token_hash": _digest(secret),
                "type": f"{kind}_token",
                "user": user["sys_id"],
                "peer": client["sys_id"],
                "token_received": self._instance.clock.text(),
                # Whole seconds; the token itself runs to the fraction it was issued at.
                "expires": text_of(math.ceil(expires)),
                "scope": scope,
            },
        )
        token = Token(
            kind, user["sys_id"], user["user_name"], client["sys_id"], scheme, expires, row["sys_id"], scope
        )
        self._known[_digest(secret)] = token
        return token

    def _read(self, row: Mapping[str, str]) -> None:
        user = self._instance.database.get("sys_user", row["user"])
        if user is None or not row["expires"]:
            return
        expires = parse(row["expires"]).timestamp()
        kind: Kind = "refresh" if row["type"] == "refresh_token" else "access"
        self._known[row["token_hash"]] = Token(
            kind,
            row["user"],
            user["user_name"],
            row["peer"],
            row["name"],
            expires,
            row["sys_id"],
            row["scope"],
        )


def _digest(secret: str) -> str:
    """Tokens are long and random: a plain digest is as good as a slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()
