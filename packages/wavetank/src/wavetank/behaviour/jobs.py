"""What an instance does by itself, on its own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wavetank.behaviour.archive import Archive
from wavetank.behaviour.autoclose import Autoclose
from wavetank.security import keys, restriction

if TYPE_CHECKING:
    from wavetank.instance import Instance

# How often the platform's own scheduled jobs run (ServiceNow docs: "Change an archive schedule").
EVERY = 3600


class Jobs:
    """The recurring jobs of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.autoclose = Autoclose(instance)
        self.archive = Archive(instance)
        self.start()

    def start(self) -> None:
        """Put them on the clock; once, and again when the clock has forgotten everything."""
        self._instance.clock.every(EVERY, self._run)

    def _run(self) -> None:
        with self._instance.lock:
            self.autoclose.run()
            self.archive.run()
            keys.clean(self._instance)
            restriction.start(self._instance)
            self._instance.identity.tokens.clean()
