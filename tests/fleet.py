"""A fleet of its own for tests that need packs: `dev`, `qa` and `prod`, one process each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wavetank import Instance, running


@contextmanager
def fleet(tls: Path, packs: str) -> Iterator[dict[str, Instance]]:
    """Three instances that hold ``packs``, a comma list, for as long as the context lasts."""
    with running.fleet(pack=packs, tls_dir=tls) as started:
        yield started
