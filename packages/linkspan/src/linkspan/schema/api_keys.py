"""Whether an instance can take API keys at all: its plugin, or, where that cannot be seen, its table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import NotAuthorized, Rejected

PLUGIN = "com.glide.tokenbased_auth"
PLUGIN_NAME = "API Key and HMAC Authentication"
FIRST_RELEASE = "Washington DC"

# fmt: off
# Releases are named along the alphabet, which began anew after Zurich; these came before Washington DC.
_OLDER = frozenset((
    "aspen", "berlin", "calgary", "dublin", "eureka", "fuji", "geneva", "helsinki", "istanbul",
    "jakarta", "kingston", "london", "madrid", "newyork", "orlando", "paris", "quebec", "rome",
    "sandiego", "tokyo", "utah", "vancouver",
))
# fmt: on
_BUILD = ("glide.buildtag.last", "glide.buildtag", "glide.war")
_RELEASE = re.compile(r"glide-([a-z]+)-")

State = Literal["ready", "inactive", "too_old", "absent", "hidden"]


@dataclass(frozen=True, kw_only=True)
class Availability:
    """``release`` is the family's name in lower case, empty when it cannot be seen."""

    state: State
    release: str = ""


def availability(line: Connection) -> Availability:
    """Ask the list of plugins, then the table of keys (ServiceNow docs: API Key and HMAC Authentication).

    ``hidden``: this user may see neither. Raises the errors of the line for anything else.
    """
    plugin = _plugin(line)
    if plugin is not None:
        return Availability(state="ready" if plugin else "inactive", release=release(line))
    try:
        line.table.page("api_key", fields=("sys_id",), limit=1)
    except NotAuthorized:
        return Availability(state="hidden", release=release(line))
    except Rejected as error:
        if error.code != "invalid_table":
            raise
        found = release(line)
        return Availability(state="too_old" if found in _OLDER else "absent", release=found)
    return Availability(state="ready", release=release(line))


def release(line: Connection) -> str:
    """The release family by the build tag, e.g. ``zurich``; empty when it cannot be seen."""
    rows = line.table.page(
        "sys_properties", query=query.one_of("name", _BUILD), fields=("name", "value"), limit=10
    ).rows
    tags = {str(row.get("name")): str(row.get("value") or "") for row in rows}
    found = (_RELEASE.search(tags.get(name, "")) for name in _BUILD)
    return next((match[1] for match in found if match), "")


def _plugin(line: Connection) -> bool | None:
    """Whether the plugin is active; None when it is not listed or the list cannot be seen."""
    try:
        row = line.table.first("v_plugin", query.term("id", "=", PLUGIN), ("id", "active"))
    except NotAuthorized:
        return None
    except Rejected as error:
        if error.code != "invalid_table":
            raise
        return None
    return None if row is None else str(row.get("active")).lower() in ("active", "true", "1")
