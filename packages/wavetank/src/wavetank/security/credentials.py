"""What a request presents to prove who is asking, before anything is believed."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

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


def of_address(query: str) -> tuple[Presented, str]:
    """The OAuth token in the query of an address, which is the older way to send it, and the query without.

    ServiceNow docs: Use OAuth tokens with the REST API.
    """
    if "access_token=" not in query:
        return NOTHING, query
    parts = [part.partition("=") for part in query.split("&")]
    said = next((value for name, _, value in parts if name == "access_token"), "")
    left = "&".join("".join(part) for part in parts if part[0] != "access_token")
    return (Presented("bearer", "", unquote(said)) if said else NOTHING), left


def _basic(encoded: bytes) -> Presented:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return NOTHING
    user, colon, password = text.partition(":")
    return Presented("basic", user, password) if colon else NOTHING
