"""Recipes: what an integration needs of an account, as data, with a reason for each grant.

A recipe is a YAML file::

    recipe: NAME
    says: …
    application: {name, scope, table, because, install}   # a Store app; it is there if its table is,
                                                      # or, without `table`, if the roles of its scope are
    registers: {because}                              # every instance knows every other of the account's
    instead: [{guide, here}]                          # what a guide asks for, and what is done here
    uses: [incident]                                  # tables preflight tries; without the key, incident
    profiles:
      NAME:
        says: …
        user: {identity_type: human | machine, web_service_access_only: true | false, because}
        groups: [{name, because, grants: [{role, because}]}]
        grants: [{role, because, on: user, made: true}]  # without `on`, through a group of the account's
                                                      # own; `made`: a role that linkspan makes;
                                                      # `schemes: […]`: only where it signs in with one
        changes: false                                # it creates records and leaves them as they are
        reads_only: true                              # it creates none either
        acls: [{role, table, operation, because}]     # plus `field` and `condition` where they are needed
        scopes: [{name, because}]                     # auth scopes of the OAuth application, if there is one
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from linkspan.config.values import SCHEMES
from linkspan.core import query
from linkspan.core.errors import ConfigError

IDENTITY_TYPES = ("human", "machine")
_TOP = {"recipe", "says", "application", "registers", "instead", "uses", "profiles"}
_PROFILE = {"says", "user", "groups", "grants", "acls", "scopes", "changes", "reads_only"}
OPERATIONS = ("create", "read", "write", "delete")


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One role and why the account needs it.

    ``group`` names the group that carries it, empty for the account's own; ``direct`` means that it is
    granted to the user itself; ``made`` that the role is ours to make. ``schemes`` are those with which it is
    needed, empty for all.
    """

    role: str
    because: str
    group: str = ""
    direct: bool = False
    made: bool = False
    schemes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Acl:
    """An access control that lets ``role`` do ``operation`` on the records of ``table``.

    ``field`` narrows it to one field, ``condition`` (an encoded query) to some records; most have neither.
    """

    role: str
    table: str
    operation: str
    because: str
    field: str = ""
    condition: str = ""

    @property
    def name(self) -> str:
        """The access control's name on the instance: the table, or the table's field."""
        return f"{self.table}.{self.field}" if self.field else self.table


@dataclass(frozen=True, kw_only=True)
class Scope:
    """An auth scope that the account's OAuth application is given, by its name on the instance."""

    name: str
    because: str


@dataclass(frozen=True, kw_only=True)
class NamedGroup:
    """A group that several accounts may share, by its name on the instance."""

    name: str
    because: str


@dataclass(frozen=True, kw_only=True)
class UserFlags:
    """What kind of user the account is."""

    identity_type: str = "machine"
    web_service_access_only: bool = True
    because: str = "the account is a machine and signs in as itself"


@dataclass(frozen=True, kw_only=True)
class StoreApp:
    """An application a recipe builds on: there if its ``table`` is, else to be had as ``install`` says.

    Without a ``table`` the roles of its ``scope`` stand for it.
    """

    name: str
    scope: str
    because: str
    install: str
    table: str = ""


