"""A YAML file as values that know where they stand and can only be read as what they should be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from linkspan.core.errors import ConfigError

_KINDS = {
    CommentedMap: "a mapping",
    CommentedSeq: "a list",
    str: "text",
    bool: "true or false",
    type(None): "nothing",
}


class Node:
    """One value of the file: its content, its keys from the top, its line (from 1)."""

    def __init__(
        self, content: Any, file: str, keys: tuple[str, ...], line: int, lines: dict[str, int]
    ) -> None:
        self.content = content
        self.keys = keys
        self.line = line
        self._file = file
        self._lines = lines
        lines.setdefault(".".join(keys), line)

    @property
    def where(self) -> str:
        return f"{self._file}:{self.line}"

    @property
    def name(self) -> str:
        return ".".join(self.keys) or "the file"

    @property
    def lines(self) -> dict[str, int]:
        """Line of every value read so far, by dotted keys."""
        return self._lines

    def refuse(self, cause: str, fix: str) -> NoReturn:
        """Raise the ConfigError for this value."""
        raise ConfigError(f"{self.name}: {cause}", where=self.where, fix=fix)

    def mapping(self, known: Iterable[str]) -> dict[str, Node]:
        """Entries by key; an unknown key is refused with the nearest known one."""
        names = tuple(known)
        entries = self.entries()
        for key, node in entries.items():
            if key not in names:
                close = difflib.get_close_matches(key, names, n=1)
                fix = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(sorted(names))}"
                raise ConfigError(f"{self.name}: unknown key {key}", where=node.where, fix=fix)
        return entries

    def entries(self) -> dict[str, Node]:
        """Entries of a mapping whose keys a person chose."""
        if not isinstance(self.content, CommentedMap):
            self._wrong("a mapping of keys and values")
        found: dict[str, Node] = {}
        for key, value in self.content.items():
            if not isinstance(key, str):
                self.refuse(f"the key {key!r} is not text", f'write "{key}" in quotes')
            found[key] = self._inner(key, value, _line(self.content, key, self.line))
        return found

    def items(self) -> Iterator[Node]:
        """Members of a list."""
        if not isinstance(self.content, CommentedSeq):
            self._wrong("a list, e.g. [one, two]")
        for index, value in enumerate(self.content):
            yield self._inner(str(index), value, int(self.content.lc.item(index)[0]) + 1)

    def text(self) -> str:
        """Text that is not empty."""
        if not isinstance(self.content, str):
            self._wrong("text (put it in quotes)")
        if not self.content.strip():
            self.refuse("is empty", "write a value or leave the key out")
        return str(self.content)

    def choice(self, choices: Iterable[str]) -> str:
        """One of a few words."""
        words, text = tuple(choices), self.text()
        if text not in words:
            close = difflib.get_close_matches(text, words, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            self.refuse(f"{text} is not known", f"{hint}choose one of {', '.join(words)}")
        return text

    def boolean(self) -> bool:
        if not isinstance(self.content, bool):
            self._wrong("true or false")
        return self.content

    def integer(self, *, least: int = 0) -> int:
        """A whole number of at least ``least``."""
        if isinstance(self.content, bool) or not isinstance(self.content, int):
            self._wrong("a whole number")
        if self.content < least:
            self.refuse(f"{self.content} is too small", f"write {least} or more")
        return int(self.content)

    def number(self, *, least: float = 0.0) -> float:
        """A number of at least ``least``."""
        if isinstance(self.content, bool) or not isinstance(self.content, (int, float)):
            self._wrong("a number")
        if not float(self.content) >= least:  # refuses NaN too
            self.refuse(f"{self.content} is too small", f"write {least:g} or more")
        return float(self.content)

    def plain(self) -> Any:
        """The content as plain dicts, lists and scalars."""
        return _plain(self.content)

    def _inner(self, key: str, value: Any, line: int) -> Node:
        return Node(value, self._file, (*self.keys, key), line, self._lines)

    def _wrong(self, wanted: str) -> NoReturn:
        kind = next((words for kind, words in _KINDS.items() if isinstance(self.content, kind)), "a number")
        self.refuse(f"this is {kind}", f"write {wanted}")


def read(path: Path) -> Node:
    """The file's top value. Raises ConfigError for a file that is absent, not YAML, or repeats a key."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError("there is no such file", where=str(path), fix="linkspan init writes one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the file cannot be read: {error}", where=str(path)) from error
    reader = YAML(typ="rt")
    reader.allow_duplicate_keys = False
    try:
        content = reader.load(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1
        raise ConfigError(
            "the same key is written twice", where=f"{path.name}:{line}", fix="keep one of them"
        ) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path.name}:{mark.line + 1}" if mark else path.name
        raise ConfigError(
            f"not YAML: {error.problem or error.context}",
            where=where,
            fix="check indentation, quotes and brackets",
        ) from error
    except YAMLError as error:
        raise ConfigError("not YAML", where=path.name, fix="check for control characters") from error
    return Node(content if content is not None else CommentedMap(), path.name, (), 1, {})


def _line(content: CommentedMap, key: str, otherwise: int) -> int:
    """The line of a key; of a merged one (``<<``), where it is written."""
    if key in (content.lc.data or {}):
        return int(content.lc.key(key)[0]) + 1
    for merged in content.merge:
        if key in merged:
            return _line(merged, key, otherwise)
    return otherwise


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    if isinstance(content, bool) or content is None:
        return content
    for kind in (str, int, float):
        if isinstance(content, kind):
            return kind(content)
    return str(content)
