"""Several instances, one process each, under one parent that starts, watches and stops them."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wavetank import tls
from wavetank.parent import until_parent_ends

PATIENCE = 60.0
GRACE = 8.0
Say = Callable[[dict[str, Any]], None]


@dataclass
class _Child:
    """One instance's process; its standard input is held open: when we end, it ends."""

    name: str
    process: subprocess.Popen[str]
    ready: dict[str, Any] = field(default_factory=dict)


def commands(names: Sequence[str], base_port: int, arguments: Sequence[str]) -> list[list[str]]:
    """The command line of each child: ports base+2i for http and base+2i+1 for https, 0 stays 0."""
    lines = []
    for index, name in enumerate(names):
        port, tls_port = (base_port + 2 * index, base_port + 2 * index + 1) if base_port else (0, 0)
        ports = ["--port", str(port), "--tls-port", str(tls_port)]
        lines.append(
            [sys.executable, "-m", "wavetank", "serve", "--name", name, *ports, "--with-parent", *arguments]
        )
    return lines


def run(
    names: Sequence[str],
    base_port: int,
    arguments: Sequence[str],
    tls_directory: Any,
    say: Say,
    *,
    with_parent: bool = False,
) -> int:
    """Runs the fleet until a signal or until a child ends; answers the exit status.

    With a parent, the end of standard input ends it too. Says each child's ready line as it comes, then
    {"event": "fleet-ready"}.
    """
    tls.certificates(tls_directory)  # once, here: the children then only read them
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if with_parent:
        threading.Thread(target=until_parent_ends, args=(stopping.set,), daemon=True).start()
    children = [
        _Child(line[line.index("--name") + 1], _start(line)) for line in commands(names, base_port, arguments)
    ]
    try:
        if _all_ready(children, stopping, say):
            say({"event": "fleet-ready", "instances": [child.ready for child in children]})
            return _watch(children, stopping)
        return 0 if stopping.is_set() else 1
    finally:
        _stop(children)


def _start(line: list[str]) -> subprocess.Popen[str]:
    # A session of its own: Ctrl-C reaches the parent alone, which then stops the children in order.
    return subprocess.Popen(  # noqa: S603
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def _all_ready(children: list[_Child], stopping: threading.Event, say: Say) -> bool:
    """Forwards the ready lines as they come. False when a child ended first, or a signal came."""
    heard = threading.Condition()

    def listen(child: _Child) -> None:
        assert child.process.stdout is not None
        line = child.process.stdout.readline()
        with heard:
            if line:
                child.ready = json.loads(line)
                say(child.ready)
            heard.notify_all()

    readers = [threading.Thread(target=listen, args=(child,), daemon=True) for child in children]
    for reader in readers:
        reader.start()
    waited = 0.0
    while waited < PATIENCE and not stopping.is_set():
        with heard:
            if all(child.ready for child in children):
                return True
            if any(not child.ready and child.process.poll() is not None for child in children):
                heard.wait(0.2)
                return all(child.ready for child in children)
            heard.wait(0.1)
        waited += 0.1
    return False


def _watch(children: list[_Child], stopping: threading.Event) -> int:
    """Waits for a signal, or for a child that ends by itself: then the fleet is no fleet any more."""
    while not stopping.wait(0.5):
        if any(child.process.poll() is not None for child in children):
            return 1
    return 0


def _stop(children: list[_Child]) -> None:
    for child in children:
        if child.process.stdin:
            child.process.stdin.close()
        if child.process.poll() is None:
            child.process.terminate()
    for child in children:
        try:
            child.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        if child.process.stdout:
            child.process.stdout.close()
