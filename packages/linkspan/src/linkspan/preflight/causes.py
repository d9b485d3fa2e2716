"""The published list of causes, as data in ``causes.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from linkspan.core.check import Cause, Certainty


@lru_cache(maxsize=1)
def fixes() -> Mapping[str, str]:
    """Every published cause id with its fix, facts still in braces."""
    from ruamel.yaml import YAML

    text = (resources.files("linkspan.preflight") / "causes.yaml").read_text(encoding="utf-8")
    return MappingProxyType({str(id): str(fix) for id, fix in YAML(typ="safe").load(text).items()})


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"({key.replace('_', ' ')})"


def cause(id: str, certainty: Certainty = "certain", **facts: Any) -> Cause:
    """A cause of the list with its fix filled in. ``detail`` among the facts is kept beside it.

    Raises KeyError for an id that is not published.
    """
    return Cause(
        id=id,
        certainty=certainty,
        fix=fixes()[id].format_map(_Facts(facts)),
        detail=str(facts.get("detail", "")),
    )
