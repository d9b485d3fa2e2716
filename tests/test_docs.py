"""What the pages tell a reader to type is typed here.

A page's fenced ``console`` blocks run in order in one folder and one shell; ``$ `` starts a command, ``> ``
continues it, other lines are its output: each must appear, in order, with ``…`` for any text. A fenced
block under ``<!-- file: NAME -->`` is written to that file first. ``<!-- not run here: REASON -->`` leaves
the next block out. The ports of the pages are exchanged for free ones.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.repository import ROOT, name, pages

LIMIT_SECONDS = 150
# The ports that pages may speak of; a fleet takes two in a row for each instance.
PORTS = (8081, 8082, 8083, 8084, 8085, 8086, 8700, 8701)
_BLOCK = re.compile(
    r"(?:^<!-- (?P<order>file|not run here): (?P<what>.+?) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One fenced block: a file to write, or commands with the output they promise."""

    language: str
    body: str
    file: str = ""
    skipped: str = ""


def blocks(text: str) -> list[Block]:
    """The blocks of a page's text that are typed or written, in order."""
    found = []
    for match in _BLOCK.finditer(text):
        file = match["what"] if match["order"] == "file" else ""
        skipped = match["what"] if match["order"] == "not run here" else ""
        if match["language"] == "console" or file:
            found.append(Block(match["language"], match["body"], file, skipped))
    return found


def is_run(page: Path) -> bool:
    return any(block.language == "console" and not block.skipped for block in blocks(page.read_text()))


def script(text: str) -> tuple[str, list[str]]:
    """A page's text as a shell script, and the output it promises."""
    lines, promised = ["set -euo pipefail"], []
    for block in blocks(text):
        if block.skipped:
            continue
        if block.file:
            lines += [f"cat > {block.file} <<'END_OF_FILE'", block.body.rstrip("\n"), "END_OF_FILE"]
            continue
        for line in block.body.splitlines():
            if line.startswith("$ ") or line.startswith("> "):
                lines.append(line[2:])
            elif line.strip():
                promised.append(line.strip())
    return "\n".join(lines) + "\n", promised


def with_free_ports(text: str) -> str:
    """The page's ports exchanged for as many free ones that follow each other in the same way."""
    base = needs.free_ports(len(PORTS))
    exchanged = {str(port): str(base + number) for number, port in enumerate(PORTS)}
    return re.sub("|".join(exchanged), lambda port: exchanged[port[0]], text)


def environment(home: Path) -> dict[str, str]:
    programs = Path(sys.executable).parent
    return {
        "HOME": str(home),
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "COLUMNS": "120",
    }


def missing_lines(promised: list[str], output: str) -> list[str]:
    """The promised lines that do not come, in order, in the output."""
    place = 0
    for number, line in enumerate(promised):
        # Looked for anywhere in a line: what curl prints has no line break at its end.
        found = re.compile(".*?".join(map(re.escape, line.strip("…").split("…")))).search(output, place)
        if found is None:
            return promised[number:]
        place = found.end()
    return []


def page_of_a_ring(page: Path) -> Any:
    """The tutorial is typed each time, the how-tos in the slow ring."""
    return pytest.param(page, marks=[pytest.mark.slow] if page.parent.name == "howto" else [])


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl"))), reason="the pages use bash and curl")
@pytest.mark.parametrize("page", [page_of_a_ring(page) for page in pages() if is_run(page)], ids=name)
def test_what_a_page_says_to_type_works(page: Path, tmp_path: Path) -> None:
    text, promised = script(with_free_ports(page.read_text()))
    folder = tmp_path / "folder"
    folder.mkdir()
    with (tmp_path / "output").open("w+") as output:
        shell = subprocess.Popen(
            ["bash", "-c", text], cwd=folder, env=environment(tmp_path),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            code = shell.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            _end(shell.pid)
        output.seek(0)
        said = output.read()
    assert code == 0, f"{name(page)}: a command failed (exit {code})\n{said[-4000:]}"
    missing = missing_lines(promised, said)
    assert not missing, f"{name(page)}: these lines did not come: {missing}\n{said[-4000:]}"


def _end(group: int) -> None:
    """Stop what a page left running in the background."""
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        return


def test_every_left_out_block_has_a_reason_and_the_readme_is_run_by_ci() -> None:
    for page in pages():
        for block in blocks(page.read_text()):
            assert not block.skipped or len(block.skipped) > 15, f"{name(page)}: say why a block is not run"
    left_out = [block.body for block in blocks((ROOT / "README.md").read_text()) if block.skipped]
    commands = [line.removeprefix("$ ") for body in left_out for line in body.splitlines()]
    steps = (ROOT / ".ci" / "run").read_text()
    assert commands
    for command in commands:
        assert re.match(r"make \w+", command)[0] in steps, f".ci/run does not run {command}"


def test_a_broken_page_is_seen() -> None:
    text, promised = script("```console\n$ echo one; echo two 2\none\ntwo …\nthree\n```\n")
    said = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=20, check=True).stdout
    assert missing_lines(promised, said) == ["three"]
