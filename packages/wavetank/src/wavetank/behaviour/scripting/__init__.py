"""The seam where JavaScript rules enter the pipeline. No engine is plugged in yet.

Without an engine a rule that has a script is skipped and said so in `syslog`; what a rule states without
a script (conditions, field actions, abort) is carried out all the same.
"""

from __future__ import annotations

from typing import Protocol

from wavetank.behaviour.change import Change
from wavetank.database.store import Row


class ScriptEngine(Protocol):
    """Runs the scripts of `sys_script` rows."""

    def condition(self, rule: Row, change: Change) -> bool:
        """The value of the rule's `condition` expression."""
        ...

    def run(self, rule: Row, change: Change) -> bool:
        """Run the rule's `script` on the change; True when it called setAbortAction(true)."""
        ...
