"""Where linkspan keeps its state."""

from __future__ import annotations

import os
from pathlib import Path

from linkspan.core.errors import ConfigError


def home() -> Path:
    """``LINKSPAN_HOME`` or ``.linkspan`` in the working directory; made for its owner only (0700).

    Raises ConfigError when it cannot be made.
    """
    path = Path(os.environ.get("LINKSPAN_HOME") or ".linkspan").absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the home of linkspan cannot be made: {error.strerror}",
            where=str(path),
            fix="set LINKSPAN_HOME to a folder that you may write",
        ) from error
    return path


def private(path: Path) -> Path:
    """``path``, made empty for its owner only (0600) unless it exists.

    For files that a library would make as open as the umask leaves them; the home itself may be a
    folder that others may enter. Raises ConfigError when it cannot be made.
    """
    try:
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"it cannot be written: {error.strerror}",
            where=str(path),
            fix="set LINKSPAN_HOME to a folder that you may write",
        ) from error
    return path
