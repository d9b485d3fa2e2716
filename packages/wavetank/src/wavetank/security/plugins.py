"""Plugins that can be missing: what an instance does not have while one of them is not active.

`sys_plugins` says what is active. A table of a plugin that is not is no table to any caller: asking for
it is the documented way to find out (ServiceNow docs: Table API, "Invalid table").
"""

from typing import TYPE_CHECKING

from wavetank.database.shipped import sys_id_for
from wavetank.errors import operation_failed
from wavetank.releases import release
from wavetank.security.remembered import Remembered

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change
    from wavetank.database.dictionary import Table
    from wavetank.database.store import Database
    from wavetank.instance import Instance

POLICIES = "com.glide.rest.policy"
API_KEYS = "com.glide.tokenbased_auth"
API_KEYS_NAME = "API Key and HMAC Authentication"
IP_RANGES = "com.snc.ipauthenticator"
CERTIFICATES = "com.glide.auth.mutual"
# ServiceNow docs: Activate REST API access policy; API Key and HMAC Authentication for inbound REST APIs.
NEEDS = {API_KEYS: ("com.glide.rest.auth.scope", POLICIES, "com.glide.auth.scope")}
_TABLES = {
    "sys_api_access_policy": POLICIES,
    "sys_auth_profile_mapping": POLICIES,
    "inbound_auth_profile": POLICIES,
    "std_http_auth": POLICIES,
    "sys_token_auth_parameter": API_KEYS,
    "http_key_auth": API_KEYS,
    "http_hmac_auth": API_KEYS,
    "api_key": API_KEYS,
    "hmac_config": API_KEYS,
    "hmac_secret": API_KEYS,
    "ip_access": IP_RANGES,
    "sys_ca_certificate": CERTIFICATES,
    "sys_user_certificate": CERTIFICATES,
}


class Plugins:
    """Which plugins of an instance are active."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._active = Remembered(instance, ("sys_plugins",), self._read)

    def active(self, source: str) -> bool:
        """Whether a plugin and all it needs are active."""
        active = self._active.now()
        return source in active and all(each in active for each in NEEDS.get(source, ()))

    def table(self, name: str) -> "Table | None":
        """The table, or None when the instance, or an active plugin, brings no such table."""
        plugin = _TABLES.get(name)
        if plugin is not None and not self.active(plugin):
            return None
        return self._instance.dictionary.table(name)

    def _read(self) -> frozenset[str]:
        if self._instance.dictionary.table("sys_plugins") is None:
            return frozenset()
        return frozenset(
            row["source"] for row in self._instance.database.find("sys_plugins", active="active")
        )


def fit(database: "Database", release_name: str) -> None:
    """Brings the plugin of API keys in line with the release: before Washington DC there is none."""
    row = database.first("sys_plugins", source=API_KEYS)
    has = release(release_name).api_keys
    if row is not None and not has:
        database.delete("sys_plugins", row["sys_id"])
    elif row is None and has:
        database.insert("sys_plugins", shipped(API_KEYS, API_KEYS_NAME) | {"active": "active"})


def shipped(source: str, name: str) -> dict[str, str]:
    """The row of a plugin."""
    sys_id = sys_id_for("sys_plugins", source)
    return {"sys_id": sys_id, "name": name, "id": source, "source": source, "version": "1.0"}


def not_written(_change: "Change") -> None:
    """A plugin is installed, not written. How the platform words its refusal is not verified."""
    raise operation_failed("Plugins are installed, not written")
