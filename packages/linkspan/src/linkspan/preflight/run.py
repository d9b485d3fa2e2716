"""Asking the checks, those that others depend on first."""

from __future__ import annotations

import time
from collections.abc import Sequence

from linkspan.core.check import Answer, Cause, Check
from linkspan.core.errors import BadReply, LinkspanError, NotAuthorized, RateLimited, Unreachable
from linkspan.preflight.context import Context
from linkspan.preflight.report import Finding, Report

_ENOUGH = ("pass", "warn", "unknown")  # what could not be told does not stop what follows


def run(checks: Sequence[Check], context: Context, *, write: bool = False) -> Report:
    """Ask every check about one account on one instance. Nothing is raised for a broken instance.

    A check whose needs failed or were skipped is skipped; one that writes runs only with ``write``.
    """
    outcomes: dict[str, str] = {}
    findings: list[Finding] = []
    for check in checks:
        started = time.perf_counter()
        answer = _ask(check, context, outcomes, write=write)
        outcomes[check.name] = answer.outcome
        findings.append(
            Finding(
                instance=context.instance.name,
                account=context.account.name,
                check=check.name,
                title=check.title,
                answer=answer,
                ms=round((time.perf_counter() - started) * 1000),
            )
        )
    return Report(findings=tuple(findings))


def _ask(check: Check, context: Context, outcomes: dict[str, str], *, write: bool) -> Answer:
    unmet = [name for name in check.needs if outcomes.get(name) not in _ENOUGH]
    if unmet:
        return Answer(outcome="skip", evidence={"needs": unmet})
    if check.writes and not write:
        return Answer(outcome="skip", evidence={"reason": "asked only with --write"})
    try:
        return check.run(context)
    except LinkspanError as error:
        return Answer(outcome="fail", causes=(of_error(context, error),), evidence={"code": error.code})


def of_error(context: Context, error: LinkspanError) -> Cause:
    """The published cause that an error of the line stands for."""
    detail = error.cause
    if isinstance(error, NotAuthorized):
        ids = {
            "api_acl": "api_acl_denied",
            "scope_unscoped": "oauth_scope_restricted",
            "missing_scope": "oauth_scope_restricted",
            "edge_refused": "ip_access_denied",
        }
        return context.cause(ids.get(error.code, "read_denied"), "certain", detail=detail, table="the table")
    if isinstance(error, RateLimited):
        return context.cause("rate_limited", detail=detail)
    if isinstance(error, Unreachable):
        return context.cause("connection_broken", "likely", detail=detail, host=context.instance.url)
    if isinstance(error, BadReply):
        return context.cause("platform_error", "likely", detail=detail)
    return context.cause("platform_error", "possible", detail=detail)
