"""API keys: made by the platform, kept sealed, looked up by digest.

The token of a key is chosen by the platform and can be read in clear only by a person in the form; the
REST API shows it sealed (measured on developer instances).
"""

import hashlib
import logging
import secrets
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from wavetank.clock import FORMAT
from wavetank.security import plugins, signatures
from wavetank.security.remembered import Remembered

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change
    from wavetank.instance import Instance

TABLE = "api_key"
PREFIX = "now_"
# What the daily job deletes, and how many days after (ServiceNow docs: Cleaning up token expiry; the
# names are printed so).
CLEANUP = "com.snc.platform.security.token.auth.cleanup"
KEPT = "com.snc.platfrom.security.token.auth.days.expired.api_key.is.kept"
SECRETS_KEPT = "com.snc.platfrom.security.token.auth.days.expired.hmac_key.is.kept"
_DAYS = 7

log = logging.getLogger("wavetank.keys")


class Keys:
    """The API keys of one instance, read again only after one was written."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._known = Remembered(instance, (TABLE,), lambda: dict(self._read()))

    def find(self, secret: str) -> Mapping[str, str] | None:
        """The row of the key, whatever its state; None for a key nobody has."""
        if not self._instance.plugins.active(plugins.API_KEYS):
            return None
        return self._known.now().get(_digest(secret))

    def good(self, secret: str) -> Mapping[str, str] | None:
        """The row of the key if it is active and not over."""
        key = self.find(secret)
        if key is None or key["active"] != "true":
            return None
        over = key["expires"] and key["expires"] <= self._instance.clock.text()
        return None if over else key

    def _read(self) -> Iterator[tuple[bytes, Mapping[str, str]]]:
        for row in self._instance.database.find(TABLE):
            try:
                token = self._instance.seal.open(row["token"])
            except ValueError as unreadable:
                log.info("The API key %s cannot be used: %s", row["name"], unreadable)
                continue
            if token:
                yield _digest(token), row


def generate(change: "Change") -> None:
    """The platform makes the token of a new key and keeps it, whatever a caller writes."""
    if change.operation == "insert":
        change.row["token"] = change.instance.seal.seal(PREFIX + secrets.token_urlsafe(48))
    else:
        change.row["token"] = change.before("token")


def clean(instance: "Instance") -> None:
    """Deletes the keys and HMAC secrets that have been over for some days."""
    if instance.property(CLEANUP, "true") != "true":
        return
    for table, kept in ((TABLE, KEPT), (signatures.TABLE, SECRETS_KEPT)):
        if instance.dictionary.table(table) is None:
            continue
        days = min(instance.number(kept, _DAYS), 10**5)
        since = (instance.clock.now() - timedelta(days=days)).strftime(FORMAT)
        for row in instance.database.find(table):
            if row["expires"] and row["expires"] < since:
                instance.database.delete(table, row["sys_id"])


def _digest(secret: str) -> bytes:
    """Tokens are long and random: a plain digest is as good as a slow one."""
    return hashlib.sha256(secret.encode()).digest()
