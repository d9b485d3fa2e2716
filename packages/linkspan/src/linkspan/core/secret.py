"""A secret as a value that does not show itself.

Passwords and tokens travel in a ``Secret``; only the line of code that sends one calls ``reveal``.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

HIDDEN = "[secret]"


class Secret:
    """Secret text. ``str``, ``repr``, formatting and pickling never give it away; ``reveal`` does."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def of(cls, value: str | Secret) -> Secret:
        """``value`` wrapped, unless it already is."""
        return value if isinstance(value, Secret) else cls(value)

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied into files")
