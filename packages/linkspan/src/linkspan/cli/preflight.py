"""``linkspan preflight`` (alias ``doctor``): can the accounts do their work, and if not, why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from linkspan.cli.options import DEFAULT_CONFIG, Account, AsJson, ConfigFile, OnInstance
from linkspan.cli.output import Reply, answering, plain

if TYPE_CHECKING:
    from linkspan.preflight.report import Finding, Report

_SIGNS = {
    "pass": ("✓", "green"),
    "warn": ("!", "yellow"),
    "fail": ("✗", "red"),
    "skip": ("·", "dim"),
    "unknown": ("?", "magenta"),
}


def register(app: typer.Typer) -> None:
    """Add the command and its alias."""
    app.command("preflight")(preflight)
    app.command("doctor", help="The same as preflight.", hidden=True)(preflight)


def preflight(
    account: Account = None,
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    write: Annotated[
        bool, typer.Option("--write", help="Also write one marked incident and remove it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prove that accounts can do their work; name the cause and the fix where not. Exit 1 on a failure."""
    with answering("preflight", as_json) as reply:
        from linkspan.flows.doctor import preflight_all
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            report = preflight_all(
                wiring,
                account=account,
                instances=instance,
                write=write,
                announce=lambda one: _show(reply, one),
            )
        reply.result = report.document()
        if not report.ok:
            reply.ends(1)
        summary = report.summary()
        reply.say(
            ", ".join(f"{count} {word}" for word, count in summary.items() if count) or "nothing to check"
        )


def _show(reply: Reply, report: Report) -> None:
    """One account on one instance as a short table."""
    if reply.as_json or not report.findings:
        return
    from rich.table import Table
    from rich.text import Text

    first = report.findings[0]
    table = Table(
        box=None, show_header=False, title=f"{first.account} on {first.instance}", title_justify="left"
    )
    table.add_column(width=1)
    table.add_column()
    table.add_column(justify="right", style="dim")
    for finding in report.findings:
        sign, style = _SIGNS[finding.answer.outcome]
        table.add_row(Text(sign, style=style), _words(finding), f"{finding.ms} ms")
    reply.say(table)


def _words(finding: Finding) -> str:
    story = [finding.title]
    for cause in finding.answer.causes:
        detail = f" ({cause.detail})" if cause.detail else ""
        story.append(f"  {cause.certainty}: {cause.id}{detail}\n  → {cause.fix}")
    if note := finding.answer.evidence.get("note"):
        story[0] += f" ({note})"
    if finding.answer.outcome == "skip":
        reason = finding.answer.evidence.get("reason") or "needs " + ", ".join(
            finding.answer.evidence["needs"]
        )
        story[0] += f" — {reason}"
    return plain("\n".join(story))
