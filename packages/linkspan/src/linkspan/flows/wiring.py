"""Makes connections, stores and credentials from a configuration, and joins contributed parts.

One ``Wiring`` lives as long as one command or one hub; closing it closes what it opened.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from linkspan.config import Config, load
from linkspan.config.home import home as default_home
from linkspan.config.home import private
from linkspan.config.secrets import resolve
from linkspan.config.values import AccountConfig, InstanceConfig, SyncConfig
from linkspan.connection import ApiKey, Connection, Credential, OAuthCode, connect, credential, of_parts
from linkspan.core.check import Check
from linkspan.core.errors import ConfigError
from linkspan.core.secret import Secret
from linkspan.provision.credentials import Credentials, keep_refresh_token, require_scheme
from linkspan.store.secrets import SecretStore

if TYPE_CHECKING:
    from linkspan.records import Records
    from linkspan.store import Database
    from linkspan.store.warehouse import Warehouse
    from linkspan.sync.peers.incident_io import Line


class Wiring:
    """Everything one process shares. Thread-safe."""

    def __init__(self, config: Config, home: Path) -> None:
        self.config = config
        self.home = home
        self._lines: list[Connection] = []
        self._admins: dict[str, Connection] = {}
        self._incident_io: dict[str, Line] = {}
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, *, home: Path | None = None) -> Self:
        """Read the configuration; everything else is opened when first asked for. Raises ConfigError."""
        return cls(load(path), home or default_home())

    @cached_property
    def secrets(self) -> SecretStore:
        """The encrypted secret store of this home."""
        return SecretStore(self.home)

    @cached_property
    def database(self) -> Database:
        """The store of this home, migrated."""
        from linkspan.store import Database

        if not os.environ.get("LINKSPAN_DATABASE_URL"):
            private(self.home / "linkspan.db")
        return Database.open(self.home)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse of this home; it is opened in short turns."""
        from linkspan.store.warehouse import Warehouse

        return Warehouse(self.home)

    def instance(self, name: str) -> InstanceConfig:
        """The instance of this name. Raises ConfigError naming the ones there are."""
        if name not in self.config.instances:
            raise ConfigError(
                f"there is no instance {name}",
                fix=f"use one of: {', '.join(self.config.instances)}",
                where=self.config.path.name,
            )
        return self.config.instances[name]

    def account(self, name: str) -> AccountConfig:
        """The account of this name. Raises ConfigError naming the ones there are."""
        if name not in self.config.accounts:
            known = ", ".join(self.config.accounts) or "none is configured"
            raise ConfigError(
                f"there is no account {name}", fix=f"use one of: {known}", where=self.config.path.name
            )
        return self.config.accounts[name]

    def secret(self, reference: str, *, where: str = "") -> Secret:
        """The secret a reference names. Raises SecretUnavailable."""
        return Secret(resolve(reference, store=self.secrets, base=self.config.path.parent, where=where))

    def admin(self, name: str, *, read_only: bool = True) -> Connection:
        """A connection as the administrator of an instance. Raises ConfigError when none is configured."""
        with self._lock:
            if name not in self._admins:
                instance = self.instance(name)
                self._admins[name] = self._keep(connect(instance, self._admin_credential(instance)))
            line = self._admins[name]
        return line.as_read_only() if read_only else line

    def has_admin(self, name: str) -> bool:
        """Whether an administrator is configured."""
        return self.instance(name).admin is not None

    def credentials(self, account: str, instance: str) -> Credentials:
        """The stored credential of an account on an instance, whether it exists yet or not."""
        wanted = self.account(account)
        require_scheme(wanted.scheme, where=wanted.where)
        return Credentials(self.secrets, instance=instance, account=account, scheme=wanted.scheme)

    def credential(self, account: str, instance: str) -> Credential:
        """What the account signs in with. Raises SecretUnavailable when apply has not made it yet."""
        wanted, held = self.account(account), self.credentials(account, instance)
        found = self.signing(held, wanted.user_name, held.proven_parts(), where=wanted.where)
        if isinstance(found, ApiKey):
            return replace(found, current=self._current_token(account, instance))
        return found

    def signing(
        self, held: Credentials, user: str, parts: Mapping[str, str], *, where: str = ""
    ) -> Credential:
        """A stored credential as one to sign in with, that keeps what the instance gives in its place."""
        found = of_parts(held.scheme, {"user": user, **parts}, where=where)
        if isinstance(found, OAuthCode):
            return replace(found, keep=held.replace_refresh_token, reread=held.refresh_token)
        return found

    def _current_token(self, account: str, instance: str) -> Callable[[], Secret]:
        """The token in use now; the store is read again only after it was changed."""
        kept: tuple[tuple[int, int], Secret] | None = None

        def current() -> Secret:
            nonlocal kept
            revision = self.secrets.revision()
            if kept is None or kept[0] != revision:
                kept = (revision, Secret(self.credentials(account, instance).proven_parts()["token"]))
            return kept[1]

        return current

    def connection(self, account: str, instance: str, *, read_only: bool = False) -> Connection:
        """A new connection as an account; it lives until the wiring is closed."""
        return self._keep(
            connect(self.instance(instance), self.credential(account, instance), read_only=read_only)
        )

    def records(self, line: Connection, instance: str) -> Records:
        """What creates task records once on an instance, over this line."""
        from linkspan.records import Records

        seconds = self.instance(instance).transaction_seconds
        return Records(self.database, line, instance=instance, transaction_seconds=seconds)

    def anonymous(self, instance: str) -> Connection:
        """A new read-only connection as nobody, for probes."""
        return self._keep(connect(self.instance(instance), None, read_only=True))

    def incident_io(self, sync: SyncConfig) -> Line:
        """The line to the incident.io of a sync, the same at every call. Raises SecretUnavailable."""
        from linkspan.sync.peers.incident_io import Line

        with self._lock:
            if sync.name not in self._incident_io:
                key = self.secret(sync.api_key, where=sync.where).reveal()
                self._incident_io[sync.name] = Line(key, base_url=sync.base_url)
            return self._incident_io[sync.name]

    def checks(self) -> tuple[Check, ...]:
        """Every preflight check, those of other capabilities included, in order of dependency."""
        from linkspan.preflight.checks import CHECKS

        return CHECKS

    def close(self) -> None:
        """Close every connection and the store."""
        with self._lock:
            lines, self._lines = self._lines, []
            self._admins.clear()
            far, self._incident_io = list(self._incident_io.values()), {}
        for line in lines:
            line.close()
        for other in far:
            other.close()
        if "database" in self.__dict__:
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep(self, line: Connection) -> Connection:
        with self._lock:
            self._lines.append(line)
        return line

    def _admin_credential(self, instance: InstanceConfig) -> Credential:
        admin = instance.admin
        if admin is None:
            raise ConfigError(
                f"instance {instance.name} has no admin",
                fix="add admin: {scheme: basic, user: …, secret: env:…}; plan and apply need it",
                where=instance.where,
            )
        found = credential(
            admin.scheme,
            self.secret(admin.secret, where=admin.where).reveal(),
            user=admin.user,
            client_id=admin.client_id,
            client_secret=(
                self.secret(admin.client_secret, where=admin.where).reveal() if admin.client_secret else ""
            ),
            where=admin.where,
        )
        if isinstance(found, OAuthCode) and admin.secret.startswith("store:"):
            name = admin.secret.removeprefix("store:")
            return replace(found, keep=partial(keep_refresh_token, self.secrets, name))
        return found
