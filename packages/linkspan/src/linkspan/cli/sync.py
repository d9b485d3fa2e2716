"""``linkspan sync …``: how the syncs are doing."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from linkspan.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile
from linkspan.cli.output import Reply, answering, plain

Name = Annotated[str | None, typer.Argument(metavar="SYNC", help="Only this sync.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Two-way syncs: state, ledger, conflicts.", no_args_is_help=True)
    group.command("status")(status)
    group.command("wait")(wait)
    group.command("conflicts")(conflicts)
    group.command("parked")(parked)
    app.add_typer(group, name="sync")


def status(sync: Name = None, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show state, links, lag and the ledger of each sync."""
    with answering("sync status", as_json) as reply:
        from linkspan.flows.watch import syncs_status
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            reply.result = syncs_status(wiring, sync)
            _show(reply, reply.result)


def wait(
    sync: Name = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 60,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Wait until nothing is pending and both sides were polled. Exit 1 at the timeout."""
    with answering("sync wait", as_json) as reply:
        from linkspan.flows.watch import wait_quiet
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            quiet, reply.result = wait_quiet(wiring, sync, timeout=timeout, tell=lambda _found: None)
            _show(reply, reply.result)
            if not quiet:
                reply.ends(1)


def conflicts(
    sync: Name = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=1000)] = 50,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List fields that were changed on both sides, with both values and the rule that decided."""
    with answering("sync conflicts", as_json) as reply:
        from linkspan.flows.watch import kept_conflicts
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            found = kept_conflicts(wiring, sync, limit=limit)
            reply.result = {"conflicts": found}
            columns = (
                "kind",
                "number",
                "peer_reference",
                "field",
                "peer_value",
                "instance_value",
                "kept",
                "rule",
            )
            _table(reply, found, columns, nothing="No conflicts.")


def parked(sync: Name = None, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """List events that could not be applied, with cause and fix. Exit 1 when there are any."""
    with answering("sync parked", as_json) as reply:
        from linkspan.flows.watch import syncs_status
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            states = syncs_status(wiring, sync)["syncs"]
            found = [{"sync": name, **event} for name, state in states.items() for event in state["parked"]]
            reply.result = {"parked": found}
            columns = ("sync", "kind", "record", "cause", "fix", "text", "link")
            _table(reply, found, columns, nothing="Nothing is parked.")
            if found:
                reply.ends(1)


def _show(reply: Reply, found: dict[str, Any]) -> None:
    for name, state in found["syncs"].items():
        ledger = state["ledger"]
        parts = " + ".join(f"{count} {fate}" for fate, count in ledger.items() if fate != "received")
        lag = state["lag"]
        quiet = "quiet" if state["quiet"] else "not quiet"
        reply.say(
            f"{name}: {state['state']}, {quiet}, {state['links']} links, {state['conflicts']} conflicts"
        )
        reply.say(f"  received {ledger['received']} = {parts}")
        reply.say(f"  lag p50 {_seconds(lag['p50_s'])}, p95 {_seconds(lag['p95_s'])}")
        if state["state"] == "stopped":
            reply.say("  no hub polls it\n  → linkspan serve")
        if state["trouble"]:
            trouble = state["trouble"]
            reply.say(f"  trouble: {trouble['kind']}s: {plain(trouble['cause'])}\n  → {trouble['fix']}")
        for link in state["waiting"][:10]:
            what = f"{link['kind']} {link['record']}"
            reply.say(f"  tried {link['attempts']} times: {what}: {plain(link['cause'])}")
        for event in state["parked"][:10]:
            reply.say(
                f"  parked: {event['kind']} {event['record']}: {plain(event['cause'])}\n  → {event['fix']}"
            )
    if not found["syncs"]:
        reply.say("No sync is configured.")


def _table(reply: Reply, rows: list[dict[str, Any]], columns: tuple[str, ...], *, nothing: str) -> None:
    if not rows:
        reply.say(nothing)
        return
    from rich.table import Table

    table = Table(*(column.replace("_", " ") for column in columns))
    for row in rows:
        table.add_row(*(plain(row.get(column) or "") for column in columns))
    reply.say(table)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"
