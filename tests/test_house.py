"""The rules of the house that no other tool checks."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import re
import tomllib
from collections.abc import Mapping

import pytest

from tests.repository import PACKAGES, ROOT, name, pages, slug, sources, texts, tracked

LONGEST_FILE = 600
# Needed, and imported only by another package.
USED_BY_OTHERS = {
    "httptools": "uvicorn's parser",
    "psycopg": "SQLAlchemy's driver for postgresql:// URLs",
    "python-multipart": "FastAPI's forms",
    "uvloop": "uvicorn's event loop",
    "tzdata": "zoneinfo's zones where the system has none",
}
VAGUE_NAMES = ("Manager", "Handler", "Processor", "Helper", "Service", "Utils")


def source_files() -> list:
    return [path for package in PACKAGES for path in sources(package)]


@pytest.mark.parametrize("path", source_files(), ids=name)
def test_a_source_file_is_short_and_quiet_and_named_for_what_it_does(path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE, f"split {name(path)}: more than {LONGEST_FILE} lines"
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert "cli" in path.with_suffix("").parts, f"{name(path)}:{node.lineno}: only commands print"
        if isinstance(node, ast.ClassDef):
            assert not node.name.endswith(VAGUE_NAMES), f"{name(path)}: {node.name} is no noun of ours"
    assert path.stem not in {"utils", "helpers", "misc", "common"}, f"{name(path)}: name it for what it holds"
    if path.name not in ("__init__.py", "__main__.py"):
        assert ast.get_docstring(tree), f"{name(path)}: its first line says what it is for"


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    slash = "/"  # apart, so that this file may be read by its own rule
    places = re.compile(rf"(?<![\w.]){slash}(work|root){slash}|{slash}home{slash}\w+{slash}")
    found = [
        f"{name(path)}:{number}: {line.strip()[:80]}"
        for path, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if places.search(line)
    ]
    assert not found


def anchors(text: str) -> set[str]:
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", without_code, flags=re.MULTILINE)}


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_link_of_a_page_leads_somewhere(page) -> None:
    text = re.sub(r"^```.*?^```|`[^`\n]+`", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{name(page)} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(there.read_text()), f"{name(page)} links to {target}: no such heading"


def test_the_changelog_is_about_the_version_that_is_built() -> None:
    top = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert top
    for package in PACKAGES:
        project = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]
        assert project["version"] == top[1], package


def test_each_distribution_carries_the_licence() -> None:
    licence = (ROOT / "LICENSE").read_bytes()
    assert b"Apache License" in licence
    for package in PACKAGES:
        assert (ROOT / "packages" / package / "LICENSE").read_bytes() == licence


def imported(package: str) -> set[str]:
    """First names of all modules that a package imports, wherever in the code."""
    names = set()
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names


@functools.cache
def owned() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def modules(distribution: str) -> set[str]:
    """The names under which a distribution is imported; not all are called like it."""
    plain = distribution.lower().replace("_", "-")
    known = {
        module
        for module, owners in owned().items()
        if plain in {owner.lower().replace("_", "-") for owner in owners}
    }
    return known | {distribution.split(".", maxsplit=1)[0].replace("-", "_")}


def test_every_dependency_is_used() -> None:
    unused = []
    for package in PACKAGES:
        project = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]
        held = imported(package)
        for requirement in project["dependencies"]:
            wanted = re.match(r"[A-Za-z0-9._-]+", requirement)[0]
            if not modules(wanted) & held and wanted not in USED_BY_OTHERS:
                unused.append(f"{package} needs {wanted} and never imports it")
    assert not unused


def test_every_dependency_is_explained() -> None:
    design = (ROOT / "DESIGN.md").read_text()
    for package in PACKAGES:
        project = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]
        for requirement in project["dependencies"]:
            wanted = re.match(r"[A-Za-z0-9._-]+", requirement)[0]
            assert f"`{wanted}`" in design, f"DESIGN.md does not say why {package} needs {wanted}"


def test_foreign_files_lie_in_one_place_only() -> None:
    minified = [name(path) for path in tracked() if path.name.endswith((".min.js", ".min.css"))]
    assert all("/web/static/vendor/" in f"/{path}" for path in minified)


def test_the_two_houses_are_apart() -> None:
    """The import contracts say so of code; this says so of the distributions' own requirements."""
    projects = {
        package: tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]
        for package in PACKAGES
    }
    assert not any("linkspan" in requirement for requirement in projects["wavetank"]["dependencies"])
    assert not any("wavetank" in requirement for requirement in projects["linkspan"]["dependencies"])
