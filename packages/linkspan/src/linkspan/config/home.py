"""Where linkspan keeps its state."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """``LINKSPAN_HOME`` or ``.linkspan`` in the working directory; made for its owner only (0700)."""
    path = Path(os.environ.get("LINKSPAN_HOME") or ".linkspan").absolute()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