@dataclass(frozen=True, kw_only=True)
class Instead:
    """What a guide asks for, and what is done here in its place."""

    guide: str
    here: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One way to satisfy a recipe. ``grants`` are all of them, however they are carried.

    ``changes`` is whether the account changes records after it created them, ``reads_only`` that it creates
    none.
    ``left_groups`` and ``left_roles`` are what other profiles of the recipe give and this one takes back.
    """

    name: str
    says: str
    grants: tuple[Grant, ...]
    user: UserFlags = UserFlags()
    groups: tuple[NamedGroup, ...] = ()
    acls: tuple[Acl, ...] = ()
    changes: bool = True
    reads_only: bool = False
    scopes: tuple[Scope, ...] = ()
    left_groups: tuple[str, ...] = ()
    left_roles: tuple[str, ...] = ()

    def for_scheme(self, scheme: str) -> Profile:
        """With the grants that an account of this scheme needs."""
        needed = tuple(one for one in self.grants if not one.schemes or scheme in one.schemes)
        return self if needed == self.grants else replace(self, grants=needed)

    @property
    def own_grants(self) -> tuple[Grant, ...]:
        """Those carried by the account's own group."""
        return tuple(one for one in self.grants if not one.group and not one.direct)

    @property
    def direct_grants(self) -> tuple[Grant, ...]:
        """Those the user holds itself."""
        return tuple(one for one in self.grants if one.direct)

    def makes(self, role: str) -> bool:
        """Whether a role of this name is ours to make."""
        return any(one.made for one in self.grants if one.role == role)

    @property
    def has_own_group(self) -> bool:
        """Whether the account has a group of its own; not if every role comes another way."""
        return bool(self.own_grants) or not (self.groups or self.direct_grants)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named set of profiles. ``registers`` is why the instances must know each other, empty if not.

    ``uses`` are tables whose records the account works on, for preflight to try.
    """

    name: str
    says: str
    profiles: dict[str, Profile]
    application: StoreApp | None = None
    registers: str = ""
    instead: tuple[Instead, ...] = ()
    uses: tuple[str, ...] = ("incident",)

    def profile(self, name: str, *, where: str = "") -> Profile:
        """The profile of this name. Raises ConfigError naming the ones there are."""
        if name not in self.profiles:
            known = ", ".join(sorted(self.profiles))
            raise ConfigError(
                f"recipe {self.name} has no profile {name}", fix=f"use one of: {known}", where=where
            )
        return self.profiles[name]


def shipped() -> tuple[str, ...]:
    """Names of the recipes that come with linkspan."""
    folder = resources.files("linkspan.provision") / "recipes"
    return tuple(
        sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))
    )


def load(name: str, *, beside: Path | None = None, where: str = "") -> Recipe:
    """A shipped recipe by name, or one of the user's by path (relative to the folder ``beside``).

    Raises ConfigError when there is none, or when it is not written as a recipe.
    """
    if name in shipped():
        text = (resources.files("linkspan.provision") / "recipes" / f"{name}.yaml").read_text(
            encoding="utf-8"
        )
        return _parse(text, f"recipes/{name}.yaml")
    path = (beside or Path()) / name
    if not path.is_file():
        raise ConfigError(
            f"there is no recipe {name}",
            fix=f"use one of {', '.join(shipped())}, or the path of a recipe file",
            where=where,
        )
    return _parse(path.read_text(encoding="utf-8"), str(path))


def _parse(text: str, source: str) -> Recipe:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        return _recipe(YAML(typ="safe").load(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(
            "the recipe is not YAML", fix=str(error.problem), where=f"{source}:{line}"
        ) from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"the recipe is not complete ({error})",
            fix="it needs recipe, and profiles with grants or groups, each grant with role and because",
            where=source,
        ) from error


def _recipe(document: Any) -> Recipe:
    _only(document, _TOP)
    profiles = {str(name): _profile(str(name), body) for name, body in document["profiles"].items()}
    app = document.get("application")
    registers = document.get("registers")
    return Recipe(
        name=str(document["recipe"]),
        says=_said(document),
        profiles={name: _with_left(one, profiles) for name, one in profiles.items()},
        application=_app(app) if app else None,
        registers=_words(registers, "because")["because"] if registers else "",
        instead=tuple(Instead(**_words(one, "guide", "here")) for one in document.get("instead", ())),
        uses=tuple(str(table) for table in document.get("uses", ("incident",))),
    )


def _app(written: Any) -> StoreApp:
    table = ("table",) if "table" in written else ()
    return StoreApp(**_words(written, "name", "scope", "because", "install", *table))


def _profile(name: str, body: Any) -> Profile:
    _only(body, _PROFILE)
    if "grants" not in body and "groups" not in body:
        raise KeyError("grants")
    groups = body.get("groups", ())
    carried = [grant for one in groups for grant in _group_grants(one)]
    return Profile(
        name=name,
        says=_said(body),
        grants=(*carried, *(_grant(one) for one in body.get("grants", ()))),
        user=_user(body["user"]) if "user" in body else UserFlags(),
        groups=tuple(NamedGroup(name=_name(one["name"]), because=_because(one)) for one in groups),
        acls=tuple(_acl(one) for one in body.get("acls", ())),
        changes=_yes_or_no(body, "changes", default=True),
        reads_only=_yes_or_no(body, "reads_only", default=False),
        scopes=tuple(Scope(**_words(one, "name", "because")) for one in body.get("scopes", ())),
    )


def _group_grants(group: Any) -> list[Grant]:
    _only(group, {"name", "because", "grants"})
    return [replace(_grant(one), group=_name(group["name"]), direct=False) for one in group["grants"]]


def _grant(written: Any) -> Grant:
    _only(written, {"role", "because", "on", "made", "schemes"})
    if written.get("on", "user") != "user":
        raise ValueError(f"on: {written['on']}; only `on: user` is known")
    made = _yes_or_no(written, "made", default=False)
    schemes = tuple(str(one) for one in written.get("schemes", ()))
    strange = [one for one in schemes if one not in SCHEMES]
    if strange:
        raise ValueError(f"schemes: {strange[0]}; use some of {', '.join(SCHEMES)}")
    return Grant(
        role=_name(written["role"]),
        because=_because(written),
        direct="on" in written,
        made=made,
        schemes=schemes,
    )


def _acl(written: Any) -> Acl:
    extras = [name for name in ("field", "condition") if name in written]
    said = _words(written, "role", "table", "operation", "because", *extras)
    if said["operation"] not in OPERATIONS:
        raise ValueError(f"operation: {said['operation']}; use one of {', '.join(OPERATIONS)}")
    for name in ("role", "table", "field"):
        _name(said.get(name, name))
    return Acl(**said)


def _user(written: Any) -> UserFlags:
    _only(written, {"identity_type", "web_service_access_only", "because"})
    kind, services_only = written["identity_type"], written["web_service_access_only"]
    if kind not in IDENTITY_TYPES:
        raise ValueError(f"identity_type: {kind}; use one of {', '.join(IDENTITY_TYPES)}")
    if not isinstance(services_only, bool):
        raise TypeError("web_service_access_only is true or false")
    return UserFlags(identity_type=kind, web_service_access_only=services_only, because=_because(written))


def _with_left(profile: Profile, profiles: Mapping[str, Profile]) -> Profile:
    """The profile, knowing what the others give that it does not."""
    groups = {one.name for one in profile.groups}
    roles = {one.role for one in profile.direct_grants}
    left_groups = {group.name for one in profiles.values() for group in one.groups} - groups
    left_roles = {grant.role for one in profiles.values() for grant in one.direct_grants} - roles
    return replace(profile, left_groups=tuple(sorted(left_groups)), left_roles=tuple(sorted(left_roles)))


def _yes_or_no(written: Any, name: str, *, default: bool) -> bool:
    said = written.get(name, default)
    if not isinstance(said, bool):
        raise TypeError(f"{name} is true or false")
    return said


def _only(written: Any, known: set[str]) -> None:
    strange = sorted(str(key) for key in written if key not in known)
    if strange:
        raise ValueError(f"{strange[0]} is not known here")


def _words(written: Any, *names: str) -> dict[str, str]:
    _only(written, set(names))
    return {name: " ".join(str(written[name]).split()) for name in names}


def _name(written: Any) -> str:
    """A name that records are looked up by. Raises ValueError for one that no query can hold."""
    name = str(written)
    if not name.strip() or not name.isprintable():
        raise ValueError(f"{name!r} is no name")
    query.escape(name)
    return name


def _because(written: Any) -> str:
    return _words({"because": written["because"]}, "because")["because"]


def _said(written: Any) -> str:
    return " ".join(str(written.get("says", "")).split())
