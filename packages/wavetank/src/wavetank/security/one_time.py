"""Codes of an authenticator app, for people who have paired one, in the UI and for integrations.

ServiceNow docs: "Multi-factor authentication", the property glide.authenticate.multifactor.for_integrations.
A code is six digits for each half minute (RFC 6238, SHA-1), and the codes of the neighbouring halves count.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from wavetank.instance import Instance

TABLE = "user_multifactor_auth"
ON = "glide.authenticate.multifactor"
FOR_INTEGRATIONS = "glide.authenticate.multifactor.for_integrations"
DIGITS, STEP = 6, 30
# What a REST call hears that had the password right and the code missing or wrong.
CHALLENGE = {"X-MFA_TOKEN": "invalid"}


def code(secret: str, seconds: float) -> str:
    """The code of a base32 secret at a moment. Raises ValueError for a secret that is not base32."""
    plain = secret.replace(" ", "").upper()
    try:
        key = base64.b32decode(plain + "=" * (-len(plain) % 8))
    except binascii.Error as wrong:
        raise ValueError("the secret is not base32") from wrong
    digest = hmac.digest(key, struct.pack(">Q", int(seconds) // STEP), "sha1")
    start = digest[-1] & 15
    number: int = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


_paired: WeakKeyDictionary[Instance, tuple[int, frozenset[str]]] = WeakKeyDictionary()


def enrolled(instance: Instance, user: str) -> bool:
    """Whether a user (a sys_id) has paired an authenticator."""
    return user in paired(instance) and bool(_secrets(instance, user))


def paired(instance: Instance) -> frozenset[str]:
    """The users (sys_ids) with a record of an authenticator; read again only after one was written."""
    if instance.dictionary.table(TABLE) is None:
        return frozenset()
    revision = instance.database.revision(TABLE)
    known = _paired.get(instance)
    if known is None or known[0] != revision:
        known = (revision, frozenset(row["user"] for row in instance.database.find(TABLE)))
        _paired[instance] = known
    return known[1]


def asked_of_integrations(instance: Instance) -> bool:
    """Whether API calls with a password need a code too."""
    return instance.property(ON, "true") == "true" and instance.property(FOR_INTEGRATIONS, "false") == "true"


def good(instance: Instance, user: str, given: str) -> bool:
    """Whether it is a code of the user's, of this half minute or one of its neighbours."""
    now = instance.clock.seconds()
    secrets = _secrets(instance, user) if user in paired(instance) else []
    known = (code(each, now + step) for each in secrets for step in (-STEP, 0, STEP))
    return any(hmac.compare_digest(given.encode(), each.encode()) for each in known)


def parted(password: str) -> tuple[str, str]:
    """What was typed as a password: password and code behind it; "" for the code when there is none."""
    head, tail = password[:-DIGITS], password[-DIGITS:]
    return (head, tail) if head and len(tail) == DIGITS and tail.isdecimal() else (password, "")


def _secrets(instance: Instance, user: str) -> list[str]:
    rows = instance.database.find(TABLE, user=user, validated="true")
    found = (instance.seal.open(row["multifactor_secret"]) for row in rows)
    return [secret for secret in found if _readable(secret)]


def _readable(secret: str) -> bool:
    try:
        return bool(secret) and bool(code(secret, 0))
    except ValueError:
        return False
