import hashlib
import json
import re
from pathlib import Path

import linkspan.web

STATIC = Path(linkspan.web.__file__).parent / "static"
TEMPLATES = STATIC.parent / "templates"
VENDOR = STATIC / "vendor"


def test_vendored_files_are_those_of_the_manifest() -> None:
    entries = json.loads((VENDOR / "manifest.json").read_text())
    assert {path.name for path in VENDOR.iterdir()} == {entry["file"] for entry in entries} | {
        "manifest.json"
    }
    for entry in entries:
        assert set(entry) == {"file", "package", "version", "sha256", "licence"}
        content = (VENDOR / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["file"]


def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline() -> None:
    for template in TEMPLATES.glob("*.html"):
        text = template.read_text()
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text), template.name
        assert not re.search(r"\son[a-z]+=|\sstyle=|<style|hx-on|javascript:", text), template.name
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), template.name
    assert not re.search(r"https?://", (STATIC / "linkspan.css").read_text())
