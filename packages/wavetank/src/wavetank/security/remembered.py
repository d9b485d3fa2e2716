"""What is made from the rows of some tables, and made again only after one of them was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from wavetank.instance import Instance

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """A value that `make` makes from the present rows of `tables`."""

    def __init__(self, instance: Instance, tables: tuple[str, ...], make: Callable[[], Value]) -> None:
        self._instance = instance
        self._tables = tables
        self._make = make
        self._made: tuple[int, Value] | None = None

    def now(self) -> Value:
        """The value of the moment."""
        revision = self._instance.database.revision(*self._tables)
        if self._made is None or self._made[0] != revision:
            self._made = (revision, self._make())
        return self._made[1]
