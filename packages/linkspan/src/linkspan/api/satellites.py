"""``POST /satellites/{tenant}/…``: what a satellite read, stored before it is answered."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from linkspan.api.guard import problem
from linkspan.core.errors import Rejected, SecretUnavailable, Stale
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.flows.satellites import Holding, Satellites
from linkspan.store.warehouse import WarehouseBroken, WarehouseBusy

RETRY_SECONDS = 5
LONGEST_ID = 256

_SHA_256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):")

Answer = Callable[[Request, bytes], JSONResponse]


def satellite_routes(satellites: Satellites) -> Callable[[FastAPI, Hub, Pulse], None]:
    """The part of the hub's application that answers at ``/satellites/``."""

    def add(app: FastAPI, _hub: Hub, _pulse: Pulse) -> None:
        app.include_router(routes(satellites))

    return add


def routes(satellites: Satellites) -> APIRouter:
    """Three doors for each tenant, opened by one of its keys."""
    router = APIRouter(tags=["satellites"])

    @router.post("/satellites/{tenant}/heartbeat")
    async def heartbeat(tenant: str, request: Request) -> Response:
        """A satellite shows itself: whether it has the lease, and how far its streams are stored."""

        def answer(_request: Request, body: bytes) -> JSONResponse:
            return JSONResponse(satellites.heartbeat(tenant, body))

        return await _answered(satellites, tenant, request, answer)

    @router.post("/satellites/{tenant}/batches", status_code=202)
    async def batches(tenant: str, request: Request) -> Response:
        """Rows of one stream: 202 once they are stored, 200 when they were before."""

        def answer(request: Request, body: bytes) -> JSONResponse:
            batch_id = request.headers.get("idempotency-key", "")
            if not 0 < len(batch_id) <= LONGEST_ID:
                raise Rejected("Idempotency-Key is missing or too long", code="invalid")
            new = satellites.take(tenant, _holder(request), batch_id, body)
            return JSONResponse({"id": batch_id}, 202 if new else 200)

        return await _answered(satellites, tenant, request, answer)

    @router.post("/satellites/{tenant}/census")
    async def census(tenant: str, request: Request) -> Response:
        """Keys that are visible on the instance: which of them are not stored like that."""

        def answer(request: Request, body: bytes) -> JSONResponse:
            return JSONResponse(satellites.compare(tenant, _holder(request), body))

        return await _answered(satellites, tenant, request, answer)

    return router


async def _answered(satellites: Satellites, tenant: str, request: Request, answer: Answer) -> Response:
    """The key first, then the body: who has no key is not listened to."""
    refused = await run_in_threadpool(_refused, satellites, tenant, request)
    if refused is not None:
        return refused
    body = await request.body()
    return await run_in_threadpool(_told, request, body, answer)


def _refused(satellites: Satellites, tenant: str, request: Request) -> Response | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer" and satellites.knows(tenant, key.strip()):
            return None
    except SecretUnavailable:
        return _later("unavailable", "The hub cannot read its keys now.")
    answer = problem(
        401,
        "not_authenticated",
        "This is not a key of this tenant; it may have been exchanged.",
        "Write a key that the hub has under satellites, api_keys of this tenant, into satellite.api_key.",
    )
    answer.headers["WWW-Authenticate"] = 'Bearer realm="linkspan"'
    return answer


def _told(request: Request, body: bytes, answer: Answer) -> Response:
    try:
        if not is_digest_of(request.headers.get("content-digest", ""), body):
            raise Rejected("the body is not what Content-Digest says", code="digest", fix="send it again")
        return answer(request, body)
    except Rejected as error:
        return problem(422, error.code, error.cause, error.fix, error.where)
    except Stale as error:
        return problem(409, error.code, error.cause, error.fix, error.where)
    except (WarehouseBusy, WarehouseBroken) as error:
        return _later(error.code, error.cause)
    except sa.exc.SQLAlchemyError:
        return _later("unavailable", "The hub's store does not answer.")


def _holder(request: Request) -> Holding:
    holder, era = (request.headers.get(name, "") for name in ("linkspan-holder", "linkspan-era"))
    if not 0 < len(holder) <= LONGEST_ID or len(era) > LONGEST_ID:
        raise Rejected("Linkspan-Holder is missing or too long", code="invalid")
    return Holding(holder=holder, era=era)


def _later(code: str, cause: str) -> Response:
    answer = problem(503, code, cause, "Send it again later.")
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def is_digest_of(header: str, body: bytes) -> bool:
    """Whether a Content-Digest (RFC 9530) holds the SHA-256 of this body."""
    found = _SHA_256.search(header)
    try:
        said = base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        return False
    return hmac.compare_digest(said, hashlib.sha256(body).digest())
