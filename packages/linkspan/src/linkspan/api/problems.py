"""Errors as answers: one table from our error tree to HTTP, one sentence for a wrong body."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from linkspan.api.guard import problem
from linkspan.core.errors import LinkspanError

STATUS_BY_CODE: Mapping[str, int] = {
    "invalid": 422,
    "rejected": 422,
    "not_found": 404,
    "stale": 409,
    "final_status": 409,
    "key_reused": 409,
    "read_only": 403,
    "unreachable": 503,
    "ambiguous": 503,
    "rate_limited": 503,
    "warehouse_busy": 503,
    "warehouse_unusable": 503,
    "bad_reply": 502,
}

_log = logging.getLogger("linkspan.api")


def status_of(error: LinkspanError) -> int:
    """The HTTP status that says the same as this error."""
    return STATUS_BY_CODE.get(error.code, 500)


def answer_problems(app: FastAPI) -> None:
    """Let every error of the routes of ``app`` leave as ``{"problems": […]}``."""

    @app.exception_handler(LinkspanError)
    async def known(_request: Request, error: LinkspanError) -> JSONResponse:
        return problem(status_of(error), error.code, error.cause, error.fix, error.where)

    @app.exception_handler(RequestValidationError)
    async def wrong_body(_request: Request, error: RequestValidationError) -> JSONResponse:
        entries = [
            {"code": "invalid", "where": _place(one["loc"]), "cause": _sentence(one), "fix": _fix(one)}
            for one in error.errors()[:20]
        ]
        return JSONResponse({"problems": entries}, 422)

    @app.exception_handler(HTTPException)
    async def plain(_request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
        cause = "There is nothing at this address." if error.status_code == 404 else str(error.detail)
        return problem(error.status_code, code, cause)

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, "error", "The hub failed to answer.", "Look at its log; it says what happened.")


def _place(where: Sequence[Any]) -> str:
    return ".".join(str(part) for part in where)


def _sentence(error: Mapping[str, Any]) -> str:
    name = str(error["loc"][-1]) if error["loc"] else "body"
    if error["type"] == "extra_forbidden":
        return f"{name!r} is not a key of this request."
    if error["type"] == "missing":
        return f"{name!r} is missing."
    if error["type"] == "json_invalid":
        return "The body is not JSON."
    return f"{name!r}: {error['msg']}."


def _fix(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "Leave it out."
    return "Give it." if error["type"] == "missing" else ""
