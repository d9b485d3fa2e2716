"""``satellite.yml`` as frozen values: the file a person downloads from the vendor, as it stands.

The vendor's own keys are ``satellite`` (tenant, api_key, url, proxy) and ``integrations`` (id, url,
username, application, api_key, which is the account's password). Ours come beside them and may all be
left out: ``satellite.ca``, ``hash_key``, ``poll_seconds``, ``spool_megabytes``, and in an integration
``ca`` and ``streams``.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from linkspan.config.document import Node, read
from linkspan.config.load import stream
from linkspan.config.secrets import is_reference, resolve
from linkspan.config.values import LOOPBACK, POLITE_RATE, InstanceConfig, StreamConfig
from linkspan.core.errors import ConfigError
from linkspan.core.secret import Secret

APPLICATION = "servicenow"
STREAMS = ("incident", "change_request", "sys_user")
POLL_SECONDS = 60.0
SPOOL_MEGABYTES = 1024
LEAST_MEGABYTES = 16
LONGEST_NAME = 40
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PLACEHOLDER = re.compile(r"<[^<>]*>")
_SATELLITE = (
    *("tenant", "api_key", "url", "proxy"),
    *("ca", "hash_key", "poll_seconds", "spool_megabytes"),
)
_INTEGRATION = ("id", "url", "username", "application", "api_key", "ca", "streams")


@dataclass(frozen=True, kw_only=True)
class Written:
    """A secret as the file has it: a reference, or the text itself (which is warned about)."""

    reference: str = ""
    plain: Secret | None = None
    where: str = ""

    def resolve(self, base: Path) -> Secret:
        """The secret; ``base`` is where a relative ``file:`` starts. Raises SecretUnavailable."""
        if self.plain is not None:
            return self.plain
        return Secret(resolve(self.reference, base=base, where=self.where))


@dataclass(frozen=True, kw_only=True)
class ProxyConfig:
    """The proxy on the way to the hub; with ``all_traffic`` on the way to the instances too."""

    host: str
    port: int
    username: str = ""
    password: Written | None = None
    all_traffic: bool = False

    def url(self, base: Path) -> str:
        """As one address, which may hold the password. Raises SecretUnavailable."""
        user = quote(self.username, safe="")
        if self.password is not None:
            user += ":" + quote(self.password.resolve(base).reveal(), safe="")
        return f"http://{user}{'@' if user else ''}{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class IntegrationConfig:
    """One instance and what is read of it. ``name`` is what the warehouse calls it: TENANT-ID."""

    id: str
    name: str
    url: str
    username: str
    password: Written
    streams: Mapping[str, StreamConfig]
    ca: Path | None = None
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class SatelliteConfig:
    """One satellite.yml. ``warnings`` are sentences about what works and should not stay so."""

    path: Path
    tenant: str
    url: str
    api_key: Written
    integrations: tuple[IntegrationConfig, ...]
    proxy: ProxyConfig | None = None
    ca: Path | None = None
    hash_key: Written | None = None
    poll_seconds: float = POLL_SECONDS
    spool_megabytes: int = SPOOL_MEGABYTES
    warnings: tuple[str, ...] = ()
    where: str = ""

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.path.parent

    def hub(self) -> InstanceConfig:
        """The way to the hub. Raises SecretUnavailable for a proxy's password."""
        proxy = self.proxy.url(self.base) if self.proxy else None
        return InstanceConfig(name="hub", url=self.url, ca=self.ca, proxy=proxy, where=self.where)

    def instance(self, integration: IntegrationConfig) -> InstanceConfig:
        """The way to an integration's instance. Raises SecretUnavailable for a proxy's password."""
        local = urlsplit(integration.url).hostname in LOOPBACK
        through = self.proxy if self.proxy is not None and self.proxy.all_traffic else None
        return InstanceConfig(
            name=integration.name,
            url=integration.url,
            ca=integration.ca,
            proxy=through.url(self.base) if through else None,
            requests_per_minute=0 if local else POLITE_RATE,
            where=integration.where,
        )

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that change with every value that is not a secret."""
        said: dict[str, Any] = {
            "tenant": self.tenant,
            "url": self.url,
            "poll": self.poll_seconds,
            "proxy": [self.proxy.host, self.proxy.port, self.proxy.all_traffic] if self.proxy else None,
            "integrations": [
                [one.id, one.url, one.username, [_said(table) for table in one.streams.values()]]
                for one in self.integrations
            ],
        }
        return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]


@dataclass
class _Notes:
    """What is gathered on the way through the file."""

    warnings: list[str] = field(default_factory=list)
    plain: int = 0


def load_satellite(path: Path) -> SatelliteConfig:
    """The satellite.yml in ``path``. Raises ConfigError, ``where`` being ``file:line``."""
    top = read(path)
    parts = top.mapping(("satellite", "integrations"))
    node = _needed(top, parts, "satellite", "satellite: {tenant: …, api_key: …, url: …}")
    entries = _needed(top, parts, "integrations", "integrations: [{id: …, url: …}]")
    notes = _Notes()
    _no_unsafe_ssl(node)
    own = node.mapping(_SATELLITE)
    tenant = _name(_needed(node, own, "tenant", "tenant: acme"))
    api_key = _secret(_needed(node, own, "api_key", "api_key: env:SATELLITE_KEY"), notes)
    poll, room = own.get("poll_seconds"), own.get("spool_megabytes")
    hash_key = _secret(own["hash_key"], notes, only_reference=True) if "hash_key" in own else None
    integrations = _integrations(entries, tenant, path.parent, notes, hashes=hash_key is not None)
    proxy = _proxy(own["proxy"], notes) if "proxy" in own else None
    if notes.plain and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        notes.warnings.append(f"{path.name} holds secrets and others may read it: chmod 600 {path.name}")
    return SatelliteConfig(
        path=path,
        tenant=tenant,
        url=_url(_needed(node, own, "url", 'url: "https://linkspan.example.com"'), path_allowed=True),
        api_key=api_key,
        integrations=integrations,
        proxy=proxy,
        ca=path.parent / own["ca"].text() if "ca" in own else None,
        hash_key=hash_key,
        poll_seconds=poll.number(least=1) if poll else POLL_SECONDS,
        spool_megabytes=room.integer(least=LEAST_MEGABYTES) if room else SPOOL_MEGABYTES,
        warnings=tuple(notes.warnings),
        where=node.where,
    )


def _integrations(
    node: Node, tenant: str, base: Path, notes: _Notes, *, hashes: bool
) -> tuple[IntegrationConfig, ...]:
    found: dict[str, IntegrationConfig] = {}
    for entry in node.items():
        application = entry.entries().get("application")
        if application is not None and _plain(application).lower() != APPLICATION:
            notes.warnings.append(
                f"{application.where}: an integration of {_plain(application)} is left out; "
                f"this satellite reads {APPLICATION} only"
            )
            continue
        one = _integration(entry, tenant, base, notes)
        if one.id in found:
            entry.refuse(f"the id {one.id} is used twice", "give each integration its own id")
        for table in one.streams.values():
            for name in set(table.hash) & set(table.exclude):
                raise ConfigError(
                    f"{name} is both excluded and hashed", where=table.where, fix="choose one of them"
                )
            if table.hash and not hashes:
                raise ConfigError(
                    f"{table.table} hashes {', '.join(table.hash)}, and there is no key to hash with",
                    where=table.where,
                    fix="add satellite.hash_key: env:NAME, 32 characters or more",
                )
        found[one.id] = one
    if not found:
        node.refuse("no integration of ServiceNow", f"add one with application: {APPLICATION}")
    return tuple(found.values())


def _integration(node: Node, tenant: str, base: Path, notes: _Notes) -> IntegrationConfig:
    _no_unsafe_ssl(node)
    parts = node.mapping(_INTEGRATION)
    _needed(node, parts, "application", f"application: {APPLICATION}")
    name = _name(_needed(node, parts, "id", "id: prod"))
    streams = parts["streams"].entries() if "streams" in parts else None
    if streams is not None and not streams:
        parts["streams"].refuse("no stream", "name a table, as incident: {}, or leave streams out")
    return IntegrationConfig(
        id=name,
        name=f"{tenant}-{name}",
        url=_url(_needed(node, parts, "url", 'url: "https://acme.service-now.com"'), path_allowed=False),
        username=_plain(_needed(node, parts, "username", "username: svc.reader")),
        password=_secret(_needed(node, parts, "api_key", "api_key: env:SERVICENOW_PASSWORD"), notes),
        streams=MappingProxyType(
            {table: StreamConfig(table=table, where=node.where) for table in STREAMS}
            if streams is None
            else {table: stream(table, one) for table, one in streams.items()}
        ),
        ca=base / parts["ca"].text() if "ca" in parts else None,
        where=node.where,
    )


def _proxy(node: Node, notes: _Notes) -> ProxyConfig:
    parts = node.mapping(("host", "port", "username", "password", "all_traffic"))
    host = _plain(_needed(node, parts, "host", "host: proxy.example.com"))
    host = host.removeprefix("http://").rstrip("/")
    if not re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]", host):
        parts["host"].refuse(f"{host} is not a host", "write the name alone, as proxy.example.com")
    port = _needed(node, parts, "port", "port: 3128").integer(least=1)
    if port > 65535:
        parts["port"].refuse(f"{port} is no port", "write 65535 or less")
    return ProxyConfig(
        host=host,
        port=port,
        username=_plain(parts["username"]) if "username" in parts else "",
        password=_secret(parts["password"], notes) if "password" in parts else None,
        all_traffic=parts["all_traffic"].boolean() if "all_traffic" in parts else False,
    )


def _no_unsafe_ssl(node: Node) -> None:
    unsafe = node.entries().get("allow_unsafe_ssl")
    if unsafe is not None:
        unsafe.refuse(
            "certificates are always checked",
            "take it out, and name the authority that signed the certificate: ca: company-ca.pem",
        )


def _needed(node: Node, parts: Mapping[str, Node], key: str, example: str) -> Node:
    if key not in parts or parts[key].content is None:
        node.refuse(f"{key} is missing", f"add {example}")
    return parts[key]


def _plain(node: Node) -> str:
    """Text, or a number where the vendor writes one without quotes; a value that was never filled in is
    refused."""
    if isinstance(node.content, int) and not isinstance(node.content, bool):
        return str(int(node.content))
    text = node.text().strip()
    if _PLACEHOLDER.fullmatch(text):
        node.refuse(f"{text} was never filled in", f"write your own {node.keys[-1]}")
    return text


def _name(node: Node) -> str:
    """A name that is a part of an address and of the name of a schema, so in small letters."""
    text = _plain(node)
    if not _NAME.fullmatch(text) or len(text) > LONGEST_NAME:
        node.refuse(
            f"{text} cannot be used as a name",
            f"use a-z, 0-9, _ and -, {LONGEST_NAME} at most, as the hub's satellites: has it",
        )
    return text.lower()


def _secret(node: Node, notes: _Notes, *, only_reference: bool = False) -> Written:
    text = _plain(node)
    if text.startswith("store:"):
        node.refuse("a satellite has no secret store", "write env:NAME, file:PATH or keyring:SERVICE/USER")
    if is_reference(text):
        return Written(reference=text, where=node.where)
    if only_reference:
        node.refuse("this is not a secret reference", "write env:NAME, file:PATH or keyring:SERVICE/USER")
    notes.plain += 1
    notes.warnings.append(
        f"{node.where}: {node.name} is written in the file itself; env:NAME or file:PATH keeps it out"
    )
    return Written(plain=Secret(text), where=node.where)


def _url(node: Node, *, path_allowed: bool) -> str:
    text = _plain(node)
    example = "https://linkspan.example.com" if path_allowed else "https://acme.service-now.com"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in text:
        node.refuse("this is not a url of scheme and host", f"write {example}")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        node.refuse("http:// would send secrets in the clear", f"write https://{parts.netloc}")
    behind = parts.path.rstrip("/")
    if parts.query or parts.fragment or (behind and not path_allowed):
        node.refuse("the url goes on behind the host", f"write {parts.scheme}://{parts.netloc}")
    return f"{parts.scheme}://{parts.netloc}{behind}"


def _said(one: StreamConfig) -> list[Any]:
    return [one.table, sorted(one.exclude), sorted(one.hash)]
