"""Signed deliveries: Standard Webhooks, whose headers may also be named svix-*."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from linkspan.core.secret import Secret

PARTS = ("id", "timestamp", "signature")
LONGEST_ID = 256
_SIGNATURE = re.compile(r"v1,[A-Za-z0-9+/]{43}=\Z")  # a SHA-256 in base64


class Unsigned(Exception):
    """No secret of ours signed this body within the last minutes. Says no more, on purpose."""


def verified(secrets: Sequence[Secret], headers: Mapping[str, str], body: bytes) -> str:
    """The id of a delivery that one of ``secrets`` signed. Raises Unsigned.

    Several secrets are good at once, so that they can be exchanged without losing a delivery. A
    delivery older or newer than five minutes is refused (Standard Webhooks: verifying the timestamp).
    """
    given = {
        f"webhook-{part}": headers.get(f"webhook-{part}") or headers.get(f"svix-{part}") or ""
        for part in PARTS
    }
    # The library gives up at the first entry that is no signature, though a good one may follow.
    entries = given["webhook-signature"].split(" ")
    given["webhook-signature"] = " ".join(entry for entry in entries if _SIGNATURE.match(entry))
    message = given["webhook-id"]
    if not message or len(message) > LONGEST_ID:
        raise Unsigned
    signed = [secret for secret in secrets if _signed(secret, given, body)]
    if not signed:
        raise Unsigned
    return message


def _signed(secret: Secret, headers: dict[str, str], body: bytes) -> bool:
    try:
        Webhook(secret.reveal()).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, EmptyWebhookSecretError):
        return False
    except (ValueError, binascii.Error, UnicodeError):
        return False  # the header is not what the scheme writes, or the body is not text
    return True
