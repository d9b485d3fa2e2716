"""The page of times to restore: a chart, the figures behind it, and the same as SVG and CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, FastAPI, Query
from pydantic import BeforeValidator
from starlette.responses import HTMLResponse, Response

from linkspan.core.errors import LinkspanError
from linkspan.core.spreadsheet import cell
from linkspan.flows.hub import Hub
from linkspan.flows.metrics import ingested_instances, mttr_of
from linkspan.flows.pulse import Pulse
from linkspan.ingest.mttr import DATES, MEASURES, PERIODS, Answer, Question, Row
from linkspan.web.chart import Column, duration, svg
from linkspan.web.rendering import Rendering

TEMPLATES = Path(__file__).parent / "templates"
GROUPS = ("", "priority", "category", "assignment_group", "urgency", "impact", "state")
MOST_COLUMNS = 60

Text = Annotated[str, Query(max_length=80)]
# A form sends the fields that were left empty too.
Day = Annotated[date | None, BeforeValidator(lambda text: text or None), Query()]


def _question(
    definition: Text = "resolve",
    by: Text = "",
    period: Text = "month",
    cohort: Text = "",
    since: Day = None,
    until: Day = None,
) -> Question:
    return Question(measure=definition, by=by, period=period, cohort=cohort, since=since, until=until)


Asked = Annotated[Question, Depends(_question)]


def mttr_pages(app: FastAPI, hub: Hub, pulse: Pulse) -> None:  # noqa: ARG001 - it changes with an ingest only
    """Hang the page and its two files into the hub's application."""
    rendering = Rendering(TEMPLATES)
    rendering.add_filter("duration", duration)
    router = APIRouter(include_in_schema=False)

    @router.get("/mttr")
    def page(question: Asked, instance: Text = "") -> HTMLResponse:
        shown = _shown(hub, instance, question)
        return HTMLResponse(rendering.page("mttr.html", **shown))

    @router.get("/mttr.svg")
    def picture(question: Asked, instance: Text = "") -> Response:
        name, answer = mttr_of(hub.home, question, instance=instance)
        return _file(chart_of(name, answer), "image/svg+xml", "svg")

    @router.get("/mttr.csv")
    def figures(question: Asked, instance: Text = "") -> Response:
        _, answer = mttr_of(hub.home, question, instance=instance)
        return _file(table_of(answer), "text/csv; charset=utf-8", "csv")

    app.include_router(router)


def chart_of(instance: str, answer: Answer) -> str:
    """The rows of an answer as SVG, the whole where no rows were asked for; of too many it says which."""
    rows = _rows(answer)
    drawn, which = rows, ""
    if len(rows) > MOST_COLUMNS:
        by_size = bool(answer.question.by) and not answer.question.period
        drawn = _largest(rows) if by_size else rows[-MOST_COLUMNS:]
        which = f" (the {MOST_COLUMNS} {'largest' if by_size else 'last'} of {len(rows)})"
    columns = [
        Column(label=label_of(row), n=f.n, mean=f.mean_s, median=f.median_s, p90=f.p90_s)
        for row in drawn
        for f in [row.figures]
    ]
    return svg(f"Time to restore on {instance}: {answer.measure.says}{which}", columns)


def table_of(answer: Answer) -> str:
    """The rows of an answer as CSV, durations in seconds; the whole where no rows were asked for."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "period", "n", "mean_s", "median_s", "p90_s", "p95_s"])
    for row in _rows(answer):
        writer.writerow([cell(row.group), cell(row.period), *row.figures.document().values()])
    return text.getvalue()


def _rows(answer: Answer) -> list[Row]:
    return list(answer.rows) or [Row(group="all", period="", figures=answer.whole)]


def _largest(rows: list[Row]) -> list[Row]:
    """The groups with the most incidents, in the order that they had."""
    places = sorted(range(len(rows)), key=lambda place: -rows[place].figures.n)[:MOST_COLUMNS]
    return [rows[place] for place in sorted(places)]


def label_of(row: Row) -> str:
    """What a row is about, in a word or two."""
    return " ".join(filter(None, (row.group, row.period))) or "(none)"


def _shown(hub: Hub, instance: str, question: Question) -> dict[str, Any]:
    """What the page shows; a problem in place of the answer where there is none."""
    shown: dict[str, Any] = {
        "here": "mttr",
        "instance": instance,
        "instances": [],
        "question": question,
        "answer": None,
        "problem": None,
        "measures": MEASURES,
        "dates": DATES,
        "periods": PERIODS,
        "groups": GROUPS,
        "config_name": hub.config.path.name,
    }
    try:
        shown["instances"] = ingested_instances(hub.home)
        name, answer = mttr_of(hub.home, question, instance=instance or next(iter(shown["instances"]), ""))
    except LinkspanError as error:
        return shown | {"problem": error.problem()}
    charted = answer if not (question.by and question.period) else replace(answer, rows=())
    return shown | {
        "instance": name,
        "answer": answer,
        "rows": _rows(answer),
        "label": label_of,
        "chart": chart_of(name, charted),
        "query": urlencode(dict(_asked(name, question))),
    }


def _asked(instance: str, question: Question) -> Iterator[tuple[str, str]]:
    yield "instance", instance
    yield "definition", question.measure
    for name in ("by", "period", "cohort"):
        yield name, getattr(question, name)
    for name in ("since", "until"):
        if (day := getattr(question, name)) is not None:
            yield name, day.isoformat()


def _file(text: str, kind: str, ending: str) -> Response:
    return Response(
        text, media_type=kind, headers={"Content-Disposition": f'inline; filename="mttr.{ending}"'}
    )
