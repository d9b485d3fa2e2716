"""``POST /findings/{source}``: findings a tool sends, signed, committed before it is answered."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from linkspan.api.guard import problem
from linkspan.api.problems import status_of
from linkspan.api.signed import Unsigned, verified
from linkspan.core.errors import Rejected, SecretUnavailable
from linkspan.findings.finding import Unreadable
from linkspan.findings.status import status as findings_status
from linkspan.flows.findings import Intake
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse

RETRY_SECONDS = 30
JSON_TYPES = ("application/json", "application/x-ndjson", "application/jsonl")

_log = logging.getLogger("linkspan.api")


def finding_routes(app: FastAPI, hub: Hub, _pulse: Pulse) -> None:
    """Hang the intake of findings and what became of them into the hub's application."""
    intake = next((part for part in hub.background if isinstance(part, Intake)), None)
    if intake is not None:
        app.include_router(routes(hub, intake))


def routes(hub: Hub, intake: Intake) -> APIRouter:
    """One door for each source that has secrets, and the counts for people with a token."""
    router = APIRouter(tags=["findings"])

    @router.post("/findings/{source}", status_code=202)
    async def take(source: str, request: Request) -> Response:
        """Take a signed SARIF log or OCSF events: 202 with its id, 200 when it was taken before."""
        body = await request.body()
        return await run_in_threadpool(_take, intake, source, request, body)

    @router.get("/api/findings")
    def status() -> dict[str, Any]:
        """What became of every finding received, as ``linkspan findings status`` says it."""
        return findings_status(hub.database, list(hub.config.findings))

    return router


def _take(intake: Intake, source: str, request: Request, body: bytes) -> Response:
    if source not in intake.sources or not intake.sources[source].secrets:
        return problem(
            404, "not_found", "No source of this name takes findings.", "Check the address, or add secrets."
        )
    try:
        message = verified(intake.keys(source), request.headers, body)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in JSON_TYPES and not kind.endswith("+json"):
            return problem(415, "content_type", f"{kind or 'Nothing'} is not JSON.", "Send application/json.")
        new = intake.receive(source, message, body)
    except Unsigned:
        return problem(401, "signature", "The signature is wrong, or the delivery is too old or too new.")
    except (Unreadable, Rejected) as error:
        status = 400 if isinstance(error, Unreadable) else status_of(error)
        return problem(status, error.code, error.cause, error.fix, error.where)
    except (SecretUnavailable, sa.exc.SQLAlchemyError) as error:
        _log.warning("findings for %s cannot be taken now: %s", source, error)
        answer = problem(503, "unavailable", "The hub cannot take this now.", "Send it again later.")
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
        return answer
    return JSONResponse({"id": message}, 202 if new else 200)
