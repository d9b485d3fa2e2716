"""linkspan.yaml, read once and checked in full. Errors name file, line and the words to change."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, urlsplit

from linkspan.config.document import Node, read
from linkspan.config.secrets import is_reference
from linkspan.config.values import (
    ENVIRONMENTS,
    LOOPBACK,
    PEERS,
    POLITE_RATE,
    REDIRECT_PORT,
    SCHEMES,
    AccountConfig,
    AdminConfig,
    Config,
    FindingsConfig,
    HubConfig,
    IngestConfig,
    InstanceConfig,
    StreamConfig,
    SyncConfig,
    TenantConfig,
)
from linkspan.core import query
from linkspan.core.errors import ConfigError

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,79}")
_FOLLOW_UPS = ("task", "none")
_FAR_KEYS = ("base_url", "api_key", "webhook_secrets", "include_private")
_SYNC_KEYS = (
    *("peer", "instance", "account", "poll_seconds", "push", "filter", "mapping", "follow_ups"),
    *_FAR_KEYS,
)
_TOP = ("version", "instances", "accounts", "sync", "findings", "ingest", "satellites", "scan", "hub")


def load(path: Path) -> Config:
    """The config in ``path``. Raises ConfigError, ``where`` being ``file:line``."""
    top = read(path)
    parts = top.mapping(_TOP)
    if "version" not in parts:
        top.refuse("version is missing", "write version: 1 at the top")
    if parts["version"].integer() != 1:
        parts["version"].refuse("this linkspan reads version 1", "write version: 1")
    if "instances" not in parts:
        top.refuse("instances is missing", "name at least one instance; linkspan init shows how")
    instances = _instances(parts["instances"], path.parent)
    accounts = _accounts(parts.get("accounts"), instances)
    return Config(
        path=path,
        instances=instances,
        accounts=accounts,
        syncs=_syncs(parts.get("sync"), accounts, path.parent),
        hub=_hub(parts["hub"]) if "hub" in parts else HubConfig(where=f"{path.name}:1"),
        findings=_findings(parts.get("findings"), accounts, path.parent),
        ingest=_ingest(parts.get("ingest"), instances, accounts),
        satellites=_satellites(parts.get("satellites"), instances),
        scan=_scan(parts.get("scan"), accounts),
        lines=MappingProxyType(top.lines),
    )


# ── instances ────────────────────────────────────────────────────────────────────────────────────


def _instances(node: Node, base: Path) -> Mapping[str, InstanceConfig]:
    found = {name: _instance(name, entry, base) for name, entry in _named(node)}
    if not found:
        node.refuse("no instance", "name at least one; linkspan init shows how")
    urls: dict[str, str] = {}
    for name, entry in node.entries().items():
        other = urls.setdefault(found[name].url, name)
        if other != name:
            entry.refuse(f"has the same url as {other}", "give each instance its own url")
    return MappingProxyType(found)


def _instance(name: str, node: Node, base: Path) -> InstanceConfig:
    parts = node.mapping(
        ("url", "environment", "admin", "ca", "proxy", "requests_per_minute", "transaction_seconds")
    )
    url = _url(_required(node, parts, "url", 'url: "https://acme.service-now.com"'))
    environment = _required(node, parts, "environment", "environment: development")
    rate = parts.get("requests_per_minute")
    quota = parts.get("transaction_seconds")
    polite = 0 if urlsplit(url).hostname in LOOPBACK else POLITE_RATE
    return InstanceConfig(
        name=name,
        url=url,
        environment=environment.choice(ENVIRONMENTS),
        admin=_admin(parts["admin"]) if "admin" in parts else None,
        ca=base / parts["ca"].text() if "ca" in parts else None,
        proxy=_proxy(parts.get("proxy")),
        requests_per_minute=polite if rate is None else rate.integer(),
        transaction_seconds=quota.number(least=1) if quota else InstanceConfig.transaction_seconds,
        where=node.where,
    )


def _admin(node: Node) -> AdminConfig:
    parts = node.mapping(("scheme", "user", "client_id", "secret", "client_secret"))
    scheme = _required(node, parts, "scheme", "scheme: basic").choice(SCHEMES)
    needed = {
        "basic": ("user", "secret"),
        "oauth_password": ("user", "secret", "client_id", "client_secret"),
        "oauth_client": ("client_id", "secret"),
        "oauth_code": ("client_id", "client_secret", "secret"),
    }.get(scheme, ("secret",))
    for name in needed:
        example = "env:NAME" if "secret" in name else "…"
        _required(node, parts, name, f"{name}: {example}")
    return AdminConfig(
        scheme=scheme,
        user=parts["user"].text() if "user" in parts else "",
        client_id=parts["client_id"].text() if "client_id" in parts else "",
        secret=_reference(parts["secret"]),
        client_secret=_reference(parts["client_secret"]) if "client_secret" in parts else "",
        where=node.where,
    )


def _url(node: Node) -> str:
    text = node.text().strip()
    parts = _split(node, text, "https://acme.service-now.com")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        host = _shown(text).removeprefix("//").rstrip("/")
        host = host if "." in host else f"{host}.service-now.com"
        node.refuse(f"{_shown(text)} is not an instance url", f"write https://{host}")
    origin = _origin(node, "https://acme.service-now.com")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        node.refuse("http:// would send secrets in the clear", f"write https://{parts.netloc}")
    return origin


def _api_url(node: Node) -> str:
    """The address of a far side's API."""
    origin = _origin(node, "https://api.incident.io")
    parts = urlsplit(origin)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        node.refuse("http:// would send the API key in the clear", f"write https://{parts.netloc}")
    return origin


