"""``POST /hooks/{sync}``: what a far side has to tell, signed, taken in before it is answered."""

from __future__ import annotations

import logging
from collections.abc import Callable

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from linkspan.api.guard import problem
from linkspan.api.signed import Unsigned, verified
from linkspan.core.errors import SecretUnavailable
from linkspan.flows.hooks import Hooks
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse

RETRY_SECONDS = 30

_log = logging.getLogger("linkspan.api")


def hook_routes(hooks: Hooks) -> Callable[[FastAPI, Hub, Pulse], None]:
    """The part of the hub's application that answers at ``/hooks/``."""

    def add(app: FastAPI, _hub: Hub, _pulse: Pulse) -> None:
        app.include_router(routes(hooks))

    return add


def routes(hooks: Hooks) -> APIRouter:
    """One door for each sync that has secrets; elsewhere nobody answers."""
    router = APIRouter(tags=["hooks"])

    @router.post("/hooks/{sync}", status_code=202)
    async def take(sync: str, request: Request) -> Response:
        """Take a signed event: 202 with its id, 200 when it was taken before."""
        body = await request.body()
        return await run_in_threadpool(_take, hooks, sync, request, body)

    return router


def _take(hooks: Hooks, sync: str, request: Request, body: bytes) -> Response:
    if sync not in hooks.secrets:
        return problem(404, "not_found", "No sync of this name takes events.", "Check the address.")
    try:
        message = verified(hooks.secrets[sync](), request.headers, body)
        new = hooks.take(sync, message, body)
    except Unsigned:
        return problem(401, "signature", "The signature is wrong, or the event is too old or too new.")
    except (SecretUnavailable, sa.exc.SQLAlchemyError) as error:
        _log.warning("an event for %s cannot be taken now: %s", sync, error)
        answer = problem(503, "unavailable", "The hub cannot take this now.", "Send it again later.")
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
        return answer
    return JSONResponse({"id": message}, 202 if new else 200)
