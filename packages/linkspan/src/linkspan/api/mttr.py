"""Times to restore, as JSON."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query

from linkspan.flows.hub import Hub
from linkspan.flows.metrics import document, mttr_of
from linkspan.ingest.mttr import Question

Text = Annotated[str, Query(max_length=80)]


def routes(hub: Hub) -> APIRouter:
    """The route of ``hub``'s warehouse."""
    router = APIRouter(tags=["metrics"])

    @router.get("/api/metrics/mttr")
    def mttr(
        instance: Text = "",
        definition: Text = "resolve",
        by: Text = "",
        period: Text = "",
        cohort: Text = "",
        zone: Text = "UTC",
        since: date | None = None,
        until: date | None = None,
    ) -> dict[str, Any]:
        """As ``linkspan metrics mttr`` says it: n, mean, median, p90, p95, rows, and what was left out."""
        question = Question(
            measure=definition,
            by=by,
            period=period,
            cohort=cohort,
            zone=zone,
            since=since,
            until=until,
        )
        return dict(document(*mttr_of(hub.home, question, instance=instance)))

    return router
