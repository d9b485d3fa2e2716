"""Recipes: what an integration needs of an account, as data, with a reason for each grant.

A recipe is a YAML file: ``recipe``, ``says``, ``profiles: {NAME: {says, grants: [{role, because}]}}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from linkspan.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One role and why the account needs it."""

    role: str
    because: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One way to satisfy a recipe: ``least`` (the default) or ``documented``."""

    name: str
    says: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A named set of profiles."""

    name: str
    says: str
    profiles: dict[str, Profile]

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
        document: Any = YAML(typ="safe").load(text)
        profiles = {
            str(name): Profile(
                name=str(name),
                says=str(body.get("says", "")).strip(),
                grants=tuple(
                    Grant(role=str(grant["role"]), because=str(grant["because"]).strip())
                    for grant in body["grants"]
                ),
            )
            for name, body in document["profiles"].items()
        }
        return Recipe(
            name=str(document["recipe"]), says=str(document.get("says", "")).strip(), profiles=profiles
        )
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(
            "the recipe is not YAML", fix=str(error.problem), where=f"{source}:{line}"
        ) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"the recipe is not complete ({error})",
            fix="it needs recipe, and profiles with grants, each with role and because",
            where=source,
        ) from error
