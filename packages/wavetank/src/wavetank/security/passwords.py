"""Passwords as they are kept: salted and hashed, never readable; and secrets that only code reads back.

A password that was written without the display value switch is stored as typed. It is then no hash, so
no password ever matches it (measured on developer instances: such an account can never log in).
"""

import base64
import functools
import hashlib
import hmac
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded only when a secret is met: starting fast matters more
    from cryptography.fernet import Fernet

# A modest cost: some milliseconds, once per account and process (see the cache of `Passwords`).
COST = {"n": 1 << 11, "r": 8, "p": 1}
PREFIX = "{scrypt}"
MARK = "{sealed}"


def hash_password(text: str) -> str:
    """What a password field holds for a password: about 75 characters."""
    salt = os.urandom(12)
    return PREFIX + _text(salt) + "$" + _text(_digest(text, salt))


def is_hashed(stored: str) -> bool:
    return stored.startswith(PREFIX)


def matches(stored: str, given: str) -> bool:
    """Whether a password is the stored one. Costs some milliseconds."""
    if not is_hashed(stored):
        return False
    salt, _, wanted = stored.removeprefix(PREFIX).partition("$")
    return hmac.compare_digest(_text(_digest(given, base64.b64decode(salt))), wanted)


class Passwords:
    """`matches`, remembered: the same right password costs microseconds the second time.

    Only right answers are kept, as keyed digests that mean nothing outside this process.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._right: set[bytes] = set()

    def match(self, stored: str, given: str) -> bool:
        seen = hashlib.blake2b(f"{stored}\0{given}".encode(), key=self._key, digest_size=16).digest()
        if seen in self._right:
            return True
        if not matches(stored, given):
            return False
        if len(self._right) > 10_000:
            self._right.clear()
        self._right.add(seen)
        return True


class Seal:
    """Two-way encryption of the `password2` fields: API callers see only the sealed text."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._open_again = functools.lru_cache(maxsize=1024)(self._decrypt)

    @staticmethod
    def new_key() -> bytes:
        return base64.urlsafe_b64encode(os.urandom(32))

    def seal(self, text: str) -> str:
        """The text as it is stored; an already sealed or empty one stays as it is."""
        if not text or text.startswith(MARK):
            return text
        return MARK + self._fernet().encrypt(text.encode()).decode()

    def open(self, stored: str) -> str:
        """The text behind a sealed one; a text that was never sealed is its own.

        Raises ValueError when it was sealed with another key.
        """
        return self._open_again(stored) if stored.startswith(MARK) else stored

    def _decrypt(self, stored: str) -> str:
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet().decrypt(stored.removeprefix(MARK).encode()).decode()
        except InvalidToken as unreadable:
            raise ValueError("sealed with another instance's key") from unreadable

    def _fernet(self) -> "Fernet":
        from cryptography.fernet import Fernet

        return Fernet(self._key)


def _digest(text: str, salt: bytes) -> bytes:
    return hashlib.scrypt(text.encode(), salt=salt, dklen=24, **COST)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
