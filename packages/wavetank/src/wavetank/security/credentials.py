"""What a request presents to prove who is asking, before anything is believed."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Scheme = Literal["", "basic", "bearer", "api_key", "hmac", "certificate"]


@dataclass(frozen=True, slots=True)
class Presented:
    """`user` and `secret` of a Basic header; or a bearer token, or an API key, as `secret`.

    Of a signed request (hmac) `user` is the key's id, `secret` the signature, `signed` what it is over and
    `algorithm` how; of a certificate `user` is the sys_id of whom it is mapped to. The scheme "" is nothing
    usable.
    """

    scheme: Scheme = ""
    user: str = ""
    secret: str = ""
    signed: bytes = b""
    algorithm: str = ""


NOTHING = Presented()


def read(headers: Mapping[bytes, bytes]) -> Presented:
    """Reads the Authorization header; an unreadable one presents nothing."""
    scheme, _, rest = headers.get(b"authorization", b"").partition(b" ")
    match scheme.lower():
        case b"basic":
            return _basic(rest.strip())
        case b"bearer":
            return Presented("bearer", "", rest.strip().decode("latin-1"))
        case _:
            return NOTHING


def _basic(encoded: bytes) -> Presented:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return NOTHING
    user, colon, password = text.partition(":")
    return Presented("basic", user, password) if colon else NOTHING
