"""The rows of other ways of signing in and of gates: plugins, properties, what HMAC comes with."""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.writing import Rows, properties
from wavetank.security import addresses, certificates, keys, one_time, plugins, policies, public, signatures

_PLUGINS = {
    plugins.IP_RANGES: "IP Range Based Authentication",
    plugins.CERTIFICATES: "Certificate-based authentication",
}
_PROPERTIES = {
    one_time.ON: "true",
    one_time.FOR_INTEGRATIONS: "false",
    certificates.ON: "true",
    addresses.STRICT: "false",
    policies.FIRST_ONLY: "true",
    public.REQUIRED: "true",
    public.REQUIRED_JSONV2: "true",
    keys.CLEANUP: "true",
    keys.KEPT: "7",
    keys.SECRETS_KEPT: "7",
}
_SIGNATURE = "x-sn-hmac-signature-256"


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sys_plugins", _plugins()
    yield "sys_properties", properties(_PROPERTIES)
    yield "sys_token_auth_parameter", _parameters()
    yield "hmac_config", _configurations()


def _plugins() -> Rows:
    for source, name in _PLUGINS.items():
        yield {**plugins.shipped(source, name), "active": "active"}


def _parameters() -> Rows:
    for kind in ("auth_header", policies.QUERY):
        sys_id = sys_id_for("sys_token_auth_parameter", _SIGNATURE, kind)
        yield {"sys_id": sys_id, "parameter_name": _SIGNATURE, "type": kind}


def _configurations() -> Rows:
    name = "Default HMAC SHA256 Base64 Encoding"
    algorithm = next(iter(signatures.ALGORITHMS))
    yield {"sys_id": sys_id_for("hmac_config", name), "name": name, "hash_algorithm": algorithm}
