"""``linkspan scan …``: what is wrong on the fleet, and what differs between its instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkspan.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, OnInstance
from linkspan.cli.output import Reply, answering

if TYPE_CHECKING:
    from linkspan.scan.run import InstanceScan

LEVELS = ("act", "recommend", "suggest", "review")
_STYLES = {"act": "red", "recommend": "yellow", "suggest": "cyan", "review": "dim"}
_CELLS = {"clean": ("✓", "green"), "unknown": ("?", "magenta")}
_REASONS = 5
_NAMES = 6

Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", metavar="NAME", help="Only this suite of definitions (may be repeated)."),
]
AsAdmin = Annotated[
    bool,
    typer.Option("--as-admin", help="Look as the instance's administrator, read-only, to see everything."),
]
OneInstance = Annotated[str | None, typer.Option("--instance", metavar="NAME", help="Only this instance.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Scans of the fleet, read-only: run, findings, comparison.", no_args_is_help=True
    )
    group.command("instances")(instances)
    group.command("run")(run)
    group.command("findings")(findings)
    group.command("compare")(compare)
    app.add_typer(group, name="scan")


def instances(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Tell whether the Scan Engine can call each instance, why not, and what to do. Exit 1 if not all."""
    with answering("scan instances", as_json) as reply:
        from linkspan.flows.scan import scan_instances
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            reply.result = scan_instances(wiring)
        for name, one in reply.result["instances"].items():
            doubt = "" if one["certain"] else ", as far as can be seen"
            reply.say(f"{name} ({one['environment']}): {one['status']}{doubt}")
            for problem in one["problems"]:
                reply.say(f"  {problem['says']}\n  → {problem['fix']}")
            for reason in one["hidden"]:
                reply.say(f"  not seen: {reason}")
            if one["problems"]:
                reply.ends(1)


def run(
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    suite: Suites = None,
    as_admin: AsAdmin = False,
    as_json: AsJson = False,
) -> None:
    """Scan the fleet and keep what was found. Exit 0 when every instance was asked, whatever was found."""
    with answering("scan run", as_json) as reply:
        from linkspan.flows.scan import scan_fleet
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            done = scan_fleet(
                wiring,
                instances=instance,
                suites=suite or (),
                as_admin=as_admin,
                announce=lambda one: _tell(reply, one),
            )
        reply.result = done.document()
        for problem in done.problems:
            reply.problem(problem)
        found = ", ".join(f"{count} {level}" for level, count in done.levels().items() if count)
        reply.say(f"run {done.run}: {found or 'nothing found'}")


def findings(
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OneInstance = None,
    level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="Only act, recommend, suggest or review.")
    ] = None,
    definition: Annotated[str | None, typer.Option(metavar="ID", help="Only this definition.")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", metavar="LEVEL", help="Exit 1 when there is one of this level or graver."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what the newest run found, gravest first, and what it could not tell."""
    with answering("scan findings", as_json) as reply:
        from linkspan.flows.scan import scan_findings
        from linkspan.flows.wiring import Wiring

        _require_level(level, fail_on)
        with Wiring.open(config) as wiring:
            if instance is not None:
                wiring.instance(instance)
            reply.result = scan_findings(wiring, instance=instance, level=level, definition=definition)
        rows = reply.result["findings"]
        _list(reply, rows, reply.result["unknown"])
        if fail_on and any(LEVELS.index(row["level"]) <= LEVELS.index(fail_on) for row in rows):
            reply.ends(1)


def compare(
    config: ConfigFile = DEFAULT_CONFIG,
    everything: Annotated[
        bool, typer.Option("--all", help="Also definitions on which the instances agree.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show every definition on every instance of the newest run, and what is found on some only."""
    with answering("scan compare", as_json) as reply:
        from linkspan.flows.scan import scan_comparison
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            reply.result = scan_comparison(wiring.database)
        if not everything:
            rows = reply.result["definitions"]
            reply.result["definitions"] = [row for row in rows if _disagrees(row)]
        _matrix(reply, reply.result)


def _require_level(*levels: str | None) -> None:
    from linkspan.core.errors import ConfigError

    for level in levels:
        if level is not None and level not in LEVELS:
            raise ConfigError(f"{level} is not a level", fix=f"use one of: {', '.join(LEVELS)}")


def _disagrees(row: dict[str, Any]) -> bool:
    return bool(row["differs"]) or len({cell["verdict"] for cell in row["instances"].values()}) > 1


def _tell(reply: Reply, one: InstanceScan) -> None:
    verdicts = one.document()["verdicts"]
    words = ", ".join(f"{count} {word}" for word, count in verdicts.items() if count)
    reply.say(f"{one.instance}: {words} ({one.requests} requests as {one.user or 'nobody'})")


def _list(reply: Reply, rows: list[dict[str, Any]], unknown: list[dict[str, Any]]) -> None:
    """Scan findings by definition and instance, then what could not be told."""
    from rich.text import Text

    grouped: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        grouped.setdefault(row["definition"], {}).setdefault(row["instance"], []).append(row)
    for definition, by_instance in grouped.items():
        first = next(iter(by_instance.values()))[0]
        title = Text(f"{first['level']:<10}", style=_STYLES[first["level"]]).append(
            first["says"] or definition
        )
        reply.say(title)
        for name, found in by_instance.items():
            more = f" and {len(found) - _NAMES} more" if len(found) > _NAMES else ""
            reply.say(f"  {name}: {', '.join(_place(row) for row in found[:_NAMES])}{more}")
        reply.say(f"  → {first['fix']}")
    if not rows:
        reply.say("Nothing found.")
    if unknown:
        reply.say(f"{len(unknown)} could not be told:")
        for one in unknown[:_REASONS]:
            reply.say(f"  {one['instance']} {one['definition']}: {one['reason']}")
        if len(unknown) > _REASONS:
            reply.say("  … all of them: --json")


def _place(row: dict[str, Any]) -> str:
    """Where it is, with what the finding tells beside it."""
    detail = row["detail"]
    if "lines" in detail:
        return f"{row['display']} (line {', '.join(map(str, detail['lines']))})"
    if "value" in detail:
        return (
            f"{row['display']} (not set)"
            if detail["value"] is None
            else f"{row['display']} = {detail['value']}"
        )
    if "holders" in detail:
        return f"{row['display']} ({detail['holders']} users)"
    return str(row["display"])


def _matrix(reply: Reply, comparison: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    rows, names = comparison["definitions"], list(comparison["instances"])
    if not rows:
        reply.say("The instances agree.")
        return
    table = Table(box=None)
    for column in ("level", "definition", *names):
        table.add_column(column)
    for row in rows:
        cells = (row["instances"][name] for name in names)
        shown = [Text(*_CELLS.get(cell["verdict"], (str(cell["count"]), "red"))) for cell in cells]
        table.add_row(Text(row["level"], style=_STYLES[row["level"]]), row["definition"], *shown)
    reply.say(table)
    for row in rows:
        for one in row["differs"]:
            reply.say(
                f"  {row['definition']}: {one['display']} on {', '.join(one['found_on'])}, "
                f"not on {', '.join(one['missing_on'])}"
            )
