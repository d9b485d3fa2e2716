"""Callers known by their client certificate.

ServiceNow docs: "Set up Certificate-based authentication". Each mapping of a certificate to a user has the
certificate attached as PEM; a request on a connection that proved it has the key runs as that user. Which
authorities a connection may name is the load balancer's matter: here, an option of the command.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wavetank.database.attachments import Reader
from wavetank.security import plugins
from wavetank.security.remembered import Remembered

if TYPE_CHECKING:
    from wavetank.instance import Instance

TABLE = "sys_user_certificate"
ON = "glide.authenticate.mutual.enabled"
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"

log = logging.getLogger("wavetank.certificates")


class Certificates:
    """Whose certificate is whose in one instance, read again only after a mapping or a file was written."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._users = Remembered(instance, (TABLE, "sys_attachment"), lambda: dict(self._read()))

    def user(self, certificate: bytes) -> str:
        """The sys_id of the user a certificate (DER) is mapped to; "" when there is none."""
        instance = self._instance
        if not certificate or instance.property(ON, "true") != "true":
            return ""
        if not instance.plugins.active(plugins.CERTIFICATES):
            return ""
        return self._users.now().get(fingerprint(certificate), "")

    def _read(self) -> Iterator[tuple[str, str]]:
        database = self._instance.database
        for mapping in database.find(TABLE, active="true"):
            for file in database.find("sys_attachment", table_name=TABLE, table_sys_id=mapping["sys_id"]):
                for each in certificates(self._content(file)):
                    yield fingerprint(each), mapping["user"]

    def _content(self, file: dict[str, str]) -> bytes:
        reader = Reader(self._instance.database, file["sys_id"], compressed=file["compressed"] == "true")
        return b"".join(part for piece in iter(reader.next_piece, b"") for part in reader.unpacked(piece))


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate (DER), in hex."""
    return hashlib.sha256(certificate).hexdigest()


def certificates(text: bytes) -> list[bytes]:
    """The certificates (DER) of a PEM text; what is none is passed over."""
    parts = text.decode("latin-1").split(_BEGIN)[1:]
    found = []
    for part in parts:
        try:
            found.append(ssl.PEM_cert_to_DER_cert(f"{_BEGIN}{part.partition(_END)[0]}{_END}"))
        except ValueError as wrong:
            log.info("An attached certificate cannot be read: %s", wrong)
    return found
