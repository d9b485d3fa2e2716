"""Serves one instance over http, and https if asked: the sockets, the ready line, the orderly end."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from wavetank import app, tls
from wavetank.front import Front
from wavetank.instance import Instance
from wavetank.parent import until_parent_ends
from wavetank.security import restriction
from wavetank.transport import KEEP_ALIVE, Protocol

GRACE = 3
BACKLOG = 512


@dataclass(frozen=True)
class Listen:
    """Where to listen. A port 0 is a free one; `tls_port` None is no https.

    `client_ca` is a PEM file: callers over https may show certificates of its authorities.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls_port: int | None = None
    tls_directory: Path = field(default_factory=tls.default_directory)
    client_ca: Path | None = None


class _Server(uvicorn.Server):
    """uvicorn's server, told from outside when to stop, saying when it has started."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # The Date header must be there for the first answer too, not only after the first tick.
        await self.on_tick(0)
        self._started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Serving:
    """One instance being served. `ready` is what its ready line says."""

    def __init__(self, options: app.Options, listen: Listen) -> None:
        """Opens the sockets and the database.

        Raises OSError for a port that is taken, ValueError as `app.create` does.
        """
        self.instance: Instance
        self._front: Front
        self._sockets = [_socket(listen.host, listen.port)]
        self._contexts: list[ssl.SSLContext | None] = [None]
        self.ca: Path | None = None
        if listen.tls_port is not None:
            found = tls.certificates(listen.tls_directory)
            self.ca = found.ca
            self._sockets.append(_socket(listen.host, listen.tls_port))
            self._contexts.append(found.context(listen.client_ca))
        self.instance, self._front = app.create(options)
        self.instance.url, self.instance.tls_url = self.url, self.tls_url or ""
        self._control = options.control
        self._servers: list[_Server] = []
        self._stopping = False
        self._waiting = len(self._sockets)

    @property
    def url(self) -> str:
        return _url("http", self._sockets[0])

    @property
    def tls_url(self) -> str | None:
        return _url("https", self._sockets[1]) if len(self._sockets) > 1 else None

    @property
    def ready(self) -> dict[str, Any]:
        return {
            "event": "ready",
            "name": self.instance.name,
            "url": self.url,
            "tls_url": self.tls_url,
            "ca": str(self.ca.resolve()) if self.ca else None,
            "control": f"{self.url}/-/" if self._control else None,
            "admin": "admin",
            "release": self.instance.release,
            "basic_auth_restriction": restriction.mode(self.instance.properties),
            "pid": os.getpid(),
        }

    async def serve(self, started: Callable[[], None]) -> None:
        """Serves until `stop`; calls `started` once every socket answers."""

        def one_more() -> None:
            self._waiting -= 1
            if not self._waiting:
                started()

        pairs = list(zip(self._sockets, self._contexts, strict=True))
        self._servers = [_Server(_config(self._front, context), one_more) for _, context in pairs]
        if self._stopping:
            self.stop()
        try:
            await asyncio.gather(
                *(server.serve([sock]) for server, (sock, _) in zip(self._servers, pairs, strict=True))
            )
        finally:
            self.instance.close()

    def stop(self) -> None:
        """Asks the servers to finish what they are at, three seconds at most. Safe from any thread."""
        self._stopping = True  # it may come before there is a server to tell
        for server in self._servers:
            server.should_exit = True


def run(
    options: app.Options, listen: Listen, say: Callable[[dict[str, Any]], None], *, with_parent: bool
) -> None:
    """Serves in this process until SIGTERM, SIGINT, or, with a parent, the end of standard input."""
    serving = Serving(options, listen)
    # What an instance is made of lives as long as the process: no collection need look at it again.
    gc.collect()
    gc.freeze()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: serving.stop())
    if with_parent:
        threading.Thread(target=until_parent_ends, args=(serving.stop,), daemon=True).start()
    asyncio.run(serving.serve(lambda: say(serving.ready)))


def _config(front: Front, context: ssl.SSLContext | None) -> uvicorn.Config:
    config = uvicorn.Config(
        front,
        http=Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # the instance's own clock says it
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        backlog=BACKLOG,
    )
    config.load()
    config.ssl = context
    return config


def _socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's delay off only on sockets that name it;
    # without, every answer waits 40 ms for the acknowledgement of its own headers.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        # At once: two processes may both bind a port that neither listens on yet.
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.set_inheritable(False)
    return sock


def _url(scheme: str, sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{scheme}://{shown}:{port}"
