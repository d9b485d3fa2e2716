"""What every request passes on its way out: the read-only guard, the budget, the count; no cookies.

A kept session cookie can answer for another user or with stale roles, so none is kept
(ServiceNow docs: REST API, cookies bind to an existing session).
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import msgspec

from linkspan import __version__
from linkspan.config.values import InstanceConfig
from linkspan.connection.budget import Budget
from linkspan.core.errors import ConfigError, ReadOnly

USER_AGENT = f"linkspan/{__version__}"
CONNECTIONS = 10
# The platform closes an idle connection after 20 s or more; ours goes first.
KEEP_ALIVE_SECONDS = 15.0

TOKEN_PATH = "/oauth_token.do"  # noqa: S105 - a path
_SAFE_POST = re.compile(r"/api/now(/v\d+)?/tinyurl")
_BATCH_POST = re.compile(r"/api/now(/v\d+)?/batch")
# These change something although they answer a GET.
_UNSAFE_GET = re.compile(r".*/(oauth_revoke_token|logout|cache|xmlhttp)\.do", re.IGNORECASE)


class Count:
    """How many requests left."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.value = 0

    def add(self) -> None:
        with self._guard:
            self.value += 1


class Line(httpx2.BaseTransport):
    """Wraps the transport that sends; shared parts (pool, budget, count) may serve several lines."""

    def __init__(self, inner: httpx2.BaseTransport, *, budget: Budget, count: Count, read_only: bool) -> None:
        self._inner = inner
        self._budget = budget
        self._count = count
        self._read_only = read_only

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._read_only and not only_reads(
            request.method, request.url.path, request.headers, request.read()
        ):
            raise ReadOnly(
                f"{request.method} {request.url.path} would write, on a read-only connection",
                where=str(request.url.host),
            )
        self._budget.take()
        self._count.add()
        request.headers.pop("cookie", None)
        response = self._inner.handle_request(request)
        response.headers.pop("set-cookie", None)
        return response

    def close(self) -> None:
        """The inner transport is closed by its owner."""


def only_reads(method: str, path: str, headers: httpx2.Headers, body: bytes) -> bool:
    """Whether this request changes no record: GET, HEAD, tokens, tinyurl, a batch of such GETs."""
    if "x-http-method-override" in headers:
        return False
    if method in {"GET", "HEAD"}:
        return not _UNSAFE_GET.fullmatch(path)
    if method != "POST":
        return False
    if path == TOKEN_PATH or _SAFE_POST.fullmatch(path):
        return True
    return bool(_BATCH_POST.fullmatch(path)) and all(_batch_parts(body))


def _batch_parts(body: bytes) -> Iterator[bool]:
    """For each part of a batch, whether it only reads; one False when the body is not a batch."""
    try:
        parts = msgspec.json.decode(body)["rest_requests"]
        for part in parts:
            named = {str(header["name"]): str(header["value"]) for header in part.get("headers", ())}
            yield part["method"] in {"GET", "HEAD"} and only_reads(
                part["method"], urlsplit(part["url"]).path, httpx2.Headers(named), b""
            )
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        yield False


def sending(instance: InstanceConfig) -> httpx2.HTTPTransport:
    """The pooled transport of one instance. Raises ConfigError for an unusable ``ca`` or ``proxy``."""
    limits = httpx2.Limits(
        max_connections=CONNECTIONS,
        max_keepalive_connections=CONNECTIONS,
        keepalive_expiry=KEEP_ALIVE_SECONDS,
    )
    try:
        proxy = httpx2.Proxy(instance.proxy) if instance.proxy else None
    except (ValueError, httpx2.InvalidURL) as error:
        raise ConfigError(f"proxy: {error}", where=instance.where, fix="write http://host:port") from error
    if not instance.url.startswith("https:") and proxy is None:
        # An http line meets no TLS; this context trusts nobody, and loads no authorities (0.2 s).
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx2.HTTPTransport(verify=nobody, limits=limits, trust_env=False)
    return httpx2.HTTPTransport(verify=tls(instance), limits=limits, proxy=proxy, trust_env=False)


def tls(instance: InstanceConfig) -> ssl.SSLContext:
    """The system's certificate authorities, and those of the instance's ``ca`` file."""
    context = httpx2.create_ssl_context()
    if instance.ca is not None:
        try:
            context.load_verify_locations(cafile=instance.ca)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"ca: {instance.ca} cannot be read as certificates ({error.strerror or error})",
                where=instance.where,
                fix="name a PEM file",
            ) from error
    return context
