"""The line from a satellite to its hub: one POST at a time, and what its answers mean."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import httpx2
import msgspec

from linkspan.config.values import InstanceConfig
from linkspan.connection import failures
from linkspan.connection.transport import USER_AGENT, sending
from linkspan.core.errors import (
    BadReply,
    LinkspanError,
    NotAuthenticated,
    NotFound,
    RateLimited,
    Rejected,
    Stale,
    Unreachable,
)
from linkspan.core.secret import Secret

# The hub waits up to a few seconds for its warehouse before it answers.
TIMEOUT = httpx2.Timeout(60.0, connect=10.0)
LARGEST_ANSWER = 8 * 1024 * 1024
PATIENCE_SECONDS = 30.0
_DOCUMENTED = {401: NotAuthenticated, 404: NotFound, 409: Stale, 413: Rejected, 422: Rejected}


class Uplink:
    """POSTs JSON to one hub. What is sent twice counts once there, so the caller may repeat anything."""

    def __init__(self, hub: InstanceConfig, api_key: Secret) -> None:
        """``hub.url`` may have a path. Raises ConfigError when its ``ca`` or ``proxy`` cannot be used."""
        self._url = hub.url
        self._transport = sending(hub)
        self._client = httpx2.Client(
            transport=self._transport,
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Authorization": f"Bearer {api_key.reveal()}",
            },
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
        )

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Any:
        """The answer's JSON. The body goes with its SHA-256 (RFC 9530, Content-Digest).

        Raises Unreachable, RateLimited (503 and 429), NotAuthenticated (401), Stale (409), Rejected (413,
        422), NotFound, BadReply; code, cause and fix are the hub's own where it said them.
        """
        named = {"Content-Type": "application/json", "Content-Digest": digest(body), **(headers or {})}
        sent = failures.Sent(method="POST", path=path, where="hub", safe=True)
        try:
            response = self._client.post(self._url + path, content=body, headers=named)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise failures.broken(sent, error) from error
        answer = _json(response)
        if response.status_code in (200, 202) and answer is not None:
            return answer
        raise _failure(response, answer)

    def close(self) -> None:
        """Close the sockets."""
        self._client.close()
        self._transport.close()


def digest(body: bytes) -> str:
    """The value of Content-Digest for a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def _json(response: httpx2.Response) -> Any:
    if len(response.content) > LARGEST_ANSWER:
        return None
    try:
        return msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _failure(response: httpx2.Response, answer: Any) -> LinkspanError:
    status = response.status_code
    code, cause, fix = _said(answer)
    cause = cause or f"the hub answered {status} and not as a hub does"
    if status in (429, 503):
        wait = failures.retry_after({name.lower(): value for name, value in response.headers.items()})
        return RateLimited(cause, fix=fix, where="hub", retry_after=wait or PATIENCE_SECONDS)
    if status in _DOCUMENTED:
        return _DOCUMENTED[status](cause, fix=fix, where="hub", code=code or None)
    if status >= 500:
        return Unreachable(cause, fix=fix or "look at the hub's log", where="hub", code="server_error")
    return BadReply(cause, fix=fix or "check satellite.url: is it the address of a hub?", where="hub")


def _said(answer: Any) -> tuple[str, str, str]:
    """Code, cause and fix of the hub's first problem; "" where it said none."""
    problems = answer.get("problems") if isinstance(answer, dict) else None
    first = problems[0] if isinstance(problems, list) and problems else None
    if not isinstance(first, dict):
        return "", "", ""
    code, cause, fix = (str(first.get(name) or "")[:500] for name in ("code", "cause", "fix"))
    return code, cause, fix
