"""What linkspan.yaml says, as frozen values. ``where`` is always ``file:line``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

SCHEMES = ("basic", "api_key", "oauth_password", "oauth_client", "oauth_code", "jwt_bearer", "mutual_tls")
ENVIRONMENTS = ("development", "test", "qa", "uat", "staging", "training", "sandbox", "production")
PEERS = ("desk", "incident_io", "webhook")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
POLITE_RATE = 600
REDIRECT_PORT = 8705


@dataclass(frozen=True, kw_only=True)
class AdminConfig:
    """Who may create accounts on an instance. ``secret`` and ``client_secret`` are references."""

    scheme: str
    user: str = ""
    client_id: str = ""
    secret: str = ""
    client_secret: str = ""
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class InstanceConfig:
    """One ServiceNow instance.

    ``url`` has no trailing slash. ``ca`` is a PEM file of further certificate authorities. ``proxy``
    may hold a password.
    ``requests_per_minute`` is what linkspan allows itself; 0 means no limit (the loader's choice for
    loopback hosts; 600 elsewhere). ``transaction_seconds`` is how long the instance lets one request
    run (its transaction quota): so long a write with a lost answer may still be committed.
    """

    name: str
    url: str
    environment: str = "development"
    admin: AdminConfig | None = None
    ca: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    requests_per_minute: int = 0
    transaction_seconds: float = 60
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class AccountConfig:
    """The machine identity an outside system uses, wanted on ``instances``.

    ``redirect_port`` is where the browser comes back to on the loopback, for oauth_code only.
    """

    name: str
    recipe: str
    user_name: str
    instances: tuple[str, ...]
    profile: str = "least"
    owner: str = ""
    scheme: str = "basic"
    redirect_port: int = REDIRECT_PORT
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class SyncConfig:
    """One two-way sync. ``filter`` is an encoded query that incidents must match.

    ``follow_ups`` is the table that the far side's follow-ups are kept in; empty when they are not synced.
    """

    name: str
    peer: str
    instance: str
    account: str
    poll_seconds: float = 5.0
    push: bool = False
    filter: str = ""
    base_url: str = ""
    api_key: str = ""
    webhook_secrets: tuple[str, ...] = ()
    include_private: bool = False
    follow_ups: str = ""
    mapping: Path | None = None
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class FindingsConfig:
    """One source of security findings and where they become incidents.

    ``secrets`` are references to the keys with which the source signs what it sends to the hub.
    ``budget_per_hour`` is how many incidents may be opened in an hour; the rest waits in a queue.
    """

    name: str
    instance: str
    account: str
    secrets: tuple[str, ...] = ()
    budget_per_hour: int = 50
    rules: Path | None = None
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """One table that is ingested. ``exclude`` never leaves the instance; ``hash`` leaves as a keyed hash."""

    table: str
    exclude: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """What is ingested from one instance, and as which account."""

    instance: str
    account: str
    streams: Mapping[str, StreamConfig]
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class TenantConfig:
    """Whose satellites may send to this hub. ``api_keys`` are references, all of them good at once."""

    name: str
    api_keys: tuple[str, ...]
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class HubConfig:
    """Where the hub listens. ``tokens`` are secret references; empty is allowed on loopback only.

    ``url`` is where people reach it when that is another address (a proxy, a name), without a
    trailing slash; empty when it is the one it listens on.
    """

    host: str = "127.0.0.1"
    port: int = 8700
    tokens: tuple[str, ...] = ()
    url: str = ""
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Config:
    """One linkspan.yaml.

    ``ingest`` is by instance, ``findings`` by source, ``satellites`` by tenant. ``scan`` is plain data:
    its shape was checked, nothing more.
    """

    path: Path
    instances: Mapping[str, InstanceConfig]
    accounts: Mapping[str, AccountConfig] = field(default_factory=dict)
    syncs: Mapping[str, SyncConfig] = field(default_factory=dict)
    hub: HubConfig = field(default_factory=HubConfig)
    findings: Mapping[str, FindingsConfig] = field(default_factory=dict)
    ingest: Mapping[str, IngestConfig] = field(default_factory=dict)
    satellites: Mapping[str, TenantConfig] = field(default_factory=dict)
    scan: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def where(self, *keys: str) -> str:
        """``file:line`` of a value, e.g. ``where("accounts", "responder", "profile")``.

        The nearest enclosing value that is written in the file stands in for one that is not.
        """
        for length in range(len(keys), 0, -1):
            line = self.lines.get(".".join(keys[:length]))
            if line is not None:
                return f"{self.path.name}:{line}"
        return f"{self.path.name}:1"
