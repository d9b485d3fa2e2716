"""One thing a guide promises, and whether it is there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Checked:
    """``check`` is a sentence, ``seen`` what was found instead when it does not hold."""

    check: str
    ok: bool
    seen: str = ""

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def same(check: str, seen: object, wanted: object) -> Checked:
    """Holds when both are equal."""
    return Checked(check=check, ok=seen == wanted, seen="" if seen == wanted else f"{seen!r}, not {wanted!r}")
