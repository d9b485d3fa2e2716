"""Authorization codes: given out after a person's consent, good for one exchange, soon over.

They live in memory: a restart ends them, as the platform's own short life would.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavetank.instance import Instance


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person consented to: sys_ids of user and client, the redirect URI and challenge as asked.

    `expires` in seconds since 1970; an empty `challenge` is a request without PKCE; `scope` is what the
    tokens will be for.
    """

    user: str
    client: str
    redirect_uri: str
    challenge: str
    expires: float
    scope: str = ""

    def verified_by(self, verifier: str) -> bool:
        """Whether a code verifier is the one behind the challenge (RFC 7636, S256)."""
        digest = hashlib.sha256(verifier.encode()).digest()
        shown = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return hmac.compare_digest(shown.encode(), self.challenge.encode())


class Codes:
    """The codes an instance has given out. The caller holds the instance's lock."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._open: dict[str, Grant] = {}

    def issue(self, user: str, client: str, redirect_uri: str, challenge: str, scope: str = "") -> str:
        """A new code for a consent of this moment."""
        now = self._instance.clock.seconds()
        self._open = {code: grant for code, grant in self._open.items() if grant.expires > now}
        expires = now + float(self._instance.settings.get("authorization_code_seconds"))
        code = secrets.token_urlsafe(48)
        self._open[code] = Grant(user, client, redirect_uri, challenge, expires, scope)
        return code

    def take(self, code: str) -> Grant | None:
        """What a code stands for; it is used up by that. None when it is unknown, used or over."""
        grant = self._open.pop(code, None)
        return grant if grant is not None and grant.expires > self._instance.clock.seconds() else None

    def clear(self) -> None:
        self._open.clear()
