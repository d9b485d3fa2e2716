"""An answer of an instance that was not a failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One accepted answer. ``json`` is the decoded body, None when there was none.

    ``headers`` has lower-case names. ``body`` holds the bytes as decoded from the transfer.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    json: Any = None

    @property
    def result(self) -> Any:
        """What the platform's REST APIs wrap in ``result``; None when the body has none."""
        return self.json.get("result") if isinstance(self.json, dict) else None
