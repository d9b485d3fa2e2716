"""Texts as they compare and as they fit."""

from __future__ import annotations


def lines(text: str) -> str:
    """Line ends as one character, no blank edges: the platform keeps Windows line ends when it is given
    them, and far sides do not."""
    return text.replace("\r\n", "\n").strip()


def cut(text: str, length: int) -> str:
    """``text`` in at most ``length`` characters, visibly cut."""
    text = lines(text)
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
