"""The one file that knows the JavaScript engine: worlds in which scripts run, with a bound on everything.

A script has a world of its own, shared with nothing but later runs of the same owner's scripts; what it
leaves behind there is taken away after every run, and a world that cannot be cleaned is not used again. The
engine is QuickJS, in this process: a world belongs to the thread that made it, and holds the GIL as long as
a script runs.

Time, memory and recursion are bounded. The clock is looked at between the engine's own steps and before
every built-in function that may run long, so a script can overrun its time only by operators on very long
strings and by loops over the names of very large objects.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Literal

from jsbox import JavaScriptError, JsTimeoutError, Runtime  # type: ignore[import-untyped]

Plain = str | float | bool | list["Plain"] | None
# What a script asks of its host: (operation, arguments) -> answer.
Host = Callable[..., Plain]
Kind = Literal["expression", "answer", "body"]

STACK_BYTES = 512 * 1024
_WORLDS = 32  # kept by one thread for one instance; one is about 250 kB
_LONGEST_SCRIPT = 1_000_000
# BigInt is younger than the language spoken here, and its arithmetic cannot be interrupted.
_BIG_INTEGER = re.compile(r"(?<![\w$.])(?:0[xXoObB][0-9a-fA-F_]+|[0-9][0-9_]*)n(?![\w$])")
# A script that speaks of these may change its world in ways that are not seen from outside.
_LASTING = re.compile(r"[pP]roto|define|constructor|freeze|seal|prevent|eval|Function|async|\\u")
_TRUTH_TEXT = re.compile(r"([!=]=)\s*(['\"])(true|false)\2")
_numbers = itertools.count()
_alive: set[int] = set()
_thread = threading.local()


class ScriptFailed(Exception):
    """A script threw, or is no script. The text says what and where, as the platform's log would."""


class ScriptStopped(Exception):
    """A script was ended: it ran too long, or took too much memory."""


class NotBuilt(BaseException):
    """A script reached for something that is not emulated. No `catch` of the script's own holds it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take."""

    seconds: float
    memory_bytes: int


@dataclass(slots=True)
class _Gate:
    """The only way out of a world. It does not know the world, which would never end otherwise."""

    lacking: Iterable[str]
    host: Host | None = None
    deadline: float = math.inf

    def ask(self, operation: str, *arguments: Plain) -> Plain:
        if operation == "check":
            if time.perf_counter() > self.deadline:
                raise _OutOfTime
            return None
        if operation == "source":
            _check(str(arguments[0]))
            return None
        if operation == "lacking":
            return [*self.lacking]
        return None if self.host is None else self.host(operation, *arguments)


@dataclass(slots=True)
class _World:
    runtime: Runtime
    gate: _Gate
    memory_bytes: int
    programs: dict[tuple[Kind, str], int] = field(default_factory=dict)


class _OutOfTime(BaseException):
    """Raised inside a script's own call, which no `catch` of the script's holds."""


class Engine:
    """Runs the scripts of one instance."""

    def __init__(self, lacking: Iterable[str] = ()) -> None:
        """`lacking`: global names of the platform's that end a script by NotBuilt."""
        self._lacking = tuple(lacking)
        self._number = next(_numbers)
        _alive.add(self._number)
        weakref.finalize(self, _alive.discard, self._number)

    def run(self, owner: str, kind: Kind, source: str, host: Host, limits: Limits, *, before: bool) -> Plain:
        """The value of a script: of the expression, of its variable `answer`, or nothing for a body.

        `owner` names who wrote it. `before`: whether there is a record before the change, `previous`.
        Raises ScriptFailed, ScriptStopped, NotBuilt.
        """
        text, lasting = _readied(source)
        world = self._taken(owner, limits)
        with _bounded(world, host, limits):
            value, clean = _value(world, kind, text, before)
        if clean and not lasting:
            self._put_back(owner, world)
        return value

    def completion(self, source: str, host: Host, limits: Limits) -> Plain:
        """The value of the last statement of a script, which runs in a world of its own.

        Raises as `run` does, also for a value that is no plain one.
        """
        text, _ = _readied(source)
        world = _made(limits.memory_bytes, self._lacking)
        with _bounded(world, host, limits):
            world.runtime.eval("$expose()")
            value: Plain = world.runtime.eval(text, timeout=limits.seconds)
        return value

    def _taken(self, owner: str, limits: Limits) -> _World:
        """A world nobody else uses meanwhile: scripts may run inside each other."""
        world = self._worlds().pop(owner, None)
        if world is None or world.memory_bytes != limits.memory_bytes:
            world = _made(limits.memory_bytes, self._lacking)
        return world

    def _put_back(self, owner: str, world: _World) -> None:
        kept = self._worlds()
        kept[owner] = world
        while len(kept) > _WORLDS:
            kept.popitem(last=False)

    def _worlds(self) -> OrderedDict[str, _World]:
        """This thread's own. Those of instances that are gone end here, in the thread that made them."""
        mine: dict[int, OrderedDict[str, _World]] | None = getattr(_thread, "worlds", None)
        if mine is None:
            mine = _thread.worlds = {}
        kept = mine.get(self._number)
        if kept is None:
            for number in [each for each in mine if each not in _alive]:
                del mine[number]
            kept = mine[self._number] = OrderedDict()
        return kept


