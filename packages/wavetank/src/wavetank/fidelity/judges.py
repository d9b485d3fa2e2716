"""The table of clients in FIDELITY.md: other people's programs that run against an instance unchanged.

A module of client tests says whom it lets judge: `pytestmark = [pytest.mark.judge("pysnow 0.7.17")]`. How
each client is run stands in `clients.yaml` beside them. The checks are the tests themselves, by their names.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEXT = """## Clients

Programs of other people, taken from PyPI unmodified, each in an environment of its own with every version
pinned by its hash. What is listed passes against an instance with access controls on; a check is a test of
the project's, most are run in several ways (over http and https, by several users, in several page sizes).
"""


@dataclass(frozen=True)
class Judge:
    """One client: name and version, how it is run, how it signs in, the test file, its checks in words."""

    client: str
    version: str
    how: str
    ways: str
    file: str
    checks: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """A suite that is not part of the project: what it is, how much of it passed, when, on which commit."""

    suite: str
    passed: int
    of: int
    day: str
    commit: str


def judges(folder: Path) -> tuple[list[Judge], list[Measured]]:
    """The clients that judge, in the order of `clients.yaml`, and the suites measured.

    Raises ValueError for a client without tests and for tests of a client that is not listed.
    """
    listed = folder / "clients.yaml"
    if not listed.exists():
        return [], []
    entries = _entries(listed)
    checks = {client: (version, file, names) for client, version, file, names in _marked(folder)}
    known = [entry["client"] for entry in entries if "client" in entry]
    if set(known) != set(checks):
        raise ValueError(f"{listed.name} and the tests differ about {sorted(set(known) ^ set(checks))}")
    made = []
    for entry in entries:
        if "client" in entry:
            version, file, names = checks[entry["client"]]
            made.append(Judge(entry["client"], version, entry["how"], entry["ways"], file, names))
    return made, [Measured(**entry) for entry in entries if "suite" in entry]


def section(made: list[Judge], measured: list[Measured]) -> str:
    """The section's Markdown; empty when nobody judges."""
    if not made:
        return ""
    lines = [
        TEXT,
        "| client | version | run over | signs in by | checks | what is checked |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {judge.client} | {judge.version} | {judge.how} | {judge.ways} | {len(judge.checks)} "
        f"| `{judge.file}`: {'; '.join(judge.checks)} |"
        for judge in made
    ]
    if measured:
        lines += ["", "Suites that are not part of the project, measured:", ""]
        lines += [
            f"- {one.suite}: {one.passed} of {one.of} passed on {one.day} (commit {one.commit})."
            for one in measured
        ]
    return "\n".join([*lines, ""])


def _entries(file: Path) -> list[dict[str, Any]]:
    from ruamel.yaml import YAML

    return list(YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8")) or [])


def _marked(folder: Path) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    for file in sorted(folder.glob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"), file.name)
        name = _judge(tree)
        if name:
            client, _, version = name.rpartition(" ")
            tests = tuple(
                node.name.removeprefix("test_").replace("_", " ")
                for node in tree.body
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            )
            yield client, version, f"tests/clients/{file.name}", tests


def _judge(tree: ast.Module) -> str:
    """What the module's `pytest.mark.judge` says, or ""."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.judge":
            return str(ast.literal_eval(node.args[0]))
    return ""
