"""Waiting on the loopback for the browser to come back from the instance's consent page.

One request to one exact path of one host is taken; anything else is answered 404 and changes nothing
(RFC 8252: OAuth 2.0 for native apps).
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from linkspan.core.errors import ConfigError, LinkspanError, NotAuthenticated, NotAuthorized, Unreachable
from linkspan.core.secret import Secret

HOST = "127.0.0.1"
PATH = "/authorized"
_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>linkspan</title></head>'
    "<body><h1>{title}</h1><p>linkspan tells how it ended. You may close this window.</p></body></html>"
)


def address(port: int) -> str:
    """The redirect URL of this port, to be registered exactly so."""
    return f"http://{HOST}:{port}{PATH}"


class Redirect:
    """Listens from the start; ``wait`` returns the authorization code.

    Raises ConfigError when the port is taken. Close it, or use it as a context manager.
    """

    def __init__(self, port: int, state: Secret) -> None:
        self._state = state
        self._outcome: _Outcome | None = None
        self._guard = threading.Lock()
        self._answered = threading.Event()
        try:
            self._server = _Server((HOST, port), self._take, self._answered)
        except OSError as error:
            raise ConfigError(
                f"port {port} is taken ({error.strerror})",
                fix="end what listens there, or set redirect_port of the account and run `linkspan apply`",
            ) from error
        self.url = address(self._server.server_port)
        # Browsers open connections ahead of time and say nothing on them, so each has a thread of its own.
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def wait(self, seconds: float) -> Secret:
        """The code, once the browser brings it.

        Raises NotAuthorized when it was denied, NotAuthenticated for a wrong state or another refusal,
        Unreachable after ``seconds``.
        """
        self._answered.wait(seconds)
        outcome = self._outcome
        if outcome is None:
            raise Unreachable(
                f"nobody came back from the consent page within {seconds:.0f} seconds",
                fix="run it again; if the page said that the redirect URL is another, run `linkspan apply`",
                code="authorization_timeout",
            )
        if outcome.error is not None:
            raise outcome.error
        return outcome.code

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, target: str) -> tuple[int, str]:
        """What a request for ``target`` means; the answer's status and title."""
        parts = urlsplit(target)
        with self._guard:
            if parts.path != PATH or self._outcome is not None:
                return 404, "Not here"
            self._outcome = _read(parse_qs(parts.query, keep_blank_values=True), self._state)
        return (200, "Received") if self._outcome.error is None else (400, "Refused")


@dataclass(frozen=True)
class _Outcome:
    code: Secret
    error: LinkspanError | None = None


def _read(query: dict[str, list[str]], state: Secret) -> _Outcome:
    said = {name: values[0] for name, values in query.items() if len(values) == 1}
    return _Outcome(Secret(said.get("code", "")), _problem(said, state))


def _problem(said: dict[str, str], state: Secret) -> LinkspanError | None:
    if not hmac.compare_digest(said.get("state", "").encode(), state.reveal().encode()):
        return NotAuthenticated(
            "the browser came back with a state that this run did not send",
            fix="it is of another attempt, or somebody else's; close the tab and run it again",
            code="authorization_wrong_state",
        )
    if said.get("error") == "access_denied":
        return NotAuthorized(
            "access was denied on the consent page",
            fix="run it again and choose Allow",
            code="authorization_denied",
        )
    if said.get("error") or not said.get("code"):
        told = said.get("error_description") or said.get("error") or "it sent no code"
        return NotAuthenticated(
            f"the instance did not authorize: {told}", fix="run it again", code="authorization_refused"
        )
    return None


class _Server(ThreadingHTTPServer):
    block_on_close = False

    def __init__(
        self, place: tuple[str, int], take: Callable[[str], tuple[int, str]], answered: threading.Event
    ) -> None:
        self.take, self.answered = take, answered
        super().__init__(place, _Answers)

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: the browser hung up, or what came was no request; ``wait`` tells what there is to tell."""


class _Answers(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5.0

    def do_GET(self) -> None:
        # Another name for this host would be a page of somebody else, rebound to the loopback.
        known = self.headers.get("Host", "") == f"{HOST}:{self.server.server_port}"
        status, title = self.server.take(self.path) if known else (404, "Not here")
        try:
            self._answer(status, _PAGE.format(title=title).encode())
        finally:
            if status != 404:
                self.server.answered.set()  # not earlier: the browser shall see how it ended

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address holds the code."""
