"""A process that shall not outlive the one that started it."""

import os
import sys
from collections.abc import Callable


def until_parent_ends(stop: Callable[[], None]) -> None:
    """Reads standard input to its end, which comes when the parent is gone, however it went; then stops."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop()
