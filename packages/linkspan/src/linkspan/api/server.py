"""Runs the hub's application on a socket until told to stop; one hub a home."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from linkspan.core.errors import ConfigError
from linkspan.flows.pulse import Pulse

DRAIN_SECONDS = 3
LAST_SECONDS = 9.0


@contextmanager
def only_hub_of(home: Path) -> Iterator[None]:
    """Hold a home for one hub. Raises ConfigError when another one runs on it.

    The lock belongs to the process, so it is free again however the process ends.
    """
    with (home / "hub.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                "a hub is already running on this home",
                fix="stop it first, or set LINKSPAN_HOME to another directory",
                where=str(home),
                code="already_running",
            ) from error
        yield


def own_token(home: Path) -> str:
    """The token of a home whose configuration names none: made once, readable by its owner only."""
    path = home / "hub.token"
    with contextlib.suppress(FileNotFoundError):
        if kept := path.read_text(encoding="ascii").strip():
            return kept
    token = secrets.token_urlsafe(32)
    _write_private(path, token)
    return token


def listen(host: str, port: int) -> socket.socket:
    """A socket listening there; port 0 takes a free one. Raises ConfigError when it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only on sockets that say they are TCP; with it on, each
    # answer waits some 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            fix="free the port, or set hub.listen to another (port 0 takes a free one)",
            where="hub.listen",
        ) from error
    listener.listen(128)
    return listener


def address_of(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(
    app: ASGIApp, listener: socket.socket, pulse: Pulse, *, home: Path, ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT. ``ready`` is called once requests are answered.

    While it runs, ``hub.json`` in the home says {url, pid}.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        lifespan="off",
    )
    note = home / "hub.json"

    def answering() -> None:
        _write_private(note, json.dumps({"url": address_of(listener), "pid": os.getpid()}))
        ready()

    server = _Server(config, pulse, answering)
    try:
        with _signals(server.ask_to_stop, note):
            server.run(sockets=[listener])
    finally:
        note.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """uvicorn with our signals: it would end the process by the signal itself instead of with 0."""

    def __init__(self, config: uvicorn.Config, pulse: Pulse, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._pulse = pulse
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def ask_to_stop(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        await asyncio.to_thread(self._ready)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._pulse.stop()  # live streams end by themselves; uvicorn would wait for them
        await super().shutdown(sockets=sockets)


@contextmanager
def _signals(stop: Callable[[], None], note: Path) -> Iterator[None]:
    def leave() -> None:
        # Every write is safe to lose half-way, so a part that hangs does not keep the process alive.
        note.unlink(missing_ok=True)
        os._exit(0)

    def ask(_number: int, _frame: FrameType | None) -> None:
        last = threading.Timer(LAST_SECONDS, leave)
        last.daemon = True
        last.start()
        stop()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number in before:
            # A second signal while the rest is put away must not cut that short either.
            signal.signal(number, signal.SIG_IGN)


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
