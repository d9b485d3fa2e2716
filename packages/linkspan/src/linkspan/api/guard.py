"""What every request passes before a route sees it, and what every answer carries."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linkspan.api.access import COOKIE, Access

BODY_LIMIT = 1_048_576
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/favicon.ico", "/sign-in"})
OPEN_PREFIXES = ("/static/",)
# Machines that sign what they send: their routes verify the signature or the key themselves.
SIGNED_PREFIXES = ("/hooks/", "/findings/", "/satellites/")
SATELLITE_LIMIT = 16 * BODY_LIMIT  # a batch of rows
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it browsers send "Origin: null" with the forms of our own pages.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """ASGI middleware: Host, body size, token or cookie, Origin on writes, security headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer = self._refusal(scope)
        guarded = _with_headers(send, cacheable=scope["path"].startswith("/static/"))
        if answer is not None:
            await answer(scope, receive, guarded)
            return
        await _LimitedBody(self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if not self._access.host_is_good(headers.get("host", "")):
            return problem(
                421,
                "host",
                "This hub does not answer to that name.",
                "Use the address it printed, or name this one as hub.url.",
            )
        if int_of(headers.get("content-length")) > limit_of(path):
            return _too_large(limit_of(path))
        signs_itself = scope["method"] == "POST" and path.startswith(SIGNED_PREFIXES)
        if path in OPEN_PATHS or path.startswith(OPEN_PREFIXES) or signs_itself:
            return None
        signed_in = self._sign_in(scope)
        if signed_in is not None:
            return signed_in
        by_bearer = self._access.bearer_is_good(headers.get("authorization", ""))
        if not by_bearer and not self._access.cookie_is_good(headers.get("cookie", "")):
            return _who_are_you(scope, headers)
        return None if by_bearer else self._refuse_foreign_write(scope, headers)

    def _refuse_foreign_write(self, scope: Scope, headers: Headers) -> Response | None:
        """A cookie travels by itself, so a write with it must come from one of our own pages."""
        origin, host = headers.get("origin", ""), headers.get("host", "")
        if scope["method"] in SAFE_METHODS or self._access.origin_is_good(origin, host):
            return None
        return problem(
            403, "origin", "This write did not come from a page of the hub.", "Reload and try again."
        )

    def _sign_in(self, scope: Scope) -> Response | None:
        """A visit to ``/?token=…`` trades the token for a cookie and loses it from the address."""
        if scope["method"] != "GET" or scope["path"].startswith("/api/"):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = next((value for name, value in query if name == "token"), None)
        if token is None:
            return None
        rest = urlencode([pair for pair in query if pair[0] != "token"])
        # One slash: an address that begins with two names another host.
        target = "/" + scope["path"].lstrip("/") + (f"?{rest}" if rest else "")
        return let_in(self._access, token, target, secure=scope["scheme"] == "https")


def let_in(access: Access, token: str, target: str, *, secure: bool) -> Response:
    """Trade a token for the cookie and go on to ``target``, a path of the hub; a wrong one asks again."""
    session = access.session_for(token)
    if session is None:
        return RedirectResponse("/sign-in?refused=1", 303)
    answer = RedirectResponse(target, 303)
    answer.set_cookie(COOKIE, session, httponly=True, samesite="strict", secure=secure, max_age=30 * 86_400)
    return answer


def problem(status: int, code: str, cause: str, fix: str = "", where: str = "") -> JSONResponse:
    """An error as the API says it: ``{"problems": [{code, where, cause, fix}]}``."""
    entry = {"code": code, "where": where, "cause": cause, "fix": fix}
    return JSONResponse({"problems": [entry]}, status)


def limit_of(path: str) -> int:
    """The largest body that is taken at ``path``, in bytes."""
    return SATELLITE_LIMIT if path.startswith("/satellites/") else BODY_LIMIT


def int_of(text: str | None) -> int:
    """A header's number, 0 when it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else 0


def _who_are_you(scope: Scope, headers: Headers) -> Response:
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        return RedirectResponse("/sign-in", 303)
    answer = problem(
        401, "not_authenticated", "A token is needed.", "Send Authorization: Bearer with a token of the hub."
    )
    answer.headers["WWW-Authenticate"] = 'Bearer realm="linkspan"'
    return answer


def _too_large(limit: int) -> Response:
    return problem(
        413, "too_large", f"The body is larger than {limit // 1_048_576} MiB.", "Send less at once."
    )


def _with_headers(send: Send, *, cacheable: bool) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            headers["Cache-Control"] = "no-cache" if cacheable else "no-store"
        await send(message)

    return guarded


class _BodyTooLarge(Exception):
    """A body without a length went past the limit."""


class _LimitedBody:
    """Counts a body that comes in chunks and ends the request at the limit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen, started, limit = 0, False, limit_of(scope["path"])

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _BodyTooLarge
            return message

        async def watched(message: Message) -> None:
            # Past the limit the application only has its own word for the broken body: ours is better.
            nonlocal started
            if seen <= limit or started:
                started = True
                await send(message)

        try:
            await self._app(scope, counted, watched)
        except _BodyTooLarge:
            if started:
                raise
        if seen > limit and not started:
            await _too_large(limit)(scope, receive, send)
