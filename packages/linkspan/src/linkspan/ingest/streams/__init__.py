"""The streams that are known by name: which fields an analysis of incidents and changes needs.

A stream's ``fields`` map the field to its internal type, so that it works for an account that may not
read the dictionary; where it may, the dictionary's types count and custom fields (``u_``, ``x_``) join.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from ruamel.yaml import YAML


@cache
def known(table: str) -> dict[str, str] | None:
    """Internal type by field of a known stream, None for any other table."""
    path = files(__name__) / f"{table}.yaml"
    if not path.is_file():
        return None
    read = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return {str(name): str(kind) for name, kind in read["fields"].items()}
