"""Where JavaScript enters: the scripts of access controls, of business rules and of before-query rules.

`Scripts` is the door; `engine` knows how scripts run and what bounds them, `host` what they may ask. A
script that fails, or reaches for what is not emulated, is said so in `syslog`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from wavetank.behaviour.custom import aborted
from wavetank.behaviour.scripting.engine import (
    Engine,
    Kind,
    Limits,
    NotBuilt,
    Plain,
    ScriptFailed,
    ScriptStopped,
)
from wavetank.behaviour.scripting.host import LACKING, Asked, Narrowing, Writing

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change
    from wavetank.instance import Instance
    from wavetank.security.who import Session

Row = Mapping[str, str]
ERROR = "2"
_ANSWERS = re.compile(r"\b(answer|return)\b")
_LOWERED = "true"


class Scripts:
    """Runs the scripts of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._engine = Engine(LACKING)
        # What was said once of a script is not said for every row; what ran too long is not run again.
        self._told: set[tuple[str, str]] = set()
        self._stopped: set[tuple[int, str, float]] = set()
        self._pending: list[dict[str, str]] = []

    def allows(self, script: str, table: str, row: Row | None, session: Session, operation: str = "") -> bool:
        """Whether an access control's script says yes: true in `answer`, or as its value.

        Everything else refuses: another answer, an error, too long a run. `row` is what the script finds
        in `current`; None where there is no record. Never raises for what the script does.
        """
        asked = Asked(self._instance, session, table, row, operation)
        limits = self._limits
        key = (self._instance.database.revision("sys_security_acl"), script, limits.seconds)
        if key in self._stopped:
            return False
        try:
            said = self._answer(script, asked, limits)
        except (ScriptFailed, ScriptStopped, NotBuilt) as error:
            if isinstance(error, ScriptStopped):
                self._stopped.add(key)
            self._tell(asked, f"access control on {table}", script, _why(error))
            return False
        finally:
            self._log(asked, f"access control on {table}")
        return said is True or said == _LOWERED

    def narrows(self, rule: Row, table: str, session: Session) -> str:
        """The encoded query that a before-query rule adds; no row matches where its script fails."""
        asked = Narrowing(self._instance, session, table)
        source = _source(rule)
        try:
            if rule.get("condition") and not self._holds(rule, asked, past=False):
                return ""
            self._engine.run(rule["sys_id"], "body", rule["script"], asked, self._limits, before=False)
        except (ScriptFailed, ScriptStopped, NotBuilt) as error:
            self._tell(asked, source, rule["script"], _why(error))
            return "" if self._instance.settings.get("script_failure") == "goes_on" else "sys_idISEMPTY"
        finally:
            self._log(asked, source)
        return "^".join(asked.terms)

    def condition(self, rule: Row, change: Change) -> bool:
        """The value of a business rule's `condition` expression; one that fails is not met."""
        asked = _writing(rule, change)
        return bool(self._guarded(rule, asked, lambda: self._holds(rule, asked, past=_past(rule))))

    def run(self, rule: Row, change: Change) -> bool:
        """Run a business rule's script; True when it ended with setAbortAction(true).

        Raises PlatformError when the script had to be stopped: its transaction fails.
        """
        asked = _writing(rule, change)

        def work() -> Plain:
            past = _past(rule) and change.previous is not None
            return self._engine.run(rule["sys_id"], "body", rule["script"], asked, self._limits, before=past)

        self._guarded(rule, asked, work)
        return asked.aborted()

    @property
    def _limits(self) -> Limits:
        settings = self._instance.settings
        megabytes = max(1, int(settings.get("script_memory_mb")))
        return Limits(float(settings.get("script_seconds")), megabytes << 20)

    def _answer(self, script: str, asked: Asked, limits: Limits) -> Plain:
        kind: Kind = "answer" if _ANSWERS.search(script) else "expression"
        source = script if kind == "answer" else script.strip().rstrip(";")
        try:
            return self._engine.run(script, kind, source, asked, limits, before=False)
        except ScriptFailed as error:
            if kind == "answer" or not str(error).startswith("SyntaxError"):
                raise
        return self._engine.completion(script, asked, limits)

    def _holds(self, rule: Row, asked: Asked, *, past: bool) -> bool:
        text = rule["condition"].strip().rstrip(";")
        value = self._engine.run(rule["sys_id"], "expression", text, asked, self._limits, before=past)
        return bool(value) and value != "false"

    def _guarded(self, rule: Row, asked: Asked, work: Callable[[], Plain]) -> Plain:
        """The value, or None when the script failed. Raises PlatformError when it had to be stopped."""
        source = _source(rule)
        try:
            return work()
        except ScriptStopped as error:
            self._tell(asked, source, rule["sys_id"], _why(error), again=True)
            raise aborted(asked.table, rule["name"], rule["sys_id"]) from None
        except (ScriptFailed, NotBuilt) as error:
            self._tell(asked, source, rule["sys_id"], _why(error), again=True)
            if self._instance.settings.get("script_failure") == "aborts":
                raise aborted(asked.table, rule["name"], rule["sys_id"]) from None
            return None
        finally:
            self._log(asked, source)

    # -- the log

    def _tell(self, asked: Asked, source: str, script: str, why: str, *, again: bool = False) -> None:
        key = (script, why)
        if again or key not in self._told:
            self._told.add(key)
            asked.said.append((ERROR, f"Script of {source}: {why}"[:4000]))

    def _log(self, asked: Asked, source: str) -> None:
        """Rows of syslog, after the transaction: what a script said stays said when it is undone."""
        stamp = self._instance.clock.text()
        for level, message in asked.said:
            self._pending.append(
                {"level": level, "source": source[:100], "message": message, "sys_created_on": stamp}
            )
        if asked.said and len(self._pending) == len(asked.said):
            self._instance.clock.after(0, self.flush)

    def drop(self) -> None:
        """Other rows are in place: what waits for the log, and what is known of scripts, goes."""
        self._pending.clear()
        self._told.clear()
        self._stopped.clear()

    def flush(self) -> None:
        """Write the rows of syslog that wait for the end of their transaction."""
        rows, self._pending = self._pending, []
        for row in rows:
            self._instance.database.insert("syslog", row)


def _writing(rule: Row, change: Change) -> Writing:
    return Writing(change, before=rule["when"] == "before", past=_past(rule))


def _past(rule: Row) -> bool:
    """Async rules have no `previous` (ServiceNow docs: Business rules)."""
    return not rule["when"].startswith("async")


def _source(rule: Row) -> str:
    return f"business rule {rule['name']} on {rule['collection']}"


def _why(error: BaseException) -> str:
    return f"{error} is not built here" if isinstance(error, NotBuilt) else str(error)
