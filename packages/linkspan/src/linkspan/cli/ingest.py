"""``linkspan ingest …``: tables of an instance into the warehouse, and out of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

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
    group.command("verify")(verify)
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
