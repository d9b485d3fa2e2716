"""``linkspan satellite run``: read instances inside a network, send to a hub, listen nowhere."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linkspan.cli.options import AsJson
from linkspan.cli.output import Reply, answering, plain

if TYPE_CHECKING:
    from linkspan.satellite.run import Satellite


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Reads instances inside a network for a hub outside.", no_args_is_help=True)
    group.callback()(_group)
    group.command("run")(run)
    app.add_typer(group, name="satellite")


def _group() -> None:
    """Reads instances inside a network for a hub outside."""


def run(
    file: Annotated[Path, typer.Option("--file", metavar="FILE", help="The satellite.yml.")] = Path(
        "satellite.yml"
    ),
    once: Annotated[bool, typer.Option("--once", help="Read everything once, send it, end.")] = False,
    home: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the spool lies; else LINKSPAN_HOME/satellite.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read the integrations of a satellite.yml and push what is new to the hub, until stopped.

    Prints one line of JSON when it works: {"event": "ready", "tenant", "integrations", "pid"}.
    """
    with answering("satellite run", as_json) as reply:
        from linkspan.config.home import home as default_home
        from linkspan.config.satellite import load_satellite
        from linkspan.satellite.run import Satellite

        _log_to_stderr()
        config = load_satellite(file)
        for warning in config.warnings:
            sys.stderr.write(plain(warning) + "\n")
        place = home.absolute() if home is not None else default_home() / "satellite"
        with Satellite(config, place) as satellite:
            if once:
                _once(reply, satellite)
            else:
                _until_stopped(reply, satellite)


def _once(reply: Reply, satellite: Satellite) -> None:
    done = satellite.once()
    reply.result = {"tenant": satellite.config.tenant, "streams": done.streams, "spool": done.spool}
    for problem in done.problems:
        reply.problem(problem)
    if not done.verified:
        reply.ends(1)
    for name, one in done.streams.items():
        counted = "" if one.get("counted") is None else f", {one['counted']} counted"
        words: dict[bool | None, str] = {True: "verified", False: "NOT verified", None: "not compared"}
        verified = words[one.get("verified")]
        reply.say(f"{name}: read up to {one.get('finished') or 'nowhere'}{counted}: {verified}")
    if done.spool["batches"]:
        reply.say(f"{done.spool['batches']} batches ({done.spool['bytes']} bytes) wait for the hub")


def _until_stopped(reply: Reply, satellite: Satellite) -> None:
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    satellite.start()
    names = [one.name for one in satellite.config.integrations]
    line = {"event": "ready", "tenant": satellite.config.tenant, "integrations": names, "pid": os.getpid()}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    reply.as_json = False  # that line was the object
    satellite.wait(lambda: bool(asked))


def _log_to_stderr() -> None:
    # Standard output is for the one line that programs wait for.
    import structlog

    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