def _origin(node: Node, example: str) -> str:
    """Scheme, host and port, and nothing else."""
    text = node.text().strip()
    parts = _split(node, text, example)
    if "@" in text:
        node.refuse("the url holds a user", "put user and secret under admin and leave them out of the url")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        node.refuse(f"{text} is not a url", f"write {example}")
    origin = f"{parts.scheme}://{parts.netloc}"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        node.refuse("the url goes on behind the host", f"write {origin}")
    return origin


def _split(node: Node, text: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        # Not the error's own words: they may repeat a part of the text.
        raise ConfigError(
            f"{node.name}: {_shown(text)} is not a url", where=node.where, fix=f"write {example}"
        ) from error
    return parts


def _shown(text: str) -> str:
    """A url for an error: what stands before its last @ may be a password."""
    if "@" not in text:
        return text
    scheme = re.match(r"[a-z]+://", text, re.IGNORECASE)
    return (scheme[0] if scheme else "") + text.rpartition("@")[2]


def _proxy(node: Node | None) -> str | None:
    if node is None or node.content is None:
        return None
    text = node.text()
    if _split(node, text, "http://host:port").scheme not in ("http", "https"):
        node.refuse("this is not an http proxy", "write http://host:port")
    return text


# ── accounts and syncs ───────────────────────────────────────────────────────────────────────────


def _accounts(node: Node | None, instances: Mapping[str, InstanceConfig]) -> Mapping[str, AccountConfig]:
    if node is None:
        return MappingProxyType({})
    found: dict[str, AccountConfig] = {}
    taken: dict[tuple[str, str], str] = {}
    for name, entry in _named(node):
        account = found[name] = _account(name, entry, instances)
        for instance in account.instances:
            other = taken.setdefault((instance, account.user_name), name)
            if other != name:
                entry.refuse(
                    f"account {other} already has the user {account.user_name} on {instance}",
                    "give each account its own user_name",
                )
    return MappingProxyType(found)


def _account(name: str, node: Node, instances: Mapping[str, InstanceConfig]) -> AccountConfig:
    parts = node.mapping(("recipe", "profile", "user_name", "owner", "instances", "scheme", "redirect_port"))
    wanted = _required(node, parts, "instances", f"instances: [{', '.join(instances)}]")
    names = tuple(_known(item, instances, "instance") for item in wanted.items())
    if not names or len(set(names)) < len(names):
        wanted.refuse("names no instance, or one twice", f"choose from {', '.join(instances)}")
    return AccountConfig(
        name=name,
        recipe=_required(node, parts, "recipe", "recipe: sync").text(),
        profile=parts["profile"].text() if "profile" in parts else "least",
        user_name=_searched(_required(node, parts, "user_name", f"user_name: svc.{name}")),
        owner=_searched(parts["owner"]) if "owner" in parts else "",
        instances=names,
        scheme=_required(node, parts, "scheme", "scheme: oauth_client").choice(SCHEMES),
        redirect_port=_port(parts["redirect_port"]) if "redirect_port" in parts else REDIRECT_PORT,
        where=node.where,
    )


def _port(node: Node) -> int:
    port = node.integer(least=1024)
    if port > 65535:
        node.refuse(f"{port} is no port", "write 65535 or less")
    return port


def _searched(node: Node) -> str:
    """The name of a user, which the instance will be asked for."""
    text = node.text()
    try:
        query.escape(text)
    except ValueError as error:
        node.refuse(str(error), "write the user name as the instance has it")
    return text


def _syncs(node: Node | None, accounts: Mapping[str, AccountConfig], base: Path) -> Mapping[str, SyncConfig]:
    if node is None:
        return MappingProxyType({})
    return MappingProxyType({name: _sync(name, entry, accounts, base) for name, entry in _named(node)})


def _sync(name: str, node: Node, accounts: Mapping[str, AccountConfig], base: Path) -> SyncConfig:
    parts = node.mapping(_SYNC_KEYS)
    account, instance = _used(node, parts, accounts)
    peer = _required(node, parts, "peer", "peer: desk").choice(PEERS)
    if peer == "incident_io":
        _required(node, parts, "api_key", "api_key: env:INCIDENT_IO_KEY")
    for key in _FAR_KEYS if peer == "desk" else ():
        if key in parts:
            parts[key].refuse(f"{key} means nothing to the desk", "leave it out")
    return SyncConfig(
        name=name,
        peer=peer,
        instance=instance,
        account=account,
        poll_seconds=parts["poll_seconds"].number(least=0.1) if "poll_seconds" in parts else 5.0,
        push=parts["push"].boolean() if "push" in parts else False,
        filter=_filter(parts.get("filter")),
        base_url=_api_url(parts["base_url"]) if "base_url" in parts else "",
        api_key=_reference(parts["api_key"]) if "api_key" in parts else "",
        webhook_secrets=_references(parts.get("webhook_secrets")),
        include_private=parts["include_private"].boolean() if "include_private" in parts else False,
        follow_ups=_follow_ups(parts.get("follow_ups")),
        mapping=base / parts["mapping"].text() if "mapping" in parts else None,
        where=node.where,
    )


def _follow_ups(node: Node | None) -> str:
    chosen = node.choice(_FOLLOW_UPS) if node is not None else "none"
    return "" if chosen == "none" else chosen


def _filter(node: Node | None) -> str:
    if node is None:
        return ""
    text = node.text()
    if re.search(r"(^|\^)ORDERBY|\^NQ", text.replace("^^", ""), re.IGNORECASE):
        node.refuse("a filter may not sort nor hold ^NQ", "leave ORDERBY and ^NQ out")
    return text


def _hub(node: Node) -> HubConfig:
    parts = node.mapping(("listen", "tokens", "url"))
    tokens = _references(parts.get("tokens"))
    host, port = _listen(parts["listen"]) if "listen" in parts else ("127.0.0.1", 8700)
    if host not in LOOPBACK and not tokens:
        node.refuse(
            f"the hub would listen on {host} without a token",
            "add tokens: [env:LINKSPAN_TOKEN], or listen on 127.0.0.1",
        )
    url = _origin(parts["url"], "https://linkspan.example.com") if "url" in parts else ""
    return HubConfig(host=host, port=port, tokens=tokens, url=url, where=node.where)


def _listen(node: Node) -> tuple[str, int]:
    text = node.text()
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdecimal() or int(port) > 65535:
        node.refuse(f"{text} is not host:port", 'write "127.0.0.1:8700"')
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:
            node.refuse(f"{host or 'nothing'} is not an address to listen on", 'write "127.0.0.1:8700"')
    return host, int(port)


# ── parts whose capabilities read them in detail ─────────────────────────────────────────────────


def _findings(
    node: Node | None, accounts: Mapping[str, AccountConfig], base: Path
) -> Mapping[str, FindingsConfig]:
    if node is None:
        return MappingProxyType({})
    found: dict[str, FindingsConfig] = {}
    for name, entry in _named(node):
        parts = entry.mapping(("instance", "account", "secrets", "budget_per_hour", "rules"))
        account, instance = _used(entry, parts, accounts)
        budget = parts.get("budget_per_hour")
        found[name] = FindingsConfig(
            name=name,
            instance=instance,
            account=account,
            secrets=_references(parts.get("secrets")),
            budget_per_hour=budget.integer(least=1) if budget else FindingsConfig.budget_per_hour,
            rules=base / parts["rules"].text() if "rules" in parts else None,
            where=entry.where,
        )
    return MappingProxyType(found)


def _ingest(
    node: Node | None, instances: Mapping[str, InstanceConfig], accounts: Mapping[str, AccountConfig]
) -> Mapping[str, IngestConfig]:
    if node is None:
        return MappingProxyType({})
    found: dict[str, IngestConfig] = {}
    for name, entry in node.entries().items():
        if name not in instances:
            entry.refuse(f"there is no instance {name}", _choose(name, instances))
        parts = entry.mapping(("account", "streams"))
        account = _known(_required(entry, parts, "account", "account: reader"), accounts, "account")
        if name not in accounts[account].instances:
            parts["account"].refuse(
                f"account {account} is not on {name}", f"add {name} to the account's instances"
            )
        streams = _required(entry, parts, "streams", "streams: {incident: {}}")
        found[name] = IngestConfig(
            instance=name,
            account=account,
            streams=MappingProxyType({table: stream(table, one) for table, one in streams.entries().items()}),
            where=entry.where,
        )
    return MappingProxyType(found)


def stream(table: str, node: Node) -> StreamConfig:
    """One table that is ingested, and what becomes of its fields."""
    if not _TABLE.fullmatch(table):
        node.refuse(f"{table} cannot be a table", "use the table's name, as incident")
    parts = node.mapping(("exclude", "hash"))
    chosen = {name: tuple(field.text() for field in fields.items()) for name, fields in parts.items()}
    for name, fields in parts.items():
        for field in fields.items():
            if field.text() in ("sys_id", "sys_updated_on", "sys_mod_count", "sys_created_on"):
                field.refuse(
                    f"{field.text()} is needed to follow the table, so it cannot be in {name}",
                    "leave it out of the list",
                )
            if not _TABLE.fullmatch(field.text()):
                field.refuse(f"{field.text()} cannot be a field", "use the column's name")
    return StreamConfig(table=table, where=node.where, **chosen)


def _satellites(node: Node | None, instances: Mapping[str, InstanceConfig]) -> Mapping[str, TenantConfig]:
    """Who may send. What a satellite stores is called TENANT-ID, so no two names may come to the same."""
    if node is None:
        return MappingProxyType({})
    found: dict[str, TenantConfig] = {}
    for name, entry in _named(node):
        for other in (*found, *instances):
            if other.startswith(f"{name}-") or name.startswith(f"{other}-"):
                entry.refuse(
                    f"what {name} sends could be taken for what belongs to {other}",
                    f"choose a name that is not the beginning of another (before a -), as {name}_site",
                )
        parts = entry.mapping(("api_keys",))
        keys = _required(entry, parts, "api_keys", 'api_keys: ["env:SATELLITE_KEY"]')
        references = _references(keys)
        if not references:
            keys.refuse("no key", 'write api_keys: ["env:SATELLITE_KEY"]; two while one is exchanged')
        found[name] = TenantConfig(name=name, api_keys=references, where=entry.where)
    return MappingProxyType(found)


def _scan(node: Node | None, accounts: Mapping[str, AccountConfig]) -> Mapping[str, Any]:
    if node is None:
        return MappingProxyType({})
    parts = node.mapping(("account", "suites"))
    _known(_required(node, parts, "account", "account: scanner"), accounts, "account")
    if "suites" in parts:
        for suite in parts["suites"].items():
            suite.text()
    return MappingProxyType(node.plain())


# ── what several parts need ──────────────────────────────────────────────────────────────────────


def _named(node: Node) -> list[tuple[str, Node]]:
    """Entries under names a person chose: short enough for urls and secret names."""
    entries = node.entries()
    for name, entry in entries.items():
        if not _NAME.fullmatch(name):
            entry.refuse(f"{name} cannot be a name", "use a-z, 0-9, _ and -, beginning with a letter")
    return list(entries.items())


def _required(node: Node, parts: Mapping[str, Node], key: str, example: str) -> Node:
    if key not in parts:
        node.refuse(f"{key} is missing", f"add {example}")
    return parts[key]


def _used(node: Node, parts: Mapping[str, Node], accounts: Mapping[str, AccountConfig]) -> tuple[str, str]:
    """The account and the instance that an entry uses; the account must exist on that instance."""
    account = _known(_required(node, parts, "account", "account: responder"), accounts, "account")
    places = accounts[account].instances
    instance = _required(node, parts, "instance", f"instance: {places[0]}")
    if instance.text() not in places:
        instance.refuse(
            f"account {account} is not on {instance.text()}",
            f"add it to the account's instances, or choose {', '.join(places)}",
        )
    return account, instance.text()


def _known(node: Node, names: Mapping[str, object], what: str) -> str:
    text = node.text()
    if text not in names:
        node.refuse(f"there is no {what} {text}", _choose(text, names))
    return text


def _choose(text: str, names: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(text, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"choose from {', '.join(names)}" if names else "define it first"


def _reference(node: Node) -> str:
    """A secret reference; what stands there is not repeated in the error, for it may be the secret."""
    text = node.text()
    if not is_reference(text):
        node.refuse(
            "this is not a secret reference",
            "write env:NAME, file:PATH, keyring:SERVICE/USER or store:NAME instead",
        )
    return text


def _references(node: Node | None) -> tuple[str, ...]:
    return tuple(_reference(item) for item in node.items()) if node is not None else ()
