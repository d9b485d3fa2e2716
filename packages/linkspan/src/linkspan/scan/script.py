"""Our own look at scripts: lines of code that match a pattern, comments aside. Nothing is executed."""

from __future__ import annotations

import re

# A text, a comment, or a regular expression: told from a division by the sign before it.
_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)"""
    r"""|(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))"""
    r"""|(?P<before>[=(,:;!&|?{}\[]\s*)(?P<regex>/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/)""",
    re.DOTALL,
)


def matching_lines(script: str, pattern: str) -> list[int]:
    """Numbers (from 1) of the lines that hold a match of ``pattern`` outside comments."""
    code = without_comments(script)
    starts = (match.start() for match in re.finditer(pattern, code))
    return sorted({code.count("\n", 0, start) + 1 for start in starts})


def without_comments(script: str) -> str:
    """The script with each comment blanked; every line keeps its number."""
    return _TOKEN.sub(_blank, script.replace("\r\n", "\n").replace("\r", "\n"))


def _blank(token: re.Match[str]) -> str:
    if token["comment"] is None:
        return token[0]
    return re.sub(r"[^\n]", " ", token[0])
