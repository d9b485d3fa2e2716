"""``linkspan findings …``: security findings into incidents, once each."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkspan.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile
from linkspan.cli.output import Reply, answering, plain, write_file

if TYPE_CHECKING:
    from linkspan.flows.findings import Imported

FATES = (
    *("created", "updated", "unchanged", "grouped"),
    *("queued", "below_threshold", "quarantined", "parked"),
)
_COLUMNS = (
    *("source", "product", "rule", "severity", "state", "title", "resource", "where"),
    *("number", "sys_id", "sightings", "first_seen", "last_seen", "fingerprint"),
)
_SHOWN = 10

Source = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="The source, when there is more than one.")
]
Format = Annotated[
    str | None, typer.Option("--format", metavar="F", help="sarif or ocsf; recognised when left out.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Security findings into incidents: import, preview, status, export.", no_args_is_help=True
    )
    group.command("import")(import_)
    group.command("preview")(preview)
    group.command("status")(status)
    group.command("retry")(retry)
    group.command("export")(export)
    group.command("test")(sample)
    app.add_typer(group, name="findings")


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="SARIF or OCSF files.")],
    config: ConfigFile = DEFAULT_CONFIG,
    format_name: Format = None,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Take findings in and make incidents of them. Exit 1 when something is quarantined or parked."""
    with answering("findings import", as_json) as reply:
        from linkspan.flows import findings as flow
        from linkspan.flows.wiring import Wiring

        _require_format(format_name)
        with Wiring.open(config) as wiring:
            chosen = flow.source_of(wiring, source)
            done = flow.import_files(wiring, chosen, files, format_name=format_name, announce=reply.say)
        _tell(reply, done)


def preview(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A SARIF or OCSF file.")],
    config: ConfigFile = DEFAULT_CONFIG,
    format_name: Format = None,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Show what an import would create, and how much at once. Only reads are sent; nothing is kept."""
    with answering("findings preview", as_json) as reply:
        from linkspan.flows import findings as flow
        from linkspan.flows.wiring import Wiring

        _require_format(format_name)
        with Wiring.open(config) as wiring:
            chosen = flow.source_of(wiring, source)
            reply.result = flow.preview_file(wiring, chosen, file, format_name=format_name)
        found = reply.result
        for one in found["incidents"][:_SHOWN]:
            fields = one["fields"]
            reply.say(f"{fields['short_description']}")
            reply.say(f"  impact {fields['impact']}, urgency {fields['urgency']}, {one['resource']}")
        blast = found["blast_radius"]
        if blast["incidents"] > _SHOWN:
            reply.say(f"… and {blast['incidents'] - _SHOWN} more: --json")
        _needs(reply, found["in_need"])
        reply.say(_equation(found).replace("created", "to be created"))
        if blast["hours"]:
            reply.say(f"the hourly budget spreads them over {blast['hours']} more hours")
        if found["quarantined"] or found["parked"]:
            reply.ends(1)


def status(config: ConfigFile = DEFAULT_CONFIG, source: Source = None, as_json: AsJson = False) -> None:
    """Tell what became of everything ever received. Exit 1 when something is quarantined or parked."""
    with answering("findings status", as_json) as reply:
        from linkspan.flows.findings import findings_status
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            reply.result = findings_status(wiring, source)
        for name, counts in reply.result["sources"].items():
            reply.say(f"{name}: {_equation(counts)}")
            if counts["queue"]:
                reply.say(f"  queued: {counts['queue']['cause']}")
        _needs(reply, reply.result["in_need"])
        if reply.result["quarantined"] or reply.result["parked"]:
            reply.ends(1)


def retry(config: ConfigFile = DEFAULT_CONFIG, source: Source = None, as_json: AsJson = False) -> None:
    """Serve again what is parked or queued, after its cause was put right."""
    with answering("findings retry", as_json) as reply:
        from linkspan.flows import findings as flow
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            chosen = flow.source_of(wiring, source)
            done = flow.retry(wiring, chosen)
        _tell(reply, done)


def export(
    config: ConfigFile = DEFAULT_CONFIG,
    source: Source = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Where to; otherwise standard output.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write every finding with its incident: CSV, or with --json one object with all of them."""
    with answering("findings export", as_json) as reply:
        from linkspan.findings.status import listed
        from linkspan.flows.findings import source_of
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            name = source_of(wiring, source).name if source else None
            rows = list(listed(wiring.database, name))
        reply.result = {"findings": rows}
        if output is not None:
            text = json.dumps(reply.result, indent=1) if output.suffix == ".json" else _csv(rows)
            write_file(output, text)
            reply.say(f"{len(rows)} findings written to {output}")
            reply.result = {"written": len(rows), "file": str(output)}
        elif not as_json:
            sys.stdout.write(_csv(rows))


def sample(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A source of linkspan.yaml.")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Send one marked sample finding the whole way and show its incident. Exit 1 when there is none."""
    with answering("findings test", as_json) as reply:
        from linkspan.flows import findings as flow
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            reply.result = flow.send_sample(wiring, flow.source_of(wiring, source))
        record = reply.result["record"]
        if record is None:
            reply.ends(1)
            reply.say("No incident was made.")
        else:
            reply.say(f"{record['number']}: {record['short_description']}, priority {record['priority']}")
            reply.say(f"  {record['url']}")
        _needs(reply, reply.result["in_need"])


def _require_format(name: str | None) -> None:
    from linkspan.core.errors import ConfigError
    from linkspan.findings.formats import NAMES

    if name is not None and name not in NAMES:
        raise ConfigError(f"{name} is not a format", fix=f"use one of: {', '.join(NAMES)}")


def _tell(reply: Reply, done: Imported) -> None:
    reply.result = done.counts
    for problem in done.problems:
        reply.problem(problem)
    _needs(reply, done.in_need)
    if reply.as_json:  # a person has read them above
        for need in done.in_need:
            where = " ".join(part for part in (need["where"], need["place"]) if part)
            told = {**{key: need[key] for key in ("code", "cause", "fix")}, "where": where}
            reply.problems.append(told)
    reply.say(_equation(done.counts))
    if done.counts["quarantined"] or done.counts["parked"]:
        reply.ends(1)


def _needs(reply: Reply, needs: Sequence[Mapping[str, Any]]) -> None:
    for need in needs[:_SHOWN]:
        what = f" {need['title']}" if need.get("title") else ""
        reply.say(f"{need['fate']} {need['place']}{what}: {need['cause']} [{need['code']}]")
        if need["fix"]:
            reply.say(f"  → {need['fix']}")
    if len(needs) > _SHOWN:
        reply.say(f"… and {len(needs) - _SHOWN} more: --json")


def _equation(counts: Mapping[str, Any]) -> str:
    parts = (f"{counts[fate]} {fate.replace('_', ' ')}" for fate in FATES if counts[fate])
    return f"{counts['received']} received = {' + '.join(parts) or '0'}"


def _csv(rows: list[dict[str, Any]]) -> str:
    from linkspan.core.spreadsheet import cell

    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(_COLUMNS)
    for row in rows:
        table.writerow([cell(plain(row[column]).replace("\n", "; ").strip()) for column in _COLUMNS])
    return out.getvalue()
