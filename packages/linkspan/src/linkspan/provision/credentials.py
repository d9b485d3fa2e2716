"""The credential of one account on one instance: made here, stored before it is sent, proven by a login.

Every instance has a secret of its own, named ``INSTANCE/ACCOUNT/SCHEME`` in the secret store. For
basic it is the password, for an API key its token; for OAuth a JSON object of the parts that the scheme
needs.
"""

from __future__ import annotations

import hashlib
import json
import secrets as randomness
import string
from dataclasses import dataclass
from typing import Protocol

from linkspan.core.errors import ConfigError, SecretUnavailable


@dataclass(frozen=True)
class _Scheme:
    """The parts of a credential, those made here, and the one that plain text stands for.

    A part that is neither made here nor told by the instance is ``given`` by a person; ``consented``, when a
    browser brings it.
    """

    parts: tuple[str, ...]
    made: tuple[str, ...]
    main: str
    given: bool = False
    consented: bool = False


_SCHEMES = {
    "basic": _Scheme(("password",), ("password",), "password"),
    "api_key": _Scheme(("token",), (), "token", given=True),
    "oauth_password": _Scheme(
        ("password", "client_id", "client_secret"), ("password", "client_secret"), "password"
    ),
    "oauth_client": _Scheme(("client_id", "client_secret"), ("client_secret",), "client_secret"),
    "oauth_code": _Scheme(
        ("client_id", "client_secret", "refresh_token"), ("client_secret",), "refresh_token", consented=True
    ),
}
SCHEMES = tuple(_SCHEMES)
PASSWORD_SCHEMES = tuple(name for name, one in _SCHEMES.items() if "password" in one.parts)
OAUTH_SCHEMES = tuple(name for name, one in _SCHEMES.items() if "client_id" in one.parts)
_LENGTH = 32
_ALPHABET = string.ascii_letters + string.digits + "-_."


class Secrets(Protocol):
    """The part of the secret store used here."""

    def get(self, name: str) -> str | None:
        """The confirmed value, or the pending one when none is confirmed."""

    def newest(self, name: str) -> str | None:
        """The value put last, confirmed or not."""

    def is_pending(self, name: str) -> bool:
        """Whether a value waits to be proven by a login."""

    def put(self, name: str, value: str, *, pending: bool) -> None:
        """Keep the value durably before returning; a pending one beside the confirmed one."""

    def confirm(self, name: str) -> None:
        """The pending value has been proven by a login."""


def require_scheme(scheme: str, *, where: str = "") -> None:
    """Raise ConfigError for a scheme this release does not set up."""
    if scheme not in SCHEMES:
        raise ConfigError(
            f"scheme {scheme} is not built yet", fix=f"use one of: {', '.join(SCHEMES)}", where=where
        )


def generate() -> str:
    """A new secret: 32 characters, at least one of each class that password rules ask for."""
    while True:
        text = "".join(randomness.choice(_ALPHABET) for _ in range(_LENGTH))
        if (
            any(c.islower() for c in text)
            and any(c.isupper() for c in text)
            and any(c.isdigit() for c in text)
            and any(c in "-_." for c in text)
            and text[0].isalpha()
        ):
            return text


def secret_name(instance: str, account: str, scheme: str) -> str:
    """The name of the main secret in the store."""
    return f"{instance}/{account}/{scheme}"