def _value(world: _World, kind: Kind, source: str, before: bool) -> tuple[Plain, bool]:
    """The value, and whether the world is as it was."""
    index = world.programs.get((kind, source))
    if index is None:
        call = f"$compile('{kind}', {json.dumps(source)})"
        index = world.programs[kind, source] = world.runtime.eval(call, timeout=_left(world))
    value = world.runtime.eval(f"$run({index}, {'true' if before else 'false'})", timeout=_left(world))
    return value, bool(world.runtime.eval("$clean()", timeout=_left(world)))


def _left(world: _World) -> float:
    return max(0.001, world.gate.deadline - time.perf_counter())


@contextmanager
def _bounded(world: _World, host: Host, limits: Limits) -> Iterator[None]:
    """Lets a world ask its host, for so long."""
    gate = world.gate
    gate.host, gate.deadline = host, time.perf_counter() + limits.seconds
    try:
        yield
    except (JsTimeoutError, _OutOfTime):
        raise ScriptStopped(f"ran longer than {limits.seconds:g} s") from None
    except JavaScriptError as error:
        if _exhausted(error):
            raise ScriptStopped(f"took more than {limits.memory_bytes >> 20} MB of memory") from None
        raise ScriptFailed(_said(error)) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ScriptFailed(f"a value cannot leave the script: {error}") from error
    finally:
        gate.host, gate.deadline = None, math.inf


@lru_cache(maxsize=2048)
def _readied(source: str) -> tuple[str, bool]:
    """The script with its comparisons to the texts 'true' and 'false' marked (see `said` in guest.js), and
    whether it may change its world for good. Raises ScriptFailed for what is refused unread.
    """
    _check(source)
    return _TRUTH_TEXT.sub(r"\1 $said(\2\3\2)", source), bool(_LASTING.search(source))


def _made(memory_bytes: int, lacking: Iterable[str]) -> _World:
    runtime = Runtime(memory_limit=memory_bytes, max_stack_size=STACK_BYTES)
    gate = _Gate(lacking)
    runtime.bind_function("host", gate.ask)
    runtime.eval(_prelude())
    return _World(runtime, gate, memory_bytes)


@cache
def _prelude() -> str:
    return resources.files(__package__).joinpath("guest.js").read_text("utf-8")


def _check(source: str) -> None:
    """Raises ScriptFailed for what is refused unread."""
    if len(source) > _LONGEST_SCRIPT:
        raise ScriptFailed(f"a script of {len(source)} characters is too long")
    found = _BIG_INTEGER.search(source)
    if found:
        raise ScriptFailed(f"SyntaxError: {found[0]} is no number in ECMAScript 5")


def _exhausted(error: JavaScriptError) -> bool:
    """Whether the memory is used up. Where not even the error finds room, null is what is thrown."""
    return error.message == "out of memory" or (error.name is None and error.message == "null")


def _said(error: JavaScriptError) -> str:
    return f"{error.name}: {error.message}" if error.name else str(error.message)
