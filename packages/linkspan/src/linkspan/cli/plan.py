"""``linkspan plan``: what apply would do. Only reads leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from linkspan.cli.options import DEFAULT_CONFIG, Account, AsJson, ConfigFile, OnInstance
from linkspan.cli.output import Reply, answering, plain

if TYPE_CHECKING:
    from linkspan.flows.wiring import Wiring
    from linkspan.provision.values import Plan

_STYLES = {
    "instance": "bold",
    "create": "green",
    "update": "yellow",
    "delete": "red",
    "manual": "magenta",
    "detail": "dim",
    "brake": "bold red",
    "problem": "red",
    "quiet": "dim",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


def plan(
    account: Account = None,
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="For a pull request.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what apply would do, and why. Exit 1 when there is something to do."""
    with answering("plan", as_json) as reply:
        from linkspan.flows.govern import guarded
        from linkspan.flows.setup import plan_all
        from linkspan.flows.wiring import Wiring
        from linkspan.provision import render

        with Wiring.open(config) as wiring:
            found = guarded(wiring, plan_all(wiring, account=account, instances=instance))
            reply.result = found.document()
            for problem in found.problems:
                reply.problem(problem)
            if found.changes:
                reply.ends(1)
            if markdown and not as_json:
                reply.say(render.markdown(found))
            else:
                show(reply, wiring, found)


def show(reply: Reply, wiring: Wiring, plan: Plan) -> None:
    """Print a plan for a person."""
    from rich.text import Text

    from linkspan.provision import render

    names = {name: one.url for name, one in wiring.config.instances.items()}
    for style, line in render.lines(plan, names=names):
        reply.say(Text(plain(line), style=_STYLES[style]))
