"""A thin HTTP line of the demo's own: kept alive, one connection a thread, JSON both ways.

The demo plays people on both sides by the thousand, so a request must cost next to nothing; and it
judges linkspan, so it does not use linkspan's own connection to do it.
"""

from __future__ import annotations

import base64
import http.client
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from linkspan.core.errors import BadReply, Rejected, Unreachable

IDLE_LIMIT = 2.0  # seconds; servers close idle connections, and a write must not meet a closed one
_BROKEN = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and decoded JSON of one answer; ``body`` is None when there is none."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether the request was done."""
        return 200 <= self.status < 300


def basic(user: str, password: str) -> dict[str, str]:
    """The header of one person."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Line:
    """Requests to one server. Safe to use from several threads.

    ``patience`` is for how many seconds a request is repeated while the server is away; only right
    where repeating is harmless, because each request carries a key or only reads. Raises Unreachable
    when no answer came, BadReply when it is not JSON.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float = 60.0,
        patience: float = 0.0,
    ) -> None:
        parts = urlsplit(url)
        self.url = url.rstrip("/")
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._timeout, self._patience = timeout, patience
        self._local = threading.local()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, whatever its status."""
        target = f"{path}?{urlencode({k: str(v) for k, v in params.items()})}" if params else path
        sent = {**self._headers, **(headers or {})}
        data: bytes | None = None
        if body is not None:
            data = msgspec.json.encode(body)
            sent["Content-Type"] = "application/json"
        return self._patiently(lambda: self._once(method, target, data, sent))

    def get(self, path: str, **params: object) -> Any:
        """The body of a GET that must succeed."""
        answer = self.call("GET", path, params=params)
        if not answer.ok:
            raise BadReply(f"GET {path} answered {answer.status}: {answer.body}", where=self.url)
        return answer.body

    def rows(self, table: str, query: str = "", fields: str = "") -> list[dict[str, str]]:
        """Records of a table as this person sees them, references as bare sys_ids."""
        found: list[dict[str, str]] = self.get(
            f"/api/now/table/{table}",
            sysparm_query=query,
            sysparm_fields=fields,
            sysparm_exclude_reference_link="true",
        )["result"]
        return found

    def change(
        self, table: str, sys_id: str, values: Mapping[str, str], *, input_display: bool = False
    ) -> None:
        """Change a record as this person. Raises Rejected when it is refused."""
        flag = "?sysparm_input_display_value=true" if input_display else ""
        answer = self.call("PATCH", f"/api/now/table/{table}/{sys_id}{flag}", body=values)
        if not answer.ok:
            raise Rejected(f"{table} was not changed: {answer.status} {answer.body}", where=self.url)

    def _patiently(self, attempt: Callable[[], Answer]) -> Answer:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                answer = attempt()
                if answer.status != 503 or time.monotonic() >= deadline:
                    return answer
            except _BROKEN as error:
                self._drop()
                if time.monotonic() >= deadline:
                    raise Unreachable(f"no answer: {error!r}", where=self.url) from error
            time.sleep(0.1)

    def _once(self, method: str, target: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = self._connection()
        connection.request(method, target, body=data, headers=dict(headers))
        reply = connection.getresponse()
        content = reply.read()
        self._local.used = time.monotonic()
        try:
            return Answer(reply.status, msgspec.json.decode(content) if content.strip() else None)
        except msgspec.DecodeError as error:
            raise BadReply(
                f"{method} {target} answered {reply.status} without JSON", where=self.url
            ) from error

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None and time.monotonic() - self._local.used < IDLE_LIMIT:
            return connection
        self._drop()
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        self._local.connection = connection
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None
