"""``linkspan ingest …``: tables of an instance into the warehouse, and out of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linkspan.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile, OnInstance
from linkspan.cli.output import Reply, answering, plain

if TYPE_CHECKING:
    from linkspan.flows.ingest import Ingested

Streams = Annotated[
    list[str] | None, typer.Argument(metavar="[STREAM]…", help="A table, or INSTANCE/TABLE; by default all.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Tables of an instance into the warehouse.", no_args_is_help=True)
    group.command("run")(run)
    group.command("status")(status)
    group.command("verify")(verify)
    group.command("purge")(purge)
    group.command("export")(export)
    app.add_typer(group, name="ingest")


def run(
    stream: Streams = None,
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything again.")] = False,
    accept_vanished: Annotated[
        bool, typer.Option("--accept-vanished", help="Call vanished rows deleted, however many they are.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring streams up to date. Exit 1 unless each is verified to hold what its instance shows."""
    with answering("ingest run", as_json) as reply:
        from linkspan.flows.ingest import ingest_run
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            done = ingest_run(
                wiring,
                names=stream or (),
                instances=instance or (),
                full=full,
                accept_vanished=accept_vanished,
                announce=_progress,
            )
        _tell(reply, done)


def status(
    stream: Streams = None,
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Show how the streams stand, by the warehouse alone, and what the satellites said last."""
    with answering("ingest status", as_json) as reply:
        from linkspan.flows.ingest import ingest_status
        from linkspan.flows.satellites import satellites_status
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            tenants = satellites_status(wiring)
            # A hub may ingest nothing by itself.
            own = wiring.config.ingest or not tenants or stream or instance
            streams = ingest_status(wiring, names=stream or (), instances=instance or ()) if own else {}
        reply.result = {"streams": {}, **streams, "satellites": tenants}
        for name, one in reply.result["streams"].items():
            _tell_standing(reply, name, one)
        for tenant, found in tenants.items():
            if not found["satellites"]:
                reply.say(f"tenant {tenant}: no satellite was ever heard of")
            for satellite in found["satellites"]:
                _tell_satellite(reply, tenant, satellite)
            for name, one in found["streams"].items():
                _tell_standing(reply, name, one)


def _tell_standing(reply: Reply, name: str, one: dict[str, Any]) -> None:
    last = one["finished"] or "never"
    reply.say(f"{name}: {one['stored']} stored, {one['deleted']} deleted, last run up to {last}")
    if one["unfinished"]:
        reply.say("  a sweep was cut off: the next run goes on with it")
    for word in ("hashed", "mixed", "unreadable"):
        if one["fields"][word]:
            reply.say(f"  {word}: {', '.join(one['fields'][word])}")
    for row in one["quarantined"]:
        reply.say(f"  quarantined: {row['sys_id']} ({row['reason']})")


def _tell_satellite(reply: Reply, tenant: str, one: dict[str, Any]) -> None:
    word = (
        "silent" if one["silent"] else "stopped" if one["left"] else "reads" if one["held"] else "stands by"
    )
    reply.say(
        f"tenant {tenant}: satellite {one['holder'][:8]} {word}, last heard of {one['seen_at']}, "
        f"release {one['version']}, clock {one['skew_s']:+.1f} s, {one['spool_batches']} batches "
        f"({one['spool_bytes']} bytes) wait there"
    )
    for trouble in one["trouble"]:
        reply.say(f"  {trouble['where']}: {trouble['cause']} [{trouble['code']}]\n  → {trouble['fix']}")


def verify(
    stream: Streams = None,
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Compare what is stored with the instance, row by row, and change nothing. Exit 1 when they differ."""
    with answering("ingest verify", as_json) as reply:
        from linkspan.flows.ingest import ingest_verify
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            done = ingest_verify(wiring, names=stream or (), instances=instance or ())
        _tell(reply, done)


def purge(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="A table, or INSTANCE/TABLE.")],
    field: Annotated[str, typer.Option("--field", metavar="F", help="The field whose history goes.")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Take the stored history of an excluded field out of the warehouse, and search for what is left.

    Exit 1 when a value that the field had is still found somewhere: another field may hold the same text.
    """
    with answering("ingest purge", as_json) as reply:
        from linkspan.flows.ingest import ingest_purge
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            done = ingest_purge(wiring, stream, field)
        reply.result = {"streams": {name: one.document() for name, one in done.items()}}
        for name, one in done.items():
            reply.say(
                f"{name}: {one.values} values of {field} taken out; {one.searched} of them searched for "
                f"in {one.files} files"
            )
            if not one.proven:
                reply.say(f"  still found in {', '.join(one.found_in)}: another field may hold the same text")
                reply.ends(1)


def export(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write to.")],
    stream: Streams = None,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="parquet or csv.")] = "parquet",
    config: ConfigFile = DEFAULT_CONFIG,
    instance: OnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Write streams to files: DIR/INSTANCE/STREAM.parquet or .csv."""
    with answering("ingest export", as_json) as reply:
        from linkspan.flows.ingest import ingest_export
        from linkspan.flows.wiring import Wiring

        with Wiring.open(config) as wiring:
            files = ingest_export(wiring, out, form, names=stream or (), instances=instance or ())
        reply.result = {"files": files}
        for path, count in files.items():
            reply.say(f"{path}: {count} rows")
        if not files:
            reply.say("Nothing is stored yet.")


def _progress(stream: str, text: str) -> None:
    sys.stderr.write(plain(f"{stream}: {text}") + "\n")
    sys.stderr.flush()


def _tell(reply: Reply, done: Ingested) -> None:
    reply.result = done.document()
    for problem in done.problems:
        reply.problem(problem)
    for name, one in done.streams.items():
        hidden = "" if not one.hidden else f", {one.hidden} hidden from the account"
        word = "verified" if one.verified else "NOT verified"
        reply.say(
            f"{name}: {one.stored} stored of {one.counted} counted{hidden}, {one.deleted} deleted: {word}"
        )
        for gap in one.gaps:
            reply.say(f"  {gap['kind']}: {gap['count']} ({', '.join(gap['sys_ids'])})\n  → {gap['fix']}")
        for warning in one.warnings:
            reply.say(f"  {warning}")
        if not one.verified:
            reply.ends(1)
