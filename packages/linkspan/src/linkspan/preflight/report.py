"""The answers of one preflight, as a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from linkspan.core.check import Answer, Outcome

OUTCOMES: tuple[Outcome, ...] = ("pass", "warn", "fail", "skip", "unknown")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found about one account on one instance; ``ms`` is milliseconds."""

    instance: str
    account: str
    check: str
    title: str
    answer: Answer
    ms: int

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "instance": self.instance,
            "account": self.account,
            "check": self.check,
            "title": self.title,
            "outcome": self.answer.outcome,
            "causes": [
                {"id": one.id, "certainty": one.certainty, "fix": one.fix, "detail": one.detail}
                for one in self.answer.causes
            ],
            "evidence": dict(self.answer.evidence),
            "ms": self.ms,
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """All findings of one run, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return not any(one.answer.outcome == "fail" for one in self.findings)

    def summary(self) -> dict[str, int]:
        """How many checks ended each way."""
        words = {
            "pass": "passed",
            "warn": "warned",
            "fail": "failed",
            "skip": "skipped",
            "unknown": "unknown",
        }
        return {
            words[outcome]: sum(one.answer.outcome == outcome for one in self.findings)
            for outcome in OUTCOMES
        }

    def document(self) -> dict[str, Any]:
        """The published shape."""
        return {"checks": [one.document() for one in self.findings], "summary": self.summary()}


def join(reports: Iterable[Report]) -> Report:
    """Several reports as one."""
    return Report(findings=tuple(one for report in reports for one in report.findings))
