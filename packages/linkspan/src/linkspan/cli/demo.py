"""``linkspan demo``: the whole story on this machine, nothing outside the checkout needed."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from linkspan.cli.options import AsJson
from linkspan.core.errors import Interrupted, LinkspanError

if TYPE_CHECKING:
    from linkspan.demo.stage import Stage
    from linkspan.demo.story import Say, Summary, Wishes

SHOWN = 20
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal was closed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="Tell the whole story, print a summary, end.")] = False,
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An incident event log to replay (CSV or zip).")
    ] = None,
    events: Annotated[int, typer.Option(min=1, help="Events on ServiceNow, and edits on the desk.")] = 300,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the hub; 0 takes a free one.")] = 0,
    rate: Annotated[
        float | None, typer.Option(min=0.01, help="Events a second on each side (35 with --once, else 1).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed tells another story.")] = 1,
    home: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep configuration, state and logs here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Three emulated instances, an account on each, preflight, a live two-way sync and its page."""
    from linkspan.demo.story import Wishes

    for ending in ENDINGS:
        signal.signal(ending, _interrupt)
    per_second = rate or (35.0 if once else 1.0)
    wishes = Wishes(events=events, replay=replay, port=port, per_second=per_second, seed=seed, home=home)
    try:
        code = _once(wishes, as_json=as_json) if once else _live(wishes, as_json=as_json)
    except LinkspanError as error:
        code = _failed(error, as_json=as_json)
    except KeyboardInterrupt:
        code = _failed(Interrupted("stopped before the end", fix="run it again"), as_json=as_json)
    raise typer.Exit(code)


def _once(wishes: Wishes, *, as_json: bool) -> int:
    from linkspan.demo.story import once

    summary = once(wishes, _news())
    for sentence in [*summary.outcome.verdict.differences, *summary.outcome.verdict.duplicates][:SHOWN]:
        sys.stderr.write(f"  {sentence}\n")
    if as_json:
        _print_json(summary.document())
    else:
        _print_summary(summary)
    return 0 if summary.good else 1


def _live(wishes: Wishes, *, as_json: bool) -> int:
    from linkspan.demo.story import live

    def opened(stage: Stage) -> None:
        if as_json:
            _print_json({"event": "ready", "url": _page(stage), "instances": stage.urls})
        else:
            _print_doors(stage)

    try:
        live(wishes, _news(), opened)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
    return 0


def _news() -> Say:
    """Lines of news on standard error, with the seconds since the start."""
    from rich.console import Console

    console, began = Console(stderr=True, soft_wrap=True), time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {text}", markup=False, highlight=False)

    return say


def _print_summary(summary: Summary) -> None:
    from rich.console import Console
    from rich.table import Table

    document = summary.document()
    sync = document["sync"]
    rows = [
        ("accounts", f"{document['accounts']} on {document['instances']} instances"),
        ("preflight", f"{summary.passed} passed, {summary.failed} failed"),
        ("edits", f"{sync['edits']} sent, {sync['skipped']} skipped"),
        ("links", str(sync["links"])),
        ("ledger", _equation(sync["ledger"])),
        ("differences", str(sync["differences"])),
        ("duplicates", str(sync["duplicates"])),
        ("lag", f"p50 {sync['lag_p50_s']} s, p95 {sync['lag_p95_s']} s"),
        ("requests", f"{sync['requests']} by the account"),
        *(
            (f"guide {guide.name}", f"{sum(c.ok for c in guide.checks)} of {len(guide.checks)} checks hold")
            for guide in summary.guides
        ),
        ("time", f"{document['seconds']} s"),
    ]
    table = Table(show_header=False, box=None, title="In step" if summary.good else "Not in step")
    for row in rows:
        table.add_row(*row)
    Console().print(table, highlight=False)


def _equation(ledger: dict[str, int]) -> str:
    parts = [f"{count} {fate}" for fate, count in ledger.items() if fate != "received"]
    return f"{ledger['received']} received = {' + '.join(parts)}"


def _print_doors(stage: Stage) -> None:
    from rich.console import Console

    console = Console(soft_wrap=True)
    console.print(f"\nThe hub      {_page(stage)}", highlight=False)
    for name, url in stage.urls.items():
        console.print(f"{name:<12} {url}  (admin / admin)", highlight=False)
    console.print("\nDeclare an incident at the desk and see it arrive on prod. Ctrl-C stops all.\n")


def _page(stage: Stage) -> str:
    return f"{stage.hub_url}/?token={stage.token}"


def _failed(error: LinkspanError, *, as_json: bool) -> int:
    if as_json:
        envelope = {"command": "demo", "ok": False, "exit": error.exit_code, "result": None}
        _print_json({**envelope, "problems": [error.problem()]})
    sys.stderr.write(f"{error}\n")
    return error.exit_code


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    for ending in ENDINGS:  # once is enough: a second one must not leave the children behind
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt
