"""Templates and the few ways values are written in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from linkspan.core import clock
from linkspan.flows.hub import FATES

NONE = "\N{EN DASH}"
MINUTE, HOUR, DAY = 60, 3600, 86_400


class Rendering:
    """Renders the templates of a folder. Everything is escaped; a name a template misses is an error."""

    def __init__(self, folder: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            ago=ago,
            lag=lag,
            number=number,
            iso=clock.iso_time,
            shares=shares,
            words=words,
            bare=bare,
            code=code,
        )
        self._environment.globals["here"] = ""

    def add_filter(self, name: str, write: Callable[..., str]) -> None:
        """Let templates write values in one more way."""
        self._environment.filters[name] = write

    def page(self, template: str, **values: object) -> str:
        """The text of a template with these values."""
        return self._environment.get_template(template).render(**values)


def ago(at: float) -> str:
    """How long ago a moment (epoch seconds) was, in a word or two."""
    seconds = clock.now() - at
    for length, word in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {word} ago"
    return "just now" if seconds < 5 else f"{int(seconds // 5 * 5)} s ago"


def lag(seconds: float | None) -> str:
    """A duration people compare: 240 ms, 1.8 s, 3 min; a dash for none."""
    if seconds is None:
        return NONE
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{round(seconds / MINUTE)} min" if seconds < 2 * HOUR else f"{round(seconds / HOUR)} h"


def number(count: int | None) -> str:
    """A count with its thousands apart."""
    return NONE if count is None else f"{count:,}"


def shares(sync: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fates of a ledger as parts of a bar, percent of what was received."""
    ledger, parts, start = sync["ledger"], [], 0.0
    whole = sum(ledger[fate] for fate in FATES) or 1
    for fate in FATES:
        share = 100 * ledger[fate] / whole
        parts.append(
            {"fate": fate, "count": ledger[fate], "start": round(start, 3), "share": round(share, 3)}
        )
        start += share
    return parts


def words(name: str) -> str:
    """A stable id as words: ``wrong_password`` is read ``Wrong password``."""
    return name.replace("_", " ").replace("-", " ").capitalize()


def code(text: str) -> Markup:
    """A sentence with its `back-ticked` parts set as code."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def bare(url: str) -> str:
    """A URL without its scheme."""
    return url.partition("://")[2] or url
