"""Instances that have to know each other: what the configuration says, and what each calls itself."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from linkspan.config import Config
from linkspan.config.values import AccountConfig
from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import ConfigError, LinkspanError
from linkspan.provision.credentials import PASSWORD_SCHEMES
from linkspan.provision.kinds import Member
from linkspan.provision.recipe import Recipe


class Fleet:
    """The instances that accounts register, each asked once for its ``instance_name``.

    ``line`` gives a read-only connection of an administrator by instance.
    """

    def __init__(self, config: Config, line: Callable[[str], Connection]) -> None:
        self._config = config
        self._line = line
        self._members: dict[str, Member] = {}

    def of(self, account: AccountConfig, recipe: Recipe) -> tuple[Member, ...]:
        """The fleet of an account; empty unless its recipe registers instances. Raises ConfigError.

        An instance that cannot be asked is a member too, its name ``unknown``.
        """
        if not recipe.registers:
            return ()
        self._check(account)
        return tuple(self._member(name) for name in account.instances)

    def _check(self, account: AccountConfig) -> None:
        instances = [self._config.instances[name] for name in account.instances]
        production = sum(one.environment == "production" for one in instances)
        if production != 1:
            raise ConfigError(
                f"{account.name} needs exactly one production instance, not {production}",
                fix="the Scan Engine refuses any other number; set environment: production on one of them",
                where=self._config.where("accounts", account.name, "instances"),
            )
        for one in instances:
            if (urlsplit(one.url).hostname or "").startswith("www."):
                raise ConfigError(
                    f"{one.name}: the Scan Engine does not connect to an address with www.",
                    fix="write https://NAME.service-now.com",
                    where=one.where,
                )
        if account.scheme not in PASSWORD_SCHEMES:
            raise ConfigError(
                f"{account.name} has no password, and instances sign in to each other with one",
                fix="use scheme: basic",
                where=self._config.where("accounts", account.name, "scheme"),
            )

    def _member(self, name: str) -> Member:
        if name not in self._members:
            one = self._config.instances[name]
            called, unknown = self._called(name)
            self._members[name] = Member(
                name=name, instance_name=called, url=one.url, environment=one.environment, unknown=unknown
            )
        return self._members[name]

    def _called(self, name: str) -> tuple[str, str]:
        """The instance_name property of an instance, or why it is not known."""
        asked = query.term("name", "=", "instance_name")
        try:
            row = self._line(name).table.first("sys_properties", asked, fields=("value",))
        except ConfigError:
            raise
        except LinkspanError as error:
            return "", f"{name} could not be asked for its name ({error.cause}). Plan again when it can."
        called = str((row or {}).get("value") or "")
        twin = next((one.name for one in self._members.values() if one.instance_name == called), "")
        if not called:
            return "", f"{name} has no system property instance_name. Set it there, then plan again."
        if twin:
            return "", f"{name} and {twin} both call themselves {called}. Set instance_name on {name}."
        return called, ""
