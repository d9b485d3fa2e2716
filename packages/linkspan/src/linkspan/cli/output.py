"""What a command says: one JSON object, or words and tables. Logs go to standard error.

The object is ``{"command", "ok", "exit", "result", "problems": [{code, where, cause, fix}]}``.
Exit codes: 0 done, 1 the answer is no, 2 usage or configuration, 3 an instance or peer could not be
reached, 4 interrupted or a manual step is left. The worst of 2 > 4 > 3 > 1 > 0 counts.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from linkspan.core.errors import ConfigError, LinkspanError

if TYPE_CHECKING:
    from rich.console import Console

_CONTROLS = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}
_SEVERITY = {0: 0, 1: 1, 3: 2, 4: 3, 2: 4}


def plain(text: object) -> str:
    """Text for a terminal: a control character, which could move the cursor or hide words, shows as �."""
    return str(text).translate(_CONTROLS)


def worst(codes: Iterable[int]) -> int:
    """The exit code that counts among several."""
    return max(codes, key=lambda code: _SEVERITY.get(code, 1), default=0)


class Reply:
    """What one command has to say; filled by the command, printed at its end."""

    def __init__(self, command: str, as_json: bool) -> None:
        self.command = command
        self.as_json = as_json
        self.result: Any = None
        self.problems: list[dict[str, str]] = []
        self._codes: list[int] = []
        self._console: Console | None = None

    @property
    def exit(self) -> int:
        """The exit code as it stands."""
        return worst(self._codes)

    def ends(self, code: int) -> None:
        """The command shall end with at least this code."""
        self._codes.append(code)

    def problem(self, error: LinkspanError) -> None:
        """Something went wrong for a part of the work; the rest goes on."""
        self.problems.append(error.problem())
        self.ends(error.exit_code)

    def say(self, *parts: Any) -> None:
        """Print for a person (text or anything rich renders); nothing in JSON mode."""
        if not self.as_json:
            shown = [plain(part) if isinstance(part, str) else part for part in parts]
            self.console.print(*shown, highlight=False)

    @property
    def console(self) -> Console:
        """The terminal, for people only."""
        if self._console is None:
            from rich.console import Console

            # Values of records are shown too: what looks like rich's markup in them is only text.
            self._console = Console(soft_wrap=True, markup=False, emoji=False)
        return self._console

    def finish(self) -> int:
        """Print what is left to print; the exit code."""
        if self.as_json:
            envelope = {
                "command": self.command,
                "ok": self.exit == 0,
                "exit": self.exit,
                "result": self.result,
                "problems": self.problems,
            }
            sys.stdout.write(json.dumps(envelope, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            for problem in self.problems:
                sys.stderr.write(_sentence(problem) + "\n")
        return self.exit


@contextmanager
def answering(command: str, as_json: bool) -> Iterator[Reply]:
    """Run a command's body: known errors become problems, Ctrl-C becomes exit 4; always ends the command."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    reply = Reply(command, as_json)
    try:
        yield reply
    except LinkspanError as error:
        reply.problem(error)
    except KeyboardInterrupt:
        reply.problems.append(
            {"code": "interrupted", "where": "", "cause": "stopped", "fix": "run the same command to go on"}
        )
        reply.ends(4)
    raise typer.Exit(reply.finish())


def write_file(path: Path, text: str) -> None:
    """Write what a person wants in a file. Raises ConfigError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", where=str(path), fix="choose another file"
        ) from error


def usage_error(error: Any, arguments: list[str]) -> int:
    """Tell what was typed wrong, as JSON when that was asked for; the exit code, normally 2."""
    message = str(error.format_message())
    if "--json" in arguments:
        command = next((word for word in arguments if not word.startswith("-")), "")
        reply = Reply(command, as_json=True)
        reply.problems.append({"code": "usage", "where": "", "cause": message, "fix": "linkspan --help"})
        reply.ends(2)
        return reply.finish()
    if message:
        error.show()
    return int(error.exit_code)


def _sentence(problem: dict[str, str]) -> str:
    place = f"{problem['where']}: " if problem["where"] else ""
    fix = f"\n  → {problem['fix']}" if problem["fix"] else ""
    return plain(f"{place}{problem['cause']} [{problem['code']}]{fix}")