class Credentials:
    """The credential of one account on one instance."""

    def __init__(self, store: Secrets, *, instance: str, account: str, scheme: str) -> None:
        self._store = store
        self.scheme = scheme
        self.name = secret_name(instance, account, scheme)

    @property
    def state(self) -> str:
        """``absent``, ``pending`` (sent or not, never proven) or ``confirmed``."""
        parts = self._parts()
        if not parts:
            return "absent"
        complete = all(parts.get(name) for name in _SCHEMES[self.scheme].parts)
        return "confirmed" if complete and not self._store.is_pending(self.name) else "pending"

    @property
    def uses_password(self) -> bool:
        """Whether the user record has a password."""
        return self.scheme in PASSWORD_SCHEMES

    @property
    def uses_client(self) -> bool:
        """Whether an OAuth application is needed."""
        return self.scheme in OAUTH_SCHEMES

    @property
    def is_given(self) -> bool:
        """Whether the instance makes the secret and only a person can read it there."""
        return _SCHEMES[self.scheme].given

    @property
    def is_pending(self) -> bool:
        """Whether a secret waits to be proven, beside one that is."""
        return self._store.is_pending(self.name)

    def give(self, secret: str) -> None:
        """Keep what a person gave as pending, beside what is confirmed."""
        self._keep({_SCHEMES[self.scheme].main: secret})

    @property
    def is_consented(self) -> bool:
        """Whether a person allows it in a browser."""
        return _SCHEMES[self.scheme].consented

    @property
    def has_consent(self) -> bool:
        """Whether a person allowed it, as far as we know."""
        return bool(self._parts().get("refresh_token"))

    def consent(self, refresh_token: str) -> None:
        """Keep what a person's consent gave, which a login has proven already."""
        self._keep({**self._parts(), "refresh_token": refresh_token})
        self.confirm()

    def replace_refresh_token(self, refresh_token: str) -> None:
        """Keep the refresh token that the instance gave in the place of the last one."""
        pending = self._parts() if self._store.is_pending(self.name) else None
        keep_refresh_token(self._store, self.name, refresh_token)
        if pending is not None:
            self._keep({**pending, "refresh_token": refresh_token})

    def refresh_token(self) -> str:
        """The refresh token kept by now; empty when there is none."""
        return read_parts(self.scheme, self._store.get(self.name) or "").get("refresh_token", "")

    def prepare(self) -> None:
        """Make what is missing and store it as pending. What exists stays."""
        parts = self._parts()
        made = {name: generate() for name in _SCHEMES[self.scheme].made if not parts.get(name)}
        if made:
            self._keep({**parts, **made})

    def password(self) -> str:
        """The password of the user; made and stored as pending if there is none."""
        self.prepare()
        return self._parts()["password"]

    @property
    def fingerprint(self) -> str:
        """Stands for the password or the token without giving it away; empty when there is none.

        Slow to compute on purpose: a password that a person chose could be guessed from a fast one.
        """
        parts = self._parts()
        return self.fingerprint_of(parts.get("password") or parts.get("token") or "")

    def fingerprint_of(self, secret: str) -> str:
        """The fingerprint it would have with this password or token; empty for an empty one."""
        if not secret:
            return ""
        return hashlib.scrypt(secret.encode(), salt=self.name.encode(), n=4096, r=8, p=1, dklen=12).hex()

    def client_secret(self) -> str:
        """The secret of the OAuth application; made and stored as pending if there is none."""
        self.prepare()
        return self._parts()["client_secret"]

    @property
    def client_id(self) -> str:
        """The id of the OAuth application as we know it; empty when unknown."""
        return self._parts().get("client_id", "")

    def remember_client_id(self, client_id: str) -> None:
        """Keep the id the instance gave to the OAuth application; a consent given to another one is over."""
        parts = self._parts()
        known = parts.get("client_id", "")
        if known and known != client_id:
            parts.pop("refresh_token", None)
        if known != client_id:
            self._keep({**parts, "client_id": client_id})

    def parts(self) -> dict[str, str]:
        """What a login with the scheme needs, by name; what is pending goes before what is confirmed.

        Raises SecretUnavailable when something is missing.
        """
        return self._complete(self._parts())

    def proven_parts(self) -> dict[str, str]:
        """The same, what is confirmed going first: what a running program signs in with."""
        return self._complete(read_parts(self.scheme, self._store.get(self.name) or ""))

    def confirm(self) -> None:
        """A login with it succeeded."""
        if self._store.is_pending(self.name):
            self._store.confirm(self.name)

    def _complete(self, parts: dict[str, str]) -> dict[str, str]:
        missing = [name for name in _SCHEMES[self.scheme].parts if not parts.get(name)]
        if missing:
            raise SecretUnavailable(
                f"store:{self.name} holds no {missing[0].replace('_', ' ')}",
                fix="run `linkspan apply`; it says how to get it"
                if self.is_given or self.is_consented
                else "run `linkspan apply`; it makes the credential",
                where=f"store:{self.name}",
            )
        return parts

    def _parts(self) -> dict[str, str]:
        return read_parts(self.scheme, self._store.newest(self.name) or "")

    def _keep(self, parts: dict[str, str]) -> None:
        (main, *others) = _SCHEMES[self.scheme].parts
        text = json.dumps(parts, sort_keys=True) if others else parts[main]
        self._store.put(self.name, text, pending=True)


def keep_refresh_token(store: Secrets, name: str, refresh_token: str) -> None:
    """Put this refresh token in the place of the one a confirmed secret holds, alone or among its parts."""
    text = store.get(name) or ""
    if text.startswith("{"):
        text = json.dumps({**json.loads(text), "refresh_token": refresh_token}, sort_keys=True)
    else:
        text = refresh_token
    store.put(name, text, pending=False)


def read_parts(scheme: str, text: str) -> dict[str, str]:
    """The parts in a stored secret. Plain text is the password, the token, or the client secret."""
    if not text:
        return {}
    known = _SCHEMES[scheme]
    if len(known.parts) > 1 and text.startswith("{"):
        found = json.loads(text)
        return {str(name): str(value) for name, value in found.items()}
    return {known.main: text}
