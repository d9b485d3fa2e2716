"""``linkspan metrics …``: figures from what was ingested, each with its measure."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linkspan.cli.options import DEFAULT_CONFIG, AsJson, ConfigFile
from linkspan.cli.output import Reply, answering, write_file

if TYPE_CHECKING:
    from linkspan.ingest.mttr import Answer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Metrics from what was ingested.", no_args_is_help=True)
    group.command("mttr")(mttr)
    app.add_typer(group, name="metrics")


def mttr(
    definition: Annotated[
        str, typer.Option(metavar="NAME", help="What counts: resolve, harness or closed.")
    ] = "resolve",
    by: Annotated[str, typer.Option(metavar="FIELD", help="A row for each value of this field.")] = "",
    period: Annotated[
        str, typer.Option(metavar="PERIOD", help="A row for each day, week, month, quarter or year.")
    ] = "",
    cohort: Annotated[
        str, typer.Option(metavar="FIELD", help="The date that puts an incident into a period.")
    ] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="From this day on.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Up to the day before this one."),
    ] = None,
    zone: Annotated[str, typer.Option(metavar="ZONE", help="The time zone of days and months.")] = "UTC",
    instance: Annotated[str, typer.Option(metavar="NAME", help="The instance, if several.")] = "",
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the rows into this file.")] = None,
    to_csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the rows into this file.")
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Time to restore: n, mean, median, 90th and 95th percentile, and what was left out."""
    with answering("metrics mttr", as_json) as reply:
        from linkspan.flows.metrics import document, mttr_of
        from linkspan.flows.wiring import Wiring
        from linkspan.ingest.mttr import Question
        from linkspan.web.mttr import chart_of, table_of

        question = Question(
            measure=definition,
            by=by,
            period=period,
            cohort=cohort,
            since=_day(since),
            until=_day(until),
            zone=zone,
        )
        with Wiring.open(config) as wiring:
            name, answer = mttr_of(wiring.home, question, instance=instance)
        reply.result = document(name, answer)
        if svg is not None:
            write_file(svg, chart_of(name, answer))
        if to_csv is not None:
            write_file(to_csv, table_of(answer))
        _say(reply, name, answer)


def _say(reply: Reply, instance: str, answer: Answer) -> None:
    if reply.as_json:
        return
    from rich.table import Table

    from linkspan.web.chart import duration
    from linkspan.web.mttr import label_of

    reply.say(f"{instance}: time to restore, {answer.measure.says}")
    shown = Table(box=None, pad_edge=False)
    for name in ("", "n", "mean", "median", "p90", "p95"):
        shown.add_column(name, justify="left" if not name else "right")
    lines = [(label_of(row), row.figures) for row in answer.rows]
    for label, figures in [*lines, ("all", answer.whole)]:
        found = (figures.mean_s, figures.median_s, figures.p90_s, figures.p95_s)
        shown.add_row(label, f"{figures.n:,}", *(duration(seconds) for seconds in found))
    reply.say(shown)
    left = [f"{count:,} {reason.replace('_', ' ')}" for reason, count in answer.left_out.items() if count]
    if left:
        reply.say(f"left out: {', '.join(left)}")


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()
