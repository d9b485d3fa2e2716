"""``linkspan apply``: carry out what plan shows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linkspan.cli.options import DEFAULT_CONFIG, Account, AsJson, ConfigFile, OnInstance, Yes
from linkspan.cli.output import Reply, answering

if TYPE_CHECKING:
    from linkspan.flows.setup import Result
    from linkspan.provision.values import Plan

PlanFile = Annotated[
    Path | None, typer.Option("--plan", metavar="FILE", help="Apply exactly this reviewed plan, or refuse.")
]
Accept = Annotated[
    list[str] | None, typer.Option("--accept", metavar="BRAKE", help="Accept this brake (may be repeated).")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("apply")(apply)


def apply(
    account: Account = None,
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    plan_file: PlanFile = None,
    accept: Accept = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring accounts to what the configuration says, and sign in as each of them."""
    with answering("apply", as_json) as reply:
        from linkspan.cli.plan import show
        from linkspan.flows.govern import guarded
        from linkspan.flows.setup import apply_all, plan_all, require_same, reviewed
        from linkspan.flows.wiring import Wiring

        expected = reviewed(plan_file) if plan_file else None
        with Wiring.open(config) as wiring:
            found = guarded(wiring, plan_all(wiring, account=account, instances=instance))
            if expected is not None:
                require_same(found, expected)
            show(reply, wiring, found)
            if not _confirmed(found, yes=yes or expected is not None, as_json=as_json):
                from linkspan.core.errors import Interrupted

                raise Interrupted("nothing was changed", fix="run it again and answer y")
            result = apply_all(
                wiring,
                found,
                accept=accept or (),
                announce=lambda where, change: reply.say(
                    f"{where}: {change.action} {change.kind} {change.key}"
                ),
            )
            _tell(reply, result)


def _confirmed(plan: Plan, *, yes: bool, as_json: bool) -> bool:
    if yes or not any(change.action != "manual" for change in plan.changes):
        return True
    if as_json or not sys.stdin.isatty():
        from linkspan.core.errors import ConfigError

        raise ConfigError(
            "apply asks before it changes anything, and there is nobody to ask", fix="add --yes"
        )
    return typer.confirm("Apply these changes?", default=False)


def _tell(reply: Reply, result: Result) -> None:
    reply.result = result.document()
    for problem in result.problems:
        reply.problem(problem)
    if result.manual:
        reply.ends(4)
    for name, one in result.instances.items():
        logins = ", ".join(f"{account} signs in as {user}" for account, user in one.logins.items())
        state = "stopped" if one.problem else "steps left by hand" if one.manual else "done"
        reply.say(f"{name}: {len(one.done)} changes, {state}{'; ' + logins if logins else ''}")
